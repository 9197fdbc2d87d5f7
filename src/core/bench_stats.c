/* SPDX-License-Identifier: MIT */
#include "core/bench_stats.h"

#include <string.h>

#include "core/bench_math.h"

enum {
    PROCESSES_MAX = 64,    /* more are taken together */
    EXACT_PERMUTATIONS = 20000,
    RANDOM_PERMUTATIONS = 20000,
};

static double mean_of(const double *v, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += v[i];
    return count ? sum / (double)count : 0;
}

/* Of the sample. */
static double variance_of(const double *v, size_t count, double mean)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += (v[i] - mean) * (v[i] - mean);
    return count > 1 ? sum / (double)(count - 1) : 0;
}

/* The median of COUNT values, which end up sorted in SCRATCH. */
static double median_into(double *scratch, const double *v, size_t count)
{
    memcpy(scratch, v, count * sizeof(*v));
    rs_sort_doubles(scratch, count);
    return rs_quantile(scratch, count, 0.5);
}

/* ---- one set ---- */

static void spread(const double *sorted, size_t count, double *scratch, struct rs_bench_summary *out)
{
    double q1 = rs_quantile(sorted, count, 0.25), q3 = rs_quantile(sorted, count, 0.75), range = q3 - q1;

    for (size_t i = 0; i < count; i++) {
        double x = sorted[i];

        scratch[i] = x < out->median_ns ? out->median_ns - x : x - out->median_ns;
        if (x < q1 - 3 * range)
            out->low_severe++;
        else if (x < q1 - 1.5 * range)
            out->low_mild++;
        else if (x > q3 + 3 * range)
            out->high_severe++;
        else if (x > q3 + 1.5 * range)
            out->high_mild++;
    }
    rs_sort_doubles(scratch, count);
    out->mad_ns = rs_quantile(scratch, count, 0.5);
}

/* One resample of the ascending array SORTED: its median, and its mean in *MEAN. TIMES counts how often each was drawn. */
static double resample(const double *sorted, size_t count, uint32_t *times, uint64_t *random, double *mean)
{
    size_t seen = 0, at = 0;
    double sum = 0, low;

    memset(times, 0, count * sizeof(*times));
    for (size_t i = 0; i < count; i++) {
        uint32_t drawn = rs_random_below(random, (uint32_t)count);

        times[drawn]++;
        sum += sorted[drawn];
    }
    *mean = sum / (double)count;
    while (seen + times[at] <= (count - 1) / 2)
        seen += times[at++];
    low = sorted[at];
    if (count % 2)
        return low;
    while (seen + times[at] <= count / 2)
        seen += times[at++];
    return (low + sorted[at]) / 2;
}

/* Where in the bootstrap distribution the two ends of a BCa interval of the mean lie. */
static void bca_ends(const double *v, size_t count, double mean, const double *sorted_means, double *low, double *high)
{
    const double z = 1.959963984540054;
    double squares = 0, cubes = 0, bias, acceleration;
    size_t below = 0, equal = 0;

    for (size_t i = 0; i < RS_BENCH_RESAMPLES; i++) {
        below += sorted_means[i] < mean;
        equal += sorted_means[i] == mean;
    }
    for (size_t i = 0; i < count; i++) {
        double d = v[i] - mean;

        squares += d * d;
        cubes += d * d * d;
    }
    *low = 0.025;
    *high = 0.975;
    if (!(squares > 0) || below == RS_BENCH_RESAMPLES || below + equal == 0)
        return;
    /* The jackknife's acceleration has this form for a mean. */
    acceleration = cubes / (6 * squares * rs_root(squares));
    bias = rs_normal_quantile(((double)below + (double)equal / 2) / RS_BENCH_RESAMPLES);
    *low = rs_normal_cdf(bias + (bias - z) / (1 - acceleration * (bias - z)));
    *high = rs_normal_cdf(bias + (bias + z) / (1 - acceleration * (bias + z)));
}

