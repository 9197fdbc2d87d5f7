/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/channel/heap.h"
#include "collect/channel/slab.h"
#include "core/wire.h"

/*
 * From frames to a model of every process image: its modules, nodes, threads and heap. Knows nothing of the session;
 * channel.c carries the results over.
 *
 * What comes in is untrusted: lengths, ids and ticks are checked, garbage is counted and skipped, and every table has a
 * limit. Memory grows with live blocks, distinct stacks, threads and processes, never with events.
 *
 * Time goes tick by tick: of all that is there to read, the records of the oldest tick come first, of every stream;
 * then the tick is closed, which is when peaks are looked for. So a peak is right to one tick however far behind the
 * reader is.
 */
struct image_node {
    uint32_t parent, module;
    uint64_t address;
    int32_t session_node; /* used by channel.c; READER_UNRESOLVED until it is known */
    uint32_t site;        /* HEAP_NO_SITE until something was allocated */
    bool defined;
};
enum { READER_UNRESOLVED = -2 };

struct image_module {
    uint64_t start, end, bias;
    char *path; /* NULL: unknown; "": the program itself */
};

struct image_thread {
    uint32_t serial, tid;
    uint32_t session_thread; /* used by channel.c */
    bool known;
};

struct leak_site {
    uint64_t bytes, count;
    uint32_t first_time, last_time;
    uint64_t uncertain_count;
};

struct row_cell {
    uint32_t site, thread; /* thread: index into image.threads */
    int64_t bytes, count, net_bytes;
};
enum { ROW_CELLS = 1024 };

struct image {
    uint64_t id, parent_id;
    uint32_t pid, ns_pid, ppid; /* pid as we see it */
    uint64_t pid_ns, start_ticks, start_ns, end_ns;
    char *exe;
    char *argv; /* arguments with a NUL behind each */
    size_t argv_bytes;
    bool greeted; /* hello has come */
    bool has_shim, has_lib;
    bool ended;    /* the process has exited or is another image now */
    bool draining; /* it had when this pass began: what is there is all there will be */
    bool finished; /* everything was read; the heap has no blocks any more */
    int pidfd;

    struct image_node *nodes;
    size_t node_count, node_cap; /* by id */
    struct image_module *modules;
    size_t module_count, module_cap;
    struct image_thread *threads;
    size_t thread_count, thread_cap;

    struct heap heap;
    struct leak_site *leaks; /* by site, once finished */
    uint64_t peak_bytes;
    uint64_t dropped_allocations, lost_frees, skipped, no_stack, truncated;
    uint64_t outside_bytes, outside_peak_bytes; /* mapped outside malloc and still there, in the end too */
    struct range {
        uint64_t start, end;
    } * outside; /* sorted, apart */
    size_t outside_count, outside_cap;

    struct row_cell *cells;
    uint16_t *dirty;
    size_t dirty_count;

    /* used by channel.c */
    int32_t process;
    bool announced;
};

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
    int epoll_fd;
    uint32_t tick;      /* published last */
    uint32_t done_tick; /* closed last */
    uint64_t pid_ns;    /* ours */

    struct image **images;
    size_t image_count, image_cap;
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
};

enum {
    READER_NODES_MAX = 8 << 20,
    READER_IMAGES_MAX = 20000,
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
