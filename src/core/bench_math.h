/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * The little mathematics that statistics need, without libm: librustscope links nothing but libc. Accurate to about
 * 1e-14 relative (rs_log, rs_exp) and absolute (rs_normal_cdf); test_bench_stats compares with libm. No errno.
 */

/* Natural logarithm of a normal number; -HUGE_VAL for 0 and less. */
double rs_log(double x);
/* 0 below -708, HUGE_VAL above 709. */
double rs_exp(double x);

/* The standard normal distribution: P(X <= x), and the x with P(X <= x) = p for 0 < p < 1. */
double rs_normal_cdf(double x);
double rs_normal_quantile(double p);

/* The 0.975 quantile of Student's t: what a two-sided 95 % interval takes. DEGREES >= 1. */
double rs_student_975(double degrees);
/* P(|T| >= |t|) of Student's t with DEGREES >= 1, to a few per cent of itself (Wallace 1959). */
double rs_student_two_sided(double t, double degrees);

/* The square root; 0 below 0. */
double rs_root(double x);

/* splitmix64 (Steele, Lea, Flood 2014): one word of state, any seed, passes BigCrush. */
uint64_t rs_random(uint64_t *state);
/* In [0, N), by multiplication: the bias of 2^-32 N does not matter to a bootstrap. */
uint32_t rs_random_below(uint64_t *state, uint32_t n);

/* Of COUNT >= 1 ascending values, interpolated between order statistics (R's type 7). 0 <= P <= 1. */
double rs_quantile(const double *sorted, size_t count, double p);

/* Ascending, in place. libc's qsort may allocate. */
void rs_sort_doubles(double *values, size_t count);
