/* SPDX-License-Identifier: MIT */
#include "file/session_file.h"

#include <stdio.h>
#include <string.h>

#include "suite.h"

struct text {
    char *bytes;
    size_t len, cap;
};

static int collect(void *ctx, const char *bytes, size_t len)
{
    struct text *text = ctx;

    GROW(text->bytes, text->len + len + 1, text->cap);
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
    text->bytes[text->len] = '\0';
    return 0;
}

static struct text written(struct session *s)
{
    struct text text = {0};

    ck_assert_int_eq(session_write(s, collect, &text), 0);
    return text;
}

static void add_benchmark(struct session *s)
{
    const struct rs_bench_counts counts = {.iterations = 300,
                                           .warmup_iterations = 20,
                                           .sample_iterations = 100,
                                           .alloc_bytes = 640,
                                           .alloc_blocks = 10,
                                           .bytes = 64,
                                           .items = 2,
                                           .loop_fs = 123456,
                                           .resolution_fs = 10014000,
                                           .n = -5,
                                           .samples = 3,
                                           .processes = 1,
                                           .threads = 2,
                                           .flags = RS_BENCH_ALLOCATIONS_KNOWN | RS_BENCH_UNSETTLED | RS_BENCH_HAS_N};
    struct session_benchmark *b = session_benchmarks_add(&s->benchmarks, &counts);

    b->name = strings_add_str(&s->strings, "sort/caf\xe9");
    b->samples_ns[0] = 12.25;
    b->samples_ns[1] = 13.5;
    b->samples_ns[2] = 12.75;
    b->arrived = 3;
    b = session_benchmarks_add(&s->benchmarks, &counts);
    b->arrived = 2; /* the process was killed before the third came */
    ck_assert_uint_eq(session_benchmarks_summarize(&s->benchmarks), 1);
    ck_assert_uint_eq(s->benchmarks.count, 1);
    ck_assert_double_eq(s->benchmarks.list[0].summary.median_ns, 12.75);
}

/* A session with something in every section, odd names included. */
static struct session *rich_session(void)
{
    struct session *s = session_new(1000000000, 1700000000000);
    struct strings *strings = &s->strings;
    const int64_t cpu[2] = {1003, 1}, alloc[3] = {4096, 2, -100}, process[3] = {50000000, 1000000, 0};
    uint32_t root, child, module, frame, event;
    int32_t node;
    bool is_new;

    s->duration_ns = 2500000000;
    s->meta.argv = xcalloc(3, sizeof(string_id));
    s->meta.argc = 3;
    s->meta.argv[0] = strings_add_str(strings, "./prog");
    s->meta.argv[1] = strings_add_str(strings, "caf\xe9 \"quoted\"\n");
    s->meta.argv[2] = strings_add_str(strings, "");
    s->meta.target_binary = s->meta.argv[0];
    s->meta.stop_reason = STOP_SIGNAL;
    s->meta.exit_signal = 11;
    s->meta.tags = xcalloc(1, sizeof(string_id));
    s->meta.tags[s->meta.tag_count++] = strings_add_str(strings, "nightly");
    s->meta.labels = xcalloc(1, sizeof(*s->meta.labels));
    s->meta.labels[s->meta.label_count++] =
        (struct session_label){strings_add_str(strings, "commit"), strings_add_str(strings, "__proto__")};

    root = session_add_process(s, 4121, -1, 0);
    s->processes[root].name = strings_add_str(strings, "a ) b\xff");
    s->processes[root].cpu_ns = 1234567000;
    child = session_add_process(s, 4122, (int32_t)root, 5000000);
    s->processes[child].end_ns = 900000000;
    s->processes[child].exit_known = true;
    s->processes[child].exit_status = 256;
    session_thread(s, root, 4121, 0);
    s->threads[0].cpu_ns = 1000000;

    for (uint64_t at = 0; at < 2500; at += 10) {
        session_put_metric(s, METRIC_CPU_PCT, at * 1000000, (at + 10) * 1000000, (double)(at % 97));
        session_put_metric(s, METRIC_ANON_BYTES, at * 1000000, (at + 10) * 1000000, 1e6 + (double)at * 1000);
        session_put_metric(s, METRIC_RSS_BYTES, at * 1000000, (at + 10) * 1000000, 2e6);
    }
    session_put_counter(s, strings_add_str(strings, "queue"), 1200000000, 17.5);
    rows_add(&s->process_rows, 100000000, child, 0, process);

