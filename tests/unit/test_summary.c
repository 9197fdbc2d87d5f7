/* SPDX-License-Identifier: MIT */
#include "report/summary.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "session/totals.h"
#include "suite.h"

static const uint64_t SECOND = 1000000000;

static void add_function(struct session *s, size_t i, const char *name, const char *file, unsigned line, double self,
                         double total)
{
    s->functions[i] = (struct function){.name = strings_add_str(&s->strings, name),
                                        .module = strings_add_str(&s->strings, "redis-server"),
                                        .file = strings_add_str(&s->strings, file),
                                        .line = line,
                                        .layer = LAYER_USER,
                                        .self_pct = self,
                                        .total_pct = total};
}

static struct session_event *add_event(struct session *s, enum event_type type, uint64_t start_ns)
{
    uint32_t index = session_add_event(s, type, start_ns, 0);

    return &s->events[index];
}

static void add_events(struct session *s)
{
    struct session_event *event = add_event(s, EVENT_MEMORY_SPIKE, 3100 * SECOND / 1000);

    event->end_ns = event->start_ns + 240 * SECOND / 1000;
    event->size_bytes = 10000000;
    event->allocations = xcalloc(1, sizeof(*event->allocations));
    event->allocation_count = 1;
    event->allocations[0] =
        (struct event_allocation){-1, strings_add_str(&s->strings, "createObject ← setCommand ← call"), 8900000};
    event = add_event(s, EVENT_CPU_SPIKE, 7800 * SECOND / 1000);
    event->end_ns = event->start_ns + 1900 * SECOND / 1000;
    event->peak = 98;
    event->functions = xcalloc(2, sizeof(*event->functions));
    event->function_count = 2;
    event->functions[0] = (struct event_function){strings_add_str(&s->strings, "zmalloc_usable"), 31};
    event->functions[1] = (struct event_function){strings_add_str(&s->strings, "dictResize"), 22};
    session_add_event(s, EVENT_MARK, 5 * SECOND, -1);
}

static void add_allocations(struct session *s)
{
    const char *const names[] = {"main", "call", "setCommand", "createObject", "malloc"};
    int32_t node = CALLTREE_NO_NODE;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        node = calltree_child(
            &s->tree, node,
            calltree_named_frame(&s->tree, strings_add_str(&s->strings, names[i]), i == 4 ? LAYER_ALLOC : LAYER_USER));
    s->allocations.measured = true;
    s->allocations.total_allocations = 5310000;
    s->allocations.total_bytes = 412000000;
    s->allocations.temporary = 3770000;
    s->allocations.peak_bytes = 57000000;
    s->allocations.outside_peak_bytes = 21000000;
    s->allocations.outside_left_bytes = 65536;
    s->allocations.peak_at_ns = 11200 * SECOND / 1000;
    s->allocations.stats = xcalloc(1, sizeof(*s->allocations.stats));
    s->allocations.stats_count = 1;
    s->allocations.stats[0] = (struct alloc_stats){.node = node, .peak_bytes = 31000000};
}

static void add_benchmark(struct session *s, const char *name, uint64_t bytes, uint64_t blocks, double ns)
{
    const struct rs_bench_counts counts = {.iterations = 300,
                                           .sample_iterations = 100,
                                           .bytes = bytes,
                                           .alloc_blocks = blocks,
                                           .samples = 3,
                                           .processes = 1,
                                           .threads = 1,
                                           .flags = RS_BENCH_ALLOCATIONS_KNOWN};
    struct session_benchmark *b = session_benchmarks_add(&s->benchmarks, &counts);

    b->name = strings_add_str(&s->strings, name);
    for (int i = 0; i < 3; i++)
        b->samples_ns[i] = ns * (1 + 0.01 * i);
    b->arrived = 3;
}

static void add_scope(struct session *s, struct function *f, const char *name, uint64_t calls, double mean_ns)
{
    *f = (struct function){.name = strings_add_str(&s->strings, name),
                           .layer = LAYER_USER,
                           .source = FUNCTION_INSTRUMENTED,
                           .figures = {.calls = calls,
                                       .timed_calls = mean_ns > 0 ? calls : 0,
                                       .total_ns = mean_ns * (double)calls,
                                       .mean_ns = mean_ns,
                                       .p99_ns = 3 * mean_ns,
                                       .max_ns = 20 * mean_ns}};
}

