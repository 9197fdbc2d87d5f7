/* SPDX-License-Identifier: MIT */
#include "session/session.h"

#include <math.h>
#include <string.h>

#include "session/totals.h"
#include "suite.h"

static const uint64_t MS = 1000000;
static const enum series_merge all_merges[] = {SERIES_MEAN, SERIES_MAX, SERIES_SUM};
static const enum rows_merge sums[] = {ROWS_SUM, ROWS_SUM};

START_TEST(a_full_series_merges_pairs_and_keeps_means_peaks_and_sums)
{
    struct series series;
    double sum = 0;

    series_init(&series, 100 * MS, 10, 3, all_merges);
    for (uint64_t at = 0; at < 10000; at += 10) {
        double value = (double)(at / 10);

        for (size_t c = 0; c < 3; c++)
            series_put_span(&series, c, at * MS, (at + 10) * MS, value);
        sum += value;
    }
    ck_assert_uint_eq(series.interval_ns, 1600 * MS);
    ck_assert_uint_eq(series.count, 7);
    ck_assert_double_eq_tol(series_get(&series, 0, 0), 79.5, 0.01);
    ck_assert_double_eq(series_get(&series, 1, 0), 159);
    for (size_t i = 0; i < series.count; i++)
        sum -= series_get(&series, 2, i);
    ck_assert_double_eq_tol(sum, 0, 1);
    series_release(&series);
}
END_TEST

START_TEST(a_late_reading_is_spread_over_the_time_that_it_covers)
{
    struct series series;

    series_init(&series, 100 * MS, 10, 3, all_merges);
    series_put_span(&series, 0, 50 * MS, 350 * MS, 40); /* one tick came 300 ms late */
    series_put_span(&series, 0, 350 * MS, 400 * MS, 80);
    series_put_span(&series, 2, 50 * MS, 350 * MS, 300);
    ck_assert_double_eq(series_get(&series, 0, 0), 40);
    ck_assert_double_eq(series_get(&series, 0, 3), 60);
    ck_assert_double_eq_tol(series_get(&series, 2, 0), 50, 1e-3);
    ck_assert_double_eq_tol(series_get(&series, 2, 1), 100, 1e-3);
    ck_assert(isnan(series_get(&series, 1, 0)));
    ck_assert(isnan(series_get(&series, 0, 9)));
    series_release(&series);
}
END_TEST

static int64_t total(const struct rows *rows, unsigned value)
{
    int64_t sum = 0;

    for (size_t i = 0; i < rows->count; i++)
        sum += rows->value[value][i];
    return sum;
}

START_TEST(rows_stay_within_their_limit_and_totals_stay_equal)
{
    struct rows rows;
    int64_t expected = 0;
    uint64_t random = 88172645463325252ull;

    rows_init(&rows, 100 * MS, 5000, 2, sums);
    for (int i = 0; i < 200000; i++) {
        int64_t values[2];

        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        values[0] = (int64_t)(random % 1000);
        values[1] = 1;
        expected += values[0];
        rows_add(&rows, (uint64_t)i * MS, (uint32_t)(random >> 20) % 100, (uint32_t)(random >> 40) % 8, values);
        ck_assert_uint_le(rows.count, 5000);
    }
    rows_compact(&rows);
    ck_assert_int_eq(total(&rows, 0), expected);
    ck_assert_int_eq(total(&rows, 1), 200000);
    ck_assert_uint_gt(rows.doublings, 0);
    for (size_t i = 1; i < rows.count; i++)
        ck_assert(
            rows.bucket[i - 1] < rows.bucket[i] ||
            (rows.bucket[i - 1] == rows.bucket[i] &&
             (rows.key[i - 1] < rows.key[i] || (rows.key[i - 1] == rows.key[i] && rows.key2[i - 1] < rows.key2[i]))));
    rows_release(&rows);
}
END_TEST

