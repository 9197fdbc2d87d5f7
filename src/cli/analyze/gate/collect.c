/* SPDX-License-Identifier: MIT */
#include "analyze/gate/collect.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/node_path.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "session/totals.h"

enum {
    NAME_MAX_BYTES = 4096,
    LABEL_FRAMES = 4,
    PEAK_RESOLUTION_NS = 10000000, /* of the heap */
    LEAST_READINGS = 10,           /* of resident memory and descriptors */
};

struct collecting {
    struct figures *set;
    struct session *s;
    const struct collect_options *options;
    enum arm arm;
    size_t run;
    char *name; /* NAME_MAX_BYTES, scratch */
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* What MODULE (a crate, a library, the program's file name) is called on both sides. */
static const char *module_name(const struct collecting *c, const char *module, char *out, size_t cap)
{
    const char *so = strstr(module, ".so."),
               *program = base_name(strings_get(&c->s->strings, c->s->meta.target_binary));

    if (*program && !strcmp(base_name(module), program))
        return PROGRAM_MODULE;
    if (!so)
        return module;
    snprintf(out, cap, "%.*s", (int)(so + 3 - module), module);
    return out;
}

/* ---- names ---- */

static string_id plain_name(struct collecting *c, string_id id)
{
    const char *text = strings_get(&c->s->strings, id);

    figure_name(text, c->name, NAME_MAX_BYTES);
    return strcmp(text, c->name) ? strings_add_str(&c->s->strings, c->name) : id;
}

/* Of every frame, and of functions that no stack tells of. */
static void simplify_names(struct collecting *c)
{
    char module[256];

    for (size_t i = 0; i < c->s->tree.frame_count; i++) {
        struct frame *frame = &c->s->tree.frames[i];

        if (frame->func)
            frame->func = plain_name(c, frame->func);
        frame->crate = strings_add_str(
            &c->s->strings, module_name(c, strings_get(&c->s->strings, frame->crate), module, sizeof(module)));
    }
    for (size_t i = 0; i < c->s->function_count; i++) {
        struct function *f = &c->s->functions[i];

        f->name = plain_name(c, f->name);
        f->module = strings_add_str(&c->s->strings,
                                    module_name(c, strings_get(&c->s->strings, f->module), module, sizeof(module)));
    }
}

/* ---- totals ---- */

static struct figure *put(struct collecting *c, enum figure_kind kind, const char *metric, const char *name,
                          const char *module, enum figure_unit unit, double value)
{
    struct figure *f;

    if (!isfinite(value))
        return NULL;
    f = figures_get(c->set, kind, metric, name, module);
    f->unit = unit;
    figures_put(c->set, f, c->arm, c->run, value);
    return f;
}

/* The same for what does not add up: of several of one name in a run the first one counts. */
static struct figure *put_once(struct collecting *c, enum figure_kind kind, const char *metric, const char *name,
                               double ns)
{
    struct figure *f = figures_get(c->set, kind, metric, name, "");
    const struct figure_arm *arm = &f->arms[c->arm];

    f->unit = UNIT_NS;
    if (c->run >= arm->count || isnan(arm->runs[c->run]))
        figures_put(c->set, f, c->arm, c->run, ns);
    return f;
}

static void put_total(struct collecting *c, const char *metric, enum figure_unit unit, bool exact, double value)
{
    struct figure *f = put(c, FIGURE_TOTAL, metric, "", "", unit, value);

    if (!f)
        return;
    f->exact = exact;
    f->headline = true;
}

static void put_window_allocations(struct collecting *c)
{
    const struct rows *rows = &c->s->alloc_rows;
    double bytes = 0, count = 0;

    for (size_t i = 0; i < rows->count; i++) {
        uint64_t at = (uint64_t)rows->bucket[i] * rows->interval_ns;

        if (at < c->options->window.from_ns || at >= c->options->window.to_ns)
            continue;
        bytes += (double)rows->value[ALLOC_ROW_BYTES][i];
        count += (double)rows->value[ALLOC_ROW_COUNT][i];
    }
    put_total(c, "allocations", UNIT_COUNT, true, count);
    put_total(c, "alloc_bytes", UNIT_BYTES, true, bytes);
}

/* Peaks of runs so short that they are seen or not by chance are left out. */
static void collect_peaks(struct collecting *c, const struct totals *t)
{
    uint64_t duration_ns = c->s->duration_ns;
    bool read_often = session_reading_ns(c->s) && duration_ns >= LEAST_READINGS * session_reading_ns(c->s);

    if (t->heap_is_live && duration_ns >= 2 * PEAK_RESOLUTION_NS)
        put_total(c, "heap_peak", UNIT_BYTES, true, t->heap_peak_bytes);
    if (!read_often)
        return;
    if (!t->heap_is_live)
        put_total(c, "anon_peak", UNIT_BYTES, false, t->heap_peak_bytes);
    put_total(c, "rss_peak", UNIT_BYTES, false, t->rss_peak_bytes);
    put_total(c, "fd_peak", UNIT_COUNT, false, t->fd_peak);
}

static void collect_totals(struct collecting *c)
{
    const struct session *s = c->s;
    const struct allocations *a = &s->allocations;
    bool window = c->options->has_window;
    struct totals t;

    if (window)
        totals_compute_window(s, c->options->window.from_ns, c->options->window.to_ns, &t);
    else
        totals_compute(s, &t);
    if (s->duration_ns && !window)
        put_total(c, "wall", UNIT_NS, false, (double)s->duration_ns);
    if (t.cpu_ns || isfinite(t.cpu_avg_pct))
        put_total(c, "cpu", UNIT_NS, false, (double)t.cpu_ns);
    collect_peaks(c, &t);
    /* Where somebody watched. How many depends on what else the machine does: they are told and decide nothing. */
    if (isfinite(t.cpu_avg_pct))
        put(c, FIGURE_TOTAL, "spikes", "", "", UNIT_COUNT, (double)t.spikes);
    if (!a->measured)
        return;
    figures_measured(c->set, c->arm, c->run, FIGURE_PATH);
    if (window) {
        put_window_allocations(c);
        return;
    }
    put_total(c, "allocations", UNIT_COUNT, true, (double)a->total_allocations);
    put_total(c, "alloc_bytes", UNIT_BYTES, true, (double)a->total_bytes);
    put_total(c, "leaked_bytes", UNIT_BYTES, true, (double)a->leaked_bytes);
}

/* ---- functions ---- */

/* A function and one that called it, as the stacks tell. */
struct edge {
    uint64_t callee; /* function_of() */
    uint32_t caller; /* frame */
    uint64_t us;
};

static int by_callee_and_weight(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;

    if (x->callee != y->callee)
        return x->callee < y->callee ? -1 : 1;
    return x->us > y->us ? -1 : x->us < y->us ? 1 : x->caller < y->caller ? -1 : x->caller > y->caller;
}

static uint64_t function_of(const struct frame *frame)
{
    return (uint64_t)frame->crate << 32 | frame->func;
}

/* Edges of the call tree with their time, heaviest first of each callee. Nodes' times are gathered backwards. */
static struct edge *heaviest_edges(const struct session *s, size_t *count)
{
    const struct calltree *tree = &s->tree;
    uint64_t *us = xcalloc(tree->node_count + 1, sizeof(*us));
    struct edge *edges = xreallocarray(NULL, tree->node_count + 1, sizeof(*edges));

    for (size_t i = 0; i < s->cpu_rows.count; i++)
        if (s->cpu_rows.key[i] < tree->node_count)
            us[s->cpu_rows.key[i]] += (uint64_t)s->cpu_rows.value[CPU_ROW_WEIGHT_US][i];
    *count = 0;
    for (size_t i = tree->node_count; i-- > 0;) {
        int32_t parent = tree->nodes[i].parent;
        const struct frame *callee = &tree->frames[tree->nodes[i].frame];

        if (parent < 0)
            continue;
        us[parent] += us[i];
        if (function_of(&tree->frames[tree->nodes[parent].frame]) != function_of(callee))
            edges[(*count)++] = (struct edge){function_of(callee), tree->nodes[parent].frame, us[i]};
    }
    free(us);
    qsort(edges, *count, sizeof(*edges), by_callee_and_weight);
    return edges;
}

static const char *caller_of(const struct collecting *c, const struct edge *edges, size_t count, uint64_t callee)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (edges[middle].callee < callee)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == count || edges[low].callee != callee)
        return "";
    return strings_get(&c->s->strings, c->s->tree.frames[edges[low].caller].func);
}

