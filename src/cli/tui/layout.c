/* SPDX-License-Identifier: MIT */
#include "tui/layout.h"

#include <string.h>

/*
 * From which size on a pane is there. The order of the rows is the order of folding (each needs at least what the next
 * one needs), which the tests hold us to.
 */
static const struct fold {
    enum pane pane;
    int rows, cols;
} folds[] = {
    {PANE_OUTPUT, 24, 80}, {PANE_ALLOCATIONS, 21, 72}, {PANE_TABLE, 16, 56},
    {PANE_MEMORY, 12, 44}, {PANE_EVENTS, 9, 24},       {PANE_STRIP, 7, 24},
};

/* Below this, frames and titles cost more than they tell. */
enum { FRAME_MIN_ROWS = 5, FRAME_MIN_COLS = 21 };
/* From here on threads and descriptors get charts of their own. */
enum { FOUR_CHARTS_ROWS = 38 };

bool layout_has(const struct layout *layout, enum pane pane)
{
    return layout->panes[pane].rows > 0 && layout->panes[pane].cols > 0;
}

static bool fits(enum pane pane, int rows, int cols)
{
    for (size_t i = 0; i < sizeof(folds) / sizeof(*folds); i++)
        if (folds[i].pane == pane)
            return rows >= folds[i].rows && cols >= folds[i].cols;
    return true;
}

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

/* Splits ROWS rows at ROW between COUNT panes side by side, with a line between, by their WEIGHTS. */
static void split_columns(struct layout *layout, int row, int rows, int cols, const enum pane *panes,
                          const int *weights, int count)
{
    int room = cols - 2 - (count - 1), col = 1, total = 0;

    for (int i = 0; i < count; i++)
        total += weights[i];
    for (int i = 0; i < count; i++) {
        int width = i == count - 1 ? cols - 1 - col : room * weights[i] / total;

        layout->panes[panes[i]] = (struct rect){row, col, rows, width};
        col += width + 1;
    }
}

static void place_lower_panes(struct layout *layout, int row, int rows, int rows_all, int cols,
                              const struct layout_wish *wish)
{
    enum pane panes[3];
    int weights[3], count = 0;

    if (rows < 1 || !fits(PANE_EVENTS, rows_all, cols))
        return;
    if (fits(PANE_TABLE, rows_all, cols)) {
        panes[count] = PANE_TABLE;
        weights[count++] = 36;
    }
    if (wish->allocations && fits(PANE_ALLOCATIONS, rows_all, cols)) {
        panes[count] = PANE_ALLOCATIONS;
        weights[count++] = 30;
    }
    panes[count] = PANE_EVENTS;
    weights[count++] = 34;
    split_columns(layout, row, rows, cols, panes, weights, count);
}

static void place_charts(struct layout *layout, int row, int rows, int rows_all, int cols)
{
    static const enum pane first[] = {PANE_CPU, PANE_MEMORY}, second[] = {PANE_THREADS, PANE_FDS};
    static const int even[] = {1, 1};
    int count = fits(PANE_MEMORY, rows_all, cols) ? 2 : 1;

    if (rows_all >= FOUR_CHARTS_ROWS && count == 2) {
        int upper = (rows - 1) * 3 / 5;

        split_columns(layout, row, upper, cols, first, even, 2);
        split_columns(layout, row + upper + 1, rows - upper - 1, cols, second, even, 2);
    } else {
        split_columns(layout, row, rows, cols, first, even, count);
    }
}

/* One row a metric; returns how many were placed. */
static int place_compact(struct layout *layout, int row, int rows, int cols)
{
    rows = clamp(rows, 0, PANE_FDS - PANE_CPU + 1);
    for (int i = 0; i < rows; i++)
        layout->panes[PANE_CPU + i] = (struct rect){row + i, 1, 1, cols - 2};
    return rows;
}

void layout_compute(int rows, int cols, const struct layout_wish *wish, struct layout *layout)
{
    bool strip = fits(PANE_STRIP, rows, cols), output = wish->output && fits(PANE_OUTPUT, rows, cols);
    bool lower = fits(PANE_EVENTS, rows, cols);
    int inside, charts = 0, output_rows = 0, row = 1;

    memset(layout, 0, sizeof(*layout));
    if (rows <= 0 || cols <= 0)
        return;
    if (rows < FRAME_MIN_ROWS || cols < FRAME_MIN_COLS) {
        layout->one_line = true;
        layout->panes[PANE_HEADER] = (struct rect){0, 0, 1, cols};
        return;
    }
    layout->framed = true;
    layout->panes[PANE_HEADER] = (struct rect){0, 1, 1, cols - 2};
    layout->panes[PANE_FOOTER] = (struct rect){rows - 1, 1, 1, cols - 2};
    inside = rows - 2;
    if (wish->zoom != PANE_HEADER) {
        layout->panes[wish->zoom] = (struct rect){1, 1, inside, cols - 2};
        return;
    }

    if (output)
        output_rows = clamp(inside / 5, 3, 24);
    /* What is left is shared between charts and the panes below; each block but the last pays one line of frame. */
    int shared = inside - (strip ? 1 : 0) - (output ? output_rows + 1 : 0);

    if (wish->compact)
        charts = place_compact(layout, row, lower ? (shared < 8 ? shared / 2 : 4) : shared, cols);
    else
        charts = !lower ? shared : clamp(shared * 45 / 100, 3, rows >= FOUR_CHARTS_ROWS ? 26 : 14);
    if (charts > 0 && !wish->compact)
        place_charts(layout, row, charts, rows, cols);
    row += charts;
    if (strip)
        layout->panes[PANE_STRIP] = (struct rect){row++, 1, 1, cols - 2};
    place_lower_panes(layout, row, shared - charts, rows, cols, wish);
    if (output)
        layout->panes[PANE_OUTPUT] = (struct rect){rows - 1 - output_rows, 1, output_rows, cols - 2};
}

static bool on_right_edge(const struct rect *rect, const struct canvas *canvas)
{
    return rect->col + rect->cols >= canvas->cols - 1;
}

void layout_draw_frame(const struct layout *layout, struct canvas *canvas)
{
    if (!layout->framed)
        return;
    canvas_hline(canvas, 0, 0, canvas->cols);
    canvas_hline(canvas, canvas->rows - 1, 0, canvas->cols);
    canvas_vline(canvas, 0, 0, canvas->rows);
    canvas_vline(canvas, 0, canvas->cols - 1, canvas->rows);
    if (layout_has(layout, PANE_STRIP))
        canvas_hline(canvas, layout->panes[PANE_STRIP].row, 0, canvas->cols);
    if (layout_has(layout, PANE_OUTPUT) && layout->panes[PANE_OUTPUT].row > 1)
        canvas_hline(canvas, layout->panes[PANE_OUTPUT].row - 1, 0, canvas->cols);
    if (layout_has(layout, PANE_THREADS) && layout->panes[PANE_THREADS].rows > 1)
        canvas_hline(canvas, layout->panes[PANE_THREADS].row - 1, 0, canvas->cols);
    for (int pane = PANE_CPU; pane <= PANE_EVENTS; pane++) {
        const struct rect *rect = &layout->panes[pane];

        if (pane != PANE_STRIP && layout_has(layout, pane) && !on_right_edge(rect, canvas))
            canvas_vline(canvas, rect->row - 1, rect->col + rect->cols, rect->rows + 2);
    }
}
