/* SPDX-License-Identifier: MIT */
#include "analyze/functions.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "suite.h"

static const uint64_t MS = 1000000;
static const struct time_window always = {0, UINT64_MAX};
static struct session *s;

static void set_up(void)
{
    s = session_new(0, 1000);
}

/* A frame of function NAME in CRATE at its own address. */
static uint32_t code(const char *name, const char *crate, enum layer layer)
{
    static uint64_t addr = 0x1000;
    uint32_t module = calltree_module(&s->tree, strings_add_str(&s->strings, crate), 0, NULL), index;
    struct frame *frame;

    s->tree.modules[module].name = strings_add_str(&s->strings, crate);
    index = calltree_frame(&s->tree, module, addr += 16);
    frame = &s->tree.frames[index];
    frame->func = strings_add_str(&s->strings, name);
    frame->crate = strings_add_str(&s->strings, crate);
    frame->file = strings_add_str(&s->strings, "/src/a.c");
    frame->line = (uint32_t)addr;
    frame->layer = layer;
    return index;
}

static int32_t user(int32_t parent, const char *name)
{
    return calltree_child(&s->tree, parent, code(name, "app", LAYER_USER));
}

static void sample(int32_t node, uint64_t at_ms, int64_t us)
{
    const int64_t values[ROWS_MAX_VALUES] = {us, 1};

    rows_add(&s->cpu_rows, at_ms * MS, (uint32_t)node, 0, values);
}

static const struct function *function(const char *name)
{
    for (size_t i = 0; i < s->function_count; i++)
        if (!strcmp(strings_get(&s->strings, s->functions[i].name), name))
            return &s->functions[i];
    return NULL;
}

static double self_sum(void)
{
    double sum = 0;

    for (size_t i = 0; i < s->function_count; i++)
        sum += s->functions[i].self_pct;
    return sum;
}

START_TEST(self_adds_up_to_a_hundred_and_total_holds_what_is_called)
{
    int32_t main_node, a, b;

    set_up();
    main_node = user(-1, "main");
    a = user(main_node, "a");
    b = user(a, "b");
    sample(main_node, 0, 100);
    sample(a, 0, 300);
    sample(b, 150, 600);
    functions_compute(s, &always);
    ck_assert_uint_eq(s->function_count, 3);
    ck_assert_double_eq_tol(self_sum(), 100, 1e-9);
    ck_assert_str_eq(strings_get(&s->strings, s->functions[0].name), "b");
    ck_assert_double_eq_tol(function("b")->self_pct, 60, 1e-9);
    ck_assert_double_eq_tol(function("a")->self_pct, 30, 1e-9);
    ck_assert_double_eq_tol(function("a")->total_pct, 90, 1e-9);
    ck_assert_double_eq_tol(function("main")->total_pct, 100, 1e-9);
    ck_assert_uint_eq(function("main")->total_samples, 3);
    ck_assert_uint_eq(function("a")->self_us, 300);
    session_free(s);
}
END_TEST

START_TEST(recursion_counts_once_in_totals)
{
    uint32_t even, odd;
    int32_t node;

    set_up();
    node = user(-1, "main");
    even = code("even", "app", LAYER_USER);
    odd = code("odd", "app", LAYER_USER);
    for (int i = 0; i < 1000; i++) {
        node = calltree_child(&s->tree, node, i % 2 ? odd : even);
        sample(node, 0, 10);
    }
    functions_compute(s, &always);
    ck_assert_double_eq_tol(function("even")->total_pct, 100, 1e-9);
    ck_assert_double_eq_tol(function("odd")->total_pct, 99.9, 1e-6);
    ck_assert_double_eq_tol(function("even")->self_pct, 50, 1e-9);
    ck_assert_uint_eq(function("even")->figures.max_depth, 500);
    ck_assert_double_eq_tol(s->crate_rollups[0].total_pct, 100, 1e-9);
    session_free(s);
}
END_TEST

