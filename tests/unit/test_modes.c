/* SPDX-License-Identifier: MIT */
#include "analyze/modes.h"

#include <math.h>
#include <string.h>

#include "core/bench_math.h"
#include "suite.h"

enum { RUNS = 60, TRIALS = 2000 };

static uint64_t seed = 7;

static double uniform(void)
{
    return ((double)(rs_random(&seed) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
    return rs_normal_quantile(uniform());
}

static double exponential(void)
{
    return -log(uniform());
}

static unsigned found_in(double (*draw)(void), size_t runs)
{
    double values[RUNS];
    unsigned found = 0;

    for (int trial = 0; trial < TRIALS; trial++) {
        for (size_t i = 0; i < runs; i++)
            values[i] = 1e7 + 1e5 * draw();
        rs_sort_doubles(values, runs);
        found += modes_find(values, runs).two;
    }
    return found;
}

START_TEST(one_peak_is_not_taken_for_two)
{
    ck_assert_uint_le(found_in(normal, RUNS), 2);
    ck_assert_uint_le(found_in(uniform, RUNS), 2);
    ck_assert_uint_le(found_in(exponential, RUNS), TRIALS / 100);
    ck_assert_uint_le(found_in(normal, 20), TRIALS / 100);
}
END_TEST

static double two_peaks(void)
{
    return normal() + (uniform() < 0.4 ? 0 : 8);
}

START_TEST(two_peaks_are_told_with_their_means)
{
    double values[RUNS];
    struct modes modes;

    ck_assert_uint_ge(found_in(two_peaks, RUNS), TRIALS * 95 / 100);
    for (size_t i = 0; i < RUNS; i++)
        values[i] = (i < 20 ? 5e6 : 8e6) + (double)i * 100;
    modes = modes_find(values, RUNS);
    ck_assert(modes.two);
    ck_assert_uint_eq(modes.low_count, 20);
    ck_assert_double_eq_tol(modes.low, 5e6, 1e4);
    ck_assert_double_eq_tol(modes.high, 8e6, 1e4);
}
END_TEST

START_TEST(a_few_disturbed_runs_are_no_peak)
{
    double values[RUNS];

    for (size_t i = 0; i < RUNS; i++)
        values[i] = i < RUNS - 5 ? 5e6 + (double)i : 50e6;
    ck_assert(!modes_find(values, RUNS).two);
}
END_TEST

START_TEST(equal_and_few_values_have_one_peak)
{
    double values[RUNS] = {0};

    ck_assert(!modes_find(values, RUNS).two);
    ck_assert(!modes_find(values, 0).two);
    values[13] = 5;
    ck_assert(!modes_find(values, 14).two);
}
END_TEST

SUITE("modes", one_peak_is_not_taken_for_two, two_peaks_are_told_with_their_means, a_few_disturbed_runs_are_no_peak,
      equal_and_few_values_have_one_peak)