    module =
        calltree_module(&s->tree, strings_add_str(strings, "/bin/prog"), strings_add_str(strings, "deadbeef"), &is_new);
    s->tree.modules[module].name = strings_add_str(strings, "prog");
    frame = calltree_frame(&s->tree, module, 0x1234);
    s->tree.frames[frame].func = strings_add_str(strings, "main");
    s->tree.frames[frame].layer = LAYER_USER;
    node = calltree_child(&s->tree, CALLTREE_NO_NODE, frame);
    node = calltree_child(&s->tree, node, calltree_inlined_frame(&s->tree, module, 0x1234, 1));
    node = calltree_child(&s->tree, node,
                          calltree_named_frame(&s->tree, strings_add_str(strings, "[unsampled]"), LAYER_UNKNOWN));
    rows_add(&s->cpu_rows, 150000000, (uint32_t)node, 0, cpu);
    rows_add(&s->cpu_rows, 750000000, (uint32_t)node, ROWS_NO_KEY2, cpu);
    rows_add(&s->alloc_rows, 750000000, (uint32_t)node, 0, alloc);

    event = session_add_event(s, EVENT_MEMORY_SPIKE, 300000000, (int32_t)root);
    s->events[event].end_ns = 500000000;
    s->events[event].size_bytes = 10000000;
    s->events[event].peak = 11e6;
    s->events[event].location = strings_add_str(strings, "Memory spike: +10.0 MB");
    s->events[event].functions = xcalloc(1, sizeof(struct event_function));
    s->events[event].functions[s->events[event].function_count++] =
        (struct event_function){strings_add_str(strings, "main"), 61.25};
    s->events[event].allocations = xcalloc(1, sizeof(struct event_allocation));
    s->events[event].allocations[s->events[event].allocation_count++] =
        (struct event_allocation){node, strings_add_str(strings, "f ← main"), 9000000};

    s->allocations.measured = true;
    s->allocations.total_allocations = 12;
    s->allocations.peak_bytes = 4096;
    s->allocations.outside_peak_bytes = 70000000;
    s->allocations.outside_left_bytes = 1048576;
    s->allocations.stats = xcalloc(1, sizeof(struct alloc_stats));
    s->allocations.stats[s->allocations.stats_count++] = (struct alloc_stats){.node = node, .count = 12, .bytes = 4096};
    s->allocations.leaks = xcalloc(1, sizeof(struct leak));
    s->allocations.leaks[s->allocations.leak_count++] = (struct leak){.node = node, .bytes = 64, .count = 1};
    s->functions = xcalloc(1, sizeof(struct function));
    s->functions[s->function_count++] = (struct function){.name = strings_add_str(strings, "main"),
                                                          .self_pct = 99.125,
                                                          .layer = LAYER_USER,
                                                          .source = FUNCTION_BOTH,
                                                          .figures = {.calls = 3, .mean_ns = 12.5},
                                                          .alloc_count = 12};
    add_benchmark(s);
    session_warn(s, "nothing is wrong (do nothing)");
    session_count_stop(s, "end of stack", 7);
    session_count_folded(s, "nodes", 2);
    return s;
}

START_TEST(what_is_written_reads_back_to_the_same_text)
{
    struct session *s = rich_session(), *again;
    struct text first = written(s), second;
    struct rs_err err = {""};

    again = session_read(first.bytes, first.len, &err);
    ck_assert_msg(again != NULL, "%s", err.text);
    second = written(again);
    for (size_t i = 0; i < first.len; i++) /* ck_assert_str_eq cannot print texts of this size */
        ck_assert_msg(first.bytes[i] == second.bytes[i], "at byte %zu: %.60s | %.60s", i,
                      first.bytes + (i < 20 ? 0 : i - 20), second.bytes + (i < 20 ? 0 : i - 20));
    ck_assert_uint_eq(first.len, second.len);
    ck_assert_str_eq(strings_get(&again->strings, again->meta.argv[1]), "caf\xe9 \"quoted\"\n");
    ck_assert_str_eq(strings_get(&again->strings, again->processes[0].name), "a ) b\xff");
    free(first.bytes);
    free(second.bytes);
    session_free(s);
    session_free(again);
}
END_TEST

