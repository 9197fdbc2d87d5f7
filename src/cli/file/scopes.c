/* SPDX-License-Identifier: MIT */
#include "file/scopes.h"

#include "session/scopes.h"

struct row_source {
    const struct session_scopes *scopes;
    struct rs_scope_row row;
};

static const struct rs_scope_row *row_at(void *ctx, size_t i)
{
    struct row_source *rows = ctx;
    const struct scope_row *from = &rows->scopes->rows[i];

    rows->row = (struct rs_scope_row){from->figures, from->parent, from->name, from->file, from->process};
    return &rows->row;
}

static void list(struct rs_json *j, const char *key)
{
    rs_json_newline(j);
    rs_json_key(j, key);
    rs_json_array_begin(j);
}

void json_write_scopes(struct rs_json *j, const struct session *s)
{
    const struct session_scopes *scopes = &s->scopes;
    const struct rs_scope_clock clock = {1, 0, session_unix_ms(s, 0)};
    struct row_source rows = {.scopes = scopes};

    if (!scopes->clock_count && !scopes->row_count)
        return;
    rs_json_newline(j);
    rs_json_key(j, "scopes");
    rs_json_object_begin(j);
    rs_scope_json_columns(j, scopes->row_count, row_at, &rows);
    rs_json_key(j, "clocks");
    rs_json_array_begin(j);
    for (size_t i = 0; i < scopes->clock_count; i++)
        rs_scope_json_clock(j, &scopes->clocks[i].info, scopes->clocks[i].process);
    rs_json_array_end(j);
    rs_json_object_end(j);
    list(j, "outliers");
    for (size_t i = 0; i < scopes->outlier_count; i++) {
        const struct scope_outlier *o = &scopes->outliers[i];

        rs_scope_json_outlier(j, strings_get(&s->strings, o->name), o->row, o->process, &o->call, &clock);
    }
    rs_json_array_end(j);
    list(j, "budget_violations");
    for (size_t i = 0; i < scopes->violation_count; i++) {
        const struct scope_violation *v = &scopes->violations[i];
        const struct rs_scope_stats stats = {
            .budget_ticks = v->budget_ns, .violations = v->count, .worst_violation = v->worst};

        rs_scope_json_violation(j, strings_get(&s->strings, v->name), v->process, &stats, &clock);
    }
    rs_json_array_end(j);
    list(j, "async_tasks");
    for (size_t i = 0; i < scopes->task_count; i++)
        rs_scope_json_task(j, strings_get(&s->strings, scopes->tasks[i].name), scopes->tasks[i].process,
                           &scopes->tasks[i].figures, 1);
    rs_json_array_end(j);
}
