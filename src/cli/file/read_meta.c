/* SPDX-License-Identifier: MIT */
#include "file/reader.h"

#include <math.h>

#include "base/alloc.h"

/* What was run, where and how, and the totals that stand nowhere else. */

static int read_meta_object(struct session_reader *r, const cJSON *o)
{
    struct session_meta *m = &r->s->meta;
    const cJSON *clock = cJSON_GetObjectItemCaseSensitive(o, "clock");
    const cJSON *fitness = cJSON_GetObjectItemCaseSensitive(o, "fitness");
    const cJSON *label;
    double duration_sec = item_number(o, "duration_sec", 0);

    m->project = item_text(r, o, "project");
    m->target_binary = item_text(r, o, "target_binary");
    m->cwd = item_text(r, o, "cwd");
    m->name = item_text(r, o, "name");
    m->argc = item_texts(r, o, "argv", &m->argv);
    m->tag_count = item_texts(r, o, "tags", &m->tags);
    m->host_os = item_text(r, o, "host_os");
    m->host_arch = item_text(r, o, "host_arch");
    m->host_kernel = item_text(r, o, "host_kernel");
    m->cpu_model = item_text(r, o, "cpu_model");
    m->version = item_text(r, o, "rustscope_version");
    m->cpu_cores = (unsigned)item_int32(o, "cpu_cores", 0);
    m->others_cpu_pct = item_number(fitness, "others_cpu_pct", NAN);
    m->steal_pct = item_number(fitness, "steal_pct", NAN);
    m->rate_hz = (unsigned)item_int32(o, "rate_hz", 0);
    m->stack_rate_hz = (unsigned)item_int32(o, "stack_rate_hz", 0);
    m->pid = item_int32(o, "pid", 0);
    m->stop_reason = (enum stop_reason)item_word(o, "stop_reason", WORDS_STOP_REASON);
    m->exit_code = item_int32(o, "exit_code", -1);
    m->exit_signal = item_int32(o, "exit_signal", 0);
    label = cJSON_GetObjectItemCaseSensitive(o, "labels");
    m->labels = xcalloc((size_t)cJSON_GetArraySize(label), sizeof(*m->labels));
    cJSON_ArrayForEach(label, label)
    {
        m->labels[m->label_count].key = strings_add_str(&r->s->strings, label->string);
        m->labels[m->label_count++].value = reader_text(r, label);
    }
    if (!(duration_sec >= 0 && duration_sec < 1e9))
        return reader_broken(r, "meta");
    r->s->duration_ns = (uint64_t)(duration_sec * 1e9 + 0.5);
    r->s->start_unix_ms = item_int(clock, "unix_ms", item_int(o, "start_ts", 0));
    r->s->start_mono_ns = item_uint(clock, "mono_ns");
    r->start_ms = (double)r->s->start_unix_ms;
    return 0;
}

static int read_summary(struct session_reader *r, const cJSON *o)
{
    struct allocations *a = &r->s->allocations;

    a->measured = item_word(o, "heap_source", WORDS_HEAP_SOURCE) == HEAP_LIVE;
    a->total_allocations = item_uint(o, rs_summary_keys[SUMMARY_TOTAL_ALLOCATIONS]);
    a->total_deallocations = item_uint(o, rs_summary_keys[SUMMARY_TOTAL_DEALLOCATIONS]);
    a->total_bytes = item_uint(o, rs_summary_keys[SUMMARY_TOTAL_ALLOC_BYTES]);
    a->temporary = item_uint(o, rs_summary_keys[SUMMARY_TEMPORARY_ALLOCATIONS]);
    a->leaked_bytes = item_uint(o, rs_summary_keys[SUMMARY_LEAKED_BYTES]);
    a->leaked_count = item_uint(o, rs_summary_keys[SUMMARY_LEAKED_ALLOCATIONS]);
    return 0;
}

int read_meta(struct session_reader *r)
{
    int rc = reader_object(r, "meta", read_meta_object);

    return rc ? rc : reader_object(r, "summary", read_summary);
}
