/* SPDX-License-Identifier: MIT */
/*
 * How fast the CLI's reader drains a slab into the table of live blocks, on one core:
 *
 *     bench_reader [LIVE_BLOCKS [CALL_PATHS]]      without arguments: 10,000 and 1,000,000 blocks of 256 call paths
 *
 * A program with LIVE_BLOCKS blocks frees one of them at random and allocates another, which gets the address of one
 * that was freed before, again and again. That is the worst that an allocator does to the reader: no event finds its
 * block in a cache that the one before has filled. 200 pages of the slab (80,000 events) are filled as the shim fills
 * them and drained by one pass, which alone is timed, in CPU time. Printed are the medians of 60 passes, in million
 * events a second, and the bytes that the table takes. Bounds: 30 M/s with 10,000 live blocks, 8 M/s with 1,000,000.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/alloc.h"
#include "collect/channel/reader.h"
#include "core/clock.h"

enum { PAGES = 200, PASSES = 60, HEAD_PAGES = 2, WAITING = 1024 };

struct program {
    uint64_t *live;
    size_t live_count;
    uint64_t waiting[WAITING]; /* freed addresses */
    uint32_t sequence[RS_SEQUENCE_COUNTERS];
    uint32_t paths, frame_seq;
    uint64_t random;
};

static struct slab slab;
static struct reader reader;

static uint64_t next_random(struct program *p)
{
    p->random ^= p->random << 13, p->random ^= p->random >> 7, p->random ^= p->random << 17;
    return p->random * 0x2545f4914f6cdd1du >> 16;
}

static uint32_t draw(struct program *p, uint64_t address)
{
    return p->sequence[rs_sequence_slot(address)]++;
}

static void put_alloc(struct program *p, struct rs_frame_header *frame, uint64_t *last, uint64_t address)
{
    uint32_t *to = (uint32_t *)(void *)((char *)frame + frame->written);
    uint32_t node = 1 + (uint32_t)(next_random(p) % p->paths), size = 16 + (uint32_t)(next_random(p) % 48);
    int32_t delta = (int32_t)((int64_t)(address - *last) / 8);

    to[0] = RS_WORD_ALLOC | size << 4 | node << 16;
    to[1] = node >> 16 | (uint32_t)delta << 8;
    to[2] = draw(p, address);
    frame->written += 12;
    *last = address;
}

static void put_free(struct program *p, struct rs_frame_header *frame, uint64_t *last, uint64_t address)
{
    uint32_t *to = (uint32_t *)(void *)((char *)frame + frame->written);

    to[0] = RS_WORD_FREE | (uint32_t)((int64_t)(address - *last) / 8) << 3;
    to[1] = draw(p, address);
    frame->written += 8;
    *last = address;
}

static struct rs_frame_header *begin_page(struct program *p, uint32_t page)
{
    struct rs_frame_header *frame = slab_page(&slab, page);

    *frame = (struct rs_frame_header){.magic = RS_FRAME_MAGIC,
                                      .version = RS_WIRE_VERSION,
                                      .source = RS_SOURCE_SHIM,
                                      .image = 1,
                                      .thread = 1,
                                      .seq = ++p->frame_seq,
                                      .tick = reader.tick,
                                      .clock_ns = rs_clock_mono_ns(),
                                      .base = p->live[0],
                                      .written = sizeof(*frame)};
    return frame;
}

static void end_page(uint32_t page, struct rs_frame_header *frame)
{
    frame->closed = frame->written;
    slab.states[page] = RS_PAGE_FULL;
    if (slab.header->highest <= page)
        slab.header->highest = page + 1;
}

/* Pages of events: first what makes the blocks (*MADE of them are), then a free and an allocation in turns. */
static void fill(struct program *p, size_t *made)
{
    for (uint32_t page = 0; page < PAGES; page++) {
        struct rs_frame_header *frame = begin_page(p, page);
        uint64_t last = frame->base;

        while (frame->written + 20 <= RS_FRAME_BYTES) {
            if (*made < p->live_count) {
                put_alloc(p, frame, &last, p->live[(*made)++]);
            } else {
                uint64_t *victim = &p->live[next_random(p) % p->live_count];
                uint64_t *next = &p->waiting[next_random(p) % WAITING], freed = *victim;

                put_free(p, frame, &last, freed);
                *victim = *next;
                *next = freed;
                put_alloc(p, frame, &last, *victim);
            }
        }
        end_page(page, frame);
    }
}

static uint64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Million events a second. */
static double drain(void)
{
    uint64_t start = cpu_ns(), before = reader.events;

    reader_pass(&reader, rs_clock_mono_ns(), false);
    return (double)(reader.events - before) * 1e3 / (double)(cpu_ns() - start);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void open_slab(void)
{
    slab = (struct slab){.fifo_fd = -1, .fd = -1, .page_count = PAGES, .full = true};
    slab.map_bytes = (HEAD_PAGES + PAGES) * (size_t)RS_FRAME_BYTES;
    slab.header = mmap(NULL, slab.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (slab.header == MAP_FAILED)
        exit(1);
    slab.states = (_Atomic uint32_t *)(void *)((char *)slab.header + RS_SLAB_STATES_OFFSET);
    slab.pages = (char *)slab.header + HEAD_PAGES * RS_FRAME_BYTES;
}

static void measure(size_t live_count, uint32_t paths)
{
    struct program p = {.live_count = live_count, .paths = paths, .random = 88172645463325252u};
    const struct heap *heap;
    double rates[PASSES];
    uint64_t address = 0x555555560000u;
    size_t made = 0;

    open_slab();
    reader_init(&reader, &slab);
    reader_pass(&reader, rs_clock_mono_ns(), false);
    p.live = xcalloc(live_count, sizeof(*p.live));
    for (size_t i = 0; i < live_count + WAITING; i++) {
        *(i < live_count ? &p.live[i] : &p.waiting[i - live_count]) = address;
        address += 32 + 16 * (next_random(&p) % 4);
    }
    while (made < live_count) {
        fill(&p, &made);
        drain();
    }
    for (unsigned i = 0; i < PASSES; i++) {
        fill(&p, &made);
        rates[i] = drain();
        reader.row_count = reader.level_count = 0; /* as channel.c takes them */
    }
    qsort(rates, PASSES, sizeof(*rates), by_value);
    heap = &reader.images[0]->heap;
    if (heap->live_count != live_count || heap_unknown_frees(heap)) {
        fprintf(stderr, "bench_reader: %zu blocks live, not %zu\n", heap->live_count, live_count);
        exit(1);
    }
    printf("%7zu live blocks, %u call paths: %5.1f M events/s (slowest tenth %.1f), %.1f bytes a live block\n",
           live_count, paths, rates[PASSES / 2], rates[PASSES / 10],
           (double)heap_table_bytes(heap) / (double)live_count);
    reader_release(&reader);
    munmap(slab.header, slab.map_bytes);
    free(p.live);
}

int main(int argc, char **argv)
{
    uint32_t paths = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 256;

    if (argc > 1) {
        measure(strtoul(argv[1], NULL, 10), paths);
        return 0;
    }
    measure(10000, paths);
    measure(1000000, paths);
    return 0;
}
