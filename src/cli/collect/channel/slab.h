/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/wire.h"

/*
 * The CLI's side of the session's directory: a FIFO and, beside it, the slab (wire.h). The slab's file is as long as it
 * will ever be, but only its first pages have memory, so that a short program does not pay for 64 MiB; more get blocks
 * (fallocate, so that no writer ever meets SIGBUS on a full tmpfs) as writers turn out to be busy.
 */
struct slab {
    char dir[108];
    char fifo[128];
    char path[136];
    int fifo_fd, fd;
    struct rs_slab_header *header;
    _Atomic uint32_t *states;
    char *pages;
    size_t map_bytes;
    uint32_t page_count;
    bool full;      /* no more blocks to be had */
    bool made_fifo; /* the FIFO of `listen` was not there before */
};

/*
 * Makes a private directory with FIFO and slab (at most SLAB_BYTES). FLAGS are RS_SLAB_…. With FIFO_PATH (listen) only
 * that FIFO is made, or taken when it is ours, and there is no slab.
 */
int slab_open(struct slab *slab, size_t slab_bytes, uint32_t flags, const char *fifo_path, struct rs_err *err);

/* Removes what slab_open() made. Processes that still have the slab mapped keep it. */
void slab_close(struct slab *slab);

/* The tick for NOW_NS, published. */
uint32_t slab_publish_tick(struct slab *slab, uint64_t now_ns);

/* Gives the next 4 MiB of pages memory (1.4 ms) when half are in use, or if the writers are known to be BUSY. */
void slab_grow(struct slab *slab, bool busy);

/* Data page I, which is the CLI's from here on free for writers. */
void slab_free_page(struct slab *slab, uint32_t page);

static inline struct rs_frame_header *slab_page(const struct slab *slab, uint32_t page)
{
    return (struct rs_frame_header *)(void *)(slab->pages + (size_t)page * RS_FRAME_BYTES);
}