/* What an instrumented program has besides. */
static void add_scopes(struct session *s)
{
    struct session_scopes *scopes = &s->scopes;

    s->functions = xrealloc(s->functions, (s->function_count + 3) * sizeof(*s->functions));
    add_scope(s, &s->functions[s->function_count++], "parse the header of a request that came in", 12000, 1500);
    add_scope(s, &s->functions[s->function_count++], "request", 12000, 250000);
    s->functions[s->function_count - 1].figures.outlier_count = 130; /* of which the worst are kept */
    add_scope(s, &s->functions[s->function_count++], "counted only", 5, 0);
    scopes->violations = xcalloc(1, sizeof(*scopes->violations));
    scopes->violation_count = 1;
    scopes->violations[0] = (struct scope_violation){.name = strings_add_str(&s->strings, "request"),
                                                     .budget_ns = 2000000,
                                                     .count = 12,
                                                     .worst = {.end_ns = 7800 * SECOND / 1000, .took_ns = 5000000}};
    scopes->outliers = xcalloc(2, sizeof(*scopes->outliers));
    scopes->outlier_count = 2;
    scopes->outliers[0] = (struct scope_outlier){.name = strings_add_str(&s->strings, "request"),
                                                 .call = {.end_ns = SECOND, .took_ns = 900000, .sigmas = 4}};
    scopes->outliers[1] =
        (struct scope_outlier){.name = strings_add_str(&s->strings, "request"),
                               .call = {.end_ns = 7800 * SECOND / 1000, .took_ns = 5000000, .sigmas = 23.4}};
    scopes->tasks = xcalloc(1, sizeof(*scopes->tasks));
    scopes->task_count = 1;
    scopes->tasks[0] = (struct scope_task){.name = strings_add_str(&s->strings, "download"),
                                           .figures = {.started = 3,
                                                       .completed = 3,
                                                       .polls = 42,
                                                       .busy_ns = 30000000,
                                                       .idle_ns = 2 * SECOND,
                                                       .scheduled_ns = 500000,
                                                       .max_poll_ns = 4200000}};
}

/* A run with everything in it, the same every time. */
static struct session *sample_session(void)
{
    struct session *s = session_new(0, 1700000000000);
    uint32_t process = session_add_process(s, 4121, -1, 0);

    s->meta.argc = 2;
    s->meta.argv = xcalloc(2, sizeof(*s->meta.argv));
    s->meta.argv[0] = strings_add_str(&s->strings, "/usr/bin/redis-server");
    s->meta.argv[1] = strings_add_str(&s->strings, "*:6379");
    s->meta.exit_code = 0;
    s->meta.stack_rate_hz = 997;
    s->duration_ns = 14200 * SECOND / 1000;
    s->processes[process].cpu_ns = 8700 * SECOND / 1000;
    for (int i = 0; i < 5; i++)
        session_thread(s, process, 4121 + i, 0);
    for (uint64_t at = 0; at < s->duration_ns; at += SECOND / 10) {
        uint64_t to = at + SECOND / 10;

        session_put_metric(s, METRIC_CPU_PCT, at, to, at < 4 * SECOND ? 30 : at < 8 * SECOND ? 98 : 55);
        session_put_metric(s, METRIC_HEAP_BYTES, at, to, 20e6 + (double)at / 1e9 * 2.6e6);
        session_put_metric(s, METRIC_THREADS, at, to, 5);
        session_put_metric(s, METRIC_OPEN_FDS, at, to, at < 3 * SECOND ? 12 : 31);
        session_put_cpu_peak(s, at, 98);
    }
    add_events(s);
    add_allocations(s);
    add_benchmark(s, "hash of a line", 43, 0, 25.6);
    add_benchmark(s, "sort/1024", 0, 600, 57900);
    session_benchmarks_summarize(&s->benchmarks);
    s->functions = xcalloc(12, sizeof(*s->functions));
    s->function_count = 12;
    add_function(s, 0, "dictResize", "src/dict.c", 212, 31.4, 34);
    add_function(s, 1, "zmalloc_usable", "src/zmalloc.c", 118, 12.7, 12.9);
    add_function(s, 2, "core::iter::traits::iterator::Iterator::fold<very, long, generic, arguments>", "", 0, 9, 9);
    for (size_t i = 3; i < 12; i++)
        add_function(s, i, "smaller", "a.c", 7, 2, 4);
    add_scopes(s);
    s->diagnostics.stack_samples = 8671;
    session_warn(s, "Kernel frames are missing: kernel.perf_event_paranoid is 2. To see them: sudo sysctl "
                    "kernel.perf_event_paranoid=1");
    return s;
}

