/* SPDX-License-Identifier: MIT */
#include "file/reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Whole-number columns of the scopes table, by where they go in struct rustscope_function. */
static const struct {
    const char *key;
    size_t offset;
} scope_counts[] =
    {
        {"calls", offsetof(struct rustscope_function, calls)},
        {"timed_calls", offsetof(struct rustscope_function, timed_calls)},
        {"alloc_bytes", offsetof(struct rustscope_function, alloc_bytes)},
        {"outlier_count", offsetof(struct rustscope_function, outlier_count)},
        {"budget_violations", offsetof(struct rustscope_function, budget_violations)},
},
  scope_times[] = {
      {"total_ns", offsetof(struct rustscope_function, total_ns)},
      {"self_ns", offsetof(struct rustscope_function, self_ns)},
      {"min_ns", offsetof(struct rustscope_function, min_ns)},
      {"mean_ns", offsetof(struct rustscope_function, mean_ns)},
      {"stddev_ns", offsetof(struct rustscope_function, stddev_ns)},
      {"p50_ns", offsetof(struct rustscope_function, p50_ns)},
      {"p95_ns", offsetof(struct rustscope_function, p95_ns)},
      {"p99_ns", offsetof(struct rustscope_function, p99_ns)},
      {"max_ns", offsetof(struct rustscope_function, max_ns)},
};

static int read_scope_figures(struct session_reader *r, const struct table *table)
{
    struct scope_row *rows = r->s->scopes.rows;
    int rc = 0;

    for (size_t c = 0; !rc && c < sizeof(scope_counts) / sizeof(*scope_counts); c++) {
        int64_t *values = table_ints(table, scope_counts[c].key, 0, 9.2e18);

        if (!values)
            return reader_broken(r, "scopes");
        for (size_t i = 0; i < table->count; i++)
            *(uint64_t *)((char *)&rows[i].figures + scope_counts[c].offset) = (uint64_t)values[i];
        free(values);
    }
    for (size_t c = 0; !rc && c < sizeof(scope_times) / sizeof(*scope_times); c++) {
        double *values = NULL;

        if (slice_numbers(table->section, scope_times[c].key, &values) != (int64_t)table->count)
            rc = reader_broken(r, "scopes");
        for (size_t i = 0; !rc && i < table->count; i++)
            *(double *)((char *)&rows[i].figures + scope_times[c].offset) = values[i];
        free(values);
    }
    return rc;
}

static int read_scope_rows(struct session_reader *r)
{
    const double names = r->name_count ? (double)r->name_count - 1 : 0;
    int64_t *parent, *name_of, *file, *line, *process, *depth;
    struct session_scopes *scopes = &r->s->scopes;
    struct table table;
    int rc = table_open(r, "scopes", "parent", &table);

    if (rc || !table.section.len || !table.count)
        return rc;
    parent = table_ints(&table, "parent", -1, (double)table.count - 1);
    name_of = table_ints(&table, "name", 0, names);
    file = table_ints(&table, "file", 0, names);
    line = table_ints(&table, "line", 0, UINT32_MAX);
    process = table_ints(&table, "process", 0, (double)r->s->process_count - 1);
    depth = table_ints(&table, "max_depth", 0, UINT32_MAX);
    if (!parent || !name_of || !file || !line || !process || !depth) {
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
        scopes->rows[i].figures.line = (uint32_t)line[i];
        scopes->rows[i].figures.max_depth = (uint32_t)depth[i];
        if (parent[i] >= (int64_t)i)
            rc = reader_broken(r, "scopes");
    }
    if (!rc)
        rc = read_scope_figures(r, &table);
out:
    free(parent);
    free(name_of);
    free(file);
    free(line);
    free(process);
    free(depth);
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
        const cJSON *clock = cJSON_GetObjectItemCaseSensitive(o, "clock");
        const cJSON *mode = cJSON_GetObjectItemCaseSensitive(o, "mode");

        if (item_uint(o, "process") >= r->s->process_count)
            rc = reader_broken(r, "scopes");
        scopes->clocks = xreallocarray(scopes->clocks, scopes->clock_count + 1, sizeof(*scopes->clocks));
        scopes->clocks[scopes->clock_count++] =
            (struct scope_clock){(uint32_t)item_uint(o, "process"),
                                 {.clock = scope_clock_name(cJSON_GetStringValue(clock)),
                                  .mode = scope_mode_name(cJSON_GetStringValue(mode)),
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
static struct rustscope_worst worst_call(const struct session_reader *r, const cJSON *o, const char *key,
                                         double took_ns)
{
    uint64_t took = took_ns > 0 && took_ns < 9e18 ? (uint64_t)(took_ns + 0.5) : 0;

    return (struct rustscope_worst){item_at_ns(r, o, key) + took, took, item_number(o, "sigma", 0)};
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
                                          .busy_ticks = item_uint(o, "busy_ns"),
                                          .idle_ticks = item_uint(o, "idle_ns"),
                                          .scheduled_ticks = item_uint(o, "scheduled_ns"),
                                          .first_delay_ticks = item_uint(o, "first_poll_delay_ns"),
                                          .lifetime_ticks = item_uint(o, "lifetime_ns"),
                                          .max_poll_ticks = item_uint(o, "max_poll_ns")}};

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
