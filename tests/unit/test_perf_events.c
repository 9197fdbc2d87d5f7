/* SPDX-License-Identifier: MIT */
#include "collect/stacks/perf_events.h"

#include <string.h>

#include "suite.h"

START_TEST(a_small_machine_gets_what_is_asked_for)
{
    struct perf_plan plan = perf_plan_make(2, 997, 32768);

    ck_assert_uint_eq(plan.rate_hz, 997);
    ck_assert_uint_eq(plan.stack_bytes, 32768);
    ck_assert_uint_eq(plan.period_ns, 1003000);
    ck_assert(!plan.rate_capped);
    ck_assert(!plan.stack_capped);
}
END_TEST

START_TEST(the_dump_shrinks_before_the_rate_does)
{
    struct perf_plan plan = perf_plan_make(8, 1000, 65528);

    ck_assert_uint_eq(plan.rate_hz, 1000);
    ck_assert_uint_eq(plan.stack_bytes, 16384);
    ck_assert(plan.stack_capped);
    ck_assert(!plan.rate_capped);

    plan = perf_plan_make(6, 997, PERF_STACK_DEFAULT_BYTES);
    ck_assert_uint_eq(plan.rate_hz, 997);
    ck_assert_uint_eq(plan.stack_bytes, 32768);
    ck_assert(plan.stack_capped);

    plan = perf_plan_make(16, 997, 32768);
    ck_assert_uint_eq(plan.rate_hz, 500);
    ck_assert(plan.rate_capped);
}
END_TEST

START_TEST(the_caps_hold_for_every_machine_and_rate)
{
    for (unsigned cpus = 1; cpus <= 512; cpus++) {
        for (unsigned rate = 1; rate <= 10000; rate = rate * 3 + 1) {
            struct perf_plan plan = perf_plan_make(cpus, rate, 65536);
            uint64_t floor_rate = rate < 49 ? rate : 49;

            ck_assert_uint_ge(plan.rate_hz, floor_rate);
            ck_assert_uint_le(plan.rate_hz, rate);
            ck_assert_uint_eq(plan.period_ns % 1000, 0);
            ck_assert_uint_eq(plan.stack_bytes % 8, 0);
            if (plan.rate_hz > floor_rate) {
                ck_assert_uint_le((uint64_t)cpus * plan.rate_hz, PERF_MAX_SAMPLES_PER_SEC);
                ck_assert_uint_le((uint64_t)cpus * plan.rate_hz * plan.stack_bytes, PERF_MAX_DUMP_BYTES_PER_SEC);
            }
        }
    }
}
END_TEST

START_TEST(an_odd_dump_size_is_rounded_and_a_huge_one_limited)
{
    ck_assert_uint_eq(perf_plan_make(1, 100, 1001).stack_bytes, 1000);
    ck_assert_uint_eq(perf_plan_make(1, 100, 1u << 20).stack_bytes, PERF_STACK_MAX_BYTES);
}
END_TEST

START_TEST(a_period_of_cycles_is_as_long_as_one_of_time)
{
    struct perf_plan plan = perf_plan_make(2, 997, 32768);

    ck_assert(!plan.cycles);
    ck_assert_uint_eq(plan.period, plan.period_ns);
    perf_plan_count_cycles(&plan, 3000000000);
    ck_assert(plan.cycles);
    ck_assert_uint_eq(plan.period, 3009000);
    ck_assert_uint_eq(plan.period_ns, 1003000);
    perf_plan_count_cycles(&plan, 1); /* nonsense: a period of 0 would be refused */
    ck_assert_uint_eq(plan.period, 1);
}
END_TEST

/* Either way is right, by machine; what is wrong is a number that cannot be a CPU's. */
START_TEST(cycles_are_counted_or_the_reason_is_a_sentence)
{
    struct rs_err err = {0};
    uint64_t hz = 0;

    if (perf_cycles_hz(&hz, &err) == 0) {
        ck_assert_uint_gt(hz, 100000000);
        ck_assert_uint_lt(hz, 20000000000);
    } else {
        ck_assert_str_ne(err.text, "");
        ck_assert_ptr_null(strchr(err.text, '\n'));
    }
}
END_TEST

SUITE("perf_events", a_small_machine_gets_what_is_asked_for, the_dump_shrinks_before_the_rate_does,
      the_caps_hold_for_every_machine_and_rate, an_odd_dump_size_is_rounded_and_a_huge_one_limited,
      a_period_of_cycles_is_as_long_as_one_of_time, cycles_are_counted_or_the_reason_is_a_sentence)
