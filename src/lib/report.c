/* SPDX-License-Identifier: MIT */
/*
 * The session JSON of a process that measures itself: scopes, tasks and marks. What only the CLI knows is there, as its
 * schema wants, and empty; the scopes' part comes from the code that the CLI uses too (core/scopes_json.c).
 */
#include "lib/report.h"

#include <errno.h>
#include <rustscope.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/path.h"
#include "core/session_words.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/marks.h"
#include "lib/os.h"
#include "lib/snapshot.h"
#include "lib/state.h"

enum { TIMELINE_POINTS_MAX = 6000, OUTLIERS_MAX = 1000 };

struct report {
    struct rs_json *json;
    const struct rustscope_snapshot *snapshot;
    uint64_t start_mono_ns, end_mono_ns;
    double start_unix_ms;
    uint32_t *names; /* per site: its name in strings[], then its file */
    uint32_t *rows;  /* per path: its row in the scopes columns */
    struct rs_scope_row row;
};

static double unix_ms_of(const struct report *r, uint64_t mono_ns)
{
    return r->start_unix_ms + (double)(int64_t)(mono_ns - r->start_mono_ns) / 1e6;
}

/* ---- meta and what the CLI alone measures ---- */

/* TEXT up to a NUL or line end, which it gets. */
static const char *first_line(char *text, long len, size_t size)
{
    text[len < 0 ? 0 : (size_t)len < size ? (size_t)len : size - 1] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static void write_argv(struct rs_json *j)
{
    char args[4096];
    long len = rs_os_arguments(args, sizeof(args) - 1);

    rs_json_array_begin(j);
    args[len > 0 ? len : 0] = '\0';
    for (char *arg = args; len > 0 && arg < args + len; arg += strlen(arg) + 1)
        rs_json_str(j, arg);
    rs_json_array_end(j);
}

static void write_texts(struct rs_json *j)
{
    uint32_t tags = rs_tag_count(), labels = rs_label_count();

    rs_json_kv_str(j, "name", rs_session_name() ? rs_session_name() : "");
    rs_json_key(j, "tags");
    rs_json_array_begin(j);
    for (uint32_t i = 0; i < tags; i++)
        rs_json_str(j, rs_tag(i));
    rs_json_array_end(j);
    rs_json_key(j, "labels");
    rs_json_object_begin(j);
    for (uint32_t i = 0; i < labels; i++)
        rs_json_kv_str(j, rs_label(i).key, rs_label(i).value);
    rs_json_object_end(j);
}

static void write_cpu_model(struct rs_json *j)
{
    char model[256];
    long len = rs_os_cpu_model(model, sizeof(model));

    rs_json_key(j, "cpu_model");
    rs_json_text(j, model, len > 0 ? (size_t)len : 0);
}

static void write_meta(const struct report *r)
{
    char cwd[1024], exe[1024];
    struct rs_json *j = r->json;
    struct utsname host;

    if (uname(&host))
        memset(&host, 0, sizeof(host));
    first_line(cwd, rs_os_working_folder(cwd, sizeof(cwd) - 1), sizeof(cwd));
    first_line(exe, rs_os_executable(exe, sizeof(exe) - 1), sizeof(exe));
    rs_json_key(j, "meta");
    rs_json_object_begin(j);
    rs_json_kv_str(j, "project", rs_path_base(cwd));
    rs_json_kv_str(j, "target_binary", exe);
    rs_json_key(j, "argv");
    write_argv(j);
    rs_json_kv_str(j, "cwd", cwd);
    rs_json_kv_uint(j, "pid", rs_os_pid());
    rs_json_kv_double(j, "start_ts", r->start_unix_ms, 3);
    rs_json_kv_double(j, "end_ts", unix_ms_of(r, r->end_mono_ns), 3);
    rs_json_kv_double(j, "duration_sec", (double)(r->end_mono_ns - r->start_mono_ns) / 1e9, 6);
    rs_json_key(j, "clock");
    rs_json_object_begin(j);
    rs_json_kv_int(j, "unix_ms", (int64_t)r->start_unix_ms);
    rs_json_kv_uint(j, "mono_ns", r->start_mono_ns);
    rs_json_object_end(j);
    rs_json_kv_str(j, "rustscope_version", RUSTSCOPE_VERSION);
    rs_json_kv_str(j, "host_os", host.sysname);
    rs_json_kv_str(j, "host_arch", host.machine);
    rs_json_kv_str(j, "host_kernel", host.release);
    write_cpu_model(j);
    rs_json_kv_int(j, "cpu_cores", sysconf(_SC_NPROCESSORS_ONLN));
    rs_json_kv_uint(j, "rate_hz", 0);
    rs_json_kv_uint(j, "stack_rate_hz", 0);
    rs_json_kv_str(j, "stop_reason", rs_word(WORDS_STOP_REASON, STOP_EXIT));
    write_texts(j);
    rs_json_object_end(j);
    rs_json_newline(j);
}

/* What is not measured from inside, in the schema's shape. */
static void write_constants(struct rs_json *j, const char *const *keys, const char *text)
{
    for (; *keys; keys++) {
        rs_json_key(j, *keys);
        if (!strcmp(text, "[]")) {
            rs_json_array_begin(j);
            rs_json_array_end(j);
        } else if (!strcmp(text, "0")) {
            rs_json_uint(j, 0);
        } else {
            rs_json_null(j);
        }
    }
}

#define KEYS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void write_summary(struct rs_json *j)
{
    rs_json_key(j, "summary");
    rs_json_object_begin(j);
    rs_json_kv_str(j, "heap_source", rs_word(WORDS_HEAP_SOURCE, HEAP_ANON));
    for (unsigned i = 0; i < SUMMARY_FIGURES; i++) {
        rs_json_key(j, rs_summary_keys[i]);
        if (i == SUMMARY_CPU_MS)
            rs_json_double(j, rs_clock_cpu_ms(), 3);
        else if (i < SUMMARY_COUNTS)
            rs_json_null(j);
        else
            rs_json_uint(j, 0);
    }
    rs_json_object_end(j);
    rs_json_newline(j);
}

static void write_process(const struct report *r)
{
    struct rs_json *j = r->json;
    char exe[1024];

    first_line(exe, rs_os_executable(exe, sizeof(exe) - 1), sizeof(exe));
    rs_json_key(j, "processes");
    rs_json_array_begin(j);
    rs_json_object_begin(j);
    rs_json_kv_uint(j, "pid", rs_os_pid());
    rs_json_kv_int(j, "parent", -1);
    rs_json_kv_int(j, "object", -1);
    rs_json_key(j, "argv");
    write_argv(j);
    rs_json_kv_str(j, "exe", exe);
    rs_json_kv_str(j, "name", rs_path_base(exe));
    rs_json_kv_double(j, "cpu_ms", rs_clock_cpu_ms(), 3);
    write_constants(j,
                    KEYS("id", "start_ns", "image", "anon_peak_mb", "rss_peak_mb", "heap_peak_mb", "thread_peak",
                         "allocations", "deallocations", "alloc_bytes", "leaked_bytes", "leaked_allocations"),
                    "0");
    write_constants(j, KEYS("end_ts", "exit"), "null");
    rs_json_key(j, "shim");
    rs_json_object_begin(j);
    rs_json_kv_str(j, "status", rs_word(WORDS_SHIM_STATUS, SHIM_OFF));
    rs_json_kv_str(j, "reason", "written by librustscope without the rustscope command");
    rs_json_object_end(j);
    rs_json_object_end(j);
    rs_json_array_end(j);
    rs_json_newline(j);
}

static void write_unmeasured(struct rs_json *j)
{
    static const struct {
        const char *key;
        const char *const *columns;
    } objects[] = {{"modules", rs_module_columns}, {"frames", rs_frame_columns}, {"nodes", rs_node_columns}};
    const struct rs_row_table *const tables[] = {&rs_process_table, &rs_cpu_table, &rs_alloc_table};

    for (size_t i = 0; i < sizeof(objects) / sizeof(*objects); i++) {
        rs_json_key(j, objects[i].key);
        rs_json_object_begin(j);
        write_constants(j, objects[i].columns, "[]");
        rs_json_object_end(j);
    }
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
        rs_json_key(j, tables[i]->section);
        rs_json_object_begin(j);
        rs_json_kv_uint(j, "interval_ms", 100);
        write_constants(j, KEYS("start", tables[i]->key, tables[i]->thread), "[]");
        write_constants(j, KEYS(tables[i]->values[0], tables[i]->values[1], tables[i]->values[2]), "[]");
        rs_json_object_end(j);
    }
    rs_json_key(j, "allocations");
    rs_json_object_begin(j);
    rs_json_kv_bool(j, "measured", false);
    rs_json_key(j, "by_size");
    rs_json_object_begin(j);
    rs_json_object_end(j);
    rs_json_key(j, "peak");
    rs_json_object_begin(j);
    write_constants(j, KEYS("ts", "bytes"), "0");
    rs_json_object_end(j);
    write_constants(j, KEYS("lifetimes"), "[]");
    write_constants(j, rs_allocation_columns, "[]");
    rs_json_object_end(j);
    write_constants(j, KEYS("samples", "leaks", "threads", "crate_rollups", "module_rollups", "hotspot_snapshots"),
                    "[]");
    rs_json_newline(j);
}

