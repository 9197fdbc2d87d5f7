/* SPDX-License-Identifier: MIT */
/* Statistics of benchmarks against libm, published values, and what their definitions promise of drawn samples. */
#include <math.h>
#include <string.h>

#include "core/bench_math.h"
#include "core/bench_stats.h"
#include "suite.h"

enum { MAX = 400 };

static double scratch[RS_BENCH_SCRATCH(2 * MAX)];

static double uniform(uint64_t *state)
{
    return ((double)(rs_random(state) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(uint64_t *state)
{
    return rs_normal_quantile(uniform(state));
}

static struct rs_bench_summary summary_of(const double *v, size_t count, uint32_t processes)
{
    struct rs_bench_samples samples = {v, count, processes};
    struct rs_bench_summary s;

    rs_bench_summarize(&samples, 1, scratch, &s);
    return s;
}

static struct rs_bench_change change_of(const double *a, const double *b, size_t count, uint32_t processes)
{
    struct rs_bench_samples before = {a, count, processes}, after = {b, count, processes};
    struct rs_bench_change change;

    rs_bench_compare(&before, &after, 0.01, 1, scratch, &change);
    return change;
}

/* COUNT samples around MEAN ns from each of PROCESSES, whose own means lie LAYOUT (relative) around it. */
static void draw(double *v, size_t count, uint32_t processes, double mean, double layout, uint64_t *state)
{
    for (uint32_t p = 0; p < processes; p++) {
        double own = mean * (1 + layout * normal(state));

        for (size_t i = 0; i < count / processes; i++)
            *v++ = own * (1 + 0.02 * normal(state));
    }
}

START_TEST(the_mathematics_agree_with_libm)
{
    for (double x = 1e-12; x < 1e12; x *= 1.37)
        ck_assert_double_eq_tol(rs_log(x), log(x), 1e-13 * (1 + fabs(log(x))));
    ck_assert_double_eq(rs_log(1), 0);
    ck_assert(isinf(rs_log(0)) && isinf(rs_log(-1)));
    for (double x = -700; x < 700; x += 0.77)
        ck_assert_double_eq_tol(rs_exp(x) / exp(x), 1, 1e-12);
    ck_assert_double_eq(rs_exp(-1000), 0);
    ck_assert(isinf(rs_exp(1000)));
    for (double x = -6; x < 6; x += 0.01)
        ck_assert_double_eq_tol(rs_normal_cdf(x), erfc(-x / sqrt(2)) / 2, 1e-13);
    for (double p = 0.0005; p < 1; p += 0.0005)
        ck_assert_double_eq_tol(rs_normal_cdf(rs_normal_quantile(p)), p, 1e-12);
}
END_TEST

/* Values of printed tables of Student's distribution. */
START_TEST(students_quantiles_are_the_tables)
{
    static const double table[][2] = {{1, 12.706}, {4, 2.776}, {9, 2.262}, {20, 2.086}, {24, 2.064}, {30, 2.042}, {60, 2.000}, {120, 1.980}};

    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        ck_assert_double_eq_tol(rs_student_975(table[i][0]), table[i][1], 0.001);
    ck_assert_double_eq_tol(rs_student_975(1e9), 1.959964, 1e-5);
    for (double d = 1; d < 60; d += 0.25)
        ck_assert_double_lt(rs_student_975(d + 0.25), rs_student_975(d));
}
END_TEST

START_TEST(random_numbers_are_splitmix64)
{
    uint64_t state = 1234567;

    /* the first outputs of the reference implementation for this seed */
    ck_assert_uint_eq(rs_random(&state), UINT64_C(6457827717110365317));
    ck_assert_uint_eq(rs_random(&state), UINT64_C(3203168211198807973));
    for (int i = 0; i < 1000; i++)
        ck_assert_uint_lt(rs_random_below(&state, 7), 7);
}
END_TEST

START_TEST(sorting_sorts_any_length)
{
    uint64_t state = 3;
    double v[MAX];

    for (size_t count = 0; count < 50; count++) {
        for (size_t i = 0; i < count; i++)
            v[i] = (double)rs_random_below(&state, 20);
        rs_sort_doubles(v, count);
        for (size_t i = 1; i < count; i++)
            ck_assert_double_le(v[i - 1], v[i]);
    }
}
END_TEST

START_TEST(a_known_set_has_its_figures)
{
    static const double v[] = {9, 1, 5, 3, 7, 5, 5, 5, 100, 5, 20};
    struct rs_bench_summary s = summary_of(v, 11, 1);

    ck_assert_double_eq_tol(s.mean_ns, 15, 1e-12);
    ck_assert_double_eq(s.median_ns, 5);
    ck_assert_double_eq(s.min_ns, 1);
    ck_assert_double_eq(s.max_ns, 100);
    ck_assert_double_eq_tol(s.stddev_ns, 28.61817604250837, 1e-9);
    ck_assert_double_eq(s.mad_ns, 2);
    /* quartiles 5 and 8: fences 0.5 and 12.5 mild, -4 and 17 severe */
    ck_assert_uint_eq(s.low_mild + s.low_severe + s.high_mild, 0);
    ck_assert_uint_eq(s.high_severe, 2);
    ck_assert_double_le(s.mean_low_ns, s.mean_ns);
    ck_assert_double_ge(s.mean_high_ns, s.mean_ns);
    ck_assert_double_le(s.median_low_ns, 5);
    ck_assert_double_ge(s.median_high_ns, 5);
}
END_TEST

START_TEST(one_sample_none_and_equal_ones_are_no_trouble)
{
    static const double one[] = {4}, equal[] = {4, 4, 4, 4};
    struct rs_bench_summary s = summary_of(one, 1, 1), none = summary_of(one, 0, 1);

    ck_assert_double_eq(s.mean_ns, 4);
    ck_assert_double_eq(s.mean_low_ns, 4);
    ck_assert_double_eq(s.median_high_ns, 4);
    ck_assert_double_eq(s.stddev_ns, 0);
    ck_assert_double_eq(none.mean_ns, 0);
    s = summary_of(equal, 4, 1);
    ck_assert_double_eq(s.mean_low_ns, 4);
    ck_assert_double_eq(s.mean_high_ns, 4);
    ck_assert_int_eq(change_of(equal, equal, 4, 1).verdict, RS_BENCH_NO_CHANGE);
}
END_TEST

START_TEST(intervals_come_out_the_same_for_the_same_seed)
{
    uint64_t state = 5;
    double v[100];
    struct rs_bench_summary a, b;

    draw(v, 100, 1, 100, 0, &state);
    a = summary_of(v, 100, 1);
    b = summary_of(v, 100, 1);
    ck_assert_mem_eq(&a, &b, sizeof(a));
}
END_TEST

/* The definition of a 95 % interval, for skewed times (exponential tail) of a known mean and median. Bounds at 5 sigma. */
START_TEST(intervals_cover_the_truth_as_often_as_they_say)
{
    const int runs = 400;
    uint64_t state = 7;
    int mean = 0, median = 0;

    for (int run = 0; run < runs; run++) {
        double v[100];
        struct rs_bench_summary s;

        for (size_t i = 0; i < 100; i++)
            v[i] = 100 - 5 * rs_log(uniform(&state));
        s = summary_of(v, 100, 1);
        mean += s.mean_low_ns <= 105 && 105 <= s.mean_high_ns;
        median += s.median_low_ns <= 100 + 5 * log(2) && 100 + 5 * log(2) <= s.median_high_ns;
    }
    ck_assert_int_ge(mean, runs * 89 / 100);
    ck_assert_int_le(mean, runs * 99 / 100);
    ck_assert_int_ge(median, runs * 89 / 100);
}
END_TEST

START_TEST(processes_count_as_the_sample_where_there_are_several)
{
    uint64_t state = 11;
    double v[100];
    struct rs_bench_summary together, apart;

    draw(v, 100, 5, 100, 0.1, &state);
    together = summary_of(v, 100, 1);
    apart = summary_of(v, 100, 5);
    ck_assert_double_gt(apart.mean_high_ns - apart.mean_low_ns, 2 * (together.mean_high_ns - together.mean_low_ns));
    ck_assert_double_gt(apart.process_stddev_ns, 1);
    ck_assert_double_eq(together.process_stddev_ns, 0);
    ck_assert_double_eq_tol(apart.mean_ns, together.mean_ns, 1e-9);
}
END_TEST

/* Of the ties: U = 7 of 25, variance 25/12 (11 - 36/90), by hand. */
START_TEST(mann_whitney_is_the_textbooks)
{
    static const double a[] = {1, 2, 3, 4, 5}, b[] = {6, 7, 8, 9, 10}, ties[] = {3, 3, 4, 5, 6};

    ck_assert_double_eq_tol(rs_bench_mann_whitney(a, 5, b, 5), 0.01218578, 1e-7);
    ck_assert_double_eq_tol(rs_bench_mann_whitney(a, 5, ties, 5), 0.28733307, 1e-7);
    ck_assert_double_eq(rs_bench_mann_whitney(a, 5, a, 5), 1);
    ck_assert_double_eq(rs_bench_mann_whitney(a, 0, b, 5), 1);
}
END_TEST

START_TEST(a_change_is_told_and_its_direction)
{
    for (uint32_t processes = 1; processes <= 5; processes += 4) {
        uint64_t state = 13 + processes;
        double before[100], slower[100], faster[100];
        struct rs_bench_change up, down;

        draw(before, 100, processes, 100, 0.004, &state);
        draw(slower, 100, processes, 110, 0.004, &state);
        draw(faster, 100, processes, 90, 0.004, &state);
        up = change_of(before, slower, 100, processes);
        down = change_of(before, faster, 100, processes);
        ck_assert_int_eq(up.verdict, RS_BENCH_REGRESSED);
        ck_assert_double_eq_tol(up.ratio, 1.1, 0.02);
        ck_assert(up.low < up.ratio && up.ratio < up.high && up.p < 0.05);
        ck_assert_int_eq(down.verdict, RS_BENCH_IMPROVED);
        ck_assert_double_eq_tol(down.ratio, 0.9, 0.02);
    }
}
END_TEST

/* Within the noise threshold nobody cares, however sure the test is. */
START_TEST(a_small_difference_is_no_change_though_it_is_certain)
{
    double before[100], after[100];

    for (size_t i = 0; i < 100; i++) {
        before[i] = 100 + 0.001 * (double)(i % 7);
        after[i] = 100.5 + 0.001 * (double)(i % 7);
    }
    ck_assert_double_lt(change_of(before, after, 100, 1).p, 1e-6);
    ck_assert_int_eq(change_of(before, after, 100, 1).verdict, RS_BENCH_NO_CHANGE);
}
END_TEST

START_TEST(a_wide_interval_is_inconclusive)
{
    static const double before[] = {100, 160, 90, 130}, after[] = {110, 150, 95, 170};

    ck_assert_int_eq(change_of(before, after, 4, 1).verdict, RS_BENCH_INCONCLUSIVE);
    ck_assert_int_eq(change_of(before, after, 0, 1).verdict, RS_BENCH_INCONCLUSIVE);
}
END_TEST

/* False alarms among equal processes, and what is found of a planted 5 %: bench/verdict.c has the fine figures. */
START_TEST(false_alarms_are_rare_and_five_percent_is_found)
{
    const int runs = 200;
    uint64_t state = 17;
    int alarms = 0, found = 0;

    for (int run = 0; run < runs; run++) {
        double a[100], b[100], c[100];

        draw(a, 100, 5, 100, 0.01, &state);
        draw(b, 100, 5, 100, 0.01, &state);
        draw(c, 100, 5, 105, 0.005, &state);
        alarms += change_of(a, b, 100, 5).verdict == RS_BENCH_REGRESSED || change_of(a, b, 100, 5).verdict == RS_BENCH_IMPROVED;
        draw(a, 100, 5, 100, 0.005, &state);
        found += change_of(a, c, 100, 5).verdict == RS_BENCH_REGRESSED;
    }
    ck_assert_int_le(alarms, runs * 5 / 100);
    ck_assert_int_ge(found, runs * 90 / 100);
}
END_TEST

START_TEST(growth_is_recognised)
{
    static const double n[] = {8, 32, 128, 512, 2048};
    static const enum rs_bench_order orders[] = {RS_BENCH_O1, RS_BENCH_OLOGN, RS_BENCH_ON, RS_BENCH_ONLOGN, RS_BENCH_ON2, RS_BENCH_ON3};
    struct rs_bench_fit fit;
    double ns[5];

    for (int o = 0; o < 6; o++) {
        for (int i = 0; i < 5; i++) {
            double f[] = {1, log2(n[i]), n[i], n[i] * log2(n[i]), n[i] * n[i], n[i] * n[i] * n[i]};

            ns[i] = 3 * f[o] * (i % 2 ? 1.01 : 0.99);
        }
        ck_assert(rs_bench_fit_order(n, ns, 5, &fit));
        ck_assert_int_eq(fit.order, orders[o]);
        ck_assert_double_eq_tol(fit.coefficient_ns, 3, 0.04);
        ck_assert_double_lt(fit.rms, 0.03);
    }
    ck_assert(!rs_bench_fit_order(n, ns, 2, &fit));
    ck_assert(!rs_bench_fit_order((double[]){0, 1, 2}, ns, 3, &fit));
    ck_assert_str_eq(rs_bench_order_name(RS_BENCH_ONLOGN), "N lg N");
}
END_TEST

SUITE("bench_stats", the_mathematics_agree_with_libm, students_quantiles_are_the_tables, random_numbers_are_splitmix64,
      sorting_sorts_any_length, a_known_set_has_its_figures, one_sample_none_and_equal_ones_are_no_trouble,
      intervals_come_out_the_same_for_the_same_seed, intervals_cover_the_truth_as_often_as_they_say,
      processes_count_as_the_sample_where_there_are_several, mann_whitney_is_the_textbooks, a_change_is_told_and_its_direction,
      a_small_difference_is_no_change_though_it_is_certain, a_wide_interval_is_inconclusive,
      false_alarms_are_rare_and_five_percent_is_found, growth_is_recognised)
