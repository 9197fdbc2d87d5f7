/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * What the system tells of one process, each figure at its own cost; the sampler decides what is read how often. One
 * file a system implements this: /proc on Linux, libproc on macOS.
 *
 * A handle names its process for ever: when the pid has been given to another one, its figures are unknown or gone,
 * never the stranger's. All belongs to one thread.
 */
struct os_process;

/* NULL, with a sentence, when PID is gone or not ours to see. */
struct os_process *os_process_open(pid_t pid, struct rs_err *err);
void os_process_close(struct os_process *process); /* NULL is allowed */

/* CPU time of all its threads, ended ones too. False when it is gone. It goes by pid: see os_process_memory(). */
bool os_process_cpu(const struct os_process *process, uint64_t *cpu_ns);

enum os_reading {
    OS_READ,
    OS_UNKNOWN, /* nothing to read: a zombie, no permission */
    OS_GONE,    /* the process has been reaped; the pid may be another process's by now */
};
/* Resident memory: anonymous, and all. Stored only for OS_READ. */
enum os_reading os_process_memory(const struct os_process *process, uint64_t *anon_bytes, uint64_t *rss_bytes);
/* Anonymous memory exactly, at the price of a walk through its mappings. */
bool os_process_exact_anon(const struct os_process *process, uint64_t *anon_bytes);

struct os_stat {
    char name[64]; /* NUL-terminated, any other byte in it */
    pid_t parent;
    bool ended; /* a zombie: it has closed everything, its times can still be read */
    unsigned threads;
    uint64_t children_ns; /* CPU of waited-for children and of theirs, in coarse steps, never too much */
    uint64_t start;       /* when it began, in the system's unit (os_start_now()): with the pid, its identity */
    uint64_t image_id;    /* another value after every exec; 0 unknown */
};
bool os_process_stat(const struct os_process *process, struct os_stat *stat);

/*
 * Bytes that reached storage or will; those of waited-for children are among them. A zombie's can be read. False
 * without permission.
 */
bool os_process_io(const struct os_process *process, uint64_t *read_bytes, uint64_t *write_bytes);
/* Open descriptors, -1 unknown. */
int64_t os_process_fds(const struct os_process *process);

/* The file of its program, any bytes. Returns its length, 0 when it cannot be told. */
size_t os_process_exe(const struct os_process *process, char *path, size_t size);
/* Its arguments as they are now, a NUL behind each. Returns how many bytes, as far as SIZE goes. */
size_t os_process_argv(const struct os_process *process, char *argv, size_t size);

/* Calls EACH with every thread. Returns false when there is no such list. */
bool os_process_threads(const struct os_process *process, void (*each)(void *ctx, pid_t tid), void *ctx);
/* The children that thread TID forked, as many as MOST; returns how many. */
size_t os_process_children(const struct os_process *process, pid_t tid, pid_t *children, size_t most);

/*
 * Processes of ours that began at START or later and whose environment at their exec holds WORD ("NAME=VALUE"), as many
 * as MOST; returns how many. Looks at all processes there are: for rare use.
 */
size_t os_processes_with(const char *word, uint64_t start, pid_t *pids, size_t most);

/*
 * A thread's times are read through a handle, which costs a descriptor; with -1 they are read at the price of opening
 * a file. os_thread_open() returns -1 when it cannot be had.
 */
int os_thread_open(const struct os_process *process, pid_t tid);
void os_thread_close(int handle);
/* CPU time, and how often it was put on a CPU. */
bool os_thread_times(const struct os_process *process, pid_t tid, int handle, uint64_t *cpu_ns, uint64_t *switches);
/* Its name, NUL-terminated; returns the length, 0 when it has none or is gone. */
size_t os_thread_name(const struct os_process *process, pid_t tid, char *name, size_t size);

/* What os_stat.start is of a process that begins now. */
uint64_t os_start_now(void);
/* How long ago a process with that START began, in coarse steps. */
uint64_t os_age_ns(uint64_t start);
/* Whether CLOCK_MONOTONIC is the kernel's here, which stamps what it tells of: a preloaded library may show another
 * one. */
bool os_clock_is_true(void);
/* How long the machine was suspended since it was started, for telling when it was. */
int64_t os_suspended_ns(void);
