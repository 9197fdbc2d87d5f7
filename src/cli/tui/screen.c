/* SPDX-License-Identifier: MIT */
#include "tui/screen.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const enum pane chart_panes[SCREEN_METRICS] = {PANE_CPU, PANE_MEMORY, PANE_THREADS, PANE_FDS};

void screen_ui_init(struct screen_ui *ui)
{
    *ui = (struct screen_ui){.focus = PANE_EVENTS, .span_s = 30};
    ui->scales[SCREEN_CPU].top = 100;
    ui->scales[SCREEN_MEMORY].top = 10e6;
    ui->scales[SCREEN_THREADS].top = 10;
    ui->scales[SCREEN_FDS].top = 20;
}

void screen_layout(const struct screen_model *model, const struct screen_ui *ui, int rows, int cols,
                   struct layout *layout)
{
    struct layout_wish wish = {
        .output = model->has_output,
        .allocations = model->allocations.count > 0,
        .compact = ui->compact,
        .zoom = ui->zoom ? ui->focus : PANE_HEADER,
    };

    layout_compute(rows, cols, &wish, layout);
    /* Whoever types to the program must see it, however small the screen is. */
    if (ui->focus == PANE_OUTPUT && !layout_has(layout, PANE_OUTPUT) && !layout->one_line) {
        wish.zoom = PANE_OUTPUT;
        layout_compute(rows, cols, &wish, layout);
    }
}

static size_t points_per_col(const struct screen_ui *ui, int plot_cols, double interval_s)
{
    double per = plot_cols > 0 && interval_s > 0 ? ui->span_s / interval_s / plot_cols : 1;

    return per < 1 ? 1 : (size_t)(per + 0.5);
}

size_t screen_points_wanted(const struct screen_ui *ui, const struct layout *layout, double interval_s)
{
    size_t most = 64; /* the sparklines of the strip */

    for (int i = 0; i < SCREEN_METRICS; i++) {
        int cols = chart_plot_cols(layout->panes[chart_panes[i]].cols);
        size_t points = ((size_t)cols + 1) * points_per_col(ui, cols, interval_s);

        most = points > most ? points : most;
    }
    return most;
}

/* "─ text " pieces of a line that is already drawn: TEXT with a blank on each side. */
static int put_label(struct canvas *canvas, int row, int col, int cols, const char *text, enum style style)
{
    char spaced[256];

    snprintf(spaced, sizeof(spaced), " %s ", text);
    return fmt_cols(spaced, canvas->charset) <= cols ? canvas_text(canvas, row, col, cols, spaced, style) : 0;
}

static void draw_one_line(struct canvas *canvas, struct rect rect, const struct screen_model *model)
{
    const struct screen_series *series = model->series;
    char parts[6][40];
    int col = rect.col, end = rect.col + rect.cols;
    bool hot = series[SCREEN_CPU].now > model->hot_cpu_pct;

    snprintf(parts[0], sizeof(parts[0]), "CPU %s", fmt_pct(series[SCREEN_CPU].now).s);
    snprintf(parts[1], sizeof(parts[1]), "%s", fmt_bytes(series[SCREEN_MEMORY].now).s);
    snprintf(parts[2], sizeof(parts[2]), "thr %s", fmt_si(series[SCREEN_THREADS].now, "").s);
    snprintf(parts[3], sizeof(parts[3]), "fds %s", fmt_si(series[SCREEN_FDS].now, "").s);
    snprintf(parts[4], sizeof(parts[4]), "events %zu", model->event_count);
    snprintf(parts[5], sizeof(parts[5]), "%s", fmt_clock(model->elapsed_s).s);
    for (int i = 0; i < 6; i++) {
        int gap = col > rect.col ? 2 : 0;

        if (col + gap + fmt_cols(parts[i], canvas->charset) > end)
            break;
        col += gap;
        col += canvas_text(canvas, rect.row, col, end - col, parts[i], i == 0 && hot ? STYLE_HOT : STYLE_NORMAL);
    }
    /* Not even the first part fits: its number alone. */
    if (col == rect.col)
        canvas_printf(canvas, rect.row, rect.col, rect.cols, STYLE_NORMAL, "%.0f", series[SCREEN_CPU].now);
    if (model->flash)
        canvas_restyle(canvas, rect, STYLE_FLASH);
}