/* ---- marks and counters ---- */

static void write_marks(const struct report *r, uint32_t marks)
{
    struct rs_json *j = r->json;
    struct rs_mark m;

    rs_json_key(j, "memory_events");
    rs_json_array_begin(j);
    for (uint32_t i = 0; i < marks; i++) {
        if (!rs_mark_get(i, &m) || m.is_counter)
            continue;
        rs_json_object_begin(j);
        rs_json_kv_double(j, "ts", unix_ms_of(r, m.mono_ns), 3);
        rs_json_kv_double(j, "end_ts", unix_ms_of(r, m.mono_ns), 3);
        rs_json_kv_str(j, "type", rs_word(WORDS_EVENT_TYPE, EVENT_MARK));
        rs_json_kv_uint(j, "process", 0);
        rs_json_kv_uint(j, "size_bytes", 0);
        rs_json_key(j, "peak");
        rs_json_null(j);
        rs_json_kv_str(j, "location", m.name);
        write_constants(j, KEYS("top_functions", "top_allocations"), "[]");
        rs_json_object_end(j);
    }
    rs_json_array_end(j);
    rs_json_newline(j);
}

/* The mean of what counter NAME was set to in each interval, null where it was not. */
static void write_counter(const struct report *r, const char *name, uint32_t marks, uint32_t interval_ms)
{
    uint64_t bucket = 0, at;
    double sum = 0;
    uint32_t count = 0;
    struct rs_mark m;

    rs_json_key(r->json, name);
    rs_json_object_begin(r->json);
    rs_json_kv_uint(r->json, "interval_ms", interval_ms);
    rs_json_key(r->json, "value");
    rs_json_array_begin(r->json);
    for (uint32_t i = 0; i < marks; i++) {
        if (!rs_mark_get(i, &m) || !m.is_counter || strcmp(m.name, name))
            continue;
        at = (m.mono_ns - r->start_mono_ns) / 1000000 / interval_ms;
        for (; bucket < at; bucket++, sum = 0, count = 0) {
            if (count)
                rs_json_double(r->json, sum / count, 6);
            else
                rs_json_null(r->json);
        }
        sum += m.value;
        count++;
    }
    if (count)
        rs_json_double(r->json, sum / count, 6);
    rs_json_array_end(r->json);
    rs_json_object_end(r->json);
}

