/* SPDX-License-Identifier: MIT */
#include "core/histogram.h"

#include <math.h>
#include <string.h>

#include "suite.h"

START_TEST(buckets_cover_every_value_once_and_in_order)
{
    ck_assert_uint_eq(rs_histogram_low(0), 0);
    for (uint32_t b = 0; b < RUSTSCOPE_HISTOGRAM_BUCKETS; b++) {
        uint64_t low = rs_histogram_low(b), high = rs_histogram_low(b + 1) - 1;

        ck_assert_uint_le(low, high);
        ck_assert_uint_eq(rustscope_bucket(low), b);
        ck_assert_uint_eq(rustscope_bucket(high), b);
    }
    ck_assert_uint_eq(rustscope_bucket(UINT64_MAX), RUSTSCOPE_HISTOGRAM_BUCKETS - 1);
}
END_TEST

START_TEST(a_bucket_stands_for_its_values_within_three_percent)
{
    for (uint32_t b = 1; b < RUSTSCOPE_HISTOGRAM_BUCKETS; b++) {
        double value = rs_histogram_value(b), low = (double)rs_histogram_low(b);
        double high = (double)rs_histogram_low(b + 1) - 1;

        ck_assert_double_le((value - low) / low, 0.016);
        ck_assert_double_le((high - value) / high, 0.016);
    }
}
END_TEST

static uint64_t pseudo_duration(unsigned i)
{
    double u = (double)(i * 2654435761u % 1000003) / 1000003;

    return (uint64_t)(50 * exp(10 * u)); /* 50 to 1.1 million, evenly on a log scale */
}

START_TEST(quantiles_are_within_three_percent_of_the_sorted_values)
{
    static uint64_t buckets[RUSTSCOPE_HISTOGRAM_BUCKETS];
    const unsigned count = 100000;

    for (unsigned i = 0; i < count; i++)
        buckets[rustscope_bucket(pseudo_duration(i))]++;
    ck_assert_uint_eq(rs_histogram_total(buckets), count);
    for (double q = 0.05; q < 1; q += 0.05)
        ck_assert_double_eq_tol(rs_histogram_quantile(buckets, q, 0, 1e9) / (50 * exp(10 * q)), 1, 0.03);
}
END_TEST

START_TEST(merged_histograms_equal_the_whole)
{
    static uint64_t whole[RUSTSCOPE_HISTOGRAM_BUCKETS], parts[2][RUSTSCOPE_HISTOGRAM_BUCKETS];

    for (unsigned i = 0; i < 10000; i++) {
        whole[rustscope_bucket(pseudo_duration(i))]++;
        parts[i % 3 == 0][rustscope_bucket(pseudo_duration(i))]++;
    }
    rs_histogram_merge(parts[0], parts[1]);
    ck_assert_mem_eq(parts[0], whole, sizeof(whole));
}
END_TEST

START_TEST(quantiles_stay_between_the_extremes)
{
    static uint64_t buckets[RUSTSCOPE_HISTOGRAM_BUCKETS];

    ck_assert_double_eq(rs_histogram_quantile(buckets, 0.5, 3, 4), 0);
    buckets[rustscope_bucket(1000)] = 1;
    ck_assert_double_eq(rs_histogram_quantile(buckets, 0.01, 1000, 1000), 1000);
    ck_assert_double_eq(rs_histogram_quantile(buckets, 0.99, 1000, 1000), 1000);
    /* Beyond the last bucket the maximum speaks. */
    memset(buckets, 0, sizeof(buckets));
    buckets[rustscope_bucket(UINT64_C(1) << 50)] = 1;
    ck_assert_double_ge(rs_histogram_quantile(buckets, 0.99, ldexp(1, 50), ldexp(1, 50)), ldexp(1, 50));
}
END_TEST

SUITE("histogram", buckets_cover_every_value_once_and_in_order, a_bucket_stands_for_its_values_within_three_percent,
      quantiles_are_within_three_percent_of_the_sorted_values, merged_histograms_equal_the_whole,
      quantiles_stay_between_the_extremes)
