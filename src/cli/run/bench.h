/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "analyze/bench_runs.h"
#include "run/bench_options.h"
#include "run/timed.h"

/*
 * Commands run many times and timed. Arms take turns in shuffled order, so that a machine that warms up, throttles or
 * serves others disturbs all alike; run i of each arm is of round i, and so they are pairs. Each run has an environment
 * of another size: where the stack begins moves some programs by several per cent.
 *
 *     bench_new(&bench, &options, &launch_state, &hooks, &err);
 *     rc = bench_run(bench, &err);           results so far stay when it fails
 *     bench_results(bench)[arm]
 *     bench_free(bench);
 */
struct bench;

/* How far a series is. */
struct bench_progress {
    const struct bench_arm *arm;
    size_t run, of; /* run of this arm, from 1; OF 0: not known yet */
    bool warmup;
    const char *beside;              /* "setup", "prepare", … where that runs; NULL: the command */
    double mean_ns, low_ns, high_ns; /* so far; mean 0: nothing yet; low and high 0 below three runs */
};

struct bench_hooks {
    void (*on_progress)(void *ctx, const struct bench_progress *progress); /* may be NULL */
    void *ctx;
};

/* All arguments outlive it. Returns 0, or a negative errno with a sentence. */
int bench_new(struct bench **bench, const struct bench_options *options, const struct launch_state *state,
              const struct bench_hooks *hooks, struct rs_err *err);
void bench_free(struct bench *bench);

/*
 * Runs the whole series (again: a second series takes the first one's place). Returns 0; or a negative errno with a
 * sentence when a command failed, was killed or could not be run, or a signal came. bench_exit_status() has the status
 * for that: 1, 126, 127 or 128 + the signal.
 */
int bench_run(struct bench *bench, struct rs_err *err);
int bench_exit_status(const struct bench *bench);

/* One for each arm of the options, summarised. */
const struct bench_result *bench_results(const struct bench *bench);

/*
 * The arm's --prepare command, or AFTER its --conclude command, for a run that the caller makes itself. As bench_run()
 * when it fails.
 */
int bench_beside(struct bench *bench, size_t arm, bool after, struct rs_err *err);

/* What starting the shell takes, already taken off the times; 0 without a shell. */
double bench_shell_ns(const struct bench *bench);
