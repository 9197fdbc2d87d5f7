/* SPDX-License-Identifier: MIT */
#include "core/bench_arms.h"

#include <math.h> /* for NAN alone */
#include <string.h>

#include "core/bench_math.h"

static const double TRIMMED = 0.2; /* at each end */

/* How much of the AT-th of COUNT ascending runs is neither in the lowest nor in the highest fifth. */
static double weight_at(double at, double count)
{
    double from = TRIMMED * count, to = count - from;
    double low = at > from ? at : from, high = at + 1 < to ? at + 1 : to;

    return high > low ? high - low : 0;
}

/* The centre of a draw from ascending values, each taken TIMES[i] times, COUNT in all. */
static double center_of_draw(const double *sorted, const uint32_t *times, size_t distinct, size_t count)
{
    double from = TRIMMED * (double)count, to = (double)count - from, sum = 0;
    double begin = 0;

    for (size_t i = 0; i < distinct && begin < to; i++) {
        double end = begin + times[i];
        double low = begin > from ? begin : from, high = end < to ? end : to;

        if (high > low)
            sum += sorted[i] * (high - low);
        begin = end;
    }
    return sum / (to - from);
}

static double center_of_sorted(const double *sorted, size_t count)
{
    double sum = 0, weights = 0;

    for (size_t i = 0; i < count; i++) {
        double weight = weight_at((double)i, (double)count);

        sum += weight * sorted[i];
        weights += weight;
    }
    return weights > 0 ? sum / weights : 0;
}

double rs_arms_center(const double *values, size_t count, double *scratch)
{
    memcpy(scratch, values, count * sizeof(*values));
    rs_sort_doubles(scratch, count);
    return center_of_sorted(scratch, count);
}

double rs_arms_scatter(const double *values, size_t count)
{
    double mean = 0, squares = 0;

    for (size_t i = 0; i < count; i++)
        mean += values[i] / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    return count > 1 && mean > 0 ? rs_root(squares / (double)(count - 1)) / mean : NAN;
}

/* The place of V in SORTED; of equal values the first, which for a sum is as good as any. */
static uint32_t rank_of(const double *sorted, size_t count, double v)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (sorted[middle] < v)
            low = middle + 1;
        else
            high = middle;
    }
    return (uint32_t)low;
}

/* One arm while it is drawn from. */
struct drawn {
    const double *values; /* in the order of the runs */
    double *sorted;
    uint32_t *times; /* of SORTED, how often each was drawn */
    uint32_t *rank;  /* of the runs, in SORTED */
    size_t count;
};

static void draw(struct drawn *arm, uint32_t run)
{
    arm->times[arm->rank[run]]++;
}

static double center_drawn(const struct drawn *arm)
{
    return center_of_draw(arm->sorted, arm->times, arm->count, arm->count);
}

/* Sets up ARM in 2 * COUNT doubles at SCRATCH. */
static void drawn_init(struct drawn *arm, const double *values, size_t count, double *scratch)
{
    *arm = (struct drawn){values, scratch, (uint32_t *)(scratch + count), (uint32_t *)(scratch + count) + count, count};
    memcpy(arm->sorted, values, count * sizeof(*values));
    rs_sort_doubles(arm->sorted, count);
    for (size_t i = 0; i < count; i++)
        arm->rank[i] = rank_of(arm->sorted, count, values[i]);
}

/* Draws of both arms; fills the ratios (infinite where a drawn base is 0) and the moments of the centres. */
static void resample(struct drawn *base, struct drawn *next, bool paired, uint64_t seed, double *ratios,
                     struct rs_arms *out)
{
    const double draws = RS_ARMS_RESAMPLES;
    double base_sum = 0, next_sum = 0, base_squares = 0, next_squares = 0, products = 0;

    for (size_t i = 0; i < RS_ARMS_RESAMPLES; i++) {
        double of_base, of_next;

        memset(base->times, 0, base->count * sizeof(*base->times));
        memset(next->times, 0, next->count * sizeof(*next->times));
        for (size_t k = 0; k < base->count; k++) {
            uint32_t run = rs_random_below(&seed, (uint32_t)base->count);

            draw(base, run);
            if (paired)
                draw(next, run);
        }
        for (size_t k = 0; k < next->count && !paired; k++)
            draw(next, rs_random_below(&seed, (uint32_t)next->count));
        of_base = center_drawn(base);
        of_next = center_drawn(next);
        ratios[i] = of_base > 0 ? of_next / of_base : of_next > 0 ? HUGE_VAL : 1;
        /* Around the centres, so that nothing cancels. */
        of_base -= out->base;
        of_next -= out->next;
        base_sum += of_base;
        next_sum += of_next;
        base_squares += of_base * of_base;
        next_squares += of_next * of_next;
        products += of_base * of_next;
    }
    out->base_variance = base_squares / draws - base_sum / draws * (base_sum / draws);
    out->next_variance = next_squares / draws - next_sum / draws * (next_sum / draws);
    out->covariance = products / draws - base_sum / draws * (next_sum / draws);
}

