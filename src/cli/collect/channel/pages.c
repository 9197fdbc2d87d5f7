/* SPDX-License-Identifier: MIT */
#include "collect/channel/pages.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "collect/channel/decode.h"
#include "collect/channel/images.h"
#include "collect/channel/levels.h"
#include "collect/channel/reader.h"
#include "core/clock.h"

enum {
    IDLE_TICKS = 2,  /* records of a tick are final when the clock is this far past it and the thread is in no hook */
    GROW_EVERY = 64, /* pages read between two looks at how many are free */
};

enum page_kind { PAGE_NONE, PAGE_FRAME, PAGE_COUNTS };

struct page_state {
    struct stream *stream;
    struct rs_counts_page *counts; /* as it was when we looked last */
    uint64_t last;                 /* address that the next packed record counts from */
    uint32_t consumed, limit;
    uint32_t seq;
    enum page_kind kind;
    bool begun;
};

static uint64_t take_difference(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

static void read_counts(struct reader *r, struct page_state *p, const struct rs_counts_page *page)
{
    struct rs_counts_page now, *before = p->counts;
    struct stream *s = p->stream;
    struct image *image = s->image;
    uint64_t lost;

    memcpy(&now, page, sizeof(now));
    for (uint32_t i = 0; i < RS_COUNTS_ENTRIES; i++) {
        uint64_t temporary = take_difference(now.entry[i].temporary, before->entry[i].temporary);
        uint64_t dropped = take_difference(now.entry[i].dropped, before->entry[i].dropped);
        uint64_t bytes = take_difference(now.entry[i].bytes, before->entry[i].bytes);
        struct row_cell *cell;
        uint32_t site;

        if (!temporary && !dropped && !bytes)
            continue;
        site = image_site(r, image, now.entry[i].node);
        heap_count(&image->heap, site, temporary, bytes, true, true);
        heap_count(&image->heap, site, dropped, 0, false, false);
        image->dropped_allocations += dropped;
        cell = levels_cell(r, s, site);
        cell->bytes += (int64_t)bytes;
        cell->count += (int64_t)(temporary + dropped);
        r->interval_alloc_bytes += bytes;
        r->events += temporary;
    }
    for (unsigned i = 0; i < RS_SIZE_CLASSES; i++)
        image->heap.by_size[i] += take_difference(now.by_size[i], before->by_size[i]);
    lost = take_difference(now.lost_frees, before->lost_frees) + take_difference(now.skipped, before->skipped);
    if (lost) {
        s->clock_ns = rs_clock_mono_ns();
        s->time = (uint32_t)(s->clock_ns >> HEAP_TIME_SHIFT);
        image_mark_lossy(s);
    }
    image->heap.frees += take_difference(now.lost_frees, before->lost_frees);
    image->lost_frees += take_difference(now.lost_frees, before->lost_frees);
    image->skipped += take_difference(now.skipped, before->skipped);
    image->no_stack += take_difference(now.no_stack, before->no_stack);
    image->truncated += take_difference(now.truncated, before->truncated);
    *before = now;
}

/* First look at a page that a writer has taken. False while its header is not there yet. */
static bool begin_page(struct reader *r, struct page_state *p, uint32_t page)
{
    const struct rs_frame_header *shared = slab_page(r->slab, page);
    uint32_t magic = __atomic_load_n(&shared->magic, __ATOMIC_ACQUIRE);
    struct rs_frame_header h;

    if (magic == RS_COUNTS_MAGIC) {
        struct rs_counts_page counts;

        memcpy(&counts, shared, sizeof(counts));
        h = (struct rs_frame_header){.magic = RS_FRAME_MAGIC,
                                     .version = counts.version,
                                     .source = RS_SOURCE_SHIM,
                                     .image = counts.image,
                                     .thread = counts.thread,
                                     .tid = counts.tid};
    } else {
        memcpy(&h, shared, sizeof(h));
    }
    if (magic == 0)
        return false;
    if (!decode_is_frame(&h) || !(p->stream = image_stream(r, &h)) || p->stream->image->finished) {
        p->kind = PAGE_NONE;
        p->begun = true;
        r->garbage_frames++;
        return true;
    }
    p->begun = true;
    p->kind = magic == RS_COUNTS_MAGIC ? PAGE_COUNTS : PAGE_FRAME;
    p->consumed = sizeof(h);
    p->seq = h.seq;
    if (p->kind == PAGE_COUNTS)
        p->counts = xcalloc(1, sizeof(*p->counts));
    return true;
}

/*
 * How much of the page may be read now. Records behind `closed` may still get their "freed" bit, or be taken back, by
 * hooks that run in the tick they were written in. They are final when the clock is two ticks past that one and no hook
 * is running: the owner's next hook will see the new tick, and move `closed` before anything else. That it has not done
 * so while we looked is what the second look at `closed` is for.
 */
static uint32_t readable(const struct reader *r, const struct page_state *p, const struct rs_frame_header *h, bool all)
{
    uint32_t closed = atomic_load_explicit(&h->closed, memory_order_acquire);
    uint32_t tick = p->seq == p->stream->seq ? p->stream->tick : h->tick, written;

    if (all || p->stream->image->draining) {
        closed = atomic_load_explicit(&h->written, memory_order_acquire);
    } else if (closed == p->consumed && (int32_t)(r->tick - tick) >= IDLE_TICKS &&
               !atomic_load_explicit(&h->busy, memory_order_acquire)) {
        written = atomic_load_explicit(&h->written, memory_order_acquire);
        if (atomic_load_explicit(&h->closed, memory_order_acquire) == closed)
            closed = written;
    }
    return closed > RS_FRAME_BYTES ? RS_FRAME_BYTES : closed & ~3u;
}

static void finish_page(struct reader *r, uint32_t page)
{
    struct page_state *p = &r->page_states[page];

    free(p->counts);
    *p = (struct page_state){0};
    slab_free_page(r->slab, page);
}

/* Reads of PAGE what belongs to ticks up to TICK. True when all of it that was readable is done. */
static bool read_page(struct reader *r, uint32_t page, uint32_t tick)
{
    struct page_state *p = &r->page_states[page];
    const struct rs_frame_header *shared = slab_page(r->slab, page);
    struct stream *s = p->stream;
    char copy[RS_FRAME_BYTES];
    size_t len = p->limit - p->consumed;

    if (p->seq != s->seq) {
        struct rs_frame_header h;

        memcpy(&h, shared, sizeof(h));
        decode_begin(r, s, &h);
        s->seq = p->seq;
    }
    if (!p->last) /* set with the first packed record, which may come late */
        p->last = shared->base;
    if ((int32_t)(s->tick - tick) > 0)
        return false;
    memcpy(copy, (const char *)shared + p->consumed, len);
    p->consumed += (uint32_t)decode_records(r, s, &p->last, copy, len, tick);
    return p->consumed >= p->limit;
}

/* A page that its owner is done with, and so are we, is free for the next. */
static void finish_if_read(struct reader *r, uint32_t page)
{
    if (r->page_states[page].consumed >= readable(r, &r->page_states[page], slab_page(r->slab, page), true))
        finish_page(r, page);
}

static struct reader *sorting; /* qsort has no context; one reader thread sorts */

static int by_stream_and_seq(const void *a, const void *b)
{
    const struct page_state *x = &sorting->page_states[*(const uint32_t *)a];
    const struct page_state *y = &sorting->page_states[*(const uint32_t *)b];

    if (x->stream != y->stream)
        return x->stream < y->stream ? -1 : 1;
    return (int32_t)(x->seq - y->seq) < 0 ? -1 : x->seq != y->seq;
}

/*
 * Applies PENDING pages tick by tick. A stream's pages are read in order; the first that has to wait holds up the rest
 * of its stream. Records may be of ticks that are closed already: what was held in them is looked at all the same, or a
 * peak would depend on when we came to read of it.
 */
static void read_in_order(struct reader *r, uint32_t count)
{
    uint32_t before = 0;

    for (bool first = true; count; first = false) {
        uint32_t tick = r->tick, left = 0;
        struct stream *held = NULL;

        for (uint32_t i = 0; i < count; i++) {
            const struct page_state *p = &r->page_states[r->pending[i]];

            if (i == 0 || p->stream != r->page_states[r->pending[i - 1]].stream)
                if ((int32_t)(p->stream->tick - tick) < 0)
                    tick = p->stream->tick;
        }
        if (!first && (int32_t)(tick - before) <= 0)
            tick = before + 1; /* a stream that goes back in time is read all the same */
        if ((int32_t)(tick - r->tick) > 0)
            tick = r->tick;
        before = tick;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t page = r->pending[i];
            struct stream *s = r->page_states[page].stream;

            if (s == held || !read_page(r, page, tick)) {
                held = s;
                r->pending[left++] = page;
            } else if (atomic_load_explicit(&r->slab->states[page], memory_order_relaxed) == RS_PAGE_FULL) {
                finish_if_read(r, page);
            }
            if (i % GROW_EVERY == GROW_EVERY - 1)
                slab_grow(r->slab, r->frames > PAGES_BUSY_FRAMES);
        }
        if (left == count && tick == r->tick)
            return; /* nothing moved: a stream's ticks are wrong */
        if (left && (int32_t)(tick - r->done_tick) > 0)
            levels_close_tick(r, tick);
        else if (left)
            levels_note(r);
        count = left;
    }
}

