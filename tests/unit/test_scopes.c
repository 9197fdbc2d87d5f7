/* SPDX-License-Identifier: MIT */
#include "core/scopes.h"

#include <string.h>

#include "suite.h"

static const struct rs_scope_site sites[] = {{0}, {"f", "f.c", 1, 0}, {"g", "f.c", 2, 0}};
static uint64_t scratch[RUSTSCOPE_HISTOGRAM_BUCKETS];

static struct rs_scope_path path(uint32_t parent, uint32_t site, uint64_t calls, uint64_t timed, uint64_t total,
                                 uint64_t self)
{
    struct rs_scope_path p = {.parent = parent, .site = site};

    rs_scope_stats_init(&p.stats);
    p.stats.calls = calls;
    p.stats.timed = timed;
    p.stats.total_ticks = total;
    p.stats.self_ticks = self;
    p.stats.min_ticks = timed ? total / timed : UINT64_MAX;
    p.stats.max_ticks = timed ? total / timed : 0;
    return p;
}

static bool figures_of(const struct rs_scope_path *paths, size_t count, uint32_t site, struct rustscope_function *out)
{
    uint32_t starts[4], members[8];

    rs_scope_by_site(paths, count, 3, starts, members);
    ck_assert_uint_eq(starts[0], 0);
    ck_assert_uint_eq(starts[3], count - 1);
    return rs_scope_function_figures(paths, members + starts[site], starts[site + 1] - starts[site], &sites[site], 1,
                                     scratch, out);
}

START_TEST(recursion_counts_once_in_the_total)
{
    /* f (100) calls f (60) calls f (20), the two inner ones on the path that folds */
    struct rs_scope_path paths[] = {path(0, 0, 0, 0, 0, 0), path(0, 1, 1, 1, 100, 40), path(1, 1, 2, 2, 80, 60)};
    struct rustscope_function f;

    paths[2].stats.max_open = 2;
    rs_scope_finish(paths, 3);
    ck_assert_double_eq(paths[2].total_ticks, 60);
    ck_assert_uint_eq(paths[2].recursion, 3);
    ck_assert(figures_of(paths, 3, 1, &f));
    ck_assert_uint_eq(f.calls, 3);
    ck_assert_double_eq(f.total_ns, 100);
    ck_assert_double_eq(f.self_ns, 100);
    ck_assert_uint_eq(f.max_depth, 3);
}
END_TEST

START_TEST(mutual_recursion_counts_each_function_once)
{
    /* f (100) -> g (80) -> f (50) -> g (30) */
    struct rs_scope_path paths[] = {path(0, 0, 0, 0, 0, 0), path(0, 1, 1, 1, 100, 20), path(1, 2, 1, 1, 80, 30),
                                    path(2, 1, 1, 1, 50, 20), path(3, 2, 1, 1, 30, 30)};
    struct rustscope_function f, g;

    rs_scope_finish(paths, 5);
    ck_assert(figures_of(paths, 5, 1, &f));
    ck_assert(figures_of(paths, 5, 2, &g));
    ck_assert_double_eq(f.total_ns, 100);
    ck_assert_double_eq(f.self_ns, 40);
    ck_assert_double_eq(g.total_ns, 80);
    ck_assert_double_eq(g.self_ns, 60);
    ck_assert_uint_eq(g.max_depth, 2);
}
END_TEST

START_TEST(a_total_is_estimated_where_calls_were_only_counted)
{
    /* 10 of 100 calls of f timed, at 20 each; inside, g was always timed: 100 times 5 */
    struct rs_scope_path paths[] = {path(0, 0, 0, 0, 0, 0), path(0, 1, 100, 10, 200, 150), path(1, 2, 100, 100, 500, 500)};
    struct rustscope_function f;

    rs_scope_finish(paths, 3);
    rs_scope_path_figures(&paths[1], &sites[1], 1, &f);
    ck_assert_double_eq(f.total_ns, 2000);
    ck_assert_double_eq(f.self_ns, 1500);
    ck_assert_double_eq(f.mean_ns, 20);
}
END_TEST

START_TEST(statistics_of_parts_add_up_in_any_order)
{
    struct rs_scope_stats whole, merged, part[3];

    rs_scope_stats_init(&whole);
    for (int p = 0; p < 3; p++)
        rs_scope_stats_init(&part[p]);
    for (unsigned i = 0; i < 300; i++) {
        struct rs_scope_stats one;
        uint64_t value = i * 7919 % 1009;

        rs_scope_stats_init(&one);
        one.calls = one.timed = 1;
        one.total_ticks = one.self_ticks = one.min_ticks = one.max_ticks = value;
        one.square_lo = value * value;
        one.mean_ticks = (double)value;
        one.outliers = i % 10 == 0;
        rs_scope_stats_merge(&whole, &one);
        rs_scope_stats_merge(&part[i % 3], &one);
    }
    rs_scope_stats_init(&merged);
    for (int p = 2; p >= 0; p--)
        rs_scope_stats_merge(&merged, &part[p]);
    ck_assert_double_eq_tol(merged.m2_ticks / whole.m2_ticks, 1, 1e-12);
    ck_assert_double_eq_tol(merged.mean_ticks, whole.mean_ticks, 1e-9);
    merged.mean_ticks = whole.mean_ticks;
    merged.m2_ticks = whole.m2_ticks;
    ck_assert_mem_eq(&merged, &whole, sizeof(whole));
}
END_TEST

START_TEST(the_worst_are_kept)
{
    struct rustscope_worst kept[RUSTSCOPE_WORST_KEPT] = {{0}};
    double least = 1e9;

    for (unsigned i = 0; i < 100; i++) {
        struct rustscope_worst w = {i, i, (double)(i * 37 % 100) + 1};

        rs_scope_worst_add(kept, &w);
    }
    for (int i = 0; i < RUSTSCOPE_WORST_KEPT; i++)
        least = kept[i].sigmas < least ? kept[i].sigmas : least;
    ck_assert_double_eq(least, 101 - RUSTSCOPE_WORST_KEPT);
}
END_TEST

START_TEST(a_function_that_never_ran_is_none)
{
    struct rs_scope_path paths[] = {path(0, 0, 0, 0, 0, 0), path(0, 1, 0, 0, 0, 0)};
    struct rustscope_function f;

    rs_scope_finish(paths, 2);
    ck_assert(!paths[1].seen);
    ck_assert(!figures_of(paths, 2, 1, &f));
    ck_assert_double_eq(f.min_ns, 0);
}
END_TEST

SUITE("scopes", recursion_counts_once_in_the_total, mutual_recursion_counts_each_function_once,
      a_total_is_estimated_where_calls_were_only_counted, statistics_of_parts_add_up_in_any_order, the_worst_are_kept,
      a_function_that_never_ran_is_none)