static char *page_text(const struct session *s, const struct summary_options *options)
{
    size_t len = 0;
    char *text = NULL;
    FILE *f = open_memstream(&text, &len);

    summary_print(f, s, options);
    fclose(f);
    return text;
}

static void compare_golden(const char *text, const char *name)
{
    char path[512], *golden = calloc(1, 1 << 16);
    size_t len;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", TEST_GOLDEN_DIR, name);
    if (getenv("UPDATE_GOLDEN")) {
        f = fopen(path, "we");
        ck_assert_ptr_nonnull(f);
        fputs(text, f);
        fclose(f);
    }
    f = fopen(path, "re");
    ck_assert_msg(f != NULL, "no %s", path);
    len = fread(golden, 1, (1 << 16) - 1, f);
    golden[len] = '\0';
    fclose(f);
    ck_assert_msg(!strcmp(golden, text), "%s differs; got:\n%s", name, text);
    free(golden);
}

START_TEST(golden_pages)
{
    static const struct {
        const char *name;
        struct summary_options options;
    } pages[] = {
        {"summary_100.txt",
         {.cols = 100, .charset = CHARSET_UTF8, .path = "rustscope-last.json", .path_bytes = 412000}},
        {"summary_60.txt", {.cols = 60, .charset = CHARSET_UTF8, .path = "rustscope-last.json", .path_bytes = 412000}},
        {"summary_80_ascii.txt", {.cols = 80, .charset = CHARSET_ASCII, .path = "a.json", .path_bytes = 412000}},
        {"summary_window.txt",
         {.cols = 80, .charset = CHARSET_UTF8, .window = true, .from_ns = 2000000000, .to_ns = 4000000000}},
    };
    struct session *s = sample_session();

    for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
        char *text = page_text(s, &pages[i].options);

        compare_golden(text, pages[i].name);
        free(text);
    }
    session_free(s);
}
END_TEST

START_TEST(no_line_is_wider_than_the_page)
{
    struct session *s = sample_session();

    for (int cols = 1; cols <= 220; cols++) {
        struct summary_options options = {.cols = cols,
                                          .charset = CHARSET_UTF8,
                                          .path = "a/very/long/path/to/some/where/deep/in/a/tree/rustscope-last.json",
                                          .path_bytes = 1};
        int most = cols < 60 ? 60 : cols > 200 ? 200 : cols;
        char *text = page_text(s, &options), *rest = text;

        for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
            ck_assert_msg(fmt_cols(line, CHARSET_UTF8) <= most, "%d columns at %d: %s", fmt_cols(line, CHARSET_UTF8),
                          cols, line);
        free(text);
    }
    session_free(s);
}
END_TEST

START_TEST(colour_is_only_there_when_asked_for)
{
    struct session *s = sample_session();
    struct summary_options options = {.cols = 80, .charset = CHARSET_UTF8};
    char *plain = page_text(s, &options), *coloured;

    ck_assert_ptr_null(strchr(plain, 0x1b));
    options.colour = true;
    coloured = page_text(s, &options);
    ck_assert_ptr_nonnull(strstr(coloured, "\x1b[1;31m"));
    free(plain);
    free(coloured);
    session_free(s);
}
END_TEST

/* A path of one frame of LAYER under PARENT. */
static int32_t child_of(struct session *s, int32_t parent, const char *name, enum layer layer)
{
    return session_named_child(s, parent, name, layer);
}

