/* SPDX-License-Identifier: MIT */
#include "collect/channel/scopes.h"

#include <math.h>
#include <string.h>

#include "core/scopes_wire.h"
#include "file/session_file.h"
#include "suite.h"

static struct session *session;
static struct scopes *scopes;

static void begin(void)
{
    session = session_new(1000000000, 1700000000000);
    session_add_process(session, 100, -1, 0);
    session_add_process(session, 101, 0, 0);
    scopes = scopes_new(session);
}

static void end(void)
{
    scopes_free(scopes);
    session_free(session);
}

static void site(int32_t process, uint32_t id, const char *name)
{
    char bytes[256] = {0};
    uint32_t len = (uint32_t)strlen(name);
    struct rs_wire_site r = {RS_RECORD(RS_RECORD_SITE, sizeof(r) + len), id, 7, 0, len, 0};

    memcpy(bytes, &r, sizeof(r));
    memcpy(bytes + sizeof(r), name, len);
    scopes_record(scopes, process, bytes, (sizeof(r) + len + 3) & ~3u);
}

static void path(int32_t process, uint32_t id, uint32_t parent, uint32_t of_site)
{
    struct rs_wire_path r = {RS_RECORD(RS_RECORD_PATH, sizeof(r)), id, parent, of_site};

    scopes_record(scopes, process, &r, sizeof(r));
}

static void stats(int32_t process, uint32_t id, uint64_t calls, uint64_t ticks_each)
{
    struct rs_wire_path_stats r = {.word = RS_RECORD(RS_RECORD_PATH_STATS, sizeof(r)), .path = id};
    struct rs_scope_stats s;

    rs_scope_stats_init(&s);
    s.calls = s.timed = calls;
    s.total_ticks = s.self_ticks = calls * ticks_each;
    s.min_ticks = s.max_ticks = ticks_each;
    s.square_lo = calls * ticks_each * ticks_each;
    memcpy(&r.stats, &s, sizeof(s));
    scopes_record(scopes, process, &r, sizeof(r));
}

static void clock_of(int32_t process)
{
    struct rs_wire_scopes_clock r = {
        .word = RS_RECORD(RS_RECORD_SCOPES_CLOCK, sizeof(r)), .ns_per_tick = 0.5, .ticks = 1000, .mono_ns = 3000000000};

    scopes_record(scopes, process, &r, sizeof(r));
}

static const struct function *function_called(const char *name)
{
    for (size_t i = 0; i < session->function_count; i++)
        if (!strcmp(strings_get(&session->strings, session->functions[i].name), name))
            return &session->functions[i];
    return NULL;
}

START_TEST(figures_of_all_processes_stand_together)
{
    begin();
    for (int32_t p = 0; p < 2; p++) {
        site(p, 1, "outer");
        site(p, 2, "inner");
        path(p, 1, 0, 1);
        path(p, 2, 1, 2);
        stats(p, 1, 10, 2000);
        stats(p, 2, 20, 200);
        clock_of(p);
    }
    scopes_finish(scopes);
    ck_assert_uint_eq(session->scopes.row_count, 4);
    ck_assert_int_eq(session->scopes.rows[0].parent, -1);
    ck_assert_int_eq(session->scopes.rows[1].parent, 0);
    ck_assert_int_eq(session->scopes.rows[3].parent, 2);
    ck_assert_uint_eq(session->scopes.rows[3].process, 1);
    ck_assert_uint_eq(session->function_count, 2);
    ck_assert_uint_eq(function_called("outer")->figures.calls, 20);
    ck_assert_double_eq(function_called("outer")->figures.total_ns, 20 * 2000 * 0.5);
    ck_assert_double_eq(function_called("inner")->figures.mean_ns, 100);
    ck_assert_int_eq(function_called("inner")->source, FUNCTION_INSTRUMENTED);
    end();
}
END_TEST

