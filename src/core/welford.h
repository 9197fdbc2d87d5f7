/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/*
 * Mean and variance of a stream of durations, kept two ways at once.
 *
 * Welford's running mean is at hand after each value, which an outlier test needs, and does not cancel; but merging it
 * (Chan) rounds, so a sum over threads would depend on their order. The integer sums beside it merge exactly, in any
 * order; results are computed from them, in one place: rs_exact_mean() and rs_exact_variance().
 */
struct rs_welford {
    uint64_t count;
    double mean, m2;
};

struct rs_exact {
    uint64_t count;
    uint64_t sum;
    uint64_t square_lo, square_hi; /* 128-bit sum of squares */
};

void rs_welford_add(struct rs_welford *w, double value);
/* Chan, Golub, LeVeque: as if FROM's values had been added to INTO. */
void rs_welford_merge(struct rs_welford *into, const struct rs_welford *from);
/* Of the sample (n-1); 0 for fewer than two values. */
double rs_welford_variance(const struct rs_welford *w);

void rs_exact_add(struct rs_exact *e, uint64_t value);
void rs_exact_merge(struct rs_exact *into, const struct rs_exact *from);
double rs_exact_mean(const struct rs_exact *e);
/* Of the sample. Exact to the rounding of the result: the cancellation happens in integers. */
double rs_exact_variance(const struct rs_exact *e);
