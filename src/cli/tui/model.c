/* SPDX-License-Identifier: MIT */
#include "tui/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/functions.h"
#include "analyze/node_path.h"
#include "analyze/symbolize.h"
#include "base/alloc.h"
#include "core/path.h"
#include "session/totals.h"

static const uint64_t SECOND_NS = 1000000000;
static const uint64_t LATELY_NS = 10000000000; /* what the tables of functions and allocations speak of */
static const uint64_t NAMES_BUDGET_NS = 2000000;
enum { TABLE_ROWS = 200, EVENT_ROWS = 500 };

void model_init(struct model *model, struct session *session)
{
    static const struct screen_table tables[TABLE_KINDS] = {
        [TABLE_FUNCTIONS] = {.title = "Functions (last 10 s)", .headings = {"self"}},
        [TABLE_PROCESSES] = {.title = "Processes", .headings = {"CPU", "peak", "pid"}, .empty = "none"},
        [TABLE_THREADS] = {.title = "Threads", .headings = {"CPU", "time", "tid"}, .empty = "none"},
    };

    *model = (struct model){.session = session, .names = live_names_new(session)};
    model->screen.hot_cpu_pct = 80;
    model->screen.state = "recording";
    memcpy(model->screen.tables, tables, sizeof(tables));
    model->screen.allocations = (struct screen_table){.title = "Allocations", .headings = {"bytes/s"}};
    model->screen.alloc_bytes_per_s = NAN;
}

void model_release(struct model *model)
{
    for (int i = 0; i < SCREEN_METRICS; i++)
        free(model->screen.series[i].values);
    for (int i = 0; i < TABLE_KINDS; i++)
        free(model->screen.tables[i].rows);
    free(model->screen.allocations.rows);
    free(model->screen.events);
    live_names_free(model->names);
    free(model->process_cpu_ns);
    free(model->thread_cpu_ns);
}

/* -- series ------------------------------------------------------------------------------------------------------- */

static void update_series(struct model *model, enum screen_metric which, enum metric metric, size_t points)
{
    const struct series *line = &model->session->timeline;
    struct screen_series *series = &model->screen.series[which];
    /* The newest point is still being filled: its mean over a few milliseconds would jump about. */
    size_t whole = line->count ? line->count - 1 : 0;
    size_t count = points < whole ? points : whole;
    double held = NAN;

    GROW(series->values, count, series->cap);
    series->first = whole - count;
    series->count = count;
    for (size_t i = 0; i < count; i++) {
        double value = series_get(line, metric, series->first + i);

        /* Some readings are rarer than the points: the last one holds until the next. */
        if (isfinite(value))
            held = value;
        series->values[i] = held;
        if (isfinite(value) && !(series->peak >= value))
            series->peak = value;
    }
    series->now = held;
}

static double last_rate(const struct session *s, enum metric metric)
{
    const struct series *line = &s->timeline;

    /* The newest point is still being filled. */
    return line->count < 2 ? NAN
                           : series_get(line, metric, line->count - 2) * (double)SECOND_NS / (double)line->interval_ns;
}

/* -- tables ------------------------------------------------------------------------------------------------------- */

static struct screen_row *add_row(struct screen_table *table)
{
    GROW(table->rows, table->count + 1, table->cap);
    table->rows[table->count] = (struct screen_row){0};
    return &table->rows[table->count++];
}

/* A candidate for a table: the heaviest TABLE_ROWS are shown. */
struct entry {
    size_t index;
    double cpu_pct;
};

static int by_cpu(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->cpu_pct != y->cpu_pct)
        return x->cpu_pct < y->cpu_pct ? 1 : -1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static double rate_since(uint64_t *before, size_t known, size_t index, uint64_t cpu_ns, double span_ns)
{
    double rate =
        index < known && span_ns > 0 && cpu_ns > before[index] ? 100.0 * (double)(cpu_ns - before[index]) / span_ns : 0;

    before[index] = cpu_ns;
    return rate;
}

static void update_processes(struct model *model, double span_ns)
{
    const struct session *s = model->session;
    struct screen_table *table = &model->screen.tables[TABLE_PROCESSES];
    struct entry *entries = xcalloc(s->process_count, sizeof(*entries));
    size_t count = 0;

    GROW(model->process_cpu_ns, s->process_count, model->process_cap);
    for (size_t i = 0; i < s->process_count; i++) {
        double rate = rate_since(model->process_cpu_ns, model->process_count, i, s->processes[i].cpu_ns, span_ns);

        if (!s->processes[i].end_ns)
            entries[count++] = (struct entry){i, rate};
    }
    model->process_count = s->process_count;
    qsort(entries, count, sizeof(*entries), by_cpu);
    table->count = 0;
    for (size_t i = 0; i < count && i < TABLE_ROWS; i++) {
        const struct process *process = &s->processes[entries[i].index];
        struct screen_row *row = add_row(table);

        snprintf(row->name, sizeof(row->name), "%s", strings_get(&s->strings, process->name));
        snprintf(row->columns[0], sizeof(row->columns[0]), "%.15s", fmt_pct1(entries[i].cpu_pct).s);
        snprintf(row->columns[1], sizeof(row->columns[1]), "%.15s", fmt_bytes((double)process->anon_peak_bytes).s);
        snprintf(row->columns[2], sizeof(row->columns[2]), "%d", process->pid);
        row->style = entries[i].cpu_pct > model->screen.hot_cpu_pct ? STYLE_HOT : STYLE_NORMAL;
    }
    free(entries);
}

