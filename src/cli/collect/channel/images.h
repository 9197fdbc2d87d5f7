/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/channel/heap.h"
#include "core/wire.h"

/*
 * What the reader knows of each process image, by the random id that its frames carry, and of the streams that it
 * sends: one a source and thread. An image exists from its first frame on; its hello may come later.
 */
struct reader;

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
    bool ended;          /* the process has exited or is another image now */
    bool draining;       /* it had when this pass began: what is there is all there will be */
    bool finished;       /* everything was read; the heap has no blocks any more */
    uint64_t shim_bytes; /* image_shim_bytes(), once it is settled */
    bool settled;        /* and its results were taken: what they were made from is given back */
    int exit_handle;     /* of exits.h; negative: nobody waits for its end */

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
    uint64_t outside_folded; /* ranges beyond OUTSIDE_RANGES_MAX, whose bytes are not counted */

    struct row_cell *cells;
    uint16_t *dirty;
    size_t dirty_count;

    /* used by channel.c */
    int32_t process;
    bool announced;
};

struct stream {
    struct image *image;
    uint32_t image_index;
    uint32_t thread; /* serial */
    uint32_t thread_index;
    uint32_t source;
    uint32_t seq;  /* of the frame read last */
    uint32_t tick; /* of the next record */
    uint32_t time; /* for the heap */
    uint64_t clock_ns;
    uint32_t lost;
};

void image_release(struct reader *r, struct image *image);

/* What the shim's own tables take of the image's memory, at the most. */
uint64_t image_shim_bytes(const struct image *image);

/*
 * Gives back what the results of IMAGE, which is finished, were made from: nodes, sites, leaks. Whoever calls it has
 * taken them and every row and record of it. Frames that still come for it are garbage.
 */
void image_settle(struct reader *r, struct image *image);

/*
 * The stream that FRAME is of, made if need be, with its image and thread. NULL: there are too many, which is counted
 * (images_refused), or the image has been settled.
 */
struct stream *image_stream(struct reader *r, const struct rs_frame_header *frame);

/* Frees of this image were lost up to the stream's time: blocks from before may be free. */
void image_mark_lossy(const struct stream *s);

/* Makes nodes up to NODE exist; false when that is more than anybody needs. */
bool image_reach_node(struct reader *r, struct image *image, uint32_t node);

/* The heap's site of NODE, made if need be; that of the root when there are too many. */
uint32_t image_add_site(struct reader *r, struct image *image, uint32_t node);

static inline uint32_t image_site(struct reader *r, struct image *image, uint32_t node)
{
    return __builtin_expect(node < image->node_count && image->nodes[node].site != HEAP_NO_SITE, 1)
               ? image->nodes[node].site
               : image_add_site(r, image, node);
}

/* Records about the image: LEN BYTES, the first word included. What makes no sense is left out. */
void image_take_hello(struct reader *r, struct stream *s, const char *bytes, size_t len);
void image_take_module(struct image *image, const char *bytes, size_t len);
void image_take_node(struct reader *r, struct image *image, const char *bytes, size_t len);
