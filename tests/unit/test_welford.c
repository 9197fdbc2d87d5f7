/* SPDX-License-Identifier: MIT */
#include "core/welford.h"

#include <math.h>

#include "suite.h"

enum { VALUES = 10000 };

static uint64_t value(unsigned i)
{
    return (i * 2654435761u) % 100003 + (i % 97 == 0 ? 5000000 : 0);
}

static double true_mean(unsigned from, unsigned to)
{
    long double sum = 0;

    for (unsigned i = from; i < to; i++)
        sum += (long double)value(i);
    return (double)(sum / (to - from));
}

static double true_variance(unsigned from, unsigned to)
{
    long double mean = (long double)true_mean(from, to), sum = 0;

    for (unsigned i = from; i < to; i++)
        sum += ((long double)value(i) - mean) * ((long double)value(i) - mean);
    return (double)(sum / (to - from - 1));
}

START_TEST(both_agree_with_the_definition)
{
    struct rs_welford w = {0};
    struct rs_exact e = {0};

    for (unsigned i = 0; i < VALUES; i++) {
        rs_welford_add(&w, (double)value(i));
        rs_exact_add(&e, value(i));
    }
    ck_assert_double_eq_tol(w.mean, true_mean(0, VALUES), 1e-6);
    ck_assert_double_eq_tol(rs_exact_mean(&e), true_mean(0, VALUES), 1e-9);
    ck_assert_double_eq_tol(rs_welford_variance(&w) / true_variance(0, VALUES), 1, 1e-9);
    ck_assert_double_eq_tol(rs_exact_variance(&e) / true_variance(0, VALUES), 1, 1e-12);
}
END_TEST

START_TEST(merged_parts_equal_the_whole)
{
    static const unsigned cuts[] = {0, 1, 3, 1000, 1001, 7777, VALUES};
    struct rs_welford whole = {0}, merged = {0};
    struct rs_exact exact_whole = {0}, exact_merged = {0};

    for (unsigned i = 0; i < VALUES; i++) {
        rs_welford_add(&whole, (double)value(i));
        rs_exact_add(&exact_whole, value(i));
    }
    /* Backwards: the order of merging must not matter to the exact sums. */
    for (int c = 5; c >= 0; c--) {
        struct rs_welford part = {0};
        struct rs_exact exact_part = {0};

        for (unsigned i = cuts[c]; i < cuts[c + 1]; i++) {
            rs_welford_add(&part, (double)value(i));
            rs_exact_add(&exact_part, value(i));
        }
        rs_welford_merge(&merged, &part);
        rs_exact_merge(&exact_merged, &exact_part);
    }
    ck_assert_uint_eq(merged.count, whole.count);
    ck_assert_double_eq_tol(merged.mean, whole.mean, 1e-6);
    ck_assert_double_eq_tol(merged.m2 / whole.m2, 1, 1e-9);
    ck_assert_mem_eq(&exact_merged, &exact_whole, sizeof(exact_whole));
}
END_TEST

START_TEST(merging_nothing_changes_nothing)
{
    struct rs_welford w = {0}, nothing = {0}, copy;

    rs_welford_merge(&w, &nothing);
    ck_assert_uint_eq(w.count, 0);
    ck_assert_double_eq(w.mean, 0);
    rs_welford_add(&w, 5);
    copy = w;
    rs_welford_merge(&w, &nothing);
    ck_assert_mem_eq(&w, &copy, sizeof(w));
    rs_welford_merge(&nothing, &w);
    ck_assert_mem_eq(&nothing, &copy, sizeof(w));
}
END_TEST

START_TEST(few_and_equal_values_have_no_variance)
{
    struct rs_welford w = {0};
    struct rs_exact e = {0};

    ck_assert_double_eq(rs_exact_variance(&e), 0);
    for (int i = 0; i < 1000; i++) {
        rs_welford_add(&w, 1e15);
        rs_exact_add(&e, 1000000000000000u);
        ck_assert_double_eq(rs_exact_variance(&e), 0);
        ck_assert_double_eq(rs_welford_variance(&w), 0);
    }
}
END_TEST

START_TEST(a_small_spread_on_a_large_mean_does_not_cancel)
{
    struct rs_exact e = {0};

    for (int i = 0; i < 1000000; i++)
        rs_exact_add(&e, 1000000000000u + (unsigned)(i % 2));
    ck_assert_double_eq_tol(rs_exact_variance(&e), 0.25, 1e-6);
}
END_TEST

START_TEST(sums_of_squares_go_beyond_64_bits)
{
    struct rs_exact e = {0};

    for (int i = 0; i < 100; i++)
        rs_exact_add(&e, (UINT64_C(1) << 41) * (unsigned)(i % 2));
    ck_assert_uint_gt(e.square_hi, 0);
    ck_assert_double_eq_tol(sqrt(rs_exact_variance(&e)) / ldexp(1, 40) * sqrt(99.0 / 100.0), 1, 1e-12);
}
END_TEST

SUITE("welford", both_agree_with_the_definition, merged_parts_equal_the_whole, merging_nothing_changes_nothing,
      few_and_equal_values_have_no_variance, a_small_spread_on_a_large_mean_does_not_cancel,
      sums_of_squares_go_beyond_64_bits)
