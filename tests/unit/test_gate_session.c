/* SPDX-License-Identifier: MIT */
/* Sessions compared whole: the figures, verdicts and moves of tests/compare, which the visualizer is held to as well.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "analyze/gate/comparison.h"
#include "base/alloc.h"
#include "file/session_file.h"
#include "report/compare_report.h"
#include "report/compare_words.h"
#include "suite.h"
#include "text/format.h"

#define SHARED TEST_GOLDEN_DIR "/../compare/"

static cJSON *json_of(const char *name)
{
    char path[1024], text[65536];
    size_t len;
    FILE *file;
    cJSON *json;

    snprintf(path, sizeof(path), SHARED "%s", name);
    file = fopen(path, "re");
    ck_assert_msg(file != NULL, "no %s", path);
    len = fread(text, 1, sizeof(text), file);
    fclose(file);
    json = cJSON_ParseWithLength(text, len);
    ck_assert_msg(json != NULL, "%s is no JSON", path);
    return json;
}

static void add(struct comparison *c, enum arm arm, const char *name)
{
    struct session *s;
    struct rs_err err;

    s = session_read_file(name, &err);
    ck_assert_msg(s != NULL, "%s", err.text);
    comparison_add(c, arm, s, name);
    session_free(s);
}

static struct comparison shared_comparison(void)
{
    struct comparison c = {.options = {.limits = gate_limits_default()}};

    add(&c, ARM_BASE, SHARED "base.json");
    add(&c, ARM_NEXT, SHARED "new.json");
    comparison_conclude(&c);
    return c;
}

static void check_pair(const struct figure *f, const cJSON *pair, double factor)
{
    ck_assert_double_eq_tol(f->base, factor * cJSON_GetArrayItem(pair, 0)->valuedouble, 0.5);
    ck_assert_double_eq_tol(f->next, factor * cJSON_GetArrayItem(pair, 1)->valuedouble, 0.5);
}

/* The figure of KIND and METRIC that people see as SUBJECT. */
static const struct figure *seen_as(const struct comparison *c, enum figure_kind kind, const char *metric,
                                    const char *subject)
{
    for (size_t i = 0; i < c->set.count; i++) {
        const struct figure *f = &c->set.list[i];

        if (f->kind == kind && !strcmp(f->metric, metric) && !strcmp(f->label ? f->label : f->name, subject))
            return f;
    }
    ck_abort_msg("no %s of %s", metric, subject);
    return NULL;
}

START_TEST(names_are_the_shared_ones)
{
    cJSON *names = json_of("names.json"), *pair;
    char out[256];

    cJSON_ArrayForEach(pair, names)
        ck_assert_str_eq(figure_name(cJSON_GetArrayItem(pair, 0)->valuestring, out, sizeof(out)),
                         cJSON_GetArrayItem(pair, 1)->valuestring);
    cJSON_Delete(names);
}
END_TEST

START_TEST(functions_and_paths_are_joined_as_expected)
{
    struct comparison c = shared_comparison();
    cJSON *expected = json_of("expected.json"), *of;

    cJSON_ArrayForEach(of, cJSON_GetObjectItem(expected, "functions"))
    {
        check_pair(seen_as(&c, FIGURE_FUNCTION, "self_cpu", of->string), cJSON_GetObjectItem(of, "self_us"), 1e3);
        check_pair(seen_as(&c, FIGURE_FUNCTION, "total_cpu", of->string), cJSON_GetObjectItem(of, "total_us"), 1e3);
    }
    cJSON_ArrayForEach(of, cJSON_GetObjectItem(expected, "paths"))
    {
        check_pair(seen_as(&c, FIGURE_PATH, "allocations", of->string), cJSON_GetObjectItem(of, "allocations"), 1);
        check_pair(seen_as(&c, FIGURE_PATH, "alloc_bytes", of->string), cJSON_GetObjectItem(of, "alloc_bytes"), 1);
    }
    cJSON_Delete(expected);
    comparison_release(&c);
}
END_TEST

START_TEST(totals_get_their_verdicts_and_moves_are_proposed)
{
    struct comparison c = shared_comparison();
    cJSON *expected = json_of("expected.json"), *of;
    size_t moves = 0;

    ck_assert_uint_eq(c.unfit_count, 0); /* another name, and much in common */
    cJSON_ArrayForEach(of, cJSON_GetObjectItem(expected, "verdicts"))
        ck_assert_str_eq(gate_verdict_name(seen_as(&c, FIGURE_TOTAL, of->string, "")->verdict), of->valuestring);
    cJSON_ArrayForEach(of, cJSON_GetObjectItem(expected, "moved"))
    {
        ck_assert_uint_lt(moves, c.move_count);
        ck_assert_str_eq(c.moves[moves].gone->name, cJSON_GetArrayItem(of, 0)->valuestring);
        ck_assert_str_eq(c.moves[moves++].come->name, cJSON_GetArrayItem(of, 1)->valuestring);
    }
    ck_assert_uint_eq(moves, c.move_count);
    ck_assert_int_eq(comparison_status(&c), 1);
    cJSON_Delete(expected);
    comparison_release(&c);
}
END_TEST

