/* SPDX-License-Identifier: MIT */
#include "file/reader.h"

#include <math.h>

#include "base/alloc.h"

/* What the recorder made of it: events, functions, rollups, and how well it could see. */

static size_t read_shares(struct session_reader *r, const cJSON *o, const char *key, struct event_function **list)
{
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(o, key);
    const cJSON *item;
    size_t count = 0;

    *list = xcalloc((size_t)cJSON_GetArraySize(array), sizeof(**list));
    cJSON_ArrayForEach(item, array)(*list)[count++] =
        (struct event_function){item_text(r, item, "name"), item_number(item, "pct", 0)};
    return count;
}

static int read_event(struct session_reader *r, const cJSON *o)
{
    const cJSON *allocations = cJSON_GetObjectItemCaseSensitive(o, "top_allocations");
    const cJSON *item;
    struct session_event *e;
    uint32_t index;

    if (r->s->event_count >= MAX_EVENTS)
        return reader_broken(r, "memory_events");
    index = session_add_event(r->s, (enum event_type)item_word(o, "type", WORDS_EVENT_TYPE), item_at_ns(r, o, "ts"),
                              item_int32(o, "process", -1));
    e = &r->s->events[index];
    e->end_ns = item_at_ns(r, o, "end_ts");
    e->size_bytes = item_int(o, "size_bytes", 0);
    e->peak = item_number(o, "peak", NAN);
    e->location = item_text(r, o, "location");
    e->open = false;
    e->function_count = read_shares(r, o, "top_functions", &e->functions);
    e->allocations = xcalloc((size_t)cJSON_GetArraySize(allocations), sizeof(*e->allocations));
    cJSON_ArrayForEach(item, allocations)
    {
        struct event_allocation *a = &e->allocations[e->allocation_count++];

        a->node = item_int32(item, "node", CALLTREE_NO_NODE);
        a->path = item_text(r, item, "path");
        a->bytes = item_int(item, "bytes", 0);
        if (a->node >= (int64_t)r->s->tree.node_count || a->node < CALLTREE_NO_NODE)
            return reader_broken(r, "memory_events");
    }
    return e->process >= (int64_t)r->s->process_count || e->process < -1 ? reader_broken(r, "memory_events") : 0;
}

static int read_function(struct session_reader *r, const cJSON *o)
{
    const cJSON *timing = cJSON_GetObjectItemCaseSensitive(o, "timing");
    const cJSON *memory = cJSON_GetObjectItemCaseSensitive(o, "memory");
    struct function *f;

    if (r->s->function_count >= MAX_FUNCTIONS)
        return reader_broken(r, "functions");
    r->s->functions = xreallocarray(r->s->functions, r->s->function_count + 1, sizeof(*r->s->functions));
    f = &r->s->functions[r->s->function_count++];
    *f = (struct function){
        .name = item_text(r, o, "name"),
        .module = item_text(r, o, "module"),
        .file = item_text(r, o, "file"),
        .line = (uint32_t)item_uint(o, "line"),
        .layer = (enum layer)item_word(o, "layer", WORDS_LAYER),
        .self_pct = item_number(o, "self_pct", 0),
        .total_pct = item_number(o, "total_pct", 0),
        .self_samples = item_uint(o, "self_samples"),
        .total_samples = item_uint(o, "total_samples"),
        .self_us = item_uint(o, "self_us"),
        .total_us = item_uint(o, "total_us"),
        .source = (enum function_source)item_word(o, "source", WORDS_FUNCTION_SOURCE),
        .figures = {.calls = item_uint(o, "calls"),
                    .timed_calls = item_uint(timing, "timed_calls"),
                    .total_ns = item_number(timing, "total_ns", 0),
                    .self_ns = item_number(timing, "self_ns", 0),
                    .min_ns = item_number(timing, "min_ns", 0),
                    .mean_ns = item_number(o, "avg_ns", 0),
                    .stddev_ns = item_number(timing, "stddev_ns", 0),
                    .max_ns = item_number(timing, "max_ns", 0),
                    .p50_ns = item_number(timing, "p50_ns", 0),
                    .p95_ns = item_number(timing, "p95_ns", 0),
                    .p99_ns = item_number(timing, "p99_ns", 0),
                    .alloc_bytes = item_uint(timing, "alloc_bytes"),
                    .outlier_count = item_uint(o, "outlier_count"),
                    .max_depth = (uint32_t)item_uint(o, "max_depth")},
        .alloc_bytes = item_uint(memory, "alloc_bytes"),
        .alloc_count = item_uint(memory, "alloc_count"),
        .leaked_bytes = item_uint(memory, "leaked_bytes"),
        .peak_bytes = item_uint(memory, "peak_bytes"),
    };
    if (!f->source)
        f->source = FUNCTION_SAMPLED;
    return 0;
}

