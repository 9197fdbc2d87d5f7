/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a benchmark's samples say: how long, how sure, and whether it changed. librustscope's runner and `rustscope
 * compare` share it, so that both come to the same verdict.
 *
 * Everything works on the caller's arrays and allocates nothing; the random numbers are seeded, so the same samples give
 * the same answer.
 */

/*
 * COUNT times in the order in which they were taken, from PROCESSES processes (0 counts as 1), equally many from each and
 * one process after the other.
 */
struct rs_bench_samples {
    const double *ns;
    size_t count;
    uint32_t processes;
};

struct rs_bench_summary {
    double mean_ns, median_ns, min_ns, max_ns;
    double stddev_ns; /* n - 1 */
    double mad_ns;    /* not scaled */
    double mean_low_ns, mean_high_ns;
    double median_low_ns, median_high_ns;
    double process_stddev_ns; /* of the processes' medians; 0 for one */
    uint32_t low_mild, low_severe, high_mild, high_severe;
};

enum { RS_BENCH_RESAMPLES = 10000, RS_BENCH_SAMPLES_MAX = 100000 };

/* Doubles that rs_bench_summarize() and rs_bench_compare() need as SCRATCH for COUNT (in both sets together) samples. */
#define RS_BENCH_SCRATCH(count) (3 * (size_t)(count) + RS_BENCH_RESAMPLES)

/*
 * Intervals are 95 %. Of one process: a bootstrap over its samples, BCa for the mean (Efron 1987), percentiles for the
 * median. Of at least three: the processes are the sample (samples of one process share its layout and its luck), and
 * the interval is Student's over their means and their medians. Two processes are treated as one.
 * All zero for no samples.
 */
void rs_bench_summarize(const struct rs_bench_samples *samples, uint64_t seed, double *scratch,
                        struct rs_bench_summary *out);

enum rs_bench_verdict {
    RS_BENCH_NO_CHANGE,    /* the whole interval lies within the noise threshold */
    RS_BENCH_IMPROVED,     /* the test finds a difference and the whole interval is beyond the threshold */
    RS_BENCH_REGRESSED,
    RS_BENCH_INCONCLUSIVE, /* neither: the interval is too wide to tell */
};

struct rs_bench_change {
    double ratio;     /* of the medians, new by old */
    double low, high; /* its 95 % interval */
    double p;         /* that equal distributions differ so much */
    enum rs_bench_verdict verdict;
};

/*
 * Compares two sets of samples. NOISE is the relative difference that nobody cares about: 0.01 is 1 %.
 *
 * Where both come from four processes or more, a permutation test over the processes' medians (exact up to 20,000
 * arrangements) and Welch's interval for the ratio. Else Mann-Whitney's test, corrected for ties, and a bootstrap of the
 * ratio over all samples.
 */
void rs_bench_compare(const struct rs_bench_samples *before, const struct rs_bench_samples *after, double noise,
                      uint64_t seed, double *scratch, struct rs_bench_change *out);

/* "improved", "regressed", "no change", "inconclusive" */
const char *rs_bench_verdict_name(enum rs_bench_verdict verdict);

/* Mann-Whitney's U test of two ascending arrays, two-sided, normal approximation with continuity and tie correction. */
double rs_bench_mann_whitney(const double *a, size_t a_count, const double *b, size_t b_count);

/* How times grow with N. */
enum rs_bench_order { RS_BENCH_O1, RS_BENCH_OLOGN, RS_BENCH_ON, RS_BENCH_ONLOGN, RS_BENCH_ON2, RS_BENCH_ON3, RS_BENCH_ORDERS };

struct rs_bench_fit {
    enum rs_bench_order order;
    double coefficient_ns; /* time = coefficient * order(n) */
    double rms;            /* of the differences, as a part of the mean time */
};

/* The order that leaves the least squares. False for fewer than three times or an N below 1. */
bool rs_bench_fit_order(const double *n, const double *ns, size_t count, struct rs_bench_fit *out);
/* "1", "lg N", "N", "N lg N", "N^2", "N^3" */
const char *rs_bench_order_name(enum rs_bench_order order);
