/* SPDX-License-Identifier: MIT */
#include "report/totals.h"

#include <math.h>

/* What a column amounts to over points [from, to). */
struct extent {
    double mean, sum, most, first, last;
    size_t most_at;
};

static struct extent measure(const struct series *series, size_t column, size_t from, size_t to)
{
    struct extent e = {NAN, NAN, NAN, NAN, NAN, 0};
    double sum = 0, weighted = 0, weights = 0;
    size_t known = 0;

    for (size_t i = from; i < to && i < series->count; i++) {
        double value = series_get(series, column, i);
        double weight;

        if (!isfinite(value))
            continue;
        weight = series->columns[column].weight[i];
        weighted += value * weight;
        weights += weight;
        sum += value;
        if (!known++)
            e.first = value;
        e.last = value;
        if (!(e.most >= value)) {
            e.most = value;
            e.most_at = i;
        }
    }
    if (known) {
        e.sum = sum;
        e.mean = weights > 0 ? weighted / weights : NAN;
    }
    return e;
}

enum metric totals_heap_metric(const struct session *s)
{
    return s->allocations.measured ? METRIC_HEAP_BYTES : METRIC_ANON_BYTES;
}

static bool lived(uint64_t start_ns, uint64_t end_ns, uint64_t from_ns, uint64_t to_ns)
{
    return start_ns <= to_ns && (!end_ns || end_ns >= from_ns);
}

void totals_compute_window(const struct session *s, uint64_t from_ns, uint64_t to_ns, struct totals *t)
{
    const struct series *line = &s->timeline;
    size_t from = (size_t)(from_ns / line->interval_ns);
    size_t to = (size_t)((to_ns + line->interval_ns - 1) / line->interval_ns);
    struct extent cpu = measure(line, METRIC_CPU_PCT, from, to);
    struct extent heap = measure(line, totals_heap_metric(s), from, to);
    struct extent fds = measure(line, METRIC_OPEN_FDS, from, to);
    struct extent threads = measure(line, METRIC_THREADS, from, to);

    *t = (struct totals){
        .cpu_avg_pct = cpu.mean,
        .cpu_peak_pct = cpu.most,
        .cpu_ns = isfinite(cpu.mean) ? (uint64_t)(cpu.mean / 100 * (double)(to_ns - from_ns)) : 0,
        .heap_is_live = s->allocations.measured,
        .heap_avg_bytes = heap.mean,
        .heap_peak_bytes = heap.most,
        .heap_peak_at_ns = isfinite(heap.most) ? (double)(heap.most_at * line->interval_ns) : NAN,
        .anon_peak_bytes = measure(line, METRIC_ANON_BYTES, from, to).most,
        .rss_peak_bytes = measure(line, METRIC_RSS_BYTES, from, to).most,
        .thread_avg = threads.mean,
        .thread_peak = threads.most,
        .fd_first = fds.first,
        .fd_last = fds.last,
        .fd_peak = fds.most,
        .read_bytes = measure(line, METRIC_READ_BYTES, from, to).sum,
        .write_bytes = measure(line, METRIC_WRITE_BYTES, from, to).sum,
    };
    for (size_t i = 0; i < s->event_count; i++)
        if (s->events[i].type == EVENT_MEMORY_SPIKE || s->events[i].type == EVENT_CPU_SPIKE)
            t->spikes += lived(s->events[i].start_ns, s->events[i].end_ns, from_ns, to_ns);
    for (size_t i = 0; i < s->process_count; i++)
        t->processes += lived(s->processes[i].start_ns, s->processes[i].end_ns, from_ns, to_ns);
    for (size_t i = 0; i < s->thread_count; i++)
        t->threads += lived(s->threads[i].start_ns, s->threads[i].end_ns, from_ns, to_ns);
}

void totals_compute(const struct session *s, struct totals *t)
{
    /* In a checkpoint the run has no length yet, but points. */
    uint64_t line_ns = s->timeline.count * s->timeline.interval_ns;
    double peak;

    totals_compute_window(s, 0, line_ns > s->duration_ns ? line_ns : s->duration_ns, t);
    /* The whole run has better sources than the timeline: the processes' own clocks, and peaks between its points. */
    t->cpu_ns = 0;
    for (size_t i = 0; i < s->process_count; i++)
        t->cpu_ns += s->processes[i].cpu_ns;
    if (s->duration_ns)
        t->cpu_avg_pct = 100.0 * (double)t->cpu_ns / (double)s->duration_ns;
    t->cpu_peak_pct = measure(&s->samples, SAMPLES_CPU_PEAK_PCT, 0, s->samples.count).most;
    t->anon_peak_bytes = measure(&s->samples, SAMPLES_ANON_PEAK_BYTES, 0, s->samples.count).most;
    t->rss_peak_bytes = measure(&s->samples, SAMPLES_RSS_PEAK_BYTES, 0, s->samples.count).most;
    peak = measure(&s->samples, t->heap_is_live ? SAMPLES_HEAP_PEAK_BYTES : SAMPLES_ANON_PEAK_BYTES, 0,
                   s->samples.count)
               .most;
    if (isfinite(peak))
        t->heap_peak_bytes = peak;
    if (t->heap_is_live && (double)s->allocations.peak_bytes >= peak) {
        t->heap_peak_bytes = (double)s->allocations.peak_bytes;
        t->heap_peak_at_ns = (double)s->allocations.peak_at_ns;
    }
}
