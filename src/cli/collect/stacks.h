/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collect/loop.h"
#include "collect/sampler.h"
#include "record_options.h"
#include "session/session.h"

/*
 * The stack back ends, best first: perf_event; a CPU timer inside the program (the shim's); none. One is chosen when a
 * recording starts, and the session says which, and what would have given more.
 */
struct stacks;

/* Whether the kernel samples RATE_HZ times a second: 0, or -EINVAL with a sentence that names the sysctl. */
int stacks_check_rate(unsigned rate_hz, struct rs_err *err);

/*
 * Prepares stacks of PID: a child that waits to exec, or (ATTACH) a process that runs. Never fails: without any back
 * end there is a warning, and the rest of the calls do nothing. NULL when none were asked for. What perf sees of
 * processes is told to SAMPLER.
 */
struct stacks *stacks_open(struct session *session, const struct record_options *options, pid_t pid,
                           struct sampler *sampler);
void stacks_free(struct stacks *stacks);

/* Whether the program must carry the timer: set before exec in its environment. */
bool stacks_want_timer(const struct stacks *stacks);

/* Lets LOOP drain the rings when they fill, from the program's start on. */
void stacks_watch(struct stacks *stacks, struct loop *loop);

/* Measuring starts, when --delay is over: samples count from here on. */
void stacks_start(struct stacks *stacks);

void stacks_tick(struct stacks *stacks, uint64_t now_ns);

/* When the processes' CPU times are final; see perf_finish(). */
void stacks_finish(struct stacks *stacks, uint64_t now_ns, uint64_t kernel_us);
