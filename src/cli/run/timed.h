/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "analyze/bench_runs.h"
#include "base/err.h"
#include "system/launch.h"

/*
 * Programs run bare and timed, one at a time: no shim, no sampling, no descriptor but 0, 1 and 2. The time is from the
 * moment before exec, which the child notes itself, to the kernel's word that it has ended, so that what it costs us to
 * fork is in no figure.
 *
 *     timed_new(&timer, &launch_state, &err);     after launch_prepare()
 *     timed_run(timer, &command, &run, &err);
 *     timed_free(timer);
 */
struct timed;

struct timed_command {
    char *const *argv;  /* NULL-terminated; argv[0] is searched in PATH */
    char *const *env;   /* NULL-terminated "NAME=VALUE" to add, may be NULL */
    int stdio[3];       /* descriptors to take the place of 0, 1, 2; -1: ours as they are */
    double timeout_sec; /* it and what it has started are killed after so long; 0: never */
};

/* STATE outlives it. Returns 0 or a negative errno with a sentence. Takes SIGINT, SIGTERM, SIGHUP and SIGQUIT. */
int timed_new(struct timed **timed, const struct launch_state *state, struct rs_err *err);
void timed_free(struct timed *timed);

/*
 * Runs COMMAND to its end. The peak of memory is told where it is more than the child had before exec, which a
 * program's own begins with. Returns 0, however it ended; or a negative errno with a sentence when it could not be run
 * (-ENOENT: not found; see launch_exit_status()), or -EINTR when a signal to us came first.
 */
int timed_run(struct timed *timed, const struct timed_command *command, struct bench_run *run, struct rs_err *err);

/* The signal that came while a program ran, and that ended it; 0: none. */
int timed_signal(const struct timed *timed);