static void bootstrap(const double *v, const double *sorted, size_t count, uint64_t seed, double *scratch,
                      struct rs_bench_summary *out)
{
    double *means = scratch, low, high, unused;
    uint32_t *times = (uint32_t *)(scratch + RS_BENCH_RESAMPLES);
    uint64_t random = seed;

    for (size_t i = 0; i < RS_BENCH_RESAMPLES; i++)
        resample(sorted, count, times, &random, &means[i]);
    rs_sort_doubles(means, RS_BENCH_RESAMPLES);
    bca_ends(v, count, out->mean_ns, means, &low, &high);
    out->mean_low_ns = rs_quantile(means, RS_BENCH_RESAMPLES, low);
    out->mean_high_ns = rs_quantile(means, RS_BENCH_RESAMPLES, high);
    random = seed + 1;
    for (size_t i = 0; i < RS_BENCH_RESAMPLES; i++)
        means[i] = resample(sorted, count, times, &random, &unused);
    rs_sort_doubles(means, RS_BENCH_RESAMPLES);
    out->median_low_ns = rs_quantile(means, RS_BENCH_RESAMPLES, 0.025);
    out->median_high_ns = rs_quantile(means, RS_BENCH_RESAMPLES, 0.975);
}

/* How many processes' results the samples are; 1 when they are better taken together. */
static uint32_t groups_of(const struct rs_bench_samples *s, uint32_t least)
{
    bool apart = s->processes >= least && s->processes <= PROCESSES_MAX && s->count % s->processes == 0 &&
                 s->count >= s->processes;

    return apart ? s->processes : 1;
}

static void student(const double *v, size_t count, double *low, double *high)
{
    double mean = mean_of(v, count);
    double half = rs_student_975((double)count - 1) * rs_root(variance_of(v, count, mean) / (double)count);

    *low = mean - half;
    *high = mean + half;
}

void rs_bench_summarize(const struct rs_bench_samples *samples, uint64_t seed, double *scratch,
                        struct rs_bench_summary *out)
{
    double *sorted = scratch, *rest = scratch + samples->count;
    double means[PROCESSES_MAX], medians[PROCESSES_MAX];
    size_t count = samples->count, each;
    uint32_t processes = groups_of(samples, 2);

    *out = (struct rs_bench_summary){0};
    if (!count)
        return;
    out->mean_ns = mean_of(samples->ns, count);
    out->stddev_ns = rs_root(variance_of(samples->ns, count, out->mean_ns));
    out->median_ns = median_into(sorted, samples->ns, count);
    out->min_ns = sorted[0];
    out->max_ns = sorted[count - 1];
    spread(sorted, count, rest, out);
    each = count / processes;
    for (uint32_t i = 0; i < processes; i++) {
        means[i] = mean_of(samples->ns + i * each, each);
        medians[i] = median_into(rest, samples->ns + i * each, each);
    }
    if (processes > 1)
        out->process_stddev_ns = rs_root(variance_of(medians, processes, mean_of(medians, processes)));
    if (groups_of(samples, 3) > 1) {
        student(means, processes, &out->mean_low_ns, &out->mean_high_ns);
        student(medians, processes, &out->median_low_ns, &out->median_high_ns);
    } else {
        bootstrap(samples->ns, sorted, count, seed, rest, out);
    }
}

/* ---- two sets ---- */

double rs_bench_mann_whitney(const double *a, size_t a_count, const double *b, size_t b_count)
{
    double m = (double)a_count, n = (double)b_count, total = m + n, ties = 0, u = 0, variance, z;
    size_t i = 0, k = 0;

    /* Over the values of both, ascending: U counts the pairs in which b is below a, ties as halves. */
    while (i < a_count || k < b_count) {
        double value = k == b_count || (i < a_count && a[i] <= b[k]) ? a[i] : b[k];
        size_t from_a = i, from_b = k;
        double of_a, of_b;

        while (i < a_count && a[i] == value)
            i++;
        while (k < b_count && b[k] == value)
            k++;
        of_a = (double)(i - from_a);
        of_b = (double)(k - from_b);
        u += of_a * ((double)from_b + of_b / 2);
        ties += (of_a + of_b) * ((of_a + of_b) * (of_a + of_b) - 1);
    }
    variance = total > 1 ? m * n / 12 * (total + 1 - ties / (total * (total - 1))) : 0;
    if (!(variance > 0))
        return 1;
    z = u - m * n / 2;
    z = (z < 0 ? -z : z) - 0.5;
    return z <= 0 ? 1 : 2 * (1 - rs_normal_cdf(z / rs_root(variance)));
}

