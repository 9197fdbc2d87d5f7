/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Parsers for texts of Linux' /proc (proc(5)), apart from reading them, so that they are tested on stored texts on any
 * system. TEXT is LEN bytes, NUL-terminated behind them. Each returns 0, or -EINVAL for a text that is not of its form.
 */

struct proc_stat {
    const char *comm; /* into TEXT; may hold any byte but NUL */
    size_t comm_len;
    char state;
    int ppid;
    uint64_t utime_ticks, stime_ticks;
    uint64_t cutime_ticks, cstime_ticks; /* of waited-for children */
    uint32_t num_threads;
    uint64_t starttime_ticks; /* since boot: with the pid, a process's identity */
    uint64_t startstack;      /* 0 without permission; changes with every exec */
};
int proc_stat_parse(const char *text, size_t len, struct proc_stat *out);

struct proc_statm {
    uint64_t resident_pages, shared_pages; /* shared: file pages and shared memory */
};
int proc_statm_parse(const char *text, size_t len, struct proc_statm *out);

struct proc_io {
    uint64_t read_bytes, write_bytes; /* that reached or will reach storage */
};
int proc_io_parse(const char *text, size_t len, struct proc_io *out);

struct proc_schedstat {
    uint64_t run_ns, wait_ns;
    uint64_t timeslices; /* times it was put on a CPU */
};
int proc_schedstat_parse(const char *text, size_t len, struct proc_schedstat *out);

/* The Anonymous: line of smaps_rollup, in bytes. */
int proc_smaps_rollup_parse(const char *text, size_t len, uint64_t *anon_bytes);

/* Whether signal SIGNO is caught, from the SigCgt: line of status. */
int proc_status_catches(const char *text, size_t len, int signo, bool *catches);

/* The process that a thread belongs to, from the Tgid: line of its status. */
int proc_status_tgid(const char *text, size_t len, int *pid);

/* What a process calls itself in its innermost pid namespace: the last number of the NSpid: line of its status. */
int proc_status_innermost_pid(const char *text, size_t len, int *pid);

/* Stack pointer and pc of a thread that sleeps in a system call: the last two words of task/TID/syscall. */
int proc_syscall_parse(const char *text, size_t len, uint64_t *sp, uint64_t *pc);

/* The "model name" of the first CPU in cpuinfo: a part of TEXT, *NAME_LEN long. Absent on some architectures. */
int proc_cpuinfo_model(const char *text, size_t len, const char **name, size_t *name_len);

/* The CPU time of the whole machine since boot, from the first line of /proc/stat. A guest's time is in user already. */
struct proc_machine {
    uint64_t busy_ticks;  /* user, nice, system, irq, softirq */
    uint64_t steal_ticks; /* taken by the host for others */
    uint64_t all_ticks;   /* with idle and iowait */
};
int proc_machine_parse(const char *text, size_t len, struct proc_machine *out);

/* The next pid of a task/TID/children text; *TEXT moves behind it. False at the end. */
bool proc_children_next(const char **text, int *pid);