START_TEST(later_totals_replace_earlier_ones_and_reset_voids_them)
{
    struct rs_wire_scopes_reset reset = {RS_RECORD(RS_RECORD_SCOPES_RESET, sizeof(reset))};

    begin();
    site(0, 1, "f");
    path(0, 1, 0, 1);
    stats(0, 1, 10, 100);
    stats(0, 1, 25, 100);
    clock_of(0);
    scopes_finish(scopes);
    ck_assert_uint_eq(session->scopes.rows[0].figures.calls, 25);
    scopes_record(scopes, 0, &reset, sizeof(reset));
    stats(0, 1, 3, 100);
    free(session->functions);
    session->functions = NULL;
    session->function_count = 0;
    scopes_finish(scopes);
    ck_assert_uint_eq(session->scopes.row_count, 1);
    ck_assert_uint_eq(session->scopes.rows[0].figures.calls, 3);
    end();
}
END_TEST

START_TEST(marks_counters_and_texts_go_straight_into_the_session)
{
    struct {
        struct rs_wire_mark r;
        char name[4];
    } mark = {{RS_RECORD(RS_RECORD_MARK, sizeof(mark)), 0, 1500000000, 0, 4}, "warm"};
    struct {
        struct rs_wire_session_text r;
        char text[8];
    } tag = {{RS_RECORD(RS_RECORD_SESSION_TEXT, sizeof(tag)), RS_WIRE_TAG, 0, 5}, "smoke"};

    begin();
    scopes_record(scopes, 1, &mark, sizeof(mark));
    mark.r.is_counter = 1;
    mark.r.value = 42;
    scopes_record(scopes, 1, &mark, sizeof(mark));
    scopes_record(scopes, 1, &tag, sizeof(tag));
    scopes_record(scopes, 1, &tag, sizeof(tag));
    ck_assert_uint_eq(session->event_count, 1);
    ck_assert_uint_eq(session->events[0].start_ns, 500000000);
    ck_assert_str_eq(strings_get(&session->strings, session->events[0].location), "warm");
    ck_assert_uint_eq(session->counter_count, 1);
    ck_assert_uint_eq(session->meta.tag_count, 1);
    ck_assert_str_eq(strings_get(&session->strings, session->meta.tags[0]), "smoke");
    end();
}
END_TEST

/* Two processes and the command line. */
START_TEST(cleared_tags_and_labels_go_and_others_stay)
{
    struct {
        struct rs_wire_session_text r;
        char text[8];
    } tag = {{RS_RECORD(RS_RECORD_SESSION_TEXT, sizeof(tag)), RS_WIRE_TAG, 0, 5}, "smoke"},
      label = {{RS_RECORD(RS_RECORD_SESSION_TEXT, sizeof(label)), RS_WIRE_LABEL, 1, 1}, "ka"},
      cleared = {{RS_RECORD(RS_RECORD_SESSION_TEXT, sizeof(cleared)), RS_WIRE_TEXTS_CLEARED, 0, 0}, ""};

    begin();
    scopes_record(scopes, 1, &tag, sizeof(tag));
    scopes_record(scopes, 1, &label, sizeof(label));
    label.text[1] = 'b'; /* another value */
    scopes_record(scopes, 1, &label, sizeof(label));
    ck_assert_uint_eq(session->meta.label_count, 1);
    ck_assert_str_eq(strings_get(&session->strings, session->meta.labels[0].value), "b");
    tag.text[0] = 'S';
    scopes_record(scopes, 0, &tag, sizeof(tag));
    ck_assert_uint_eq(session->meta.tag_count, 2);
    scopes_record(scopes, 1, &cleared, sizeof(cleared));
    ck_assert_uint_eq(session->meta.label_count, 0);
    ck_assert_uint_eq(session->meta.tag_count, 1);
    ck_assert_str_eq(strings_get(&session->strings, session->meta.tags[0]), "Smoke");
    end();
}
END_TEST

static char *written;
static size_t written_len;

static int to_memory(void *ctx, const char *bytes, size_t len)
{
    (void)ctx;
    written = realloc(written, written_len + len);
    memcpy(written + written_len, bytes, len);
    written_len += len;
    return 0;
}

