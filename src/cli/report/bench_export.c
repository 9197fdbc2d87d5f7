/* SPDX-License-Identifier: MIT */
/* The tables that hyperfine 1.20 writes, so that scripts for its files read ours. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "core/json.h"
#include "report/bench_order.h"
#include "report/bench_report.h"

static int into_file(void *ctx, const char *bytes, size_t len)
{
    return fwrite(bytes, 1, len, ctx) == len ? 0 : -1;
}

static void times(struct rs_json *j, const char *key, const struct bench_result *r,
                  void (*value)(struct rs_json *j, const struct bench_run *run))
{
    rs_json_key(j, key);
    rs_json_array_begin(j);
    for (size_t i = 0; i < r->count; i++)
        value(j, &r->runs[i]);
    rs_json_array_end(j);
}

static void wall_sec(struct rs_json *j, const struct bench_run *run)
{
    rs_json_double(j, run->wall_ns / 1e9, 9);
}

static void user_sec(struct rs_json *j, const struct bench_run *run)
{
    rs_json_double(j, run->user_ns / 1e9, 9);
}

static void system_sec(struct rs_json *j, const struct bench_run *run)
{
    rs_json_double(j, run->system_ns / 1e9, 9);
}

static void memory(struct rs_json *j, const struct bench_run *run)
{
    if (run->peak_rss_bytes)
        rs_json_int(j, (int64_t)run->peak_rss_bytes);
    else
        rs_json_null(j);
}

static void faults(struct rs_json *j, const struct bench_run *run)
{
    rs_json_int(j, (int64_t)(run->minor_faults + run->major_faults));
}

static void switches(struct rs_json *j, const struct bench_run *run)
{
    rs_json_int(j, (int64_t)(run->voluntary_switches + run->involuntary_switches));
}

static void exit_code(struct rs_json *j, const struct bench_run *run)
{
    if (WIFSIGNALED(run->status))
        rs_json_null(j);
    else
        rs_json_int(j, WEXITSTATUS(run->status));
}

static void json_result(struct rs_json *j, const struct bench_result *r)
{
    rs_json_object_begin(j);
    rs_json_kv_str(j, "command", r->name);
    rs_json_kv_double(j, "mean", r->wall.mean_ns / 1e9, 9);
    rs_json_key(j, "stddev");
    if (r->count > 1)
        rs_json_double(j, r->wall.stddev_ns / 1e9, 9);
    else
        rs_json_null(j);
    rs_json_kv_double(j, "median", r->wall.median_ns / 1e9, 9);
    rs_json_kv_double(j, "user", r->user_ns / 1e9, 9);
    rs_json_kv_double(j, "system", r->system_ns / 1e9, 9);
    rs_json_kv_double(j, "min", r->wall.min_ns / 1e9, 9);
    rs_json_kv_double(j, "max", r->wall.max_ns / 1e9, 9);
    if (r->count > 1) {
        rs_json_kv_double(j, "mean_low", r->wall.mean_low_ns / 1e9, 9);
        rs_json_kv_double(j, "mean_high", r->wall.mean_high_ns / 1e9, 9);
    }
    times(j, "times", r, wall_sec);
    times(j, "user_times", r, user_sec);
    times(j, "system_times", r, system_sec);
    times(j, "memory_usage_byte", r, memory);
    times(j, "faults", r, faults);
    times(j, "switches", r, switches);
    times(j, "exit_codes", r, exit_code);
    if (r->parameter_count) {
        rs_json_key(j, "parameters");
        rs_json_object_begin(j);
        for (size_t i = 0; i < r->parameter_count; i++)
            rs_json_kv_str(j, r->parameters[i].name, r->parameters[i].value);
        rs_json_object_end(j);
    }
    rs_json_object_end(j);
}

static void json(FILE *out, const struct bench_result *const *order, size_t count)
{
    struct rs_json j;
    char buf[8192];

    rs_json_init(&j, buf, sizeof(buf), into_file, out);
    rs_json_object_begin(&j);
    rs_json_key(&j, "results");
    rs_json_array_begin(&j);
    for (size_t i = 0; i < count; i++)
        json_result(&j, order[i]);
    rs_json_array_end(&j);
    rs_json_object_end(&j);
    rs_json_finish(&j);
    fputc('\n', out);
}

/* A field as RFC 4180 has it. */
static void csv_text(FILE *out, const char *text)
{
    if (!strpbrk(text, ",\"\n\r")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void csv(FILE *out, const struct bench_result *const *order, size_t count)
{
    const struct bench_result *widest = order[0];

    for (size_t i = 0; i < count; i++)
        widest = order[i]->parameter_count > widest->parameter_count ? order[i] : widest;
    fputs("command,mean,stddev,median,user,system,min,max", out);
    for (size_t p = 0; p < widest->parameter_count; p++) {
        fputs(",parameter_", out);
        csv_text(out, widest->parameters[p].name);
    }
    for (size_t i = 0; i < count; i++) {
        const struct bench_result *r = order[i];

        fputc('\n', out);
        csv_text(out, r->name);
        fprintf(out, ",%.17g,", r->wall.mean_ns / 1e9);
        if (r->count > 1)
            fprintf(out, "%.17g", r->wall.stddev_ns / 1e9);
        fprintf(out, ",%.17g,%.17g,%.17g,%.17g,%.17g", r->wall.median_ns / 1e9, r->user_ns / 1e9, r->system_ns / 1e9,
                r->wall.min_ns / 1e9, r->wall.max_ns / 1e9);
        for (size_t p = 0; p < widest->parameter_count; p++) {
            fputc(',', out);
            if (p < r->parameter_count)
                csv_text(out, r->parameters[p].value);
        }
    }
    fputc('\n', out);
}

/* ---- tables ---- */

static const struct unit {
    const char *name;
    double ns;
    int digits;
} units[] = {[BENCH_UNIT_US] = {"\xc2\xb5s", 1e3, 1}, [BENCH_UNIT_MS] = {"ms", 1e6, 1}, [BENCH_UNIT_S] = {"s", 1e9, 3}};

static const struct unit *unit_of(const struct bench_result *first, enum bench_unit asked)
{
    if (asked != BENCH_UNIT_AUTO)
        return &units[asked];
    return &units[first->wall.mean_ns < 1e6 ? BENCH_UNIT_US : first->wall.mean_ns < 1e9 ? BENCH_UNIT_MS : BENCH_UNIT_S];
}

/* How a table's format writes its parts. */
struct markup {
    const char *before_table, *before_head, *between, *after_head, *before_row, *after_row, *after_table;
    const char *before_code, *after_code, *escaped, *escape;
};

static const struct markup markups[] = {
    [BENCH_MARKDOWN] = {"", "| Command", " | ", " |\n|:---|---:|---:|---:|---:|\n", "| ", " |\n", "", "`", "`", "|", "\\|"},
    [BENCH_ASCIIDOC] = {"[cols=\"<,>,>,>,>\"]\n|===\n", "| Command", " \n| ", " \n", "\n| ", " \n", "|===\n", "`", "`", "|",
                        "\\|"},
    [BENCH_ORGMODE] = {"", "| Command ", " |  ", " |\n|--+--+--+--+--|\n", "| ", " |\n", "", "=", "= ", "|", "\\vert{}"},
};

static void code(FILE *out, const struct markup *m, const char *text)
{
    fputs(m->before_code, out);
    for (; *text; text++)
        if (strchr(m->escaped, *text))
            fputs(m->escape, out);
        else
            fputc(*text == '\n' || *text == '\r' ? ' ' : *text, out);
    fputs(m->after_code, out);
}

static void relative(FILE *out, const struct bench_result *r, const struct bench_result *reference)
{
    double ratio = r->wall.mean_ns / reference->wall.mean_ns, x = r->wall.stddev_ns / r->wall.mean_ns,
           y = reference->wall.stddev_ns / reference->wall.mean_ns;

    if (r == reference)
        fputs("1.00", out);
    else if (!isfinite(ratio))
        fputs("-", out);
    else if (r->count > 1 && reference->count > 1 && isfinite(x) && isfinite(y))
        fprintf(out, "%.2f \xc2\xb1 %.2f", ratio, ratio * sqrt(x * x + y * y));
    else
        fprintf(out, "%.2f", ratio);
}

static void table(FILE *out, const struct markup *m, const struct bench_result *const *order, size_t count,
                  const struct bench_result *reference, const struct unit *unit)
{
    fprintf(out, "%s%s%sMean [%s]%sMin [%s]%sMax [%s]%sRelative%s", m->before_table, m->before_head, m->between,
            unit->name, m->between, unit->name, m->between, unit->name, m->between, m->after_head);
    for (size_t i = 0; i < count; i++) {
        const struct bench_result *r = order[i];

        fputs(m->before_row, out);
        code(out, m, r->name);
        fprintf(out, "%s%.*f", m->between, unit->digits, r->wall.mean_ns / unit->ns);
        if (r->count > 1)
            fprintf(out, " \xc2\xb1 %.*f", unit->digits, r->wall.stddev_ns / unit->ns);
        fprintf(out, "%s%.*f%s%.*f%s", m->between, unit->digits, r->wall.min_ns / unit->ns, m->between, unit->digits,
                r->wall.max_ns / unit->ns, m->between);
        relative(out, r, reference);
        fputs(m->after_row, out);
    }
    fputs(m->after_table, out);
}

void bench_export(FILE *out, enum bench_format format, const struct bench_result *results, size_t count,
                  const struct bench_page *page)
{
    const struct bench_result **order = xcalloc(count + 1, sizeof(*order));
    size_t with_runs = bench_order(results, count, page->sort == BENCH_SORT_MEAN, order);

    if (format == BENCH_JSON)
        json(out, order, with_runs);
    else if (with_runs && format == BENCH_CSV)
        csv(out, order, with_runs);
    else if (with_runs)
        table(out, &markups[format], order, with_runs, bench_reference(results, count, page->has_reference),
              unit_of(order[0], page->unit));
    free(order);
}
