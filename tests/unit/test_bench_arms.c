/* SPDX-License-Identifier: MIT */
/* Two arms of runs: known sets, what the definition of an interval promises of drawn ones, and odd arms. */
#include <math.h>
#include <string.h>

#include "core/bench_arms.h"
#include "core/bench_math.h"
#include "suite.h"

enum { MAX = 60 };

static double scratch[RS_ARMS_SCRATCH(2 * MAX)];
static uint64_t state;

static double uniform(void)
{
    return ((double)(rs_random(&state) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
    return rs_normal_quantile(uniform());
}

static double even(void)
{
    return 100 + 3 * normal();
}
static double skewed(void)
{
    return 100 * exp(0.3 * normal());
}
static double tail(void)
{
    return 100 - 10 * log(uniform());
}
static double two_peaks(void)
{
    return (uniform() < 0.3 ? 120 : 100) + 2 * normal();
}
static double disturbed(void)
{
    return 100 + 2 * normal() + (uniform() < 0.1 ? 60 * uniform() : 0);
}

static struct rs_arms arms_of(const double *base, size_t base_count, const double *next, size_t next_count, bool paired)
{
    struct rs_arms arms;

    rs_arms_compare(base, base_count, next, next_count, paired, 1, scratch, &arms);
    return arms;
}

/* By hand: of ten runs two at each end go; of three 0.6 of a run at each end. */
START_TEST(the_centre_is_the_mean_without_the_outer_fifths)
{
    const double ten[] = {10, 1000, 11, 12, 13, 14, 15, 0, 1, 900}, three[] = {1, 2, 6}, one[] = {7};

    ck_assert_double_eq_tol(rs_arms_center(ten, 10, scratch), (10 + 11 + 12 + 13 + 14 + 15) / 6.0, 1e-12);
    ck_assert_double_eq_tol(rs_arms_center(three, 3, scratch), (0.4 * 1 + 2 + 0.4 * 6) / 1.8, 1e-12);
    ck_assert_double_eq_tol(rs_arms_center(one, 1, scratch), 7, 1e-12);
    ck_assert_double_eq(rs_arms_center(one, 0, scratch), 0);
}
END_TEST

/* Student's and Fieller's by hand: 4 runs a side, paired ones of the constant ratio 2 have no error at all. */
START_TEST(few_runs_have_students_interval)
{
    const double base[] = {10, 12, 11, 13}, twice[] = {20, 24, 22, 26}, other[] = {22, 26, 20, 24};
    struct rs_arms arms = arms_of(base, 4, twice, 4, true);

    ck_assert_double_eq_tol(arms.low, 2, 1e-6);
    ck_assert_double_eq_tol(arms.high, 2, 1e-6);
    arms = arms_of(base, 4, other, 4, false);
    ck_assert_double_eq_tol(arms.ratio, 2, 1e-12);
    ck_assert(arms.low > 1 && arms.low < 1.8 && arms.high > 2.2 && arms.high < 3);
    ck_assert_double_lt(rs_arms_p(&arms, 1), 0.05);
    ck_assert_double_gt(rs_arms_p(&arms, 2), 0.99);
}
END_TEST

/* P(|T| >= 2.228) of 10 degrees is 0.05, P(|T| >= 4.604) of 4 is 0.01 in every table. */
START_TEST(students_tail_is_the_tables)
{
    ck_assert_double_eq_tol(rs_student_two_sided(2.228, 10), 0.05, 0.001);
    ck_assert_double_eq_tol(rs_student_two_sided(4.604, 4), 0.01, 0.0006);
    ck_assert_double_eq_tol(rs_student_two_sided(1.959964, 1e6), 0.05, 1e-4);
    ck_assert_double_eq(rs_student_two_sided(0, 3), 1);
}
END_TEST

/*
 * The definition of a 95 % interval, where the truth is known: NEXT is drawn like base and takes 10 % more. With pairs,
 * a drift of 10 % disturbs both runs of a pair. 700 draws tell 97 % from 97.5 no better than by chance. Small arms may
 * be wider than they need. bench_verdict draws more often.
 */
static double covered(double (*one)(void), size_t runs, bool paired, int draws)
{
    int held = 0;

    for (int i = 0; i < draws; i++) {
        double base[MAX], next[MAX];
        struct rs_arms arms;

        for (size_t k = 0; k < runs; k++) {
            double drift = paired ? exp(0.1 * normal()) : 1;

            base[k] = one() * drift;
            next[k] = 1.1 * one() * drift;
        }
        arms = arms_of(base, runs, next, runs, paired);
        held += arms.low <= 1.1 && 1.1 <= arms.high;
    }
    return 100.0 * held / draws;
}

START_TEST(intervals_hold_the_truth_as_often_as_they_say)
{
    double (*const shapes[])(void) = {even, skewed, tail, two_peaks, disturbed};

    state = 20261128;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
        for (int paired = 0; paired < 2; paired++) {
            double of_30 = covered(shapes[i], 30, paired, 700), of_5 = covered(shapes[i], 5, paired, 150);

            ck_assert_msg(of_30 >= 93 && of_30 <= 97.5, "shape %zu, paired %d: %.1f %% of 30 runs", i, paired, of_30);
            ck_assert_msg(of_5 >= 93, "shape %zu, paired %d: %.1f %% of 5 runs", i, paired, of_5);
        }
}
END_TEST

/* What pairing is for: the drift that both runs of a pair share costs nothing. */
START_TEST(pairs_are_surer_than_the_same_runs_taken_apart)
{
    double base[30], next[30];
    struct rs_arms paired, apart;

    state = 3;
    for (size_t i = 0; i < 30; i++) {
        double drift = exp(0.2 * normal());

        base[i] = drift * even();
        next[i] = drift * 1.05 * even();
    }
    paired = arms_of(base, 30, next, 30, true);
    apart = arms_of(base, 30, next, 30, false);
    ck_assert_double_lt(3 * (paired.high - paired.low), apart.high - apart.low);
    ck_assert_int_eq(rs_arms_side(&paired, 1), 1);
    ck_assert_int_eq(rs_arms_side(&apart, 1), 0);
}
END_TEST

START_TEST(the_same_runs_give_the_same_answer)
{
    double base[30], next[30];
    struct rs_arms one, two;

    state = 5;
    for (size_t i = 0; i < 30; i++) {
        base[i] = tail();
        next[i] = tail();
    }
    one = arms_of(base, 30, next, 30, false);
    two = arms_of(base, 30, next, 30, false);
    ck_assert_mem_eq(&one, &two, sizeof(one));
    /* An arm against itself lies in its own interval, and nowhere beyond one. */
    one = arms_of(base, 30, base, 30, true);
    ck_assert_double_eq_tol(one.low, 1, 1e-12);
    ck_assert_double_eq_tol(one.high, 1, 1e-12);
    ck_assert_int_eq(rs_arms_side(&one, 1), 0);
    ck_assert_double_eq(rs_arms_p(&one, 1), 1);
}
END_TEST

START_TEST(odd_arms_are_no_trouble)
{
    const double zeros[10] = {0}, ones[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, some[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 5};
    struct rs_arms arms = arms_of(ones, 0, ones, 10, false);

    ck_assert(isnan(arms.ratio) && isnan(arms.low) && isnan(arms.high));
    ck_assert_double_eq(rs_arms_p(&arms, 1), 1);
    arms = arms_of(ones, 1, some, 1, false);
    ck_assert(isnan(arms.low) && arms.ratio == 0 && rs_arms_p(&arms, 1) == 1 && rs_arms_side(&arms, 1) == 0);
    arms = arms_of(zeros, 10, ones, 10, false); /* no ratio, yet surely more */
    ck_assert(isnan(arms.ratio) && isnan(arms.low));
    ck_assert_int_eq(rs_arms_side(&arms, 1.05), 1);
    ck_assert_double_eq(rs_arms_p(&arms, 1.05), 0);
    arms = arms_of(zeros, 10, zeros, 10, false);
    ck_assert_int_eq(rs_arms_side(&arms, 1), 0);
    ck_assert_double_eq(rs_arms_p(&arms, 1), 1);
    arms = arms_of(some, 10, ones, 10, false); /* a base that may be 0 has no upper end */
    ck_assert(isnan(arms.ratio) || arms.high > 1e3);
    arms = arms_of(ones, 10, ones, 9, true); /* no pairs */
    ck_assert_double_eq(arms.ratio, 1);
    ck_assert(isnan(rs_arms_scatter(ones, 1)) && isnan(rs_arms_scatter(zeros, 10)));
    ck_assert_double_lt(rs_arms_scatter(ones, 10), 1e-12);
}
END_TEST

SUITE("bench_arms", the_centre_is_the_mean_without_the_outer_fifths, few_runs_have_students_interval,
      students_tail_is_the_tables, intervals_hold_the_truth_as_often_as_they_say,
      pairs_are_surer_than_the_same_runs_taken_apart, the_same_runs_give_the_same_answer, odd_arms_are_no_trouble)
