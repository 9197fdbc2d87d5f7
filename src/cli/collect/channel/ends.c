/* SPDX-License-Identifier: MIT */
#include "collect/channel/ends.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "collect/channel/levels.h"
#include "collect/channel/reader.h"
#include "core/clock.h"

struct leak_walk {
    struct leak_site *sites;
};

static void add_leak(void *ctx, uint64_t address, uint64_t size, uint32_t site, uint32_t time, bool certain)
{
    struct leak_site *leak = &((struct leak_walk *)ctx)->sites[site];

    (void)address;
    if (!certain) {
        leak->uncertain_count++;
        return;
    }
    if (!leak->count || (int32_t)(time - leak->first_time) < 0)
        leak->first_time = time;
    if (!leak->count || (int32_t)(time - leak->last_time) > 0)
        leak->last_time = time;
    leak->bytes += size;
    leak->count++;
}

void ends_image(struct reader *r, size_t open)
{
    uint32_t index = r->open[open];
    struct image *image = r->images[index];
    struct heap *heap = &image->heap;
    struct leak_walk walk;

    walk.sites = image->leaks = xcalloc(heap->site_count + 1, sizeof(*image->leaks));
    heap_foreach(heap, add_leak, &walk);
    levels_flush(r, index);
    for (size_t i = 0; i < heap->site_count; i++)
        if (heap->sites[i].peak_mark != r->peak_mark) {
            heap->sites[i].peak_mark = r->peak_mark;
            heap->sites[i].peak_bytes = heap->sites[i].live_bytes;
        }
    r->live_bytes -= heap->live_bytes;
    r->outside_bytes -= image->outside_bytes;
    heap_forget_blocks(heap);
    image->end_ns = rs_clock_mono_ns();
    image->finished = true;
    exits_forget(r->exits, image->exit_handle);
    image->exit_handle = -1;
    r->open[open] = r->open[--r->open_count];
    GROW(r->over, r->over_count + 1, r->over_cap);
    r->over[r->over_count++] = index;
}

void ends_of_pass(struct reader *r)
{
    for (size_t i = r->open_count; i-- > 0;)
        if (r->images[r->open[i]]->draining) {
            levels_note(r);
            ends_image(r, i);
        }
}

void reader_wait(struct reader *r, int timeout_ms)
{
    uint32_t ended[64];
    size_t count = exits_wait(r->exits, timeout_ms, ended, sizeof(ended) / sizeof(*ended));

    for (size_t i = 0; i < count; i++)
        r->images[ended[i]]->ended = true;
}
