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

static struct rs_scope_call call_of(const struct session *s, const struct scope_call *call)
{
    return (struct rs_scope_call){session_unix_ms(s, call->end_ns) - (double)call->took_ns / 1e6, (double)call->took_ns,
                                  call->sigmas};
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
        const struct rs_scope_call call = call_of(s, &o->call);

        rs_scope_json_outlier(j, strings_get(&s->strings, o->name), o->row, o->process, &call);
    }
    rs_json_array_end(j);
    list(j, "budget_violations");
    for (size_t i = 0; i < scopes->violation_count; i++) {
        const struct scope_violation *v = &scopes->violations[i];
        const struct rs_scope_call worst = call_of(s, &v->worst);

        rs_scope_json_violation(j, strings_get(&s->strings, v->name), v->process, (double)v->budget_ns, v->count,
                                &worst);
    }
    rs_json_array_end(j);
    list(j, "async_tasks");
    for (size_t i = 0; i < scopes->task_count; i++) {
        const struct scope_task_figures *f = &scopes->tasks[i].figures;
        const struct rs_scope_task task = {.started = f->started,
                                           .completed = f->completed,
                                           .cancelled = f->cancelled,
                                           .polls = f->polls,
                                           .busy_ticks = f->busy_ns, /* ticks of 1 ns */
                                           .idle_ticks = f->idle_ns,
                                           .scheduled_ticks = f->scheduled_ns,
                                           .first_delay_ticks = f->first_delay_ns,
                                           .lifetime_ticks = f->lifetime_ns,
                                           .max_poll_ticks = f->max_poll_ns};

        rs_scope_json_task(j, strings_get(&s->strings, scopes->tasks[i].name), scopes->tasks[i].process, &task, 1);
    }
    rs_json_array_end(j);
}
