/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/err.h"
#include "session/session.h"

/*
 * Process metrics of a program and its descendants, into the session: CPU from each process's CPU clock, memory from
 * statm, threads, descriptors and I/O at a lower cadence, each at bounded cost. Spikes are found here, since only here
 * the readings pass at full rate.
 *
 * The event loop calls sampler_tick(); the sampler never assumes that it was called on time.
 */

struct sampler_options {
    unsigned rate_hz;
    double spike_cpu_pct;
    uint64_t spike_mem_bytes;
    bool follow; /* descendants too */
    /* Told when an episode opened, has a new peak or ended; may be NULL. */
    void (*on_event)(void *ctx, uint32_t event, bool ended);
    void *ctx;
};

struct sampler;

struct sampler *sampler_new(struct session *session, const struct sampler_options *options);
void sampler_free(struct sampler *sampler);

/* How a process came under watch decides where its memory starts from. */
enum sampler_origin {
    SAMPLER_LAUNCHED, /* a fresh image: from nothing */
    SAMPLER_FORKED,   /* from what it shares with its parent */
    SAMPLER_ATTACHED, /* from what it has; what it did before is not ours */
};

/*
 * Watches PID (and, when following, its descendants). NOW_NS is CLOCK_MONOTONIC. Returns the process's index in the
 * session, or a negative errno with a sentence when it is gone or not ours to see.
 */
int32_t sampler_watch(struct sampler *sampler, pid_t pid, enum sampler_origin origin, uint64_t now_ns,
                      struct rs_err *err);

/*
 * A source with better eyes (perf's FORK and EXEC records, the shim's hello) says what it saw of one of ours. A process
 * that has gone by now gets a record all the same.
 */
void sampler_forked(struct sampler *sampler, pid_t parent, pid_t pid, uint64_t mono_ns);
void sampler_execed(struct sampler *sampler, pid_t pid, uint64_t mono_ns);
/* What runs in PID now is the session's record INDEX: of an exec that no look showed. Ignored when it knows better. */
void sampler_is_now(struct sampler *sampler, pid_t pid, uint32_t index);

/* One reading of everything that is due. EXPIRATIONS is the timer's: 1 when on time. */
void sampler_tick(struct sampler *sampler, uint64_t now_ns, uint64_t expirations);

/* Measuring begins at NOW_NS (--delay): called before anything is watched. */
void sampler_restart(struct sampler *sampler, uint64_t now_ns);

/* How many descendants of the first watched process still run, as of the last reading of each; zombies have ended. */
unsigned sampler_descendants_running(const struct sampler *sampler);

/*
 * The first watched process, a child of ours, has been waited for: STATUS as waitpid's. USAGE covers every descendant
 * that it waited for and closes the CPU sum; NULL when it was not measured from its start.
 */
void sampler_program_ended(struct sampler *sampler, uint64_t now_ns, int status, const struct rusage *usage);

/*
 * Watches what left the program before anybody saw it: WORD ("NAME=VALUE") is in the environment of whatever the
 * program started. Looks at all processes there are. Returns how many descendants run.
 */
unsigned sampler_find_daemons(struct sampler *sampler, const char *word, uint64_t now_ns);

/* The last reading. Open episodes end. */
void sampler_finish(struct sampler *sampler, uint64_t now_ns);

/* The live numbers of the last tick, for the screen. */
struct sampler_now {
    double cpu_pct; /* over the last ≥ 100 ms; NaN at first */
    uint64_t anon_bytes, rss_bytes;
    unsigned threads, processes;
    int64_t open_fds; /* -1 unknown */
    double read_bytes_per_sec, write_bytes_per_sec;
};
void sampler_now(const struct sampler *sampler, struct sampler_now *now);
