/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Columns over time at one interval, bounded: when the series is full, neighbouring points are merged in pairs and the
 * interval doubles, so a session of a day needs no more memory than one of ten minutes. Late data may go to any point
 * that exists; points without data are NaN.
 */
enum series_merge {
    SERIES_MEAN, /* weighted by how much time (or how many readings) went in */
    SERIES_MAX,
    SERIES_SUM, /* an amount in the interval */
};

struct series_column {
    enum series_merge merge;
    float *value;
    float *weight; /* 0: no data */
};

struct series {
    uint64_t interval_ns;
    size_t capacity; /* even */
    size_t count;
    size_t column_count;
    struct series_column *columns;
};

/* MERGES[COLUMN_COUNT] says how each column merges. CAPACITY must be even. */
void series_init(struct series *series, uint64_t interval_ns, size_t capacity, size_t column_count,
                 const enum series_merge *merges);
void series_release(struct series *series);

/* One reading at AT_NS (from the session's start). */
void series_put(struct series *series, size_t column, uint64_t at_ns, double value);

/*
 * What holds for the whole span FROM_NS..TO_NS: for SERIES_MEAN and SERIES_MAX columns VALUE is a level or a rate and
 * enters every point that the span touches (weighted by the overlap); for SERIES_SUM it is an amount, spread evenly.
 */
void series_put_span(struct series *series, size_t column, uint64_t from_ns, uint64_t to_ns, double value);

/*
 * For SERIES_MEAN columns: VALUE on top of what was put for the span before, as if each reading in it had been higher
 * by so much. Points without data get VALUE itself.
 */
void series_raise_span(struct series *series, size_t column, uint64_t from_ns, uint64_t to_ns, double value);

/*
 * At the end, for SERIES_MEAN columns: the last point seldom covers its whole time, and a mean over next to no time
 * means nothing. It becomes the mean of the last AT_LEAST_NS, with what it lacks from the point before it.
 */
void series_settle_last(struct series *series, size_t column, uint64_t at_least_ns);

/* The value of POINT, NaN where there is none. */
double series_get(const struct series *series, size_t column, size_t point);
