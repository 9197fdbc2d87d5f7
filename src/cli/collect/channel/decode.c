/* SPDX-License-Identifier: MIT */
#include "collect/channel/decode.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "collect/channel/images.h"
#include "collect/channel/levels.h"
#include "collect/channel/outside.h"
#include "collect/channel/reader.h"
#include "core/clock.h"

enum {
    /*
     * Events decoded ahead of their application, so that the table's lines are on the way. As many as a core has misses
     * under way: of 256 the first lines had left the nearest cache again, 17 instead of 22 M events/s.
     */
    BATCH = 16,
};

struct event {
    uint64_t address, size;
    uint32_t number, site;
    uint32_t flags; /* RS_ALLOC_… */
    bool is_free;
};

/* ---- applying events ---- */

static void apply_freed_at_once(struct reader *r, const struct stream *s, const struct event *e)
{
    struct row_cell *cell = levels_cell(r, s, e->site);

    heap_count(&s->image->heap, e->site, 1, e->size, true, e->flags & RS_ALLOC_TEMPORARY);
    s->image->heap.by_size[rs_size_class(e->size)]++;
    cell->bytes += (int64_t)e->size;
    cell->count++;
    r->interval_alloc_bytes += e->size;
}

static void apply_event(struct reader *r, const struct stream *s, const struct event *e)
{
    struct heap *heap = &s->image->heap;
    struct heap_change change;
    struct row_cell *cell;

    if (e->is_free) {
        change = heap_free(heap, e->address, e->number, e->flags & RS_FREE_TEMPORARY, s->time, r->peak_mark);
        r->live_bytes -= change.freed_bytes;
    } else if (e->flags & RS_ALLOC_FREED) {
        apply_freed_at_once(r, s, e);
        return;
    } else {
        change = heap_alloc(heap, e->address, e->number, e->site, e->size, s->time, r->peak_mark);
        r->live_bytes += e->size - change.freed_bytes;
        cell = levels_cell(r, s, e->site);
        cell->bytes += (int64_t)e->size;
        cell->net_bytes += (int64_t)e->size;
        cell->count++;
        r->interval_alloc_bytes += e->size;
    }
    if (change.freed_site != HEAP_NO_SITE)
        levels_cell(r, s, change.freed_site)->net_bytes -= (int64_t)change.freed_bytes;
}

static void apply_batch(struct reader *r, const struct stream *s, const struct event *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        apply_event(r, s, &events[i]);
    r->events += count;
}

/* ---- records ---- */

static void take_outside(struct reader *r, struct image *image, const char *bytes, size_t len)
{
    struct rs_wire_outside record;
    uint64_t size, before = image->outside_bytes;

    if (len < sizeof(record))
        return;
    memcpy(&record, bytes, sizeof(record));
    size = record.bytes < 0 ? -(uint64_t)record.bytes : (uint64_t)record.bytes;
    if (size > UINT64_MAX - record.address - 4096)
        return;
    size = (size + 4095) & ~(uint64_t)4095;
    if (record.kind == RS_OUTSIDE_BRK && record.bytes < 0)
        outside_change(image, record.address - size, record.address, false);
    else
        outside_change(image, record.address, record.address + size, record.bytes > 0);
    r->outside_bytes += image->outside_bytes - before;
    if (r->outside_bytes > r->outside_peak_bytes)
        r->outside_peak_bytes = r->outside_bytes;
}

static void take_counts(struct stream *s, const char *bytes, size_t len)
{
    struct rs_wire_counts record;
    struct heap *heap = &s->image->heap;

    if (len < sizeof(record))
        return;
    memcpy(&record, bytes, sizeof(record));
    heap->allocations += record.allocations;
    heap->bytes += record.bytes;
    heap->frees += record.frees;
    s->image->dropped_allocations += record.allocations;
    s->image->lost_frees += record.frees;
    if (record.frees)
        image_mark_lossy(s);
}

static void keep_record(struct reader *r, const struct stream *s, const char *bytes, size_t len)
{
    struct reader_record head = {
        .image = s->image_index, .thread = s->thread_index, .clock_ns = s->clock_ns, .bytes = (uint32_t)len};

    if (r->records_len + sizeof(head) + len > READER_RECORDS_MAX) {
        r->records_dropped++;
        return;
    }
    GROW(r->records, r->records_len + sizeof(head) + len, r->records_cap);
    memcpy(r->records + r->records_len, &head, sizeof(head));
    memcpy(r->records + r->records_len + sizeof(head), bytes, len);
    r->records_len += sizeof(head) + len;
}

