/* SPDX-License-Identifier: MIT */
#include "convert/export.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/*
 * A call graph: what a function cost itself, and what each call of another one cost altogether. A function that calls
 * itself straight away has no line for that, so that its cost stays what it is; functions that call each other in turn
 * cost more than they do, as with any call graph. Calls were not counted: there are as many as samples, at least one.
 *
 * `[all]` calls the outermost functions, because speedscope shows nothing below a root that is called again.
 */

struct edge {
    uint32_t caller, callee;
    uint64_t amount, count;
};

struct callgrind {
    struct export *x;
    struct export_out out;
    uint64_t *self;       /* by function */
    uint64_t *all, *hits; /* by node: with all below it */
    struct edge *edges;   /* by caller, then callee */
    size_t edge_count;
    uint32_t root; /* the number of [all] */
};

static uint32_t caller_of(const struct callgrind *c, int32_t node)
{
    int32_t parent = c->x->tree.nodes[node].parent;

    return parent < 0 ? c->root : c->x->tree.nodes[parent].frame;
}

/* Whether the same call stands further out on the stack: its cost holds this one's. */
static bool is_counted_above(const struct callgrind *c, int32_t node)
{
    const struct node *nodes = c->x->tree.nodes;
    uint32_t caller = caller_of(c, node), callee = nodes[node].frame;

    for (int32_t at = nodes[node].parent; at >= 0; at = nodes[at].parent)
        if (nodes[at].frame == callee && caller_of(c, at) == caller)
            return true;
    return false;
}

static int by_ends(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;

    if (x->caller != y->caller)
        return x->caller < y->caller ? -1 : 1;
    return x->callee < y->callee ? -1 : x->callee > y->callee;
}

static void sum(struct callgrind *c)
{
    const struct export *x = c->x;
    const struct node *nodes = x->tree.nodes;
    size_t to = 0;

    for (size_t i = 0; i < x->sample_count; i++) {
        c->all[x->samples[i].node] += x->samples[i].amount;
        c->hits[x->samples[i].node] += x->samples[i].count;
        c->self[nodes[x->samples[i].node].frame] += x->samples[i].amount;
    }
    for (size_t i = x->tree.node_count; i-- > 0;) { /* children stand behind their parents */
        int32_t node = (int32_t)i, parent = nodes[i].parent;

        if (parent >= 0) {
            c->all[parent] += c->all[i];
            c->hits[parent] += c->hits[i];
        }
        if (c->all[i] && caller_of(c, node) != nodes[i].frame && !is_counted_above(c, node))
            c->edges[c->edge_count++] = (struct edge){caller_of(c, node), nodes[i].frame, c->all[i], c->hits[i]};
    }
    qsort(c->edges, c->edge_count, sizeof(*c->edges), by_ends);
    for (size_t i = 0; i < c->edge_count; i++) {
        if (to && !by_ends(&c->edges[to - 1], &c->edges[i])) {
            c->edges[to - 1].amount += c->edges[i].amount;
            c->edges[to - 1].count += c->edges[i].count;
        } else {
            c->edges[to++] = c->edges[i];
        }
    }
    c->edge_count = to;
}

static void put_text(struct export_out *out, const char *text, size_t len)
{
    export_put_escaped(out, text, len);
    export_put(out, "\n", 1);
}

/* PREFIX is "" or "c". The number in front keeps a name like (1) from being taken for one. */
static void put_function(struct callgrind *c, const char *prefix, uint32_t function)
{
    size_t len = 5;
    const char *name = "[all]", *file = "";

    if (function != c->root) {
        name = export_name(c->x, function, &len);
        file = export_file(c->x, function);
    }
    export_putf(&c->out, "%s=", *prefix ? "cfi" : "fl");
    put_text(&c->out, *file ? file : "???", *file ? strlen(file) : 3);
    export_putf(&c->out, "%sfn=(%u) ", prefix, function + 1);
    put_text(&c->out, name, len);
}

static void put_functions(struct callgrind *c)
{
    size_t edge = 0;

    for (uint32_t f = 0; f <= c->root; f++) {
        bool calls = edge < c->edge_count && c->edges[edge].caller == f;

        if (!calls && !c->self[f])
            continue;
        put_function(c, "", f);
        export_putf(&c->out, "0 %llu\n", (unsigned long long)c->self[f]);
        for (; edge < c->edge_count && c->edges[edge].caller == f; edge++) {
            const struct edge *e = &c->edges[edge];

            put_function(c, "c", e->callee);
            export_putf(&c->out, "calls=%llu 0\n0 %llu\n", (unsigned long long)(e->count ? e->count : 1),
                        (unsigned long long)e->amount);
        }
        export_put(&c->out, "\n", 1);
    }
}

int export_callgrind(void *export, rs_json_sink sink, void *ctx)
{
    struct export *x = export;
    size_t nodes = x->tree.node_count + 1;
    struct callgrind c = {.x = x,
                          .out = {.sink = sink, .ctx = ctx},
                          .root = (uint32_t)x->functions.count + 2,
                          .self = xcalloc(x->functions.count + 3, sizeof(uint64_t)),
                          .all = xcalloc(nodes, sizeof(uint64_t)),
                          .hits = xcalloc(nodes, sizeof(uint64_t)),
                          .edges = xcalloc(nodes, sizeof(struct edge))};

    sum(&c);
    export_putf(&c.out,
                "# callgrind format\nversion: 1\ncreator: rustscope\npositions: line\n"
                "event: %s : %s of %s\nevents: %s\nsummary: %llu\n\n",
                export_unit(x->metric), export_unit(x->metric), answer_metric_name(x->metric), export_unit(x->metric),
                (unsigned long long)x->total);
    put_functions(&c);
    free(c.self);
    free(c.all);
    free(c.hits);
    free(c.edges);
    return export_end(&c.out);
}
