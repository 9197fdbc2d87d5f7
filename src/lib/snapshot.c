/* SPDX-License-Identifier: MIT */
#include "lib/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/context.h"
#include "lib/os.h"
#include "lib/registry.h"
#include "lib/scope.h"
#include "lib/state.h"

/* ---- adding up ---- */

static void add_node(struct rs_scope_path *path, const struct rustscope_node *node)
{
    const struct rs_extra *extra = __atomic_load_n(&node->extra, __ATOMIC_ACQUIRE);
    struct rustscope_worst worst[RUSTSCOPE_WORST_KEPT];
    struct rs_scope_task task;
    struct rs_scope_stats stats;

    rs_node_read(node, &stats, worst, path->histogram);
    rs_scope_stats_merge(&path->stats, &stats);
    rs_scope_worst_merge(path->worst, worst);
    if (extra) {
        rs_extra_read_task(extra, &task);
        task.polls = stats.calls;
        task.busy_ticks = stats.total_ticks;
        task.max_poll_ticks = stats.max_ticks;
        rs_scope_task_merge(&path->task, &task);
    }
}

void rs_snapshot_add_up(struct rs_scope_path *paths, uint32_t path_count, uint64_t *histograms)
{
    uint32_t resets = rs_resets();

    for (uint32_t i = 0; i < path_count; i++) {
        struct rs_path_entry entry = i ? *rs_registry_path_entry(i) : (struct rs_path_entry){0, 0};

        paths[i].parent = entry.parent;
        paths[i].site = entry.site;
        rs_scope_stats_init(&paths[i].stats);
        paths[i].histogram = histograms ? histograms + (size_t)i * RUSTSCOPE_HISTOGRAM_BUCKETS : NULL;
    }
    for (struct rs_context *c = rs_context_first(); c; c = c->next) {
        /* Its thread has not run a scope since the reset: what it holds is forgotten already. */
        if (atomic_load_explicit(&c->reset_seen, memory_order_acquire) != resets)
            continue;
        for (const struct rustscope_node *n = atomic_load_explicit(&c->nodes, memory_order_acquire); n; n = n->next)
            if (n->path < path_count)
                add_node(&paths[n->path], n);
    }
}

/* ---- snapshots ---- */

/* Places of one name in one file (two macros, the instances of a template) are one function. */
static void unite_sites(struct rustscope_snapshot *s)
{
    uint32_t capacity = 64, *slots, *first;
    size_t bytes;

    while (capacity < 2 * s->site_count)
        capacity *= 2;
    bytes = (size_t)(capacity + s->site_count) * sizeof(*slots);
    slots = rs_os_map(bytes, false);
    if (!slots)
        return;
    first = slots + capacity;
    for (uint32_t i = 1; i < s->site_count; i++) {
        const struct rs_scope_site *site = &s->sites[i];
        uint32_t hash = 5381, at;

        for (const char *p = site->name; *p; p++)
            hash = hash * 33 + (unsigned char)*p;
        for (at = hash % capacity; slots[at]; at = (at + 1) % capacity)
            if (!strcmp(s->sites[slots[at]].name, site->name) &&
                !strcmp(s->sites[slots[at]].file ? s->sites[slots[at]].file : "", site->file ? site->file : ""))
                break;
        if (!slots[at])
            slots[at] = i;
        first[i] = slots[at];
    }
    for (uint32_t i = 1; i < s->path_count; i++)
        s->paths[i].site = first[s->paths[i].site];
    rs_os_unmap(slots, bytes);
}

/* Shell sort: no memory, no recursion, a few thousand entries at most. */
static void sort_functions(struct rustscope_function *f, uint32_t count)
{
    for (uint32_t gap = count / 2; gap; gap /= 2) {
        for (uint32_t i = gap; i < count; i++) {
            struct rustscope_function tmp = f[i];
            uint32_t at = i;

            for (; at >= gap && f[at - gap].self_ns < tmp.self_ns; at -= gap)
                f[at] = f[at - gap];
            f[at] = tmp;
        }
    }
}

/* LISTS has room for a number per path and per site, and one. */
static void compute_functions(struct rustscope_snapshot *s, uint64_t *scratch, uint32_t *lists)
{
    uint32_t *starts = lists, *members = lists + s->site_count + 1;

    rs_scope_by_site(s->paths, s->path_count, s->site_count, starts, members);
    for (uint32_t site = 1; site < s->site_count; site++)
        if (rs_scope_function_figures(s->paths, members + starts[site], starts[site + 1] - starts[site],
                                      &s->sites[site], s->clock.ns_per_tick, scratch,
                                      &s->functions[s->function_count]))
            s->function_count++;
    sort_functions(s->functions, s->function_count);
}

