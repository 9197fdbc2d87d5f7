/* SPDX-License-Identifier: MIT */
#include "tui/chart.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The widest label, "500 MB", a blank and the axis. */
enum { LABEL_COLS = 8 };

void chart_scale_grow(struct chart_scale *scale, double value)
{
    double step;

    if (!isfinite(value) || value <= scale->top)
        return;
    step = pow(10, floor(log10(value)));
    if (value > step * 5)
        scale->top = step * 10;
    else if (value > step * 2)
        scale->top = step * 5;
    else
        scale->top = value > step ? step * 2 : step;
}

int chart_plot_cols(int cols)
{
    return cols - LABEL_COLS - 1 > 0 ? cols - LABEL_COLS - 1 : 0;
}

/* Axis labels are round numbers: three digits would pretend precision and take room. */
static struct fmt axis_label(enum chart_unit unit, double value)
{
    static const char *const prefixes[] = {"", " kB", " MB", " GB", " TB"};
    struct fmt text;
    size_t step = 0;

    if (unit != CHART_BYTES) {
        snprintf(text.s, sizeof(text.s), "%.10g", value);
        if (strlen(text.s) > 6)
            return fmt_si(value, "");
        return text;
    }
    while (value >= 1000 && step < 4) {
        value /= 1000;
        step++;
    }
    snprintf(text.s, sizeof(text.s), "%.4g%s", value, value > 0 ? prefixes[step] : "");
    return text;
}

struct fmt chart_label(enum chart_unit unit, double value)
{
    return unit == CHART_BYTES ? fmt_bytes(value) : unit == CHART_PERCENT ? fmt_pct(value) : fmt_si(value, "");
}

static void draw_title(struct canvas *canvas, struct rect rect, const struct chart *chart)
{
    struct fmt peak = chart_label(chart->unit, chart->peak);
    char text[64];
    bool hot = chart->hot > 0 && chart->now > chart->hot;
    int used = canvas_text(canvas, rect.row, rect.col + 1, rect.cols - 2, chart->title, STYLE_TITLE);

    used += 3;
    used += canvas_text(canvas, rect.row, rect.col + used, rect.cols - used - 1, chart_label(chart->unit, chart->now).s,
                        hot ? STYLE_HOT : STYLE_TITLE);
    snprintf(text, sizeof(text), "peak %s", peak.s);
    if (rect.cols - used > (int)strlen(text) + 2)
        canvas_text_right(canvas, rect.row, rect.col, rect.cols - 1, text, STYLE_DIM);
}

/* Mean and maximum of the values that column COL (0 is the oldest) of COLS stands for; NaN without any. */
static void column_values(const struct chart *chart, int col, int cols, double *mean, double *most)
{
    size_t per = chart->points_per_col ? chart->points_per_col : 1;
    /* Columns are cut at multiples of `per` of the absolute index: a value never changes its neighbours while it
     * scrolls. */
    size_t end = chart->first + chart->count, last = (end + per - 1) / per;
    double sum = 0;
    size_t known = 0;

    *mean = *most = NAN;
    if (last < (size_t)(cols - col))
        return;
    size_t bucket = last - (size_t)(cols - col);
    for (size_t i = bucket * per; i < (bucket + 1) * per; i++) {
        if (i < chart->first || i >= end || !isfinite(chart->values[i - chart->first]))
            continue;
        double value = chart->values[i - chart->first];

        sum += value;
        known++;
        if (!(*most >= value))
            *most = value;
    }
    if (known)
        *mean = sum / (double)known;
}

static uint32_t fill_glyph(int eighths, enum charset charset)
{
    static const uint32_t ascii[] = {' ', '.', '.', '.', ':', ':', ':', ':', '#'};

    if (eighths <= 0)
        return ' ';
    if (eighths > 8)
        eighths = 8;
    return charset == CHARSET_UTF8 ? 0x2580u + (uint32_t)eighths : ascii[eighths];
}

struct plot {
    int row, col, rows, cols; /* of the curve alone */
    double top;
};

static void draw_column(struct canvas *canvas, const struct plot *plot, int col, double value, enum style style)
{
    int eighths = (int)lround(value / plot->top * plot->rows * 8);

    /* What is there is seen, however small. */
    if (eighths < 1 && value > 0)
        eighths = 1;
    for (int row = 0; row < plot->rows; row++) {
        int part = eighths - (plot->rows - 1 - row) * 8;

        if (part > 0)
            canvas_put(canvas, plot->row + row, plot->col + col, fill_glyph(part, canvas->charset), style);
    }
}

static struct cell *plot_cell(const struct canvas *canvas, const struct plot *plot, int row, int col)
{
    return &canvas->cells[(plot->row + row) * canvas->cols + plot->col + col];
}

/* A mark above the highest column, where a blank is left for it; else the column's top is coloured. */
static void draw_peak(struct canvas *canvas, const struct plot *plot, int col, double value)
{
    int row = plot->rows - 1 - (int)(value / plot->top * plot->rows);

    row = row < 0 ? 0 : row;
    while (row > 0 && plot_cell(canvas, plot, row, col)->glyph != ' ')
        row--;
    if (plot_cell(canvas, plot, row, col)->glyph == ' ')
        *plot_cell(canvas, plot, row, col) = (struct cell){canvas->charset == CHARSET_UTF8 ? 0x25be : 'v', STYLE_SPIKE};
    else
        plot_cell(canvas, plot, row, col)->style = STYLE_SPIKE;
}

