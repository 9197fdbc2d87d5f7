/* SPDX-License-Identifier: MIT */
#include "collect/stacks/coverage.h"

#include <stdlib.h>
#include <string.h>

#include "suite.h"

static struct session *s;
static struct coverage coverage;

/* A process that used MEASURED_MS of CPU time and has SAMPLES samples of US each. */
static void process(int pid, uint64_t measured_ms, unsigned samples, uint64_t us)
{
    uint32_t index = session_add_process(s, pid, -1, 0), thread = session_thread(s, index, pid, 0);
    uint32_t frame = calltree_named_frame(&s->tree, strings_add_str(&s->strings, "work"), LAYER_USER);
    uint32_t node = (uint32_t)calltree_child(&s->tree, CALLTREE_NO_NODE, frame);
    int64_t values[] = {[CPU_ROW_WEIGHT_US] = (int64_t)us, [CPU_ROW_SAMPLES] = 1};

    s->processes[index].cpu_ns = measured_ms * 1000000;
    for (unsigned i = 0; i < samples; i++) {
        rows_add(&s->cpu_rows, i * UINT64_C(1000000), node, thread, values);
        coverage_add(&coverage, index, us);
    }
}

static int64_t sum_us(const char *root)
{
    int64_t us = 0;

    for (size_t i = 0; i < s->cpu_rows.count; i++) {
        uint32_t frame = s->tree.nodes[s->cpu_rows.key[i]].frame;
        const char *name = strings_get(&s->strings, (string_id)s->tree.frames[frame].func);

        if (!root || !strcmp(name, root))
            us += s->cpu_rows.value[CPU_ROW_WEIGHT_US][i];
    }
    return us;
}

static void begin(void)
{
    s = session_new(0, 0);
}

static void end(void)
{
    coverage_release(&coverage);
    session_free(s);
}

START_TEST(what_no_sample_covers_is_a_node_of_its_own)
{
    begin();
    process(1, 100, 80, 1000);
    ck_assert_double_eq_tol(coverage_finish(&coverage, s, 5000), 0.8, 1e-9);
    ck_assert_int_eq(sum_us("work"), 80000);
    ck_assert_int_eq(sum_us("[kernel: not permitted]"), 5000);
    ck_assert_int_eq(sum_us("[unsampled]"), 15000);
    ck_assert_double_eq_tol(s->diagnostics.stack_rate_achieved_hz, 800, 1e-6);
    end();
}
END_TEST

START_TEST(processes_shorter_than_a_period_are_unsampled_each_its_own_time)
{
    begin();
    for (int pid = 1; pid <= 200; pid++)
        process(pid, 1, 0, 0);
    process(300, 400, 400, 1000);
    ck_assert_double_eq_tol(coverage_finish(&coverage, s, 0), 400.0 / 600, 1e-9);
    ck_assert_int_eq(sum_us("[unsampled]"), 200000);
    ck_assert_int_eq(sum_us(NULL), 600000);
    end();
}
END_TEST

START_TEST(weights_that_are_too_big_are_made_smaller_all_alike)
{
    begin();
    process(1, 70, 99, 1003);
    process(2, 30, 34, 1003);
    coverage_rescale(&coverage, s, false);
    ck_assert_int_eq(sum_us("work"), 100000);
    ck_assert_double_eq_tol(coverage_finish(&coverage, s, 0), 1, 1e-4);
    ck_assert_int_le(llabs(sum_us(NULL) - 100000), 2); /* whole µs a process */
    end();
}
END_TEST

START_TEST(weights_that_are_too_small_grow_only_where_nothing_else_is_missing)
{
    begin();
    process(1, 100, 80, 1000);
    coverage_rescale(&coverage, s, false);
    ck_assert_int_eq(sum_us("work"), 80000);
    coverage_rescale(&coverage, s, true);
    ck_assert_int_eq(sum_us("work"), 100000);
    end();
}
END_TEST

START_TEST(nothing_measured_or_nothing_sampled_changes_nothing)
{
    begin();
    coverage_rescale(&coverage, s, true);
    ck_assert_double_eq(coverage_finish(&coverage, s, 0), 1);
    process(1, 100, 0, 0);
    coverage_rescale(&coverage, s, true);
    ck_assert_double_eq(coverage_finish(&coverage, s, 0), 0);
    ck_assert_int_eq(sum_us("[unsampled]"), 100000);
    end();
}
END_TEST

SUITE("coverage", what_no_sample_covers_is_a_node_of_its_own,
      processes_shorter_than_a_period_are_unsampled_each_its_own_time,
      weights_that_are_too_big_are_made_smaller_all_alike,
      weights_that_are_too_small_grow_only_where_nothing_else_is_missing,
      nothing_measured_or_nothing_sampled_changes_nothing)
