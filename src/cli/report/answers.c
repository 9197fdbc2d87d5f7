/* SPDX-License-Identifier: MIT */
#include "report/answers.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/json.h"
#include "report/page.h"
#include "text/name.h"

static double percent(uint64_t part, uint64_t all)
{
    return all ? 100.0 * (double)part / (double)all : 0;
}

static struct fmt amount(enum answer_metric metric, uint64_t value)
{
    if (answer_metric_is_time(metric))
        return fmt_span((double)value / 1e6);
    return metric == ANSWER_COUNT ? fmt_si((double)value, "") : fmt_bytes((double)value);
}

/* ---- as a table ---- */

static void heading(struct page *page, const struct question *q, const struct answer *a, int numbers)
{
    char text[512];

    if (q->function)
        snprintf(text, sizeof(text), "%s %.200s (%s%s)", q->callees ? "Called by" : "Callers of", q->function,
                 amount(q->metric, a->all).s, a->matched > 1 ? ", several functions" : "");
    else
        snprintf(text, sizeof(text), "%s, %s in all", answer_metric_name(q->metric), amount(q->metric, a->all).s);
    canvas_text(page->canvas, page->row, 0, numbers - 1, text, STYLE_TITLE);
    if (!q->function)
        canvas_text_right(page->canvas, page->row, numbers, 18, "self", STYLE_DIM);
    canvas_text_right(page->canvas, page->row, numbers + 18, 18, q->function ? "of it" : "total", STYLE_DIM);
    page_next_row(page);
}

static void row_of(struct page *page, const struct question *q, const struct answer *a, const struct answer_row *row,
                   int numbers)
{
    struct fmt self = amount(q->metric, row->self), total = amount(q->metric, row->total);

    if (row->frame == UINT32_MAX)
        canvas_text(page->canvas, page->row, 2, numbers - 3, q->callees ? "(itself)" : "(nothing: it is outermost)",
                    STYLE_DIM);
    else
        page_code(page, 2, numbers - 3, row->frame, UINT32_MAX, STYLE_NORMAL);
    if (!q->function) {
        canvas_text_right(page->canvas, page->row, numbers, 9, self.s, STYLE_NORMAL);
        canvas_text_right(page->canvas, page->row, numbers + 9, 9, fmt_pct1(percent(row->self, a->all)).s,
                          STYLE_NORMAL);
    }
    canvas_text_right(page->canvas, page->row, numbers + 18, 9, total.s, STYLE_NORMAL);
    canvas_text_right(page->canvas, page->row, numbers + 27, 9, fmt_pct1(percent(row->total, a->all)).s, STYLE_NORMAL);
    page_next_row(page);
}

int answers_print(FILE *out, const struct session *s, const struct question *q, const struct answer *a,
                  const struct summary_options *options)
{
    struct canvas canvas = {.charset = options->charset};
    struct page page = {.canvas = &canvas, .s = s, .options = options};
    int numbers;

    page.cols = options->cols < SUMMARY_MIN_COLS   ? SUMMARY_MIN_COLS
                : options->cols > SUMMARY_MAX_COLS ? SUMMARY_MAX_COLS
                                                   : options->cols;
    numbers = page.cols - 36;
    page.rows = (int)a->count + 3;
    canvas_resize(&canvas, page.rows, page.cols);
    heading(&page, q, a, numbers);
    for (size_t i = 0; i < a->count; i++)
        row_of(&page, q, a, &a->rows[i], numbers);
    if (a->left) {
        canvas_printf(&canvas, page.row, 2, page.cols, STYLE_DIM, "and %zu more (--top)", a->left);
        page_next_row(&page);
    }
    canvas.rows = page.row;
    canvas_print(out, &canvas, options->colour);
    canvas_release(&canvas);
    return ferror(out) ? -EIO : 0;
}

/* ---- as data ---- */

static int to_stream(void *ctx, const char *bytes, size_t len)
{
    return fwrite(bytes, 1, len, ctx) == len ? 0 : -EIO;
}

static void write_row(struct rs_json *j, const struct session *s, const struct question *q, const struct answer *a,
                      const struct answer_row *row)
{
    const struct frame *f = row->frame == UINT32_MAX ? NULL : &s->tree.frames[row->frame];
    const char *file = f && f->file ? strings_get(&s->strings, f->file) : NULL;

    rs_json_newline(j);
    rs_json_object_begin(j);
    rs_json_kv_str(j, "name", f ? strings_get(&s->strings, f->func) : q->callees ? "(itself)" : "(outermost)");
    rs_json_kv_str(j, "module",
                   !f               ? NULL
                   : f->crate       ? strings_get(&s->strings, f->crate)
                   : f->object >= 0 ? strings_get(&s->strings, s->tree.modules[f->object].name)
                                    : NULL);
    rs_json_kv_str(j, "file", file);
    rs_json_kv_uint(j, "line", f ? f->line : 0);
    rs_json_kv_str(j, "layer", rs_word(WORDS_LAYER, f ? f->layer : LAYER_UNKNOWN));
    if (!q->function) {
        rs_json_kv_uint(j, "self", row->self);
        rs_json_kv_double(j, "self_pct", percent(row->self, a->all), 3);
    }
    rs_json_kv_uint(j, "total", row->total);
    rs_json_kv_double(j, "total_pct", percent(row->total, a->all), 3);
    rs_json_object_end(j);
}

int answers_print_json(FILE *out, const struct session *s, const struct question *q, const struct answer *a)
{
    char buf[4096];
    struct rs_json j;

    rs_json_init(&j, buf, sizeof(buf), to_stream, out);
    rs_json_object_begin(&j);
    rs_json_kv_str(&j, "metric", answer_metric_name(q->metric));
    rs_json_kv_str(&j, "unit", answer_metric_is_time(q->metric) ? "us" : q->metric == ANSWER_COUNT ? "count" : "bytes");
    rs_json_kv_uint(&j, "all", a->all);
    if (q->function) {
        rs_json_kv_str(&j, "function", q->function);
        rs_json_kv_uint(&j, "functions_meant", a->matched);
    }
    rs_json_kv_uint(&j, "left_out", a->left);
    rs_json_key(&j, !q->function ? "functions" : q->callees ? "callees" : "callers");
    rs_json_array_begin(&j);
    for (size_t i = 0; i < a->count; i++)
        write_row(&j, s, q, a, &a->rows[i]);
    rs_json_array_end(&j);
    rs_json_object_end(&j);
    rs_json_newline(&j);
    return rs_json_finish(&j);
}
