/* SPDX-License-Identifier: MIT */
#include "collect/process/sampler.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "analyze/spikes.h"
#include "base/alloc.h"
#include "base/proc_parse.h"
#include "base/proc_view.h"
#include "collect/process/proctable.h"
#include "core/clock.h"

/*
 * What is read how often. Every tick: each process's CPU clock, and statm of those whose clock moved (memory grows only
 * by running). Every 100 ms, again only of those that ran: stat (children's CPU, exec), descriptors, I/O, threads, new
 * children. A table of all processes (proctable.h) comes from a thread of its own once a second, for names and for
 * children that were missed. Tried and dropped: stat's utime (10 ms ticks), a scan of /proc at full rate.
 */
static const uint64_t MS = 1000000;
static const uint64_t SLOW_NS = 100 * MS;
static const uint64_t SLOW_BUDGET_NS = 6 * MS / 5; /* of each 100 ms */
static const uint64_t GAP_NS = 1000 * MS;
enum { ARGV_BYTES = 128 * 1024 }; /* of a command line that is kept */
enum { PROCESSES_PER_TICK = 40 }; /* beyond it each one is read every second, third, … tick */
enum { KEPT_THREADS = 256 };      /* threads that have a descriptor of their own, of all processes */
enum { THREADS_PER_PASS = 64 };   /* of one process and 100 ms: about 1 % of a core at worst */

struct watched_thread {
    pid_t tid;
    uint32_t index;   /* in the session */
    int schedstat_fd; /* -1: opened each time */
    uint64_t run_ns, timeslices;
    unsigned passes; /* in which it ran */
    bool seen;
};

struct watched {
    pid_t pid;
    int32_t parent; /* in sampler->watched, -1 */
    uint32_t index; /* in the session */
    bool alive;
    clockid_t clock;
    int dir_fd; /* /proc/PID: names this process for ever, whoever gets its pid later */
    int stat_fd, statm_fd, io_fd;
    int children_fd; /* of the main thread */

    uint64_t cpu_ns;
    uint64_t children_ns;         /* cutime + cstime as last read */
    uint64_t counted_children_ns; /* CPU of watched children that ended, not yet seen in children_ns */
    bool ran;                     /* since the last slow pass */
    uint64_t anon_bytes, rss_bytes;
    uint64_t startstack;
    uint64_t start_ticks;
    unsigned threads;
    int64_t open_fds;
    uint64_t read_bytes, write_bytes;
    bool io_known;

    struct watched_thread *thread;
    size_t thread_count, thread_cap, thread_cursor;

    struct memory_spike spike;
    int32_t event; /* the open episode, -1 */
};

struct sampler {
    struct session *session;
    struct sampler_options options;
    struct proctable *table;
    bool memory_known; /* at least one reading of a process's memory */
    struct watched *watched;
    size_t count, cap, alive;
    size_t kept_threads; /* with a descriptor of their own */
    uint64_t last_ns, last_slow_ns;
    size_t fast_cursor, slow_cursor; /* whose turn it is */
    int64_t boottime_offset_ns;
    uint64_t cpu_total_ns; /* of everything, since the start */
    struct cpu_spike cpu_spike;
    int32_t cpu_event;
    int32_t short_lived; /* the record of children that nobody saw, -1 */
    struct sampler_now now;
    uint64_t page_bytes, tick_ns;
};

/* -- reading ---------------------------------------------------------------------------------------------------- */

static int64_t boottime_offset(void)
{
    struct timespec boot, mono;

    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_MONOTONIC, &mono);
    return (boot.tv_sec - mono.tv_sec) * 1000000000ll + (boot.tv_nsec - mono.tv_nsec);
}

/* Reads a small file whole. Returns its length, NUL-terminated, or a negative errno. */
static ssize_t read_text(int fd, char *buf, size_t size)
{
    ssize_t n = pread(fd, buf, size - 1, 0);

    if (n < 0)
        return -errno;
    buf[n] = '\0';
    return n;
}

static ssize_t read_text_at(int dir_fd, const char *name, char *buf, size_t size)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -errno;
    n = read_text(fd, buf, size);
    close(fd);
    return n;
}

/* Reads through a kept descriptor, or opens the file each time when descriptors have run out. */
static ssize_t read_kept(const struct watched *w, int fd, const char *name, char *buf, size_t size)
{
    return fd >= 0 ? read_text(fd, buf, size) : read_text_at(w->dir_fd, name, buf, size);
}

static bool read_cpu(const struct watched *w, uint64_t *cpu_ns)
{
    struct timespec ts;

    if (clock_gettime(w->clock, &ts) < 0)
        return false;
    *cpu_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
    return true;
}

enum memory_reading { MEMORY_READ, MEMORY_UNKNOWN, MEMORY_GONE };

/* MEMORY_GONE: the process has been reaped. The descriptor knows, where the pid may be another process's by now. */
static enum memory_reading read_memory(const struct sampler *sampler, struct watched *w)
{
    struct proc_statm statm;
    char buf[256];
    ssize_t n = read_kept(w, w->statm_fd, "statm", buf, sizeof(buf));

