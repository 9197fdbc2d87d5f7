/* SPDX-License-Identifier: MIT */
#include "session/series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void series_init(struct series *series, uint64_t interval_ns, size_t capacity, size_t column_count,
                 const enum series_merge *merges)
{
    *series = (struct series){.interval_ns = interval_ns, .capacity = capacity, .column_count = column_count};
    series->columns = xcalloc(column_count, sizeof(*series->columns));
    for (size_t c = 0; c < column_count; c++) {
        series->columns[c].merge = merges[c];
        series->columns[c].value = xcalloc(capacity, sizeof(float));
        series->columns[c].weight = xcalloc(capacity, sizeof(float));
    }
}

void series_release(struct series *series)
{
    for (size_t c = 0; c < series->column_count; c++) {
        free(series->columns[c].value);
        free(series->columns[c].weight);
    }
    free(series->columns);
    *series = (struct series){0};
}

static void merge_into(struct series_column *column, size_t point, float value, float weight)
{
    float *v = &column->value[point], *w = &column->weight[point];

    if (weight <= 0)
        return;
    if (*w <= 0)
        *v = value;
    else if (column->merge == SERIES_MEAN)
        *v += (value - *v) * (weight / (*w + weight));
    else if (column->merge == SERIES_MAX)
        *v = fmaxf(*v, value);
    else
        *v += value;
    *w += weight;
}

static void merge_pairs(struct series *series)
{
    size_t half = (series->count + 1) / 2;

    for (size_t c = 0; c < series->column_count; c++) {
        struct series_column *column = &series->columns[c];

        for (size_t i = 0; i < half; i++) {
            column->value[i] = column->value[2 * i];
            column->weight[i] = column->weight[2 * i];
            if (2 * i + 1 < series->count)
                merge_into(column, i, column->value[2 * i + 1], column->weight[2 * i + 1]);
        }
        memset(column->weight + half, 0, (series->capacity - half) * sizeof(float));
    }
    series->count = half;
    series->interval_ns *= 2;
}

static size_t point_at(struct series *series, uint64_t at_ns)
{
    size_t point;

    while (at_ns / series->interval_ns >= series->capacity)
        merge_pairs(series);
    point = (size_t)(at_ns / series->interval_ns);
    if (point >= series->count)
        series->count = point + 1;
    return point;
}

void series_put(struct series *series, size_t column, uint64_t at_ns, double value)
{
    size_t point = point_at(series, at_ns);

    if (isfinite(value))
        merge_into(&series->columns[column], point, (float)value, 1);
}

void series_put_span(struct series *series, size_t column, uint64_t from_ns, uint64_t to_ns, double value)
{
    struct series_column *c = &series->columns[column];
    double span_ns = (double)(to_ns - from_ns);
    size_t first, last;

    if (!isfinite(value) || to_ns <= from_ns)
        return;
    last = point_at(series, to_ns - 1);
    first = (size_t)(from_ns / series->interval_ns);
    for (size_t point = first; point <= last; point++) {
        uint64_t begin = point * series->interval_ns, end = begin + series->interval_ns;
        double overlap_ns = (double)((to_ns < end ? to_ns : end) - (from_ns > begin ? from_ns : begin));
        double part = c->merge == SERIES_SUM ? value * (overlap_ns / span_ns) : value;

        merge_into(c, point, (float)part, (float)(overlap_ns / 1e6));
    }
}

void series_raise_span(struct series *series, size_t column, uint64_t from_ns, uint64_t to_ns, double value)
{
    struct series_column *c = &series->columns[column];
    size_t last;

    if (!isfinite(value) || to_ns <= from_ns)
        return;
    last = point_at(series, to_ns - 1);
    for (size_t point = (size_t)(from_ns / series->interval_ns); point <= last; point++) {
        uint64_t begin = point * series->interval_ns, end = begin + series->interval_ns;
        float overlap_ms = (float)((to_ns < end ? to_ns : end) - (from_ns > begin ? from_ns : begin)) / 1e6f;

        if (c->weight[point] > 0)
            c->value[point] += (float)value * (overlap_ms / c->weight[point]);
        else
            merge_into(c, point, (float)value, overlap_ms);
    }
}

void series_settle_last(struct series *series, size_t column, uint64_t at_least_ns)
{
    struct series_column *c = &series->columns[column];
    const float whole_ms = (float)at_least_ns / 1e6f;
    size_t last = series->count ? series->count - 1 : 0;

    if (!last || c->weight[last] <= 0 || c->weight[last - 1] <= 0 || c->weight[last] >= whole_ms)
        return;
    c->value[last] += (c->value[last - 1] - c->value[last]) * (1 - c->weight[last] / whole_ms);
}

double series_get(const struct series *series, size_t column, size_t point)
{
    const struct series_column *c = &series->columns[column];

    return point < series->count && c->weight[point] > 0 ? c->value[point] : NAN;
}
