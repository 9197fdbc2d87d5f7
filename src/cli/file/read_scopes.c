/* SPDX-License-Identifier: MIT */
#include "file/reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static int read_counts(struct session_reader *r, const struct table *table, const struct rs_scope_column *column)
{
    int64_t *values = table_ints(table, column->key, 0, column->kind == RS_FIGURE_U32 ? UINT32_MAX : 9.2e18);
    struct scope_row *rows = r->s->scopes.rows;

    if (!values)
        return reader_broken(r, "scopes");
    for (size_t i = 0; i < table->count; i++) {
        char *at = (char *)&rows[i].figures + column->offset;

        if (column->kind == RS_FIGURE_U32)
            *(uint32_t *)at = (uint32_t)values[i];
        else
            *(uint64_t *)at = (uint64_t)values[i];
    }
    free(values);
    return 0;
}

static int read_times(struct session_reader *r, const struct table *table, const struct rs_scope_column *column)
{
    struct scope_row *rows = r->s->scopes.rows;
    double *values = NULL;
    int rc = 0;

    if (slice_numbers(table->section, column->key, &values) != (int64_t)table->count)
        rc = reader_broken(r, "scopes");
    for (size_t i = 0; !rc && i < table->count; i++)
        *(double *)((char *)&rows[i].figures + column->offset) = values[i];
    free(values);
    return rc;
}

static int read_scope_figures(struct session_reader *r, const struct table *table)
{
    int rc = 0;

    for (size_t c = 0; !rc && c < RS_SCOPE_COLUMNS; c++) {
        const struct rs_scope_column *column = &rs_scope_columns[c];

        if (column->kind == RS_FIGURE_U32 || column->kind == RS_FIGURE_U64)
            rc = read_counts(r, table, column);
        else if (column->kind == RS_FIGURE_DOUBLE)
            rc = read_times(r, table, column);
    }
    return rc;
}

static int read_scope_rows(struct session_reader *r)
{
    const double names = r->name_count ? (double)r->name_count - 1 : 0;
    int64_t *parent, *name_of, *file, *process;
    struct session_scopes *scopes = &r->s->scopes;
    struct table table;
    int rc = table_open(r, "scopes", "parent", &table);

    if (rc || !table.section.len || !table.count)
        return rc;
    parent = table_ints(&table, "parent", -1, (double)table.count - 1);
    name_of = table_ints(&table, "name", 0, names);
    file = table_ints(&table, "file", 0, names);
    process = table_ints(&table, "process", 0, (double)r->s->process_count - 1);
    if (!parent || !name_of || !file || !process) {
        rc = reader_broken(r, "scopes");
        goto out;
    }
    scopes->rows = xcalloc(table.count, sizeof(*scopes->rows));
    scopes->row_count = table.count;
    for (size_t i = 0; !rc && i < table.count; i++) {
        scopes->rows[i] = (struct scope_row){.name = reader_name(r, name_of[i]),
                                             .file = reader_name(r, file[i]),
                                             .process = (uint32_t)process[i],
                                             .parent = (int32_t)parent[i]};
        if (parent[i] >= (int64_t)i)
            rc = reader_broken(r, "scopes");
    }
    if (!rc)
        rc = read_scope_figures(r, &table);
out:
    free(parent);
    free(name_of);
    free(file);
    free(process);
    return rc;
}

static int read_scope_clocks(struct session_reader *r)
{
    struct session_scopes *scopes = &r->s->scopes;
    struct json_slice section, member;
    const cJSON *o;
    cJSON *list;
    int rc = 0;

    if (!reader_section(r, "scopes", &section) || !slice_member(section, "clocks", &member))
        return 0;
    list = cJSON_ParseWithLength(member.text, member.len);
    cJSON_ArrayForEach(o, list)
    {
        if (item_uint(o, "process") >= r->s->process_count)
            rc = reader_broken(r, "scopes");
        scopes->clocks = xreallocarray(scopes->clocks, scopes->clock_count + 1, sizeof(*scopes->clocks));
        scopes->clocks[scopes->clock_count++] =
            (struct scope_clock){(uint32_t)item_uint(o, "process"),
                                 {.clock = rs_word(WORDS_SCOPE_CLOCK, item_word(o, "clock", WORDS_SCOPE_CLOCK)),
                                  .mode = rs_word(WORDS_SCOPE_MODE, item_word(o, "mode", WORDS_SCOPE_MODE)),
                                  .resolution_ns = item_number(o, "resolution_ns", 0),
                                  .overhead_ns = item_number(o, "overhead_ns", 0),
                                  .inside_ns = item_number(o, "inside_ns", 0),
                                  .precise_offset_ns = item_number(o, "precise_offset_ns", 0),
                                  .skipped = item_uint(o, "skipped"),
                                  .folded_paths = item_uint(o, "folded_paths"),
                                  .threads = item_uint(o, "threads")}};
    }
    cJSON_Delete(list);
    return rc;
}