    if (n == -ESRCH || n == -ENOENT)
        return MEMORY_GONE;
    if (n <= 0 || proc_statm_parse(buf, (size_t)n, &statm) < 0)
        return MEMORY_UNKNOWN;
    if (!statm.resident_pages)
        return MEMORY_UNKNOWN; /* a zombie: its memory is gone, and that is no reading */
    w->rss_bytes = statm.resident_pages * sampler->page_bytes;
    w->anon_bytes = statm.resident_pages > statm.shared_pages
                        ? (statm.resident_pages - statm.shared_pages) * sampler->page_bytes
                        : 0;
    return MEMORY_READ;
}

static bool read_stat(const struct watched *w, char *buf, size_t size, struct proc_stat *stat)
{
    ssize_t n = read_kept(w, w->stat_fd, "stat", buf, size);

    return n > 0 && !proc_stat_parse(buf, (size_t)n, stat);
}

/* Since Linux 6.2 the size of /proc/PID/fd is the number of descriptors; before, it is 0 and they are counted. */
static int64_t count_fds(const struct watched *w)
{
    struct stat st;
    int64_t count = 0;
    DIR *dir;
    int fd;

    if (fstatat(w->dir_fd, "fd", &st, 0) < 0)
        return -1;
    if (st.st_size > 0)
        return st.st_size;
    fd = openat(w->dir_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    for (const struct dirent *entry; count < 100000 && (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* -- events ----------------------------------------------------------------------------------------------------- */

static void tell(struct sampler *sampler, int32_t event, bool ended)
{
    if (ended)
        sampler->session->events[event].open = false;
    if (sampler->options.on_event)
        sampler->options.on_event(sampler->options.ctx, (uint32_t)event, ended);
}

static void describe_memory_spike(struct sampler *sampler, struct watched *w)
{
    struct session *s = sampler->session;
    struct memory_event *event = &s->events[w->event];

    event->start_ns = session_at(s, w->spike.start_ns);
    event->end_ns = session_at(s, w->spike.end_ns);
    event->size_bytes = (int64_t)memory_spike_bytes(&w->spike);
    event->peak = (double)w->spike.peak_bytes;
    event->location = strings_addf(&s->strings, "Memory spike: +%.1f MB", (double)event->size_bytes / 1e6);
}

static void end_memory_spike(struct sampler *sampler, struct watched *w)
{
    int32_t event = w->event;

    if (event < 0)
        return;
    describe_memory_spike(sampler, w);
    w->event = -1;
    tell(sampler, event, true);
}

static void describe_cpu_spike(struct sampler *sampler)
{
    struct session *s = sampler->session;
    struct memory_event *event = &s->events[sampler->cpu_event];
    const struct cpu_spike *spike = &sampler->cpu_spike;

    event->start_ns = session_at(s, spike->start_ns);
    event->end_ns = session_at(s, spike->end_ns);
    event->peak = spike->peak_pct;
    event->location = strings_addf(&s->strings, "CPU spike: %.0f %% for %.1f s", spike->peak_pct,
                                   (double)(event->end_ns - event->start_ns) / 1e9);
}

static void end_cpu_spike(struct sampler *sampler)
{
    int32_t event = sampler->cpu_event;

    if (event < 0)
        return;
    describe_cpu_spike(sampler);
    sampler->cpu_event = -1;
    tell(sampler, event, true);
}

/*
 * statm may lag behind on machines with many CPUs (the kernel batches its counters), so an episode that only just
 * passed the threshold is confirmed once by the exact and slower smaps_rollup.
 */
static bool confirm_memory_spike(struct sampler *sampler, struct watched *w)
{
    const uint64_t threshold = sampler->options.spike_mem_bytes;
    uint64_t anon;
    char buf[2048];
    ssize_t n;

    if (memory_spike_bytes(&w->spike) > threshold + threshold / 4)
        return true;
    n = read_text_at(w->dir_fd, "smaps_rollup", buf, sizeof(buf));
    if (n <= 0 || proc_smaps_rollup_parse(buf, (size_t)n, &anon) < 0)
        return true; /* no permission for the exact figure: believe statm */
    return anon > w->spike.base_bytes + threshold;
}

static void update_memory_spike(struct sampler *sampler, struct watched *w, uint64_t now_ns)
{
    struct session *s = sampler->session;

    switch (memory_spike_update(&w->spike, now_ns, w->anon_bytes, sampler->options.spike_mem_bytes)) {
    case SPIKE_NONE:
        return;
    case SPIKE_OPENED:
        if (!confirm_memory_spike(sampler, w)) {
            memory_spike_reset(&w->spike);
            return;
        }
        w->event =
            (int32_t)session_add_event(s, EVENT_MEMORY_SPIKE, session_at(s, w->spike.start_ns), (int32_t)w->index);
        describe_memory_spike(sampler, w);
        tell(sampler, w->event, false);
        return;
    case SPIKE_GREW:
        describe_memory_spike(sampler, w);
        tell(sampler, w->event, false);
        return;
    case SPIKE_ENDED:
        end_memory_spike(sampler, w);
    }
}

static void update_cpu_spike(struct sampler *sampler, uint64_t now_ns)
{
    struct session *s = sampler->session;
    const enum spike_change change =
        cpu_spike_update(&sampler->cpu_spike, now_ns, sampler->cpu_total_ns, sampler->options.spike_cpu_pct);

    if (!isnan(sampler->cpu_spike.window_pct))
        session_put_cpu_peak(s, session_at(s, now_ns), sampler->cpu_spike.window_pct);
    if (change == SPIKE_OPENED)
        sampler->cpu_event =
            (int32_t)session_add_event(s, EVENT_CPU_SPIKE, session_at(s, sampler->cpu_spike.start_ns), -1);
    if (change == SPIKE_OPENED || change == SPIKE_GREW) {
        describe_cpu_spike(sampler);
        tell(sampler, sampler->cpu_event, false);
    } else if (change == SPIKE_ENDED) {
        end_cpu_spike(sampler);
    } else if (sampler->cpu_event >= 0) {
        s->events[sampler->cpu_event].end_ns = session_at(s, sampler->cpu_spike.end_ns);
    }
}

static void note_gap(struct sampler *sampler, uint64_t from_ns, uint64_t to_ns, const char *why)
{
    struct session *s = sampler->session;
    uint32_t event = session_add_event(s, EVENT_GAP, session_at(s, from_ns), -1);

    s->events[event].end_ns = session_at(s, to_ns);
    s->events[event].open = false;
    s->events[event].location =
        strings_addf(&s->strings, "No readings for %.1f s: %s", (double)(to_ns - from_ns) / 1e9, why);
    s->diagnostics.gaps++;
    for (size_t i = 0; i < sampler->count; i++) {
        end_memory_spike(sampler, &sampler->watched[i]);
        memory_spike_reset(&sampler->watched[i].spike);
    }
    end_cpu_spike(sampler);
    cpu_spike_reset(&sampler->cpu_spike);
}

/* -- processes -------------------------------------------------------------------------------------------------- */

static struct watched *find_watched(struct sampler *sampler, pid_t pid)
{
    for (size_t i = sampler->count; i-- > 0;)
        if (sampler->watched[i].alive && sampler->watched[i].pid == pid)
            return &sampler->watched[i];
    return NULL;
}

static void forget_thread(struct sampler *sampler, struct watched_thread *t)
{
    if (t->schedstat_fd < 0)
        return;
    close(t->schedstat_fd);
    sampler->kept_threads--;
}

static void forget_threads(struct sampler *sampler, struct watched *w)
{
    for (size_t i = 0; i < w->thread_count; i++)
        forget_thread(sampler, &w->thread[i]);
    w->thread_count = 0;
}

static void close_watched(struct sampler *sampler, struct watched *w)
{
    const int fds[] = {w->dir_fd, w->stat_fd, w->statm_fd, w->io_fd, w->children_fd};

    for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    w->dir_fd = w->stat_fd = w->statm_fd = w->io_fd = w->children_fd = -1;
    forget_threads(sampler, w);
    free(w->thread);
    w->thread = NULL;
    w->thread_cap = 0;
}

/* The arguments as the program has them now: any bytes, each ended by a NUL. */
static void set_argv(struct session *s, const struct watched *w)
{
    struct process *p = &s->processes[w->index];
    size_t cap = 0;
    char *buf = xmalloc(ARGV_BYTES);
    ssize_t n = read_text_at(w->dir_fd, "cmdline", buf, ARGV_BYTES);

    p->argc = 0;
    for (ssize_t at = 0; at < n;) {
        size_t len = strnlen(buf + at, (size_t)(n - at));

        if (p->argc && s->meta.redacted)
            break;
        GROW(p->argv, p->argc + 1, cap);
        p->argv[p->argc++] = strings_add(&s->strings, buf + at, len);
        at += (ssize_t)len + 1;
    }
    free(buf);
}

/* What an image is: its file, its name, its arguments. */
static void describe_image(struct session *s, const struct watched *w, const struct proc_stat *stat)
{
    struct process *p = &s->processes[w->index];
    char path[4096];
    ssize_t n = readlinkat(w->dir_fd, "exe", path, sizeof(path));

    if (n > 0)
        p->exe = strings_add(&s->strings, path, (size_t)n);
    p->name = strings_add(&s->strings, stat->comm, stat->comm_len);
    set_argv(s, w);
}

static int open_watched(struct watched *w, pid_t pid, struct rs_err *err)
{
    char path[32];

    *w = (struct watched){.pid = pid,
                          .parent = -1,
                          .dir_fd = -1,
                          .stat_fd = -1,
                          .statm_fd = -1,
                          .io_fd = -1,
                          .children_fd = -1,
                          .event = -1,
                          .alive = true};
    w->open_fds = -1;
    snprintf(path, sizeof(path), "/proc/%u", proc_pid(pid));
    w->dir_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (w->dir_fd < 0)
        return proc_view() == PROC_VIEW_FOREIGN
                   ? rs_err_set(err, -ESRCH, "/proc shows another pid namespace than ours: mount -t proc proc /proc")
                   : rs_err_set(err, -ESRCH, "there is no process %d that this user can see", (int)pid);
    w->stat_fd = openat(w->dir_fd, "stat", O_RDONLY | O_CLOEXEC);
    w->statm_fd = openat(w->dir_fd, "statm", O_RDONLY | O_CLOEXEC);
    w->io_fd = openat(w->dir_fd, "io", O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof(path), "task/%d/children", (int)pid);
    w->children_fd = openat(w->dir_fd, path, O_RDONLY | O_CLOEXEC);
    if (clock_getcpuclockid(pid, &w->clock) != 0)
        return rs_err_set(err, -ESRCH, "process %d has just ended", (int)pid);
    return 0;
}

static void add_cpu(struct sampler *sampler, uint32_t index, uint64_t ns)
{
    sampler->session->processes[index].cpu_ns += ns;
    sampler->cpu_total_ns += ns;
}

static void unwatch(struct sampler *sampler, struct watched *w, uint64_t now_ns)
{
    struct session *s = sampler->session;

    if (!w->alive)
        return;
    end_memory_spike(sampler, w);
    if (w->parent >= 0)
        sampler->watched[w->parent].counted_children_ns += w->cpu_ns + w->children_ns;
    if (!s->processes[w->index].end_ns)
        s->processes[w->index].end_ns = session_at(s, now_ns);
    for (size_t i = 0; i < w->thread_count; i++)
        s->threads[w->thread[i].index].end_ns = session_at(s, now_ns);
    close_watched(sampler, w);
    w->alive = false;
    sampler->alive--;
}

int32_t sampler_watch(struct sampler *sampler, pid_t pid, enum sampler_origin origin, uint64_t now_ns,
                      struct rs_err *err)
{
    struct session *s = sampler->session;
    struct watched *known = find_watched(sampler, pid);
    struct watched w;
    struct proc_stat stat;
    char buf[1024];
    int rc;

    if (known && read_memory(sampler, known) != MEMORY_GONE)
        return (int32_t)known->index;
    if (known) /* its pid has been given to another process already */
        unwatch(sampler, known, now_ns);
    rc = open_watched(&w, pid, err);
    if (!rc && !read_stat(&w, buf, sizeof(buf), &stat))
        rc = rs_err_set(err, -ESRCH, "process %d has just ended", (int)pid);
    if (rc) {
        close_watched(sampler, &w);
        return rc;
    }
    known = origin == SAMPLER_FORKED ? find_watched(sampler, stat.ppid) : NULL;
    if (known)
        w.parent = (int32_t)(known - sampler->watched);
    w.index = session_add_process(s, pid, known ? (int32_t)known->index : -1, session_at(s, now_ns));
    describe_image(s, &w, &stat);
    w.startstack = stat.startstack;
    w.start_ticks = stat.starttime_ticks;
    w.children_ns = origin == SAMPLER_ATTACHED ? (stat.cutime_ticks + stat.cstime_ticks) * sampler->tick_ns : 0;
    w.threads = stat.num_threads;
    w.ran = true;
    if (origin == SAMPLER_ATTACHED)
        read_cpu(&w, &w.cpu_ns);
    if (origin == SAMPLER_LAUNCHED)
        memory_spike_update(&w.spike, now_ns, 0, sampler->options.spike_mem_bytes);
    if (origin == SAMPLER_FORKED && read_cpu(&w, &w.cpu_ns))
        add_cpu(sampler, w.index, w.cpu_ns); /* it may be gone before the next tick */
    GROW(sampler->watched, sampler->count + 1, sampler->cap);
    sampler->watched[sampler->count++] = w;
    sampler->alive++;
    return (int32_t)w.index;
}

static void new_image(struct sampler *sampler, struct watched *w, const struct proc_stat *stat, uint64_t now_ns)
{
    struct session *s = sampler->session;

    end_memory_spike(sampler, w);
    memory_spike_reset(&w->spike);
    memory_spike_update(&w->spike, now_ns, 0, sampler->options.spike_mem_bytes);
    w->index = session_exec_process(s, w->index, session_at(s, now_ns));
    w->startstack = stat->startstack;
    forget_threads(sampler, w);
    describe_image(s, w, stat);
}

/*
 * CPU of children that came and went between two looks: what the kernel added to the parent's children time, less what
 * was counted for those that were seen.
 */
static void add_unseen_children(struct sampler *sampler, struct watched *w, uint64_t children_ns, uint64_t now_ns)
{
    struct session *s = sampler->session;
    uint64_t grown = children_ns > w->children_ns ? children_ns - w->children_ns : 0;
    uint64_t known = grown < w->counted_children_ns ? grown : w->counted_children_ns;

    w->children_ns += grown;
    w->counted_children_ns -= known;
    grown -= known;
    if (!grown || !sampler->options.follow)
        return;
    if (sampler->short_lived < 0) {
        sampler->short_lived =
            (int32_t)session_add_process(s, 0, (int32_t)sampler->watched[0].index, session_at(s, now_ns));
        s->processes[sampler->short_lived].name = strings_add_str(&s->strings, "[short-lived processes]");
    }
    add_cpu(sampler, (uint32_t)sampler->short_lived, grown);
}

/* Children that thread TID of AT forked. */
static void find_children(struct sampler *sampler, size_t at, pid_t tid, uint64_t now_ns)
{
    const struct watched *w = &sampler->watched[at];
    char path[64], buf[4096];
    const char *p = buf;
    ssize_t n;
    int pid;

    snprintf(path, sizeof(path), "task/%d/children", (int)tid);
    n = read_kept(w, tid == w->pid ? w->children_fd : -1, path, buf, sizeof(buf));
    if (n <= 0)
        return;
    while (proc_children_next(&p, &pid))
        if (!find_watched(sampler, pid))
            sampler_watch(sampler, pid, SAMPLER_FORKED, now_ns, NULL);
}

/* -- threads ---------------------------------------------------------------------------------------------------- */

static void add_thread(struct sampler *sampler, struct watched *w, pid_t tid, uint64_t now_ns)
{
    struct watched_thread t = {.tid = tid, .schedstat_fd = -1, .seen = true};
    char path[64];

    t.index = session_thread(sampler->session, w->index, tid, session_at(sampler->session, now_ns));
    if (sampler->kept_threads < KEPT_THREADS) {
        snprintf(path, sizeof(path), "task/%d/schedstat", (int)tid);
        t.schedstat_fd = openat(w->dir_fd, path, O_RDONLY | O_CLOEXEC);
        sampler->kept_threads += t.schedstat_fd >= 0;
    }
    GROW(w->thread, w->thread_count + 1, w->thread_cap);
    w->thread[w->thread_count++] = t;
}

static void list_threads(struct sampler *sampler, struct watched *w, uint64_t now_ns)
{
    struct session *s = sampler->session;
    int fd = openat(w->dir_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    size_t known = w->thread_count;
    size_t kept = 0;

    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (size_t i = 0; i < known; i++)
        w->thread[i].seen = false;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        int tid = atoi(entry->d_name);
        size_t i = 0;

        if (tid <= 0)
            continue;
        /* Both lists are in order of tid, but for reuse; the search is short where it matters. */
        while (i < known && w->thread[i].tid != tid)
            i++;
        if (i < known) {
            w->thread[i].seen = true;
            continue;
        }
        add_thread(sampler, w, tid, now_ns);
    }
    closedir(dir);
    for (size_t i = 0; i < w->thread_count; i++) {
        if (w->thread[i].seen) {
            w->thread[kept++] = w->thread[i];
            continue;
        }
        s->threads[w->thread[i].index].end_ns = session_at(s, now_ns);
        forget_thread(sampler, &w->thread[i]);
    }
    w->thread_count = kept;
}

/* A thread takes its name when it begins, if ever; later it is looked at now and then. */
static bool name_is_due(const struct watched_thread *t)
{
    return t->passes <= 4 || t->passes % 8 == 0;
}

/*
 * Reads CPU and name of some threads, in turn; the main thread's name is in STAT. Returns the context switches they
 * made.
 */
static uint64_t read_threads(struct sampler *sampler, struct watched *w, const struct proc_stat *stat)
{
    struct session *s = sampler->session;
    size_t todo = w->thread_count < THREADS_PER_PASS ? w->thread_count : THREADS_PER_PASS;
    uint64_t switches = 0;

    for (; todo; todo--) {
        struct watched_thread *t;
        struct proc_schedstat sched;
        char path[64], buf[256];
        ssize_t n;

        if (w->thread_cursor >= w->thread_count)
            w->thread_cursor = 0;
        t = &w->thread[w->thread_cursor++];
        snprintf(path, sizeof(path), "task/%d/schedstat", t->tid);
        n = read_kept(w, t->schedstat_fd, path, buf, sizeof(buf));
        if (n <= 0 || proc_schedstat_parse(buf, (size_t)n, &sched) < 0)
            continue;
        if (sched.run_ns > t->run_ns)
            s->threads[t->index].cpu_ns += sched.run_ns - t->run_ns;
        if (sched.timeslices > t->timeslices)
            switches += sched.timeslices - t->timeslices;
        if (s->threads[t->index].name && sched.run_ns == t->run_ns)
            continue;
        t->run_ns = sched.run_ns;
        t->timeslices = sched.timeslices;
        t->passes++;
        if (t->tid == w->pid) {
            s->threads[t->index].name = strings_add(&s->strings, stat->comm, stat->comm_len);
            continue;
        }
        if (!name_is_due(t))
            continue;
        snprintf(path, sizeof(path), "task/%d/comm", t->tid);
        n = read_text_at(w->dir_fd, path, buf, sizeof(buf));
        if (n > 1)
            s->threads[t->index].name = strings_add(&s->strings, buf, (size_t)n - 1);
    }
    return switches;
}

/* -- ticks ------------------------------------------------------------------------------------------------------ */

/* Descendants that no look at a parent's list of children has shown. */
static void apply_proctable(struct sampler *sampler, uint64_t now_ns)
{
    struct proctable_entry *entries;
    size_t count = proctable_take(sampler->table, &entries);

    for (size_t i = 0; sampler->options.follow && i < count; i++)
        if (!find_watched(sampler, entries[i].pid) && find_watched(sampler, entries[i].ppid))
            sampler_watch(sampler, entries[i].pid, SAMPLER_FORKED, now_ns, NULL);
    free(entries);
}

static void read_io(struct watched *w, uint64_t *read_bytes, uint64_t *write_bytes)
{
    struct proc_io io;
    char buf[512];
    ssize_t n;

    if (w->io_fd < 0)
        return; /* not ours to see */
    n = read_text(w->io_fd, buf, sizeof(buf));
    if (n <= 0 || proc_io_parse(buf, (size_t)n, &io) < 0)
        return;
    if (w->io_known) {
        *read_bytes += io.read_bytes > w->read_bytes ? io.read_bytes - w->read_bytes : 0;
        *write_bytes += io.write_bytes > w->write_bytes ? io.write_bytes - w->write_bytes : 0;
    }
    w->read_bytes = io.read_bytes;
    w->write_bytes = io.write_bytes;
    w->io_known = true;
}

/* One process, every 100 ms. Watching a child may move sampler->watched, hence the index. */
static void slow_pass_one(struct sampler *sampler, size_t at, uint64_t now_ns, uint64_t io[2], uint64_t *switches)
{
    struct watched *w = &sampler->watched[at];
    struct session *s = sampler->session;
    struct process *p;
    struct proc_stat stat;
    char buf[1024];

    if (!read_stat(w, buf, sizeof(buf), &stat))
        return;
    if (stat.startstack && w->startstack && stat.startstack != w->startstack)
        new_image(sampler, w, &stat, now_ns);
    w->startstack = stat.startstack;
    add_unseen_children(sampler, w, (stat.cutime_ticks + stat.cstime_ticks) * sampler->tick_ns, now_ns);
    if (stat.state == 'Z' || stat.state == 'X') { /* it has closed everything, and that is no reading */
        w->open_fds = -1;
        return;
    }
    w->threads = stat.num_threads;
    w->open_fds = count_fds(w);
    read_io(w, &io[0], &io[1]);
    if (w->thread_count != stat.num_threads || (w->thread_count > 1 && w->thread_count <= THREADS_PER_PASS))
        list_threads(sampler, w, now_ns);
    *switches += read_threads(sampler, w, &stat);
    p = &s->processes[w->index];
    if (p->thread_peak < w->threads)
        p->thread_peak = w->threads;
    if (!sampler->options.follow)
        return;
    /* Each thread has a list of the children that it forked; the process table finds those beyond the bound. */
    for (size_t i = 0; i < sampler->watched[at].thread_count && i < THREADS_PER_PASS; i++)
        find_children(sampler, at, sampler->watched[at].thread[i].tid, now_ns);
}

/* Those that ran, in turn, for as long as a pass may take: a large tree is seen less often, not at a higher price. */
static void slow_pass_some(struct sampler *sampler, uint64_t now_ns, uint64_t io[2], uint64_t *switches)
{
    const size_t count = sampler->count;

    for (size_t visited = 0; visited < count; visited++) {
        size_t at = sampler->slow_cursor++ % count;

        if (!sampler->watched[at].alive || !sampler->watched[at].ran)
            continue;
        sampler->watched[at].ran = false;
        slow_pass_one(sampler, at, now_ns, io, switches);
        if (rs_clock_mono_ns() - now_ns > SLOW_BUDGET_NS)
            break;
    }
}

static void slow_pass(struct sampler *sampler, uint64_t now_ns)
{
    struct session *s = sampler->session;
    uint64_t from = session_at(s, sampler->last_slow_ns), to = session_at(s, now_ns);
    uint64_t io[2] = {0, 0}, switches = 0, threads = 0;
    int64_t fds = 0;
    bool fds_known = false;

    slow_pass_some(sampler, now_ns, io, &switches);
    for (size_t i = 0; i < sampler->count; i++) {
        const struct watched *w = &sampler->watched[i];

        if (!w->alive)
            continue;
        threads += w->threads;
        fds += w->open_fds > 0 ? w->open_fds : 0;
        fds_known |= w->open_fds >= 0;
    }
    session_put_metric(s, METRIC_THREADS, from, to, (double)threads);
    if (fds_known)
        session_put_metric(s, METRIC_OPEN_FDS, from, to, (double)fds);
    session_put_metric(s, METRIC_READ_BYTES, from, to, (double)io[0]);
    session_put_metric(s, METRIC_WRITE_BYTES, from, to, (double)io[1]);
    session_put_metric(s, METRIC_CONTEXT_SWITCHES, from, to, (double)switches);
    sampler->now.threads = (unsigned)threads;
    sampler->now.open_fds = fds_known ? fds : -1;
    if (to > from) {
        sampler->now.read_bytes_per_sec = (double)io[0] * 1e9 / (double)(to - from);
        sampler->now.write_bytes_per_sec = (double)io[1] * 1e9 / (double)(to - from);
    }
    sampler->last_slow_ns = now_ns;
}

static void tick_one(struct sampler *sampler, struct watched *w, uint64_t now_ns, bool slow)
{
    struct session *s = sampler->session;
    struct process *p;
    int64_t values[3] = {0, 0, 0};
    enum memory_reading memory;
    uint64_t cpu_ns;

    if (!read_cpu(w, &cpu_ns)) {
        unwatch(sampler, w, now_ns);
        return;
    }
    if (cpu_ns == w->cpu_ns && !slow && w->rss_bytes)
        return;
    /* A CPU clock goes by pid: what it says is believed once the descriptor says that it is still this process's. */
    memory = read_memory(sampler, w);
    if (memory == MEMORY_GONE) {
        unwatch(sampler, w, now_ns);
        return;
    }
    if (cpu_ns > w->cpu_ns) {
        values[PROCESS_ROW_CPU_NS] = (int64_t)(cpu_ns - w->cpu_ns);
        add_cpu(sampler, w->index, cpu_ns - w->cpu_ns);
        w->cpu_ns = cpu_ns;
        w->ran = true;
    }
    if (memory == MEMORY_READ)
        update_memory_spike(sampler, w, now_ns);
    sampler->memory_known |= memory == MEMORY_READ;
    p = &s->processes[w->index];
    if (p->anon_peak_bytes < w->anon_bytes)
        p->anon_peak_bytes = w->anon_bytes;
    if (p->rss_peak_bytes < w->rss_bytes)
        p->rss_peak_bytes = w->rss_bytes;
    values[PROCESS_ROW_ANON_BYTES] = (int64_t)w->anon_bytes;
    rows_add(&s->process_rows, session_at(s, now_ns), w->index, 0, values);
}

/* All of them, or in a large tree as many as a tick can bear, in turn. */
static void tick_some(struct sampler *sampler, uint64_t now_ns, bool slow)
{
    const size_t count = sampler->count;
    size_t todo = PROCESSES_PER_TICK;

    for (size_t visited = 0; visited < count && todo; visited++) {
        struct watched *w = &sampler->watched[sampler->fast_cursor++ % count];

        if (!w->alive)
            continue;
        tick_one(sampler, w, now_ns, slow);
        todo--;
    }
}

/* The monotonic clock stands still in a suspended machine: nothing measured goes wrong, but the gap is worth a mark. */
static bool was_suspended(struct sampler *sampler)
{
    int64_t before = sampler->boottime_offset_ns;

    sampler->boottime_offset_ns = boottime_offset();
    return sampler->boottime_offset_ns - before > (int64_t)(100 * MS);
}

/*
 * A program that ends before the first reading is due: what fork and exec cost it, over next to no time, is no share of
 * a core. Its CPU time is known, its course is not.
 */
static void put_cpu(struct sampler *sampler, uint64_t from_ns, uint64_t to_ns, uint64_t cpu_ns)
{
    struct session *s = sampler->session;

    if (to_ns > from_ns && to_ns >= session_reading_ns(s))
        session_put_metric(s, METRIC_CPU_PCT, from_ns, to_ns, 100.0 * (double)cpu_ns / (double)(to_ns - from_ns));
}

void sampler_tick(struct sampler *sampler, uint64_t now_ns, uint64_t expirations)
{
    struct session *s = sampler->session;
    const uint64_t from = session_at(s, sampler->last_ns), to = session_at(s, now_ns);
    uint64_t cpu_before = sampler->cpu_total_ns, anon = 0, rss = 0;
    bool slow = now_ns - sampler->last_slow_ns >= SLOW_NS;

    s->diagnostics.ticks++;
    s->diagnostics.ticks_missed += expirations > 1 ? expirations - 1 : 0;
    if (!sampler->count) { /* /proc shows us nothing: that is no reading of zero */
        s->duration_ns = to;
        sampler->last_ns = now_ns;
        return;
    }
    if (slow && was_suspended(sampler))
        note_gap(sampler, sampler->last_ns, now_ns, "the machine was suspended");
    else if (now_ns - sampler->last_ns > GAP_NS)
        note_gap(sampler, sampler->last_ns, now_ns, "rustscope was stopped or not scheduled");

    tick_some(sampler, now_ns, slow);
    for (size_t i = 0; i < sampler->count; i++) {
        anon += sampler->watched[i].alive ? sampler->watched[i].anon_bytes : 0;
        rss += sampler->watched[i].alive ? sampler->watched[i].rss_bytes : 0;
    }
    if (slow) {
        slow_pass(sampler, now_ns);
        apply_proctable(sampler, now_ns);
    }
    if (to > from) {
        put_cpu(sampler, from, to, sampler->cpu_total_ns - cpu_before);
        if (sampler->memory_known) {
            session_put_metric(s, METRIC_ANON_BYTES, from, to, (double)anon);
            session_put_metric(s, METRIC_RSS_BYTES, from, to, (double)rss);
        }
    }
    update_cpu_spike(sampler, now_ns);
    s->duration_ns = to;
    sampler->now.cpu_pct = sampler->cpu_spike.window_pct;
    sampler->now.anon_bytes = anon;
    sampler->now.rss_bytes = rss;
    sampler->now.processes = (unsigned)sampler->alive;
    sampler->last_ns = now_ns;
}

struct sampler *sampler_new(struct session *session, const struct sampler_options *options)
{
    struct sampler *sampler = xcalloc(1, sizeof(*sampler));

    sampler->session = session;
    sampler->options = *options;
    sampler->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    sampler->tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    sampler->last_ns = sampler->last_slow_ns = session->start_mono_ns;
    sampler->boottime_offset_ns = boottime_offset();
    sampler->cpu_event = sampler->short_lived = -1;
    sampler->now.cpu_pct = NAN;
    sampler->now.open_fds = -1;
    sampler->table = proctable_new();
    return sampler;
}

void sampler_free(struct sampler *sampler)
{
    if (!sampler)
        return;
    for (size_t i = 0; i < sampler->count; i++)
        close_watched(sampler, &sampler->watched[i]);
    free(sampler->watched);
    proctable_free(sampler->table);
    free(sampler);
}

void sampler_forked(struct sampler *sampler, pid_t parent, pid_t pid, uint64_t mono_ns)
{
    if (sampler->options.follow && find_watched(sampler, parent))
        sampler_watch(sampler, pid, SAMPLER_FORKED, mono_ns, NULL);
}

void sampler_execed(struct sampler *sampler, pid_t pid, uint64_t mono_ns)
{
    struct watched *w = find_watched(sampler, pid);
    struct proc_stat stat;
    char buf[1024];

    /* A zombie has no stack any more. */
    if (w && read_stat(w, buf, sizeof(buf), &stat) && stat.startstack && stat.startstack != w->startstack)
        new_image(sampler, w, &stat, mono_ns);
}

bool sampler_any_alive(const struct sampler *sampler)
{
    return sampler->alive > 0;
}

unsigned sampler_descendants_running(const struct sampler *sampler)
{
    struct proc_stat stat;
    char buf[1024];
    unsigned count = 0;

    for (size_t i = 1; i < sampler->count; i++)
        count += sampler->watched[i].alive && read_stat(&sampler->watched[i], buf, sizeof(buf), &stat) &&
                 stat.state != 'Z' && stat.state != 'X';
    return count;
}

static uint64_t usage_ns(const struct rusage *usage)
{
    return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1000u;
}

/* A process that only ever had one thread: what the thread's coarser readings missed is its own. */
static void close_thread_sums(struct session *s)
{
    for (size_t i = 0; i < s->process_count; i++) {
        struct thread *only = NULL;
        size_t threads = 0;

        for (size_t t = 0; t < s->thread_count; t++)
            if (s->threads[t].process == i) {
                only = &s->threads[t];
                threads++;
            }
        if (threads == 1 && only->cpu_ns < s->processes[i].cpu_ns)
            only->cpu_ns = s->processes[i].cpu_ns;
        if (only && !only->name)
            only->name = s->processes[i].name;
    }
}

void sampler_finish(struct sampler *sampler, uint64_t now_ns, const int *status, const struct rusage *usage)
{
    struct session *s = sampler->session;
    uint64_t known_ns = sampler->cpu_total_ns;

    apply_proctable(sampler, now_ns);
    if (status && sampler->count) {
        struct process *root = &s->processes[sampler->watched[0].index];

        root->exit_status = *status;
        root->exit_known = true;
        root->end_ns = session_at(s, now_ns);
    }
    if (usage && sampler->count && usage_ns(usage) > known_ns) {
        uint64_t from = session_at(s, sampler->last_slow_ns), to = session_at(s, now_ns);

        /* The last moments, and children that ended in them. */
        add_unseen_children(sampler, &sampler->watched[0],
                            sampler->watched[0].children_ns + sampler->watched[0].counted_children_ns +
                                (usage_ns(usage) - known_ns),
                            now_ns);
        put_cpu(sampler, from, to, sampler->cpu_total_ns - known_ns);
    }
    for (size_t i = 0; i < sampler->count; i++) {
        struct watched *w = &sampler->watched[i];

        end_memory_spike(sampler, w);
        for (size_t t = 0; status && !i && t < w->thread_count; t++)
            s->threads[w->thread[t].index].end_ns = session_at(s, now_ns);
        close_watched(sampler, w);
    }
    end_cpu_spike(sampler);
    close_thread_sums(s);
    s->duration_ns = session_at(s, now_ns);
}

void sampler_restart(struct sampler *sampler, uint64_t now_ns)
{
    sampler->last_ns = sampler->last_slow_ns = now_ns;
    sampler->cpu_total_ns = 0;
    cpu_spike_reset(&sampler->cpu_spike);
    for (size_t i = 0; i < sampler->count; i++) {
        read_cpu(&sampler->watched[i], &sampler->watched[i].cpu_ns);
        memory_spike_reset(&sampler->watched[i].spike);
    }
}

void sampler_now(const struct sampler *sampler, struct sampler_now *now)
{
    *now = sampler->now;
}
