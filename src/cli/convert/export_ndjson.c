/* SPDX-License-Identifier: MIT */
#include "convert/export.h"

/* A JSON object a line: what one stack of one thread cost in one stretch of time. For DuckDB, ClickHouse and Spark. */

static void write_thread(struct rs_json *j, const struct session *s, int64_t index)
{
    const struct thread *thread = index < 0 ? NULL : &s->threads[index];
    const struct process *process = thread ? &s->processes[thread->process] : NULL;

    rs_json_key(j, "pid");
    thread ? rs_json_int(j, process->pid) : rs_json_null(j);
    rs_json_kv_str(j, "process", thread ? strings_get(&s->strings, process->name) : NULL);
    rs_json_key(j, "tid");
    thread ? rs_json_int(j, thread->tid) : rs_json_null(j);
    rs_json_kv_str(j, "thread", thread ? strings_get(&s->strings, thread->name) : NULL);
}

static int write_row(struct export *x, const struct export_sample *sample, rs_json_sink sink, void *ctx)
{
    const struct session *s = x->s;
    struct rs_json j;
    char buf[4096];
    size_t len;
    const char *name;

    rs_json_init(&j, buf, sizeof(buf), sink, ctx);
    rs_json_object_begin(&j);
    rs_json_kv_str(&j, "project", strings_get(&s->strings, x->meta->project));
    rs_json_kv_str(&j, "metric", answer_metric_name(x->metric));
    rs_json_kv_str(&j, "unit", export_unit(x->metric));
    rs_json_key(&j, "at_unix_ms");
    sample->at_ns == ANSWER_NO_TIME ? rs_json_null(&j) : rs_json_double(&j, session_unix_ms(s, sample->at_ns), 3);
    write_thread(&j, s, sample->thread);
    rs_json_key(&j, "function");
    name = export_name(x, x->tree.nodes[sample->node].frame, &len);
    rs_json_text(&j, name, len);
    rs_json_key(&j, "stack");
    rs_json_array_begin(&j);
    for (size_t depth = export_stack(x, sample->node); depth-- > 0;) {
        name = export_name(x, x->stack[depth], &len);
        rs_json_text(&j, name, len);
    }
    rs_json_array_end(&j);
    rs_json_kv_uint(&j, "value", sample->amount);
    rs_json_key(&j, "count");
    sample->count ? rs_json_uint(&j, sample->count) : rs_json_null(&j);
    rs_json_object_end(&j);
    return rs_json_finish(&j);
}

int export_ndjson(void *export, rs_json_sink sink, void *ctx)
{
    struct export *x = export;
    int rc = 0;

    for (size_t i = 0; i < x->sample_count && !rc; i++) {
        rc = write_row(x, &x->samples[i], sink, ctx);
        if (!rc)
            rc = sink(ctx, "\n", 1);
    }
    return rc;
}