static void update_threads(struct model *model, double span_ns)
{
    const struct session *s = model->session;
    struct screen_table *table = &model->screen.tables[TABLE_THREADS];
    struct entry *entries = xcalloc(s->thread_count, sizeof(*entries));
    size_t count = 0;

    GROW(model->thread_cpu_ns, s->thread_count, model->thread_cap);
    for (size_t i = 0; i < s->thread_count; i++) {
        double rate = rate_since(model->thread_cpu_ns, model->thread_count, i, s->threads[i].cpu_ns, span_ns);

        if (!s->threads[i].end_ns)
            entries[count++] = (struct entry){i, rate};
    }
    model->thread_count = s->thread_count;
    qsort(entries, count, sizeof(*entries), by_cpu);
    table->count = 0;
    for (size_t i = 0; i < count && i < TABLE_ROWS; i++) {
        const struct thread *thread = &s->threads[entries[i].index];
        struct screen_row *row = add_row(table);

        snprintf(row->name, sizeof(row->name), "%s", strings_get(&s->strings, thread->name));
        snprintf(row->columns[0], sizeof(row->columns[0]), "%.15s", fmt_pct1(entries[i].cpu_pct).s);
        snprintf(row->columns[1], sizeof(row->columns[1]), "%.15s", fmt_span((double)thread->cpu_ns / 1e9).s);
        snprintf(row->columns[2], sizeof(row->columns[2]), "%d", thread->tid);
        row->style = entries[i].cpu_pct > model->screen.hot_cpu_pct ? STYLE_HOT : STYLE_NORMAL;
    }
    free(entries);
}

/* What the sampled stacks of the last ten seconds say. */
static void update_functions(struct model *model, uint64_t now_ns)
{
    enum { SHOWN = 50 };
    const struct time_window window = {now_ns > LATELY_NS ? now_ns - LATELY_NS : 0, now_ns};
    struct session *s = model->session;
    struct screen_table *table = &model->screen.tables[TABLE_FUNCTIONS];
    struct top_function top[SHOWN];
    size_t count;

    table->empty = s->diagnostics.stack_backend == STACKS_NONE ? "no call stacks here: rustscope doctor tells why"
                                                               : "no samples: it hardly uses the CPU";
    table->count = 0;
    live_names_update(model->names, NAMES_BUDGET_NS);
    count = functions_top(s, &window, top, SHOWN);
    for (size_t i = 0; i < count; i++) {
        struct screen_row *row = add_row(table);

        snprintf(row->name, sizeof(row->name), "%s", strings_get(&s->strings, top[i].name));
        snprintf(row->columns[0], sizeof(row->columns[0]), "%.15s", fmt_pct1(top[i].self_pct).s);
        row->style = top[i].self_pct >= 20 ? STYLE_HOT : STYLE_NORMAL;
    }
}

/* Bytes allocated by one call path lately. */
struct site {
    uint32_t node;
    int64_t bytes;
};

static int by_node(const void *a, const void *b)
{
    const struct site *x = a, *y = b;

    return x->node < y->node ? -1 : x->node > y->node;
}

static int by_bytes(const void *a, const void *b)
{
    const struct site *x = a, *y = b;

    return x->bytes < y->bytes ? 1 : x->bytes > y->bytes ? -1 : by_node(a, b);
}

/*
 * The rows of the buckets from FROM on, summed by node, at the head of *SITES; returns how many. Compacted rows are in
 * order of time, so the search ends where they get too old; the rest is a short tail in any order.
 */
static size_t sites_since(const struct rows *rows, uint32_t from, struct site **sites)
{
    size_t count = 0, cap = 0, nodes = 0;

    *sites = NULL;
    for (size_t row = rows->count; row-- > 0;) {
        if (rows->bucket[row] < from) {
            if (row < rows->compacted)
                break;
            continue;
        }
        GROW(*sites, count + 1, cap);
        (*sites)[count++] = (struct site){rows->key[row], rows->value[ALLOC_ROW_BYTES][row]};
    }
    if (count)
        qsort(*sites, count, sizeof(**sites), by_node);
    for (size_t i = 0; i < count; i++) {
        if (nodes && (*sites)[nodes - 1].node == (*sites)[i].node)
            (*sites)[nodes - 1].bytes += (*sites)[i].bytes;
        else
            (*sites)[nodes++] = (*sites)[i];
    }
    if (nodes)
        qsort(*sites, nodes, sizeof(**sites), by_bytes);
    return nodes;
}

