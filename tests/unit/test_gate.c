/* SPDX-License-Identifier: MIT */
/* Verdicts: what may be called a regression and what may not, on figures whose truth is known. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analyze/gate/figures.h"
#include "analyze/gate/judge.h"
#include "core/bench_math.h"
#include "suite.h"

static uint64_t state;

static double normal(void)
{
    return rs_normal_quantile(((double)(rs_random(&state) >> 11) + 0.5) / 9007199254740992.0);
}

static struct figures set;
static struct gate_limits limits;

static void begin(size_t base_runs, size_t next_runs)
{
    figures_release(&set);
    limits = gate_limits_default();
    for (size_t i = 0; i < base_runs; i++)
        figures_add_run(&set, ARM_BASE);
    for (size_t i = 0; i < next_runs; i++)
        figures_add_run(&set, ARM_NEXT);
}

static struct figure *total(const char *metric, enum figure_unit unit, bool exact)
{
    struct figure *f = figures_get(&set, FIGURE_TOTAL, metric, "", "");

    f->unit = unit;
    f->exact = exact;
    f->headline = true;
    return f;
}

/* Runs of MEAN with NOISE (relative, one sigma). */
static void draw(struct figure *f, enum arm arm, double mean, double noise)
{
    for (size_t run = 0; run < set.runs[arm]; run++)
        figures_put(&set, f, arm, run, mean * (1 + noise * normal()));
}

static enum gate_verdict judge(void)
{
    figures_fill(&set);
    gate_judge(set.list, set.count, &limits);
    return set.list[0].verdict;
}

static enum gate_verdict judge_time(size_t runs, double base_ms, double next_ms, double noise)
{
    struct figure *f;

    begin(runs, runs);
    f = total("cpu", UNIT_NS, false);
    draw(f, ARM_BASE, base_ms * 1e6, noise);
    draw(f, ARM_NEXT, next_ms * 1e6, noise);
    return judge();
}

static enum gate_verdict judge_counts(double base, double next)
{
    begin(1, 1);
    figures_put(&set, total("allocations", UNIT_COUNT, true), ARM_BASE, 0, base);
    figures_put(&set, &set.list[0], ARM_NEXT, 0, next);
    return judge();
}

/* What they lose stands in tests/compare/names.json. */
START_TEST(names_are_cut_to_their_place)
{
    char out[7];

    ck_assert_str_eq(figure_name("longer than its place", out, sizeof(out)), "longer");
    ck_assert_str_eq(figure_name("short", out, sizeof(out)), "short");
}
END_TEST

START_TEST(a_planted_change_is_found_and_none_is_invented)
{
    state = 1;
    ck_assert_int_eq(judge_time(10, 50, 60, 0.02), GATE_REGRESSED);
    ck_assert_int_eq(set.list[0].severity, SEVERITY_MODERATE);
    ck_assert(set.list[0].low > 1.05 && set.list[0].low < 1.2 && set.list[0].high > 1.2);
    ck_assert_int_eq(judge_time(10, 60, 50, 0.02), GATE_IMPROVED);
    ck_assert_int_eq(judge_time(10, 50, 50, 0.02), GATE_UNCHANGED);
    ck_assert_int_eq(judge_time(10, 50, 51, 0.01), GATE_UNCHANGED); /* certain, and nobody cares */
}
END_TEST

/* Where runs scatter it says so, and how many would do; with more of them the same change is settled. */
START_TEST(an_unsure_figure_says_how_many_runs_settle_it)
{
    uint32_t needed;

    state = 2;
    ck_assert_int_eq(judge_time(5, 50, 56, 0.06), GATE_UNSURE);
    needed = set.list[0].runs_needed;
    ck_assert(needed > 5 && needed < 500);
    ck_assert_int_eq(judge_time(4 * needed, 50, 56, 0.06), GATE_REGRESSED);
    ck_assert_int_eq(judge_time(5, 50, 60, 0.71), GATE_NOT_COMPARABLE);
    ck_assert_ptr_nonnull(set.list[0].reason);
}
END_TEST

START_TEST(a_change_below_the_floor_is_none)
{
    state = 3;
    ck_assert_int_eq(judge_time(20, 3, 3.6, 0.01), GATE_UNCHANGED); /* 0.6 ms of 1 ms */
    ck_assert_int_eq(judge_time(20, 6, 7.2, 0.01), GATE_REGRESSED);
    ck_assert_int_eq(judge_time(20, 0.4, 0.9, 0.01), GATE_UNCHANGED);
}
END_TEST

