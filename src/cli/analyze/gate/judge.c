/* SPDX-License-Identifier: MIT */
#include "analyze/gate/judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/bench_arms.h"
#include "core/bench_math.h"
#include "core/bench_stats.h"

enum {
    SEED = 1,
    SCATTER_RUNS = 5,
    SCATTER_THRESHOLDS = 10,
    SINGLE_FLOORS = 10, /* start-up alone differs by more than a millisecond between two runs */
};
/* One of 200 comparisons of a program with itself may be wrong, on a machine that is as noisy as can be. */
static const double FAMILY_RATE = 0.005;
static const double ROUNDING = 1e-9; /* +1 % written as 10100 / 10000 is +1 % */

struct gate_limits gate_limits_default(void)
{
    return (struct gate_limits){
        .threshold = 0.05, .exact_threshold = 0.01, .floor_ns = 1e6, .floor_bytes = 65536, .floor_count = 8};
}

enum gate_severity gate_severity_of(double ratio)
{
    return isnan(ratio) || ratio >= 1.25 ? SEVERITY_CRITICAL : ratio >= 1.10 ? SEVERITY_MODERATE : SEVERITY_MINOR;
}

/* A figure while it is judged. */
struct judged {
    struct figure *f;
    double *values[ARMS]; /* the runs that have it */
    size_t counts[ARMS];
    bool paired;
    double threshold, floor;
    const struct gate_limits *limits;
};

static double floor_of(const struct figure *f, const struct gate_limits *limits)
{
    double floor = f->unit == UNIT_NS      ? limits->floor_ns
                   : f->unit == UNIT_BYTES ? limits->floor_bytes
                                           : limits->floor_count;
    double times = fmax(f->arms[ARM_BASE].times, f->arms[ARM_NEXT].times);

    if (f->kind == FIGURE_BENCHMARK)
        return 0; /* it runs as often as one likes */
    return times > 1 ? floor / times : floor;
}

/* Whether each run of one arm that knows the figure has its like in the other: timed runs among recorded ones, say. */
static bool has_pairs(const struct figure *f)
{
    const struct figure_arm *base = &f->arms[ARM_BASE], *next = &f->arms[ARM_NEXT];
    bool pairs = base->count == next->count;

    for (size_t run = 0; pairs && run < base->count; run++)
        pairs = isnan(base->runs[run]) == isnan(next->runs[run]);
    return pairs;
}

static void judged_init(struct judged *j, struct figure *f, const struct gate_limits *limits, double *scratch)
{
    *j = (struct judged){.f = f, .limits = limits, .paired = limits->paired, .floor = floor_of(f, limits)};
    j->threshold = f->exact ? limits->exact_threshold : limits->threshold;
    for (int arm = 0; arm < ARMS; arm++) {
        const struct figure_arm *a = &f->arms[arm];

        j->values[arm] = scratch;
        for (size_t run = 0; run < a->count; run++)
            if (!isnan(a->runs[run]))
                j->values[arm][j->counts[arm]++] = a->runs[run];
        scratch += a->count;
    }
    j->paired = j->paired && has_pairs(f);
}

static bool present(const struct judged *j, enum arm arm)
{
    for (size_t i = 0; i < j->counts[arm]; i++)
        if (j->values[arm][i] > 0)
            return true;
    return false;
}

/* New and gone subjects, and what one arm did not measure. A total that rises from nothing is judged like any other. */
static bool judge_presence(struct judged *j)
{
    struct figure *f = j->f;
    bool there[ARMS] = {present(j, ARM_BASE), present(j, ARM_NEXT)};

    if (f->reason && f->verdict == GATE_NOT_COMPARABLE) /* by who asked */
        return true;
    if (f->kind == FIGURE_TOTAL) {
        /* Runs that have it do not stand for all: the slow ones, say, that lasted until it was read. */
        bool everywhere = true;

        for (int arm = 0; arm < ARMS; arm++)
            everywhere = everywhere && j->counts[arm] == (f->arms[arm].of ? f->arms[arm].of : f->arms[arm].count);

        if (j->counts[ARM_BASE] && j->counts[ARM_NEXT] && everywhere)
            return false;
        f->verdict = GATE_NOT_COMPARABLE;
        f->reason = !j->counts[ARM_BASE]   ? "base did not measure it"
                    : !j->counts[ARM_NEXT] ? "new did not measure it"
                                           : "not measured in every run";
        return true;
    }
    if (there[ARM_BASE] && there[ARM_NEXT])
        return false;
    f->verdict = there[ARM_NEXT] ? GATE_NEW : there[ARM_BASE] ? GATE_GONE : GATE_UNCHANGED;
    return true;
}