void pages_read(struct reader *r, bool final, bool look_at_counts)
{
    struct slab *slab = r->slab;
    uint32_t highest = atomic_load_explicit(&slab->header->highest, memory_order_relaxed), count = 0;

    if (highest > slab->page_count)
        highest = slab->page_count;
    /* Before the slab is full and the first event goes another way. */
    for (uint32_t i = 0; highest > slab->page_count / 2 && i < r->open_count; i++)
        r->images[r->open[i]]->heap.late = true;
    for (uint32_t i = 0; i < highest; i++) {
        uint32_t state = atomic_load_explicit(&slab->states[i], memory_order_acquire);
        struct page_state *p = &r->page_states[i];

        if (state == RS_PAGE_FREE || state == RS_PAGE_UNBACKED || (!p->begun && !begin_page(r, p, i)))
            continue;
        if (p->kind == PAGE_FRAME) {
            p->limit = readable(r, p, slab_page(slab, i), final || state == RS_PAGE_FULL);
            if (p->limit > p->consumed)
                r->pending[count++] = i;
        }
    }
    sorting = r;
    qsort(r->pending, count, sizeof(*r->pending), by_stream_and_seq);
    read_in_order(r, count);
    for (uint32_t i = 0; i < highest; i++) {
        struct page_state *p = &r->page_states[i];
        uint32_t state;
        bool over;

        if (!p->begun)
            continue;
        state = atomic_load_explicit(&slab->states[i], memory_order_acquire);
        over = p->kind == PAGE_NONE || state == RS_PAGE_FULL || final || p->stream->image->draining;
        if (p->kind == PAGE_COUNTS && (over || look_at_counts))
            read_counts(r, p, (const struct rs_counts_page *)slab_page(slab, i));
        if (over && p->kind != PAGE_FRAME)
            finish_page(r, i);
        else if (over)
            finish_if_read(r, i);
    }
}

void pages_init(struct reader *r)
{
    r->page_states = xcalloc(r->slab->page_count + 1, sizeof(*r->page_states));
    r->pending = xcalloc(r->slab->page_count + 1, sizeof(*r->pending));
}

void pages_release(struct reader *r)
{
    for (uint32_t i = 0; i < r->slab->page_count; i++)
        free(r->page_states[i].counts);
    free(r->page_states);
    free(r->pending);
}
