/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/channel/images.h"
#include "collect/channel/slab.h"
#include "core/wire.h"
#include "system/exits.h"

/*
 * From frames to a model of every process image: its modules, nodes, threads and heap. Knows nothing of the session;
 * carry.h and statistics.h take the results there. Its parts: images.h (what is known of each image), decode.h (records
 * and frames), pages.h (the slab), levels.h (what happened in each 100 ms), ends.h (images that are over).
 *
 * What comes in is untrusted: lengths, ids and ticks are checked, garbage is counted and skipped, and every table has a
 * limit. Memory grows with live blocks, distinct stacks and threads of the processes that run, and by some hundred
 * bytes for each one that has ended (image_settle()); never with events.
 *
 * Time goes tick by tick: of all that is there to read, the records of the oldest tick come first, of every stream;
 * then the tick is closed, which is when peaks are looked for. So a peak is right to one tick however far behind the
 * reader is.
 */
struct reader_row {
    uint32_t image, site, thread;
    uint32_t tick; /* any of the 100 ms that it is of */
    int64_t bytes, count, net_bytes;
};

struct reader_level {
    uint32_t tick;  /* the first after the 100 ms */
    uint32_t image; /* READER_ALL: the whole tree */
    uint64_t live_bytes, live_peak_bytes, alloc_bytes;
};
#define READER_ALL UINT32_MAX

/* A record of somebody else's kind (librustscope, the CPU timer), kept for channel_poll(). Its bytes follow. */
struct reader_record {
    uint32_t image, thread;
    uint64_t clock_ns;
    uint32_t bytes; /* of the record, a multiple of 4 */
    uint32_t unused;
};

struct reader {
    struct slab *slab;
    struct exits *exits;
    uint32_t tick;      /* published last */
    uint32_t done_tick; /* closed last */
    uint64_t pid_ns;    /* ours */

    struct image **images;
    size_t image_count, image_cap;
    uint32_t *image_slots; /* index + 1 by hash of the id */
    size_t image_slot_count;
    uint32_t *open; /* indices of the images that are not finished */
    size_t open_count, open_cap;
    uint32_t *over; /* of those that are, and whose results nobody has taken */
    size_t over_count, over_cap;
    struct stream **streams;
    size_t stream_count, stream_cap;
    uint32_t *stream_slots; /* index + 1 by hash */
    size_t stream_slot_count;
    struct page_state *page_states;
    uint32_t *pending; /* pages or streams of this pass */
    char fifo_buf[64 * 1024];
    size_t fifo_len;

    size_t nodes_total; /* of all images, against READER_NODES_MAX */
    uint64_t live_bytes, peak_bytes, interval_peak_bytes, interval_alloc_bytes;
    uint64_t outside_bytes, outside_peak_bytes; /* of the processes that are there */
    uint32_t peak_tick, peak_mark;
    bool any;

    /* results, taken by channel.c under its lock */
    struct reader_row *rows;
    size_t row_count, row_cap;
    struct reader_level *levels;
    size_t level_count, level_cap;
    char *records;
    size_t records_len, records_cap;

    uint64_t blind_ticks; /* in which writers took us for dead, because we were stopped, and recorded nothing */
    uint32_t blind_time;  /* end of the last such time, as heaps have it */
    uint64_t events, frames, garbage_frames, garbage_records, folded_nodes, records_dropped;
    uint64_t rows_dropped;   /* of what happened in each 100 ms; the totals have it */
    uint64_t images_refused; /* process images beyond the bounds, of which nothing is known */
};

enum {
    READER_NODES_MAX = 8 << 20,
    READER_IMAGES_MAX = 100000,
    READER_THREADS_MAX = 200000,
    READER_MODULES_MAX = 65535,
    READER_ROWS_MAX = 4 << 20,
    READER_RECORDS_MAX = 16 << 20,
    READER_LEVEL_TICKS = 10, /* 100 ms */
};

void reader_init(struct reader *r, struct slab *slab);
void reader_release(struct reader *r);

/*
 * Reads everything there is. NOW_NS: CLOCK_MONOTONIC. FINAL: nobody writes any more, also what writers were still
 * holding counts. Returns how many events were read.
 */
uint64_t reader_pass(struct reader *r, uint64_t now_ns, bool final);

/* Waits for up to TIMEOUT_MS or until a process ends; notes the ended ones. */
void reader_wait(struct reader *r, int timeout_ms);

/* Statistics start from zero; live blocks stay as they are. */
void reader_restart(struct reader *r);

/* Ends every image: what lives now is leaked. After a final pass. */
void reader_finish(struct reader *r, uint64_t now_ns);

/* One frame as it came through the FIFO, header included. Called by reader_pass(); open for tests. */
void reader_frame(struct reader *r, const void *frame, size_t bytes);
