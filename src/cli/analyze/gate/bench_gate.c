/* SPDX-License-Identifier: MIT */
#include "analyze/gate/bench_gate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/bench_arms.h"

enum { FEWEST_HALF = 5, SEED = 1 };

static double wall(const struct bench_run *run)
{
    return run->wall_ns;
}

static double cpu(const struct bench_run *run)
{
    return run->user_ns + run->system_ns;
}

static double rss(const struct bench_run *run)
{
    return run->peak_rss_bytes ? (double)run->peak_rss_bytes : NAN;
}

static const struct {
    const char *metric;
    enum figure_unit unit;
    double (*value)(const struct bench_run *run);
} totals[] = {{"wall", UNIT_NS, wall}, {"cpu", UNIT_NS, cpu}, {"rss_peak", UNIT_BYTES, rss}};

/* A figure that some run lacks is left out: those that have it are not a sample of all. */
static bool is_known(const struct bench_result *result, double (*value)(const struct bench_run *run))
{
    for (size_t i = 0; i < result->count; i++)
        if (isnan(value(&result->runs[i])))
            return false;
    return true;
}

/* A run counts in an arm's figures whether it failed or not: both arms were run under the same rule. */
static void put_runs(struct figures *set, enum arm arm, const struct bench_result *result, const bool *known)
{
    for (size_t i = 0; i < result->count; i++) {
        size_t run = figures_add_run(set, arm);

        for (size_t t = 0; t < sizeof(totals) / sizeof(*totals); t++) {
            struct figure *figure;

            if (!known[t])
                continue;
            figure = figures_get(set, FIGURE_TOTAL, totals[t].metric, "", "");
            figure->unit = totals[t].unit;
            figure->headline = true;
            figures_put(set, figure, arm, run, totals[t].value(&result->runs[i]));
        }
        figures_measured(set, arm, run, FIGURE_TOTAL);
    }
}

/* The base's odd runs against its even ones. */
static void compare_with_itself(struct bench_gate *gate, const struct bench_result *base, double threshold)
{
    size_t half = base->count / 2;
    double *times;
    struct rs_arms arms;

    gate->self_ratio = gate->self_low = gate->self_high = NAN;
    if (half < FEWEST_HALF)
        return;
    times = xcalloc(2 * half + RS_ARMS_SCRATCH(2 * half), sizeof(*times));
    for (size_t i = 0; i < 2 * half; i++)
        times[(i % 2) * half + i / 2] = base->runs[i].wall_ns;
    rs_arms_compare(times, half, times + half, half, false, SEED, times + 2 * half, &arms);
    free(times);
    gate->self_ratio = arms.ratio;
    gate->self_low = arms.low;
    gate->self_high = arms.high;
    gate->unfit = arms.low > 1 + threshold || arms.high < 1 / (1 + threshold);
}

void bench_gate_judge(struct bench_gate *gate, const struct bench_result *base, const struct bench_result *next,
                      const struct gate_limits *limits)
{
    bool known[sizeof(totals) / sizeof(*totals)];

    *gate = (struct bench_gate){.unfit = false};
    for (size_t t = 0; t < sizeof(totals) / sizeof(*totals); t++)
        known[t] = is_known(base, totals[t].value) && is_known(next, totals[t].value);
    put_runs(&gate->set, ARM_BASE, base, known);
    put_runs(&gate->set, ARM_NEXT, next, known);
    figures_fill(&gate->set);
    gate_judge(gate->set.list, gate->set.count, limits);
    gate->figures = gate->set.list;
    gate->count = gate->set.count;
    compare_with_itself(gate, base, limits->threshold);
}

void bench_gate_release(struct bench_gate *gate)
{
    figures_release(&gate->set);
    *gate = (struct bench_gate){.unfit = false};
}

void bench_gate_confirm(struct bench_gate *first, const struct bench_gate *second, const struct gate_limits *limits)
{
    gate_confirm(first->figures, first->count, &second->set, limits);
    first->unfit |= second->unfit;
}

int bench_gate_status(const struct bench_gate *gate)
{
    bool comparable = false;

    if (gate->unfit)
        return 3;
    for (size_t i = 0; i < gate->count; i++) {
        if (gate->figures[i].verdict == GATE_REGRESSED)
            return 1;
        comparable |= !strcmp(gate->figures[i].metric, "wall") && gate->figures[i].verdict != GATE_NOT_COMPARABLE;
    }
    return comparable ? 0 : 3;
}
