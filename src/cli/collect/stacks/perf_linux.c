/* SPDX-License-Identifier: MIT */
#include "collect/stacks/perf.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/proc_parse.h"
#include "base/proc_view.h"
#include "collect/modules/maps.h"
#include "collect/stacks/coverage.h"
#include "collect/stacks/perf_events.h"
#include "collect/stacks/perf_stacks.h"
#include "collect/stacks/perf_tasks.h"
#include "collect/stacks/stack_memory.h"

enum { MAX_RATE_HZ = 10000, ATTACH_ROUNDS = 50 };
/* Looking at threads that sleep: how often at most, and at how many. */
enum { SLEEPER_LOOK_NS = 9000000, SLEEPERS_A_LOOK = 200 };
/* Below this share of the measured CPU time, the report says that its percentages rest on too little. */
static const double GOOD_COVERAGE = 0.9;

struct perf {
    struct session *session;
    struct perf_options options;
    struct perf_plan plan;
    struct perf_events events;
    struct maps maps;
    struct perf_tasks tasks;
    struct perf_stacks stacks;
    pid_t pid;
    bool attached;
    bool system_wide;   /* events see every process; only those in `tasks` are ours */
    uint64_t looked_ns; /* at sleepers */
    uint64_t from_ns;   /* samples before it do not count */
    uint64_t drains;

    uint64_t lost, throttled;
    struct coverage coverage;
};

unsigned perf_max_rate(void)
{
    long limit = perf_sysctl("perf_event_max_sample_rate", MAX_RATE_HZ);

    return limit > 0 && limit < MAX_RATE_HZ ? (unsigned)limit : MAX_RATE_HZ;
}

/* ---- who is who ---- */

/* A process that came and went before anybody else could see it. */
static int32_t add_session_process(struct perf *perf, const struct perf_process *process, uint64_t at_ns)
{
    struct session *s = perf->session;
    int32_t parent = session_find_process(s, (int)process->parent_pid, at_ns);
    uint32_t index = session_add_process(s, (int)process->pid, parent, at_ns);

    s->processes[index].name = strings_add_str(&s->strings, process->name);
    return (int32_t)index;
}

/* The session's record of PROCESS now; looked up once a drain, since others may add records for a new image. */
static uint32_t session_process(struct perf *perf, struct perf_process *process, uint64_t at_ns)
{
    if (process->session_index < 0 || process->session_index_drain != perf->drains) {
        process->session_index = session_find_process(perf->session, (int)process->pid, at_ns);
        if (process->session_index < 0)
            process->session_index = add_session_process(perf, process, at_ns);
        process->session_index_drain = perf->drains;
    }
    return (uint32_t)process->session_index;
}

static uint32_t session_thread_of(struct perf *perf, struct perf_thread *thread, uint64_t at_ns)
{
    uint32_t process = session_process(perf, thread->process, at_ns);

    if (thread->session_process != (int32_t)process) {
        thread->session_process = (int32_t)process;
        thread->session_index = session_thread(perf->session, process, (int)thread->tid, at_ns);
    }
    return thread->session_index;
}

static bool is_ours(const struct perf *perf, uint32_t pid)
{
    if (!perf->options.follow && (pid_t)pid != perf->pid)
        return false;
    return !perf->system_wide || perf_tasks_find_process(&perf->tasks, pid);
}

/* The process PID, read from /proc when its records have been missed. */
static struct perf_process *process_of(struct perf *perf, uint32_t pid, bool read_maps)
{
    struct perf_process *process = perf_tasks_find_process(&perf->tasks, pid);

    if (!process) {
        process = perf_tasks_add_process(&perf->tasks, pid);
        if (read_maps)
            maps_read_proc(&perf->maps, &process->space);
    }
    return process;
}

/* ---- records ---- */

static void on_mmap(struct perf *perf, const struct perf_record *rec)
{
    struct perf_process *process = process_of(perf, rec->pid, true);
    struct maps_range range = {
        .start = rec->mmap.start,
        .end = rec->mmap.start + rec->mmap.len,
        .pgoff = rec->mmap.pgoff,
        .exec = true, /* only those are asked for; the bit is missing in what a JIT makes executable later */
        .path = rec->mmap.path,
        .major = rec->mmap.major,
        .minor = rec->mmap.minor,
        .inode = rec->mmap.inode,
        .build_id = rec->mmap.build_id,
        .build_id_len = rec->mmap.build_id_len,
    };

    maps_add(&perf->maps, &process->space, &range);
}

