/* SPDX-License-Identifier: MIT */
#include "collect/channel/statistics.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/clock.h"

enum {
    LEAKS_MAX = 1000,
    LEAKS_ROOM = 8 * LEAKS_MAX, /* so many are gathered before the smallest go */
};

struct statistics_node {
    struct alloc_stats stats;
    uint32_t peak_mark; /* the peak that stats.peak_bytes is of */
    uint64_t lifetimes[HEAP_LIFETIMES];
};

static uint64_t median_lifetime_us(const uint64_t *lifetimes)
{
    uint64_t total = 0, seen = 0;

    for (unsigned i = 0; i < HEAP_LIFETIMES; i++)
        total += lifetimes[i];
    for (unsigned i = 0; total && i < HEAP_LIFETIMES; i++) {
        seen += lifetimes[i];
        if (seen * 2 >= total)
            return i ? 1ull << (i - 1) : 0;
    }
    return 0;
}

static void merge_site(struct carry *c, struct statistics_node *to, const struct heap_site *site,
                       const struct leak_site *leak)
{
    struct allocations *a = &c->session->allocations;

    to->stats.count += site->count;
    to->stats.bytes += site->bytes;
    to->stats.temporary += site->temporary;
    to->stats.leaked_bytes += leak->bytes;
    to->stats.leaked_count += leak->count;
    if (site->peak_mark == c->reader->peak_mark) {
        /* What images that ended before held at an earlier peak is not of this one. */
        if (to->peak_mark != site->peak_mark)
            to->stats.peak_bytes = 0;
        to->peak_mark = site->peak_mark;
        to->stats.peak_bytes += site->peak_bytes;
    }
    for (unsigned i = 0; i < HEAP_LIFETIMES; i++) {
        to->lifetimes[i] += site->lifetimes[i];
        a->lifetimes[i] += site->lifetimes[i];
    }
}

static uint64_t heap_time_ns(uint32_t time)
{
    uint64_t now = rs_clock_mono_ns() >> HEAP_TIME_SHIFT;

    return (now - (uint32_t)((uint32_t)now - time)) << HEAP_TIME_SHIFT;
}

static int by_leaked_bytes(const void *a, const void *b)
{
    const struct leak *x = a, *y = b;

    return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : x->node < y->node ? -1 : x->node > y->node;
}

/* The largest stay; the totals have all of them. */
static void fold_leaks(struct session *s)
{
    struct allocations *a = &s->allocations;

    if (a->leak_count)
        qsort(a->leaks, a->leak_count, sizeof(*a->leaks), by_leaked_bytes);
    if (a->leak_count > LEAKS_MAX) {
        session_count_folded(s, "leaks", a->leak_count - LEAKS_MAX);
        a->leak_count = LEAKS_MAX;
    }
}

static void add_leak(struct carry *c, const struct image *image, int32_t node, const struct leak_site *leak)
{
    struct session *s = c->session;
    struct allocations *a = &s->allocations;

    a->leaked_bytes += leak->bytes;
    a->leaked_count += leak->count;
    if (!a->leaks)
        a->leaks = xreallocarray(NULL, LEAKS_ROOM, sizeof(*a->leaks));
    if (a->leak_count == LEAKS_ROOM)
        fold_leaks(s);
    a->leaks[a->leak_count++] = (struct leak){.node = node,
                                              .process = image->process >= 0 ? (uint32_t)image->process : 0,
                                              .bytes = leak->bytes,
                                              .count = leak->count,
                                              .first_ns = session_at(s, heap_time_ns(leak->first_time)),
                                              .last_ns = session_at(s, heap_time_ns(leak->last_time))};
}

/* The statistics of session node NODE. */
static struct statistics_node *node_of(struct statistics *st, int32_t node)
{
    while ((size_t)node >= st->count) {
        GROW(st->nodes, st->count + 1, st->cap);
        memset(st->nodes + st->count, 0, (st->cap - st->count) * sizeof(*st->nodes));
        st->count = st->cap;
    }
    return &st->nodes[node];
}

