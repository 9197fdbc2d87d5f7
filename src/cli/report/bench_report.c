/* SPDX-License-Identifier: MIT */
#include "report/bench_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/modes.h"
#include "base/alloc.h"
#include "core/bench_arms.h"
#include "core/bench_math.h"
#include "report/bench_order.h"

enum { NAME_COLS = 70, MOST_CELLS = 48, SEED = 1 };
static const double SHORT_NS = 5e6;

static struct fmt in_unit(double ns, enum bench_unit unit)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {[BENCH_UNIT_US] = {"\xc2\xb5s", 1e3}, [BENCH_UNIT_MS] = {"ms", 1e6}, [BENCH_UNIT_S] = {"s", 1e9}};
    struct fmt text;

    if (unit == BENCH_UNIT_AUTO)
        return ns < 60e9 ? fmt_time_ns(ns) : fmt_span(ns / 1e9);
    snprintf(text.s, sizeof(text.s), "%.*f %s", unit == BENCH_UNIT_S ? 3 : 1, ns / units[unit].ns, units[unit].name);
    return text;
}

static double mean_of(const struct bench_result *r, uint64_t (*value)(const struct bench_run *run))
{
    double sum = 0;

    for (size_t i = 0; i < r->count; i++)
        sum += (double)value(&r->runs[i]);
    return sum / (double)r->count;
}

static uint64_t faults(const struct bench_run *run)
{
    return run->minor_faults + run->major_faults;
}

static uint64_t switches(const struct bench_run *run)
{
    return run->voluntary_switches + run->involuntary_switches;
}

/* The largest peak; 0 where one run's is not known. */
static uint64_t peak_rss(const struct bench_result *r)
{
    uint64_t peak = 0;

    for (size_t i = 0; i < r->count; i++) {
        if (!r->runs[i].peak_rss_bytes)
            return 0;
        peak = r->runs[i].peak_rss_bytes > peak ? r->runs[i].peak_rss_bytes : peak;
    }
    return peak;
}

/* ---- one result ---- */

/* How many runs lie in each cell between the fastest and the slowest. */
static void print_histogram(FILE *out, const struct bench_result *r, const double *sorted,
                            const struct bench_page *page)
{
    size_t cells = r->count < 8 ? 0 : r->count < MOST_CELLS ? r->count : MOST_CELLS;
    double in_cell[MOST_CELLS] = {0}, low = sorted[0], width = sorted[r->count - 1] - low;
    char text[3 * MOST_CELLS + 1];

    if (!cells || width <= 0)
        return;
    for (size_t i = 0; i < r->count; i++) {
        size_t cell = (size_t)((sorted[i] - low) / width * (double)cells);

        in_cell[cell < cells ? cell : cells - 1]++;
    }
    fmt_sparkline(text, sizeof(text), in_cell, cells, (int)cells, 0, page->charset);
    fprintf(out, "     %s  %s  %s\n", in_unit(low, page->unit).s, text, in_unit(low + width, page->unit).s);
}

static void print_odd(FILE *out, const struct bench_result *r, const double *sorted, const struct bench_page *page)
{
    struct modes modes = modes_find(sorted, r->count);
    size_t outliers = r->wall.low_severe + r->wall.high_severe;

    if (modes.two)
        fprintf(out, "     ! two peaks: %zu runs around %s, %zu around %s; the mean lies between them\n",
                modes.low_count, in_unit(modes.low, page->unit).s, r->count - modes.low_count,
                in_unit(modes.high, page->unit).s);
    else if (outliers)
        fprintf(out, "     ! %zu of %zu runs lie far outside the others: something else used the machine, or caches\n",
                outliers, r->count);
    if (r->count >= 3 && r->runs[0].wall_ns >= r->wall.max_ns && r->wall.high_severe)
        fputs("     ! the first run took longest: -w 3 warms caches up, --prepare empties them\n", out);
    if (r->in_shell && r->wall.mean_ns < SHORT_NS)
        fputs("     ! too short to be told from the shell's own start: -N runs it without a shell\n", out);
    if (r->failed)
        fprintf(out, "     ! %zu of %zu runs failed (ignored)\n", r->failed, r->count);
}

