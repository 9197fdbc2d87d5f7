/* SPDX-License-Identifier: MIT */
#include "core/scopes.h"

#include <string.h>

#include "core/histogram.h"
#include "core/welford.h"

void rs_scope_stats_init(struct rs_scope_stats *s)
{
    memset(s, 0, sizeof(*s));
    s->min_ticks = UINT64_MAX;
    s->budget_ticks = UINT64_MAX;
}

static struct rs_exact exact_of(const struct rs_scope_stats *s)
{
    return (struct rs_exact){s->timed, s->total_ticks, s->square_lo, s->square_hi};
}

void rs_scope_stats_merge(struct rs_scope_stats *into, const struct rs_scope_stats *from)
{
    struct rs_exact sum = exact_of(into), other = exact_of(from);
    struct rs_welford running = {into->timed, into->mean_ticks, into->m2_ticks};
    struct rs_welford other_running = {from->timed, from->mean_ticks, from->m2_ticks};

    rs_exact_merge(&sum, &other);
    rs_welford_merge(&running, &other_running);
    into->calls += from->calls;
    into->timed = sum.count;
    into->total_ticks = sum.sum;
    into->square_lo = sum.square_lo;
    into->square_hi = sum.square_hi;
    into->mean_ticks = running.mean;
    into->m2_ticks = running.m2;
    into->self_ticks += from->self_ticks;
    into->alloc_bytes += from->alloc_bytes;
    into->outliers += from->outliers;
    into->violations += from->violations;
    if (from->min_ticks < into->min_ticks)
        into->min_ticks = from->min_ticks;
    if (from->max_ticks > into->max_ticks)
        into->max_ticks = from->max_ticks;
    if (from->budget_ticks < into->budget_ticks)
        into->budget_ticks = from->budget_ticks;
    if (from->worst_violation.ticks > into->worst_violation.ticks)
        into->worst_violation = from->worst_violation;
    if (from->max_open > into->max_open)
        into->max_open = from->max_open;
}

void rs_scope_task_merge(struct rs_scope_task *into, const struct rs_scope_task *from)
{
    into->started += from->started;
    into->completed += from->completed;
    into->cancelled += from->cancelled;
    into->polls += from->polls;
    into->busy_ticks += from->busy_ticks;
    into->idle_ticks += from->idle_ticks;
    into->scheduled_ticks += from->scheduled_ticks;
    into->first_delay_ticks += from->first_delay_ticks;
    into->lifetime_ticks += from->lifetime_ticks;
    if (from->max_poll_ticks > into->max_poll_ticks)
        into->max_poll_ticks = from->max_poll_ticks;
}

void rs_scope_worst_add(struct rustscope_worst *kept, const struct rustscope_worst *one)
{
    struct rustscope_worst *mildest = kept;

    for (int i = 1; i < RUSTSCOPE_WORST_KEPT; i++)
        if (kept[i].sigmas < mildest->sigmas)
            mildest = &kept[i];
    if (one->sigmas > mildest->sigmas)
        *mildest = *one;
}

void rs_scope_worst_merge(struct rustscope_worst *into, const struct rustscope_worst *from)
{
    for (int i = 0; i < RUSTSCOPE_WORST_KEPT; i++)
        if (from[i].sigmas > 0)
            rs_scope_worst_add(into, &from[i]);
}

/* Frames of the site that can be open at once when this path is the innermost. */
static uint32_t recursion_of(const struct rs_scope_path *paths, size_t at)
{
    uint32_t site = paths[at].site, recursion = 0;

    for (; at; at = paths[at].parent)
        if (paths[at].site == site)
            recursion += paths[at].stats.max_open > 1 ? paths[at].stats.max_open : 1;
    return recursion;
}

static double total_of(const struct rs_scope_stats *s)
{
    double total = (double)s->total_ticks;

    return s->timed && s->timed < s->calls ? total / (double)s->timed * (double)s->calls : total;
}

void rs_scope_finish(struct rs_scope_path *paths, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct rs_scope_path *p = &paths[i];

        p->depth = i ? paths[p->parent].depth + 1 : 0;
        p->recursion = recursion_of(paths, i);
        p->estimated = p->stats.timed < p->stats.calls;
        p->seen = p->stats.calls || p->task.started;
        p->self_ticks = (double)p->stats.self_ticks;
        p->total_ticks = total_of(&p->stats);
        p->children_ticks = 0;
    }
    /* Children come after their parents: going backwards, each is whole before its parent is looked at. */
    for (size_t i = count; i-- > 1;) {
        struct rs_scope_path *p = &paths[i], *parent = &paths[p->parent];

        if (p->stats.max_open > 1)
            p->total_ticks = p->self_ticks + p->children_ticks;
        else if (p->estimated)
            p->self_ticks = p->total_ticks > p->children_ticks ? p->total_ticks - p->children_ticks : 0;
        parent->children_ticks += p->total_ticks;
        parent->estimated |= p->estimated;
        parent->seen |= p->seen;
    }
}