static void draw_curve(struct canvas *canvas, const struct plot *plot, const struct chart *chart)
{
    double highest = NAN, lowest = NAN;
    int highest_col = -1;

    for (int col = 0; col < plot->cols; col++) {
        double mean, most;

        column_values(chart, col, plot->cols, &mean, &most);
        if (!isfinite(mean))
            continue;
        /* Levels are shown by their mean; what a column hides above it is the peak mark's business. */
        draw_column(canvas, plot, col, mean, chart->hot > 0 && most > chart->hot ? STYLE_HOT : STYLE_FINE);
        if (!(lowest <= mean))
            lowest = mean;
        if (!(highest >= most)) {
            highest = most;
            highest_col = col;
        }
    }
    if (highest_col >= 0 && highest - lowest > plot->top / 10)
        draw_peak(canvas, plot, highest_col, highest);
}

static void draw_axis(struct canvas *canvas, struct rect rect, const struct plot *plot, const struct chart *chart)
{
    uint32_t tick = canvas->charset == CHARSET_UTF8 ? 0x2524 : '+', bar = canvas_box_glyph(canvas->charset, 3);
    int axis_row = plot->row + plot->rows, middle = plot->rows >= 4 && plot->rows % 2 == 0 ? plot->rows / 2 : -1;
    double span = (double)plot->cols * (double)(chart->points_per_col ? chart->points_per_col : 1) * chart->interval_s;
    char text[48];

    for (int row = 0; row < plot->rows; row++) {
        bool labelled = row == 0 || row == middle;
        double value = plot->top * (plot->rows - row) / plot->rows;

        canvas_put(canvas, plot->row + row, plot->col - 1, labelled ? tick : bar, STYLE_DIM);
        if (labelled)
            canvas_text_right(canvas, plot->row + row, rect.col, LABEL_COLS - 2, axis_label(chart->unit, value).s,
                              STYLE_DIM);
    }
    canvas_text_right(canvas, axis_row, rect.col, LABEL_COLS - 2, "0", STYLE_DIM);
    canvas_put(canvas, axis_row, plot->col - 1, canvas_box_glyph(canvas->charset, 15), STYLE_DIM);
    for (int col = 0; col < plot->cols; col++)
        canvas_put(canvas, axis_row, plot->col + col, canvas_box_glyph(canvas->charset, EDGE_LEFT | EDGE_RIGHT),
                   STYLE_DIM);
    if (span < 100)
        snprintf(text, sizeof(text), " -%.*f s ", span < 9.5 ? 1 : 0, span);
    else
        snprintf(text, sizeof(text), " -%s ", fmt_span(span).s);
    if (plot->cols > (int)strlen(text) + 8) {
        canvas_text(canvas, axis_row, plot->col + 1, plot->cols, text, STYLE_DIM);
        canvas_text_right(canvas, axis_row, plot->col, plot->cols - 1, " now ", STYLE_DIM);
    }
}

/* A chart of one line: the numbers and a sparkline between. */
static void draw_flat(struct canvas *canvas, struct rect rect, const struct chart *chart, double top)
{
    enum { NAME_COLS = 12, NUMBER_COLS = 9, PEAK_COLS = 15 };
    bool hot = chart->hot > 0 && chart->now > chart->hot;
    int cells = rect.cols - 1 - NAME_COLS - NUMBER_COLS - 2, col = rect.col + 1;
    char text[64];

    canvas_text(canvas, rect.row, col, NAME_COLS, chart->title, STYLE_TITLE);
    canvas_text_right(canvas, rect.row, col + NAME_COLS, NUMBER_COLS, chart_label(chart->unit, chart->now).s,
                      hot ? STYLE_HOT : STYLE_TITLE);
    if (cells >= PEAK_COLS + 8) {
        snprintf(text, sizeof(text), "peak %s", chart_label(chart->unit, chart->peak).s);
        canvas_text_right(canvas, rect.row, rect.col, rect.cols - 1, text, STYLE_DIM);
        cells -= PEAK_COLS;
    }
    col += NAME_COLS + NUMBER_COLS + 1;
    for (int i = 0; i < cells; i++) {
        double mean, most;
        int level;

        column_values(chart, i, cells, &mean, &most);
        if (!isfinite(most))
            continue;
        level = 1 + (int)(most / top * 7 + 0.5);
        canvas_put(canvas, rect.row, col + i, fill_glyph(level, canvas->charset),
                   chart->hot > 0 && most > chart->hot ? STYLE_HOT : STYLE_FINE);
    }
}

void chart_draw(struct canvas *canvas, struct rect rect, const struct chart *chart, const struct chart_scale *scale)
{
    struct plot plot = {
        .row = rect.row + 1,
        .col = rect.col + LABEL_COLS,
        .rows = rect.rows - 2,
        .cols = chart_plot_cols(rect.cols),
        .top = scale->top > 0 ? scale->top : 1,
    };

    if (rect.rows <= 0 || rect.cols <= 0)
        return;
    if (rect.rows == 1) {
        draw_flat(canvas, rect, chart, plot.top);
        return;
    }
    draw_title(canvas, rect, chart);
    if (plot.rows < 1 || plot.cols < 4)
        return;
    draw_axis(canvas, rect, &plot, chart);
    draw_curve(canvas, &plot, chart);
}
