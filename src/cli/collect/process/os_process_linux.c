/* SPDX-License-Identifier: MIT */
#include "collect/process/os_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/proc_parse.h"
#include "base/proc_view.h"
#include "core/syscall_linux.h"

enum {
    ENVIRON_BYTES = 256 * 1024, /* of an environment that are looked at */
    SCAN_ROUNDS = 4,            /* through all processes while some of them come and go */
};

/*
 * The files that are read often are kept open, the others are opened below the process's folder, whose descriptor names
 * this process for ever. Where descriptors have run out, a file is opened each time.
 */
struct os_process {
    pid_t pid;
    clockid_t clock;
    int dir_fd; /* /proc/PID */
    int stat_fd, statm_fd, io_fd;
    int children_fd; /* of the main thread */
    uint64_t page_bytes, tick_ns;
};

/* Of stat's times. */
static uint64_t tick_ns(void)
{
    return 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
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

static ssize_t read_kept(const struct os_process *process, int fd, const char *name, char *buf, size_t size)
{
    return fd >= 0 ? read_text(fd, buf, size) : read_text_at(process->dir_fd, name, buf, size);
}

struct os_process *os_process_open(pid_t pid, struct rs_err *err)
{
    struct os_process *process;
    char path[32];
    int dir_fd;

    snprintf(path, sizeof(path), "/proc/%u", proc_pid(pid));
    dir_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) {
        if (proc_view() == PROC_VIEW_FOREIGN)
            rs_err_set(err, -ESRCH, "/proc shows another pid namespace than ours: mount -t proc proc /proc");
        else
            rs_err_set(err, -ESRCH, "there is no process %d that this user can see", (int)pid);
        return NULL;
    }
    process = xcalloc(1, sizeof(*process));
    process->pid = pid;
    process->dir_fd = dir_fd;
    process->stat_fd = openat(dir_fd, "stat", O_RDONLY | O_CLOEXEC);
    process->statm_fd = openat(dir_fd, "statm", O_RDONLY | O_CLOEXEC);
    process->io_fd = openat(dir_fd, "io", O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof(path), "task/%d/children", (int)pid);
    process->children_fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
    process->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    process->tick_ns = tick_ns();
    if (clock_getcpuclockid(pid, &process->clock) == 0)
        return process;
    rs_err_set(err, -ESRCH, "process %d has just ended", (int)pid);
    os_process_close(process);
    return NULL;
}

void os_process_close(struct os_process *process)
{
    const int fds[] = {process ? process->dir_fd : -1, process ? process->stat_fd : -1,
                       process ? process->statm_fd : -1, process ? process->io_fd : -1,
                       process ? process->children_fd : -1};

    for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(process);
}

bool os_process_cpu(const struct os_process *process, uint64_t *cpu_ns)
{
    struct timespec ts;

    if (clock_gettime(process->clock, &ts) < 0)
        return false;
    *cpu_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
    return true;
}

enum os_reading os_process_memory(const struct os_process *process, uint64_t *anon_bytes, uint64_t *rss_bytes)
{
    struct proc_statm statm;
    char buf[256];
    ssize_t n = read_kept(process, process->statm_fd, "statm", buf, sizeof(buf));

    if (n == -ESRCH || n == -ENOENT)
        return OS_GONE;
    if (n <= 0 || proc_statm_parse(buf, (size_t)n, &statm) < 0)
        return OS_UNKNOWN;
    if (!statm.resident_pages)
        return OS_UNKNOWN; /* a zombie: its memory is gone, so nothing was read */
    *rss_bytes = statm.resident_pages * process->page_bytes;
    *anon_bytes = statm.resident_pages > statm.shared_pages
                      ? (statm.resident_pages - statm.shared_pages) * process->page_bytes
                      : 0;
    return OS_READ;
}

bool os_process_exact_anon(const struct os_process *process, uint64_t *anon_bytes)
{
    char buf[2048];
    ssize_t n = read_text_at(process->dir_fd, "smaps_rollup", buf, sizeof(buf));

    return n > 0 && !proc_smaps_rollup_parse(buf, (size_t)n, anon_bytes);
}

bool os_process_stat(const struct os_process *process, struct os_stat *out)
{
    struct proc_stat stat;
    char buf[1024];
    ssize_t n = read_kept(process, process->stat_fd, "stat", buf, sizeof(buf));
    size_t len;

    if (n <= 0 || proc_stat_parse(buf, (size_t)n, &stat))
        return false;
    *out = (struct os_stat){
        .parent = stat.ppid,
        .ended = stat.state == 'Z' || stat.state == 'X',
        .threads = stat.num_threads,
        .children_ns = (stat.cutime_ticks + stat.cstime_ticks) * process->tick_ns,
        .start = stat.starttime_ticks,
        .image_id = stat.startstack,
    };
    len = stat.comm_len < sizeof(out->name) ? stat.comm_len : sizeof(out->name) - 1;
    memcpy(out->name, stat.comm, len);
    return true;
}

bool os_process_io(const struct os_process *process, uint64_t *read_bytes, uint64_t *write_bytes)
{
    struct proc_io io;
    char buf[512];
    ssize_t n;

    if (process->io_fd < 0)
        return false; /* not ours to see */
    n = read_text(process->io_fd, buf, sizeof(buf));
    if (n <= 0 || proc_io_parse(buf, (size_t)n, &io) < 0)
        return false;
    *read_bytes = io.read_bytes;
    *write_bytes = io.write_bytes;
    return true;
}