static void take_record(struct reader *r, struct stream *s, unsigned kind, const char *bytes, size_t len)
{
    switch (kind) {
    case RS_RECORD_HELLO:
        image_take_hello(r, s, bytes, len);
        break;
    case RS_RECORD_MODULE:
        image_take_module(s->image, bytes, len);
        break;
    case RS_RECORD_NODE:
        image_take_node(r, s->image, bytes, len);
        break;
    case RS_RECORD_COUNTS:
        take_counts(s, bytes, len);
        break;
    case RS_RECORD_OUTSIDE:
        take_outside(r, s->image, bytes, len);
        break;
    case RS_RECORD_THREAD:
    case RS_RECORD_THREAD_END:
        break;
    default:
        if (kind >= RS_RECORD_LIB_FIRST && kind <= RS_RECORD_TIMER_LAST)
            keep_record(r, s, bytes, len);
    }
}

/* A long form of the two packed records. */
static bool take_long_event(struct reader *r, struct stream *s, unsigned kind, const char *bytes, size_t len,
                            struct event *e)
{
    struct rs_wire_alloc alloc;
    struct rs_wire_free free_;

    if (kind == RS_RECORD_ALLOC && len >= sizeof(alloc)) {
        memcpy(&alloc, bytes, sizeof(alloc));
        *e = (struct event){.address = alloc.address & ((1ull << 62) - 1),
                            .size = alloc.size < 1ull << 40 ? alloc.size : (1ull << 40) - 1,
                            .number = alloc.number,
                            .site = image_site(r, s->image, alloc.node),
                            .flags = alloc.flags};
        return true;
    }
    if (kind == RS_RECORD_FREE && len >= sizeof(free_)) {
        memcpy(&free_, bytes, sizeof(free_));
        *e = (struct event){.address = free_.address & ((1ull << 62) - 1),
                            .number = free_.number,
                            .flags = free_.flags,
                            .is_free = true};
        return true;
    }
    return false;
}

/* A tick of the past or the future is the one that we are in. */
static uint32_t sane_tick(const struct reader *r, uint32_t tick)
{
    if ((int32_t)(tick - r->done_tick) <= 0)
        return r->done_tick + 1;
    return (int32_t)(tick - r->tick) > 0 ? r->tick : tick;
}

static void stream_set_time(struct stream *s, uint32_t tick, uint64_t clock_ns)
{
    if (!clock_ns) {
        /* The tick is CLOCK_MONOTONIC / 10 ms modulo 2^32; the clock of the frame has the upper part. */
        uint64_t base = s->clock_ns / RS_TICK_NS;

        clock_ns = (base + (uint32_t)(tick - (uint32_t)base)) * RS_TICK_NS;
        if ((int32_t)(tick - (uint32_t)base) <= 0)
            clock_ns = s->clock_ns;
    }
    s->clock_ns = clock_ns;
    s->time = (uint32_t)(clock_ns >> HEAP_TIME_SHIFT);
}

size_t decode_records(struct reader *r, struct stream *s, uint64_t *last, const char *bytes, size_t len,
                      uint32_t until_tick)
{
    struct event events[BATCH];
    size_t count = 0, at = 0;
    uint32_t word[3];

    while (at + 4 <= len) {
        size_t size;

        if (count == BATCH) {
            apply_batch(r, s, events, count);
            count = 0;
        }
        memcpy(word, bytes + at, 4);
        switch (word[0] & 3) {
        case RS_WORD_ALLOC:
            size = 12;
            if (at + size > len)
                goto garbage;
            memcpy(word, bytes + at, 12);
            *last += (uint64_t)((int64_t)((int32_t)word[1] >> 8) * 8);
            *last &= (1ull << 62) - 1;
            events[count++] = (struct event){.address = *last,
                                             .size = word[0] >> 4 & RS_PACKED_SIZE_MAX,
                                             .number = word[2],
                                             .site = image_site(r, s->image, word[0] >> 16 | (word[1] & 0xff) << 16),
                                             .flags = word[0]};
            heap_prefetch(&s->image->heap, *last);
            break;
        case RS_WORD_FREE:
            size = 8;
            if (at + size > len)
                goto garbage;
            memcpy(word, bytes + at, 8);
            *last += (uint64_t)((int64_t)((int32_t)word[0] >> 3) * 8);
            *last &= (1ull << 62) - 1;
            events[count++] = (struct event){.address = *last, .number = word[1], .flags = word[0], .is_free = true};
            heap_prefetch(&s->image->heap, *last);
            break;
        case RS_WORD_RECORD:
            size = (size_t)RS_RECORD_WORDS(word[0]) * 4;
            if (!size || at + size > len)
                goto garbage;
            if (take_long_event(r, s, RS_RECORD_KIND(word[0]), bytes + at, size, &events[count])) {
                count++;
                break;
            }
            if (RS_RECORD_KIND(word[0]) == RS_RECORD_TICK && size >= 8) {
                uint32_t tick;

                memcpy(&tick, bytes + at + 4, 4);
                tick = sane_tick(r, tick);
                if ((int32_t)(tick - s->tick) > 0) {
                    apply_batch(r, s, events, count);
                    count = 0;
                    s->tick = tick;
                    if ((int32_t)(tick - until_tick) > 0)
                        return at;
                    stream_set_time(s, tick, 0);
                }
                break;
            }
            take_record(r, s, RS_RECORD_KIND(word[0]), bytes + at, size);
            break;
        default:
            goto garbage;
        }
        at += size;
    }
    apply_batch(r, s, events, count);
    return at;
garbage:
    apply_batch(r, s, events, count);
    r->garbage_records++;
    return len;
}