/* Links the paths to trees (LINKS: first child, next sibling) and lists them depth first. */
static void order_paths(struct rustscope_snapshot *s, uint32_t *links)
{
    uint32_t *child = links, *sibling = links + s->path_count, at = 0;

    for (uint32_t i = s->path_count; i-- > 1;) {
        sibling[i] = child[s->paths[i].parent];
        child[s->paths[i].parent] = i;
    }
    while (at || !s->depth_first_count) {
        if (child[at]) {
            at = child[at];
        } else {
            while (at && !sibling[at])
                at = s->paths[at].parent;
            if (!at)
                break;
            at = sibling[at];
        }
        if (s->paths[at].seen)
            s->depth_first[s->depth_first_count++] = at;
    }
}

static struct rustscope_snapshot *allocate(uint32_t sites, uint32_t paths)
{
    size_t bytes = sizeof(struct rustscope_snapshot) + sites * sizeof(struct rs_scope_site) +
                   paths * sizeof(struct rs_scope_path) + (sites + paths) * sizeof(struct rustscope_function) +
                   paths * sizeof(uint32_t);
    struct rustscope_snapshot *s = rs_os_map(bytes, false);

    if (!s)
        return NULL;
    s->bytes = bytes;
    s->site_count = sites;
    s->path_count = paths;
    s->sites = (struct rs_scope_site *)(s + 1);
    s->paths = (struct rs_scope_path *)(s->sites + sites);
    s->path_figures = (struct rustscope_function *)(s->paths + paths);
    s->functions = s->path_figures + paths;
    s->depth_first = (uint32_t *)(s->functions + sites);
    return s;
}

struct rustscope_snapshot *rustscope_collect(void)
{
    uint32_t sites, paths;
    struct rustscope_snapshot *s;
    uint64_t *scratch;
    uint32_t *lists;
    size_t scratch_bytes;

    rs_init();
    paths = rs_registry_path_count(); /* before the sites: each path's site is known then */
    sites = rs_registry_site_count();
    s = allocate(sites, paths);
    scratch_bytes = ((size_t)paths + 1) * RUSTSCOPE_HISTOGRAM_BUCKETS * sizeof(uint64_t) +
                    (2 * (size_t)paths + sites + 1) * sizeof(uint32_t);
    scratch = s ? rs_os_map(scratch_bytes, false) : NULL;
    if (!scratch) {
        rustscope_snapshot_free(s);
        return NULL;
    }
    for (uint32_t i = 1; i < sites; i++) {
        const struct rs_site_entry *e = rs_registry_site_entry(i);

        s->sites[i] = (struct rs_scope_site){e->name, e->file, e->line, e->flags};
    }
    rs_snapshot_add_up(s->paths, paths, scratch + RUSTSCOPE_HISTOGRAM_BUCKETS);
    s->clock = rs_clock_now();
    unite_sites(s);
    rs_scope_finish(s->paths, paths);
    for (uint32_t i = 1; i < paths; i++)
        rs_scope_path_figures(&s->paths[i], &s->sites[s->paths[i].site], s->clock.ns_per_tick, &s->path_figures[i]);
    lists = (uint32_t *)(scratch + ((size_t)paths + 1) * RUSTSCOPE_HISTOGRAM_BUCKETS);
    compute_functions(s, scratch, lists);
    memset(lists, 0, 2 * (size_t)paths * sizeof(*lists));
    order_paths(s, lists);
    for (uint32_t i = 0; i < paths; i++)
        s->paths[i].histogram = NULL;
    rs_os_unmap(scratch, scratch_bytes);
    return s;
}

void rustscope_snapshot_free(struct rustscope_snapshot *s)
{
    if (s)
        rs_os_unmap(s, s->bytes);
}

size_t rustscope_foreach_function(const struct rustscope_snapshot *s, rustscope_function_fn fn, void *ctx)
{
    for (uint32_t i = 0; s && fn && i < s->function_count; i++)
        fn(&s->functions[i], ctx);
    return s ? s->function_count : 0;
}

size_t rustscope_foreach_path(const struct rustscope_snapshot *s, rustscope_path_fn fn, void *ctx)
{
    for (uint32_t i = 0; s && fn && i < s->depth_first_count; i++)
        fn(&s->path_figures[s->depth_first[i]], s->paths[s->depth_first[i]].depth - 1, ctx);
    return s ? s->depth_first_count : 0;
}

int rustscope_find_function(const struct rustscope_snapshot *s, const char *name, struct rustscope_function *out)
{
    size_t size = out->size;

    for (uint32_t i = 0; s && i < s->function_count; i++) {
        if (strcmp(s->functions[i].name, name))
            continue;
        memcpy(out, &s->functions[i], size < sizeof(*out) ? size : sizeof(*out));
        out->size = size;
        return 0;
    }
    return -ENOENT;
}

