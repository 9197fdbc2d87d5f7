/* SPDX-License-Identifier: MIT */
/* The program around benchmarks: it runs them, compares and prints. */
#include "lib/bench/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/path.h"
#include "lib/link.h"
#include "lib/report.h"
#include "lib/state.h"

static struct rs_bench_list measured;

/* The pipe to the process that started this one for --processes; -1 in that one. */
static int to_parent = -1;

static void write_measured(struct rs_json *j)
{
    if (!measured.count)
        return;
    rs_json_key(j, "benchmarks");
    rs_json_array_begin(j);
    for (size_t i = 0; i < measured.count; i++)
        if (!measured.results[i].refusal)
            rs_bench_json(j, measured.results[i].name, &measured.results[i].counts, &measured.results[i].summary,
                          measured.results[i].samples_ns, false);
    rs_json_array_end(j);
    rs_json_newline(j);
}

/* What happened to R since BASELINE; NULL when that does not have it. */
static const struct rs_bench_change *change_of(const struct rs_bench_options *o, const struct rs_bench_list *baseline,
                                               const struct rs_bench_result *r, struct rs_bench_change *change)
{
    const struct rs_bench_result *old = o->baseline ? rs_bench_list_find(baseline, r->name) : NULL;

    if (!old || r->refusal || old->refusal || !rs_bench_results_compare(old, r, o->noise, change))
        return NULL;
    return change;
}

static int print_rest(const struct rs_bench_options *o, FILE *to, const struct rs_bench_style *style)
{
    switch (o->format) {
    case FORMAT_TABLE:
        rs_bench_table_growth(to, style, &measured);
        return 0;
    case FORMAT_JSON:
        fflush(to);
        return rs_report_write_to(fileno(to));
    case FORMAT_GOOGLE:
        return rs_bench_write_google(to, &measured, o->program);
    default:
        return rs_bench_write_bmf(to, &measured);
    }
}

/* One result is there: to the CLI, into the table. True when it is bad news. */
static bool report_one(const struct rs_bench_options *o, FILE *to, const struct rs_bench_style *style,
                       const struct rs_bench_list *baseline, const struct rs_bench_result *r)
{
    struct rs_bench_change change;
    const struct rs_bench_change *known = change_of(o, baseline, r, &change);

    if (!r->refusal)
        rs_link_benchmark(r->name, &r->counts, r->samples_ns);
    if (o->format == FORMAT_TABLE)
        rs_bench_table_row(to, style, r, known);
    else if (r->refusal)
        fprintf(stderr, "%s: %s: %s\n", o->program, r->name, r->refusal);
    else if (known && change.verdict == RS_BENCH_REGRESSED)
        fprintf(stderr, "%s: %s regressed by %.1f %% [%.1f, %.1f]\n", o->program, r->name, 100 * (change.ratio - 1),
                100 * (change.low - 1), 100 * (change.high - 1));
    return r->refusal || (known && change.verdict == RS_BENCH_REGRESSED);
}

static int run_and_print(const struct rs_bench_options *o, const struct rs_bench_item *items, size_t count,
                         const struct rs_bench_list *baseline, FILE *to, int argc, char **argv)
{
    struct rs_bench_style style = {.compares = o->baseline != NULL, .name_width = 9};
    struct rs_bench_result r;
    bool bad = false;
    int rc;

    rs_bench_style_init(&style, to);
    for (size_t i = 0; i < count; i++)
        style.name_width =
            strlen(items[i].name) > style.name_width ? (unsigned)strlen(items[i].name) : style.name_width;
    style.name_width = style.name_width > 48 ? 48 : style.name_width;
    if (o->processes > 1 && rs_bench_run_processes(o, argc, argv, &measured))
        return 1;
    if (o->format == FORMAT_TABLE)
        rs_bench_table_head(to, &style);
    for (size_t i = 0; i < count; i++) {
        const struct rs_bench_result *known;

        if (o->processes == 1 && (!rs_bench_run_item(&items[i], &r) || !rs_bench_list_add(&measured, &r)))
            return 1;
        known = rs_bench_list_find(&measured, items[i].name);
        bad |= !known || report_one(o, to, &style, baseline, known);
    }
    rc = print_rest(o, to, &style);
    if (fflush(to) || ferror(to))
        rc = rc ? rc : -EIO;
    if (rc)
        fprintf(stderr, "%s: cannot write the results: %s\n", o->program, strerror(-rc));
    if (o->save && rs_bench_baseline_save(o, &measured))
        rc = -EIO;
    return bad || rc;
}

/* Results and baselines are found by name. NULL: each has its own. */
static const char *name_of_two(const struct rs_bench_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            if (!strcmp(items[i].name, items[k].name))
                return items[i].name;
    return NULL;
}

static int run(const struct rs_bench_options *o, int argc, char **argv)
{
    struct rs_bench_list baseline = {0};
    struct rs_bench_item *items;
    FILE *to = stdout;
    size_t count;
    int rc = 0;

    items = rs_bench_plan(o, &count);
    if (!items)
        return 1;
    if (o->list) {
        for (size_t i = 0; i < count; i++)
            puts(items[i].name);
    } else if (!count) {
        rc = rs_bench_has_any() ? rs_bench_usage(o, "no benchmark is called %s", o->filters[0])
                                : rs_bench_usage(o, "this program has no benchmarks");
    } else if (name_of_two(items, count)) {
        fprintf(stderr, "%s: two benchmarks are called %s: give one of them another name\n", o->program,
                name_of_two(items, count));
        rc = 2;
    } else if (to_parent >= 0) {
        rc = rs_bench_serve_parent(to_parent, items, count);
    } else if (o->baseline && (rc = rs_bench_baseline_load(o, o->baseline, &baseline))) {
        char path[4096];

        rs_bench_baseline_path(o, o->baseline, path, sizeof(path));
        fprintf(stderr, "%s: cannot read the baseline %s: %s\n", o->program, path, strerror(-rc));
        rc = 2;
    } else if (o->output && !(to = fopen(o->output, "we"))) {
        fprintf(stderr, "%s: cannot write %s: %s\n", o->program, o->output, strerror(errno));
        rc = 2;
    } else {
        rc = run_and_print(o, items, count, &baseline, to, argc, argv);
        if (to != stdout && fclose(to))
            rc = 1;
    }
    rs_bench_list_release(&baseline);
    free(items);
    return rc;
}

int rustscope_bench_main(int argc, char **argv)
{
    struct rs_bench_options o = {.program = rs_path_base(argc > 0 ? argv[0] : "bench"), .noise = 0.01};
    const char *child = getenv("RUSTSCOPE_BENCH_CHILD");
    int rc;

    rs_init();
    rs_report_set_benchmarks(write_measured);
    if (child) {
        to_parent = atoi(child);
        fcntl(to_parent, F_SETFD, FD_CLOEXEC);
        unsetenv("RUSTSCOPE_BENCH_CHILD"); /* what the benchmarks start is none */
        unsetenv("RUSTSCOPE_BENCH_PAD");
    }
    rc = rs_bench_take_options(&o, argc, argv);
    return rc ? rc - 1 : run(&o, argc, argv);
}