static void put_function(struct collecting *c, const struct function *f, const char *caller)
{
    const char *name = strings_get(&c->s->strings, f->name), *module = strings_get(&c->s->strings, f->module);
    const struct {
        const char *metric;
        uint64_t us, samples;
    } times[] = {{"self_cpu", f->self_us, f->self_samples}, {"total_cpu", f->total_us, f->total_samples}};

    for (size_t i = 0; i < 2; i++) {
        struct figure *figure;

        if (i && *name == '[') /* [truncated] and its like explain time and call nothing */
            break;
        figure = put(c, FIGURE_FUNCTION, times[i].metric, name, module, UNIT_NS, (double)times[i].us * 1e3);

        figure->layer = f->layer;
        figure->arms[c->arm].samples += times[i].samples;
        if (!*figure->caller && *caller)
            figure->caller = arena_memdup0(&c->set->text, caller, strlen(caller));
    }
}

static void collect_functions(struct collecting *c)
{
    const struct time_window whole = {0, UINT64_MAX};
    struct session *s = c->s;
    struct edge *edges;
    size_t edge_count;

    if (s->cpu_rows.count)
        functions_compute(s, c->options->has_window ? &c->options->window : &whole);
    else if (c->options->has_window)
        return;
    edges = heaviest_edges(s, &edge_count);
    for (size_t i = 0; i < s->function_count; i++) {
        const struct function *f = &s->functions[i];

        if (f->layer == LAYER_PROFILER || !(f->source & FUNCTION_SAMPLED))
            continue;
        figures_measured(c->set, c->arm, c->run, FIGURE_FUNCTION);
        c->set->samples[c->arm] += f->self_samples;
        if (!f->total_us) /* it is there for what it allocated */
            continue;
        put_function(c, f, caller_of(c, edges, edge_count, (uint64_t)f->module << 32 | f->name));
    }
    free(edges);
}

