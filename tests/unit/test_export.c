/* SPDX-License-Identifier: MIT */
#include "convert/export.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "suite.h"

static const uint64_t SECOND = 1000000000;

static struct session *s;
static uint32_t first, second;

struct text {
    char *bytes;
    size_t len, cap;
};

static int take(void *ctx, const char *bytes, size_t len)
{
    struct text *t = ctx;

    GROW(t->bytes, t->len + len + 1, t->cap);
    memcpy(t->bytes + t->len, bytes, len);
    t->len += len;
    t->bytes[t->len] = '\0';
    return 0;
}

static int full(void *ctx, const char *bytes, size_t len)
{
    (void)ctx, (void)bytes, (void)len;
    return -ENOSPC;
}

static int32_t child(int32_t parent, const char *name, size_t len, enum layer layer)
{
    return calltree_child(&s->tree, parent, calltree_named_frame(&s->tree, strings_add(&s->strings, name, len), layer));
}

static void run(int32_t node, uint32_t thread, uint64_t at_ns, int64_t us)
{
    const int64_t values[] = {us, 1};

    rows_add(&s->cpu_rows, at_ns, (uint32_t)node, thread, values);
}

/* main > walk > hash in two threads and at two times, main > odd name. */
static void set_up(const char *odd, size_t odd_len)
{
    int32_t root, walk, hash;

    s = session_new(0, 0);
    first = session_thread(s, session_add_process(s, 7, -1, 0), 7, 0);
    second = session_thread(s, session_add_process(s, 8, 0, 0), 9, 0);
    s->threads[second].name = strings_add_str(&s->strings, "worker");
    root = child(-1, "main", 4, LAYER_USER);
    walk = child(root, "walk", 4, LAYER_DEP);
    hash = child(walk, "hash", 4, LAYER_DEP);
    run(hash, first, 0, 1000);
    run(hash, first, 3 * SECOND, 200);
    run(hash, second, 0, 30);
    run(child(root, odd, odd_len, LAYER_USER), second, 0, 4);
    run(child(-1, "[kernel work]", 13, LAYER_KERNEL), first, 0, 50000);
    run(child(root, "recorded_malloc", 15, LAYER_PROFILER), first, 0, 900000);
}

static char *exported(const char *format, const struct question *q, size_t max_samples)
{
    struct text text = {0};
    struct export x;
    struct rs_err err;

    ck_assert_msg(!export_prepare(s, q, max_samples, export_format_named(format)->by_time, &x, &err), "%s", err.text);
    ck_assert_int_eq(export_format_named(format)->write(&x, take, &text), 0);
    export_release(&x);
    return text.bytes;
}

static struct question everything(void)
{
    return (struct question){.window = {0, UINT64_MAX}, .top = 20};
}