static void draw_header(struct canvas *canvas, struct rect rect, const struct screen_model *model,
                        const struct screen_ui *ui)
{
    char events[40], pid[24], program[176];
    int end = rect.col + rect.cols, col = rect.col, room;

    if (model->flash)
        end -= put_label(canvas, rect.row, end - 11, rect.cols, "[!] SPIKE", STYLE_FLASH) ? 12 : 0;
    snprintf(events, sizeof(events), "EVENTS %zu", model->event_count);
    room = fmt_cols(events, canvas->charset) + 2;
    if (end - col > room + 12) {
        put_label(canvas, rect.row, end - room, room, events, model->event_count ? STYLE_SPIKE : STYLE_NORMAL);
        end -= room + 1;
    }
    snprintf(pid, sizeof(pid), "pid %d", model->pid);
    const char *state = ui->paused ? "display paused" : model->state;
    const char *parts[] = {fmt_clock(model->elapsed_s).s, state, pid};
    struct fmt clock = fmt_clock(model->elapsed_s);
    int part_cols[3], taken = 0;

    parts[0] = clock.s;
    for (int i = 0; i < 3; i++)
        part_cols[i] = fmt_cols(parts[i], canvas->charset) + 3;
    /* The name gets what is left; time, state and pid go in this order of need. */
    int kept = 0;
    while (kept < 3 && taken + part_cols[kept] + 8 <= end - col)
        taken += part_cols[kept++];
    if (end - col - taken >= 24) {
        col += put_label(canvas, rect.row, col, end - col, "rustscope", STYLE_TITLE) + 1;
    }
    fmt_fit(program, sizeof(program), model->program, end - col - taken - 3, canvas->charset);
    if (*program)
        col += put_label(canvas, rect.row, col, end - col, program, STYLE_TITLE) + 1;
    if (kept > 2)
        col += put_label(canvas, rect.row, col, end - col, parts[2], STYLE_NORMAL) + 1;
    for (int i = 0; i < kept && i < 2; i++)
        col +=
            put_label(canvas, rect.row, col, end - col, parts[i], i == 1 && ui->paused ? STYLE_HOT : STYLE_NORMAL) + 1;
}

static void draw_footer(struct canvas *canvas, struct rect rect, const struct screen_ui *ui)
{
    bool utf8 = canvas->charset == CHARSET_UTF8;
    const char *arrows = utf8 ? "↑↓ scroll" : "arrows scroll";
    const char *keys[] = {"q stop", "p pause",   "Tab pane",  arrows,     "t table",
                          "z zoom", "c compact", "f/s speed", "+/- span", "? help"};
    const char *typing[] = {"keys go to the program", "Tab back", "Ctrl-C interrupt"};
    const char **list = ui->focus == PANE_OUTPUT ? typing : keys;
    size_t count = ui->focus == PANE_OUTPUT ? 3 : sizeof(keys) / sizeof(*keys);
    int col = rect.col, end = rect.col + rect.cols;

    /* The last key, help, is always there: it tells about those that did not fit. */
    int reserve = ui->focus == PANE_OUTPUT ? 0 : 8;
    for (size_t i = 0; i < count; i++) {
        int needed = fmt_cols(list[i], canvas->charset) + 2;

        if (i + 1 == count)
            reserve = 0;
        if (col + needed > end - reserve)
            continue;
        col += put_label(canvas, rect.row, col, end - col, list[i], STYLE_NORMAL);
    }
}

