/* SPDX-License-Identifier: MIT */
#pragma once

#include "text/canvas.h"

/*
 * A chart of one quantity over time: title with the current value and the peak, a filled curve that enters from the
 * right, an axis with labels, the span of time below. Pure functions over a canvas.
 *
 *      CPU %  98                           peak 98
 *      100 ┤                              ▁▃▆█▇▃
 *       50 ┤        ▂▄▂       ▂▅▇██▅▃▄▆▇█████████
 *        0 ┼ -60 s ────────────────────────── now
 *
 * In a rectangle of one row it is the numbers and a sparkline.
 */
enum chart_unit { CHART_PERCENT, CHART_BYTES, CHART_COUNT };

/* A scale is kept from frame to frame: it only grows, in steps of 1, 2, 5 x 10^n, so that the picture stays put. */
struct chart_scale {
    double top;
};
void chart_scale_grow(struct chart_scale *scale, double value);

struct chart {
    const char *title;
    enum chart_unit unit;
    const double *values; /* the newest last; NaN where unknown */
    size_t count;
    size_t first;          /* absolute index of values[0]: keeps columns from changing their share of points */
    double interval_s;     /* between values */
    double now, peak;      /* for the title, NaN when unknown */
    double hot;            /* values above are drawn hot; NaN or 0: never */
    size_t points_per_col; /* how many values one column covers, at least 1 */
};

void chart_draw(struct canvas *canvas, struct rect rect, const struct chart *chart, const struct chart_scale *scale);
/* Columns left for the curve in a chart that is COLS wide. */
int chart_plot_cols(int cols);
/* VALUE as an axis label or title: "100", "57.0 MB", "31". */
struct fmt chart_label(enum chart_unit unit, double value);
