/* SPDX-License-Identifier: MIT */
#include "analyze/answers.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "suite.h"

static const uint64_t SECOND = 1000000000;

static struct session *s;

static int32_t child(int32_t parent, const char *name, enum layer layer)
{
    return session_named_child(s, parent, name, layer);
}

static void run(int32_t node, uint32_t thread, uint64_t at_ns, int64_t us)
{
    const int64_t values[] = {us, 1};

    rows_add(&s->cpu_rows, at_ns, (uint32_t)node, thread, values);
}

/* main > walk > walk > hash, main > hash, in two threads of two processes; what the profiler did is in nothing. */
static void set_up(void)
{
    uint32_t first, second;
    int32_t root, walk;

    s = session_new(0, 0);
    first = session_thread(s, session_add_process(s, 7, -1, 0), 7, 0);
    second = session_thread(s, session_add_process(s, 8, 0, 0), 9, 0);
    s->threads[second].name = strings_add_str(&s->strings, "worker");
    root = child(-1, "main", LAYER_USER);
    walk = child(child(root, "tree::walk(int)", LAYER_USER), "tree::walk(int)", LAYER_USER);
    run(walk, first, 0, 1000);
    run(child(walk, "hash", LAYER_DEP), first, 0, 2000);
    run(child(root, "hash", LAYER_DEP), second, 3 * SECOND, 4000);
    run(child(root, "recorded_malloc", LAYER_PROFILER), first, 0, 9000);
}

static struct question about_cpu(void)
{
    return (struct question){.window = {0, UINT64_MAX}, .top = 20};
}

static void check_row(const struct answer *a, size_t row, const char *name, uint64_t self, uint64_t total)
{
    const char *is =
        a->rows[row].frame == UINT32_MAX ? "" : strings_get(&s->strings, s->tree.frames[a->rows[row].frame].func);

    ck_assert_uint_lt(row, a->count);
    ck_assert_str_eq(is, name);
    ck_assert_uint_eq(a->rows[row].self, self);
    ck_assert_uint_eq(a->rows[row].total, total);
}

START_TEST(functions_are_summed_once_a_stack_and_sorted)
{
    struct question q = about_cpu();
    struct answer a;

    set_up();
    ck_assert_int_eq(answer(s, &q, &a, NULL), 0);
    ck_assert_uint_eq(a.all, 7000);
    ck_assert_uint_eq(a.count, 3);
    check_row(&a, 0, "hash", 6000, 6000);
    check_row(&a, 1, "tree::walk(int)", 1000, 3000);
    check_row(&a, 2, "main", 0, 7000);
    answer_release(&a);
    q.sort = ANSWER_BY_TOTAL;
    q.only_my_code = true;
    q.top = 1;
    ck_assert_int_eq(answer(s, &q, &a, NULL), 0);
    ck_assert_uint_eq(a.count, 1);
    ck_assert_uint_eq(a.left, 1);
    check_row(&a, 0, "main", 0, 7000);
    answer_release(&a);
    session_free(s);
}
END_TEST

START_TEST(callers_and_callees_share_what_the_function_cost)
{
    struct question q = about_cpu();
    struct answer a;

    set_up();
    q.function = "hash";
    ck_assert_int_eq(answer(s, &q, &a, NULL), 0);
    ck_assert_uint_eq(a.all, 6000);
    check_row(&a, 0, "main", 0, 4000);
    check_row(&a, 1, "tree::walk(int)", 0, 2000);
    answer_release(&a);
    q.function = "tree::walk"; /* as reports shorten it; its own recursion is no callee of the outermost call's cost */
    q.callees = true;
    ck_assert_int_eq(answer(s, &q, &a, NULL), 0);
    ck_assert_uint_eq(a.all, 3000);
    ck_assert_uint_eq(a.matched, 1);
    check_row(&a, 0, "tree::walk(int)", 0, 3000);
    answer_release(&a);
    q.function = "main";
    q.callees = false;
    ck_assert_int_eq(answer(s, &q, &a, NULL), 0);
    check_row(&a, 0, "", 0, 7000);
    answer_release(&a);
    session_free(s);
}
END_TEST

START_TEST(a_window_a_process_and_a_thread_narrow_the_answer)
{
    struct question q = about_cpu();
    struct answer a;

    set_up();
    q.window = (struct time_window){2 * SECOND, 4 * SECOND};
    ck_assert_int_eq(answer(s, &q, &a, NULL), 0);
    ck_assert_uint_eq(a.all, 4000);
    answer_release(&a);
    q = about_cpu();
    q.process = "7";
    ck_assert_int_eq(answer(s, &q, &a, NULL), 0);
    ck_assert_uint_eq(a.all, 3000);
    answer_release(&a);
    q = about_cpu();
    q.thread = "worker";
    ck_assert_int_eq(answer(s, &q, &a, NULL), 0);
    ck_assert_uint_eq(a.all, 4000);
    answer_release(&a);
    session_free(s);
}
END_TEST

START_TEST(a_question_that_does_not_fit_is_refused_with_a_sentence)
{
    struct question q = about_cpu();
    struct rs_err err = {""};
    struct answer a;

    set_up();
    q.function = "nothing of the kind";
    ck_assert_int_eq(answer(s, &q, &a, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "nothing of the kind"));
    q = about_cpu();
    q.metric = ANSWER_LEAKED;
    ck_assert_int_eq(answer(s, &q, &a, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "--no-alloc"));
    s->allocations.measured = true;
    q.window.from_ns = 1;
    ck_assert_int_eq(answer(s, &q, &a, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "whole session"));
    q = about_cpu();
    q.thread = "nobody";
    ck_assert_int_eq(answer(s, &q, &a, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "nobody"));
    session_free(s);
}
END_TEST

START_TEST(bytes_come_from_the_whole_sessions_statistics)
{
    struct question q = about_cpu();
    struct answer a;

    set_up();
    s->allocations.measured = true;
    s->allocations.stats = xcalloc(1, sizeof(*s->allocations.stats));
    s->allocations.stats[s->allocations.stats_count++] = (struct alloc_stats){
        .node = child(child(-1, "main", LAYER_USER), "keep", LAYER_USER), .bytes = 70, .count = 7, .leaked_bytes = 30};
    q.metric = ANSWER_LEAKED;
    ck_assert_int_eq(answer(s, &q, &a, NULL), 0);
    ck_assert_uint_eq(a.all, 30);
    check_row(&a, 0, "keep", 30, 30);
    answer_release(&a);
    q.metric = ANSWER_COUNT;
    ck_assert_int_eq(answer(s, &q, &a, NULL), 0);
    ck_assert_uint_eq(a.all, 7);
    answer_release(&a);
    session_free(s);
}
END_TEST

SUITE("answers", functions_are_summed_once_a_stack_and_sorted, callers_and_callees_share_what_the_function_cost,
      a_window_a_process_and_a_thread_narrow_the_answer, a_question_that_does_not_fit_is_refused_with_a_sentence,
      bytes_come_from_the_whole_sessions_statistics)