static void draw_strip(struct canvas *canvas, struct rect rect, const struct screen_model *model,
                       const struct screen_ui *ui, const struct layout *layout)
{
    char parts[8][256], spark[64 * 3 + 1];
    int count = 0, col = rect.col, end = rect.col + rect.cols;
    static const struct {
        enum screen_metric metric;
        const char *label;
    } sparks[] = {{SCREEN_CPU, "CPU"}, {SCREEN_MEMORY, NULL}, {SCREEN_THREADS, "threads"}, {SCREEN_FDS, "fds"}};
    int cells = rect.cols >= 120 ? 14 : rect.cols >= 76 ? 8 : 6;

    for (size_t i = 0; i < sizeof(sparks) / sizeof(*sparks); i++) {
        const struct screen_series *series = &model->series[sparks[i].metric];
        enum chart_unit unit = i == 0 ? CHART_PERCENT : i == 1 ? CHART_BYTES : CHART_COUNT;
        size_t shown = series->count < 64 ? series->count : 64;

        if (layout_has(layout, chart_panes[i]))
            continue;
        fmt_sparkline(spark, sizeof(spark), series->values + series->count - shown, shown, shown ? cells : 0,
                      ui->scales[i].top, canvas->charset);
        snprintf(parts[count++], sizeof(parts[0]), "%s %s %s", i == 1 ? model->memory_title : sparks[i].label,
                 chart_label(unit, series->now).s, spark);
    }
    if (isfinite(model->alloc_bytes_per_s))
        snprintf(parts[count++], sizeof(parts[0]), "alloc %s/s", fmt_bytes(model->alloc_bytes_per_s).s);
    if (isfinite(model->read_bytes_per_s) || isfinite(model->write_bytes_per_s))
        snprintf(parts[count++], sizeof(parts[0]), "disk r %s/s w %s/s", fmt_bytes(model->read_bytes_per_s).s,
                 fmt_bytes(model->write_bytes_per_s).s);
    for (int i = 0; i < count; i++) {
        if (fmt_cols(parts[i], canvas->charset) + 2 > end - col)
            break;
        col += put_label(canvas, rect.row, col, end - col, parts[i], STYLE_NORMAL) + 2;
    }
}

static void draw_charts(struct canvas *canvas, const struct layout *layout, const struct screen_model *model,
                        struct screen_ui *ui)
{
    static const enum chart_unit units[] = {CHART_PERCENT, CHART_BYTES, CHART_COUNT, CHART_COUNT};
    const char *titles[] = {"CPU", model->memory_title, "threads", "descriptors"};

    for (int i = 0; i < SCREEN_METRICS; i++) {
        const struct screen_series *series = &model->series[i];
        const struct rect *rect = &layout->panes[chart_panes[i]];
        struct chart chart = {
            .title = titles[i],
            .unit = units[i],
            .values = series->values,
            .count = series->count,
            .first = series->first,
            .interval_s = model->interval_s,
            .now = series->now,
            .peak = series->peak,
            .hot = i == SCREEN_CPU ? model->hot_cpu_pct : NAN,
            .points_per_col = points_per_col(ui, chart_plot_cols(rect->cols), model->interval_s),
        };

        chart_scale_grow(&ui->scales[i], series->peak);
        if (layout_has(layout, chart_panes[i]))
            chart_draw(canvas, *rect, &chart, &ui->scales[i]);
    }
}

static int clamp_scroll(struct screen_ui *ui, enum pane pane, size_t lines, int visible)
{
    int most = (int)lines - visible;

    if (ui->scroll[pane] > most)
        ui->scroll[pane] = most;
    if (ui->scroll[pane] < 0)
        ui->scroll[pane] = 0;
    return ui->scroll[pane];
}

static enum style title_style(const struct screen_ui *ui, enum pane pane)
{
    return ui->focus == pane ? STYLE_FOCUS : STYLE_TITLE;
}

enum { COLUMN_COLS = 9, NAME_MIN_COLS = 12 };