/* REGRESSED or IMPROVED by where the change goes. */
static void changed(struct figure *f)
{
    f->verdict = f->next > f->base ? GATE_REGRESSED : GATE_IMPROVED;
    if (f->verdict == GATE_REGRESSED)
        f->severity = gate_severity_of(f->ratio);
}

static bool beyond(const struct judged *j, double by)
{
    const struct figure *f = j->f;

    return fabs(f->next - f->base) >= j->floor * (1 - ROUNDING) && f->next != f->base &&
           (isnan(f->ratio) || fabs(f->ratio - 1) >= by - ROUNDING);
}

/* The runs an arm that would bring the interval off the threshold it crosses: errors fall with the root of their
 * number. */
static uint32_t runs_needed(const struct judged *j)
{
    const struct figure *f = j->f;
    size_t runs = j->counts[ARM_BASE] > j->counts[ARM_NEXT] ? j->counts[ARM_BASE] : j->counts[ARM_NEXT];
    double half = (f->high - f->low) / 2, apart = fabs(fabs(f->ratio - 1) - j->threshold), needed;

    if (!isfinite(half))
        return isnan(f->ratio) ? 0 : UINT32_MAX;
    /* As near to the threshold as this nobody needs to know the side. */
    if (apart < j->threshold / 2)
        apart = j->threshold / 2;
    needed = ceil((double)runs * (half / apart) * (half / apart));
    return needed >= UINT32_MAX ? UINT32_MAX : needed <= (double)runs ? (uint32_t)runs + 1 : (uint32_t)needed;
}

/* An interval of ten thresholds each way from runs enough to know: the number of runs is not what is amiss. */
static bool scatters(const struct judged *j)
{
    return j->f->kind == FIGURE_TOTAL && j->counts[ARM_BASE] >= SCATTER_RUNS && j->counts[ARM_NEXT] >= SCATTER_RUNS &&
           (j->f->high - j->f->low) / 2 > SCATTER_THRESHOLDS * j->threshold;
}

static void unsure(struct judged *j)
{
    struct figure *f = j->f;

    f->verdict = GATE_UNSURE;
    f->runs_needed = runs_needed(j);
    if (f->runs_needed > GATE_MOST_RUNS || scatters(j)) {
        f->verdict = GATE_NOT_COMPARABLE;
        f->runs_needed = 0;
        f->reason = "its runs scatter too much for this threshold";
    }
}

/* With the widest interval that there is: none. Only totals that changed a lot count. */
static void judge_single(struct judged *j)
{
    struct figure *f = j->f;

    f->reason = "one run a side is no test";
    if (f->kind == FIGURE_TOTAL && beyond(j, GATE_SINGLE) && fabs(f->next - f->base) >= SINGLE_FLOORS * j->floor)
        changed(f);
    else
        f->verdict = GATE_UNSURE;
}

static void unchanged_by_floor(struct figure *f)
{
    f->verdict = GATE_UNCHANGED;
    f->reason = "less than the floor";
}

/* Whether the difference, with its error, stays below the floor. */
static bool below_floor(const struct judged *j)
{
    return fabs(j->f->next - j->f->base) + j->f->error < j->floor;
}

/*
 * The variance of an arm's centre that comes from having only sampled it: of a share of n in N samples, n (1 - n / N).
 * 0 for what was not sampled.
 */
static double sampling_variance(const struct figure_arm *arm, double center)
{
    double samples = (double)arm->samples, all = (double)arm->of_samples;

    return samples > 0 && all >= samples ? center * center * (1 / samples - 1 / all) : 0;
}