START_TEST(the_five_functions_that_held_most_at_the_peak_are_shown)
{
    struct session *s = sample_session();
    struct summary_options options = {.cols = 80, .charset = CHARSET_UTF8};
    char *text, name[] = "holder0";

    s->allocations.stats_count = 7;
    s->allocations.stats = xrealloc(s->allocations.stats, 7 * sizeof(*s->allocations.stats));
    for (uint32_t i = 0; i < 7; i++) {
        name[6] = (char)('0' + i);
        s->allocations.stats[i] = (struct alloc_stats){
            .node = child_of(s, child_of(s, -1, name, LAYER_USER), "std::vector<int>::push_back", LAYER_STD),
            .peak_bytes = 1111111 * (i + 1)};
    }
    text = page_text(s, &options);
    for (char i = '0'; i < '7'; i++) {
        name[6] = i;
        ck_assert_msg(!strstr(text, name) == (i < '2'), "%s", name);
    }
    ck_assert_ptr_nonnull(strstr(text, "7.78 MB"));
    ck_assert_ptr_null(strstr(text, "2.22 MB"));
    free(text);
    session_free(s);
}
END_TEST

START_TEST(paths_stand_for_memory_that_nobody_of_the_readers_holds)
{
    struct session *s = sample_session();
    struct summary_options options = {.cols = 80, .charset = CHARSET_UTF8};
    char *text;

    for (size_t i = 0; i < s->tree.frame_count; i++)
        s->tree.frames[i].layer = LAYER_STD;
    text = page_text(s, &options);
    ck_assert_ptr_nonnull(strstr(text, "← createObject ← setCommand ← call"));
    free(text);
    session_free(s);
}
END_TEST

static void run(struct session *s, int32_t node, int64_t us)
{
    const int64_t values[] = {us, us / 1000};

    rows_add(&s->cpu_rows, SECOND, (uint32_t)node, 0, values);
    s->diagnostics.stack_samples += (uint64_t)us / 1000;
}

/* svc::price calls a library that takes nearly all the time; a leak, and time that nobody sampled. */
static struct session *library_session(void)
{
    struct session *s = session_new(0, 0);
    int32_t root, price, exp, load, append;

    session_add_process(s, 7, -1, 0);
    s->duration_ns = 10 * SECOND;
    root = child_of(s, child_of(s, -1, "_start", LAYER_RUNTIME), "main", LAYER_USER);
    price = child_of(s, root, "svc::price(std::vector<double> const&)", LAYER_USER);
    s->tree.frames[s->tree.nodes[price].frame].file = strings_add_str(&s->strings, "/src/svc.cpp");
    s->tree.frames[s->tree.nodes[price].frame].line = 41;
    exp = child_of(s, child_of(s, price, "exp", LAYER_STD), "__ieee754_exp_fma", LAYER_STD);
    load = child_of(s, root, "svc::load_report()", LAYER_USER);
    append =
        child_of(s, load, "std::__cxx11::basic_string<char, std::allocator<char> >::append(char const*)", LAYER_STD);
    run(s, exp, 900000);
    run(s, price, 20000);
    run(s, append, 60000);
    run(s, child_of(s, -1, "[unsampled]", LAYER_UNKNOWN), 2000000);
    s->allocations.measured = true;
    s->allocations.total_allocations = 10;
    s->allocations.leaked_bytes = 9000000;
    s->allocations.leaked_count = 3;
    s->allocations.stats = xcalloc(1, sizeof(*s->allocations.stats));
    s->allocations.stats[s->allocations.stats_count++] =
        (struct alloc_stats){.node = append, .peak_bytes = 9000000, .leaked_bytes = 9000000};
    s->allocations.leaks = xcalloc(2, sizeof(*s->allocations.leaks));
    s->allocations.leaks[s->allocations.leak_count++] =
        (struct leak){.node = append, .bytes = 8000000, .count = 2, .first_ns = SECOND, .last_ns = 9 * SECOND};
    s->allocations.leaks[s->allocations.leak_count++] =
        (struct leak){.node = append, .bytes = 1000000, .count = 1, .first_ns = 2 * SECOND, .last_ns = 2 * SECOND};
    return s;
}

/* The line of TEXT (which stays whole) that holds WHAT, after AFTER. */
static const char *line_with(const char *text, const char *after, const char *what)
{
    static char line[1024];
    const char *at = strstr(text, after);

    at = at ? strstr(at, what) : NULL;
    ck_assert_msg(at != NULL, "no %s after %s in:\n%s", what, after, text);
    while (at > text && at[-1] != '\n')
        at--;
    snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
    return line;
}

