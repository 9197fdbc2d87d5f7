/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "collect/process/sampler.h"
#include "session/session.h"

/*
 * What programs tell from inside: the session's FIFO and slab, a thread that reads them, and the way of its results
 * into the session. See docs/ARCHITECTURE.md, "The channel".
 *
 * channel_open() before the program is launched; channel_env() into its environment; channel_poll() from the event
 * loop, some ten times a second; channel_finish() when the program has ended; channel_close() last.
 */
struct channel;

struct channel_options {
    bool allocations;        /* off: only librustscope's and the timer's records are wanted */
    bool follow;             /* children too */
    unsigned timer_hz;       /* of the CPU timer in the program; 0: none */
    const char *fifo;        /* listen: this FIFO, no slab; NULL: a private directory */
    struct sampler *sampler; /* told of processes that say hello; may be NULL */
};

/* Returns 0, or a negative errno with a sentence. *OUT is channel_close()d by the caller. */
int channel_open(struct channel **out, struct session *session, const struct channel_options *options,
                 struct rs_err *err);
void channel_close(struct channel *channel);

/*
 * What the program needs in its environment, "NAME=VALUE", NULL-terminated; the strings live as long as the channel.
 * The user's LD_PRELOAD stays behind ours. When PROGRAM cannot carry the shim (see shim_check.h) the session says why,
 * and only the channel's own variable is there.
 */
char *const *channel_env(struct channel *channel, const char *program);

/* The word of it that every process of this recording inherits. */
const char *channel_word(const struct channel *channel);

/* The program's pid, before it runs. */
void channel_set_root(struct channel *channel, pid_t pid);

/* Nothing counted so far belongs to the report (--delay): statistics start from zero, live blocks stay. */
void channel_start(struct channel *channel);

/*
 * Records of kinds [FIRST, LAST] (enum rs_record) go to FN, in the order of their streams, during channel_poll() and
 * channel_finish(). RECORD is word-aligned, BYTES long, its first word included.
 */
struct channel_origin {
    int32_t process;   /* index in the session */
    uint32_t thread;   /* index in the session */
    uint64_t clock_ns; /* when its frame began or the last tick came */
};
typedef void (*channel_record_fn)(void *ctx, const struct channel_origin *origin, const void *record, size_t bytes);
void channel_on_record(struct channel *channel, unsigned first, unsigned last, channel_record_fn fn, void *ctx);

/*
 * For records that name nodes (CPU samples): the session's node for NODE of the image that the record came from. Only
 * inside a channel_record_fn. CALLTREE_NO_NODE when it is not known.
 */
int32_t channel_session_node(struct channel *channel, uint32_t node);

/* Carries over what has come since the last call. */
void channel_poll(struct channel *channel);

/* Reads to the end, then fills the session's totals, leaks and diagnostics. The reading thread is gone afterwards. */
void channel_finish(struct channel *channel);
