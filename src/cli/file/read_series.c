/* SPDX-License-Identifier: MIT */
#include "file/reader.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

/* The metrics over time: one sample a second, and the timeline. */

static void set_point(struct series *series, size_t column_index, size_t point, double value)
{
    struct series_column *c = &series->columns[column_index];

    if (point >= series->capacity)
        return;
    if (point >= series->count)
        series->count = point + 1;
    if (!isfinite(value))
        return;
    c->value[point] = (float)value;
    c->weight[point] = 1;
}

static int read_sample(struct session_reader *r, const cJSON *o)
{
    struct series *samples = &r->s->samples;
    size_t point = samples->count;
    double interval_sec = item_number(o, "interval_sec", 1);

    if (point >= samples->capacity)
        return reader_broken(r, "samples");
    if (!point && interval_sec >= 0.001 && interval_sec < 1e9)
        samples->interval_ns = (uint64_t)(interval_sec * 1e9);
    samples->count = point + 1;
    for (size_t i = 0; i < RS_SAMPLE_COLUMNS; i++) {
        const struct rs_metric_column *m = &rs_sample_columns[i];

        if (r->s->allocations.measured || (m->column != METRIC_HEAP_BYTES && m->column != SAMPLES_HEAP_PEAK_BYTES))
            set_point(samples, m->column, point, item_number(o, m->key, NAN) * m->unit);
    }
    return 0;
}

static int read_series_column(struct session_reader *r, struct json_slice object, const char *key,
                              struct series *series, size_t column_index, double scale)
{
    struct json_slice array;
    double *numbers;
    int64_t count;

    if (!slice_member(object, key, &array)) /* an older or a smaller session lacks it */
        return 0;
    count = slice_numbers(object, key, &numbers);
    if (count > (int64_t)series->capacity)
        count = -1;
    for (int64_t i = 0; i < count; i++)
        set_point(series, column_index, (size_t)i, numbers[i] * scale);
    free(numbers);
    return count < 0 ? reader_broken(r, "timeline") : 0;
}

static int read_counters(struct session_reader *r, struct json_slice counters)
{
    const enum series_merge mean = SERIES_MEAN;
    struct json_slice key, value;
    struct json_scan scan;
    int rc = 0;

    if (!json_scan_begin(&scan, counters, '{'))
        return reader_broken(r, "timeline");
    while (!rc && json_scan_next(&scan, &key, &value)) {
        struct counter_track *track;

        r->s->counters = xreallocarray(r->s->counters, r->s->counter_count + 1, sizeof(*r->s->counters));
        track = &r->s->counters[r->s->counter_count++];
        track->name = strings_add(&r->s->strings, key.text, key.len);
        series_init(&track->values, TIMELINE_INTERVAL_MS * 1000000ull, TIMELINE_POINTS, 1, &mean);
        rc = reader_interval(r, "timeline", value, &track->values.interval_ns);
        if (!rc)
            rc = read_series_column(r, value, "value", &track->values, 0, 1);
    }
    return rc ? rc : scan.broken ? reader_broken(r, "timeline") : 0;
}

static int read_timeline(struct session_reader *r)
{
    struct json_slice section, counters;
    int rc;

    if (!reader_section(r, "timeline", &section))
        return 0;
    rc = reader_interval(r, "timeline", section, &r->s->timeline.interval_ns);
    for (size_t i = 0; !rc && i < RS_TIMELINE_COLUMNS; i++) {
        const struct rs_metric_column *m = &rs_timeline_columns[i];

        if (r->s->allocations.measured || m->column != METRIC_HEAP_BYTES)
            rc = read_series_column(r, section, m->key, &r->s->timeline, m->column, m->unit);
    }
    if (!rc && slice_member(section, "counters", &counters))
        rc = read_counters(r, counters);
    return rc;
}

int read_series(struct session_reader *r)
{
    int rc = reader_objects(r, "samples", read_sample);

    return rc ? rc : read_timeline(r);
}
