/* SPDX-License-Identifier: MIT */
#include "file/reader.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

/* The sparse tables over time: an index by bucket (start), key columns and value columns. */

/* The bucket of every row, from the CSR index; NULL when the index does not fit the rows. */
static uint32_t *row_buckets(const struct table *table)
{
    uint32_t *buckets = xcalloc(table->count, sizeof(*buckets));
    double *start;
    int64_t count = slice_numbers(table->section, "start", &start);
    bool fits = count > 0 ? start[0] == 0 && start[count - 1] == (double)table->count : !table->count;

    for (int64_t b = 0; fits && b + 1 < count; b++) {
        fits = start[b + 1] >= start[b] && start[b + 1] <= (double)table->count && b < UINT32_MAX;
        for (size_t row = (size_t)start[b]; fits && row < (size_t)start[b + 1]; row++)
            buckets[row] = (uint32_t)b;
    }
    free(start);
    if (fits)
        return buckets;
    free(buckets);
    return NULL;
}

static int read_table(struct session_reader *r, const struct rs_row_table *form, struct rows *rows, size_t key_count,
                      const double *scale)
{
    int64_t *key = NULL, *key2 = NULL, *values[ROWS_MAX_VALUES] = {NULL};
    double *numbers = NULL;
    uint32_t *buckets = NULL;
    struct table table;
    int rc = table_open(r, form->section, form->key, &table);

    if (rc || !table.section.len)
        return rc;
    rc = reader_interval(r, form->section, table.section, &rows->interval_ns);
    if (rc)
        return rc;
    buckets = row_buckets(&table);
    key = table_ints(&table, form->key, 0, (double)key_count - 1);
    key2 = table_ints(&table, form->thread ? form->thread : "", -1, (double)UINT32_MAX);
    if (!buckets || !key || !key2)
        rc = reader_broken(r, form->section);
    for (unsigned v = 0; !rc && v < rows->value_count; v++) {
        values[v] = xcalloc(table.count, sizeof(*values[v]));
        free(numbers);
        if (slice_numbers(table.section, form->values[v], &numbers) != (int64_t)table.count)
            rc = reader_broken(r, form->section);
        for (size_t i = 0; !rc && i < table.count; i++)
            values[v][i] = isfinite(numbers[i]) && fabs(numbers[i]) < 1e15 ? (int64_t)(numbers[i] * scale[v]) : 0;
    }
    for (size_t i = 0; !rc && i < table.count; i++) {
        const int64_t row[ROWS_MAX_VALUES] = {values[0][i], values[1] ? values[1][i] : 0, values[2] ? values[2][i] : 0};

        rows_add(rows, buckets[i] * rows->interval_ns, (uint32_t)key[i], key2[i] < 0 ? ROWS_NO_KEY2 : (uint32_t)key2[i],
                 row);
    }
    free(buckets);
    free(key);
    free(key2);
    free(numbers);
    for (unsigned v = 0; v < ROWS_MAX_VALUES; v++)
        free(values[v]);
    return rc;
}

int read_rows(struct session_reader *r)
{
    const double one[] = {1, 1, 1};
    double process_scale[] = {0, 1e6, 1e6};
    struct session *s = r->s;
    struct json_slice section;
    uint64_t interval_ns;
    int rc = 0;

    if (reader_section(r, rs_process_table.section, &section)) {
        rc = reader_interval(r, rs_process_table.section, section, &interval_ns);
        process_scale[0] = rc ? 0 : (double)interval_ns / 100.0;
    }
    if (!rc)
        rc = read_table(r, &rs_process_table, &s->process_rows, s->process_count, process_scale);
    if (!rc)
        rc = read_table(r, &rs_cpu_table, &s->cpu_rows, s->tree.node_count, one);
    if (!rc)
        rc = read_table(r, &rs_offcpu_table, &s->offcpu_rows, s->tree.node_count, one);
    return rc ? rc : read_table(r, &rs_alloc_table, &s->alloc_rows, s->tree.node_count, one);
}