/* ---- frames ---- */

bool decode_is_frame(const struct rs_frame_header *h)
{
    return h->magic == RS_FRAME_MAGIC && h->version == RS_WIRE_VERSION && h->image && h->source >= RS_SOURCE_SHIM &&
           h->source <= RS_SOURCE_TIMER;
}

void decode_begin(struct reader *r, struct stream *s, const struct rs_frame_header *h)
{
    uint64_t now = rs_clock_mono_ns();

    s->seq = h->seq;
    s->tick = sane_tick(r, h->tick);
    stream_set_time(s, 0, h->clock_ns && h->clock_ns <= now ? h->clock_ns : now);
    if (h->lost != s->lost) {
        s->lost = h->lost;
        image_mark_lossy(s);
    }
    r->frames++;
    r->any = true;
}

void reader_frame(struct reader *r, const void *frame, size_t bytes)
{
    struct rs_frame_header h;
    struct stream *s;
    uint64_t last;

    if (bytes < sizeof(h) || bytes > RS_FRAME_BYTES) {
        r->garbage_frames++;
        return;
    }
    memcpy(&h, frame, sizeof(h));
    s = decode_is_frame(&h) && h.written == bytes ? image_stream(r, &h) : NULL;
    if (!s || s->image->finished) {
        r->garbage_frames++;
        return;
    }
    if (h.thread && (int32_t)(h.seq - s->seq) <= 0 && s->seq)
        return; /* had it already */
    s->image->heap.late |= h.thread != 0;
    decode_begin(r, s, &h);
    s->tick = r->tick;
    last = h.base;
    decode_records(r, s, &last, (const char *)frame + sizeof(h), bytes - sizeof(h), r->tick);
}

static size_t resync(const char *bytes, size_t len)
{
    const uint32_t magic = RS_FRAME_MAGIC;
    size_t at = 1;

    while (at + 4 <= len && memcmp(bytes + at, &magic, 4))
        at++;
    return at + 4 <= len ? at : len > 3 ? len - 3 : len;
}

/* Frames are written in one piece, but a read may end anywhere. */
void fifo_read(struct reader *r)
{
    for (int rounds = 0; rounds < 64; rounds++) {
        ssize_t n = read(r->slab->fifo_fd, r->fifo_buf + r->fifo_len, sizeof(r->fifo_buf) - r->fifo_len);
        size_t at = 0;

        if (n <= 0)
            return;
        r->fifo_len += (size_t)n;
        while (r->fifo_len - at >= sizeof(struct rs_frame_header)) {
            struct rs_frame_header h;

            memcpy(&h, r->fifo_buf + at, sizeof(h));
            if (!decode_is_frame(&h) || h.written < sizeof(h) || h.written > RS_FRAME_BYTES) {
                r->garbage_frames++;
                at += resync(r->fifo_buf + at, r->fifo_len - at);
                continue;
            }
            if (h.written > r->fifo_len - at)
                break;
            reader_frame(r, r->fifo_buf + at, h.written);
            at += h.written;
        }
        memmove(r->fifo_buf, r->fifo_buf + at, r->fifo_len - at);
        r->fifo_len -= at;
    }
}
