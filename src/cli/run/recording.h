/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "run/record_options.h"
#include "session/session.h"
#include "system/launch.h"

/*
 * One recording, from options to a session in memory: of a program that is launched, of a process that runs already, or
 * of programs that somebody else starts and that find a FIFO. Every source of data hangs on the loop in here.
 *
 *     launch_prepare(&state);
 *     recording_new()      takes signals, opens the session and the sources
 *     recording_start()    launches or attaches
 *     recording_run()      until the program, the duration or a person ends it
 *     recording_finish()   the session is whole, its addresses not yet names
 *     recording_free()
 *
 * Nothing here prints or exits; the live screen, where there is one, takes the terminal from recording_new() to
 * recording_finish(). All calls are made by one thread. Several recordings may follow one another in a process, not at
 * the same time.
 */
struct recording;

struct recording_options {
    const struct record_options *record; /* outlives the recording */
    const struct launch_state *launch;   /* for the program; outlives the recording */
    const int *stdio; /* three descriptors to take the place of the program's 0, 1 and 2, -1: ours; NULL: all ours */
    const char *fifo; /* absolute: collect from programs that are started elsewhere; NULL otherwise */
    /* Without a live screen: episode EVENT of S is over. May be NULL. */
    void (*on_event)(void *ctx, const struct session *s, uint32_t event);
    /* Something to tell the person now, that does not belong in the session. May be NULL. */
    void (*on_notice)(void *ctx, const char *sentence);
    void *ctx;
};

/* Returns 0; or a negative errno with a sentence, and *R is NULL. */
int recording_new(struct recording **r, const struct recording_options *options, struct rs_err *err);

/*
 * Launches the program, attaches or begins to listen. Returns 0; or a negative errno with a sentence, and then
 * recording_exit_status() is the status that tells it: 127 and 126 for a program that cannot be run, 1 for a process
 * that cannot be attached to or a FIFO that cannot be used, 125 for anything else.
 */
int recording_start(struct recording *r, struct rs_err *err);

/* Blocks until the recording's end: 0; or a negative errno with a sentence when the system failed. */
int recording_run(struct recording *r, struct rs_err *err);

/* Ends all measuring and completes the session. To be called once, after recording_run(). */
void recording_finish(struct recording *r);

/* The recording's own; it lives as long as the recording. */
struct session *recording_session(const struct recording *r);

/* The program's exit status as a shell has it: 128 + N for signal N; 0 after --duration or when it was not our child.
 */
int recording_exit_status(const struct recording *r);

/* SAVED: the session is on disk, so that its checkpoint can go. NULL is fine. */
void recording_free(struct recording *r, bool saved);