static void on_comm(struct perf *perf, const struct perf_record *rec)
{
    struct perf_process *process = process_of(perf, rec->pid, !rec->comm.exec);
    struct perf_thread *thread = perf_tasks_thread(&perf->tasks, process, rec->tid);
    uint32_t index;

    if (rec->pid == rec->tid)
        snprintf(process->name, sizeof(process->name), "%s", rec->comm.name);
    if (rec->comm.exec) {
        maps_exec(&perf->maps, &process->space);
        if (perf->options.listener.execed)
            perf->options.listener.execed(perf->options.listener.ctx, (pid_t)rec->pid, rec->time_ns);
        process->session_index = -1;
    }
    if (rec->time_ns < perf->from_ns)
        return;
    index = session_thread_of(perf, thread, session_at(perf->session, rec->time_ns));
    perf->session->threads[index].name = strings_add_str(&perf->session->strings, rec->comm.name);
}

static void on_fork(struct perf *perf, const struct perf_record *rec)
{
    struct perf_process *parent = perf_tasks_find_process(&perf->tasks, rec->task.parent_pid), *child;

    if (rec->pid != rec->task.parent_pid) {
        child = process_of(perf, rec->pid, !parent);
        child->parent_pid = rec->task.parent_pid;
        if (parent) {
            maps_fork(&perf->maps, &child->space, &parent->space);
            memcpy(child->name, parent->name, sizeof(child->name));
        }
        if (perf->options.listener.forked)
            perf->options.listener.forked(perf->options.listener.ctx, (pid_t)rec->task.parent_pid, (pid_t)rec->pid,
                                          rec->time_ns);
    } else {
        child = process_of(perf, rec->pid, true);
    }
    perf_tasks_thread(&perf->tasks, child, rec->tid);
}

static void on_exit_record(struct perf *perf, const struct perf_record *rec)
{
    struct perf_thread *thread = perf_tasks_find_thread(&perf->tasks, rec->tid);

    if (thread)
        thread->off_since_ns = 0; /* a thread that ends does not wait */
    if (perf_tasks_exit(&perf->tasks, rec->tid) && perf->options.listener.exited)
        perf->options.listener.exited(perf->options.listener.ctx, (pid_t)rec->pid, rec->time_ns);
}

static int compare_ids(const void *key, const void *element)
{
    uint64_t id = *(const uint64_t *)key, other = ((const struct perf_event_fd *)element)->id;

    return id < other ? -1 : id > other;
}

/* The event with this id; the kernel counts ids up, so they are sorted as they were opened. */
static const struct perf_event_fd *event_of(const struct perf *perf, uint64_t id)
{
    const struct perf_events *events = &perf->events;

    return bsearch(&id, events->fds, events->fd_count, sizeof(*events->fds), compare_ids);
}

/* What SAMPLE stands for, µs of CPU time. */
static uint64_t weight_us(const struct perf *perf, const struct perf_record *sample)
{
    if (!perf->plan.cycles)
        return sample->sample.period / 1000;
    return (uint64_t)((double)sample->sample.period / (double)perf->plan.period * perf->plan.period_ns / 1000 + 0.5);
}

static void on_cpu_sample(struct perf *perf, struct perf_thread *thread, const struct perf_record *rec)
{
    uint64_t at_ns = session_at(perf->session, rec->time_ns);
    uint32_t thread_index = session_thread_of(perf, thread, at_ns);
    uint32_t process_index = (uint32_t)thread->session_process;
    uint64_t us = weight_us(perf, rec);
    int64_t values[] = {[CPU_ROW_WEIGHT_US] = (int64_t)us, [CPU_ROW_SAMPLES] = 1};
    int32_t node = perf_stacks_node(&perf->stacks, thread, rec);

    rows_add(&perf->session->cpu_rows, at_ns, (uint32_t)node, thread_index, values);
    coverage_add(&perf->coverage, process_index, us);
}

static void on_sample(struct perf *perf, const struct perf_record *rec)
{
    struct perf_process *process = process_of(perf, rec->pid, true);
    struct perf_thread *thread = perf_tasks_thread(&perf->tasks, process, rec->tid);
    const struct perf_event_fd *event = NULL;

    if (thread->own_event || perf->options.off_cpu)
        event = event_of(perf, rec->event_id);
    if (thread->own_event && (!event || (uint32_t)event->tid != thread->tid))
        return; /* seen through the event that it inherited, too */
    if (rec->time_ns < perf->from_ns)
        return;
    if (event && event->off_cpu) {
        thread->off_since_ns = rec->time_ns;
        thread->off_node = perf_stacks_node(&perf->stacks, thread, rec);
    } else {
        on_cpu_sample(perf, thread, rec);
    }
}