START_TEST(each_line_leads_with_the_readers_own_function)
{
    struct session *s = library_session();
    struct summary_options options = {.cols = 120, .charset = CHARSET_UTF8};
    char *text = page_text(s, &options);
    const char *line;

    ck_assert_ptr_nonnull(strstr(text, "in all\n    svc::price ")); /* the first row */
    line = line_with(text, "Where the time went", "svc::price");
    ck_assert_ptr_nonnull(strstr(line, "svc.cpp:41"));
    ck_assert_ptr_nonnull(strstr(line, "via exp"));
    ck_assert_ptr_nonnull(strstr(line, "0.7 %")); /* itself, of 2.98 s */
    ck_assert_ptr_nonnull(strstr(line, "30.9 %"));
    ck_assert_ptr_nonnull(strstr(line_with(text, "By self time", "svc::price"), "via __ieee754_exp_fma"));
    line = line_with(text, "Still allocated", "svc::load_report");
    ck_assert_ptr_nonnull(strstr(line, "via …::string::append"));
    ck_assert_ptr_nonnull(strstr(line, "9.00 MB"));
    ck_assert_ptr_nonnull(strstr(line, "3 blocks"));
    ck_assert_ptr_nonnull(strstr(line, "growing"));
    ck_assert_ptr_nonnull(line_with(text, "Look first", "1. svc::price (svc.cpp:41) takes 31 %"));
    ck_assert_ptr_nonnull(line_with(text, "Look first", "2. 9.00 MB in 3 blocks"));
    ck_assert_ptr_null(strstr(text, ". [unsampled]"));
    free(text);
    session_free(s);
}
END_TEST

START_TEST(a_stripped_program_says_what_brings_its_names)
{
    struct session *s = session_new(0, 0);
    struct summary_options options = {.cols = 120, .charset = CHARSET_UTF8};
    bool is_new;
    uint32_t module = calltree_module(&s->tree, strings_add_str(&s->strings, "/opt/app"), 0, &is_new);
    uint32_t frame = calltree_frame(&s->tree, module, 0x1234);
    char *text;

    s->duration_ns = SECOND;
    s->tree.modules[module].name = strings_add_str(&s->strings, "app");
    s->tree.modules[module].symbols = MODULE_SYMBOLS_DYNSYM;
    s->tree.frames[frame].func = strings_add_str(&s->strings, "app+0x1200");
    s->tree.frames[frame].layer = LAYER_USER;
    run(s, calltree_child(&s->tree, -1, frame), 500000);
    text = page_text(s, &options);
    ck_assert_ptr_nonnull(strstr(text, "is in app, whose names are missing"));
    ck_assert_ptr_nonnull(strstr(text, "-dbgsym"));
    ck_assert_ptr_null(strstr(text, "app+0x1200 (app) takes"));
    free(text);
    s->tree.modules[module].symbols = MODULE_SYMBOLS_SYMTAB;
    text = page_text(s, &options);
    ck_assert_ptr_null(strstr(text, "names are missing"));
    free(text);
    session_free(s);
}
END_TEST

/* Waits of 8 s, all of them in CALL below db::commit. The text is the caller's. */
static char *page_of_waits(const char *call)
{
    struct session *s = session_new(0, 0);
    struct summary_options options = {.cols = 200, .charset = CHARSET_UTF8};
    const int64_t values[] = {8000000, 1};
    int32_t node;
    char *text;

    session_add_process(s, 7, -1, 0);
    s->duration_ns = 10 * SECOND;
    s->processes[0].cpu_ns = SECOND;
    node = child_of(s, child_of(s, -1, "db::commit", LAYER_USER), call, LAYER_STD);
    rows_add(&s->offcpu_rows, 0, (uint32_t)node, 0, values);
    text = page_text(s, &options);
    session_free(s);
    return text;
}

START_TEST(a_wait_is_a_finding_unless_there_was_nothing_to_do)
{
    char *text = page_of_waits("fsync");

    ck_assert_ptr_nonnull(strstr(text, "Where it waited"));
    ck_assert_ptr_nonnull(strstr(text, "Look first: The program used 10 % of a core"));
    ck_assert_msg(strstr(text, "db::commit by calling fsync") != NULL, "%s", text);
    free(text);
    text = page_of_waits("wait4");
    ck_assert_ptr_nonnull(strstr(text, "Where it waited"));
    ck_assert_ptr_null(strstr(text, "Look first"));
    free(text);
}
END_TEST

static ssize_t count_write(void *cookie, const char *bytes, size_t len)
{
    (void)bytes;
    ++*(int *)cookie;
    return (ssize_t)len;
}

