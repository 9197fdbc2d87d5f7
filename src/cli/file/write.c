/* SPDX-License-Identifier: MIT */
#include "file/session_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "file/scopes.h"
#include "session/totals.h"

/*
 * The writer walks the session once, section by section, in the order of the schema. Everything goes through one
 * struct rs_json; a section with nothing to say is written empty, so that readers need no special cases.
 */

struct writer {
    struct rs_json j;
    struct session *s;
    const char *home; /* replaced by ~ when the session is redacted; NULL otherwise */
    size_t home_len;
};

enum { MS_DIGITS = 3, PCT_DIGITS = 2, MB_DIGITS = 3 };

static double mb(double bytes)
{
    return bytes / 1e6;
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

/* -- names ------------------------------------------------------------------------------------------------------ */

static void put_name(struct writer *w, string_id id)
{
    const char *text = strings_get(&w->s->strings, id);
    size_t len = strings_len(&w->s->strings, id);

    if (w->home && len >= w->home_len && !memcmp(text, w->home, w->home_len) &&
        (len == w->home_len || text[w->home_len] == '/')) {
        char *redacted = xmalloc(len + 2);
        size_t rest = len - w->home_len;

        redacted[0] = '~';
        memcpy(redacted + 1, text + w->home_len, rest);
        rs_json_text(&w->j, redacted, rest + 1);
        free(redacted);
        return;
    }
    rs_json_text(&w->j, text, len);
}

static void kv_name(struct writer *w, const char *key, string_id id)
{
    rs_json_key(&w->j, key);
    put_name(w, id);
}

static void kv_name_or_null(struct writer *w, const char *key, string_id id)
{
    rs_json_key(&w->j, key);
    if (id)
        put_name(w, id);
    else
        rs_json_null(&w->j);
}

static void kv_ts(struct writer *w, const char *key, uint64_t at_ns)
{
    rs_json_kv_double(&w->j, key, session_unix_ms(w->s, at_ns), MS_DIGITS);
}

/* Starts a section on a line of its own, so that a person can find their way in the file. */
static void section(struct writer *w, const char *key)
{
    rs_json_newline(&w->j);
    rs_json_key(&w->j, key);
}

static void name_list(struct writer *w, const char *key, const string_id *ids, size_t count)
{
    rs_json_key(&w->j, key);
    rs_json_array_begin(&w->j);
    for (size_t i = 0; i < count; i++)
        put_name(w, ids[i]);
    rs_json_array_end(&w->j);
}

/* -- sections --------------------------------------------------------------------------------------------------- */

static void write_meta(struct writer *w)
{
    const struct session_meta *m = &w->s->meta;
    struct rs_json *j = &w->j;

    section(w, "meta");
    rs_json_object_begin(j);
    kv_name(w, "project", m->project);
    kv_name(w, "target_binary", m->target_binary);
    name_list(w, "argv", m->argv, m->argc);
    kv_name(w, "cwd", m->cwd);
    rs_json_kv_int(j, "pid", m->pid);
    kv_ts(w, "start_ts", 0);
    kv_ts(w, "end_ts", w->s->duration_ns);
    rs_json_kv_double(j, "duration_sec", (double)w->s->duration_ns / 1e9, 6);
    rs_json_key(j, "clock");
    rs_json_object_begin(j);
    rs_json_kv_int(j, "unix_ms", w->s->start_unix_ms);
    rs_json_kv_uint(j, "mono_ns", w->s->start_mono_ns);
    rs_json_object_end(j);
    kv_name(w, "rustscope_version", m->version);
    kv_name(w, "host_os", m->host_os);
    kv_name(w, "host_arch", m->host_arch);
    kv_name(w, "host_kernel", m->host_kernel);
    kv_name(w, "cpu_model", m->cpu_model);
    rs_json_kv_uint(j, "cpu_cores", m->cpu_cores);
    if (!isnan(m->others_cpu_pct)) {
        rs_json_key(j, "fitness");
        rs_json_object_begin(j);
        rs_json_kv_double(j, "others_cpu_pct", m->others_cpu_pct, 2);
        rs_json_kv_double(j, "steal_pct", m->steal_pct, 2);
        rs_json_object_end(j);
    }
    rs_json_kv_uint(j, "rate_hz", m->rate_hz);
    rs_json_kv_uint(j, "stack_rate_hz", m->stack_rate_hz);
    rs_json_kv_str(j, "stop_reason", rs_word(WORDS_STOP_REASON, m->stop_reason));
    if (m->exit_signal)
        rs_json_kv_int(j, "exit_signal", m->exit_signal);
    else if (m->exit_code >= 0)
        rs_json_kv_int(j, "exit_code", m->exit_code);
    kv_name(w, "name", m->name);
    name_list(w, "tags", m->tags, m->tag_count);
    rs_json_key(j, "labels");
    rs_json_object_begin(j);
    for (size_t i = 0; i < m->label_count; i++)
        kv_name(w, strings_get(&w->s->strings, m->labels[i].key), m->labels[i].value);
    rs_json_object_end(j);
    rs_json_object_end(j);
}

static void write_summary(struct writer *w)
{
    const struct allocations *a = &w->s->allocations;
    struct rs_json *j = &w->j;
    struct totals t;

    totals_compute(w->s, &t);
    section(w, "summary");
    rs_json_object_begin(j);
    rs_json_kv_double(j, rs_summary_keys[SUMMARY_CPU_AVG_PCT], t.cpu_avg_pct, PCT_DIGITS);
    rs_json_kv_double(j, rs_summary_keys[SUMMARY_CPU_PEAK_PCT], t.cpu_peak_pct, PCT_DIGITS);
    rs_json_kv_double(j, rs_summary_keys[SUMMARY_CPU_MS], ms(t.cpu_ns), MS_DIGITS);
    rs_json_kv_double(j, rs_summary_keys[SUMMARY_HEAP_AVG_MB], mb(t.heap_avg_bytes), MB_DIGITS);
    rs_json_kv_double(j, rs_summary_keys[SUMMARY_HEAP_PEAK_MB], mb(t.heap_peak_bytes), MB_DIGITS);
    rs_json_kv_str(j, "heap_source", rs_word(WORDS_HEAP_SOURCE, t.heap_is_live ? HEAP_LIVE : HEAP_ANON));
    rs_json_kv_double(j, rs_summary_keys[SUMMARY_ANON_PEAK_MB], mb(t.anon_peak_bytes), MB_DIGITS);
    rs_json_kv_double(j, rs_summary_keys[SUMMARY_RSS_PEAK_MB], mb(t.rss_peak_bytes), MB_DIGITS);
    rs_json_kv_double(j, rs_summary_keys[SUMMARY_THREAD_AVG], t.thread_avg, PCT_DIGITS);
    rs_json_kv_double(j, rs_summary_keys[SUMMARY_THREAD_PEAK], t.thread_peak, 0);
    rs_json_kv_double(j, rs_summary_keys[SUMMARY_FD_PEAK], t.fd_peak, 0);
    rs_json_kv_uint(j, rs_summary_keys[SUMMARY_TOTAL_ALLOCATIONS], a->total_allocations);
    rs_json_kv_uint(j, rs_summary_keys[SUMMARY_TOTAL_DEALLOCATIONS], a->total_deallocations);
    rs_json_kv_uint(j, rs_summary_keys[SUMMARY_TOTAL_ALLOC_BYTES], a->total_bytes);
    rs_json_kv_uint(j, rs_summary_keys[SUMMARY_TEMPORARY_ALLOCATIONS], a->temporary);
    rs_json_kv_uint(j, rs_summary_keys[SUMMARY_LEAKED_BYTES], a->leaked_bytes);
    rs_json_kv_uint(j, rs_summary_keys[SUMMARY_LEAKED_ALLOCATIONS], a->leaked_count);
    rs_json_kv_uint(j, rs_summary_keys[SUMMARY_SPIKES], t.spikes);
    rs_json_object_end(j);
}

/* heap falls back to anonymous memory where no shim measured it; summary.heap_source says which. */
static size_t source_column(const struct session *s, size_t column)
{
    if (s->allocations.measured)
        return column;
    return column == METRIC_HEAP_BYTES         ? METRIC_ANON_BYTES
           : column == SAMPLES_HEAP_PEAK_BYTES ? SAMPLES_ANON_PEAK_BYTES
                                               : column;
}

static void write_samples(struct writer *w)
{
    const struct series *samples = &w->s->samples;

    section(w, "samples");
    rs_json_array_begin(&w->j);
    for (size_t i = 0; i < samples->count; i++) {
        rs_json_newline(&w->j);
        rs_json_object_begin(&w->j);
        kv_ts(w, "ts", i * samples->interval_ns);
        rs_json_kv_double(&w->j, "interval_sec", (double)samples->interval_ns / 1e9, 3);
        for (size_t c = 0; c < RS_SAMPLE_COLUMNS; c++) {
            const struct rs_metric_column *m = &rs_sample_columns[c];

            rs_json_kv_double(&w->j, m->key, series_get(samples, source_column(w->s, m->column), i) / m->unit,
                              m->digits);
        }
        rs_json_object_end(&w->j);
    }
    rs_json_array_end(&w->j);
}

static void series_values(struct rs_json *j, const struct series *series, size_t column, double unit, unsigned digits,
                          size_t count)
{
    rs_json_array_begin(j);
    for (size_t i = 0; i < count; i++)
        rs_json_double(j, series_get(series, column, i) / unit, digits);
    rs_json_array_end(j);
}

static void write_timeline(struct writer *w)
{
    const struct session *s = w->s;
    struct rs_json *j = &w->j;

    section(w, "timeline");
    rs_json_object_begin(j);
    rs_json_kv_uint(j, "interval_ms", s->timeline.interval_ns / 1000000);
    for (size_t c = 0; c < RS_TIMELINE_COLUMNS; c++) {
        const struct rs_metric_column *m = &rs_timeline_columns[c];

        rs_json_newline(j);
        rs_json_key(j, m->key);
        series_values(j, &s->timeline, source_column(s, m->column), m->unit, m->digits, s->timeline.count);
    }
    rs_json_key(j, "counters");
    rs_json_object_begin(j);
    for (size_t i = 0; i < s->counter_count; i++) {
        const struct series *values = &s->counters[i].values;

        rs_json_key(j, strings_get(&s->strings, s->counters[i].name));
        rs_json_object_begin(j);
        rs_json_kv_uint(j, "interval_ms", values->interval_ns / 1000000);
        rs_json_key(j, "value");
        series_values(j, values, 0, 1, 6, values->count);
        rs_json_object_end(j);
    }
    rs_json_object_end(j);
    rs_json_object_end(j);
}

static void uint_column(struct rs_json *j, const char *key, const uint32_t *values, size_t count)
{
    rs_json_newline(j);
    rs_json_key(j, key);
    rs_json_array_begin(j);
    for (size_t i = 0; i < count; i++)
        rs_json_uint(j, values[i]);
    rs_json_array_end(j);
}

static void int_column(struct rs_json *j, const char *key, const int64_t *values, size_t count)
{
    rs_json_newline(j);
    rs_json_key(j, key);
    rs_json_array_begin(j);
    for (size_t i = 0; i < count; i++)
        rs_json_int(j, values[i]);
    rs_json_array_end(j);
}

/* Writes the CSR index: start[b] is the first row of bucket b, start[buckets] the number of rows. */
static void start_column(struct rs_json *j, const struct rows *rows)
{
    uint32_t buckets = rows->count ? rows->bucket[rows->count - 1] + 1 : 0;
    size_t row = 0;

    rs_json_newline(j);
    rs_json_key(j, "start");
    rs_json_array_begin(j);
    for (uint32_t bucket = 0; bucket <= buckets; bucket++) {
        while (row < rows->count && rows->bucket[row] < bucket)
            row++;
        rs_json_uint(j, row);
    }
    rs_json_array_end(j);
}

static void thread_column(struct rs_json *j, const char *key, const struct rows *rows)
{
    rs_json_newline(j);
    rs_json_key(j, key);
    rs_json_array_begin(j);
    for (size_t i = 0; i < rows->count; i++)
        rs_json_int(j, rows->key2[i] == ROWS_NO_KEY2 ? -1 : (int64_t)rows->key2[i]);
    rs_json_array_end(j);
}

/* A CSR section of (node, thread) rows. */
static void write_rows(struct writer *w, const struct rs_row_table *table, struct rows *rows)
{
    struct rs_json *j = &w->j;

    rows_compact(rows);
    section(w, table->section);
    rs_json_object_begin(j);
    rs_json_kv_uint(j, "interval_ms", rows->interval_ns / 1000000);
    start_column(j, rows);
    uint_column(j, table->key, rows->key, rows->count);
    thread_column(j, table->thread, rows);
    for (unsigned v = 0; v < rows->value_count; v++)
        int_column(j, table->values[v], rows->value[v], rows->count);
    if (table == &rs_offcpu_table)
        rs_json_kv_bool(j, "approx", w->s->offcpu_approx);
    rs_json_object_end(j);
}

static void write_process_timeline(struct writer *w)
{
    const struct rs_row_table *table = &rs_process_table;
    struct rows *rows = &w->s->process_rows;
    struct rs_json *j = &w->j;
    const double interval_ns = (double)rows->interval_ns;

    rows_compact(rows);
    section(w, table->section);
    rs_json_object_begin(j);
    rs_json_kv_uint(j, "interval_ms", rows->interval_ns / 1000000);
    start_column(j, rows);
    uint_column(j, table->key, rows->key, rows->count);
    rs_json_newline(j);
    rs_json_key(j, table->values[PROCESS_ROW_CPU_NS]);
    rs_json_array_begin(j);
    for (size_t i = 0; i < rows->count; i++)
        rs_json_double(j, 100.0 * (double)rows->value[PROCESS_ROW_CPU_NS][i] / interval_ns, PCT_DIGITS);
    rs_json_array_end(j);
    for (int v = PROCESS_ROW_ANON_BYTES; v <= PROCESS_ROW_HEAP_BYTES; v++) {
        rs_json_newline(j);
        rs_json_key(j, table->values[v]);
        rs_json_array_begin(j);
        for (size_t i = 0; i < rows->count; i++)
            rs_json_double(j, mb((double)rows->value[v][i]), MB_DIGITS);
        rs_json_array_end(j);
    }
    rs_json_object_end(j);
}

static void write_functions(struct writer *w)
{
    const struct session *s = w->s;
    struct rs_json *j = &w->j;

    section(w, "functions");
    rs_json_array_begin(j);
    for (size_t i = 0; i < s->function_count; i++) {
        const struct function *f = &s->functions[i];

        rs_json_newline(j);
        rs_json_object_begin(j);
        kv_name(w, "name", f->name);
        kv_name(w, "module", f->module);
        kv_name_or_null(w, "file", f->file);
        rs_json_kv_uint(j, "line", f->line);
        rs_json_kv_str(j, "layer", rs_word(WORDS_LAYER, f->layer));
        rs_json_kv_double(j, "self_pct", f->self_pct, 3);
        rs_json_kv_double(j, "total_pct", f->total_pct, 3);
        rs_json_kv_uint(j, "self_samples", f->self_samples);
        rs_json_kv_uint(j, "total_samples", f->total_samples);
        rs_json_kv_uint(j, "self_us", f->self_us);
        rs_json_kv_uint(j, "total_us", f->total_us);
        if (f->figures.calls)
            rs_scope_json_function(j, &f->figures); /* the writer that librustscope uses too */
        else
            rs_json_kv_uint(j, "calls", 0);
        if (f->alloc_count) {
            rs_json_key(j, "memory");
            rs_json_object_begin(j);
            rs_json_kv_uint(j, "alloc_bytes", f->alloc_bytes);
            rs_json_kv_uint(j, "alloc_count", f->alloc_count);
            rs_json_kv_uint(j, "leaked_bytes", f->leaked_bytes);
            rs_json_kv_uint(j, "peak_bytes", f->peak_bytes);
            rs_json_object_end(j);
        }
        rs_json_kv_str(j, "source", rs_word(WORDS_FUNCTION_SOURCE, f->source));
        rs_json_object_end(j);
    }
    rs_json_array_end(j);
}

static void write_shares(struct writer *w, const char *key, const struct event_function *list, size_t count)
{
    rs_json_key(&w->j, key);
    rs_json_array_begin(&w->j);
    for (size_t i = 0; i < count; i++) {
        rs_json_object_begin(&w->j);
        kv_name(w, "name", list[i].name);
        rs_json_kv_double(&w->j, "pct", list[i].pct, PCT_DIGITS);
        rs_json_object_end(&w->j);
    }
    rs_json_array_end(&w->j);
}

static void write_events(struct writer *w)
{
    const struct session *s = w->s;
    struct rs_json *j = &w->j;

    section(w, "memory_events");
    rs_json_array_begin(j);
    for (size_t i = 0; i < s->event_count; i++) {
        const struct session_event *e = &s->events[i];

        rs_json_newline(j);
        rs_json_object_begin(j);
        kv_ts(w, "ts", e->start_ns);
        kv_ts(w, "end_ts", e->end_ns);
        rs_json_kv_str(j, "type", rs_word(WORDS_EVENT_TYPE, e->type));
        rs_json_kv_int(j, "process", e->process);
        rs_json_kv_int(j, "size_bytes", e->size_bytes);
        rs_json_kv_double(j, "peak", e->peak, PCT_DIGITS);
        kv_name(w, "location", e->location);
        write_shares(w, "top_functions", e->functions, e->function_count);
        rs_json_key(j, "top_allocations");
        rs_json_array_begin(j);
        for (size_t a = 0; a < e->allocation_count; a++) {
            rs_json_object_begin(j);
            rs_json_kv_int(j, "node", e->allocations[a].node);
            kv_name(w, "path", e->allocations[a].path);
            rs_json_kv_int(j, "bytes", e->allocations[a].bytes);
            rs_json_object_end(j);
        }
        rs_json_array_end(j);
        rs_json_object_end(j);
    }
    rs_json_array_end(j);
}

static void write_benchmarks(struct writer *w)
{
    const struct session_benchmarks *benchmarks = &w->s->benchmarks;

    if (!benchmarks->count)
        return;
    section(w, "benchmarks");
    rs_json_array_begin(&w->j);
    for (size_t i = 0; i < benchmarks->count; i++) {
        const struct session_benchmark *b = &benchmarks->list[i];

        if (b->arrived == b->counts.samples) /* a checkpoint may come in between */
            rs_bench_json(&w->j, strings_get(&w->s->strings, b->name), &b->counts, &b->summary, b->samples_ns,
                          w->s->cpu_rows.count > 0);
    }
    rs_json_array_end(&w->j);
}

static void write_strings(struct writer *w)
{
    section(w, "strings");
    rs_json_array_begin(&w->j);
    for (size_t i = 0; i < w->s->strings.count; i++)
        put_name(w, (string_id)i);
    rs_json_array_end(&w->j);
}

/* One column of a table of structs: `key: [expression of element i, …]`. */
#define COLUMN(j, name, count, write, expression)                                                                      \
    do {                                                                                                               \
        rs_json_newline(j);                                                                                            \
        rs_json_key(j, name);                                                                                          \
        rs_json_array_begin(j);                                                                                        \
        for (size_t i = 0; i < (count); i++)                                                                           \
            write(j, expression);                                                                                      \
        rs_json_array_end(j);                                                                                          \
    } while (0)

static void write_tree(struct writer *w)
{
    const struct calltree *t = &w->s->tree;
    struct rs_json *j = &w->j;

    section(w, "modules");
    rs_json_object_begin(j);
    COLUMN(j, rs_module_columns[MODULES_PATH], t->module_count, rs_json_uint, t->modules[i].path);
    COLUMN(j, rs_module_columns[MODULES_NAME], t->module_count, rs_json_uint, t->modules[i].name);
    COLUMN(j, rs_module_columns[MODULES_BUILD_ID], t->module_count, rs_json_uint, t->modules[i].build_id);
    COLUMN(j, rs_module_columns[MODULES_ARCH], t->module_count, rs_json_uint, t->modules[i].arch);
    COLUMN(j, rs_module_columns[MODULES_SYMBOLS], t->module_count, rs_json_str,
           rs_word(WORDS_MODULE_SYMBOLS, t->modules[i].symbols));
    rs_json_object_end(j);

    section(w, "frames");
    rs_json_object_begin(j);
    COLUMN(j, rs_frame_columns[FRAMES_FUNC], t->frame_count, rs_json_int,
           t->frames[i].func ? (int64_t)t->frames[i].func : -1);
    COLUMN(j, rs_frame_columns[FRAMES_OBJECT], t->frame_count, rs_json_int, t->frames[i].object);
    COLUMN(j, rs_frame_columns[FRAMES_ADDR], t->frame_count, rs_json_uint, t->frames[i].addr);
    COLUMN(j, rs_frame_columns[FRAMES_CRATE], t->frame_count, rs_json_uint, t->frames[i].crate);
    COLUMN(j, rs_frame_columns[FRAMES_FILE], t->frame_count, rs_json_uint, t->frames[i].file);
    COLUMN(j, rs_frame_columns[FRAMES_LINE], t->frame_count, rs_json_uint, t->frames[i].line);
    COLUMN(j, rs_frame_columns[FRAMES_INLINED], t->frame_count, rs_json_uint, t->frames[i].inline_depth);
    COLUMN(j, rs_frame_columns[FRAMES_LAYER], t->frame_count, rs_json_str, rs_word(WORDS_LAYER, t->frames[i].layer));
    rs_json_object_end(j);

    section(w, "nodes");
    rs_json_object_begin(j);
    COLUMN(j, rs_node_columns[NODES_PARENT], t->node_count, rs_json_int, t->nodes[i].parent);
    COLUMN(j, rs_node_columns[NODES_FRAME], t->node_count, rs_json_uint, t->nodes[i].frame);
    rs_json_object_end(j);
}

static void write_allocations(struct writer *w)
{
    const struct allocations *a = &w->s->allocations;
    struct rs_json *j = &w->j;

    section(w, "allocations");
    rs_json_object_begin(j);
    rs_json_kv_bool(j, "measured", a->measured);
    rs_json_key(j, "by_size");
    rs_json_object_begin(j);
    for (size_t i = 0; i < ALLOC_SIZE_CLASSES; i++)
        rs_json_kv_uint(j, rs_alloc_size_classes[i], a->by_size[i]);
    rs_json_object_end(j);
    rs_json_key(j, "peak");
    rs_json_object_begin(j);
    kv_ts(w, "ts", a->peak_at_ns);
    rs_json_kv_uint(j, "bytes", a->peak_bytes);
    rs_json_object_end(j);
    rs_json_key(j, "outside");
    rs_json_object_begin(j);
    rs_json_kv_uint(j, "peak_bytes", a->outside_peak_bytes);
    rs_json_kv_uint(j, "left_bytes", a->outside_left_bytes);
    rs_json_object_end(j);
    COLUMN(j, "lifetimes", LIFETIME_CLASSES, rs_json_uint, a->lifetimes[i]);
    COLUMN(j, rs_allocation_columns[ALLOCATIONS_NODE], a->stats_count, rs_json_int, a->stats[i].node);
    COLUMN(j, rs_allocation_columns[ALLOCATIONS_COUNT], a->stats_count, rs_json_uint, a->stats[i].count);
    COLUMN(j, rs_allocation_columns[ALLOCATIONS_BYTES], a->stats_count, rs_json_uint, a->stats[i].bytes);
    COLUMN(j, rs_allocation_columns[ALLOCATIONS_PEAK_BYTES], a->stats_count, rs_json_uint, a->stats[i].peak_bytes);
    COLUMN(j, rs_allocation_columns[ALLOCATIONS_LEAKED_BYTES], a->stats_count, rs_json_uint, a->stats[i].leaked_bytes);
    COLUMN(j, rs_allocation_columns[ALLOCATIONS_LEAKED_COUNT], a->stats_count, rs_json_uint, a->stats[i].leaked_count);
    COLUMN(j, rs_allocation_columns[ALLOCATIONS_TEMPORARY], a->stats_count, rs_json_uint, a->stats[i].temporary);
    COLUMN(j, rs_allocation_columns[ALLOCATIONS_LIFETIME_P50_US], a->stats_count, rs_json_uint,
           a->stats[i].lifetime_p50_us);
    rs_json_object_end(j);

    section(w, "leaks");
    rs_json_array_begin(j);
    for (size_t i = 0; i < a->leak_count; i++) {
        rs_json_object_begin(j);
        rs_json_kv_uint(j, "bytes", a->leaks[i].bytes);
        rs_json_kv_uint(j, "count", a->leaks[i].count);
        rs_json_kv_int(j, "node", a->leaks[i].node);
        kv_ts(w, "first_ts", a->leaks[i].first_ns);
        kv_ts(w, "last_ts", a->leaks[i].last_ns);
        rs_json_kv_uint(j, "process", a->leaks[i].process);
        rs_json_kv_bool(j, "suppressed", a->leaks[i].suppressed);
        rs_json_object_end(j);
    }
    rs_json_array_end(j);
}

static void write_process(struct writer *w, size_t i)
{
    const struct process *p = &w->s->processes[i];
    struct rs_json *j = &w->j;

    rs_json_newline(j);
    rs_json_object_begin(j);
    rs_json_kv_uint(j, "id", i);
    rs_json_kv_int(j, "pid", p->pid);
    rs_json_kv_uint(j, "start_ns", p->start_ns);
    rs_json_kv_uint(j, "image", p->exec_count);
    rs_json_kv_int(j, "parent", p->parent);
    name_list(w, "argv", p->argv, p->argc);
    kv_name(w, "name", p->name);
    kv_name(w, "exe", p->exe);
    rs_json_kv_int(j, "object", p->object);
    rs_json_kv_double(j, "cpu_ms", ms(p->cpu_ns), MS_DIGITS);
    rs_json_kv_double(j, "anon_peak_mb", mb((double)p->anon_peak_bytes), MB_DIGITS);
    rs_json_kv_double(j, "rss_peak_mb", mb((double)p->rss_peak_bytes), MB_DIGITS);
    rs_json_kv_double(j, "heap_peak_mb", mb((double)p->heap_peak_bytes), MB_DIGITS);
    rs_json_kv_double(j, "outside_peak_mb", mb((double)p->outside_peak_bytes), MB_DIGITS);
    rs_json_kv_uint(j, "thread_peak", p->thread_peak);
    rs_json_kv_uint(j, "allocations", p->allocations);
    rs_json_kv_uint(j, "deallocations", p->deallocations);
    rs_json_kv_uint(j, "alloc_bytes", p->alloc_bytes);
    rs_json_kv_uint(j, "leaked_bytes", p->leaked_bytes);
    rs_json_kv_uint(j, "leaked_allocations", p->leaked_allocations);
    rs_json_key(j, "shim");
    rs_json_object_begin(j);
    rs_json_kv_str(j, "status", rs_word(WORDS_SHIM_STATUS, p->shim));
    kv_name(w, "reason", p->shim_reason);
    rs_json_object_end(j);
    rs_json_key(j, "end_ts");
    if (p->end_ns)
        rs_json_double(j, session_unix_ms(w->s, p->end_ns), MS_DIGITS);
    else
        rs_json_null(j);
    rs_json_key(j, "exit");
    if (p->exit_known)
        rs_json_int(j, p->exit_status);
    else
        rs_json_null(j);
    rs_json_object_end(j);
}

static void write_processes(struct writer *w)
{
    const struct session *s = w->s;
    struct rs_json *j = &w->j;

    section(w, "processes");
    rs_json_array_begin(j);
    for (size_t i = 0; i < s->process_count; i++)
        write_process(w, i);
    rs_json_array_end(j);
    section(w, "threads");
    rs_json_array_begin(j);
    for (size_t i = 0; i < s->thread_count; i++) {
        const struct thread *t = &s->threads[i];

        rs_json_newline(j);
        rs_json_object_begin(j);
        rs_json_kv_uint(j, "process", t->process);
        rs_json_kv_int(j, "tid", t->tid);
        kv_name(w, "name", t->name);
        rs_json_kv_double(j, "cpu_ms", ms(t->cpu_ns), MS_DIGITS);
        kv_ts(w, "start_ts", t->start_ns);
        rs_json_key(j, "end_ts");
        if (t->end_ns)
            rs_json_double(j, session_unix_ms(s, t->end_ns), MS_DIGITS);
        else
            rs_json_null(j);
        rs_json_object_end(j);
    }
    rs_json_array_end(j);
}

static void write_rollups(struct writer *w, const char *name, const struct rollup *list, size_t count)
{
    section(w, name);
    rs_json_array_begin(&w->j);
    for (size_t i = 0; i < count; i++) {
        rs_json_object_begin(&w->j);
        kv_name(w, "name", list[i].name);
        rs_json_kv_double(&w->j, "self_pct", list[i].self_pct, 3);
        rs_json_kv_double(&w->j, "total_pct", list[i].total_pct, 3);
        rs_json_kv_uint(&w->j, "function_count", list[i].function_count);
        rs_json_kv_uint(&w->j, "alloc_bytes", list[i].alloc_bytes);
        rs_json_object_end(&w->j);
    }
    rs_json_array_end(&w->j);
}

static void write_hotspots(struct writer *w)
{
    const struct session *s = w->s;

    section(w, "hotspot_snapshots");
    rs_json_array_begin(&w->j);
    for (size_t i = 0; i < s->hotspot_count; i++) {
        rs_json_newline(&w->j);
        rs_json_object_begin(&w->j);
        kv_ts(w, "ts", s->hotspots[i].at_ns);
        write_shares(w, "top_functions", s->hotspots[i].functions, s->hotspots[i].function_count);
        write_shares(w, "crate_rollups", s->hotspots[i].crates, s->hotspots[i].crate_count);
        rs_json_object_end(&w->j);
    }
    rs_json_array_end(&w->j);
}

static void write_counted(struct writer *w, const char *key, const struct counted *list, size_t count)
{
    rs_json_key(&w->j, key);
    rs_json_object_begin(&w->j);
    for (size_t i = 0; i < count; i++)
        rs_json_kv_uint(&w->j, strings_get(&w->s->strings, list[i].what), list[i].count);
    rs_json_object_end(&w->j);
}

static void write_diagnostics(struct writer *w)
{
    const struct diagnostics *d = &w->s->diagnostics;
    struct rs_json *j = &w->j;

    section(w, "diagnostics");
    rs_json_object_begin(j);
    rs_json_kv_str(j, "stack_backend", rs_word(WORDS_STACK_BACKEND, d->stack_backend));
    if (d->stack_event != STACK_EVENT_NONE)
        rs_json_kv_str(j, "stack_event", rs_word(WORDS_STACK_EVENT, d->stack_event));
    rs_json_kv_double(j, "stack_rate_achieved_hz", d->stack_rate_achieved_hz, 1);
    rs_json_kv_uint(j, "stack_samples", d->stack_samples);
    rs_json_kv_uint(j, "stack_lost", d->stack_lost);
    rs_json_kv_uint(j, "stacks_truncated", d->stacks_truncated);
    rs_json_kv_uint(j, "stacks_stitched", d->stacks_stitched);
    write_counted(w, "stop_reasons", d->stop_reasons, d->stop_reason_count);
    rs_json_kv_uint(j, "unknown_symbols", d->unknown_symbols);
    rs_json_kv_double(j, "overhead_pct", d->overhead_pct, 3);
    rs_json_kv_double(j, "cli_cpu_pct", d->cli_cpu_pct, 3);
    rs_json_kv_str(j, "alloc_backend", rs_word(WORDS_ALLOC_BACKEND, d->alloc_backend));
    rs_json_kv_uint(j, "events_received", d->events_received);
    rs_json_kv_uint(j, "events_dropped", d->events_dropped);
    rs_json_kv_uint(j, "inherited_frees", d->inherited_frees);
    rs_json_kv_uint(j, "unknown_frees", d->unknown_frees);
    rs_json_kv_uint(j, "ticks", d->ticks);
    rs_json_kv_uint(j, "ticks_missed", d->ticks_missed);
    rs_json_kv_uint(j, "gaps", d->gaps);
    write_counted(w, "folded", d->folded, d->folded_count);
    name_list(w, "warnings", d->warnings, d->warning_count);
    rs_json_object_end(j);
}

/* What the bounds of the tables gave up, said once, here, since only the end knows. */
static void count_bounds(struct session *s)
{
    const struct {
        const char *what;
        const struct rows *rows;
    } tables[] = {{"cpu_rows", &s->cpu_rows},
                  {"offcpu_rows", &s->offcpu_rows},
                  {"alloc_rows", &s->alloc_rows},
                  {"process_rows", &s->process_rows}};
    char what[64];

    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
        snprintf(what, sizeof(what), "%s_bucket_doublings", tables[i].what);
        session_set_folded(s, what, tables[i].rows->doublings);
        snprintf(what, sizeof(what), "%s_without_thread", tables[i].what);
        session_set_folded(s, what, tables[i].rows->key2_dropped);
    }
    session_set_folded(s, "nodes", s->tree.folded);
}

