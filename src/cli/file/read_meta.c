/* SPDX-License-Identifier: MIT */
#include "file/reader.h"

#include <string.h>

#include "base/alloc.h"

/* What was run, where and how, and the totals that stand nowhere else. */

static int read_meta_object(struct session_reader *r, const cJSON *o)
{
    static const char *const reasons[] = {[STOP_EXIT] = "exit",
                                          [STOP_SIGNAL] = "signal",
                                          [STOP_INTERRUPT] = "interrupt",
                                          [STOP_DURATION] = "duration",
                                          [STOP_DETACHED] = "detached"};
    struct session_meta *m = &r->s->meta;
    const cJSON *clock = cJSON_GetObjectItemCaseSensitive(o, "clock");
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
    m->rate_hz = (unsigned)item_int32(o, "rate_hz", 0);
    m->stack_rate_hz = (unsigned)item_int32(o, "stack_rate_hz", 0);
    m->pid = item_int32(o, "pid", 0);
    m->stop_reason = (enum stop_reason)ITEM_WORD(o, "stop_reason", reasons);
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
    const cJSON *source = cJSON_GetObjectItemCaseSensitive(o, "heap_source");

    a->measured = cJSON_IsString(source) && !strcmp(source->valuestring, "live");
    a->total_allocations = item_uint(o, "total_allocations");
    a->total_deallocations = item_uint(o, "total_deallocations");
    a->total_bytes = item_uint(o, "total_alloc_bytes");
    a->temporary = item_uint(o, "temporary_allocations");
    a->leaked_bytes = item_uint(o, "leaked_bytes");
    a->leaked_count = item_uint(o, "leaked_allocations");
    return 0;
}

int read_meta(struct session_reader *r)
{
    int rc = reader_object(r, "meta", read_meta_object);

    return rc ? rc : reader_object(r, "summary", read_summary);
}