/* ---- assertions ---- */

static const struct {
    const char *text;
    const char *unit;
} metrics[] = {
    [RUSTSCOPE_CALLS] = {"calls", ""},
    [RUSTSCOPE_TOTAL_NS] = {"total time", " ns"},
    [RUSTSCOPE_SELF_NS] = {"self time", " ns"},
    [RUSTSCOPE_MIN_NS] = {"minimum", " ns"},
    [RUSTSCOPE_MEAN_NS] = {"mean", " ns"},
    [RUSTSCOPE_STDDEV_NS] = {"standard deviation", " ns"},
    [RUSTSCOPE_P50_NS] = {"p50", " ns"},
    [RUSTSCOPE_P95_NS] = {"p95", " ns"},
    [RUSTSCOPE_P99_NS] = {"p99", " ns"},
    [RUSTSCOPE_MAX_NS] = {"maximum", " ns"},
    [RUSTSCOPE_ALLOC_BYTES] = {"allocation", " bytes"},
    [RUSTSCOPE_OUTLIERS] = {"number of outliers", ""},
    [RUSTSCOPE_MAX_DEPTH] = {"recursion depth", ""},
};

static double metric_of(const struct rustscope_function *f, enum rustscope_metric metric)
{
    switch (metric) {
    case RUSTSCOPE_CALLS:
        return (double)f->calls;
    case RUSTSCOPE_TOTAL_NS:
        return f->total_ns;
    case RUSTSCOPE_SELF_NS:
        return f->self_ns;
    case RUSTSCOPE_MIN_NS:
        return f->min_ns;
    case RUSTSCOPE_MEAN_NS:
        return f->mean_ns;
    case RUSTSCOPE_STDDEV_NS:
        return f->stddev_ns;
    case RUSTSCOPE_P50_NS:
        return f->p50_ns;
    case RUSTSCOPE_P95_NS:
        return f->p95_ns;
    case RUSTSCOPE_P99_NS:
        return f->p99_ns;
    case RUSTSCOPE_MAX_NS:
        return f->max_ns;
    case RUSTSCOPE_ALLOC_BYTES:
        return (double)f->alloc_bytes;
    case RUSTSCOPE_OUTLIERS:
        return (double)f->outlier_count;
    case RUSTSCOPE_MAX_DEPTH:
        return f->max_depth;
    }
    return 0;
}

/* The thread's last sentence lives in its context: static TLS is scarce in a dlopened library. */
char *rs_sentence_buffer(void)
{
    uint32_t before = rs_busy_begin();
    struct rs_context *c = rs_context_get();

    if (c && !c->sentence)
        c->sentence = rs_context_alloc(c, RS_SENTENCE_BYTES);
    rs_busy_end(before);
    return c ? c->sentence : NULL;
}

const char *rustscope_why(void)
{
    const struct rs_context *c = RS_THREAD_.context;

    return c && c->sentence ? c->sentence : "";
}

int rustscope_assert_perf(const char *name, enum rustscope_metric metric, double limit)
{
    struct rustscope_function f = {.size = sizeof(f)};
    struct rustscope_snapshot *s;
    char *why;
    double value;
    int missing, rc;

    rs_init();
    why = rs_sentence_buffer();
    if (!why)
        return 1;
    if (!name || (unsigned)metric >= sizeof(metrics) / sizeof(*metrics)) {
        snprintf(why, RS_SENTENCE_BYTES, "rustscope_assert_perf: no name, or no such metric (%d)", (int)metric);
        return 1;
    }
    s = rustscope_collect();
    missing = rustscope_find_function(s, name, &f);
    rustscope_snapshot_free(s);
    if (missing) {
        snprintf(why, RS_SENTENCE_BYTES, "nothing called \"%s\" was measured", name);
        return 1;
    }
    value = metric_of(&f, metric);
    rc = !(value <= limit);
    snprintf(why, RS_SENTENCE_BYTES, "the %s of \"%s\" is %.10g%s, %s the limit of %.10g%s (%llu calls)",
             metrics[metric].text, name, value, metrics[metric].unit, rc ? "above" : "within", limit,
             metrics[metric].unit, (unsigned long long)f.calls);
    return rc;
}

void rustscope_assert_perf_or_abort(const char *name, enum rustscope_metric metric, double limit, const char *file,
                                    unsigned line)
{
    char text[RS_SENTENCE_BYTES + 256];
    int len;

    if (!rustscope_assert_perf(name, metric, limit))
        return;
    len = snprintf(text, sizeof(text), "%s:%u: RS_ASSERT_PERF: %s\n", file, line, rustscope_why());
    rs_os_write(2, text, len < (int)sizeof(text) ? (size_t)len : sizeof(text) - 1);
    abort();
}
