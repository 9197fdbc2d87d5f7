/* SPDX-License-Identifier: MIT */
#include "collect/process/os_process.h"

#include <errno.h>

/* A system whose processes nobody has taught us to read: every process is one that cannot be seen. */

struct os_process *os_process_open(pid_t pid, struct rs_err *err)
{
    rs_err_set(err, -ENOSYS, "this system's processes cannot be read: there are no metrics of process %d", (int)pid);
    return NULL;
}

void os_process_close(struct os_process *process)
{
    (void)process;
}

bool os_process_cpu(const struct os_process *process, uint64_t *cpu_ns)
{
    (void)process, (void)cpu_ns;
    return false;
}

enum os_reading os_process_memory(const struct os_process *process, uint64_t *anon_bytes, uint64_t *rss_bytes)
{
    (void)process, (void)anon_bytes, (void)rss_bytes;
    return OS_GONE;
}

bool os_process_exact_anon(const struct os_process *process, uint64_t *anon_bytes)
{
    (void)process, (void)anon_bytes;
    return false;
}

bool os_process_stat(const struct os_process *process, struct os_stat *stat)
{
    (void)process, (void)stat;
    return false;
}

bool os_process_io(const struct os_process *process, uint64_t *read_bytes, uint64_t *write_bytes)
{
    (void)process, (void)read_bytes, (void)write_bytes;
    return false;
}

int64_t os_process_fds(const struct os_process *process)
{
    (void)process;
    return -1;
}

size_t os_process_exe(const struct os_process *process, char *path, size_t size)
{
    (void)process, (void)path, (void)size;
    return 0;
}

size_t os_process_argv(const struct os_process *process, char *argv, size_t size)
{
    (void)process, (void)argv, (void)size;
    return 0;
}

bool os_process_threads(const struct os_process *process, void (*each)(void *ctx, pid_t tid), void *ctx)
{
    (void)process, (void)each, (void)ctx;
    return false;
}

size_t os_process_children(const struct os_process *process, pid_t tid, pid_t *children, size_t most)
{
    (void)process, (void)tid, (void)children, (void)most;
    return 0;
}

size_t os_processes_with(const char *word, uint64_t start, pid_t *pids, size_t most)
{
    (void)word, (void)start, (void)pids, (void)most;
    return 0;
}

int os_thread_open(const struct os_process *process, pid_t tid)
{
    (void)process, (void)tid;
    return -1;
}

void os_thread_close(int handle)
{
    (void)handle;
}

bool os_thread_times(const struct os_process *process, pid_t tid, int handle, uint64_t *cpu_ns, uint64_t *switches)
{
    (void)process, (void)tid, (void)handle, (void)cpu_ns, (void)switches;
    return false;
}

size_t os_thread_name(const struct os_process *process, pid_t tid, char *name, size_t size)
{
    (void)process, (void)tid, (void)name, (void)size;
    return 0;
}

uint64_t os_start_now(void)
{
    return 0;
}

uint64_t os_age_ns(uint64_t start)
{
    (void)start;
    return 0;
}

bool os_clock_is_true(void)
{
    return true;
}

int64_t os_suspended_ns(void)
{
    return 0;
}
