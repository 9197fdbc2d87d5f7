/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Two arms of runs, base and next: how many times as much NEXT takes, and how sure that is.
 *
 * An arm's centre is the mean of its runs without the lowest and the highest fifth (a run that partly lies in a fifth
 * counts partly): a disturbed run moves it little, and of two peaks it takes both, where a median would jump. With
 * fewer than five runs it is close to the mean.
 *
 * The interval is a bootstrap of the ratio of the centres, over pairs of runs where the runs were paired. Its
 * percentiles are taken further out as Student's distribution asks for so few runs (Hesterberg 2015, "expanded
 * percentile"), because plain ones are too narrow below 20 runs. Fewer than RS_ARMS_BOOTSTRAP_MIN runs give too few
 * different draws: there the interval is Student's.
 *
 * Works on the caller's arrays, allocates nothing; the same runs and seed give the same answer.
 */
enum { RS_ARMS_RESAMPLES = 4000, RS_ARMS_BOOTSTRAP_MIN = 8 };

/* Doubles that rs_arms_compare() needs as SCRATCH for COUNT runs of both arms together. */
#define RS_ARMS_SCRATCH(count) (3 * (size_t)(count) + RS_ARMS_RESAMPLES)

struct rs_arms {
    double base, next;                               /* the arms' centres, in the runs' unit */
    double ratio;                                    /* next by base; NaN where base is 0 or an arm has no runs */
    double low, high;                                /* its 95 % interval; NaN with fewer than two runs in an arm */
    double base_variance, next_variance, covariance; /* of the centres */
    double degrees; /* of freedom, for Student's distribution; 0 with fewer than two runs in an arm */
};

/* VALUES (any order, not negative, finite) without their outer fifths. SCRATCH holds COUNT doubles. 0 for no values. */
double rs_arms_center(const double *values, size_t count, double *scratch);

/* PAIRED: run i of base and run i of next belong together; the counts must be equal then, else it is ignored. */
void rs_arms_compare(const double *base, size_t base_count, const double *next, size_t next_count, bool paired,
                     uint64_t seed, double *scratch, struct rs_arms *out);

/*
 * Raises the variances of the centres to at least these, known from elsewhere (of samples: the centre's square by their
 * number), and widens the interval where that made a difference. Nothing happens with fewer than two runs in an arm.
 */
void rs_arms_widen(struct rs_arms *arms, double base_variance, double next_variance);

/*
 * The two-sided p of the hypothesis that NEXT is BOUND times BASE; 1 where nothing is known. It works with a base of 0
 * as well, where there is no ratio.
 */
double rs_arms_p(const struct rs_arms *arms, double bound);

/* Whether the interval of next - bound * base lies above (1), below (-1) or around (0) zero; 0 where nothing is known.
 */
int rs_arms_side(const struct rs_arms *arms, double bound);

/* How far apart an arm's runs lie: their standard deviation by their mean; NaN for fewer than two runs or a mean of 0.
 */
double rs_arms_scatter(const double *values, size_t count);