/* The time that THREAD was off the CPU goes to the stack where it left it, bucket by bucket. */
static void end_wait(struct perf *perf, struct perf_thread *thread, uint64_t until_ns)
{
    struct session *session = perf->session;
    uint64_t from = session_at(session, thread->off_since_ns), until = session_at(session, until_ns);
    uint32_t thread_index;
    bool first = true;

    if (!thread->off_since_ns || until_ns < thread->off_since_ns)
        return;
    thread->off_since_ns = 0;
    if (thread->off_node == CALLTREE_NO_NODE)
        thread->off_node = session_named_child(session, CALLTREE_NO_NODE, "[short wait]", LAYER_UNKNOWN);
    thread_index = session_thread_of(perf, thread, from);
    while (from < until) {
        uint64_t interval = session->offcpu_rows.interval_ns;
        uint64_t next = (from / interval + 1) * interval;
        int64_t values[] = {[OFFCPU_ROW_WAIT_US] = 0, [OFFCPU_ROW_COUNT] = first};

        if (next > until)
            next = until;
        /* Differences of rounded times, so that the parts add up to the whole. */
        values[OFFCPU_ROW_WAIT_US] = (int64_t)(next / 1000 - from / 1000);
        rows_add(&session->offcpu_rows, from, (uint32_t)thread->off_node, thread_index, values);
        from = next;
        first = false;
    }
}

static void on_switch(struct perf *perf, const struct perf_record *rec)
{
    struct perf_thread *thread = perf_tasks_find_thread(&perf->tasks, rec->tid);

    if (!thread || rec->time_ns < perf->from_ns)
        return;
    if (!rec->cpu_switch.out) {
        end_wait(perf, thread, rec->time_ns);
    } else if (rec->cpu_switch.preempted) {
        thread->off_since_ns = 0; /* it did not wait: it was sent away */
    } else if (perf->events.off_cpu == PERF_OFF_CPU_SWITCHES) {
        thread->off_since_ns = rec->time_ns;
        thread->off_node = CALLTREE_NO_NODE; /* for the next look at sleepers */
    }
}

/* Without stacks at context switches: where do threads sleep that have slept since the last look? */
static void look_at_sleepers(struct perf *perf)
{
    unsigned looks = 0;

    for (size_t i = 0; i < PERF_TASK_BUCKETS && looks < SLEEPERS_A_LOOK; i++) {
        for (struct perf_thread *thread = perf->tasks.threads[i]; thread; thread = thread->next) {
            if (!thread->off_since_ns || thread->off_node != CALLTREE_NO_NODE)
                continue;
            thread->off_node = perf_stacks_sleeping_node(&perf->stacks, thread);
            looks++;
        }
    }
}

static void on_record(struct perf *perf, const struct perf_record *rec)
{
    switch (rec->kind) {
    case PERF_REC_LOST:
        perf->lost += rec->lost.count;
        return;
    case PERF_REC_THROTTLE:
        perf->throttled += rec->throttle.on;
        return;
    case PERF_REC_FORK:
        if (is_ours(perf, rec->pid) || (perf->options.follow && is_ours(perf, rec->task.parent_pid)))
            on_fork(perf, rec);
        return;
    default:
        break;
    }
    /* The idle task and kernel threads of a system-wide event have no process of ours. */
    if (!rec->pid || !is_ours(perf, rec->pid))
        return;
    switch (rec->kind) {
    case PERF_REC_SAMPLE:
        on_sample(perf, rec);
        break;
    case PERF_REC_MMAP:
        on_mmap(perf, rec);
        break;
    case PERF_REC_COMM:
        on_comm(perf, rec);
        break;
    case PERF_REC_EXIT:
        on_exit_record(perf, rec);
        break;
    case PERF_REC_SWITCH:
        on_switch(perf, rec);
        break;
    default:
        break;
    }
}

static void drain_until(struct perf *perf, uint64_t horizon_ns)
{
    const struct perf_record *rec;

    perf_events_acknowledge(&perf->events);
    perf->drains++;
    perf_merge_refresh(&perf->events.merge);
    while ((rec = perf_merge_next(&perf->events.merge, horizon_ns)))
        on_record(perf, rec);
}