static void add_image(struct statistics *st, struct carry *c, struct image *image)
{
    struct session *s = c->session;
    struct allocations *a = &s->allocations;
    struct diagnostics *d = &s->diagnostics;
    uint64_t leaked_bytes = 0, leaked_count = 0, unknown = heap_unknown_frees(&image->heap);

    for (size_t i = 0; i < image->heap.site_count; i++) {
        int32_t node = carry_node(c, image, image->heap.sites[i].node);

        if (node < 0)
            continue;
        merge_site(c, node_of(st, node), &image->heap.sites[i], &image->leaks[i]);
        leaked_bytes += image->leaks[i].bytes;
        leaked_count += image->leaks[i].count;
        st->uncertain += image->leaks[i].uncertain_count;
        if (image->leaks[i].count)
            add_leak(c, image, node, &image->leaks[i]);
    }
    a->total_allocations += image->heap.allocations;
    a->total_deallocations += image->heap.frees;
    a->total_bytes += image->heap.bytes;
    a->temporary += image->heap.temporary;
    a->outside_left_bytes += image->outside_bytes;
    for (unsigned i = 0; i < ALLOC_SIZE_CLASSES; i++)
        a->by_size[i] += image->heap.by_size[i];
    d->events_dropped += image->dropped_allocations + image->lost_frees;
    *(image->parent_id ? &d->inherited_frees : &d->unknown_frees) += unknown;
    if (image->process >= 0 && image->has_shim) {
        struct process *p = &s->processes[image->process];

        p->allocations += image->heap.allocations;
        p->deallocations += image->heap.frees;
        p->alloc_bytes += image->heap.bytes;
        p->leaked_bytes += leaked_bytes;
        p->leaked_allocations += leaked_count;
        p->heap_peak_bytes = image->peak_bytes;
        p->outside_peak_bytes = image->outside_peak_bytes;
        if (image->ended && !p->end_ns)
            p->end_ns = session_at(s, image->end_ns);
    }
}

void statistics_settle(struct statistics *st, struct carry *c)
{
    struct reader *r = c->reader;

    for (size_t i = 0; i < r->over_count; i++) {
        struct image *image = r->images[r->over[i]];

        add_image(st, c, image);
        st->any_shim |= image->has_shim;
        image_settle(r, image);
    }
    r->over_count = 0;
}

void statistics_restart(struct statistics *st, struct session *s)
{
    struct allocations *a = &s->allocations;
    string_id suppress_file = a->suppress_file;

    statistics_release(st);
    free(a->leaks);
    *a = (struct allocations){.suppress_file = suppress_file};
    s->diagnostics.events_dropped = s->diagnostics.inherited_frees = s->diagnostics.unknown_frees = 0;
    for (size_t i = 0; i < s->process_count; i++) {
        struct process *p = &s->processes[i];

        p->allocations = p->deallocations = p->alloc_bytes = p->leaked_bytes = p->leaked_allocations = 0;
        p->heap_peak_bytes = p->outside_peak_bytes = 0;
    }
}

void statistics_release(struct statistics *st)
{
    free(st->nodes);
    *st = (struct statistics){0};
}

void statistics_conclude(struct statistics *st, struct carry *c, bool measured)
{
    struct reader *r = c->reader;
    struct session *s = c->session;
    struct allocations *a = &s->allocations;
    size_t used = 0;

    statistics_settle(st, c);
    for (size_t i = 0; i < st->count; i++)
        used += st->nodes[i].stats.count > 0;
    a->stats = xcalloc(used, sizeof(*a->stats));
    for (size_t i = 0; i < st->count; i++) {
        struct alloc_stats *to = &a->stats[a->stats_count];

        if (!st->nodes[i].stats.count)
            continue;
        *to = st->nodes[i].stats;
        to->node = (int32_t)i;
        to->lifetime_p50_us = median_lifetime_us(st->nodes[i].lifetimes);
        if (st->nodes[i].peak_mark != r->peak_mark)
            to->peak_bytes = 0;
        a->stats_count++;
    }
    fold_leaks(s);
    a->measured = st->any_shim && measured;
    if (a->measured)
        s->diagnostics.alloc_backend = ALLOCS_SHIM;
    a->peak_bytes = r->peak_bytes;
    a->outside_peak_bytes = r->outside_peak_bytes;
    a->peak_at_ns = r->peak_tick ? session_at(s, carry_tick_ns(r->peak_tick)) : 0;
    s->diagnostics.events_received = r->events;
}