static void print_result(FILE *out, const struct bench_result *r, size_t number, const struct bench_page *page)
{
    double *sorted = xcalloc(r->count, sizeof(*sorted));
    const char *sigma = page->charset == CHARSET_UTF8 ? "\xcf\x83" : "sd";
    char name[4 * NAME_COLS];
    uint64_t peak = peak_rss(r);

    for (size_t i = 0; i < r->count; i++)
        sorted[i] = r->runs[i].wall_ns;
    rs_sort_doubles(sorted, r->count);
    fmt_fit(name, sizeof(name), r->name, NAME_COLS, page->charset);
    fprintf(out, "%s%3zu  %s%s\n     mean %s", page->colour ? "\x1b[1m" : "", number, name,
            page->colour ? "\x1b[0m" : "", in_unit(r->wall.mean_ns, page->unit).s);
    if (r->count > 1)
        fprintf(out, " (%s to %s), %s %s", in_unit(r->wall.mean_low_ns, page->unit).s,
                in_unit(r->wall.mean_high_ns, page->unit).s, sigma, in_unit(r->wall.stddev_ns, page->unit).s);
    fprintf(out, ", %zu run%s\n", r->count, r->count == 1 ? "" : "s");
    fprintf(out, "     median %s, min %s, max %s\n     user %s, system %s", in_unit(r->wall.median_ns, page->unit).s,
            in_unit(r->wall.min_ns, page->unit).s, in_unit(r->wall.max_ns, page->unit).s,
            in_unit(r->user_ns, page->unit).s, in_unit(r->system_ns, page->unit).s);
    if (peak)
        fprintf(out, ", peak RSS %s", fmt_bytes((double)peak).s);
    fprintf(out, ", %s faults, %s switches\n", fmt_si(mean_of(r, faults), "").s, fmt_si(mean_of(r, switches), "").s);
    print_histogram(out, r, sorted, page);
    print_odd(out, r, sorted, page);
    free(sorted);
}

/* ---- how they compare ---- */

static void wall_times(const struct bench_result *r, double *times)
{
    for (size_t i = 0; i < r->count; i++)
        times[i] = r->runs[i].wall_ns;
}

static void print_relative(FILE *out, const struct bench_result *r, const struct bench_result *reference,
                           const struct bench_page *page)
{
    size_t count = r->count + reference->count;
    double *base = xcalloc(count + RS_ARMS_SCRATCH(count), sizeof(*base)), *next = base + reference->count;
    char name[4 * NAME_COLS];
    struct rs_arms arms;

    wall_times(reference, base);
    wall_times(r, next);
    rs_arms_compare(base, reference->count, next, r->count, page->paired && r->count == reference->count, SEED,
                    base + count, &arms);
    free(base);
    fmt_fit(name, sizeof(name), r->name, NAME_COLS, page->charset);
    if (!isfinite(arms.ratio))
        fprintf(out, "            -             %s\n", name);
    else if (isfinite(arms.low))
        fprintf(out, "  %7.2f (%.2f to %.2f)  %s\n", arms.ratio, arms.low, arms.high, name);
    else
        fprintf(out, "  %7.2f                 %s\n", arms.ratio, name);
}

static void print_summary(FILE *out, const struct bench_result *results, size_t count, const struct bench_page *page)
{
    const struct bench_result **order = xcalloc(count + 1, sizeof(*order));
    size_t with_runs = bench_order(results, count, page->sort != BENCH_SORT_COMMAND, order);
    const struct bench_result *reference = bench_reference(results, count, page->has_reference);
    char name[4 * NAME_COLS];

    if (with_runs > 1 && reference) {
        fmt_fit(name, sizeof(name), reference->name, NAME_COLS, page->charset);
        fprintf(out, "\nTimes as long as %s%s:\n", page->has_reference ? "" : "the fastest, ", name);
        for (size_t i = 0; i < with_runs; i++)
            if (order[i] != reference)
                print_relative(out, order[i], reference, page);
    }
    free(order);
}

void bench_print(FILE *out, const struct bench_result *results, size_t count, const struct bench_page *page)
{
    for (size_t i = 0; i < count; i++)
        if (results[i].count)
            print_result(out, &results[i], i + 1, page);
    print_summary(out, results, count, page);
}

void bench_print_self(FILE *out, const struct bench_gate *gate)
{
    if (gate->unfit)
        fputs("\nNo verdict: the base differs from itself by more than the threshold. Something else used the machine.\n",
              out);
    if (isfinite(gate->self_low))
        fprintf(out, "\nThe base against itself, odd runs by even ones: %+.1f %% (%+.1f to %+.1f)\n",
                100 * (gate->self_ratio - 1), 100 * (gate->self_low - 1), 100 * (gate->self_high - 1));
}
