/* SPDX-License-Identifier: MIT */
#include "core/scopes.h"

#include <stddef.h>

enum { NS_DIGITS = 1 };

static void timing(struct rs_json *j, const struct rustscope_function *f)
{
    rs_json_object_begin(j);
    rs_json_kv_double(j, "total_ns", f->total_ns, NS_DIGITS);
    rs_json_kv_double(j, "self_ns", f->self_ns, NS_DIGITS);
    rs_json_kv_double(j, "min_ns", f->min_ns, NS_DIGITS);
    rs_json_kv_double(j, "mean_ns", f->mean_ns, NS_DIGITS);
    rs_json_kv_double(j, "stddev_ns", f->stddev_ns, NS_DIGITS);
    rs_json_kv_double(j, "p50_ns", f->p50_ns, NS_DIGITS);
    rs_json_kv_double(j, "p95_ns", f->p95_ns, NS_DIGITS);
    rs_json_kv_double(j, "p99_ns", f->p99_ns, NS_DIGITS);
    rs_json_kv_double(j, "max_ns", f->max_ns, NS_DIGITS);
    rs_json_kv_uint(j, "timed_calls", f->timed_calls);
    rs_json_kv_uint(j, "alloc_bytes", f->alloc_bytes);
    rs_json_object_end(j);
}

void rs_scope_json_function(struct rs_json *j, const struct rustscope_function *f)
{
    rs_json_kv_uint(j, "calls", f->calls);
    rs_json_kv_double(j, "avg_ns", f->mean_ns, NS_DIGITS);
    rs_json_key(j, "timing");
    timing(j, f);
    rs_json_kv_uint(j, "outlier_count", f->outlier_count);
    rs_json_kv_uint(j, "max_depth", f->max_depth);
}

const struct rs_scope_column rs_scope_columns[RS_SCOPE_COLUMNS] = {
    {"parent", RS_ROW_PARENT, offsetof(struct rs_scope_row, parent)},
    {"name", RS_ROW_U32, offsetof(struct rs_scope_row, name)},
    {"file", RS_ROW_U32, offsetof(struct rs_scope_row, file)},
    {"line", RS_FIGURE_U32, offsetof(struct rustscope_function, line)},
    {"process", RS_ROW_U32, offsetof(struct rs_scope_row, process)},
    {"calls", RS_FIGURE_U64, offsetof(struct rustscope_function, calls)},
    {"timed_calls", RS_FIGURE_U64, offsetof(struct rustscope_function, timed_calls)},
    {"total_ns", RS_FIGURE_DOUBLE, offsetof(struct rustscope_function, total_ns)},
    {"self_ns", RS_FIGURE_DOUBLE, offsetof(struct rustscope_function, self_ns)},
    {"min_ns", RS_FIGURE_DOUBLE, offsetof(struct rustscope_function, min_ns)},
    {"mean_ns", RS_FIGURE_DOUBLE, offsetof(struct rustscope_function, mean_ns)},
    {"stddev_ns", RS_FIGURE_DOUBLE, offsetof(struct rustscope_function, stddev_ns)},
    {"p50_ns", RS_FIGURE_DOUBLE, offsetof(struct rustscope_function, p50_ns)},
    {"p95_ns", RS_FIGURE_DOUBLE, offsetof(struct rustscope_function, p95_ns)},
    {"p99_ns", RS_FIGURE_DOUBLE, offsetof(struct rustscope_function, p99_ns)},
    {"max_ns", RS_FIGURE_DOUBLE, offsetof(struct rustscope_function, max_ns)},
    {"alloc_bytes", RS_FIGURE_U64, offsetof(struct rustscope_function, alloc_bytes)},
    {"outlier_count", RS_FIGURE_U64, offsetof(struct rustscope_function, outlier_count)},
    {"budget_violations", RS_FIGURE_U64, offsetof(struct rustscope_function, budget_violations)},
    {"max_depth", RS_FIGURE_U32, offsetof(struct rustscope_function, max_depth)},
};

static void cell(struct rs_json *j, const struct rs_scope_row *row, enum rs_scope_kind kind, size_t offset)
{
    const char *in_row = (const char *)row + offset, *in_figures = (const char *)&row->figures + offset;

    switch (kind) {
    case RS_ROW_PARENT:
        rs_json_int(j, *(const int32_t *)in_row);
        break;
    case RS_ROW_U32:
        rs_json_uint(j, *(const uint32_t *)in_row);
        break;
    case RS_FIGURE_U32:
        rs_json_uint(j, *(const uint32_t *)in_figures);
        break;
    case RS_FIGURE_U64:
        rs_json_uint(j, *(const uint64_t *)in_figures);
        break;
    case RS_FIGURE_DOUBLE:
        rs_json_double(j, *(const double *)in_figures, NS_DIGITS);
        break;
    }
}

