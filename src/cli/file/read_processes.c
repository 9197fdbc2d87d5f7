/* SPDX-License-Identifier: MIT */
#include "file/reader.h"

#include "base/alloc.h"

static int read_process(struct session_reader *r, const cJSON *o)
{
    const cJSON *exit_status = cJSON_GetObjectItemCaseSensitive(o, "exit");
    const cJSON *shim_object = cJSON_GetObjectItemCaseSensitive(o, "shim");
    struct process *p;
    uint32_t index;
    int parent = item_int32(o, "parent", -1), object = item_int32(o, "object", -1);

    if (r->s->process_count >= MAX_PROCESSES || parent >= (int64_t)r->s->process_count || parent < -1 ||
        object >= (int64_t)r->s->tree.module_count || object < -1)
        return reader_broken(r, "processes");
    index = session_add_process(r->s, item_int32(o, "pid", 0), parent, item_uint(o, "start_ns"));
    p = &r->s->processes[index];
    p->exec_count = (uint32_t)item_uint(o, "image");
    p->object = object;
    p->argc = item_texts(r, o, "argv", &p->argv);
    p->name = item_text(r, o, "name");
    p->exe = item_text(r, o, "exe");
    p->cpu_ns = item_ns(o, "cpu_ms");
    p->anon_peak_bytes = item_bytes(o, "anon_peak_mb");
    p->rss_peak_bytes = item_bytes(o, "rss_peak_mb");
    p->heap_peak_bytes = item_bytes(o, "heap_peak_mb");
    p->outside_peak_bytes = item_bytes(o, "outside_peak_mb");
    p->thread_peak = (uint32_t)item_uint(o, "thread_peak");
    p->allocations = item_uint(o, "allocations");
    p->deallocations = item_uint(o, "deallocations");
    p->alloc_bytes = item_uint(o, "alloc_bytes");
    p->leaked_bytes = item_uint(o, "leaked_bytes");
    p->leaked_allocations = item_uint(o, "leaked_allocations");
    p->shim = (enum shim_status)item_word(shim_object, "status", WORDS_SHIM_STATUS);
    p->shim_reason = item_text(r, shim_object, "reason");
    p->end_ns = item_at_ns(r, o, "end_ts");
    p->exit_known = cJSON_IsNumber(exit_status);
    p->exit_status = item_int32(o, "exit", 0);
    return 0;
}

static int read_thread(struct session_reader *r, const cJSON *o)
{
    struct session *s = r->s;
    uint64_t process = item_uint(o, "process");
    struct thread *t;

    if (process >= s->process_count || s->thread_count >= MAX_THREADS)
        return reader_broken(r, "threads");
    GROW(s->threads, s->thread_count + 1, s->thread_cap);
    t = &s->threads[s->thread_count++];
    *t = (struct thread){.process = (uint32_t)process,
                         .tid = item_int32(o, "tid", 0),
                         .name = item_text(r, o, "name"),
                         .cpu_ns = item_ns(o, "cpu_ms"),
                         .start_ns = item_at_ns(r, o, "start_ts"),
                         .end_ns = item_at_ns(r, o, "end_ts")};
    return 0;
}

int read_processes(struct session_reader *r)
{
    int rc = reader_objects(r, "processes", read_process);

    return rc ? rc : reader_objects(r, "threads", read_thread);
}
