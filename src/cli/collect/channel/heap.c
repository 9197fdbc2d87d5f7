/* SPDX-License-Identifier: MIT */
#include "collect/channel/heap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "base/err.h"
#include "core/wire.h"

#define LIVE_BIT      (1ull << 63)
#define SIZE_MAX_KEPT ((1ull << 40) - 1)

enum {
    FIRST_SLOTS = 1024,
    SMALL_SLOTS = 1 << 20,              /* 25 MB: up to here speed counts, and a table doubles */
    DEAD_KEEP_TIME = 1000,              /* 64 ms */
    DEAD_KEEP_TIME_LATE = 1000000 / 64, /* a second */
    SITES_MAX = HEAP_NO_SITE,
    HUGE_BYTES = 4 << 20,
    MINUTE = 60 * 1000000 / 64,
    BLOCK_SHIFT = 5, /* the least that glibc's blocks lie apart: 32 bytes */
    REGION_SLOTS = 8,
    REGION_SHIFT = BLOCK_SHIFT + 3,
};

/* ---- the table ---- */

/*
 * Blocks that lie in the same 256 bytes have neighbouring slots, since programs allocate and free such blocks one after
 * the other: an event's slot is in the cache for the sake of the event before. Else in the order of the hash, whatever
 * the number of slots: then a rehash reads one table and writes the other from front to back, and a table may grow by
 * small steps.
 */
static size_t slot_of(const struct heap *h, uint64_t address)
{
    uint64_t hash = (address >> REGION_SHIFT) * 0x9e3779b97f4a7c15u;

    return (size_t)((hash >> 32) * (h->slots - REGION_SLOTS) >> 32) + (address >> BLOCK_SHIFT) % REGION_SLOTS;
}

static struct heap_block *next_slot(const struct heap *h, struct heap_block *b)
{
    return ++b == h->blocks + h->slots ? h->blocks : b;
}

static struct heap_block *table_new(size_t slots)
{
    size_t bytes = slots * sizeof(struct heap_block);
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        die(125, "out of memory for %zu live blocks", slots);
    if (bytes >= HUGE_BYTES)
        madvise(at, bytes, MADV_HUGEPAGE);
    return at;
}

static bool is_live(const struct heap_block *b)
{
    return b->key & LIVE_BIT;
}

static void insert(struct heap *h, const struct heap_block *block)
{
    struct heap_block *b = &h->blocks[slot_of(h, (block->key & ~LIVE_BIT) << 3)];

    while (b->key)
        b = next_slot(h, b);
    *b = *block;
    h->used++;
}

/* Streams are read with their own clocks: NOW may well be before the entry's time. */
static bool is_young(const struct heap *h, const struct heap_block *b, uint32_t now)
{
    return (int32_t)(now - b->time) < (h->late ? DEAD_KEEP_TIME_LATE : DEAD_KEEP_TIME);
}

/*
 * How many slots for KEPT entries. A quarter free where nearly all of them live: 32 bytes a block. Where many are dead
 * the next second brings as many again, so there is room for twice as many; in a small table for more: growing it by an
 * eighth at a time cost a python3 of 80,000 blocks 50 ms of 300, and a C++ program of 500,000 40 ms of 280.
 */
static size_t slots_for(const struct heap *h, size_t kept)
{
    bool many_dead = kept - h->live_count > h->live_count / 8;
    size_t slots = kept < SMALL_SLOTS / 4 * 3 ? kept / 3 * 8 : many_dead ? kept * 2 : kept / 3 * 4;

    return slots > FIRST_SLOTS ? slots : FIRST_SLOTS;
}

/* A new table without the dead entries that nothing can refer to any more. */
static void rehash(struct heap *h, uint32_t now)
{
    struct heap_block *old = h->blocks;
    size_t old_slots = h->slots, kept = 0;

    for (size_t i = 0; i < old_slots; i++)
        kept += old[i].key && (is_live(&old[i]) || is_young(h, &old[i], now));
    h->slots = slots_for(h, kept);
    h->full = h->slots / 32 * (h->slots > SMALL_SLOTS ? 27 : 24);
    h->blocks = table_new(h->slots);
    h->used = 0;
    for (size_t i = 0; i < old_slots; i++)
        if (old[i].key && (is_live(&old[i]) || is_young(h, &old[i], now)))
            insert(h, &old[i]);
    if (old)
        munmap(old, old_slots * sizeof(*old));
}