static struct rollup rollup_of(struct session_reader *r, const cJSON *o)
{
    return (struct rollup){item_text(r, o, "name"), item_number(o, "self_pct", 0), item_number(o, "total_pct", 0),
                           item_uint(o, "function_count"), item_uint(o, "alloc_bytes")};
}

static int read_crate_rollup(struct session_reader *r, const cJSON *o)
{
    struct session *s = r->s;

    s->crate_rollups = xreallocarray(s->crate_rollups, s->crate_rollup_count + 1, sizeof(*s->crate_rollups));
    s->crate_rollups[s->crate_rollup_count++] = rollup_of(r, o);
    return 0;
}

static int read_module_rollup(struct session_reader *r, const cJSON *o)
{
    struct session *s = r->s;

    s->module_rollups = xreallocarray(s->module_rollups, s->module_rollup_count + 1, sizeof(*s->module_rollups));
    s->module_rollups[s->module_rollup_count++] = rollup_of(r, o);
    return 0;
}

static int read_hotspot(struct session_reader *r, const cJSON *o)
{
    struct session *s = r->s;
    struct hotspot *h;

    if (s->hotspot_count >= MAX_HOTSPOTS)
        return reader_broken(r, "hotspot_snapshots");
    s->hotspots = xreallocarray(s->hotspots, s->hotspot_count + 1, sizeof(*s->hotspots));
    h = &s->hotspots[s->hotspot_count++];
    *h = (struct hotspot){.at_ns = item_at_ns(r, o, "ts")};
    h->function_count = read_shares(r, o, "top_functions", &h->functions);
    h->crate_count = read_shares(r, o, "crate_rollups", &h->crates);
    return 0;
}

static int read_diagnostics(struct session_reader *r, const cJSON *o)
{
    struct diagnostics *d = &r->s->diagnostics;
    const cJSON *item;

    d->stack_backend = (enum stack_backend)item_word(o, "stack_backend", WORDS_STACK_BACKEND);
    d->stack_event = (enum stack_event)item_word(o, "stack_event", WORDS_STACK_EVENT);
    d->stack_rate_achieved_hz = item_number(o, "stack_rate_achieved_hz", 0);
    d->stack_samples = item_uint(o, "stack_samples");
    d->stack_lost = item_uint(o, "stack_lost");
    d->stacks_truncated = item_uint(o, "stacks_truncated");
    d->stacks_stitched = item_uint(o, "stacks_stitched");
    d->unknown_symbols = item_uint(o, "unknown_symbols");
    d->overhead_pct = item_number(o, "overhead_pct", NAN);
    d->cli_cpu_pct = item_number(o, "cli_cpu_pct", NAN);
    d->alloc_backend = (enum alloc_backend)item_word(o, "alloc_backend", WORDS_ALLOC_BACKEND);
    d->events_received = item_uint(o, "events_received");
    d->events_dropped = item_uint(o, "events_dropped");
    d->inherited_frees = item_uint(o, "inherited_frees");
    d->unknown_frees = item_uint(o, "unknown_frees");
    d->ticks = item_uint(o, "ticks");
    d->ticks_missed = item_uint(o, "ticks_missed");
    d->gaps = item_uint(o, "gaps");
    d->warning_count = item_texts(r, o, "warnings", &d->warnings);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(o, "stop_reasons")) if (item->valuedouble > 0)
        session_count_stop(r->s, item->string, (uint64_t)item->valuedouble);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(o, "folded")) if (item->valuedouble > 0)
        session_count_folded(r->s, item->string, (uint64_t)item->valuedouble);
    return 0;
}

int read_findings(struct session_reader *r)
{
    int rc = reader_objects(r, "memory_events", read_event);

    if (!rc)
        rc = reader_objects(r, "functions", read_function);
    if (!rc)
        rc = reader_objects(r, "crate_rollups", read_crate_rollup);
    if (!rc)
        rc = reader_objects(r, "module_rollups", read_module_rollup);
    if (!rc)
        rc = reader_objects(r, "hotspot_snapshots", read_hotspot);
    return rc ? rc : reader_object(r, "diagnostics", read_diagnostics);
}