static void judge_noisy(struct judged *j, double *scratch)
{
    struct figure *f = j->f;
    struct rs_arms arms;

    if (j->counts[ARM_BASE] < 2 || j->counts[ARM_NEXT] < 2) {
        judge_single(j);
        return;
    }
    rs_arms_compare(j->values[ARM_BASE], j->counts[ARM_BASE], j->values[ARM_NEXT], j->counts[ARM_NEXT], j->paired, SEED,
                    scratch, &arms);
    rs_arms_widen(&arms, sampling_variance(&f->arms[ARM_BASE], arms.base),
                  sampling_variance(&f->arms[ARM_NEXT], arms.next));
    f->low = arms.low;
    f->high = arms.high;
    f->error = rs_student_975(arms.degrees) * rs_root(arms.base_variance + arms.next_variance - 2 * arms.covariance);
    f->p = fabs(f->next - f->base) >= j->floor
               ? rs_arms_p(&arms, f->next > f->base ? 1 + j->threshold : 1 - j->threshold)
               : NAN;
    if (beyond(j, j->threshold) &&
        (f->next > f->base ? rs_arms_side(&arms, 1 + j->threshold) > 0 && !(f->low <= 1 + j->threshold)
                           : rs_arms_side(&arms, 1 - j->threshold) < 0 && f->high < 1 - j->threshold))
        changed(f);
    else if (f->low >= 1 - j->threshold && f->high <= 1 + j->threshold)
        f->verdict = GATE_UNCHANGED;
    else if (below_floor(j))
        unchanged_by_floor(f);
    else
        unsure(j);
}

static double spread(const struct judged *j, enum arm arm, double *low, double *high)
{
    *low = *high = j->values[arm][0];
    for (size_t i = 1; i < j->counts[arm]; i++) {
        *low = fmin(*low, j->values[arm][i]);
        *high = fmax(*high, j->values[arm][i]);
    }
    return *high > 0 ? (*high - *low) / *high : 0;
}

static void judge_exact(struct judged *j, double *scratch)
{
    double low[ARMS], high[ARMS];
    bool agree = spread(j, ARM_BASE, &low[0], &high[0]) <= j->threshold;
    bool apart;

    agree = spread(j, ARM_NEXT, &low[1], &high[1]) <= j->threshold && agree;
    apart = low[ARM_NEXT] > high[ARM_BASE] || high[ARM_NEXT] < low[ARM_BASE];
    if (agree && apart && !beyond(j, j->threshold) && fabs(j->f->ratio - 1) >= j->threshold - ROUNDING)
        unchanged_by_floor(j->f);
    else if (agree && !beyond(j, j->threshold))
        j->f->verdict = GATE_UNCHANGED;
    else if (beyond(j, j->threshold) && apart)
        changed(j->f);
    else
        judge_noisy(j, scratch);
}

/* One session a side: what its samples say. */
static bool judge_samples(struct judged *j)
{
    static const enum gate_verdict verdicts[] = {[RS_BENCH_NO_CHANGE] = GATE_UNCHANGED,
                                                 [RS_BENCH_IMPROVED] = GATE_IMPROVED,
                                                 [RS_BENCH_REGRESSED] = GATE_REGRESSED,
                                                 [RS_BENCH_INCONCLUSIVE] = GATE_UNSURE};
    struct figure *f = j->f;
    const struct figure_arm *base = &f->arms[ARM_BASE], *next = &f->arms[ARM_NEXT];
    struct rs_bench_samples before = {base->samples_ns, base->sample_count, base->processes};
    struct rs_bench_samples after = {next->samples_ns, next->sample_count, next->processes};
    struct rs_bench_change change;
    double *scratch;

    if (j->counts[ARM_BASE] > 1 || j->counts[ARM_NEXT] > 1 || before.count < 2 || after.count < 2)
        return false;
    scratch = xreallocarray(NULL, RS_BENCH_SCRATCH(before.count + after.count), sizeof(*scratch));
    rs_bench_compare(&before, &after, j->threshold, SEED, scratch, &change);
    free(scratch);
    f->ratio = change.ratio;
    f->low = change.low;
    f->high = change.high;
    f->p = change.p;
    f->verdict = verdicts[change.verdict];
    if (f->verdict == GATE_REGRESSED)
        f->severity = gate_severity_of(f->ratio);
    if (f->verdict == GATE_UNSURE)
        f->reason = "its samples scatter too much: run it longer";
    return true;
}