/* ---- allocation paths ---- */

/* Every frame of the path, innermost first, one a line: the key. Long ones end in a hash of the rest. */
static const char *path_key(struct collecting *c, int32_t node)
{
    const struct calltree *tree = &c->s->tree;
    size_t used = 0;
    uint64_t rest = 0;

    for (; node >= 0 && (size_t)node < tree->node_count; node = tree->nodes[node].parent) {
        const struct frame *frame = &tree->frames[tree->nodes[node].frame];
        const char *name = strings_get(&c->s->strings, frame->func);
        size_t len;

        if (frame->layer == LAYER_ALLOC || frame->layer == LAYER_PROFILER)
            continue;
        if (!*name) /* an address says nothing about another build: the module must do */
            name = strings_get(&c->s->strings, frame->crate);
        len = strlen(name);
        if (rest || used + len + 32 >= NAME_MAX_BYTES) {
            rest = hash_pair(rest ? rest : 1, hash_bytes(name, len));
            continue;
        }
        memcpy(c->name + used, name, len);
        used += len;
        c->name[used++] = '\n';
    }
    if (rest)
        used += (size_t)snprintf(c->name + used, 24, "#%llx", (unsigned long long)rest);
    c->name[used] = '\0';
    return c->name;
}

static enum layer layer_of_path(const struct session *s, int32_t node)
{
    for (; node >= 0; node = s->tree.nodes[node].parent) {
        enum layer layer = s->tree.frames[s->tree.nodes[node].frame].layer;

        if (layer != LAYER_ALLOC && layer != LAYER_PROFILER && layer != LAYER_STD)
            return layer;
    }
    return LAYER_UNKNOWN;
}

static void put_path(struct collecting *c, const struct alloc_stats *a)
{
    const struct {
        const char *metric;
        enum figure_unit unit;
        uint64_t value;
    } values[] = {
        {"allocations", UNIT_COUNT, a->count},
        {"alloc_bytes", UNIT_BYTES, a->bytes},
        {"leaked_bytes", UNIT_BYTES, a->leaked_bytes},
        {"heap_peak", UNIT_BYTES, a->peak_bytes},
    };
    const char *key = path_key(c, a->node), *label = NULL;
    char text[512];

    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        struct figure *f;

        if (!values[i].value)
            continue;
        f = put(c, FIGURE_PATH, values[i].metric, key, "", values[i].unit, (double)values[i].value);
        f->exact = true;
        f->layer = layer_of_path(c->s, a->node);
        if (f->label)
            continue;
        if (!label) {
            node_path(c->s, a->node, LABEL_FRAMES, CHARSET_UTF8, text, sizeof(text));
            label = arena_memdup0(&c->set->text, text, strlen(text));
        }
        f->label = label;
    }
}

/* ---- scopes, benchmarks, tasks ---- */