START_TEST(what_is_written_is_read_back)
{
    struct rs_wire_path_worst worst = {.word = RS_RECORD(RS_RECORD_PATH_WORST, sizeof(worst)), .path = 1};
    struct rs_wire_path_task task = {.word = RS_RECORD(RS_RECORD_PATH_TASK, sizeof(task)), .path = 1};
    struct rustscope_worst one = {900, 4000, 7.5};
    struct rs_scope_task figures = {.started = 3, .completed = 1, .polls = 9, .busy_ticks = 1000};
    struct session *again;
    struct rs_err err;

    begin();
    site(0, 1, "task");
    path(0, 1, 0, 1);
    stats(0, 1, 9, 4000);
    memcpy(&worst.worst[0], &one, sizeof(one));
    memcpy(&task.task, &figures, sizeof(figures));
    scopes_record(scopes, 0, &worst, sizeof(worst));
    scopes_record(scopes, 0, &task, sizeof(task));
    clock_of(0);
    scopes_finish(scopes);
    written_len = 0;
    ck_assert_int_eq(session_write(session, to_memory, NULL), 0);
    again = session_read(written, written_len, &err);
    ck_assert_msg(again != NULL, "%s", err.text);
    ck_assert_uint_eq(again->scopes.row_count, 1);
    ck_assert_uint_eq(again->scopes.rows[0].figures.calls, 9);
    ck_assert_double_eq(again->scopes.rows[0].figures.mean_ns, 2000);
    ck_assert_uint_eq(again->scopes.outlier_count, 1);
    ck_assert_uint_eq(again->scopes.outliers[0].call.took_ns, 2000);
    ck_assert_double_eq_tol((double)again->scopes.outliers[0].call.end_ns,
                            (double)session->scopes.outliers[0].call.end_ns, 1000); /* the file has whole µs */
    ck_assert_uint_eq(again->scopes.task_count, 1);
    ck_assert_uint_eq(again->scopes.tasks[0].figures.polls, 9);
    ck_assert_uint_eq(again->scopes.tasks[0].figures.busy_ns, 500);
    ck_assert_uint_eq(again->scopes.clock_count, 1);
    ck_assert_str_eq(again->scopes.clocks[0].info.clock, "tsc");
    session_free(again);
    free(written);
    written = NULL;
    end();
}
END_TEST

static uint32_t seed = 12345;

static uint32_t next_random(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

START_TEST(garbage_is_counted_and_harms_nothing)
{
    begin();
    site(0, 1, "f");
    path(0, 1, 0, 1);
    clock_of(0);
    for (int i = 0; i < 5000; i++) {
        uint32_t words[64];
        size_t bytes = 4 * (1 + next_random() % 64);
        static const uint32_t small[] = {0, 1, 2, 3, 0xffff, 0xffffffff};

        for (size_t w = 0; w < 64; w++)
            words[w] = next_random() % 3 ? small[next_random() % 6] : next_random() * 2654435761u;
        words[0] = RS_RECORD(RS_RECORD_LIB_FIRST + next_random() % 12, bytes);
        scopes_record(scopes, (int32_t)(next_random() % 2), words, bytes);
    }
    scopes_finish(scopes);
    ck_assert_uint_gt(session->diagnostics.folded_count, 0);
    end();
}
END_TEST

START_TEST(short_records_are_refused)
{
    begin();
    for (uint32_t kind = RS_RECORD_LIB_FIRST; kind <= RS_RECORD_LIB_LAST; kind++) {
        uint32_t word = RS_RECORD(kind, 4);

        scopes_record(scopes, 0, &word, sizeof(word));
        scopes_record(scopes, 0, &word, 0);
    }
    scopes_finish(scopes);
    ck_assert_uint_eq(session->scopes.row_count, 0);
    end();
}
END_TEST

SUITE("scopes collect", figures_of_all_processes_stand_together, later_totals_replace_earlier_ones_and_reset_voids_them,
      marks_counters_and_texts_go_straight_into_the_session, cleared_tags_and_labels_go_and_others_stay,
      what_is_written_is_read_back, garbage_is_counted_and_harms_nothing, short_records_are_refused)