/* The entry of ADDRESS, or an empty slot for it: if need be that of a dead entry on the way to the next free one. */
static struct heap_block *find(struct heap *h, uint64_t address, uint32_t now)
{
    struct heap_block *b, *dead = NULL;
    uint64_t key = address >> 3;

    if (h->used >= h->full)
        rehash(h, now);
    for (b = &h->blocks[slot_of(h, address)]; b->key; b = next_slot(h, b)) {
        if ((b->key & ~LIVE_BIT) == key)
            return b;
        if (!dead && !is_live(b) && !is_young(h, b, now))
            dead = b;
    }
    if (!dead)
        return b;
    dead->key = 0; /* until the caller fills it, which it does at once */
    h->used--;
    return dead;
}

void heap_prefetch(const struct heap *h, uint64_t address)
{
    if (h->slots)
        __builtin_prefetch(&h->blocks[slot_of(h, address)], 1);
}

size_t heap_table_bytes(const struct heap *h)
{
    return h->slots * sizeof(struct heap_block);
}

void heap_forget_blocks(struct heap *h)
{
    if (h->blocks)
        munmap(h->blocks, h->slots * sizeof(*h->blocks));
    h->blocks = NULL;
    h->slots = h->used = h->full = h->live_count = 0;
    h->live_bytes = 0;
}

void heap_release(struct heap *h)
{
    heap_forget_blocks(h);
    free(h->sites);
    memset(h, 0, sizeof(*h));
}

void heap_restart(struct heap *h)
{
    for (size_t i = 0; i < h->site_count; i++) {
        struct heap_site *site = &h->sites[i];

        site->count = site->bytes = site->freed = site->temporary = 0;
        memset(site->lifetimes, 0, sizeof(site->lifetimes));
    }
    h->allocations = h->frees = h->bytes = h->temporary = 0;
    h->unmatched_frees = h->late_closed = 0;
    memset(h->by_size, 0, sizeof(h->by_size));
}

/* ---- sites ---- */

uint32_t heap_add_site(struct heap *h, uint32_t node)
{
    if (h->site_count == SITES_MAX)
        return HEAP_NO_SITE;
    GROW(h->sites, h->site_count + 1, h->site_cap);
    memset(&h->sites[h->site_count], 0, sizeof(*h->sites));
    h->sites[h->site_count].node = node;
    return (uint32_t)h->site_count++;
}

unsigned heap_lifetime_class(uint32_t born, uint32_t died)
{
    uint64_t us = (uint64_t)(died - born) << HEAP_TIME_SHIFT;
    unsigned class;

    us /= 1000;
    class = us ? 64 - (unsigned)__builtin_clzll(us) : 0;
    return class < HEAP_LIFETIMES ? class : HEAP_LIFETIMES - 1;
}

/* Before the first change since a peak, what lived then is put down. */
static void note_peak(struct heap_site *site, uint32_t peak_mark)
{
    if (site->peak_mark != peak_mark) {
        site->peak_mark = peak_mark;
        site->peak_bytes = site->live_bytes;
    }
}

static void site_opened(struct heap *h, uint32_t index, uint64_t size, uint32_t peak_mark)
{
    struct heap_site *site = &h->sites[index];

    note_peak(site, peak_mark);
    site->live_bytes += size;
    site->live_count++;
    h->live_bytes += size;
    h->live_count++;
}