/* Hot enough to matter nowhere, and libm is not linked into other people's programs. */
static double square_root(double x)
{
#if defined(__x86_64__)
    double root;

    __asm__("sqrtsd %1, %0" : "=x"(root) : "x"(x));
    return root;
#elif defined(__aarch64__)
    double root;

    __asm__("fsqrt %d0, %d1" : "=w"(root) : "w"(x));
    return root;
#else
    double root = x > 1 ? x : 1;

    for (int i = 0; i < 64; i++)
        root = (root + x / root) / 2;
    return root;
#endif
}

static void figures(const struct rs_scope_stats *s, const uint64_t *histogram, double ns_per_tick,
                    struct rustscope_function *out)
{
    struct rs_exact sum = exact_of(s);
    double min = s->timed ? (double)s->min_ticks : 0, max = (double)s->max_ticks;

    out->calls = s->calls;
    out->timed_calls = s->timed;
    out->min_ns = min * ns_per_tick;
    out->max_ns = max * ns_per_tick;
    out->mean_ns = rs_exact_mean(&sum) * ns_per_tick;
    out->stddev_ns = square_root(rs_exact_variance(&sum)) * ns_per_tick;
    if (histogram) {
        out->p50_ns = rs_histogram_quantile(histogram, 0.50, min, max) * ns_per_tick;
        out->p95_ns = rs_histogram_quantile(histogram, 0.95, min, max) * ns_per_tick;
        out->p99_ns = rs_histogram_quantile(histogram, 0.99, min, max) * ns_per_tick;
    }
    out->alloc_bytes = s->alloc_bytes;
    out->outlier_count = s->outliers;
    out->budget_violations = s->violations;
    if (s->budget_ticks != UINT64_MAX && (double)s->budget_ticks * ns_per_tick < 9e18)
        out->budget_ns = (uint64_t)((double)s->budget_ticks * ns_per_tick + 0.5);
}

static void name_figures(const struct rs_scope_site *site, struct rustscope_function *out)
{
    memset(out, 0, sizeof(*out));
    out->size = sizeof(*out);
    out->name = site->name;
    out->file = site->file;
    out->line = site->line;
}

void rs_scope_path_figures(const struct rs_scope_path *path, const struct rs_scope_site *site, double ns_per_tick,
                           struct rustscope_function *out)
{
    name_figures(site, out);
    figures(&path->stats, path->histogram, ns_per_tick, out);
    out->total_ns = path->total_ticks * ns_per_tick;
    out->self_ns = path->self_ticks * ns_per_tick;
    out->max_depth = path->stats.calls ? path->recursion : 0;
}

static bool inside_itself(const struct rs_scope_path *paths, size_t at)
{
    uint32_t site = paths[at].site;

    for (at = paths[at].parent; at; at = paths[at].parent)
        if (paths[at].site == site)
            return true;
    return false;
}

void rs_scope_by_site(const struct rs_scope_path *paths, size_t count, size_t site_count, uint32_t *starts,
                      uint32_t *members)
{
    memset(starts, 0, (site_count + 1) * sizeof(*starts));
    for (size_t i = 1; i < count; i++)
        starts[paths[i].site + 1]++;
    for (size_t site = 0; site < site_count; site++)
        starts[site + 1] += starts[site];
    for (size_t i = 1; i < count; i++)
        members[starts[paths[i].site]++] = (uint32_t)i;
    /* Each start has moved to the next site's. */
    memmove(starts + 1, starts, site_count * sizeof(*starts));
    starts[0] = 0;
}

bool rs_scope_function_figures(const struct rs_scope_path *paths, const uint32_t *members, size_t count,
                               const struct rs_scope_site *site, double ns_per_tick, uint64_t *histogram,
                               struct rustscope_function *out)
{
    struct rs_scope_stats sum;
    double total = 0, self = 0;
    uint32_t depth = 0;

    rs_scope_stats_init(&sum);
    memset(histogram, 0, sizeof(*histogram) * RUSTSCOPE_HISTOGRAM_BUCKETS);
    for (size_t i = 0; i < count; i++) {
        const struct rs_scope_path *p = &paths[members[i]];

        if (!p->stats.calls)
            continue;
        rs_scope_stats_merge(&sum, &p->stats);
        if (p->histogram)
            rs_histogram_merge(histogram, p->histogram);
        self += p->self_ticks;
        depth = p->recursion > depth ? p->recursion : depth;
        if (!inside_itself(paths, members[i]))
            total += p->total_ticks;
    }
    name_figures(site, out);
    figures(&sum, histogram, ns_per_tick, out);
    /* A call that is still open has no time yet while scopes inside it do. */
    out->total_ns = (total > self ? total : self) * ns_per_tick;
    out->self_ns = self * ns_per_tick;
    out->max_depth = depth;
    return sum.calls > 0;
}

double rs_scope_unix_ms(const struct rs_scope_clock *clock, uint64_t ticks)
{
    return clock->unix_ms + (double)(int64_t)(ticks - clock->ticks) * clock->ns_per_tick / 1e6;
}
