/* SPDX-License-Identifier: MIT */
#include "convert/export.h"

#include <string.h>

/* One sampled profile a thread. A frame is a function, so that speedscope's rows are ours. */

static void write_frames(struct rs_json *j, struct export *x)
{
    rs_json_key(j, "shared");
    rs_json_object_begin(j);
    rs_json_key(j, "frames");
    rs_json_array_begin(j);
    for (uint32_t f = 0; f < x->functions.count + 2; f++) {
        size_t len;
        const char *name = export_name(x, f, &len), *file = export_file(x, f);

        rs_json_object_begin(j);
        rs_json_key(j, "name");
        rs_json_text(j, name, len);
        if (*file)
            rs_json_kv_str(j, "file", file);
        rs_json_object_end(j);
        rs_json_newline(j);
    }
    rs_json_array_end(j);
    rs_json_object_end(j);
}

static void write_stack(struct rs_json *j, struct export *x, int32_t node)
{
    size_t depth = export_stack(x, node);

    rs_json_array_begin(j);
    while (depth-- > 0)
        rs_json_uint(j, x->stack[depth]);
    rs_json_array_end(j);
}

static void write_profile(struct rs_json *j, struct export *x, const struct export_sample *samples, size_t count)
{
    const char *unit = export_unit(x->metric);
    uint64_t all = 0;
    char name[300];

    export_thread_name(x, samples->thread, name, sizeof(name));
    for (size_t i = 0; i < count; i++)
        all += samples[i].amount;
    rs_json_object_begin(j);
    rs_json_kv_str(j, "type", "sampled");
    rs_json_kv_str(j, "name", name);
    rs_json_kv_str(j, "unit", strcmp(unit, "count") ? unit : "none");
    rs_json_kv_uint(j, "startValue", 0);
    rs_json_kv_uint(j, "endValue", all);
    rs_json_key(j, "samples");
    rs_json_array_begin(j);
    for (size_t i = 0; i < count; i++) {
        write_stack(j, x, samples[i].node);
        rs_json_newline(j);
    }
    rs_json_array_end(j);
    rs_json_key(j, "weights");
    rs_json_array_begin(j);
    for (size_t i = 0; i < count; i++)
        rs_json_uint(j, samples[i].amount);
    rs_json_array_end(j);
    rs_json_object_end(j);
    rs_json_newline(j);
}

int export_speedscope(void *export, rs_json_sink sink, void *ctx)
{
    struct export *x = export;
    struct rs_json j;
    char buf[16384];

    rs_json_init(&j, buf, sizeof(buf), sink, ctx);
    rs_json_object_begin(&j);
    rs_json_kv_str(&j, "$schema", "https://www.speedscope.app/file-format-schema.json");
    rs_json_kv_str(&j, "exporter", "rustscope");
    rs_json_kv_str(&j, "name", strings_get(&x->s->strings, x->meta->project));
    rs_json_kv_uint(&j, "activeProfileIndex", 0);
    write_frames(&j, x);
    rs_json_key(&j, "profiles");
    rs_json_array_begin(&j);
    for (size_t from = 0, to; from < x->sample_count; from = to) {
        for (to = from + 1; to < x->sample_count && x->samples[to].thread == x->samples[from].thread;)
            to++;
        write_profile(&j, x, x->samples + from, to - from);
    }
    rs_json_array_end(&j);
    rs_json_object_end(&j);
    return rs_json_finish(&j);
}
