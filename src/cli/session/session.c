/* SPDX-License-Identifier: MIT */
#include "session/session.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static const uint64_t MS = 1000000;

static const enum series_merge metric_merge[SAMPLES_COLUMNS] = {
    [METRIC_CPU_PCT] = SERIES_MEAN,         [METRIC_ANON_BYTES] = SERIES_MEAN,
    [METRIC_RSS_BYTES] = SERIES_MEAN,       [METRIC_HEAP_BYTES] = SERIES_MEAN,
    [METRIC_THREADS] = SERIES_MAX,          [METRIC_OPEN_FDS] = SERIES_MAX,
    [METRIC_ALLOC_BYTES] = SERIES_SUM,      [METRIC_READ_BYTES] = SERIES_SUM,
    [METRIC_WRITE_BYTES] = SERIES_SUM,      [METRIC_CONTEXT_SWITCHES] = SERIES_SUM,
    [SAMPLES_CPU_PEAK_PCT] = SERIES_MAX,    [SAMPLES_HEAP_PEAK_BYTES] = SERIES_MAX,
    [SAMPLES_ANON_PEAK_BYTES] = SERIES_MAX, [SAMPLES_RSS_PEAK_BYTES] = SERIES_MAX,
};

struct session *session_new(uint64_t start_mono_ns, int64_t start_unix_ms)
{
    struct session *s = xcalloc(1, sizeof(*s));
    const enum rows_merge sums[ROWS_MAX_VALUES] = {ROWS_SUM, ROWS_SUM, ROWS_SUM};
    const enum rows_merge process_merge[ROWS_MAX_VALUES] = {ROWS_SUM, ROWS_MAX, ROWS_MAX};
    const uint64_t interval_ns = TIMELINE_INTERVAL_MS * MS;

    strings_init(&s->strings);
    s->start_mono_ns = start_mono_ns;
    s->start_unix_ms = start_unix_ms;
    s->meta.exit_code = -1;
    s->meta.others_cpu_pct = NAN;
    s->meta.steal_pct = NAN;
    s->diagnostics.overhead_pct = NAN;
    s->diagnostics.cli_cpu_pct = NAN;
    series_init(&s->timeline, interval_ns, TIMELINE_POINTS, METRIC_COUNT, metric_merge);
    series_init(&s->samples, 1000 * MS, SAMPLES_POINTS, SAMPLES_COLUMNS, metric_merge);
    rows_init(&s->process_rows, interval_ns, MAX_PROCESS_ROWS, 3, process_merge);
    calltree_init(&s->tree, MAX_NODES);
    rows_init(&s->cpu_rows, interval_ns, MAX_CPU_ROWS, 2, sums);
    rows_init(&s->offcpu_rows, interval_ns, MAX_CPU_ROWS, 2, sums);
    rows_init(&s->alloc_rows, interval_ns, MAX_ALLOC_ROWS, 3, sums);
    return s;
}

void session_free(struct session *s)
{
    if (!s)
        return;
    strings_release(&s->strings);
    free(s->meta.argv);
    free(s->meta.tags);
    free(s->meta.labels);
    series_release(&s->timeline);
    series_release(&s->samples);
    for (size_t i = 0; i < s->counter_count; i++)
        series_release(&s->counters[i].values);
    free(s->counters);
    rows_release(&s->process_rows);
    for (size_t i = 0; i < s->process_count; i++)
        free(s->processes[i].argv);
    free(s->processes);
    free(s->threads);
    for (size_t i = 0; i < s->event_count; i++) {
        free(s->events[i].functions);
        free(s->events[i].allocations);
    }
    free(s->events);
    calltree_release(&s->tree);
    rows_release(&s->cpu_rows);
    rows_release(&s->offcpu_rows);
    rows_release(&s->alloc_rows);
    free(s->allocations.stats);
    free(s->allocations.leaks);
    session_scopes_release(&s->scopes);
    session_benchmarks_release(&s->benchmarks);
    free(s->functions);
    free(s->crate_rollups);
    free(s->module_rollups);
    for (size_t i = 0; i < s->hotspot_count; i++) {
        free(s->hotspots[i].functions);
        free(s->hotspots[i].crates);
    }
    free(s->hotspots);
    free(s->diagnostics.stop_reasons);
    free(s->diagnostics.folded);
    free(s->diagnostics.warnings);
    free(s);
}

