/* SPDX-License-Identifier: MIT */
#include "collect/channel/reader.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/proc_view.h"
#include "collect/channel/decode.h"
#include "collect/channel/ends.h"
#include "collect/channel/images.h"
#include "collect/channel/levels.h"
#include "collect/channel/pages.h"
#include "core/clock.h"

static uint64_t own_pid_namespace(void)
{
    char path[32];
    struct stat st;

    return stat(proc_path(path, sizeof(path), "self/ns/pid"), &st) ? 0 : st.st_ino;
}

void reader_init(struct reader *r, struct slab *slab)
{
    memset(r, 0, sizeof(*r));
    r->slab = slab;
    r->exits = exits_new();
    r->pid_ns = own_pid_namespace();
    r->peak_mark = 1;
    pages_init(r);
}

void reader_release(struct reader *r)
{
    for (size_t i = 0; i < r->image_count; i++)
        image_release(r, r->images[i]);
    for (size_t i = 0; i < r->stream_count; i++)
        free(r->streams[i]);
    pages_release(r);
    exits_free(r->exits);
    free(r->images);
    free(r->image_slots);
    free(r->open);
    free(r->over);
    free(r->streams);
    free(r->stream_slots);
    free(r->rows);
    free(r->levels);
    free(r->records);
    memset(r, 0, sizeof(*r));
}

/* After a pause that writers took for our end: what they freed meanwhile may still be in the tables. */
static void note_blindness(struct reader *r, uint32_t tick_before, uint64_t now_ns)
{
    uint32_t away = r->tick - tick_before;

    if (!tick_before || !r->slab->header || away <= RS_DEAD_TICKS)
        return;
    r->blind_ticks += away - RS_DEAD_TICKS;
    r->blind_time = (uint32_t)(now_ns >> HEAP_TIME_SHIFT);
    for (size_t i = 0; i < r->open_count; i++) {
        struct heap *heap = &r->images[r->open[i]]->heap;

        heap->lossy = true;
        heap->lossy_time = r->blind_time;
    }
}

uint64_t reader_pass(struct reader *r, uint64_t now_ns, bool final)
{
    uint64_t before = r->events + r->frames;
    uint32_t tick_before = r->tick;
    bool any_ended = final;

    r->tick = slab_publish_tick(r->slab, now_ns);
    note_blindness(r, tick_before, now_ns);
    if (!r->done_tick)
        r->done_tick = r->tick - 1;
    for (size_t i = 0; i < r->open_count; i++) {
        struct image *image = r->images[r->open[i]];

        image->draining = image->ended;
        any_ended |= image->ended;
    }
    fifo_read(r);
    if (r->slab->header) {
        pages_read(r, final, r->tick / READER_LEVEL_TICKS != r->done_tick / READER_LEVEL_TICKS);
        slab_grow(r->slab, r->frames > PAGES_BUSY_FRAMES);
    }
    levels_close_tick(r, r->tick - 1);
    if (any_ended)
        ends_of_pass(r);
    return r->events + r->frames - before;
}

void reader_restart(struct reader *r)
{
    for (uint32_t i = 0; i < r->image_count; i++) {
        levels_flush(r, i);
        heap_restart(&r->images[i]->heap);
        r->images[i]->peak_bytes = r->images[i]->heap.live_bytes;
        r->images[i]->outside_peak_bytes = r->images[i]->outside_bytes;
        r->images[i]->dropped_allocations = r->images[i]->lost_frees = 0;
    }
    r->row_count = r->level_count = r->records_len = 0;
    r->peak_bytes = r->interval_alloc_bytes = 0;
    r->interval_peak_bytes = r->live_bytes;
    r->outside_peak_bytes = r->outside_bytes;
    r->peak_mark++;
    r->events = 0;
}

void reader_finish(struct reader *r, uint64_t now_ns)
{
    (void)now_ns;
    levels_note(r);
    while (r->open_count)
        ends_image(r, r->open_count - 1);
    r->done_tick++;
    levels_push(r, READER_ALL, 0, r->interval_peak_bytes, r->interval_alloc_bytes);
    r->interval_alloc_bytes = 0;
}
