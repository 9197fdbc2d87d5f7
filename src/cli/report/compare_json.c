/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "report/compare_report.h"
#include "report/compare_words.h"

/* Of functions and paths that did not change only so many are written, the largest; how many were left out is said. */
enum { MOST_QUIET_PARTS = 200, FORMAT_VERSION = 1 };

static const char *unit_name(enum figure_unit unit)
{
    static const char *const names[] = {"ns", "bytes", "count"};

    return names[unit];
}

static void put_list(struct rs_json *j, const char *key, const char *const *list, size_t count)
{
    rs_json_key(j, key);
    rs_json_array_begin(j);
    for (size_t i = 0; i < count; i++)
        rs_json_str(j, list[i]);
    rs_json_array_end(j);
}

static void put_arm(struct rs_json *j, const struct comparison *c, enum arm arm)
{
    const struct run_facts *facts = c->facts[arm];

    rs_json_object_begin(j);
    rs_json_kv_str(j, "program", facts[0].program);
    rs_json_kv_str(j, "cpu_model", facts[0].cpu_model);
    rs_json_kv_uint(j, "cpu_cores", facts[0].cores);
    rs_json_key(j, "sessions");
    rs_json_array_begin(j);
    for (size_t i = 0; i < c->set.runs[arm]; i++)
        rs_json_str(j, facts[i].path);
    rs_json_array_end(j);
    rs_json_object_end(j);
}

static void put_limits(struct rs_json *j, const struct gate_limits *limits)
{
    rs_json_key(j, "limits");
    rs_json_object_begin(j);
    rs_json_kv_double(j, "threshold", limits->threshold, 9);
    rs_json_kv_double(j, "exact_threshold", limits->exact_threshold, 9);
    rs_json_kv_double(j, "floor_ns", limits->floor_ns, 3);
    rs_json_kv_double(j, "floor_bytes", limits->floor_bytes, 3);
    rs_json_kv_double(j, "floor_count", limits->floor_count, 3);
    rs_json_object_end(j);
}

static void put_runs(struct rs_json *j, const char *key, const struct figure_arm *arm)
{
    rs_json_key(j, key);
    rs_json_array_begin(j);
    for (size_t i = 0; i < arm->count; i++)
        rs_json_double(j, arm->runs[i], 3);
    rs_json_array_end(j);
}

static void put_figure(struct rs_json *j, const struct comparison *c, const struct figure *f)
{
    char remedy[200];

    rs_json_object_begin(j);
    rs_json_kv_str(j, "kind", figure_kind_name(f->kind));
    rs_json_kv_str(j, "metric", f->metric);
    rs_json_kv_str(j, "subject", compare_subject(f));
    rs_json_kv_str(j, "module", f->module);
    rs_json_kv_str(j, "unit", unit_name(f->unit));
    rs_json_kv_bool(j, "exact", f->exact);
    rs_json_kv_bool(j, "headline", f->headline);
    rs_json_kv_double(j, "base", f->base, 3);
    rs_json_kv_double(j, "new", f->next, 3);
    rs_json_kv_double(j, "ratio", f->ratio, 6);
    rs_json_kv_double(j, "low", f->low, 6);
    rs_json_kv_double(j, "high", f->high, 6);
    rs_json_kv_double(j, "error", f->error, 3);
    rs_json_kv_str(j, "verdict", gate_verdict_name(f->verdict));
    rs_json_kv_str(j, "severity", gate_severity_name(f->severity));
    rs_json_kv_bool(j, "fails", comparison_fails(c, f));
    rs_json_key(j, "runs_needed");
    if (f->verdict == GATE_UNSURE && f->runs_needed)
        rs_json_uint(j, f->runs_needed);
    else
        rs_json_null(j);
    compare_remedy(c, f, remedy, sizeof(remedy));
    rs_json_kv_str(j, "reason", *remedy ? remedy : f->reason);
    if (f->headline) {
        put_runs(j, "base_runs", &f->arms[ARM_BASE]);
        put_runs(j, "new_runs", &f->arms[ARM_NEXT]);
    }
    rs_json_object_end(j);
}