START_TEST(every_truncation_is_refused_with_a_sentence)
{
    struct session *s = rich_session();
    struct text text = written(s);
    size_t whole = text.len - 2; /* up to the closing brace */

    for (size_t len = 0; len < whole; len++) {
        struct rs_err err = {""};
        struct session *cut = session_read(text.bytes, len, &err);

        ck_assert_msg(cut == NULL, "%zu of %zu bytes were taken for a session", len, whole);
        ck_assert_uint_gt(strlen(err.text), 10);
    }
    free(text.bytes);
    session_free(s);
}
END_TEST

/* Replaces the first FROM by TO (of any length) and expects a refusal that names WHY. */
static void refuses(const struct text *text, const char *from, const char *to, const char *why)
{
    char *at = strstr(text->bytes, from);
    struct rs_err err = {""};
    struct session *s;
    char *changed;

    ck_assert_msg(at != NULL, "%s is not in the text", from);
    changed = xasprintf("%.*s%s%s", (int)(at - text->bytes), text->bytes, to, at + strlen(from));
    s = session_read(changed, strlen(changed), &err);
    ck_assert_msg(s == NULL, "%s → %s was accepted", from, to);
    ck_assert_msg(strstr(err.text, why) != NULL, "%s → %s: %s", from, to, err.text);
    free(changed);
}

START_TEST(indices_that_point_nowhere_are_refused)
{
    struct session *s = rich_session();
    struct text text = written(s);

    refuses(&text, "\"schema_version\":4", "\"schema_version\":5", "newer");
    refuses(&text, "\"schema_version\":4", "\"schema_version\":3", "older");
    refuses(&text, "\"schema_version\":4", "\"schema_version\":\"4\"", "not a RustScope session");
    refuses(&text, "\"parent\":[-1,0,1]", "\"parent\":[-1,1,1]", "nodes");
    refuses(&text, "\"parent\":[-1,0,1]", "\"parent\":[-1,0]", "nodes");
    refuses(&text, "\"parent\":[-1,0,1]", "\"parent\":[-1,0,1e400]", "nodes");
    refuses(&text, "\"frame\":[0,1,2]", "\"frame\":[0,1,3]", "nodes");
    refuses(&text, "\"object\":[0,0,-1]", "\"object\":[0,1,-1]", "frames");
    refuses(&text, "\"node\":[2,2]", "\"node\":[2,9]", "cpu");
    refuses(&text, "\"weight_us\":[1003,1003]", "\"weight_us\":[1003]", "cpu");
    refuses(&text, "\"duration_sec\":2.5", "\"duration_sec\":-2.5", "meta");
    refuses(&text, "\"parent\":0,\"argv\"", "\"parent\":7,\"argv\"", "processes");
    free(text.bytes);
    session_free(s);
}
END_TEST

START_TEST(foreign_and_hostile_texts_are_refused)
{
    static const char *const texts[] = {"",      " ",      "null",         "[]",           "{",
                                        "{}",    "\x1f",   "{\"a\":1}",    "{\"a\" 1}",    "hello",
                                        "[1,2]", "{]",     "{\"meta\":{}", "{\"x\":\"\\",  "{\"a\":1}trailing",
                                        "{,}",   "{\"a\"", "\"\\ud800\"",  "{\"a\":\x01}", "}"};
    struct rs_err err;
    char *deep;

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        ck_assert_msg(session_read(texts[i], strlen(texts[i]), &err) == NULL, "%s", texts[i]);
    deep = xmalloc(1000001);
    memset(deep, '[', 1000000);
    deep[1000000] = '\0';
    ck_assert(session_read(deep, 1000000, &err) == NULL);
    free(deep);
}
END_TEST

SUITE("session_json", what_is_written_reads_back_to_the_same_text, every_truncation_is_refused_with_a_sentence,
      indices_that_point_nowhere_are_refused, foreign_and_hostile_texts_are_refused)
