/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "session/session.h"

/*
 * Sampled call stacks by perf_event: the first choice among the stack back ends. The kernel interrupts each thread
 * every so many µs of its CPU time and copies its registers and the top of its stack into a ring; here they are
 * unwound, in order of time, into the session's call tree. Nothing runs inside the program.
 *
 *     perf_open()     between fork and exec, or on a process that runs
 *     perf_drain()    whenever perf_fd() is readable, and at every tick
 *     perf_finish()   when the program has ended: the rest of the samples, and the CPU time that none covers
 */
struct perf;

/* What the records tell about processes, for those who keep the process tree. Any may be NULL. Times are
 * CLOCK_MONOTONIC. */
struct perf_listener {
    void *ctx;
    void (*forked)(void *ctx, pid_t parent, pid_t pid, uint64_t mono_ns);
    void (*execed)(void *ctx, pid_t pid, uint64_t mono_ns);
    void (*exited)(void *ctx, pid_t pid, uint64_t mono_ns);
};

struct perf_options {
    unsigned rate_hz;
    uint32_t stack_bytes; /* 0: what the last run of this program needed, else 48 KiB */
    const char *program;  /* the executable's path, to remember its stack size by; NULL unknown */
    bool follow;          /* children too */
    bool off_cpu;
    bool cycles; /* count CPU cycles between samples, where the CPU can */
    struct perf_listener listener;
};

/* The highest -F that this kernel takes (kernel.perf_event_max_sample_rate), at most 10,000. */
unsigned perf_max_rate(void);

/*
 * Whether sampling is permitted here, tried out on ourselves: 0, or a negative errno with a sentence that names the
 * remedy. For those who must choose before there is a program.
 */
int perf_probe(struct rs_err *err);

/*
 * Prepares sampling of PID, a child that waits to exec (ATTACH false: sampling starts with exec) or a process that runs
 * (sampling starts now). Writes into SESSION, which must outlive it; warns there about what is missing and how to get
 * it. Returns 0 with *OUT, or a negative errno with a sentence that names the remedy.
 */
int perf_open(struct perf **out, struct session *session, const struct perf_options *options, pid_t pid, bool attach,
              struct rs_err *err);
void perf_free(struct perf *perf);

/* Becomes readable when a ring is a quarter full. */
int perf_fd(const struct perf *perf);

/* Takes what has been sampled until a moment before NOW_NS into the session. */
void perf_drain(struct perf *perf, uint64_t now_ns);

/*
 * Samples from FROM_NS (CLOCK_MONOTONIC) on count; before this is called none does. The process bookkeeping goes on
 * all the time, and so must perf_drain().
 */
/* The same with nothing held back: for when what happened before NOW_NS has to be known. */
void perf_settle(struct perf *perf, uint64_t now_ns);
void perf_start(struct perf *perf, uint64_t from_ns);

/*
 * Stops, takes the rest, and gives the CPU time of the session's processes that no sample covers to explicit nodes, so
 * that the call tree's root equals the measured CPU time. Call it when the processes' cpu_ns are final. KERNEL_US is
 * how much of that time was spent in the kernel (rusage's ru_stime); 0 unknown.
 */
void perf_finish(struct perf *perf, uint64_t now_ns, uint64_t kernel_us);