static void judge_one(struct figure *f, const struct gate_limits *limits, double *scratch)
{
    size_t runs = f->arms[ARM_BASE].count + f->arms[ARM_NEXT].count;
    struct judged j;

    judged_init(&j, f, limits, scratch);
    scratch += runs;
    f->base = j.counts[ARM_BASE] ? rs_arms_center(j.values[ARM_BASE], j.counts[ARM_BASE], scratch) : NAN;
    f->next = j.counts[ARM_NEXT] ? rs_arms_center(j.values[ARM_NEXT], j.counts[ARM_NEXT], scratch) : NAN;
    f->ratio = f->base > 0 ? f->next / f->base : NAN;
    f->low = f->high = f->error = f->p = NAN;
    if (f->verdict != GATE_NOT_COMPARABLE)
        f->reason = NULL;
    f->severity = SEVERITY_NONE;
    f->runs_needed = 0;
    if (judge_presence(&j))
        return;
    if (f->kind == FIGURE_BENCHMARK && judge_samples(&j))
        return;
    if (f->base < j.floor && f->next < j.floor) /* no change of it could clear the floor */
        unchanged_by_floor(f);
    else if (f->exact)
        judge_exact(&j, scratch);
    else
        judge_noisy(&j, scratch);
}

static int by_p(const void *a, const void *b)
{
    const struct figure *x = *(struct figure *const *)a, *y = *(struct figure *const *)b;

    return x->p < y->p ? -1 : x->p > y->p;
}

/* Holm (1979): the i-th smallest of m p-values must be below rate / (m - i); the first that is not ends it. */
static void correct_family(struct figure **family, size_t count)
{
    bool holds = true;

    qsort(family, count, sizeof(*family), by_p);
    for (size_t i = 0; i < count; i++) {
        struct figure *f = family[i];

        holds = holds && f->p < FAMILY_RATE / (double)(count - i);
        if (holds || (f->verdict != GATE_REGRESSED && f->verdict != GATE_IMPROVED))
            continue;
        f->verdict = GATE_UNSURE;
        f->severity = SEVERITY_NONE;
        f->reason = "one of many figures, and not sure enough for that";
    }
}

void gate_judge(struct figure *figures, size_t count, const struct gate_limits *limits)
{
    struct figure **family = xreallocarray(NULL, count + 1, sizeof(*family));
    size_t most = 0;
    double *scratch;

    for (size_t i = 0; i < count; i++) {
        size_t runs = figures[i].arms[ARM_BASE].count + figures[i].arms[ARM_NEXT].count;

        most = runs > most ? runs : most;
    }
    scratch = xreallocarray(NULL, most + RS_ARMS_SCRATCH(most) + 1, sizeof(*scratch));
    for (size_t i = 0; i < count; i++)
        judge_one(&figures[i], limits, scratch);
    free(scratch);
    for (int headline = 1; headline >= (limits->one_family ? 1 : 0); headline--) {
        size_t members = 0;

        for (size_t i = 0; i < count; i++)
            if (!isnan(figures[i].p) && (limits->one_family || figures[i].headline == (headline == 1)))
                family[members++] = &figures[i];
        correct_family(family, members);
    }
    free(family);
}

void gate_confirm(struct figure *list, size_t count, const struct figures *second, const struct gate_limits *limits)
{
    for (size_t i = 0; i < count; i++) {
        struct figure *f = &list[i];
        const struct figure *again;
        double threshold = f->exact ? limits->exact_threshold : limits->threshold;

        if (f->verdict != GATE_REGRESSED && f->verdict != GATE_IMPROVED)
            continue;
        again = figures_find(second, f->kind, f->metric, f->name, f->module);
        if (again && (isnan(again->ratio)            ? again->next > 0
                      : f->verdict == GATE_REGRESSED ? again->ratio >= 1 + threshold - ROUNDING
                                                     : again->ratio <= 1 - threshold + ROUNDING))
            continue;
        f->verdict = GATE_UNSURE;
        f->severity = SEVERITY_NONE;
        f->reason = "a second series did not confirm it";
    }
}