START_TEST(frames_of_one_function_are_one_and_its_hottest_line_stands_for_it)
{
    int32_t main_node;
    uint32_t cool, hot, other;

    set_up();
    main_node = user(-1, "main");
    cool = code("work", "app", LAYER_USER);
    hot = code("work", "app", LAYER_USER);
    other = code("work", "libother.so", LAYER_DEP);
    sample(calltree_child(&s->tree, main_node, cool), 0, 100);
    sample(calltree_child(&s->tree, main_node, hot), 0, 200);
    sample(calltree_child(&s->tree, main_node, other), 0, 700);
    functions_compute(s, &always);
    ck_assert_uint_eq(s->function_count, 3);
    ck_assert_str_eq(strings_get(&s->strings, s->functions[0].module), "libother.so");
    ck_assert_uint_eq(s->functions[1].self_us, 300);
    ck_assert_uint_eq(s->functions[1].line, s->tree.frames[hot].line);
    session_free(s);
}
END_TEST

/* The hook's own time is ours, and libc's and the kernel's for it; the allocator that it calls on to is not. */
START_TEST(the_profilers_time_is_out_of_every_percentage)
{
    int32_t main_node, hook, kernel, real, copy;

    set_up();
    main_node = user(-1, "main");
    hook = calltree_child(&s->tree, main_node, code("hook", "librustscope_shim.so", LAYER_PROFILER));
    copy = calltree_child(&s->tree, hook, code("memcpy", "libc.so.6", LAYER_STD));
    kernel = calltree_child(&s->tree, copy, code("write", "[kernel]", LAYER_KERNEL));
    real = calltree_child(&s->tree, hook, code("malloc", "libc.so.6", LAYER_ALLOC));
    sample(main_node, 0, 600);
    sample(hook, 0, 50);
    sample(copy, 0, 30);
    sample(kernel, 0, 20);
    sample(real, 0, 300);
    functions_compute(s, &always);
    ck_assert_double_eq_tol(s->diagnostics.overhead_pct, 10, 1e-9);
    ck_assert_double_eq_tol(self_sum(), 100, 1e-9);
    ck_assert_double_eq_tol(function("malloc")->self_pct, 100.0 / 3, 1e-9);
    ck_assert_double_eq_tol(function("main")->total_pct, 100, 1e-9);
    ck_assert_double_eq(function("hook")->self_pct, 0);
    ck_assert_ptr_null(function("write"));
    session_free(s);
}
END_TEST

START_TEST(a_window_counts_only_what_lies_in_it)
{
    struct time_window window = {200 * MS, 400 * MS};
    struct top_function top[4];
    int32_t a, b;

    set_up();
    a = user(-1, "a");
    b = user(-1, "b");
    sample(a, 0, 1000);
    sample(b, 200, 300);
    sample(a, 300, 100);
    sample(a, 400, 1000);
    functions_compute(s, &window);
    ck_assert_double_eq_tol(function("b")->self_pct, 75, 1e-9);
    ck_assert(isnan(s->diagnostics.overhead_pct));
    ck_assert_uint_eq(functions_top(s, &window, top, 4), 2);
    ck_assert_str_eq(strings_get(&s->strings, top[0].name), "b");
    ck_assert_double_eq_tol(top[0].self_pct, 75, 1e-9);
    ck_assert_uint_eq(functions_top(s, &window, top, 1), 1);
    ck_assert_uint_eq(functions_top(s, &(struct time_window){900 * MS, 950 * MS}, top, 4), 0);
    rows_compact(&s->cpu_rows); /* sorted or not makes no difference */
    ck_assert_uint_eq(functions_top(s, &window, top, 4), 2);
    ck_assert_uint_eq(top[0].self_us, 300);
    session_free(s);
}
END_TEST

START_TEST(a_spike_of_one_process_names_what_ran_in_it)
{
    uint32_t first, second;
    int32_t a, b;

    set_up();
    a = user(-1, "a");
    b = user(-1, "b");
    first = session_add_process(s, 10, -1, 0);
    second = session_add_process(s, 11, 0, 0);
    rows_add(&s->cpu_rows, 50 * MS, (uint32_t)a, session_thread(s, first, 10, 0), (int64_t[]){1000, 1});
    rows_add(&s->cpu_rows, 50 * MS, (uint32_t)b, session_thread(s, second, 11, 0), (int64_t[]){9000, 9});
    session_add_event(s, EVENT_MEMORY_SPIKE, 0, (int32_t)first);
    session_add_event(s, EVENT_CPU_SPIKE, 0, -1);
    s->events[0].end_ns = s->events[1].end_ns = 200 * MS;
    functions_compute(s, &always);
    hotspots_compute(s);
    ck_assert_uint_eq(s->events[0].function_count, 1);
    ck_assert_str_eq(strings_get(&s->strings, s->events[0].functions[0].name), "a");
    ck_assert_uint_eq(s->events[1].function_count, 2);
    session_free(s);
}
END_TEST