uint64_t session_at(const struct session *s, uint64_t mono_ns)
{
    return mono_ns > s->start_mono_ns ? mono_ns - s->start_mono_ns : 0;
}

uint64_t session_reading_ns(const struct session *s)
{
    return s->meta.rate_hz ? 1000000000u / s->meta.rate_hz : 0;
}

double session_unix_ms(const struct session *s, uint64_t at_ns)
{
    return (double)s->start_unix_ms + (double)at_ns / 1e6;
}

void session_put_metric(struct session *s, enum metric metric, uint64_t from_ns, uint64_t to_ns, double value)
{
    static const int peak_column[METRIC_COUNT] = {
        [METRIC_HEAP_BYTES] = SAMPLES_HEAP_PEAK_BYTES,
        [METRIC_ANON_BYTES] = SAMPLES_ANON_PEAK_BYTES,
        [METRIC_RSS_BYTES] = SAMPLES_RSS_PEAK_BYTES,
    };

    series_put_span(&s->timeline, metric, from_ns, to_ns, value);
    series_put_span(&s->samples, metric, from_ns, to_ns, value);
    if (peak_column[metric])
        series_put_span(&s->samples, (size_t)peak_column[metric], from_ns, to_ns, value);
}

void session_add_cpu(struct session *s, uint64_t from_ns, uint64_t to_ns, uint64_t cpu_ns)
{
    double pct;

    if (to_ns <= from_ns || !cpu_ns)
        return;
    pct = 100.0 * (double)cpu_ns / (double)(to_ns - from_ns);
    series_raise_span(&s->timeline, METRIC_CPU_PCT, from_ns, to_ns, pct);
    series_raise_span(&s->samples, METRIC_CPU_PCT, from_ns, to_ns, pct);
}

void session_settle_cpu(struct session *s)
{
    series_settle_last(&s->timeline, METRIC_CPU_PCT, TIMELINE_INTERVAL_MS * MS);
    series_settle_last(&s->samples, METRIC_CPU_PCT, TIMELINE_INTERVAL_MS * MS);
}

void session_put_cpu_peak(struct session *s, uint64_t at_ns, double pct)
{
    series_put(&s->samples, SAMPLES_CPU_PEAK_PCT, at_ns, pct);
}

void session_put_counter(struct session *s, string_id name, uint64_t at_ns, double value)
{
    const enum series_merge mean = SERIES_MEAN;
    struct counter_track *track = NULL;

    for (size_t i = 0; i < s->counter_count && !track; i++)
        if (s->counters[i].name == name)
            track = &s->counters[i];
    if (!track) {
        if (s->counter_count >= 256) {
            session_count_folded(s, "counters", 1);
            return;
        }
        s->counters = xreallocarray(s->counters, s->counter_count + 1, sizeof(*s->counters));
        track = &s->counters[s->counter_count++];
        track->name = name;
        series_init(&track->values, TIMELINE_INTERVAL_MS * MS, TIMELINE_POINTS, 1, &mean);
    }
    series_put(&track->values, 0, at_ns, value);
}

uint32_t session_add_process(struct session *s, int pid, int32_t parent, uint64_t start_ns)
{
    if (s->process_count >= MAX_PROCESSES) {
        session_count_folded(s, "processes", 1);
        return MAX_PROCESSES - 1;
    }
    GROW(s->processes, s->process_count + 1, s->process_cap);
    s->processes[s->process_count] =
        (struct process){.pid = pid, .parent = parent, .start_ns = start_ns, .object = CALLTREE_NO_MODULE};
    if (s->process_count + 1 == MAX_PROCESSES)
        s->processes[s->process_count].name = strings_add_str(&s->strings, "[other processes]");
    return (uint32_t)s->process_count++;
}

int32_t session_find_started(const struct session *s, int pid, uint64_t started)
{
    for (size_t i = s->process_count; started && i-- > 0;)
        if (s->processes[i].pid == pid && s->processes[i].started == started)
            return (int32_t)i;
    return -1;
}