static void check_folded(const struct question *q, size_t max_samples, const char *expected)
{
    char *text = exported("folded", q, max_samples);

    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(folded_sums_threads_and_leaves_out_the_profiler)
{
    struct question q = everything();

    set_up("odd", 3);
    check_folded(&q, 0, "main;walk;hash 1230\nmain;odd 4\n[kernel work] 50000\n");
    q.thread = "worker";
    check_folded(&q, 0, "main;walk;hash 30\nmain;odd 4\n");
    q.thread = NULL;
    q.window = (struct time_window){2 * SECOND, 5 * SECOND};
    check_folded(&q, 0, "main;walk;hash 200\n");
    session_free(s);
}
END_TEST

START_TEST(only_my_code_keeps_the_total)
{
    struct question q = everything();

    set_up("odd", 3);
    q.only_my_code = true;
    check_folded(&q, 0, "main 1230\nmain;odd 4\n[other code] 50000\n");
    session_free(s);
}
END_TEST

START_TEST(the_lightest_are_folded_and_keep_the_total)
{
    struct question q = everything();

    set_up("odd", 3);
    check_folded(&q, 2, "[kernel work] 50000\n[other] 1234\n");
    session_free(s);
}
END_TEST

START_TEST(folded_escapes_what_its_readers_take_for_something_else)
{
    static const char odd[] = "#a;b\n\\ \xff\xc3\xa9\0 4";
    struct question q = everything();

    set_up(odd, sizeof(odd) - 1);
    q.thread = "worker";
    check_folded(&q, 0, "main;walk;hash 30\nmain;\\x23a\\x3bb\\x0a\\\\ \\xff\xc3\xa9\\x00\\x204 4\n");
    session_free(s);
}
END_TEST

START_TEST(speedscope_has_a_profile_a_thread)
{
    struct question q = everything();
    char *text;

    set_up("od\"d", 4);
    text = exported("speedscope", &q, 0);
    ck_assert_ptr_nonnull(
        strstr(text, "\"name\":\" (7/7)\",\"unit\":\"microseconds\",\"startValue\":0,\"endValue\":51200"));
    ck_assert_ptr_nonnull(
        strstr(text, "\"name\":\"worker (8/9)\",\"unit\":\"microseconds\",\"startValue\":0,\"endValue\":34"));
    ck_assert_ptr_nonnull(strstr(text, "od\\\"d"));
    free(text);
    session_free(s);
}
END_TEST

START_TEST(callgrind_keeps_the_cost_of_what_calls_itself)
{
    struct question q = everything();
    int32_t again;
    char *text;

    set_up("(1) a\nb", 7);
    again = child(child(-1, "main", 4, LAYER_USER), "walk", 4, LAYER_DEP);
    again = child(child(child(again, "main", 4, LAYER_USER), "walk", 4, LAYER_DEP), "walk", 4, LAYER_DEP);
    run(child(again, "hash", 4, LAYER_DEP), second, 0, 7);
    q.thread = "worker";
    text = exported("callgrind", &q, 0);
    ck_assert_ptr_nonnull(strstr(text, "summary: 41\n"));
    ck_assert_ptr_nonnull(strstr(text, ") (1) a\\x0ab\n0 4\n"));
    ck_assert_ptr_nonnull(strstr(text, ") walk\ncalls=2 0\n0 37\n"));
    ck_assert_ptr_nonnull(strstr(text, ") hash\ncalls=2 0\n0 37\n"));
    ck_assert_ptr_nonnull(strstr(text, ") main\ncalls=3 0\n0 41\n"));
    free(text);
    session_free(s);
}
END_TEST

START_TEST(pprof_names_are_utf8_and_the_first_string_is_empty)
{
    static const char odd[] = "caf\xc3\xa9 \xff;";
    struct question q = everything();
    struct text text = {0};
    struct export x;

    set_up(odd, sizeof(odd) - 1);
    ck_assert_int_eq(export_prepare(s, &q, 0, false, &x, NULL), 0);
    ck_assert_int_eq(export_pprof(&x, take, &text), 0);
    /* two sample types, then the strings in order: the empty one, and the types' */
    ck_assert_mem_eq(text.bytes, "\x0a\x04\x08\x01\x10\x02\x0a\x04\x08\x03\x10\x04", 12);
    ck_assert_ptr_nonnull(memmem(text.bytes, text.len,
                                 "\x32\0\x32\x07samples\x32\x05"
                                 "count\x32\x03"
                                 "cpu\x32\x0bnanoseconds",
                                 34));
    ck_assert_ptr_nonnull(memmem(text.bytes, text.len,
                                 "\x32\x0b"
                                 "caf\xc3\xa9 \\xff;",
                                 13));
    free(text.bytes);
    export_release(&x);
    session_free(s);
}
END_TEST

START_TEST(ndjson_has_a_row_a_stack_and_time)
{
    struct question q = everything();
    char *text;

    set_up("odd", 3);
    text = exported("ndjson", &q, 0);
    ck_assert_ptr_nonnull(strstr(text, "\"at_unix_ms\":3000,\"pid\":7,\"process\":\"\",\"tid\":7,"));
    ck_assert_ptr_nonnull(strstr(text, "\"stack\":[\"main\",\"walk\",\"hash\"],\"value\":200,\"count\":1}\n"));
    ck_assert_ptr_nonnull(strstr(text, "\"stack\":[\"main\",\"walk\",\"hash\"],\"value\":1000,\"count\":1}\n"));
    free(text);
    session_free(s);
}
END_TEST

START_TEST(csv_quotes_names)
{
    struct question q = everything();
    char *text;

    set_up("a,\"b\"\n", 6);
    q.thread = "worker";
    text = exported("csv", &q, 0);
    ck_assert_str_eq(text, "name,module,file,line,layer,metric,unit,self,total\n"
                           "\"hash\",\"\",\"\",,dep,cpu,microseconds,30,30\n"
                           "\"a,\"\"b\"\"\\x0a\",\"\",\"\",,user,cpu,microseconds,4,4\n"
                           "\"main\",\"\",\"\",,user,cpu,microseconds,0,34\n"
                           "\"walk\",\"\",\"\",,dep,cpu,microseconds,0,30\n");
    free(text);
    session_free(s);
}
END_TEST

START_TEST(what_a_session_lacks_is_said_with_what_it_has)
{
    struct question q = everything();
    struct export x;
    struct rs_err err;

    set_up("odd", 3);
    q.metric = ANSWER_OFF_CPU;
    ck_assert_int_eq(export_prepare(s, &q, 0, false, &x, &err), -ENODATA);
    ck_assert_str_eq(err.text, "this session has no off-cpu; it has: cpu");
    q = everything();
    q.window = (struct time_window){50 * SECOND, 60 * SECOND};
    ck_assert_int_eq(export_prepare(s, &q, 0, false, &x, &err), -ENODATA);
    session_free(s);
}
END_TEST

START_TEST(every_format_hands_on_the_sinks_error)
{
    struct question q = everything();
    struct export x;

    set_up("odd", 3);
    ck_assert_int_eq(export_prepare(s, &q, 0, false, &x, NULL), 0);
    for (size_t i = 0; export_format(i); i++)
        ck_assert_int_eq(export_format(i)->write(&x, full, NULL), -ENOSPC);
    export_release(&x);
    session_free(s);
}
END_TEST

START_TEST(a_file_name_tells_its_format)
{
    ck_assert_str_eq(export_format_of_path("a/b.folded")->name, "folded");
    ck_assert_str_eq(export_format_of_path("x.speedscope.json")->name, "speedscope");
    ck_assert_ptr_null(export_format_of_path("x.json"));
    ck_assert_ptr_null(export_format_named("fold"));
}
END_TEST

SUITE("export", folded_sums_threads_and_leaves_out_the_profiler, only_my_code_keeps_the_total,
      the_lightest_are_folded_and_keep_the_total, folded_escapes_what_its_readers_take_for_something_else,
      speedscope_has_a_profile_a_thread, callgrind_keeps_the_cost_of_what_calls_itself,
      pprof_names_are_utf8_and_the_first_string_is_empty, ndjson_has_a_row_a_stack_and_time, csv_quotes_names,
      what_a_session_lacks_is_said_with_what_it_has, every_format_hands_on_the_sinks_error,
      a_file_name_tells_its_format)