/* stderr is not buffered. */
START_TEST(a_page_is_written_at_once)
{
    struct session *s = sample_session();
    struct summary_options options = {.cols = 80, .charset = CHARSET_UTF8, .colour = true};
    int writes = 0;
    FILE *out = fopencookie(&writes, "w", (cookie_io_functions_t){.write = count_write});

    setvbuf(out, NULL, _IONBF, 0);
    summary_print(out, s, &options);
    ck_assert_int_eq(writes, 1);
    fclose(out);
    session_free(s);
}
END_TEST

START_TEST(an_empty_session_is_a_short_page)
{
    struct session *s = session_new(0, 0);
    struct summary_options options = {.cols = 80, .charset = CHARSET_UTF8};
    char *text;

    s->meta.exit_code = 127;
    text = page_text(s, &options);
    ck_assert_str_eq(text, "rustscope  session   0 s   exit 127\n\n");
    free(text);
    session_free(s);
}
END_TEST

START_TEST(hostile_names_cannot_reach_the_terminal)
{
    struct session *s = sample_session();
    struct summary_options options = {.cols = 80, .charset = CHARSET_UTF8};
    char *text;

    s->functions[0].name = strings_add_str(&s->strings, "\x1b]0;owned\x07\x1b[2J");
    s->meta.argv[0] = strings_add_str(&s->strings, "a\rb\x1b[1m");
    text = page_text(s, &options);
    ck_assert_ptr_null(strchr(text, 0x1b));
    ck_assert_ptr_null(strchr(text, '\r'));
    free(text);
    session_free(s);
}
END_TEST

START_TEST(totals_prefer_clocks_over_the_timeline)
{
    struct session *s = sample_session();
    struct totals t;

    totals_compute(s, &t);
    ck_assert_uint_eq(t.cpu_ns, 8700 * SECOND / 1000);
    ck_assert_double_eq_tol(t.cpu_avg_pct, 61.27, 0.01);
    ck_assert_double_eq(t.heap_peak_bytes, 57e6);
    ck_assert_double_eq(t.heap_peak_at_ns, 11.2e9);
    ck_assert_uint_eq(t.spikes, 2);
    totals_compute_window(s, 4 * SECOND, 8 * SECOND, &t);
    ck_assert_double_eq_tol(t.cpu_avg_pct, 98, 0.01);
    ck_assert_uint_eq(t.spikes, 1);
    session_free(s);
}
END_TEST

START_TEST(the_last_point_weighs_as_much_as_it_lasted_whatever_was_read_in_it)
{
    struct session *s = session_new(0, 0);
    struct totals t;

    for (uint64_t i = 0; i < 10; i++)
        series_put(&s->timeline, METRIC_ANON_BYTES, i * SECOND / 10, 10e6);
    for (uint64_t reading = 0; reading < 5; reading++)
        series_put(&s->timeline, METRIC_ANON_BYTES, SECOND, 0);
    s->duration_ns = SECOND + SECOND / 50;
    totals_compute(s, &t);
    ck_assert_double_eq_tol(t.heap_avg_bytes, 10e6 / 1.02, 1);
    totals_compute_window(s, SECOND / 2, 2 * SECOND, &t);
    ck_assert_double_eq_tol(t.heap_avg_bytes, 5e6 / 0.52, 1);
    s->duration_ns = 0;
    totals_compute(s, &t);
    ck_assert_double_eq_tol(t.heap_avg_bytes, 100e6 / 11, 1);
    session_free(s);
}
END_TEST

static void set_up_locale(void) __attribute__((constructor));
static void set_up_locale(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
}

SUITE("summary", golden_pages, no_line_is_wider_than_the_page, colour_is_only_there_when_asked_for,
      the_five_functions_that_held_most_at_the_peak_are_shown, paths_stand_for_memory_that_nobody_of_the_readers_holds,
      each_line_leads_with_the_readers_own_function, a_stripped_program_says_what_brings_its_names,
      a_wait_is_a_finding_unless_there_was_nothing_to_do, a_page_is_written_at_once, an_empty_session_is_a_short_page,
      hostile_names_cannot_reach_the_terminal, totals_prefer_clocks_over_the_timeline,
      the_last_point_weighs_as_much_as_it_lasted_whatever_was_read_in_it)