static void publish_counts(struct perf *perf)
{
    struct diagnostics *d = &perf->session->diagnostics;

    d->stack_samples = perf->coverage.samples;
    d->stack_lost = perf->lost + perf->events.merge.resyncs + perf->events.merge.bad_records;
    d->stacks_truncated = perf->stacks.truncated;
    d->stacks_stitched = perf->stacks.stitched;
}

void perf_drain(struct perf *perf, uint64_t now_ns)
{
    drain_until(perf, now_ns > PERF_PUBLISH_SLACK_NS ? now_ns - PERF_PUBLISH_SLACK_NS : 0);
    if (perf->events.off_cpu == PERF_OFF_CPU_SWITCHES && now_ns - perf->looked_ns >= SLEEPER_LOOK_NS) {
        perf->looked_ns = now_ns;
        look_at_sleepers(perf);
    }
    publish_counts(perf);
}

void perf_settle(struct perf *perf, uint64_t now_ns)
{
    drain_until(perf, now_ns);
    publish_counts(perf);
}

void perf_start(struct perf *perf, uint64_t from_ns)
{
    perf->from_ns = from_ns;
}

int perf_fd(const struct perf *perf)
{
    return perf->events.poll_fd;
}

/* ---- opening ---- */

struct tid_list {
    pid_t *tids;
    size_t count, cap;
};

static bool list_has(const struct tid_list *list, pid_t tid)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->tids[i] == tid)
            return true;
    return false;
}

/* Adds the threads of PID that LIST does not have yet, and with FOLLOW those of its children, theirs, and so on. */
static void list_threads(struct tid_list *list, pid_t pid, bool follow)
{
    char path[64];
    struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%u/task", proc_pid(pid));
    dir = opendir(path);
    if (!dir)
        return;
    while ((entry = readdir(dir))) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        const size_t size = 1 << 18; /* of 32,768 children */
        const char *next;
        char *text;
        int child;

        if (tid <= 0)
            continue;
        if (!list_has(list, tid)) {
            GROW(list->tids, list->count + 1, list->cap);
            list->tids[list->count++] = tid;
        }
        if (!follow)
            continue;
        snprintf(path, sizeof(path), "task/%d/children", (int)tid);
        text = xmalloc(size);
        proc_read(pid, path, text, size);
        for (next = text; proc_children_next(&next, &child);)
            list_threads(list, child, true);
        free(text);
    }
    closedir(dir);
}

static pid_t process_of_tid(pid_t tid)
{
    char text[8192];
    size_t len = proc_read(tid, "status", text, sizeof(text));
    int pid;

    return proc_status_tgid(text, len, &pid) ? -1 : pid;
}

/* Processes and mappings of the threads [FROM, count) of LIST, as they are now. */
static void adopt_threads(struct perf *perf, const struct tid_list *list, size_t from)
{
    for (size_t i = from; i < list->count; i++) {
        pid_t pid = process_of_tid(list->tids[i]);

        if (pid > 0)
            perf_tasks_thread(&perf->tasks, process_of(perf, (uint32_t)pid, true), (uint32_t)list->tids[i])->own_event =
                !perf->system_wide;
    }
}

static uint64_t run_ns(pid_t tid)
{
    struct proc_schedstat times;
    char text[128];
    size_t len = proc_read(tid, "schedstat", text, sizeof(text));

    return proc_schedstat_parse(text, len, &times) ? 0 : times.run_ns;
}

struct busy_tid {
    pid_t tid;
    uint64_t run_ns;
};

static int busier(const void *a, const void *b)
{
    const struct busy_tid *x = a, *y = b;

    return x->run_ns < y->run_ns ? 1 : x->run_ns > y->run_ns ? -1 : 0;
}

/* The threads that used most CPU so far come first: they are the last to be left out. */
static void sort_busiest_first(struct tid_list *list)
{
    struct busy_tid *busy = xcalloc(list->count, sizeof(*busy));

    for (size_t i = 0; i < list->count; i++)
        busy[i] = (struct busy_tid){list->tids[i], run_ns(list->tids[i])};
    qsort(busy, list->count, sizeof(*busy), busier);
    for (size_t i = 0; i < list->count; i++)
        list->tids[i] = busy[i].tid;
    free(busy);
}

static int open_system_wide(struct perf *perf, struct perf_target *target)
{
    target->tids = NULL;
    perf_events_release(&perf->events);
    perf->system_wide = perf_events_open(&perf->events, &perf->plan, target, NULL) == 0;
    return perf->system_wide ? 0 : -EPERM;
}