/* The next choice of K out of N in lexical order; false after the last. */
static bool next_choice(uint32_t *chosen, uint32_t k, uint32_t n)
{
    for (uint32_t i = k; i-- > 0;) {
        if (chosen[i] == n - k + i)
            continue;
        chosen[i]++;
        for (uint32_t later = i + 1; later < k; later++)
            chosen[later] = chosen[later - 1] + 1;
        return true;
    }
    return false;
}

/* The part of all ways to share V's values out that differ at least as much in their means as the first A_COUNT do. */
static double permutation_test(double *v, uint32_t a_count, uint32_t count, uint64_t seed)
{
    uint32_t chosen[PROCESSES_MAX], b_count = count - a_count;
    double total = 0, first = 0, ways = 1, observed, slack, p;
    uint64_t extreme = 0, tried = 0;

    for (uint32_t i = 0; i < count; i++)
        total += v[i];
    for (uint32_t i = 0; i < a_count; i++) {
        first += v[i];
        ways *= (double)(b_count + i + 1) / (i + 1);
        chosen[i] = i;
    }
    observed = first / a_count - (total - first) / b_count;
    observed = observed < 0 ? -observed : observed;
    slack = 1e-12 * observed;
    if (ways <= EXACT_PERMUTATIONS) {
        do {
            double sum = 0, apart;

            for (uint32_t i = 0; i < a_count; i++)
                sum += v[chosen[i]];
            apart = sum / a_count - (total - sum) / b_count;
            tried++;
            extreme += (apart < 0 ? -apart : apart) >= observed - slack;
        } while (next_choice(chosen, a_count, count));
        return (double)extreme / (double)tried;
    }
    for (; tried < RANDOM_PERMUTATIONS; tried++) {
        double sum = 0, apart;

        for (uint32_t i = 0; i < a_count; i++) {
            uint32_t other = i + rs_random_below(&seed, count - i);
            double moved = v[other];

            v[other] = v[i];
            v[i] = moved;
            sum += moved;
        }
        apart = sum / a_count - (total - sum) / b_count;
        extreme += (apart < 0 ? -apart : apart) >= observed - slack;
    }
    p = (double)(extreme + 1) / (double)(tried + 1); /* the observed one is one of them */
    return p;
}

static uint32_t log_medians(const struct rs_bench_samples *s, double *scratch, double *out)
{
    uint32_t groups = groups_of(s, 4);
    size_t each = s->count / groups;

    for (uint32_t i = 0; i < groups; i++)
        out[i] = rs_log(median_into(scratch, s->ns + i * each, each));
    return groups;
}

/* Processes against processes; times are compared as logarithms, whose difference is the ratio's. */
static void compare_processes(const struct rs_bench_samples *before, const struct rs_bench_samples *after, uint64_t seed,
                              double *scratch, struct rs_bench_change *out)
{
    double v[2 * PROCESSES_MAX];
    uint32_t a = log_medians(before, scratch, v), b = log_medians(after, scratch, v + a);
    double mean_a = mean_of(v, a), mean_b = mean_of(v + a, b);
    double part_a = variance_of(v, a, mean_a) / a, part_b = variance_of(v + a, b, mean_b) / b, sum = part_a + part_b;
    /* Welch and Satterthwaite */
    double degrees = sum > 0 ? sum * sum / (part_a * part_a / (a - 1) + part_b * part_b / (b - 1)) : 1e6;
    double half = rs_student_975(degrees) * rs_root(sum);

    out->low = rs_exp(mean_b - mean_a - half);
    out->high = rs_exp(mean_b - mean_a + half);
    out->p = permutation_test(v, a, a + b, seed);
}