START_TEST(rows_of_one_bucket_lose_their_threads_before_their_time)
{
    struct rows rows;
    const int64_t values[2] = {1, 1};

    rows_init(&rows, 100 * MS, 1000, 2, sums);
    for (uint32_t thread = 0; thread < 1500; thread++)
        rows_add(&rows, thread % 300 * MS, thread % 10, thread, values);
    rows_compact(&rows);
    ck_assert(rows.key2_gone);
    ck_assert_int_eq(total(&rows, 0), 1500);
    ck_assert_uint_eq(rows.interval_ns, 100 * MS);
    rows_release(&rows);
}
END_TEST

START_TEST(late_rows_merge_with_those_of_their_bucket)
{
    struct rows rows;
    const int64_t values[2] = {5, 1};

    rows_init(&rows, 100 * MS, 100000, 2, sums);
    for (uint64_t i = 0; i < 50000; i++)
        rows_add(&rows, i * 100 * MS, 1, 2, values);
    rows_add(&rows, 150 * MS, 1, 2, values);
    rows_compact(&rows);
    ck_assert_uint_eq(rows.count, 50000);
    ck_assert_int_eq(rows.value[0][1], 10);
    rows_release(&rows);
}
END_TEST

START_TEST(equal_stacks_end_in_the_same_node)
{
    struct session *s = session_new(0, 0);
    struct calltree *tree = &s->tree;
    uint32_t module = calltree_module(tree, strings_add_str(&s->strings, "/bin/x"), 0, NULL);
    int32_t leaf[2];

    for (int round = 0; round < 2; round++) {
        leaf[round] = CALLTREE_NO_NODE;
        for (uint64_t depth = 0; depth < 1000; depth++)
            leaf[round] = calltree_child(tree, leaf[round], calltree_frame(tree, module, depth % 7));
    }
    ck_assert_int_eq(leaf[0], leaf[1]);
    ck_assert_uint_eq(tree->node_count, 1000);
    ck_assert_uint_eq(tree->frame_count, 7);
    for (size_t i = 0; i < tree->node_count; i++)
        ck_assert_int_lt(tree->nodes[i].parent, (int32_t)i);
    session_free(s);
}
END_TEST

START_TEST(the_node_limit_cuts_stacks_and_counts_them)
{
    struct calltree tree;
    int32_t node = CALLTREE_NO_NODE;

    calltree_init(&tree, 100);
    for (uint64_t depth = 0; depth < 250; depth++)
        node = calltree_child(&tree, node, calltree_frame(&tree, 0, depth));
    ck_assert_int_eq(node, 99);
    ck_assert_uint_eq(tree.folded, 150);
    calltree_release(&tree);
}
END_TEST

START_TEST(processes_and_threads_stay_within_their_limits)
{
    struct session *s = session_new(0, 0);
    uint32_t last = 0;

    for (int pid = 1; pid <= MAX_PROCESSES + 10; pid++)
        last = session_add_process(s, pid, -1, 0);
    ck_assert_uint_eq(s->process_count, MAX_PROCESSES);
    ck_assert_uint_eq(last, MAX_PROCESSES - 1);
    ck_assert_str_eq(strings_get(&s->strings, s->processes[last].name), "[other processes]");
    for (int tid = 1; tid <= MAX_THREADS + 10; tid++)
        last = session_thread(s, 0, tid, 0);
    ck_assert_uint_eq(s->thread_count, MAX_THREADS);
    ck_assert_uint_eq(s->diagnostics.folded_count, 2);
    session_free(s);
}
END_TEST

START_TEST(a_reused_pid_is_found_by_its_time)
{
    struct session *s = session_new(0, 0);
    uint32_t first = session_add_process(s, 77, -1, 10 * MS), second;

    s->processes[first].end_ns = 20 * MS;
    second = session_add_process(s, 77, -1, 50 * MS);
    ck_assert_int_eq(session_find_process(s, 77, 15 * MS), (int32_t)first);
    ck_assert_int_eq(session_find_process(s, 77, 40 * MS), (int32_t)second); /* seen late */
    s->processes[second].end_ns = 60 * MS;
    ck_assert_int_eq(session_find_process(s, 77, 55 * MS), (int32_t)second);
    ck_assert_int_eq(session_find_process(s, 77, 90 * MS), -1);
    ck_assert_int_eq(session_find_process(s, 78, 0), -1);
    session_free(s);
}
END_TEST