/* How many of the table's number columns fit beside a readable name. */
static int columns_that_fit(const struct screen_table *table, int cols)
{
    int count = 0;

    while (count < 3 && table->headings[count] && cols - (count + 1) * COLUMN_COLS >= NAME_MIN_COLS)
        count++;
    return count;
}

static void draw_table(struct canvas *canvas, struct rect rect, const struct screen_table *table, struct screen_ui *ui,
                       enum pane pane)
{
    int visible = rect.rows - 1, columns = columns_that_fit(table, rect.cols - 2);
    int name_cols = rect.cols - 2 - columns * COLUMN_COLS;
    int top = clamp_scroll(ui, pane, table->count, visible);

    canvas_printf(canvas, rect.row, rect.col, name_cols + 1, title_style(ui, pane), " %s ", table->title);
    for (int i = 0; table->count && i < columns; i++)
        canvas_text_right(canvas, rect.row, rect.col + 1 + name_cols + i * COLUMN_COLS, COLUMN_COLS, table->headings[i],
                          STYLE_DIM);
    if (!table->count && table->empty)
        canvas_text(canvas, rect.row + 1, rect.col + 1, visible > 0 ? rect.cols - 2 : 0, table->empty, STYLE_DIM);
    for (int line = 0; line < visible && top + line < (int)table->count; line++) {
        const struct screen_row *row = &table->rows[top + line];

        canvas_text(canvas, rect.row + 1 + line, rect.col + 1, name_cols, row->name, row->style);
        for (int i = 0; i < columns; i++)
            canvas_text_right(canvas, rect.row + 1 + line, rect.col + 1 + name_cols + i * COLUMN_COLS, COLUMN_COLS,
                              row->columns[i], row->style);
    }
}

/* Lines of the events pane: one for each event, and one more where there is something to add. */
static size_t event_lines(const struct screen_model *model)
{
    size_t lines = 0;

    for (size_t i = 0; i < model->event_count; i++)
        lines += model->events[i].detail[0] ? 2 : 1;
    return lines;
}

static void draw_events(struct canvas *canvas, struct rect rect, const struct screen_model *model, struct screen_ui *ui)
{
    int visible = rect.rows - 1, cols = rect.cols - 2;
    size_t lines = event_lines(model), line = 0;
    int back = clamp_scroll(ui, PANE_EVENTS, lines, visible);
    int first = (int)lines - visible - back;

    if (back)
        canvas_printf(canvas, rect.row, rect.col, rect.cols, title_style(ui, PANE_EVENTS), " Events (%d newer) ", back);
    else
        canvas_text(canvas, rect.row, rect.col, rect.cols, " Events ", title_style(ui, PANE_EVENTS));
    if (!model->event_count && visible > 0)
        canvas_text(canvas, rect.row + 1, rect.col + 1, cols, "none so far", STYLE_DIM);
    first = first < 0 ? 0 : first;
    for (size_t i = 0; i < model->event_count; i++) {
        const struct screen_event *event = &model->events[i];
        int row = rect.row + 1 + (int)line - first;
        const char *mark = !event->spike ? " " : canvas->charset == CHARSET_UTF8 ? "▲" : "!";

        if (row > rect.row && row < rect.row + rect.rows)
            canvas_printf(canvas, row, rect.col + 1, cols, event->spike ? STYLE_SPIKE : STYLE_NORMAL, "%s %s %s",
                          fmt_clock(event->at_s).s, mark, event->text);
        line++;
        if (!event->detail[0])
            continue;
        row = rect.row + 1 + (int)line - first;
        if (row > rect.row && row < rect.row + rect.rows)
            canvas_printf(canvas, row, rect.col + 1, cols, STYLE_DIM, "  %s", event->detail);
        line++;
    }
}

static void draw_output(struct canvas *canvas, struct rect rect, bool on_frame, const struct screen_model *model,
                        struct screen_ui *ui)
{
    int back = clamp_scroll(ui, PANE_OUTPUT, model->output_count, rect.rows);
    int first = (int)model->output_count - rect.rows - back;
    int title_row = on_frame ? rect.row - 1 : rect.row;
    char title[64];