/* Since Linux 6.2 the size of /proc/PID/fd is the number of descriptors; before, it is 0 and they are counted. */
int64_t os_process_fds(const struct os_process *process)
{
    struct stat st;
    int64_t count = 0;
    DIR *dir;
    int fd;

    if (fstatat(process->dir_fd, "fd", &st, 0) < 0)
        return -1;
    if (st.st_size > 0)
        return st.st_size;
    fd = openat(process->dir_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

size_t os_process_exe(const struct os_process *process, char *path, size_t size)
{
    ssize_t n = readlinkat(process->dir_fd, "exe", path, size);

    return n > 0 ? (size_t)n : 0;
}

size_t os_process_argv(const struct os_process *process, char *argv, size_t size)
{
    ssize_t n = read_text_at(process->dir_fd, "cmdline", argv, size);

    return n > 0 ? (size_t)n : 0;
}

bool os_process_threads(const struct os_process *process, void (*each)(void *ctx, pid_t tid), void *ctx)
{
    int fd = openat(process->dir_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (!dir) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    for (const struct dirent *entry; (entry = readdir(dir));) {
        int tid = atoi(entry->d_name);

        if (tid > 0)
            each(ctx, tid);
    }
    closedir(dir);
    return true;
}

size_t os_process_children(const struct os_process *process, pid_t tid, pid_t *children, size_t most)
{
    char path[64], buf[4096];
    const char *p = buf;
    size_t count = 0;
    int pid;

    snprintf(path, sizeof(path), "task/%d/children", (int)tid);
    if (read_kept(process, tid == process->pid ? process->children_fd : -1, path, buf, sizeof(buf)) <= 0)
        return 0;
    while (count < most && proc_children_next(&p, &pid))
        children[count++] = pid;
    return count;
}

/* Whether WORD is one of the words of TEXT, each of which ends with a NUL. */
static bool has_word(const char *text, size_t len, const char *word)
{
    for (size_t at = 0; at < len; at += strnlen(text + at, len - at) + 1)
        if (!strncmp(text + at, word, len - at))
            return true;
    return false;
}

/* Adds to PIDS. Returns whether a process went while we looked, who may have left another one behind. */
static bool scan_for(const char *word, uint64_t start, pid_t *pids, size_t *count, size_t most, char *text)
{
    DIR *dir = proc_view() == PROC_VIEW_OWN ? opendir("/proc") : NULL;
    const struct dirent *entry;
    struct proc_stat stat;
    bool one_went = false;

    while (dir && *count < most && (entry = readdir(dir))) {
        pid_t pid = atoi(entry->d_name);
        size_t len = pid > 0 ? proc_read(pid, "stat", text, ENVIRON_BYTES) : 0;

        if (pid <= 0 || (len && (proc_stat_parse(text, len, &stat) || stat.starttime_ticks < start)))
            continue;
        len = len ? proc_read(pid, "environ", text, ENVIRON_BYTES) : 0;
        one_went |= !len;
        if (has_word(text, len, word))
            pids[(*count)++] = pid;
    }
    if (dir)
        closedir(dir);
    return one_went;
}

size_t os_processes_with(const char *word, uint64_t start, pid_t *pids, size_t most)
{
    char *text = xmalloc(ENVIRON_BYTES);
    size_t count = 0;

    for (int round = 0; round < SCAN_ROUNDS && !count && scan_for(word, start, pids, &count, most, text); round++)
        ;
    free(text);
    return count;
}

int os_thread_open(const struct os_process *process, pid_t tid)
{
    char path[64];

    snprintf(path, sizeof(path), "task/%d/schedstat", (int)tid);
    return openat(process->dir_fd, path, O_RDONLY | O_CLOEXEC);
}

void os_thread_close(int handle)
{
    if (handle >= 0)
        close(handle);
}

bool os_thread_times(const struct os_process *process, pid_t tid, int handle, uint64_t *cpu_ns, uint64_t *switches)
{
    struct proc_schedstat sched;
    char path[64], buf[256];
    ssize_t n;

    snprintf(path, sizeof(path), "task/%d/schedstat", (int)tid);
    n = read_kept(process, handle, path, buf, sizeof(buf));
    if (n <= 0 || proc_schedstat_parse(buf, (size_t)n, &sched) < 0)
        return false;
    *cpu_ns = sched.run_ns;
    *switches = sched.timeslices;
    return true;
}

size_t os_thread_name(const struct os_process *process, pid_t tid, char *name, size_t size)
{
    char path[64];
    ssize_t n;

    snprintf(path, sizeof(path), "task/%d/comm", (int)tid);
    n = read_text_at(process->dir_fd, path, name, size);
    if (n <= 1)
        return 0;
    name[n - 1] = '\0'; /* a line break */
    return (size_t)n - 1;
}

static uint64_t boot_ns(void)
{
    struct timespec boot;

    clock_gettime(CLOCK_BOOTTIME, &boot);
    return (uint64_t)boot.tv_sec * 1000000000u + (uint64_t)boot.tv_nsec;
}

uint64_t os_start_now(void)
{
    return boot_ns() / tick_ns();
}

uint64_t os_age_ns(uint64_t start)
{
    uint64_t now = boot_ns(), began = start * tick_ns();

    return now > began ? now - began : 0;
}

bool os_clock_is_true(void)
{
    const int64_t most_apart_ns = 1000000000; /* between the two readings */
    struct timespec shown, real;
    int64_t apart_ns;

    clock_gettime(CLOCK_MONOTONIC, &shown);
    if (rs_sys_failed(rs_syscall3(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&real, 0)))
        return true;
    apart_ns = (real.tv_sec - shown.tv_sec) * 1000000000ll + (real.tv_nsec - shown.tv_nsec);
    return apart_ns > -most_apart_ns && apart_ns < most_apart_ns;
}

int64_t os_suspended_ns(void)
{
    struct timespec boot, mono;

    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_MONOTONIC, &mono);
    return (boot.tv_sec - mono.tv_sec) * 1000000000ll + (boot.tv_nsec - mono.tv_nsec);
}