int session_write(struct session *session, rs_json_sink sink, void *ctx)
{
    char buf[16384];
    struct writer w = {.s = session};

    if (session->meta.redacted) {
        w.home = getenv("HOME");
        w.home_len = w.home ? strlen(w.home) : 0;
        if (w.home_len < 2)
            w.home = NULL;
    }
    count_bounds(session);
    rs_json_init(&w.j, buf, sizeof(buf), sink, ctx);
    rs_json_object_begin(&w.j);
    rs_json_kv_int(&w.j, "schema_version", SESSION_SCHEMA_VERSION);
    rs_json_key(&w.j, "generator");
    rs_json_object_begin(&w.j);
    rs_json_kv_str(&w.j, "name", "rustscope");
    rs_json_kv_str(&w.j, "version", RUSTSCOPE_VERSION);
    rs_json_object_end(&w.j);
    write_meta(&w);
    write_summary(&w);
    write_samples(&w);
    write_timeline(&w);
    write_process_timeline(&w);
    write_functions(&w);
    write_events(&w);
    write_strings(&w);
    write_tree(&w);
    write_rows(&w, &rs_cpu_table, &session->cpu_rows);
    write_rows(&w, &rs_offcpu_table, &session->offcpu_rows);
    write_allocations(&w);
    write_rows(&w, &rs_alloc_table, &session->alloc_rows);
    json_write_scopes(&w.j, session);
    write_benchmarks(&w);
    write_processes(&w);
    write_rollups(&w, "crate_rollups", session->crate_rollups, session->crate_rollup_count);
    write_rollups(&w, "module_rollups", session->module_rollups, session->module_rollup_count);
    write_hotspots(&w);
    write_diagnostics(&w);
    rs_json_newline(&w.j);
    rs_json_object_end(&w.j);
    rs_json_newline(&w.j);
    return rs_json_finish(&w.j);
}