START_TEST(one_run_a_side_is_no_test)
{
    state = 4;
    ck_assert_int_eq(judge_time(1, 50, 60, 0), GATE_UNSURE);
    ck_assert_str_eq(set.list[0].reason, "one run a side is no test");
    ck_assert_int_eq(judge_time(1, 50, 65, 0), GATE_REGRESSED); /* from 25 % on */
    ck_assert_int_eq(judge_time(1, 65, 40, 0), GATE_IMPROVED);
    ck_assert_int_eq(judge_time(1, 5, 8, 0), GATE_UNSURE); /* and ten times the floor */
}
END_TEST

START_TEST(counts_are_held_to_one_per_cent)
{
    ck_assert_int_eq(judge_counts(10000, 10100), GATE_REGRESSED); /* + 1 % is + 1 % */
    ck_assert_int_eq(judge_counts(10000, 10099), GATE_UNCHANGED);
    ck_assert_int_eq(judge_counts(10000, 9900), GATE_IMPROVED);
    ck_assert_int_eq(judge_counts(100, 107), GATE_UNCHANGED); /* 7 of 8 */
    ck_assert_int_eq(judge_counts(100, 108), GATE_REGRESSED); /* 8 of 8 */
    ck_assert_int_eq(judge_counts(0, 100), GATE_REGRESSED);
    ck_assert_int_eq(set.list[0].severity, SEVERITY_CRITICAL);
    ck_assert_int_eq(judge_counts(0, 0), GATE_UNCHANGED);
}
END_TEST

/* Counts that do not repeat are no near-deterministic ones: each side's own runs say so. */
START_TEST(counts_that_scatter_are_judged_as_noise)
{
    struct figure *f;

    state = 5;
    begin(10, 10);
    f = total("allocations", UNIT_COUNT, true);
    draw(f, ARM_BASE, 10000, 0.05);
    draw(f, ARM_NEXT, 10300, 0.05);
    ck_assert_int_ne(judge(), GATE_REGRESSED);
    begin(10, 10);
    f = total("allocations", UNIT_COUNT, true);
    draw(f, ARM_BASE, 10000, 0.02);
    draw(f, ARM_NEXT, 13000, 0.02);
    ck_assert_int_eq(judge(), GATE_REGRESSED);
}
END_TEST

/* Hundreds of figures without a change: 95 % intervals alone would find some. */
START_TEST(a_family_shares_one_error_rate)
{
    enum { FIGURES = 400, FAMILIES = 5 };
    int alarms = 0, single = 0;

    state = 6;
    for (int family = 0; family < FAMILIES; family++) {
        begin(6, 6);
        limits.threshold = 0.0001;
        for (int i = 0; i < FIGURES; i++) {
            char name[16];
            struct figure *f;

            snprintf(name, sizeof(name), "f%d", i);
            f = figures_get(&set, FIGURE_FUNCTION, "self_cpu", name, "");
            draw(f, ARM_BASE, 50e6, 0.05);
            draw(f, ARM_NEXT, 50e6, 0.05);
            figures_measured(&set, ARM_BASE, 0, FIGURE_FUNCTION);
        }
        judge();
        for (size_t i = 0; i < set.count; i++) {
            alarms += set.list[i].verdict == GATE_REGRESSED || set.list[i].verdict == GATE_IMPROVED;
            single += set.list[i].low > 1.0001 || set.list[i].high < 0.9999;
        }
    }
    ck_assert_int_gt(single, 20);
    ck_assert_int_le(alarms, 1);
}
END_TEST

START_TEST(sampled_time_carries_the_error_of_its_samples)
{
    struct figure *f;

    state = 7;
    begin(10, 10);
    set.samples[ARM_BASE] = set.samples[ARM_NEXT] = 1000;
    f = figures_get(&set, FIGURE_FUNCTION, "self_cpu", "hot", "");
    draw(f, ARM_BASE, 5e6, 0.001);
    draw(f, ARM_NEXT, 6.5e6, 0.001);
    f->arms[ARM_BASE].samples = 20;
    f->arms[ARM_NEXT].samples = 26;
    ck_assert_int_eq(judge(), GATE_UNSURE); /* 20 against 26 samples are no difference, however the runs agree */
    ck_assert_double_gt(set.list[0].high - set.list[0].low, 0.5);
    f->arms[ARM_BASE].samples = f->arms[ARM_NEXT].samples = 0;
    ck_assert_int_eq(judge(), GATE_REGRESSED);
}
END_TEST