/* Which paths allocated most in the last ten seconds. */
static void update_allocations(struct model *model, uint64_t now_ns)
{
    enum { SHOWN = 50, FRAMES = 4 };
    const struct session *s = model->session;
    struct screen_table *table = &model->screen.allocations;
    uint64_t from_ns = now_ns > LATELY_NS ? now_ns - LATELY_NS : 0;
    double span_s = (double)(now_ns - from_ns) / 1e9;
    struct site *sites;
    size_t count = sites_since(&s->alloc_rows, (uint32_t)(from_ns / s->alloc_rows.interval_ns), &sites);

    table->count = 0;
    for (size_t i = 0; i < count && i < SHOWN && span_s > 0; i++) {
        struct screen_row *row = add_row(table);

        node_path(s, (int32_t)sites[i].node, FRAMES, CHARSET_UTF8, row->name, sizeof(row->name));
        snprintf(row->columns[0], sizeof(row->columns[0]), "%.15s", fmt_bytes((double)sites[i].bytes / span_s).s);
    }
    free(sites);
}

/* -- the rest ----------------------------------------------------------------------------------------------------- */

static void update_events(struct model *model)
{
    const struct session *s = model->session;
    struct screen_model *screen = &model->screen;
    size_t from = s->event_count > EVENT_ROWS ? s->event_count - EVENT_ROWS : 0;

    GROW(screen->events, s->event_count - from, screen->event_cap);
    screen->event_count = 0;
    for (size_t i = from; i < s->event_count; i++) {
        const struct session_event *event = &s->events[i];
        struct screen_event *row = &screen->events[screen->event_count++];

        *row = (struct screen_event){.at_s = (double)event->start_ns / 1e9,
                                     .spike = event->type == EVENT_MEMORY_SPIKE || event->type == EVENT_CPU_SPIKE};
        if (event->type == EVENT_MEMORY_SPIKE)
            snprintf(row->text, sizeof(row->text), "%s%s", fmt_mb_signed((double)event->size_bytes / 1e6).s,
                     event->open ? " so far" : "");
        else if (event->type == EVENT_CPU_SPIKE)
            snprintf(row->text, sizeof(row->text), "CPU %s %s", fmt_pct(event->peak).s,
                     event->open ? "now" : fmt_span((double)(event->end_ns - event->start_ns) / 1e9).s);
        else
            snprintf(row->text, sizeof(row->text), "%s", strings_get(&s->strings, event->location));
        if (event->allocation_count)
            snprintf(row->detail, sizeof(row->detail), "%s", strings_get(&s->strings, event->allocations[0].path));
        else if (event->function_count)
            snprintf(row->detail, sizeof(row->detail), "%s", strings_get(&s->strings, event->functions[0].name));
        else if (event->process > 0 && (size_t)event->process < s->process_count)
            snprintf(row->detail, sizeof(row->detail), "%s (pid %d)",
                     strings_get(&s->strings, s->processes[event->process].name), s->processes[event->process].pid);
    }
}

static void update_title(struct model *model)
{
    const struct session *s = model->session;
    char *out = model->screen.program;
    size_t used = 0, cap = sizeof(model->screen.program);

    out[0] = '\0';
    for (size_t i = 0; i < s->meta.argc && used < cap - 1; i++) {
        const char *arg = strings_get(&s->strings, s->meta.argv[i]);

        used += (size_t)snprintf(out + used, cap - used, "%s%s", i ? " " : "", i ? arg : rs_path_base(arg));
    }
    if (!s->meta.argc && s->process_count)
        snprintf(out, cap, "%s", strings_get(&s->strings, s->processes[0].name));
    model->screen.pid = s->meta.pid;
}

/* While the program runs, allocations are not summed up yet, but they have rows. */
static enum metric memory_metric(const struct session *s)
{
    return s->alloc_rows.count ? METRIC_HEAP_BYTES : totals_heap_metric(s);
}

void model_update(struct model *model, uint64_t now_ns, size_t points)
{
    const struct session *s = model->session;
    struct screen_model *screen = &model->screen;

    update_title(model);
    screen->elapsed_s = (double)now_ns / 1e9;
    screen->interval_s = (double)s->timeline.interval_ns / 1e9;
    screen->memory_title = memory_metric(s) == METRIC_HEAP_BYTES ? "heap" : "memory";
    update_series(model, SCREEN_CPU, METRIC_CPU_PCT, points);
    update_series(model, SCREEN_MEMORY, memory_metric(s), points);
    update_series(model, SCREEN_THREADS, METRIC_THREADS, points);
    update_series(model, SCREEN_FDS, METRIC_OPEN_FDS, points);
    screen->read_bytes_per_s = last_rate(s, METRIC_READ_BYTES);
    screen->alloc_bytes_per_s = s->alloc_rows.count ? last_rate(s, METRIC_ALLOC_BYTES) : NAN;
    screen->write_bytes_per_s = last_rate(s, METRIC_WRITE_BYTES);
    update_events(model);
    if (model->tables_at_ns && now_ns - model->tables_at_ns < SECOND_NS)
        return;
    double span_ns = model->tables_at_ns ? (double)(now_ns - model->tables_at_ns) : 0;

    update_processes(model, span_ns);
    update_threads(model, span_ns);
    update_functions(model, now_ns);
    update_allocations(model, now_ns);
    model->tables_at_ns = now_ns ? now_ns : 1;
}