static bool seen_before(const char *name, uint32_t at)
{
    struct rs_mark m;

    for (uint32_t i = 0; i < at; i++)
        if (rs_mark_get(i, &m) && m.is_counter && !strcmp(m.name, name))
            return true;
    return false;
}

static void write_timeline(const struct report *r, uint32_t marks)
{
    uint64_t duration_ms = (r->end_mono_ns - r->start_mono_ns) / 1000000;
    uint32_t interval_ms = 100;
    struct rs_mark m;

    while (duration_ms / interval_ms >= TIMELINE_POINTS_MAX)
        interval_ms *= 2;
    rs_json_key(r->json, "timeline");
    rs_json_object_begin(r->json);
    rs_json_kv_uint(r->json, "interval_ms", interval_ms);
    for (unsigned i = 0; i < RS_TIMELINE_COLUMNS; i++)
        write_constants(r->json, KEYS(rs_timeline_columns[i].key), "[]");
    rs_json_key(r->json, "counters");
    rs_json_object_begin(r->json);
    for (uint32_t i = 0; i < marks; i++)
        if (rs_mark_get(i, &m) && m.is_counter && !seen_before(m.name, i))
            write_counter(r, m.name, marks, interval_ms);
    rs_json_object_end(r->json);
    rs_json_object_end(r->json);
    rs_json_newline(r->json);
}

/* ---- scopes ---- */