static void put_figures(struct rs_json *j, const struct comparison *c)
{
    size_t quiet = 0, left_out = 0;

    rs_json_key(j, "figures");
    rs_json_array_begin(j);
    for (size_t i = 0; i < c->order_count; i++) {
        const struct figure *f = c->order[i];

        if (!f->headline && f->verdict != GATE_REGRESSED && f->verdict != GATE_IMPROVED &&
            quiet++ >= MOST_QUIET_PARTS) {
            left_out++;
            continue;
        }
        rs_json_newline(j);
        put_figure(j, c, f);
    }
    rs_json_array_end(j);
    rs_json_newline(j);
    rs_json_kv_uint(j, "figures_left_out", left_out);
}

static void put_blames(struct rs_json *j, const struct comparison *c)
{
    rs_json_key(j, "contributors");
    rs_json_array_begin(j);
    for (size_t i = 0; i < c->blame_count; i++) {
        const struct blame *blame = &c->blames[i];

        rs_json_newline(j);
        rs_json_object_begin(j);
        rs_json_kv_str(j, "metric", blame->total->metric);
        rs_json_kv_double(j, "change", blame->total->next - blame->total->base, 3);
        rs_json_kv_double(j, "explained", blame->explained, 3);
        rs_json_key(j, "list");
        rs_json_array_begin(j);
        for (size_t k = 0; k < blame->count; k++) {
            const struct figure *f = blame->list[k].figure;

            rs_json_object_begin(j);
            rs_json_kv_str(j, "kind", figure_kind_name(f->kind));
            rs_json_kv_str(j, "subject", compare_subject(f));
            rs_json_kv_str(j, "module", f->module);
            rs_json_kv_double(j, "change", blame->list[k].change, 3);
            rs_json_kv_double(j, "error", f->error, 3);
            rs_json_kv_double(j, "share", blame->list[k].share, 6);
            rs_json_object_end(j);
        }
        rs_json_array_end(j);
        rs_json_object_end(j);
    }
    rs_json_array_end(j);
}

static void put_moves(struct rs_json *j, const struct comparison *c)
{
    rs_json_key(j, "moved");
    rs_json_array_begin(j);
    for (size_t i = 0; i < c->move_count; i++) {
        rs_json_object_begin(j);
        rs_json_kv_str(j, "kind", figure_kind_name(c->moves[i].gone->kind));
        rs_json_kv_str(j, "gone", compare_subject(c->moves[i].gone));
        rs_json_kv_str(j, "new", compare_subject(c->moves[i].come));
        rs_json_object_end(j);
    }
    rs_json_array_end(j);
}

int compare_json(const struct comparison *c, rs_json_sink sink, void *ctx)
{
    char buffer[8192], sentence[1000];
    struct rs_json j;

    rs_json_init(&j, buffer, sizeof(buffer), sink, ctx);
    compare_sentence(c, sentence, sizeof(sentence));
    rs_json_object_begin(&j);
    rs_json_kv_uint(&j, "comparison_version", FORMAT_VERSION);
    rs_json_key(&j, "generator");
    rs_json_object_begin(&j);
    rs_json_kv_str(&j, "name", "rustscope");
    rs_json_kv_str(&j, "version", RUSTSCOPE_VERSION);
    rs_json_object_end(&j);
    rs_json_kv_str(&j, "sentence", sentence);
    rs_json_kv_int(&j, "status", comparison_status(c));
    rs_json_kv_bool(&j, "paired", c->options.limits.paired);
    put_list(&j, "unfit", c->unfit, c->unfit_count);
    put_list(&j, "notes", c->notes, c->note_count);
    rs_json_key(&j, "base");
    put_arm(&j, c, ARM_BASE);
    rs_json_key(&j, "new");
    put_arm(&j, c, ARM_NEXT);
    put_limits(&j, &c->options.limits);
    rs_json_newline(&j);
    put_figures(&j, c);
    put_blames(&j, c);
    rs_json_newline(&j);
    put_moves(&j, c);
    rs_json_object_end(&j);
    return rs_json_finish(&j);
}
