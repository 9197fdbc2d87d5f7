/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "report/compare_report.h"
#include "report/compare_words.h"

enum {
    MIN_COLS = 60,
    MAX_COLS = 120,
    VALUE_COLS = 8,
    CHANGE_COLS = 9,
    INTERVAL_COLS = 17,
    NUMBERS_COLS = 2 * (VALUE_COLS + 1) + CHANGE_COLS + 1 + INTERVAL_COLS + 1,
    ERROR_COLS = 24,
    SHARE_COLS = 6,
};

struct page {
    struct canvas *canvas;
    const struct comparison *c;
    const struct compare_page *options;
    int row, cols;
};

static void line(struct page *p, int col, enum style style, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void line(struct page *p, int col, enum style style, const char *format, ...)
{
    char text[1200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    p->row += canvas_wrap(p->canvas, p->row, col, col, text, style);
}

static enum style style_of(const struct figure *f)
{
    return f->verdict == GATE_REGRESSED   ? STYLE_SPIKE
           : f->verdict == GATE_IMPROVED  ? STYLE_FINE
           : f->verdict == GATE_UNSURE    ? STYLE_HOT
           : f->verdict == GATE_UNCHANGED ? STYLE_NORMAL
                                          : STYLE_DIM;
}

static void numbers(struct page *p, const struct figure *f)
{
    const int col = p->cols - NUMBERS_COLS;

    canvas_text_right(p->canvas, p->row, col + 1, VALUE_COLS, compare_value(f, f->base).s, STYLE_NORMAL);
    canvas_text_right(p->canvas, p->row, col + VALUE_COLS + 2, VALUE_COLS, compare_value(f, f->next).s, STYLE_NORMAL);
    canvas_text_right(p->canvas, p->row, col + 2 * (VALUE_COLS + 1) + 1, CHANGE_COLS, compare_change(f).s, style_of(f));
    canvas_text_right(p->canvas, p->row, p->cols - INTERVAL_COLS, INTERVAL_COLS, compare_interval(f).s, STYLE_DIM);
}

static void head(struct page *p)
{
    const int col = p->cols - NUMBERS_COLS;

    canvas_text_right(p->canvas, p->row, col + 1, VALUE_COLS, "base", STYLE_DIM);
    canvas_text_right(p->canvas, p->row, col + VALUE_COLS + 2, VALUE_COLS, "new", STYLE_DIM);
    canvas_text_right(p->canvas, p->row, col + 2 * (VALUE_COLS + 1) + 1, CHANGE_COLS, "change", STYLE_DIM);
    canvas_text_right(p->canvas, p->row, p->cols - INTERVAL_COLS, INTERVAL_COLS, "95 % interval", STYLE_DIM);
}

/* A row of its own: of parts that came or went their own time or bytes, and nothing that is told as moved. */
static bool worth_a_row(const struct page *p, const struct figure *f)
{
    const struct gate_limits *limits = &p->c->options.limits;

    if (f->headline || (f->verdict != GATE_NEW && f->verdict != GATE_GONE))
        return true;
    for (size_t i = 0; i < p->c->move_count; i++)
        for (int side = 0; side < 2; side++) {
            const struct figure *moved = side ? p->c->moves[i].come : p->c->moves[i].gone;

            if (moved->kind == f->kind && !strcmp(moved->name, f->name) && !strcmp(moved->module, f->module))
                return false;
        }
    if (f->kind == FIGURE_FUNCTION)
        return !strcmp(f->metric, "self_cpu") && fmax(f->base, f->next) >= limits->floor_ns;
    return f->kind != FIGURE_PATH ||
           (!strcmp(f->metric, "alloc_bytes") && fmax(f->base, f->next) >= limits->floor_bytes);
}

/* What helps all figures of a section alike; "" when they differ. */
static void common_remedy(const struct page *p, enum gate_verdict verdict, char *out, size_t cap)
{
    char other[200];
    bool first = true;

    out[0] = '\0';
    for (size_t i = 0; i < p->c->order_count; i++) {
        if (p->c->order[i]->verdict != verdict || !p->c->order[i]->headline)
            continue;
        compare_remedy(p->c, p->c->order[i], other, sizeof(other));
        if (!first && strcmp(out, other) != 0) {
            out[0] = '\0';
            return;
        }
        snprintf(out, cap, "%s", other);
        first = false;
    }
}

/* The figures of VERDICT that are HEADLINE or not, as a table under its heading. */
static void section(struct page *p, enum gate_verdict verdict, bool headline, const char *heading)
{
    size_t shown = 0, more = 0;
    char title[400], remedy[200], common[200];

    common_remedy(p, verdict, common, sizeof(common));
    for (size_t i = 0; i < p->c->order_count; i++) {
        const struct figure *f = p->c->order[i];

        if (f->verdict != verdict || f->headline != headline || !worth_a_row(p, f))
            continue;
        if (shown >= p->options->top) {
            more++;
            continue;
        }
        if (!shown++) {
            p->row++;
            head(p);
            canvas_text(p->canvas, p->row++, 0, p->cols - NUMBERS_COLS, heading, STYLE_TITLE);
            if (headline && *common)
                line(p, 2, STYLE_DIM, "%s", common);
        }
        compare_title(f, title, sizeof(title));
        canvas_text(p->canvas, p->row, 2, p->cols - NUMBERS_COLS - 2, title, STYLE_NORMAL);
        numbers(p, f);
        p->row++;
        compare_remedy(p->c, f, remedy, sizeof(remedy));
        if (*remedy && headline && !*common)
            line(p, 4, STYLE_DIM, "%s", remedy);
    }
    if (more)
        line(p, 2, STYLE_DIM, "and %zu more", more);
}

static void draw_blame(struct page *p, const struct blame *blame)
{
    char title[64], error[80];
    double whole = blame->total->next - blame->total->base;

    p->row++;
    compare_title(blame->total, title, sizeof(title));
    line(p, 0, STYLE_TITLE, "Who did it: %s %s, of which these explain %s", title,
         compare_signed(blame->total, whole).s, compare_signed(blame->total, blame->explained).s);
    for (size_t i = 0; i < blame->count && i < p->options->top; i++) {
        const struct figure *f = blame->list[i].figure;
        double change = blame->list[i].change;

        canvas_text(p->canvas, p->row, 2, p->cols - 2 - ERROR_COLS - SHARE_COLS - 1, compare_subject(f), STYLE_NORMAL);
        if (isnan(f->error))
            snprintf(error, sizeof(error), "%s", compare_signed(f, change).s);
        else
            snprintf(error, sizeof(error), "%s ± %s", compare_signed(f, change).s, compare_value(f, f->error).s);
        canvas_text_right(p->canvas, p->row, p->cols - ERROR_COLS - SHARE_COLS, ERROR_COLS, error, STYLE_NORMAL);
        canvas_text_right(p->canvas, p->row, p->cols - SHARE_COLS, SHARE_COLS, fmt_pct(100 * blame->list[i].share).s,
                          STYLE_DIM);
        p->row++;
    }
}

static void draw_moves(struct page *p)
{
    for (size_t i = 0; i < p->c->move_count && i < p->options->top; i++) {
        const struct moved *m = &p->c->moves[i];

        if (!i) {
            p->row++;
            line(p, 0, STYLE_TITLE, "Renamed or moved, as it seems");
        }
        line(p, 2, STYLE_NORMAL, "%.200s → %.200s (%s)", compare_subject(m->gone), compare_subject(m->come),
             compare_value(m->come, m->come->next).s);
    }
}

static void draw_head(struct page *p)
{
    const size_t *runs = p->c->set.runs;
    char sentence[1000];

    compare_sentence(p->c, sentence, sizeof(sentence));
    line(p, 0, STYLE_TITLE, "%s", sentence);
    line(p, 0, STYLE_DIM, "%zu run%s of base, %zu of new%s; thresholds %.3g %% (counts and sizes %.3g %%)",
         runs[ARM_BASE], runs[ARM_BASE] == 1 ? "" : "s", runs[ARM_NEXT],
         p->c->options.limits.paired ? ", in turns" : "", 100 * p->c->options.limits.threshold,
         100 * p->c->options.limits.exact_threshold);
    for (size_t i = 1; i < p->c->unfit_count; i++)
        line(p, 0, STYLE_HOT, "! %s", p->c->unfit[i]);
    for (size_t i = 0; i < p->c->note_count; i++)
        line(p, 0, STYLE_DIM, "! %s", p->c->notes[i]);
}

void compare_draw(struct canvas *canvas, const struct comparison *c, const struct compare_page *options)
{
    struct page p = {.canvas = canvas, .c = c, .options = options};
    size_t rows = 40 + 8 * (c->unfit_count + c->note_count);

    p.cols = options->cols < MIN_COLS ? MIN_COLS : options->cols > MAX_COLS ? MAX_COLS : options->cols;
    for (int verdict = 0; verdict < 2 * GATE_VERDICTS; verdict++)
        rows += 4 * (options->top < c->order_count ? options->top : c->order_count) + 4;
    rows += (c->blame_count + 1) * (COMPARISON_TOP + 4) + 4 * c->move_count;
    canvas->charset = options->charset;
    canvas_resize(canvas, (int)(rows < 100000 ? rows : 100000), p.cols);
    draw_head(&p);
    section(&p, GATE_REGRESSED, true, "Regressed");
    section(&p, GATE_IMPROVED, true, "Improved");
    for (size_t i = 0; i < c->blame_count; i++)
        draw_blame(&p, &c->blames[i]);
    section(&p, GATE_REGRESSED, false, "Parts that grew");
    section(&p, GATE_IMPROVED, false, "Parts that shrank");
    draw_moves(&p);
    section(&p, GATE_NEW, false, "New");
    section(&p, GATE_GONE, false, "Gone");
    section(&p, GATE_NEW, true, "New");
    section(&p, GATE_GONE, true, "Gone");
    section(&p, GATE_UNSURE, true, "Unsure");
    section(&p, GATE_NOT_COMPARABLE, true, "Not comparable");
    section(&p, GATE_UNCHANGED, true, "Unchanged");
    canvas->rows = p.row;
}

void compare_print(FILE *out, const struct comparison *c, const struct compare_page *options)
{
    struct canvas canvas = {0};

    compare_draw(&canvas, c, options);
    canvas_print(out, &canvas, options->colour);
    canvas_release(&canvas);
}