/* Variance of next - BOUND * base. */
static double variance_at(const struct rs_arms *a, double bound)
{
    double variance = a->next_variance + bound * bound * a->base_variance - 2 * bound * a->covariance;
    double least =
        1e-24 * (a->next * a->next + bound * bound * a->base * a->base); /* what rounding leaves of nothing */

    return variance > least ? variance : 0;
}

/* A draw's variance is (n - 1) / n of the sample's: the moments as they are of the sample. Returns by how much they
 * grew. */
static double unbias(struct rs_arms *a, size_t base_count, size_t next_count, bool paired)
{
    double of_base = (double)base_count / (double)(base_count - 1),
           of_next = (double)next_count / (double)(next_count - 1);
    double before = a->next_variance + a->base_variance, by_base, by_next;

    a->base_variance *= of_base;
    a->next_variance *= of_next;
    a->covariance *= of_base; /* paired, or zero but for chance */
    if (!paired)
        a->covariance = 0;
    by_base = a->ratio * a->ratio * a->base_variance; /* as the ratio feels them */
    by_next = a->next_variance;
    /* Welch and Satterthwaite; pairs are one sample. */
    a->degrees = paired ? (double)base_count - 1
                 : by_base + by_next > 0
                     ? (by_base + by_next) * (by_base + by_next) /
                           (by_base * by_base / (double)(base_count - 1) + by_next * by_next / (double)(next_count - 1))
                     : (double)(base_count + next_count - 2);
    return before > 0 ? (a->next_variance + a->base_variance) / before : 1;
}

/* Fieller's interval of a ratio: where next - bound * base is not further from 0 than Student's distribution allows. */
static void student_interval(struct rs_arms *a)
{
    double t = rs_student_975(a->degrees), g = t * t * a->base_variance / (a->base * a->base);
    double middle = a->ratio - t * t * a->covariance / (a->base * a->base), root;

    if (!(g < 1)) { /* the base may be 0 */
        a->low = 0;
        a->high = HUGE_VAL;
        return;
    }
    root = middle * middle - (1 - g) * (a->ratio * a->ratio - t * t * a->next_variance / (a->base * a->base));
    a->low = (middle - rs_root(root)) / (1 - g);
    a->high = (middle + rs_root(root)) / (1 - g);
    if (a->low < 0)
        a->low = 0;
}

void rs_arms_compare(const double *base, size_t base_count, const double *next, size_t next_count, bool paired,
                     uint64_t seed, double *scratch, struct rs_arms *out)
{
    double *ratios = scratch + 2 * (base_count + next_count), grew, tail;
    struct drawn a, b;

    *out = (struct rs_arms){.ratio = NAN, .low = NAN, .high = NAN};
    paired = paired && base_count == next_count;
    drawn_init(&a, base, base_count, scratch);
    drawn_init(&b, next, next_count, scratch + 2 * base_count);
    out->base = center_of_sorted(a.sorted, base_count);
    out->next = center_of_sorted(b.sorted, next_count);
    if (base_count && next_count && out->base > 0)
        out->ratio = out->next / out->base;
    if (base_count < 2 || next_count < 2)
        return;
    resample(&a, &b, paired, seed, ratios, out);
    grew = unbias(out, base_count, next_count, paired);
    if (!(out->base > 0))
        return;
    if (base_count < RS_ARMS_BOOTSTRAP_MIN || next_count < RS_ARMS_BOOTSTRAP_MIN) {
        student_interval(out);
        return;
    }
    rs_sort_doubles(ratios, RS_ARMS_RESAMPLES);
    tail = rs_normal_cdf(-rs_root(grew) * rs_student_975(out->degrees));
    out->low = rs_quantile(ratios, RS_ARMS_RESAMPLES, tail);
    out->high = rs_quantile(ratios, RS_ARMS_RESAMPLES, 1 - tail);
}

void rs_arms_widen(struct rs_arms *arms, double base_variance, double next_variance)
{
    struct rs_arms wider = *arms;

    if (!(arms->degrees > 0) || (base_variance <= arms->base_variance && next_variance <= arms->next_variance))
        return;
    wider.base_variance = base_variance > arms->base_variance ? base_variance : arms->base_variance;
    wider.next_variance = next_variance > arms->next_variance ? next_variance : arms->next_variance;
    wider.covariance = 0; /* what was added is each arm's own */
    if (wider.base > 0) {
        student_interval(&wider);
        wider.low = wider.low < arms->low ? wider.low : arms->low;
        wider.high = wider.high > arms->high ? wider.high : arms->high;
    }
    *arms = wider;
}

double rs_arms_p(const struct rs_arms *arms, double bound)
{
    double apart = arms->next - bound * arms->base, error;

    if (!(arms->degrees > 0))
        return 1;
    error = rs_root(variance_at(arms, bound));
    if (error > 0)
        return rs_student_two_sided(apart / error, arms->degrees);
    return apart != 0 ? 0 : 1;
}

int rs_arms_side(const struct rs_arms *arms, double bound)
{
    double apart = arms->next - bound * arms->base, reach;

    if (!(arms->degrees > 0))
        return 0;
    reach = rs_student_975(arms->degrees) * rs_root(variance_at(arms, bound));
    return apart > reach ? 1 : apart < -reach ? -1 : 0;
}