/* Every thread that runs already needs its own events; those that come later inherit theirs. */
static int attach(struct perf *perf, struct rs_err *err)
{
    struct tid_list list = {0};
    struct perf_target target = {.off_cpu = perf->options.off_cpu};
    size_t known = 0;
    int rc;

    list_threads(&list, perf->pid, perf->options.follow);
    if (!list.count)
        return rs_err_set(err, -ESRCH, "process %d has gone", (int)perf->pid);
    if (list.count > 64)
        sort_busiest_first(&list);
    target.tids = list.tids;
    target.tid_count = list.count;
    rc = perf_events_open(&perf->events, &perf->plan, &target, err);
    if (rc)
        goto out;
    if (perf->events.tids_left_out && open_system_wide(perf, &target) != 0) {
        target.tids = list.tids;
        rc = perf_events_open(&perf->events, &perf->plan, &target, err);
        if (rc)
            goto out;
    }
    /* Threads that were made while we opened: one that inherited its events is opened twice, which is sorted out. */
    for (int round = 0; round < ATTACH_ROUNDS && known < list.count; round++) {
        adopt_threads(perf, &list, known);
        known = list.count;
        list_threads(&list, perf->pid, perf->options.follow);
        if (!perf->system_wide)
            perf_events_add(&perf->events, &perf->plan, list.tids + known, list.count - known);
    }
    if (perf->events.tids_left_out)
        session_warn(perf->session,
                     "%zu of %zu threads are not sampled, those that had used least CPU: raise the limit of open files "
                     "(ulimit -n) or run as root",
                     perf->events.tids_left_out, list.count);
out:
    free(list.tids);
    return rc;
}

static int launch(struct perf *perf, struct rs_err *err)
{
    struct perf_target target = {
        .tids = &perf->pid,
        .tid_count = 1,
        .on_exec = true,
        .off_cpu = perf->options.off_cpu,
    };

    perf_tasks_thread(&perf->tasks, perf_tasks_add_process(&perf->tasks, (uint32_t)perf->pid), (uint32_t)perf->pid);
    return perf_events_open(&perf->events, &perf->plan, &target, err);
}

/* What was asked for and cannot be had, and what would change that. */
static void warn_of_limits(struct perf *perf)
{
    const struct perf_plan *plan = &perf->plan;
    struct session *s = perf->session;

    if (!perf->events.kernel)
        session_warn(s, "kernel frames are not permitted: sudo sysctl kernel.perf_event_paranoid=1");
    if (plan->rate_capped)
        session_warn(s, "stacks are sampled at %u Hz, not %u, to stay under %d samples/s on %u CPUs", plan->rate_hz,
                     perf->options.rate_hz, PERF_MAX_SAMPLES_PER_SEC, perf_cpu_count());
    if (plan->stack_capped)
        session_warn(s, "%u KiB of each stack are copied, to stay under %d MB/s on %u CPUs: with a lower -F it is more",
                     plan->stack_bytes >> 10, PERF_MAX_DUMP_BYTES_PER_SEC / 1000000, perf_cpu_count());
    if (perf->options.off_cpu && perf->events.off_cpu != PERF_OFF_CPU_STACKS)
        session_warn(s,
                     "off-CPU stacks are approximate, from looking at sleeping threads 100 times a second: sudo sysctl "
                     "kernel.perf_event_paranoid=1 makes them exact");
    s->offcpu_approx = perf->events.off_cpu == PERF_OFF_CPU_SWITCHES;
}

int perf_probe(struct rs_err *err)
{
    const pid_t self = getpid();
    const struct perf_target target = {.tids = &self, .tid_count = 1, .on_exec = true, .small = true};
    const struct perf_plan plan = perf_plan_make(1, 100, PERF_STACK_DEFAULT_BYTES);
    struct perf_events events;
    int rc = perf_events_open(&events, &plan, &target, err);

    if (rc == 0)
        perf_events_release(&events);
    return rc;
}

/* Counting cycles was asked for; where the CPU cannot, cpu-clock it is. */
static void plan_cycles(struct perf *perf)
{
    struct rs_err err;
    uint64_t hz;

    if (perf_cycles_hz(&hz, &err) == 0)
        perf_plan_count_cycles(&perf->plan, hz);
    else
        session_warn(perf->session, "stacks are sampled by cpu-clock, not by cycles: %s", err.text);
}

