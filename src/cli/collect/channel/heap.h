/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The heap of one process image: which blocks live, and what each call path (site) has allocated.
 *
 * Events of one address come in any order and are numbered in their real one (wire.h). The state of an address is what
 * its highest numbered event says, so an event with a lower number than the entry's changes totals only: an allocation
 * that comes late has been freed meanwhile, a free that comes late was of an older block. A freed address stays in the
 * table as a dead entry for longer than any record waits to be read.
 *
 * How long that is: pages of a slab are read tick by tick (10 ms), all threads' up to the same tick, and what a pass
 * has not seen yet of one thread the next one reads first: a record is a tick late, or two. Only what goes through the
 * FIFO, when the slab is full, may wait in its thread for longer: then for a second (`late`).
 *
 * 24 bytes an entry, open addressing, 3/4 to 27/32 full where most entries live: 28 to 32 bytes a block.
 * Tables of up to 2^20 slots are 3/8 to 3/4 full. Time is in units of 64 µs, modulo 2^32 (76 hours).
 */
enum { HEAP_TIME_SHIFT = 16, HEAP_LIFETIMES = 48, HEAP_NO_SITE = 0xffffff };

struct heap_block {
    uint64_t key; /* address / 8, and whether it lives; 0: free slot */
    uint32_t number;
    uint32_t site_size; /* site 24 | size bits 32-39 */
    uint32_t size_low;
    uint32_t time; /* of the allocation, or of the free */
};

struct heap_site {
    uint32_t node;      /* in the image's numbering */
    uint32_t peak_mark; /* the peak that `peak_bytes` is of */
    uint64_t count, bytes, freed, temporary;
    uint64_t live_bytes, live_count;
    uint64_t peak_bytes;                /* live when the peak was reached, once anything has changed since */
    uint32_t lifetimes[HEAP_LIFETIMES]; /* freed blocks that lived [2^(i-1), 2^i) µs */
};

struct heap {
    struct heap_block *blocks;
    size_t slots; /* 0 before the first block; fewer than 2^32 */
    size_t used;  /* live and dead entries */
    size_t full;  /* so many entries are too many */
    size_t live_count;
    uint64_t live_bytes;

    struct heap_site *sites;
    size_t site_count, site_cap;

    uint64_t allocations, frees, bytes, temporary;
    uint64_t by_size[5];
    uint64_t unmatched_frees; /* frees that closed no block */
    uint64_t late_closed;     /* blocks closed by a later event of their address, their own free still to come */
    bool late;                /* records may come late: see above */
    bool lossy;               /* frees have been lost; blocks older than lossy_time may be free */
    uint32_t lossy_time;
};

void heap_release(struct heap *h);
/* Drops the blocks and keeps the statistics: the process has ended. */
void heap_forget_blocks(struct heap *h);

/* Zeroes what is counted over time; what lives stays. */
void heap_restart(struct heap *h);

/* Number of a site for NODE. The caller remembers it. HEAP_NO_SITE when there are too many. */
uint32_t heap_add_site(struct heap *h, uint32_t node);

/* Touch the entry of ADDRESS, which an event to come is about. */
void heap_prefetch(const struct heap *h, uint64_t address);

/* What an event did to live bytes; FREED_SITE is the site of the block that was closed, HEAP_NO_SITE if none. */
struct heap_change {
    uint32_t freed_site;
    uint64_t freed_bytes;
};

/*
 * A block of SITE was allocated. PEAK_MARK is the number of the current peak, see heap_site. Blocks above 1 TiB count
 * as 1 TiB.
 */
struct heap_change heap_alloc(struct heap *h, uint64_t address, uint32_t number, uint32_t site, uint64_t size,
                              uint32_t time, uint32_t peak_mark);

/* The block at ADDRESS was freed. */
struct heap_change heap_free(struct heap *h, uint64_t address, uint32_t number, bool temporary, uint32_t time,
                             uint32_t peak_mark);

/* COUNT allocations of BYTES together came and went unseen (FREED) or are not known to have gone. */
void heap_count(struct heap *h, uint32_t site, uint64_t count, uint64_t bytes, bool freed, bool temporary);

/* Lifetime class of a block that lived from BORN to DIED. */
unsigned heap_lifetime_class(uint32_t born, uint32_t died);

/* Memory of the table of blocks. */
size_t heap_table_bytes(const struct heap *h);

/* Frees that no known block explains. */
uint64_t heap_unknown_frees(const struct heap *h);

/* Calls FN for each live block; CERTAIN is false when its free may have been lost. */
typedef void (*heap_block_fn)(void *ctx, uint64_t address, uint64_t size, uint32_t site, uint32_t time, bool certain);
void heap_foreach(const struct heap *h, heap_block_fn fn, void *ctx);