void rs_scope_json_columns(struct rs_json *j, size_t rows, rs_scope_row_fn row, void *ctx)
{
    for (size_t c = 0; c < RS_SCOPE_COLUMNS; c++) {
        rs_json_key(j, rs_scope_columns[c].key);
        rs_json_array_begin(j);
        for (size_t i = 0; i < rows; i++)
            cell(j, row(ctx, i), rs_scope_columns[c].kind, rs_scope_columns[c].offset);
        rs_json_array_end(j);
        rs_json_newline(j);
    }
}

struct rs_scope_call rs_scope_call_of(const struct rustscope_worst *worst, const struct rs_scope_clock *clock)
{
    double took_ns = (double)worst->ticks * clock->ns_per_tick;

    return (struct rs_scope_call){rs_scope_unix_ms(clock, worst->end_ticks) - took_ns / 1e6, took_ns, worst->sigmas};
}

void rs_scope_json_outlier(struct rs_json *j, const char *name, int32_t node, uint32_t process,
                           const struct rs_scope_call *call)
{
    rs_json_object_begin(j);
    rs_json_kv_str(j, "name", name);
    rs_json_kv_int(j, "node", node);
    rs_json_kv_uint(j, "process", process);
    rs_json_kv_double(j, "ts", call->start_unix_ms, 3);
    rs_json_kv_double(j, "duration_ns", call->took_ns, NS_DIGITS);
    rs_json_kv_double(j, "sigma", call->sigmas, 2);
    rs_json_object_end(j);
}

void rs_scope_json_violation(struct rs_json *j, const char *name, uint32_t process, double budget_ns, uint64_t count,
                             const struct rs_scope_call *worst)
{
    rs_json_object_begin(j);
    rs_json_kv_str(j, "name", name);
    rs_json_kv_uint(j, "process", process);
    rs_json_kv_double(j, "budget_ns", budget_ns, 0);
    rs_json_kv_uint(j, "count", count);
    rs_json_kv_double(j, "worst_ns", worst->took_ns, NS_DIGITS);
    rs_json_kv_double(j, "worst_ts", worst->start_unix_ms, 3);
    rs_json_object_end(j);
}

void rs_scope_json_task(struct rs_json *j, const char *name, uint32_t process, const struct rs_scope_task *task,
                        double ns_per_tick)
{
    rs_json_object_begin(j);
    rs_json_kv_str(j, "name", name);
    rs_json_kv_uint(j, "process", process);
    rs_json_kv_uint(j, "started", task->started);
    rs_json_kv_uint(j, "completed", task->completed);
    rs_json_kv_uint(j, "cancelled", task->cancelled);
    rs_json_kv_uint(j, "polls", task->polls);
    rs_json_kv_double(j, "busy_ns", (double)task->busy_ticks * ns_per_tick, NS_DIGITS);
    rs_json_kv_double(j, "idle_ns", (double)task->idle_ticks * ns_per_tick, NS_DIGITS);
    rs_json_kv_double(j, "scheduled_ns", (double)task->scheduled_ticks * ns_per_tick, NS_DIGITS);
    rs_json_kv_double(j, "first_poll_delay_ns", (double)task->first_delay_ticks * ns_per_tick, NS_DIGITS);
    rs_json_kv_double(j, "max_poll_ns", (double)task->max_poll_ticks * ns_per_tick, NS_DIGITS);
    rs_json_kv_double(j, "lifetime_ns", (double)task->lifetime_ticks * ns_per_tick, NS_DIGITS);
    rs_json_object_end(j);
}

void rs_scope_json_clock(struct rs_json *j, const struct rustscope_info *info, uint32_t process)
{
    rs_json_object_begin(j);
    rs_json_kv_uint(j, "process", process);
    rs_json_kv_str(j, "clock", info->clock);
    rs_json_kv_str(j, "mode", info->mode);
    rs_json_kv_double(j, "resolution_ns", info->resolution_ns, 2);
    rs_json_kv_double(j, "overhead_ns", info->overhead_ns, 2);
    rs_json_kv_double(j, "inside_ns", info->inside_ns, 2);
    rs_json_kv_double(j, "precise_offset_ns", info->precise_offset_ns, 2);
    rs_json_kv_uint(j, "skipped", info->skipped);
    rs_json_kv_uint(j, "folded_paths", info->folded_paths);
    rs_json_kv_uint(j, "threads", info->threads);
    rs_json_object_end(j);
}