START_TEST(a_mean_is_raised_by_an_amount_and_not_diluted)
{
    struct series series;
    const enum series_merge mean = SERIES_MEAN;

    series_init(&series, 100 * MS, 10, 1, &mean);
    series_put_span(&series, 0, 0, 200 * MS, 30);
    series_raise_span(&series, 0, 50 * MS, 150 * MS, 20); /* half of each point: 10 more on the mean of each */
    ck_assert_double_eq_tol(series_get(&series, 0, 0), 40, 1e-3);
    ck_assert_double_eq_tol(series_get(&series, 0, 1), 40, 1e-3);
    series_raise_span(&series, 0, 200 * MS, 210 * MS, 80); /* nothing was put there */
    ck_assert_double_eq_tol(series_get(&series, 0, 2), 80, 1e-3);
    series_release(&series);
}
END_TEST

START_TEST(the_last_point_is_a_mean_over_a_whole_interval)
{
    struct series series;
    const enum series_merge mean = SERIES_MEAN;

    series_init(&series, 100 * MS, 10, 1, &mean);
    series_put_span(&series, 0, 0, 100 * MS, 100);
    series_put_span(&series, 0, 100 * MS, 110 * MS, 200); /* 20 ms of CPU in 10 ms */
    series_settle_last(&series, 0, 100 * MS);
    ck_assert_double_eq_tol(series_get(&series, 0, 0), 100, 1e-3);
    ck_assert_double_eq_tol(series_get(&series, 0, 1), 110, 1e-3); /* 90 and 20 in the last 100 */
    series_release(&series);
}
END_TEST

START_TEST(a_process_that_execs_is_one_process)
{
    struct session *s = session_new(0, 0);
    struct totals totals;
    uint32_t first = session_add_process(s, 77, -1, 0), second, unseen;

    s->duration_ns = 1000 * MS;
    second = session_exec_process(s, first, 300 * MS);
    session_exec_process(s, second, 600 * MS);
    session_add_process(s, 78, (int32_t)first, 100 * MS);
    unseen = session_add_process(s, 0, (int32_t)first, 100 * MS);
    s->processes[unseen].name = strings_add_str(&s->strings, "[short-lived processes]");
    totals_compute(s, &totals);
    ck_assert_uint_eq(totals.processes, 2);
    totals_compute_window(s, 400 * MS, 500 * MS, &totals); /* the second image alone */
    ck_assert_uint_eq(totals.processes, 2);
    totals_compute_window(s, 500 * MS, 700 * MS, &totals); /* the second and the third */
    ck_assert_uint_eq(totals.processes, 2);
    session_free(s);
}
END_TEST

START_TEST(a_warning_is_kept_once)
{
    struct session *s = session_new(0, 0);

    session_warn(s, "no %s", "stacks");
    session_warn(s, "no %s", "stacks");
    ck_assert_uint_eq(s->diagnostics.warning_count, 1);
    session_free(s);
}
END_TEST

SUITE("session", a_full_series_merges_pairs_and_keeps_means_peaks_and_sums,
      a_late_reading_is_spread_over_the_time_that_it_covers, rows_stay_within_their_limit_and_totals_stay_equal,
      rows_of_one_bucket_lose_their_threads_before_their_time, late_rows_merge_with_those_of_their_bucket,
      equal_stacks_end_in_the_same_node, the_node_limit_cuts_stacks_and_counts_them,
      processes_and_threads_stay_within_their_limits, a_reused_pid_is_found_by_its_time,
      a_mean_is_raised_by_an_amount_and_not_diluted, the_last_point_is_a_mean_over_a_whole_interval,
      a_process_that_execs_is_one_process, a_warning_is_kept_once)
