/* SPDX-License-Identifier: MIT */
#include "analyze/gate/bench_gate.h"

#include <math.h>
#include <string.h>

#include "core/bench_math.h"
#include "suite.h"

enum { RUNS = 30 };

static struct bench_run base_runs[RUNS], next_runs[RUNS];
static struct bench_result base = {.runs = base_runs, .count = RUNS}, next = {.runs = next_runs, .count = RUNS};
static uint64_t seed;

static double noise(double part)
{
    return 1 + part * rs_normal_quantile(((double)(rs_random(&seed) >> 11) + 0.5) / 9007199254740992.0);
}

/* Runs of 50 ms with a scatter of SCATTER; those of NEXT take SLOWER times as long. */
static void runs(double scatter, double slower)
{
    for (int i = 0; i < RUNS; i++) {
        base_runs[i] = (struct bench_run){.wall_ns = 50e6 * noise(scatter), .user_ns = 45e6, .peak_rss_bytes = 5000000};
        next_runs[i] =
            (struct bench_run){.wall_ns = 50e6 * slower * noise(scatter), .user_ns = 45e6, .peak_rss_bytes = 5000000};
    }
}

static int status_of(double scatter, double slower)
{
    struct gate_limits limits = gate_limits_default();
    struct bench_gate gate;
    int status;

    limits.paired = true;
    runs(scatter, slower);
    bench_gate_judge(&gate, &base, &next, &limits);
    status = bench_gate_status(&gate);
    bench_gate_release(&gate);
    return status;
}

START_TEST(a_slower_program_is_found_and_an_equal_one_left_alone)
{
    for (seed = 1; seed < 1000000; seed += 50000) {
        ck_assert_int_eq(status_of(0.02, 1.10), 1);
        ck_assert_int_eq(status_of(0.02, 1.00), 0);
        ck_assert_int_eq(status_of(0.02, 0.80), 0);
    }
}
END_TEST

START_TEST(equal_programs_on_a_noisy_machine_hardly_ever_regress)
{
    unsigned regressed = 0;

    seed = 3;
    for (int trial = 0; trial < 200; trial++)
        regressed += status_of(0.3, 1.0) == 1;
    ck_assert_uint_le(regressed, 1);
}
END_TEST

START_TEST(memory_counts_where_every_run_knows_it)
{
    struct gate_limits limits = gate_limits_default();
    struct bench_gate gate;

    runs(0.01, 1);
    for (int i = 0; i < RUNS; i++)
        next_runs[i].peak_rss_bytes = 6000000;
    bench_gate_judge(&gate, &base, &next, &limits);
    ck_assert_int_eq(bench_gate_status(&gate), 1);
    ck_assert_uint_eq(gate.count, 3);
    bench_gate_release(&gate);
    next_runs[4].peak_rss_bytes = 0;
    bench_gate_judge(&gate, &base, &next, &limits);
    ck_assert_int_eq(bench_gate_status(&gate), 0);
    ck_assert_uint_eq(gate.count, 2);
    bench_gate_release(&gate);
}
END_TEST

START_TEST(a_base_that_differs_from_itself_is_unfit)
{
    struct gate_limits limits = gate_limits_default();
    struct bench_gate gate;

    runs(0.01, 1.5);
    for (int i = 0; i < RUNS; i += 2)
        base_runs[i].wall_ns *= 1.4; /* something disturbs every other round */
    bench_gate_judge(&gate, &base, &next, &limits);
    ck_assert(gate.unfit);
    ck_assert_int_eq(bench_gate_status(&gate), 3);
    bench_gate_release(&gate);
}
END_TEST

START_TEST(a_regression_that_a_second_series_does_not_show_is_none)
{
    struct gate_limits limits = gate_limits_default();
    struct bench_gate first, second;

    limits.paired = true;
    runs(0.02, 1.1);
    bench_gate_judge(&first, &base, &next, &limits);
    ck_assert_int_eq(bench_gate_status(&first), 1);
    runs(0.02, 1.0);
    bench_gate_judge(&second, &base, &next, &limits);
    bench_gate_confirm(&first, &second, &limits);
    ck_assert_int_eq(bench_gate_status(&first), 0);
    bench_gate_release(&first);
    bench_gate_release(&second);
}
END_TEST

START_TEST(too_few_runs_are_no_verdict)
{
    struct gate_limits limits = gate_limits_default();
    struct bench_gate gate;

    runs(0.01, 1);
    base.count = next.count = 0;
    bench_gate_judge(&gate, &base, &next, &limits);
    ck_assert_int_eq(bench_gate_status(&gate), 3);
    ck_assert(isnan(gate.self_ratio));
    bench_gate_release(&gate);
    base.count = next.count = RUNS;
}
END_TEST

SUITE("bench_gate", a_slower_program_is_found_and_an_equal_one_left_alone,
      equal_programs_on_a_noisy_machine_hardly_ever_regress, memory_counts_where_every_run_knows_it,
      a_base_that_differs_from_itself_is_unfit, a_regression_that_a_second_series_does_not_show_is_none,
      too_few_runs_are_no_verdict)