START_TEST(events_and_seconds_get_their_top_functions)
{
    int32_t a, b;

    set_up();
    a = user(-1, "a");
    b = user(-1, "b");
    for (uint64_t at = 0; at < 3000; at += 10)
        sample(at / 1000 == 1 ? b : a, at, 10000);
    session_add_event(s, EVENT_CPU_SPIKE, 1000 * MS, -1);
    session_add_event(s, EVENT_MARK, 1000 * MS, -1);
    s->events[0].end_ns = 1500 * MS;
    s->events[1].end_ns = 1000 * MS;
    functions_compute(s, &always);
    hotspots_compute(s);
    ck_assert_uint_eq(s->events[0].function_count, 1);
    ck_assert_str_eq(strings_get(&s->strings, s->events[0].functions[0].name), "b");
    ck_assert_double_eq_tol(s->events[0].functions[0].pct, 100, 1e-9);
    ck_assert_uint_eq(s->events[1].function_count, 0);
    ck_assert_uint_eq(s->hotspot_count, 3);
    ck_assert_str_eq(strings_get(&s->strings, s->hotspots[0].functions[0].name), "a");
    ck_assert_str_eq(strings_get(&s->strings, s->hotspots[1].functions[0].name), "b");
    ck_assert_str_eq(strings_get(&s->strings, s->hotspots[1].crates[0].name), "app");
    hotspots_compute(s); /* again, as after a checkpoint */
    ck_assert_uint_eq(s->hotspot_count, 3);
    session_free(s);
}
END_TEST

START_TEST(long_sessions_keep_to_six_hundred_snapshots)
{
    int32_t a;

    set_up();
    a = user(-1, "a");
    for (uint64_t second = 0; second < 5000; second += 2)
        sample(a, second * 1000, 100);
    hotspots_compute(s);
    ck_assert_uint_le(s->hotspot_count, MAX_HOTSPOTS);
    ck_assert_uint_ge(s->hotspot_count, MAX_HOTSPOTS / 2);
    session_free(s);
}
END_TEST

START_TEST(rollups_count_their_functions_and_allocations)
{
    int32_t main_node, lib;
    struct alloc_stats *stats = calloc(2, sizeof(*stats));

    set_up();
    main_node = user(-1, "main");
    lib = calltree_child(&s->tree, main_node, code("parse", "libparse.so", LAYER_DEP));
    sample(main_node, 0, 250);
    sample(lib, 0, 750);
    stats[0] = (struct alloc_stats){.node = main_node, .count = 1, .bytes = 10};
    stats[1] = (struct alloc_stats){.node = lib, .count = 2, .bytes = 90, .leaked_bytes = 5};
    s->allocations.stats = stats;
    s->allocations.stats_count = 2;
    functions_compute(s, &always);
    ck_assert_uint_eq(s->module_rollup_count, 2);
    ck_assert_str_eq(strings_get(&s->strings, s->module_rollups[0].name), "libparse.so");
    ck_assert_double_eq_tol(s->module_rollups[0].self_pct, 75, 1e-9);
    ck_assert_uint_eq(s->module_rollups[0].alloc_bytes, 90);
    ck_assert_uint_eq(s->crate_rollups[1].alloc_bytes, 100);
    ck_assert_uint_eq(s->crate_rollups[1].function_count, 1);
    ck_assert_uint_eq(function("main")->alloc_bytes, 100);
    ck_assert_uint_eq(function("main")->leaked_bytes, 5);
    ck_assert_uint_eq(function("parse")->alloc_count, 2);
    session_free(s);
}
END_TEST