    snprintf(title, sizeof(title), back ? "Output (%d lines below)" : "Output", back);
    first = first < 0 ? 0 : first;
    for (int line = 0; line < rect.rows && first + line < (int)model->output_count; line++)
        canvas_text(canvas, rect.row + line, rect.col + 1, rect.cols - 2,
                    model->output_line(model->output_ctx, (size_t)(first + line)), STYLE_NORMAL);
    put_label(canvas, title_row, rect.col, rect.cols, title, title_style(ui, PANE_OUTPUT));
}

static void draw_help(struct canvas *canvas, const struct screen_ui *ui)
{
    static const char *const lines[] = {
        "q        end the program and write the report",
        "Ctrl-C   interrupt the program; twice: end now",
        "Ctrl-Z   stop both; fg goes on",
        "p        pause the display, recording goes on",
        "Tab      next pane; in Output keys go to the program",
        "arrows   scroll the pane, also PgUp, PgDn, Home, End",
        "t        functions, processes, threads",
        "z        the pane alone on the screen",
        "c        compact: no charts",
        "+ -      more or less time in the charts",
        "f s      faster, slower refresh",
        "?        close this help",
    };
    int count = (int)(sizeof(lines) / sizeof(*lines)), width = 58;
    int rows = count + 2 < canvas->rows ? count + 2 : canvas->rows;
    int cols = width < canvas->cols ? width : canvas->cols;
    int row = (canvas->rows - rows) / 2, col = (canvas->cols - cols) / 2;

    (void)ui;
    if (rows < 3 || cols < 12)
        return;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++)
            canvas_put(canvas, row + i, col + j, ' ', STYLE_NORMAL);
    canvas_hline(canvas, row, col, cols);
    canvas_hline(canvas, row + rows - 1, col, cols);
    canvas_vline(canvas, row, col, rows);
    canvas_vline(canvas, row, col + cols - 1, rows);
    put_label(canvas, row, col + 1, cols - 2, "Keys", STYLE_TITLE);
    for (int i = 0; i < rows - 2; i++)
        canvas_text(canvas, row + 1 + i, col + 2, cols - 4, lines[i], STYLE_NORMAL);
}

void screen_draw(struct canvas *canvas, const struct screen_model *model, struct screen_ui *ui)
{
    struct layout layout;
    const struct rect *panes = layout.panes;

    screen_layout(model, ui, canvas->rows, canvas->cols, &layout);
    canvas_clear(canvas);
    if (layout.one_line) {
        draw_one_line(canvas, panes[PANE_HEADER], model);
        return;
    }
    layout_draw_frame(&layout, canvas);
    if (!layout_has(&layout, PANE_HEADER))
        return;
    draw_header(canvas, panes[PANE_HEADER], model, ui);
    draw_footer(canvas, panes[PANE_FOOTER], ui);
    draw_charts(canvas, &layout, model, ui);
    if (layout_has(&layout, PANE_STRIP))
        draw_strip(canvas, panes[PANE_STRIP], model, ui, &layout);
    if (layout_has(&layout, PANE_TABLE))
        draw_table(canvas, panes[PANE_TABLE], &model->tables[ui->table], ui, PANE_TABLE);
    if (layout_has(&layout, PANE_ALLOCATIONS))
        draw_table(canvas, panes[PANE_ALLOCATIONS], &model->allocations, ui, PANE_ALLOCATIONS);
    if (layout_has(&layout, PANE_EVENTS))
        draw_events(canvas, panes[PANE_EVENTS], model, ui);
    if (layout_has(&layout, PANE_OUTPUT))
        draw_output(canvas, panes[PANE_OUTPUT], panes[PANE_OUTPUT].row > 0, model, ui);
    if (ui->help)
        draw_help(canvas, ui);
}