int32_t session_find_process(const struct session *s, int pid, uint64_t at_ns)
{
    int32_t found = -1;

    for (size_t i = s->process_count; i-- > 0;) {
        const struct process *p = &s->processes[i];

        if (p->pid != pid || (p->end_ns && p->end_ns < at_ns))
            continue;
        found = (int32_t)i;
        if (p->start_ns <= at_ns)
            break; /* else it was first seen later than it started; an older record fits better if there is one */
    }
    return found;
}

uint32_t session_exec_process(struct session *s, uint32_t index, uint64_t at_ns)
{
    struct process old = s->processes[index];
    uint32_t next;

    s->processes[index].end_ns = at_ns;
    next = session_add_process(s, old.pid, old.parent, at_ns);
    s->processes[next].exec_count = old.exec_count + 1;
    s->processes[next].started = old.started;
    return next;
}

uint32_t session_thread(struct session *s, uint32_t process, int tid, uint64_t at_ns)
{
    for (size_t i = s->thread_count; i-- > 0;)
        if (s->threads[i].tid == tid && s->threads[i].process == process &&
            (!s->threads[i].end_ns || at_ns <= s->threads[i].end_ns))
            return (uint32_t)i;
    if (s->thread_count >= MAX_THREADS) {
        session_count_folded(s, "threads", 1);
        return MAX_THREADS - 1;
    }
    GROW(s->threads, s->thread_count + 1, s->thread_cap);
    s->threads[s->thread_count] = (struct thread){.process = process, .tid = tid, .start_ns = at_ns};
    if (s->thread_count + 1 == MAX_THREADS)
        s->threads[s->thread_count].name = strings_add_str(&s->strings, "[other threads]");
    return (uint32_t)s->thread_count++;
}

int32_t session_named_child(struct session *s, int32_t parent, const char *name, enum layer layer)
{
    uint32_t frame = calltree_named_frame(&s->tree, strings_add_str(&s->strings, name), layer);

    return calltree_child(&s->tree, parent, frame);
}

bool session_row_of_process(const struct session *s, const struct rows *rows, size_t row, int32_t process)
{
    uint32_t thread = rows->key2[row];

    return process < 0 || thread >= s->thread_count || s->threads[thread].process == (uint32_t)process;
}

uint32_t session_add_event(struct session *s, enum event_type type, uint64_t start_ns, int32_t process)
{
    struct session_event *event;

    if (s->event_count >= MAX_EVENTS) {
        session_count_folded(s, "events", 1);
        s->event_count--;
        free(s->events[s->event_count].functions);
        free(s->events[s->event_count].allocations);
    }
    GROW(s->events, s->event_count + 1, s->event_cap);
    event = &s->events[s->event_count];
    *event = (struct session_event){
        .type = type, .start_ns = start_ns, .end_ns = start_ns, .process = process, .open = true};
    return (uint32_t)s->event_count++;
}

void session_warn(struct session *s, const char *format, ...)
{
    struct diagnostics *d = &s->diagnostics;
    va_list args;
    string_id id;
    char text[1024];

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    id = strings_add_str(&s->strings, text);
    for (size_t i = 0; i < d->warning_count; i++)
        if (d->warnings[i] == id)
            return;
    d->warnings = xreallocarray(d->warnings, d->warning_count + 1, sizeof(*d->warnings));
    d->warnings[d->warning_count++] = id;
}

/* The counter of WHAT in LIST, added when it is new. */
static uint64_t *counter(struct session *s, struct counted **list, size_t *list_count, const char *what)
{
    string_id id = strings_add_str(&s->strings, what);

    for (size_t i = 0; i < *list_count; i++)
        if ((*list)[i].what == id)
            return &(*list)[i].count;
    *list = xreallocarray(*list, *list_count + 1, sizeof(**list));
    (*list)[*list_count] = (struct counted){.what = id};
    return &(*list)[(*list_count)++].count;
}

void session_count_folded(struct session *s, const char *what, uint64_t count)
{
    if (count)
        *counter(s, &s->diagnostics.folded, &s->diagnostics.folded_count, what) += count;
}

void session_set_folded(struct session *s, const char *what, uint64_t count)
{
    if (count)
        *counter(s, &s->diagnostics.folded, &s->diagnostics.folded_count, what) = count;
}

void session_count_stop(struct session *s, const char *reason, uint64_t count)
{
    if (count)
        *counter(s, &s->diagnostics.stop_reasons, &s->diagnostics.stop_reason_count, reason) += count;
}