START_TEST(instrumented_functions_stay_and_join_their_sampled_half)
{
    int32_t main_node;
    struct function *own = calloc(2, sizeof(*own));

    set_up();
    main_node = user(-1, "main");
    sample(main_node, 0, 250);
    own[0] = (struct function){.name = strings_add_str(&s->strings, "main"),
                               .source = FUNCTION_INSTRUMENTED,
                               .figures = {.calls = 7, .mean_ns = 3}};
    own[1] = (struct function){
        .name = strings_add_str(&s->strings, "scope"), .source = FUNCTION_INSTRUMENTED, .figures = {.calls = 9}};
    s->functions = own;
    s->function_count = 2;
    for (int again = 0; again < 2; again++) {
        functions_compute(s, &always);
        ck_assert_uint_eq(s->function_count, 2);
        ck_assert_int_eq(function("main")->source, FUNCTION_BOTH);
        ck_assert_uint_eq(function("main")->figures.calls, 7);
        ck_assert_double_eq(function("main")->self_pct, 100);
        ck_assert_int_eq(function("scope")->source, FUNCTION_INSTRUMENTED);
    }
    session_free(s);
}
END_TEST

START_TEST(cpp_names_join_their_symbols)
{
    static const struct {
        const char *name, *symbol;
        bool same;
    } cases[] = {
        {"work", "work(int, char const*)", true},
        {"shop::cart::add", "shop::cart::add(std::string const&) const", true},
        {"shop::add", "int shop::add<int>(int, char const*)", true},
        {"shop::cart<T>::add", "shop::cart<int>::add(int)", false}, /* whose is it? T may be anything */
        {"{anonymous}::work", "(anonymous namespace)::work(int)", true},
        {"work", "work", true},
        {"work", "shop::work(int)", false},
        {"work", "working(int)", false},
        {"work", "run(work(*)(int))", false},
        {"work", "std::vector<work(int)>::size()", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct function *own = calloc(1, sizeof(*own));

        set_up();
        sample(user(-1, cases[i].symbol), 0, 250);
        own->name = strings_add_str(&s->strings, cases[i].name);
        own->source = FUNCTION_INSTRUMENTED;
        own->figures.calls = 200;
        s->functions = own;
        s->function_count = 1;
        for (int again = 0; again < 2; again++) {
            functions_compute(s, &always);
            ck_assert_msg(s->function_count == (cases[i].same ? 1 : 2), "%s and %s", cases[i].name, cases[i].symbol);
            ck_assert_int_eq(function(cases[i].symbol)->source, cases[i].same ? FUNCTION_BOTH : FUNCTION_SAMPLED);
        }
        session_free(s);
    }
}
END_TEST

START_TEST(of_overloads_the_one_whose_top_the_scope_is_at_is_joined)
{
    struct function *own = calloc(2, sizeof(*own));
    uint32_t first = 0, second = 0;

    set_up();
    sample(user(-1, "work(int)"), 0, 100);
    sample(user(-1, "work(double)"), 0, 200);
    first = s->tree.frames[0].line;
    second = s->tree.frames[1].line;
    for (int i = 0; i < 2; i++)
        own[i] = (struct function){.name = strings_add_str(&s->strings, "work"),
                                   .file = strings_add_str(&s->strings, "a.c"),
                                   .line = (i ? second : first) - 2,
                                   .source = FUNCTION_INSTRUMENTED,
                                   .figures.calls = i ? 22 : 11};
    s->functions = own;
    s->function_count = 2;
    functions_compute(s, &always);
    ck_assert_uint_eq(s->function_count, 2);
    ck_assert_uint_eq(function("work(int)")->figures.calls, 11);
    ck_assert_uint_eq(function("work(double)")->figures.calls, 22);
    session_free(s);
}
END_TEST

START_TEST(rust_names_of_generic_functions_join_their_symbols)
{
    static const struct {
        const char *name, *symbol;
        bool same;
    } cases[] = {
        {"shop::Shelf<_>::weigh", "shop::Shelf<T>::weigh", true},
        {"shop::Map<_, _>::get", "shop::Map<K,V>::get", true},
        {"shop::Map<_,_>::get", "shop::Map<(A,B),fn() -> V>::get", true},
        {"<shop::Shelf<_> as shop::Sorted>::sorted", "<shop::Shelf<T> as shop::Sorted>::sorted", true},
        {"<&_ as shop::Sorted>::sorted", "<&T as shop::Sorted>::sorted", true},
        {"shop::Shelf<_>::weigh", "shop::Shelf<T>::weight", false},
        {"shop::Shelf<_>::weigh", "shop::Shelf<T,A>::weigh", false},
        {"shop::Shelf<_>::weigh", "shop::Shelf", false},
        {"shop::_>::weigh", "shop::T>::weigh", false},
        {"a<_>", "a<b<c>,", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct function *own = calloc(1, sizeof(*own));

        set_up();
        sample(user(-1, cases[i].symbol), 0, 250);
        own->name = strings_add_str(&s->strings, cases[i].name);
        own->source = FUNCTION_INSTRUMENTED;
        own->figures.calls = 7;
        s->functions = own;
        s->function_count = 1;
        functions_compute(s, &always);
        ck_assert_msg(s->function_count == (cases[i].same ? 1 : 2), "%s and %s", cases[i].name, cases[i].symbol);
        ck_assert_int_eq(function(cases[i].symbol)->source, cases[i].same ? FUNCTION_BOTH : FUNCTION_SAMPLED);
        session_free(s);
    }
}
END_TEST

START_TEST(a_session_without_samples_has_no_functions)
{
    set_up();
    functions_compute(s, &always);
    hotspots_compute(s);
    ck_assert_uint_eq(s->function_count, 0);
    ck_assert_uint_eq(s->hotspot_count, 0);
    ck_assert(isnan(s->diagnostics.overhead_pct));
    session_free(s);
}
END_TEST

START_TEST(functions_beyond_the_bound_are_counted)
{
    set_up();
    for (int i = 0; i < MAX_FUNCTIONS + 10; i++) {
        char name[32];

        snprintf(name, sizeof(name), "f%d", i);
        sample(user(-1, name), 0, i + 1);
    }
    functions_compute(s, &always);
    ck_assert_uint_eq(s->function_count, MAX_FUNCTIONS);
    ck_assert_uint_eq(s->diagnostics.folded_count, 1);
    ck_assert_uint_eq(s->diagnostics.folded[0].count, 10);
    ck_assert_ptr_null(function("f9"));
    ck_assert_ptr_nonnull(function("f10"));
    session_free(s);
}
END_TEST

START_TEST(windows_are_seconds_or_marks)
{
    struct time_window window;
    struct rs_err err;
    uint32_t mark;

    set_up();
    mark = session_add_event(s, EVENT_MARK, 2500 * MS, -1);
    s->events[mark].location = strings_add_str(&s->strings, "warm");
    ck_assert_int_eq(time_window_parse(s, "1..2.5", &window, &err), 0);
    ck_assert_uint_eq(window.from_ns, 1000 * MS);
    ck_assert_uint_eq(window.to_ns, 2500 * MS);
    ck_assert_int_eq(time_window_parse(s, "warm..", &window, &err), 0);
    ck_assert_uint_eq(window.from_ns, 2500 * MS);
    ck_assert_uint_eq(window.to_ns, UINT64_MAX);
    ck_assert_int_eq(time_window_parse(s, "..warm", &window, &err), 0);
    ck_assert_uint_eq(window.from_ns, 0);
    ck_assert_int_lt(time_window_parse(s, "2..1", &window, &err), 0);
    ck_assert_int_lt(time_window_parse(s, "cold..", &window, &err), 0);
    ck_assert(strstr(err.text, "cold"));
    ck_assert_int_lt(time_window_parse(s, "nan..1", &window, &err), 0);
    ck_assert_int_lt(time_window_parse(s, "-1..1", &window, &err), 0);
    ck_assert_int_lt(time_window_parse(s, "5", &window, &err), 0);
    session_free(s);
}
END_TEST

SUITE("functions", self_adds_up_to_a_hundred_and_total_holds_what_is_called, recursion_counts_once_in_totals,
      frames_of_one_function_are_one_and_its_hottest_line_stands_for_it, the_profilers_time_is_out_of_every_percentage,
      a_window_counts_only_what_lies_in_it, a_spike_of_one_process_names_what_ran_in_it,
      events_and_seconds_get_their_top_functions, long_sessions_keep_to_six_hundred_snapshots,
      rollups_count_their_functions_and_allocations, instrumented_functions_stay_and_join_their_sampled_half,
      cpp_names_join_their_symbols, of_overloads_the_one_whose_top_the_scope_is_at_is_joined,
      rust_names_of_generic_functions_join_their_symbols, a_session_without_samples_has_no_functions,
      functions_beyond_the_bound_are_counted, windows_are_seconds_or_marks)