START_TEST(what_is_on_one_side_only_is_new_gone_or_not_measured)
{
    struct figure *f;

    begin(2, 2);
    f = figures_get(&set, FIGURE_FUNCTION, "self_cpu", "come", "");
    figures_put(&set, f, ARM_NEXT, 0, 5e6);
    f = figures_get(&set, FIGURE_FUNCTION, "self_cpu", "gone", "");
    figures_put(&set, f, ARM_BASE, 1, 5e6);
    f = total("heap_peak", UNIT_BYTES, true);
    figures_put(&set, f, ARM_BASE, 0, 1e6);
    f = figures_get(&set, FIGURE_SCOPE, "mean", "spoiled", "");
    figures_put(&set, f, ARM_BASE, 0, 1e6);
    figures_put(&set, f, ARM_NEXT, 0, 9e9);
    f->verdict = GATE_NOT_COMPARABLE;
    f->reason = "another machine";
    judge();
    ck_assert_int_eq(set.list[0].verdict, GATE_NEW);
    ck_assert_int_eq(set.list[1].verdict, GATE_GONE);
    ck_assert_int_eq(set.list[2].verdict, GATE_NOT_COMPARABLE);
    ck_assert_str_eq(set.list[2].reason, "new did not measure it");
    ck_assert_int_eq(set.list[3].verdict, GATE_NOT_COMPARABLE);
    ck_assert_str_eq(set.list[3].reason, "another machine");
}
END_TEST

START_TEST(a_second_series_must_confirm)
{
    struct figures first;

    state = 8;
    judge_time(10, 50, 60, 0.02);
    first = set;
    set = (struct figures){0};
    judge_time(10, 50, 60, 0.02);
    gate_confirm(first.list, first.count, &set, &limits);
    ck_assert_int_eq(first.list[0].verdict, GATE_REGRESSED);
    judge_time(10, 60, 60, 0.02);
    gate_confirm(first.list, first.count, &set, &limits);
    ck_assert_int_eq(first.list[0].verdict, GATE_UNSURE);
    figures_release(&first);
}
END_TEST

/* NaN, infinity and runs beyond the end change nothing; the same run twice adds up. */
START_TEST(odd_values_are_left_out)
{
    struct figure *f;

    begin(3, 3);
    f = figures_get(&set, FIGURE_SCOPE, "mean", "", "");
    figures_put(&set, f, ARM_BASE, 0, 10e6);
    figures_put(&set, f, ARM_BASE, 0, 20e6);
    figures_put(&set, f, ARM_BASE, 1, NAN);
    figures_put(&set, f, ARM_BASE, 2, INFINITY);
    figures_put(&set, f, ARM_BASE, 7, 1e6);
    figures_put(&set, f, ARM_NEXT, 2, 30e6);
    ck_assert_int_eq(judge(), GATE_UNSURE);
    ck_assert_double_eq_tol(set.list[0].base, 30e6, 1);
    ck_assert_double_eq_tol(set.list[0].next, 30e6, 1);
    figures_release(&set);
}
END_TEST

/* Runs that have a total are no sample of all runs. */
START_TEST(a_total_that_some_runs_lack_is_not_compared)
{
    struct figure *f;

    begin(5, 5);
    f = total("rss_peak", UNIT_BYTES, false);
    draw(f, ARM_BASE, 1e6, 0.01);
    for (size_t run = 0; run < 4; run++)
        figures_put(&set, f, ARM_NEXT, run, 2e6);
    ck_assert_int_eq(judge(), GATE_NOT_COMPARABLE);
    ck_assert_str_eq(set.list[0].reason, "not measured in every run");
    figures_release(&set);
}
END_TEST

SUITE("gate", names_are_cut_to_their_place, a_planted_change_is_found_and_none_is_invented,
      an_unsure_figure_says_how_many_runs_settle_it, a_change_below_the_floor_is_none, one_run_a_side_is_no_test,
      counts_are_held_to_one_per_cent, counts_that_scatter_are_judged_as_noise, a_family_shares_one_error_rate,
      sampled_time_carries_the_error_of_its_samples, what_is_on_one_side_only_is_new_gone_or_not_measured,
      a_second_series_must_confirm, odd_values_are_left_out, a_total_that_some_runs_lack_is_not_compared)