static struct heap_change close_block(struct heap *h, const struct heap_block *b, bool temporary, uint32_t time,
                                      uint32_t peak_mark)
{
    struct heap_change change = {.freed_site = b->site_size & HEAP_NO_SITE,
                                 .freed_bytes = (uint64_t)(b->site_size >> 24) << 32 | b->size_low};
    struct heap_site *site = &h->sites[change.freed_site];

    note_peak(site, peak_mark);
    site->live_bytes -= change.freed_bytes;
    site->live_count--;
    site->freed++;
    site->temporary += temporary;
    site->lifetimes[heap_lifetime_class(b->time, time)]++;
    h->temporary += temporary;
    h->live_bytes -= change.freed_bytes;
    h->live_count--;
    return change;
}

static void count_alloc(struct heap *h, uint32_t site, uint64_t size)
{
    h->sites[site].count++;
    h->sites[site].bytes += size;
    h->allocations++;
    h->bytes += size;
    h->by_size[rs_size_class(size)]++;
}

/* ---- events ---- */

/* Whether an event at TIME with NUMBER is later than what B is of. No event waits for a minute behind a later one. */
static bool is_later(const struct heap_block *b, uint32_t number, uint32_t time)
{
    return (int32_t)(time - b->time) > MINUTE || (int32_t)(number - b->number) > 0;
}

struct heap_change heap_alloc(struct heap *h, uint64_t address, uint32_t number, uint32_t site, uint64_t size,
                              uint32_t time, uint32_t peak_mark)
{
    struct heap_change change = {.freed_site = HEAP_NO_SITE};
    struct heap_block *b = find(h, address, time);

    if (size > SIZE_MAX_KEPT)
        size = SIZE_MAX_KEPT;
    count_alloc(h, site, size);
    if (b->key && !is_later(b, number, time)) {
        h->late_closed++;
        h->sites[site].freed++;
        h->sites[site].lifetimes[heap_lifetime_class(time, is_live(b) ? time : b->time)]++;
        return (struct heap_change){.freed_site = site, .freed_bytes = size};
    }
    if (is_live(b)) {
        h->late_closed++;
        change = close_block(h, b, false, time, peak_mark);
    }
    h->used += !b->key;
    *b = (struct heap_block){.key = address >> 3 | LIVE_BIT,
                             .number = number,
                             .site_size = site | (uint32_t)(size >> 32) << 24,
                             .size_low = (uint32_t)size,
                             .time = time};
    site_opened(h, site, size, peak_mark);
    return change;
}

struct heap_change heap_free(struct heap *h, uint64_t address, uint32_t number, bool temporary, uint32_t time,
                             uint32_t peak_mark)
{
    struct heap_change change = {.freed_site = HEAP_NO_SITE};
    struct heap_block *b = find(h, address, time);

    h->frees++;
    if (b->key && !is_later(b, number, time)) {
        h->unmatched_frees++;
        return change;
    }
    if (is_live(b))
        change = close_block(h, b, temporary, time, peak_mark);
    else
        h->unmatched_frees++;
    h->used += !b->key;
    b->key = address >> 3;
    b->number = number;
    b->time = time;
    return change;
}

void heap_count(struct heap *h, uint32_t site, uint64_t count, uint64_t bytes, bool freed, bool temporary)
{
    struct heap_site *s = &h->sites[site];

    s->count += count;
    s->bytes += bytes;
    h->allocations += count;
    h->bytes += bytes;
    if (freed) {
        s->freed += count;
        s->lifetimes[0] += (uint32_t)count;
        h->frees += count;
    }
    if (temporary) {
        s->temporary += count;
        h->temporary += count;
    }
}

uint64_t heap_unknown_frees(const struct heap *h)
{
    return h->unmatched_frees > h->late_closed ? h->unmatched_frees - h->late_closed : 0;
}

void heap_foreach(const struct heap *h, heap_block_fn fn, void *ctx)
{
    for (size_t i = 0; i < h->slots; i++) {
        const struct heap_block *b = &h->blocks[i];

        if (is_live(b))
            fn(ctx, (b->key & ~LIVE_BIT) << 3, (uint64_t)(b->site_size >> 24) << 32 | b->size_low,
               b->site_size & HEAP_NO_SITE, b->time, !h->lossy || (int32_t)(b->time - h->lossy_time) > 0);
    }
}
