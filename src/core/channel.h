/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The target's end of the channel (wire.h has the bytes): how the shim and librustscope get records to the CLI.
 *
 *     struct rs_channel *ch = rs_channel_get(RS_SOURCE_LIB);  NULL: no CLI, or not for this process
 *     rs_stream_open(&mine, ch, RS_SOURCE_LIB, rs_channel_new_thread(ch), tid);
 *     struct rs_wire_x *r = rs_stream_reserve(&mine, sizeof(*r) + text_bytes, false);
 *     if (r) { fill *r, r->word = RS_RECORD(kind, bytes); rs_stream_commit(&mine); }
 *     rs_stream_close(&mine);
 *
 * The idea: a stream writes straight into a page of the slab, a file that the CLI made, filled with blocks and shares
 * with every process of the session. The CLI reads while we write; there is no system call on the way, no descriptor
 * to lose, and what was written is there for the CLI however the process ends. A pipe written in 4 KiB pieces costs the
 * same per event (4 ns per 16 bytes) but needs a tail protocol on top, and 4 of 25 killed runs showed a frame twice.
 * Where no slab can be mapped the same frames go to the FIFO, without a promise for the tail.
 *
 * Memory is private, anonymous and wiped on fork: a child finds its channel and its streams zeroed, that is closed, and
 * opens its own, as another image. A vfork child shares the memory and counts as its parent.
 *
 * Nothing here allocates from malloc, prints, changes errno, takes a lock that outlives the call, or blocks. All of it
 * is safe in a signal handler as long as a stream is not used by a handler and the code that it interrupts.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/wire.h"

struct rs_channel {
    uint64_t image;              /* 0: closed (or wiped) */
    struct rs_slab_header *slab; /* NULL: frames go to the FIFO */
    _Atomic uint32_t *states;
    char *pages;
    uint32_t page_count;
    uint32_t flags; /* RS_SLAB_… */
    _Atomic uint32_t threads;
    _Atomic uint32_t opening;
};

/* One writer: a thread (or a signal handler in it) with one source. All zero is closed. */
struct rs_stream {
    struct rs_channel *channel;
    struct rs_frame_header *frame; /* never NULL while open: a page, the private frame, or `none` */
    uint32_t at;                   /* end of the last record in the frame */
    uint32_t limit;                /* RS_FRAME_BYTES, or 0 when nothing can be written */
    uint32_t page;                 /* index in the slab */
    uint32_t seq, thread, tid, tick;
    uint32_t lost;
    uint32_t source;
    void *private_frame;         /* FIFO mode */
    struct rs_frame_header none; /* stands in for a page when there is none */
};

/*
 * The channel is in use when *rs_channel_tick differs from rs_channel_stale: one comparison tells "no CLI", "CLI died"
 * and "CLI alive", and comes back by itself when a stopped CLI goes on. Until the first rs_channel_get() it says "in
 * use", so that the first event looks. (Hidden: a shared library reads its own variables without asking where they
 * are.)
 */
#pragma GCC visibility push(hidden)
extern _Atomic uint32_t *rs_channel_tick;
extern _Atomic uint32_t rs_channel_stale;
#pragma GCC visibility pop

static inline bool rs_channel_active(void)
{
    return __builtin_expect(atomic_load_explicit(rs_channel_tick, memory_order_relaxed) !=
                                atomic_load_explicit(&rs_channel_stale, memory_order_relaxed),
                            0);
}

/* Set for good once the process may kill itself by a system call (a seccomp filter): none is made from then on. */
extern _Atomic bool rs_channel_no_syscalls;

/*
 * The channel of this process image, opened (RUSTSCOPE_ALLOC_PIPE) at the first call and after each fork; NULL when
 * there is none; the shim gets none in a program with a sanitizer. SOURCE signs the hello. Several threads may call it;
 * while one opens it, the others get NULL. The shim and librustscope each have a copy of this code and so a channel,
 * and an image id, of their own; the CLI joins them by pid.
 */
struct rs_channel *rs_channel_get(enum rs_source source);

/* The next thread serial of this image. Sources of the same thread share one. */
uint32_t rs_channel_new_thread(struct rs_channel *channel);

/*
 * Notices that the CLI has been gone for 10 s and, in FIFO mode, that time passes (there is no shared tick). For
 * whoever has a natural slow path; the streams call it at each new frame. Costs a clock reading.
 */
void rs_channel_check(struct rs_channel *channel);

/* LEN bytes of zeroed memory that a forked child finds zeroed again; NULL when there is none. */
void *rs_channel_memory(size_t len);
void rs_channel_memory_release(void *memory, size_t len);

/* A zeroed page of the slab, or NULL; given back when its owner is done with it. For the counts pages. */
void *rs_channel_take_page(struct rs_channel *channel);
void rs_channel_give_page(struct rs_channel *channel, void *page);

/* S is zeroed or closed. The first record of a thread should be RS_RECORD_THREAD: rs_stream_open() writes it. */
void rs_stream_open(struct rs_stream *s, struct rs_channel *channel, enum rs_source source, uint32_t thread,
                    uint32_t tid);

/*
 * Room for BYTES (rounded up to words) at the end of the stream; NULL, and counted as lost, when there is no room: the
 * slab is full, the pipe is full. DEFINITION may use the pages kept for definitions. The record becomes visible by
 * rs_stream_commit(), which must follow before the next reserve: it publishes everything written so far and promises
 * that it will not change any more. rs_stream_publish() makes only the first half of that.
 */
void *rs_stream_reserve(struct rs_stream *s, uint32_t bytes, bool definition);
void rs_stream_commit(struct rs_stream *s);

static inline void rs_stream_publish(struct rs_stream *s)
{
    atomic_store_explicit(&s->frame->written, s->at, memory_order_release);
}

/* FIFO mode: write out the frame now. With a slab: nothing, it is visible already. */
void rs_stream_flush(struct rs_stream *s);

/* Hands the page back. S is closed afterwards. */
void rs_stream_close(struct rs_stream *s);

/* Ends the frame and starts the next; false when no frame can be had. For writers of packed records. */
bool rs_stream_next_frame(struct rs_stream *s, bool definition);