/* By hand: parse_row 50 ms, the renamed function 62 - 60, memcpy 1, of 53 ms: what moved is no change of its own. */
START_TEST(contributors_explain_the_change_and_moved_work_counts_once)
{
    struct comparison c = shared_comparison();
    const struct blame *cpu = NULL;

    for (size_t i = 0; i < c.blame_count; i++)
        if (!strcmp(c.blames[i].total->metric, "cpu"))
            cpu = &c.blames[i];
    ck_assert_ptr_nonnull(cpu);
    ck_assert_uint_eq(cpu->count, 3);
    ck_assert_str_eq(cpu->list[0].figure->name, "reader::parse_row");
    ck_assert_double_eq_tol(cpu->list[0].change, 50e6, 1);
    ck_assert_str_eq(cpu->list[1].figure->name, "new_name");
    ck_assert_str_eq(cpu->list[1].was->name, "old_name");
    ck_assert_double_eq_tol(cpu->list[1].change, 2e6, 1);
    ck_assert_double_eq_tol(cpu->explained, 53e6, 1);
    comparison_release(&c);
}
END_TEST

/* The property behind all: the same sessions on both sides, one or many, in any order, are never a regression. */
START_TEST(a_session_against_itself_is_never_regressed)
{
    static const char *const files[] = {SHARED "base.json", SHARED "new.json"};

    for (size_t i = 0; i < 2; i++)
        for (int runs = 1; runs < 4; runs++) {
            struct comparison c = {.options = {.limits = gate_limits_default(), .fail_on = FAIL_ON_ANY}};

            c.options.limits.threshold = 0.0001;
            for (int run = 0; run < runs; run++) {
                add(&c, ARM_BASE, files[i]);
                add(&c, ARM_NEXT, files[i]);
            }
            comparison_conclude(&c);
            ck_assert_int_eq(comparison_status(&c), 0);
            for (size_t k = 0; k < c.order_count; k++)
                ck_assert(c.order[k]->verdict != GATE_REGRESSED && c.order[k]->verdict != GATE_IMPROVED &&
                          c.order[k]->verdict != GATE_NEW && c.order[k]->verdict != GATE_GONE);
            comparison_release(&c);
        }
}
END_TEST

/* Every width from the narrowest on: nothing is drawn beyond it, and the first line is the sentence. */
START_TEST(a_page_fits_its_width)
{
    struct comparison c = shared_comparison();
    char sentence[1000], text[4 * 200 + 1];

    compare_sentence(&c, sentence, sizeof(sentence));
    ck_assert_ptr_nonnull(strstr(sentence, "NEW is 28.6 % slower: reader::parse_row costs 50.0 ms more a run"));
    for (int cols = 60; cols <= 120; cols += 20)
        for (int utf8 = 0; utf8 < 2; utf8++) {
            const struct compare_page page = {cols, utf8 ? CHARSET_UTF8 : CHARSET_ASCII, false, 10};
            struct canvas canvas = {0};
            bool interval = false, contributor = false;

            compare_draw(&canvas, &c, &page);
            ck_assert_int_gt(canvas.rows, 15);
            for (int row = 0; row < canvas.rows; row++) {
                canvas_row_text(&canvas, row, text, sizeof(text));
                ck_assert_int_le(fmt_cols(text, page.charset), cols);
                interval = interval || strstr(text, "95 % interval");
                contributor = contributor || (strstr(text, "parse_row") && strstr(text, "+50.0 ms"));
                for (const char *p = text; *p && !utf8; p++)
                    ck_assert_int_lt((unsigned char)*p, 0x80);
            }
            ck_assert(interval && contributor);
            canvas_release(&canvas);
        }
    comparison_release(&c);
}
END_TEST

SUITE("gate_session", names_are_the_shared_ones, functions_and_paths_are_joined_as_expected,
      totals_get_their_verdicts_and_moves_are_proposed, contributors_explain_the_change_and_moved_work_counts_once,
      a_session_against_itself_is_never_regressed, a_page_fits_its_width)