static void write_strings(struct report *r)
{
    const struct rustscope_snapshot *s = r->snapshot;
    uint32_t next = 1;

    rs_json_key(r->json, "strings");
    rs_json_array_begin(r->json);
    rs_json_str(r->json, "");
    for (uint32_t i = 1; i < s->site_count; i++) {
        const char *texts[2] = {s->sites[i].name, s->sites[i].file};

        for (int t = 0; t < 2; t++) {
            uint32_t *index = &r->names[2 * i + (uint32_t)t];

            for (uint32_t k = 2; texts[t] && !*index && k < 2 * i + (uint32_t)t; k++) {
                const char *other = k % 2 ? s->sites[k / 2].file : s->sites[k / 2].name;

                if (other && !strcmp(other, texts[t]))
                    *index = r->names[k];
            }
            if (texts[t] && *texts[t] && !*index) {
                *index = next++;
                rs_json_str(r->json, texts[t]);
            }
        }
    }
    rs_json_array_end(r->json);
    rs_json_newline(r->json);
}

static const struct rs_scope_row *scope_row(void *ctx, size_t i)
{
    struct report *r = ctx;
    const struct rustscope_snapshot *s = r->snapshot;
    uint32_t path = s->depth_first[i], parent = s->paths[path].parent, site = s->paths[path].site;

    r->row.figures = s->path_figures[path];
    r->row.parent = parent ? (int32_t)r->rows[parent] : -1;
    r->row.name = r->names[2 * site];
    r->row.file = r->names[2 * site + 1];
    return &r->row;
}

static void write_scopes(struct report *r)
{
    const struct rustscope_snapshot *s = r->snapshot;
    struct rustscope_info info = {.size = sizeof(info)};

    for (uint32_t i = 0; i < s->depth_first_count; i++)
        r->rows[s->depth_first[i]] = i;
    rustscope_get_info(&info);
    rs_json_key(r->json, "scopes");
    rs_json_object_begin(r->json);
    rs_scope_json_columns(r->json, s->depth_first_count, scope_row, r);
    rs_json_key(r->json, "clocks");
    rs_json_array_begin(r->json);
    rs_scope_json_clock(r->json, &info, 0);
    rs_json_array_end(r->json);
    rs_json_object_end(r->json);
    rs_json_newline(r->json);
}

static void write_function(const struct report *r, const struct rustscope_function *f)
{
    struct rs_json *j = r->json;
    char exe[1024];

    first_line(exe, rs_os_executable(exe, sizeof(exe) - 1), sizeof(exe));
    rs_json_object_begin(j);
    rs_json_kv_str(j, "name", f->name);
    rs_json_kv_str(j, "module", rs_path_base(exe));
    rs_json_kv_str(j, "file", f->file);
    rs_json_kv_uint(j, "line", f->line);
    rs_json_kv_str(j, "layer", rs_word(WORDS_LAYER, LAYER_USER));
    write_constants(j, KEYS("self_pct", "total_pct", "self_samples", "total_samples"), "0");
    rs_scope_json_function(j, f);
    rs_json_kv_str(j, "source", rs_word(WORDS_FUNCTION_SOURCE, FUNCTION_INSTRUMENTED));
    rs_json_object_end(j);
    rs_json_newline(j);
}

static void write_lists(const struct report *r)
{
    const struct rustscope_snapshot *s = r->snapshot;
    struct rs_json *j = r->json;
    uint32_t outliers = 0;

    rs_json_key(j, "functions");
    rs_json_array_begin(j);
    for (uint32_t i = 0; i < s->function_count; i++)
        write_function(r, &s->functions[i]);
    rs_json_array_end(j);
    rs_json_key(j, "outliers");
    rs_json_array_begin(j);
    for (uint32_t i = 0; i < s->depth_first_count; i++) {
        const struct rs_scope_path *p = &s->paths[s->depth_first[i]];

        for (int w = 0; w < RUSTSCOPE_WORST_KEPT && outliers < OUTLIERS_MAX; w++)
            if (p->worst[w].sigmas > 0 && ++outliers) {
                struct rs_scope_call call = rs_scope_call_of(&p->worst[w], &s->clock);

                rs_scope_json_outlier(j, s->sites[p->site].name, (int32_t)i, 0, &call);
            }
    }
    rs_json_array_end(j);
    rs_json_key(j, "budget_violations");
    rs_json_array_begin(j);
    for (uint32_t i = 0; i < s->depth_first_count; i++) {
        const struct rs_scope_path *p = &s->paths[s->depth_first[i]];
        struct rs_scope_call worst = rs_scope_call_of(&p->stats.worst_violation, &s->clock);

        if (p->stats.violations)
            rs_scope_json_violation(j, s->sites[p->site].name, 0, (double)p->stats.budget_ticks * s->clock.ns_per_tick,
                                    p->stats.violations, &worst);
    }
    rs_json_array_end(j);
    rs_json_key(j, "async_tasks");
    rs_json_array_begin(j);
    for (uint32_t site = 1; site < s->site_count; site++) {
        struct rs_scope_task sum = {0};

        /* Begun and ended under the root, polled wherever. */
        for (uint32_t i = 1; i < s->path_count; i++)
            if (s->paths[i].site == site)
                rs_scope_task_merge(&sum, &s->paths[i].task);
        if (sum.started || sum.polls)
            rs_scope_json_task(j, s->sites[site].name, 0, &sum, s->clock.ns_per_tick);
    }
    rs_json_array_end(j);
    rs_json_newline(j);
}