/* The call that began at KEY and took TOOK_NS. */
static struct scope_call worst_call(const struct session_reader *r, const cJSON *o, const char *key, double took_ns)
{
    uint64_t took = took_ns > 0 && took_ns < 9e18 ? (uint64_t)(took_ns + 0.5) : 0;

    return (struct scope_call){item_at_ns(r, o, key) + took, took, item_number(o, "sigma", 0)};
}

static int read_outlier(struct session_reader *r, const cJSON *o)
{
    struct session_scopes *scopes = &r->s->scopes;
    struct scope_outlier outlier = {.name = item_text(r, o, "name"),
                                    .row = item_int32(o, "node", -1),
                                    .process = (uint32_t)item_uint(o, "process"),
                                    .call = worst_call(r, o, "ts", item_number(o, "duration_ns", 0))};

    if (outlier.row < -1 || outlier.row >= (int64_t)scopes->row_count || outlier.process >= r->s->process_count)
        return reader_broken(r, "outliers");
    scopes->outliers = xreallocarray(scopes->outliers, scopes->outlier_count + 1, sizeof(*scopes->outliers));
    scopes->outliers[scopes->outlier_count++] = outlier;
    return 0;
}

static int read_violation(struct session_reader *r, const cJSON *o)
{
    struct session_scopes *scopes = &r->s->scopes;
    struct scope_violation violation = {.name = item_text(r, o, "name"),
                                        .process = (uint32_t)item_uint(o, "process"),
                                        .budget_ns = item_uint(o, "budget_ns"),
                                        .count = item_uint(o, "count"),
                                        .worst = worst_call(r, o, "worst_ts", item_number(o, "worst_ns", 0))};

    if (violation.process >= r->s->process_count)
        return reader_broken(r, "budget_violations");
    scopes->violations = xreallocarray(scopes->violations, scopes->violation_count + 1, sizeof(*scopes->violations));
    scopes->violations[scopes->violation_count++] = violation;
    return 0;
}

static int read_task(struct session_reader *r, const cJSON *o)
{
    struct session_scopes *scopes = &r->s->scopes;
    struct scope_task task = {.name = item_text(r, o, "name"),
                              .process = (uint32_t)item_uint(o, "process"),
                              .figures = {.started = item_uint(o, "started"),
                                          .completed = item_uint(o, "completed"),
                                          .cancelled = item_uint(o, "cancelled"),
                                          .polls = item_uint(o, "polls"),
                                          .busy_ns = item_uint(o, "busy_ns"),
                                          .idle_ns = item_uint(o, "idle_ns"),
                                          .scheduled_ns = item_uint(o, "scheduled_ns"),
                                          .first_delay_ns = item_uint(o, "first_poll_delay_ns"),
                                          .lifetime_ns = item_uint(o, "lifetime_ns"),
                                          .max_poll_ns = item_uint(o, "max_poll_ns")}};

    if (task.process >= r->s->process_count)
        return reader_broken(r, "async_tasks");
    scopes->tasks = xreallocarray(scopes->tasks, scopes->task_count + 1, sizeof(*scopes->tasks));
    scopes->tasks[scopes->task_count++] = task;
    return 0;
}

int read_scopes(struct session_reader *r)
{
    int rc = read_scope_rows(r);

    if (!rc)
        rc = read_scope_clocks(r);
    if (!rc)
        rc = reader_objects(r, "outliers", read_outlier);
    if (!rc)
        rc = reader_objects(r, "budget_violations", read_violation);
    return rc ? rc : reader_objects(r, "async_tasks", read_task);
}