int perf_open(struct perf **out, struct session *session, const struct perf_options *options, pid_t pid, bool attach_to,
              struct rs_err *err)
{
    struct perf *perf = xcalloc(1, sizeof(*perf));
    uint32_t stack_bytes = options->stack_bytes;
    int rc;

    perf->session = session;
    perf->options = *options;
    perf->pid = pid;
    perf->attached = attach_to;
    perf->events = PERF_EVENTS_NONE;
    perf->from_ns = UINT64_MAX;
    if (!stack_bytes)
        stack_bytes = stack_memory_recall(options->program, PERF_STACK_DEFAULT_BYTES);
    perf->plan = perf_plan_make(perf_cpu_count(), options->rate_hz, stack_bytes);
    if (options->cycles)
        plan_cycles(perf);
    maps_init(&perf->maps, session);
    perf_stacks_init(&perf->stacks, session, &perf->maps, perf_events_regs_mask());
    rc = attach_to ? attach(perf, err) : launch(perf, err);
    if (rc) {
        perf_free(perf);
        return rc;
    }
    session->diagnostics.stack_backend = STACKS_PERF_EVENT;
    session->diagnostics.stack_event = perf->plan.cycles ? STACK_EVENT_CYCLES : STACK_EVENT_CPU_CLOCK;
    session->meta.stack_rate_hz = perf->plan.rate_hz;
    warn_of_limits(perf);
    *out = perf;
    return 0;
}

void perf_free(struct perf *perf)
{
    if (!perf)
        return;
    perf_events_release(&perf->events);
    perf_tasks_release(&perf->tasks);
    perf_stacks_release(&perf->stacks);
    maps_release(&perf->maps);
    coverage_release(&perf->coverage);
    free(perf);
}

/* ---- the end ---- */

/* The user's part and, where it is not sampled, the kernel's: what is missing, and why. */
static void cover_the_rest(struct perf *perf, uint64_t kernel_us)
{
    double covered = coverage_finish(&perf->coverage, perf->session, perf->events.kernel ? 0 : kernel_us);

    if (covered < GOOD_COVERAGE)
        session_warn(perf->session, "samples cover %.0f %% of the CPU time%s", 100 * covered,
                     perf->events.kernel ? ": a higher -F covers short threads better"
                                         : "; the kernel's part needs sudo sysctl kernel.perf_event_paranoid=1");
}

static void publish_stops(struct perf *perf)
{
    for (int why = 0; why < RS_STOP_KINDS; why++)
        if (perf->stacks.stops[why])
            session_count_stop(perf->session, rs_stop_name((enum rs_stop)why), perf->stacks.stops[why]);
}

static void end_all_waits(struct perf *perf, uint64_t now_ns)
{
    for (size_t i = 0; i < PERF_TASK_BUCKETS; i++)
        for (struct perf_thread *thread = perf->tasks.threads[i]; thread; thread = thread->next)
            end_wait(perf, thread, now_ns);
}

void perf_finish(struct perf *perf, uint64_t now_ns, uint64_t kernel_us)
{
    perf_events_stop(&perf->events);
    drain_until(perf, UINT64_MAX);
    end_all_waits(perf, now_ns);
    publish_counts(perf);
    publish_stops(perf);
    /*
     * No more than was measured: an overloaded virtual machine's cpu-clock runs on while its host runs others. Cycles
     * may also be too few, since the CPU's frequency was not always what was measured at the start; without the
     * kernel's part that does not tell.
     */
    coverage_rescale(&perf->coverage, perf->session, perf->plan.cycles && perf->events.kernel);
    cover_the_rest(perf, kernel_us);
    if (perf->lost)
        session_warn(
            perf->session,
            "%llu stack samples were lost because rustscope got too little CPU time: sample at a lower rate (-F)",
            (unsigned long long)perf->lost);
    if (perf->throttled)
        session_warn(
            perf->session,
            "the kernel throttled sampling %llu times: sample at a lower rate (-F), or raise the limit: sudo sysctl "
            "kernel.perf_event_max_sample_rate=%ld",
            (unsigned long long)perf->throttled, 2 * perf_sysctl("perf_event_max_sample_rate", MAX_RATE_HZ));
    stack_memory_remember(perf->options.program, perf->plan.stack_bytes, perf->stacks.cut_off + perf->stacks.stitched,
                          perf->coverage.samples);
    maps_publish_open_paths(&perf->maps);
}