static rs_report_benchmarks_fn write_benchmarks;

void rs_report_set_benchmarks(rs_report_benchmarks_fn write)
{
    write_benchmarks = write;
}

static void write_diagnostics(struct rs_json *j, uint64_t marks_dropped)
{
    rs_json_key(j, "diagnostics");
    rs_json_object_begin(j);
    rs_json_kv_str(j, "stack_backend", rs_word(WORDS_STACK_BACKEND, STACKS_NONE));
    rs_json_kv_str(j, "alloc_backend", rs_word(WORDS_ALLOC_BACKEND, ALLOCS_NONE));
    write_constants(j, KEYS("warnings"), "[]");
    rs_json_key(j, "folded");
    rs_json_object_begin(j);
    if (marks_dropped)
        rs_json_kv_uint(j, "marks", marks_dropped);
    rs_json_object_end(j);
    rs_json_key(j, "stop_reasons");
    rs_json_object_begin(j);
    rs_json_object_end(j);
    rs_json_object_end(j);
    rs_json_newline(j);
}

static void write_session(struct report *r)
{
    struct rs_json *j = r->json;
    uint64_t marks_dropped;
    uint32_t marks = rs_mark_count(&marks_dropped);

    rs_json_object_begin(j);
    rs_json_kv_uint(j, "schema_version", 4);
    rs_json_key(j, "generator");
    rs_json_object_begin(j);
    rs_json_kv_str(j, "name", "rustscope");
    rs_json_kv_str(j, "version", RUSTSCOPE_VERSION);
    rs_json_object_end(j);
    write_meta(r);
    write_summary(j);
    write_timeline(r, marks);
    write_marks(r, marks);
    write_strings(r);
    write_lists(r);
    write_scopes(r);
    if (write_benchmarks)
        write_benchmarks(j);
    write_process(r);
    write_unmeasured(j);
    write_diagnostics(j, marks_dropped);
    rs_json_object_end(j);
}

/* Into PATH, or without one into FD. */
static int write_to(const char *path, int fd)
{
    struct report r = {0};
    struct rs_file file;
    size_t bytes;
    int rc = 0;

    r.snapshot = rustscope_collect();
    if (!r.snapshot)
        return -ENOMEM;
    bytes = (2 * (size_t)r.snapshot->site_count + r.snapshot->path_count) * sizeof(uint32_t);
    r.names = rs_os_map(bytes, false);
    if (!r.names)
        rc = -ENOMEM;
    else if (path)
        rc = rs_file_open(&file, path);
    else
        rs_file_use(&file, fd);
    if (!rc) {
        r.rows = r.names + 2 * r.snapshot->site_count;
        r.json = &file.json;
        r.start_mono_ns = rs_clock_start_mono_ns();
        r.end_mono_ns = rs_clock_mono_ns();
        r.start_unix_ms = (double)rs_os_unix_ns() / 1e6 - (double)(r.end_mono_ns - r.start_mono_ns) / 1e6;
        write_session(&r);
        rc = rs_file_close(&file);
    }
    rs_os_unmap(r.names, bytes);
    rustscope_snapshot_free((struct rustscope_snapshot *)(uintptr_t)r.snapshot);
    return rc;
}

int rustscope_write_json(const char *path)
{
    return path ? write_to(path, -1) : -EINVAL;
}

int rs_report_write_to(int fd)
{
    return write_to(NULL, fd);
}

void rs_report_at_exit(void)
{
    const char *out = rs_out_path(), *dot;
    char path[1024];

    if (!out)
        return;
    if (!rs_is_forked() || strstr(out, "%p")) {
        rustscope_write_json(out);
        return;
    }
    dot = strrchr(rs_path_base(out), '.');
    if (!dot)
        dot = out + strlen(out);
    if (snprintf(path, sizeof(path), "%.*s.%%p%s", (int)(dot - out), out, dot) < (int)sizeof(path))
        rustscope_write_json(path);
}
