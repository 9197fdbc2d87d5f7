/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "collect/process/sampler.h"
#include "session/session.h"
#include "system/loop.h"

/*
 * The stack back ends, best first: perf_event; a CPU timer inside the program, of which the shim's channel brings
 * samples; none. One is chosen before the program starts, and the session says which, and what would have given more.
 *
 *     stacks_new()     chooses
 *     stacks_open()    between fork and exec, or on the process to attach to
 *     stacks_watch()   the loop drains what fills up
 *     stacks_start()   measuring starts, when --delay is over
 *     stacks_tick()    at every tick
 *     stacks_finish()  when the processes' CPU times are final
 */
struct stacks;

/* What to sample. PROGRAM must outlive the stacks. */
struct stacks_options {
    unsigned rate_hz;
    uint32_t stack_bytes; /* of each sample's stack; 0: what the last run of PROGRAM needed */
    const char *program;  /* the executable, as it was asked for; NULL when attaching */
    bool attach;          /* to a process that runs already */
    bool delayed;         /* measuring starts later than the program */
    bool follow;          /* children too */
    bool off_cpu;
    bool cycles; /* sample by CPU cycles, not by CPU time */
};

/* Whether the kernel samples RATE_HZ times a second: 0, or -EINVAL with a sentence that names the sysctl. */
int stacks_check_rate(unsigned rate_hz, struct rs_err *err);

/*
 * Never fails: without any back end there is a warning, and the rest of the calls do nothing. All calls take NULL, for
 * a recording without stacks. What perf sees of processes is told to SAMPLER.
 */
struct stacks *stacks_new(struct session *session, const struct stacks_options *options, struct sampler *sampler);
void stacks_free(struct stacks *stacks);

/* How often the timer in the program is to sample, when that is the back end; else 0. */
unsigned stacks_timer_hz(const struct stacks *stacks);

/* PID is a child that waits to exec or, when attaching, a process that runs. */
void stacks_open(struct stacks *stacks, pid_t pid);
void stacks_watch(struct stacks *stacks, struct loop *loop);
void stacks_start(struct stacks *stacks);
void stacks_tick(struct stacks *stacks, uint64_t now_ns);
/* What was forked and executed before NOW_NS is told to the sampler. */
void stacks_settle(struct stacks *stacks, uint64_t now_ns);

/*
 * A record of the timer (struct rs_wire_sample, BYTES long) of THREAD and PROCESS of the session; NODE is where it
 * was in the session's call tree, CALLTREE_NO_NODE unknown.
 */
void stacks_timer_sample(struct stacks *stacks, uint32_t process, uint32_t thread, int32_t node, const void *record,
                         size_t bytes);

/* See perf_finish(). */
void stacks_finish(struct stacks *stacks, uint64_t now_ns, uint64_t kernel_us);