static void collect_scopes(struct collecting *c)
{
    for (size_t i = 0; i < c->s->function_count; i++) {
        const struct function *f = &c->s->functions[i];
        const char *name = strings_get(&c->s->strings, f->name);
        const struct {
            const char *metric;
            double ns;
        } times[] = {{"mean", f->figures.mean_ns}, {"p95", f->figures.p95_ns}, {"p99", f->figures.p99_ns}};
        struct figure *figure;

        if (!f->figures.calls || !(f->source & FUNCTION_INSTRUMENTED))
            continue;
        figures_measured(c->set, c->arm, c->run, FIGURE_SCOPE);
        figure = put(c, FIGURE_SCOPE, "calls", name, "", UNIT_COUNT, (double)f->figures.calls);
        figure->exact = true;
        for (size_t k = 0; k < 3 && f->figures.timed_calls; k++) {
            figure = put_once(c, FIGURE_SCOPE, times[k].metric, name, times[k].ns);
            figure->headline = k == 0;
            figure->arms[c->arm].times = fmax(figure->arms[c->arm].times, (double)f->figures.calls);
        }
    }
}

static void collect_benchmarks(struct collecting *c)
{
    const struct session_benchmarks *all = &c->s->benchmarks;

    for (size_t i = 0; i < all->count; i++) {
        const struct session_benchmark *b = &all->list[i];
        const char *name = strings_get(&c->s->strings, b->name);
        struct figure_arm *arm;
        struct figure *f;

        if (!(b->summary.median_ns > 0))
            continue;
        figures_measured(c->set, c->arm, c->run, FIGURE_BENCHMARK);
        if (b->counts.flags & RS_BENCH_ALLOCATIONS_KNOWN && b->counts.iterations) {
            double iterations = (double)b->counts.iterations;

            f = put(c, FIGURE_BENCHMARK, "allocations", name, "", UNIT_COUNT,
                    (double)b->counts.alloc_blocks / iterations);
            f->exact = f->headline = true;
            f = put(c, FIGURE_BENCHMARK, "alloc_bytes", name, "", UNIT_BYTES,
                    (double)b->counts.alloc_bytes / iterations);
            f->exact = f->headline = true;
        }
        f = put_once(c, FIGURE_BENCHMARK, "time", name, b->summary.median_ns);
        f->headline = true;
        arm = &f->arms[c->arm];
        free(arm->samples_ns);
        arm->samples_ns = xreallocarray(NULL, b->counts.samples + 1, sizeof(*arm->samples_ns));
        memcpy(arm->samples_ns, b->samples_ns, b->counts.samples * sizeof(*arm->samples_ns));
        arm->sample_count = b->counts.samples;
        arm->processes = b->counts.processes;
    }
}

static void collect_tasks(struct collecting *c)
{
    struct session_scopes *scopes = &c->s->scopes;

    for (size_t i = 0; i < scopes->task_count; i++) {
        const struct scope_task_figures *t = &scopes->tasks[i].figures;
        const char *name = strings_get(&c->s->strings, scopes->tasks[i].name);
        struct figure *f;

        if (!t->started)
            continue;
        figures_measured(c->set, c->arm, c->run, FIGURE_TASK);
        f = put(c, FIGURE_TASK, "busy", name, "", UNIT_NS, (double)t->busy_ns);
        f->headline = true;
        put(c, FIGURE_TASK, "scheduled", name, "", UNIT_NS, (double)t->scheduled_ns);
        put(c, FIGURE_TASK, "started", name, "", UNIT_COUNT, (double)t->started)->exact = true;
        put(c, FIGURE_TASK, "polls", name, "", UNIT_COUNT, (double)t->polls);
    }
}

void figures_collect(struct figures *set, enum arm arm, struct session *s, const struct collect_options *options)
{
    struct collecting c = {.set = set, .s = s, .options = options, .arm = arm, .name = xmalloc(NAME_MAX_BYTES)};

    c.run = figures_add_run(set, arm);
    simplify_names(&c);
    collect_totals(&c);
    if (!options->has_window)
        collect_scopes(&c); /* before functions are computed anew: it is the file that knows of them */
    collect_functions(&c);
    for (size_t i = 0; i < s->allocations.stats_count && !options->has_window; i++)
        put_path(&c, &s->allocations.stats[i]);
    if (!options->has_window) {
        collect_benchmarks(&c);
        collect_tasks(&c);
    }
    free(c.name);
}