static void compare_samples(const double *before, size_t a, const double *after, size_t b, uint64_t seed, double *scratch,
                            struct rs_bench_change *out)
{
    double *ratios = scratch, unused;
    uint32_t *times = (uint32_t *)(scratch + RS_BENCH_RESAMPLES);

    out->p = rs_bench_mann_whitney(before, a, after, b);
    for (size_t i = 0; i < RS_BENCH_RESAMPLES; i++) {
        double old = resample(before, a, times, &seed, &unused);

        ratios[i] = resample(after, b, times, &seed, &unused) / old;
    }
    rs_sort_doubles(ratios, RS_BENCH_RESAMPLES);
    out->low = rs_quantile(ratios, RS_BENCH_RESAMPLES, 0.025);
    out->high = rs_quantile(ratios, RS_BENCH_RESAMPLES, 0.975);
}

void rs_bench_compare(const struct rs_bench_samples *before, const struct rs_bench_samples *after, double noise,
                      uint64_t seed, double *scratch, struct rs_bench_change *out)
{
    double *sorted_before = scratch, *sorted_after = scratch + before->count, *rest = sorted_after + after->count;
    double old, now;

    *out = (struct rs_bench_change){1, 0, 0, 1, RS_BENCH_INCONCLUSIVE};
    if (!before->count || !after->count)
        return;
    old = median_into(sorted_before, before->ns, before->count);
    now = median_into(sorted_after, after->ns, after->count);
    if (!(sorted_before[0] > 0) || !(sorted_after[0] > 0))
        return; /* there is no ratio */
    out->ratio = now / old;
    if (groups_of(before, 4) > 1 && groups_of(after, 4) > 1)
        compare_processes(before, after, seed, rest, out);
    else
        compare_samples(sorted_before, before->count, sorted_after, after->count, seed, rest, out);
    if (out->low >= 1 - noise && out->high <= 1 + noise)
        out->verdict = RS_BENCH_NO_CHANGE;
    else if (out->p < 0.05 && out->low > 1 + noise)
        out->verdict = RS_BENCH_REGRESSED;
    else if (out->p < 0.05 && out->high < 1 - noise)
        out->verdict = RS_BENCH_IMPROVED;
}

const char *rs_bench_verdict_name(enum rs_bench_verdict verdict)
{
    static const char *const names[] = {"no change", "improved", "regressed", "inconclusive"};

    return names[verdict];
}

/* ---- growth ---- */

static double order_at(enum rs_bench_order order, double n)
{
    double log2_n = rs_log(n) / 0.693147180559945309417;

    switch (order) {
    case RS_BENCH_OLOGN:
        return log2_n;
    case RS_BENCH_ON:
        return n;
    case RS_BENCH_ONLOGN:
        return n * log2_n;
    case RS_BENCH_ON2:
        return n * n;
    case RS_BENCH_ON3:
        return n * n * n;
    default:
        return 1;
    }
}

bool rs_bench_fit_order(const double *n, const double *ns, size_t count, struct rs_bench_fit *out)
{
    double mean = mean_of(ns, count);

    if (count < 3 || !(mean > 0))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!(n[i] >= 1))
            return false;
    for (int order = 0; order < RS_BENCH_ORDERS; order++) {
        double products = 0, squares = 0, off = 0, coefficient, rms;

        for (size_t i = 0; i < count; i++) {
            double f = order_at((enum rs_bench_order)order, n[i]);

            products += ns[i] * f;
            squares += f * f;
        }
        coefficient = squares > 0 ? products / squares : 0;
        for (size_t i = 0; i < count; i++) {
            double d = ns[i] - coefficient * order_at((enum rs_bench_order)order, n[i]);

            off += d * d;
        }
        rms = rs_root(off / (double)count) / mean;
        if (!order || rms < out->rms)
            *out = (struct rs_bench_fit){(enum rs_bench_order)order, coefficient, rms};
    }
    return true;
}

const char *rs_bench_order_name(enum rs_bench_order order)
{
    static const char *const names[] = {"1", "lg N", "N", "N lg N", "N^2", "N^3"};

    return names[order];
}
