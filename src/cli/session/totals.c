/* SPDX-License-Identifier: MIT */
#include "session/totals.h"

#include <math.h>

/* What a column amounts to over points [from, to). */
struct extent {
    double mean, sum, most, first, last;
    size_t most_at;
};

static double overlap_ns(const struct series *series, size_t point, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t begin = point * series->interval_ns, end = begin + series->interval_ns;

    begin = begin > from_ns ? begin : from_ns;
    end = end < to_ns ? end : to_ns;
    return end > begin ? (double)(end - begin) : 0;
}

/*
 * Over the points that FROM_NS..TO_NS touches. A mean weighs a point by its time in the window, up to ENDS_NS: the last
 * point is seldom a whole one, and a file does not tell how many readings were in it.
 */
static struct extent measure(const struct series *series, size_t column, uint64_t from_ns, uint64_t to_ns,
                             uint64_t ends_ns)
{
    struct extent e = {NAN, NAN, NAN, NAN, NAN, 0};
    size_t from = (size_t)(from_ns / series->interval_ns);
    size_t to = (size_t)((to_ns + series->interval_ns - 1) / series->interval_ns);
    double sum = 0, weighted = 0, weights = 0;
    size_t known = 0;

    for (size_t i = from; i < to && i < series->count; i++) {
        double value = series_get(series, column, i);
        double weight;

        if (!isfinite(value))
            continue;
        weight = overlap_ns(series, i, from_ns, to_ns < ends_ns ? to_ns : ends_ns);
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

/* The most of the whole series. */
static double most(const struct series *series, size_t column)
{
    return measure(series, column, 0, series->count * series->interval_ns, 0).most;
}

enum metric totals_heap_metric(const struct session *s)
{
    return s->allocations.measured ? METRIC_HEAP_BYTES : METRIC_ANON_BYTES;
}

static bool lived(uint64_t start_ns, uint64_t end_ns, uint64_t from_ns, uint64_t to_ns)
{
    return start_ns <= to_ns && (!end_ns || end_ns >= from_ns);
}

/*
 * Whether P is a process of the window that no other record stands for: an exec makes a further image of the same
 * process, and those that nobody saw have one record together.
 */
static bool is_process_of(const struct session *s, const struct process *p, uint64_t from_ns, uint64_t to_ns)
{
    if (!lived(p->start_ns, p->end_ns, from_ns, to_ns) || (p->exec_count > 0 && p->start_ns >= from_ns))
        return false;
    return p->pid || strings_get(&s->strings, p->name)[0] != '[';
}

void totals_compute_window(const struct session *s, uint64_t from_ns, uint64_t to_ns, struct totals *t)
{
    const struct series *line = &s->timeline;
    /* In a checkpoint the run has no length yet. */
    uint64_t ends_ns = s->duration_ns ? s->duration_ns : UINT64_MAX;
    uint64_t last_ns = to_ns < ends_ns ? to_ns : ends_ns;
    struct extent cpu = measure(line, METRIC_CPU_PCT, from_ns, to_ns, ends_ns);
    struct extent heap = measure(line, totals_heap_metric(s), from_ns, to_ns, ends_ns);
    struct extent fds = measure(line, METRIC_OPEN_FDS, from_ns, to_ns, ends_ns);
    struct extent threads = measure(line, METRIC_THREADS, from_ns, to_ns, ends_ns);

    *t = (struct totals){
        .cpu_avg_pct = cpu.mean,
        .cpu_peak_pct = cpu.most,
        .cpu_ns =
            isfinite(cpu.mean) ? (uint64_t)(cpu.mean / 100 * (double)(last_ns > from_ns ? last_ns - from_ns : 0)) : 0,
        .heap_is_live = s->allocations.measured,
        .heap_avg_bytes = heap.mean,
        .heap_peak_bytes = heap.most,
        .heap_peak_at_ns = isfinite(heap.most) ? (double)(heap.most_at * line->interval_ns) : NAN,
        .anon_peak_bytes = measure(line, METRIC_ANON_BYTES, from_ns, to_ns, ends_ns).most,
        .rss_peak_bytes = measure(line, METRIC_RSS_BYTES, from_ns, to_ns, ends_ns).most,
        .thread_avg = threads.mean,
        .thread_peak = threads.most,
        .fd_first = fds.first,
        .fd_last = fds.last,
        .fd_peak = fds.most,
        .read_bytes = measure(line, METRIC_READ_BYTES, from_ns, to_ns, ends_ns).sum,
        .write_bytes = measure(line, METRIC_WRITE_BYTES, from_ns, to_ns, ends_ns).sum,
    };
    for (size_t i = 0; i < s->event_count; i++)
        if (s->events[i].type == EVENT_MEMORY_SPIKE || s->events[i].type == EVENT_CPU_SPIKE)
            t->spikes += lived(s->events[i].start_ns, s->events[i].end_ns, from_ns, to_ns);
    for (size_t i = 0; i < s->process_count; i++)
        t->processes += is_process_of(s, &s->processes[i], from_ns, to_ns);
    for (size_t i = 0; i < s->thread_count; i++)
        t->threads += lived(s->threads[i].start_ns, s->threads[i].end_ns, from_ns, to_ns);
}

void totals_compute(const struct session *s, struct totals *t)
{
    uint64_t line_ns = s->timeline.count * s->timeline.interval_ns;
    double peak;

    totals_compute_window(s, 0, line_ns > s->duration_ns ? line_ns : s->duration_ns, t);
    /* The whole run has better sources than the timeline: the processes' own clocks, and peaks between its points. */
    t->cpu_ns = 0;
    for (size_t i = 0; i < s->process_count; i++)
        t->cpu_ns += s->processes[i].cpu_ns;
    if ((t->cpu_ns || isfinite(t->cpu_avg_pct)) && s->duration_ns >= session_reading_ns(s) && s->duration_ns)
        t->cpu_avg_pct = 100.0 * (double)t->cpu_ns / (double)s->duration_ns;
    t->cpu_peak_pct = most(&s->samples, SAMPLES_CPU_PEAK_PCT);
    t->anon_peak_bytes = most(&s->samples, SAMPLES_ANON_PEAK_BYTES);
    t->rss_peak_bytes = most(&s->samples, SAMPLES_RSS_PEAK_BYTES);
    peak = most(&s->samples, t->heap_is_live ? SAMPLES_HEAP_PEAK_BYTES : SAMPLES_ANON_PEAK_BYTES);
    if (isfinite(peak))
        t->heap_peak_bytes = peak;
    if (t->heap_is_live && (double)s->allocations.peak_bytes >= peak) {
        t->heap_peak_bytes = (double)s->allocations.peak_bytes;
        t->heap_peak_at_ns = (double)s->allocations.peak_at_ns;
    }
}
