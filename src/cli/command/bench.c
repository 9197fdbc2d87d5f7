/* SPDX-License-Identifier: MIT */
#include "command/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyze/gate/bench_gate.h"
#include "analyze/gate/comparison.h"
#include "base/alloc.h"
#include "base/err.h"
#include "command/conclude.h"
#include "core/clock.h"
#include "report/bench_report.h"
#include "report/compare_report.h"
#include "report/summary.h"
#include "run/bench.h"
#include "run/bench_options.h"
#include "run/record_options.h"
#include "run/recording.h"
#include "system/launch.h"

static const uint64_t PROGRESS_NS = 100000000;
enum { TOP_ROWS = 10 };

struct bench_command {
    struct bench_options options;
    struct bench *bench;
    struct bench_page page;
    struct launch_state state;
    bool shows_progress;
    uint64_t progress_ns;  /* when it was last drawn; 0: the line is clear */
    int cols, report_cols; /* of the terminal, and of the standard output */
};

/* ---- the line that says how far it is ---- */

static void clear_progress(struct bench_command *c)
{
    if (c->progress_ns)
        fputs("\r\x1b[K", stderr);
    c->progress_ns = 0;
}

static void on_progress(void *ctx, const struct bench_progress *p)
{
    struct bench_command *c = ctx;
    uint64_t now_ns = rs_clock_mono_ns();
    char line[600], shown[600];
    size_t len;

    if (!c->shows_progress || (c->progress_ns && now_ns - c->progress_ns < PROGRESS_NS))
        return;
    c->progress_ns = now_ns;
    if (p->beside)
        snprintf(line, sizeof(line), "%s: %.300s", p->beside, p->arm->name);
    else if (p->of)
        snprintf(line, sizeof(line), "%s%zu/%zu: %.300s", p->warmup ? "warm-up " : "", p->run, p->of, p->arm->name);
    else
        snprintf(line, sizeof(line), "%zu: %.300s", p->run, p->arm->name);
    len = strlen(line);
    if (p->high_ns > 0)
        snprintf(line + len, sizeof(line) - len, "  %s (%s to %s)", fmt_time_ns(p->mean_ns).s, fmt_time_ns(p->low_ns).s,
                 fmt_time_ns(p->high_ns).s);
    fmt_fit(shown, sizeof(shown), line, c->cols - 1, c->page.charset);
    fprintf(stderr, "\r\x1b[K%s", shown);
    fflush(stderr);
}

/* ---- results ---- */

static int export(const struct bench_command *c, enum bench_format format, const char *path)
{
    FILE *out = strcmp(path, "-") ? fopen(path, "we") : stdout;
    int failed;

    if (!out) {
        warn("cannot write %s: %s", path, strerror(errno));
        return 1;
    }
    bench_export(out, format, bench_results(c->bench), c->options.arm_count, &c->page);
    failed = fflush(out) || ferror(out);
    failed = (out != stdout && fclose(out)) || failed;
    if (failed)
        warn("cannot write %s: %s", path, strerror(errno));
    return failed;
}

/* What was measured is told and kept, however the series ended. */
static int tell(struct bench_command *c)
{
    int failed = 0;

    clear_progress(c);
    if (!c->options.quiet)
        bench_print(stdout, bench_results(c->bench), c->options.arm_count, &c->page);
    for (int format = 0; format < BENCH_FORMATS; format++)
        if (c->options.exports[format])
            failed |= export(c, (enum bench_format)format, c->options.exports[format]);
    return failed;
}

/* A file that cannot be written must be known before an hour of runs. */
static void check_exports(const struct bench_options *o)
{
    for (int format = 0; format < BENCH_FORMATS; format++) {
        const char *path = o->exports[format];
        FILE *file = path && strcmp(path, "-") ? fopen(path, "ae") : NULL;

        if (file)
            fclose(file);
        else if (path && strcmp(path, "-"))
            die(1, "cannot write %s: %s", path, strerror(errno));
    }
}

/* ---- running ---- */

static int run_series(struct bench_command *c)
{
    struct rs_err err;
    int rc = bench_run(c->bench, &err), failed = tell(c);

    if (rc)
        warn("%s", err.text);
    return rc ? bench_exit_status(c->bench) ? bench_exit_status(c->bench) : 1 : failed;
}

/* Records one run of ARM, apart from the timed ones. Returns 0, or the exit status after saying why not. */
static int record(struct bench_command *c, struct comparison *comparison, enum arm arm)
{
    const struct bench_arm *program = &c->options.arms[arm];
    char *before[] = {(char[]){"bench"}, (char[]){"-q"},        (char[]){"--no-tui"},
                      (char[]){"-o"},    (char[]){"/dev/null"}, (char[]){"--"}};
    size_t fixed = sizeof(before) / sizeof(*before), words = 0;
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC), stdio[] = {null_fd, null_fd, null_fd}, status = 0;
    struct record_options options;
    const struct recording_options recording = {.record = &options, .launch = &c->state, .stdio = stdio};
    struct recording *r = NULL;
    struct rs_err err;
    char **argv;

    while (program->argv[words])
        words++;
    argv = xcalloc(fixed + words + 1, sizeof(*argv));
    memcpy(argv, before, sizeof(before));
    memcpy(argv + fixed, program->argv, words * sizeof(*argv));
    if (record_options_parse(&options, RECORD_OPTIONS, (int)(fixed + words), argv, &err) ||
        bench_beside(c->bench, arm, false, &err) || recording_new(&r, &recording, &err) || recording_start(r, &err) ||
        recording_run(r, &err)) {
        warn("%s", err.text);
        status = 3;
    } else {
        recording_finish(r);
        conclude_analyse(recording_session(r), false);
        if (recording_session(r)->meta.stop_reason == STOP_INTERRUPT)
            status = 130;
        else
            comparison_add(comparison, arm, recording_session(r), program->name);
        if (!status && bench_beside(c->bench, arm, true, &err)) {
            warn("%s", err.text);
            status = 3;
        }
    }
    recording_free(r, true);
    record_options_release(&options);
    free(argv);
    close(null_fd);
    return status;
}

/* What --cleanup took away is missing from then on: nothing is recorded after it. */
static int record_arms(struct bench_command *c, struct comparison *comparison)
{
    unsigned runs = c->options.arms[ARM_BASE].cleanup ? 0 : c->options.record;
    int status = 0;

    for (unsigned i = 0; i < runs && !status; i++)
        for (int arm = 0; arm < ARMS && !status; arm++) {
            if (c->shows_progress) {
                fprintf(stderr, "\r\x1b[Krecording %u/%u: %.40s", i + 1, runs, c->options.arms[arm].name);
                c->progress_ns = rs_clock_mono_ns();
            }
            status = record(c, comparison, (enum arm)arm);
        }
    clear_progress(c);
    return status;
}

/* A second series: a change that it does not show as well does not count. */
static int confirm(struct bench_command *c, struct bench_gate *first, const struct gate_limits *limits)
{
    const struct bench_result *results = bench_results(c->bench);
    struct bench_gate second;
    int status = run_series(c);

    if (status)
        return status;
    bench_gate_judge(&second, &results[ARM_BASE], &results[ARM_NEXT], limits);
    bench_gate_confirm(first, &second, limits);
    bench_gate_release(&second);
    return 0;
}

/* The verdict of COMPARISON, from the timed runs in it; those of GATE say what a second series left of them. */
static int conclude_gate(struct bench_command *c, struct comparison *comparison, const struct bench_gate *gate)
{
    int status;

    for (size_t i = 0; i < gate->count; i++) {
        struct figure *figure = figures_get(&comparison->set, FIGURE_TOTAL, gate->figures[i].metric, "", "");

        if (c->options.confirm && gate->figures[i].verdict == GATE_UNSURE && gate->figures[i].reason) {
            figure->verdict = GATE_NOT_COMPARABLE;
            figure->reason = gate->figures[i].reason;
        }
    }
    comparison_conclude(comparison);
    if (!c->options.quiet) {
        putchar('\n');
        compare_print(stdout, comparison,
                      &(struct compare_page){c->report_cols, c->page.charset, c->page.colour, TOP_ROWS});
        bench_print_self(stdout, gate);
    }
    status = comparison_status(comparison);
    return gate->unfit ? 3 : status;
}

static int gate(struct bench_command *c)
{
    const struct bench_result *results = bench_results(c->bench);
    struct comparison comparison = {.options.limits = gate_limits_default()};
    struct gate_limits *limits = &comparison.options.limits;
    struct bench_gate judged;
    struct bench_run *runs[ARMS];
    size_t counts[ARMS];
    int status = run_series(c);

    if (status)
        return status == 1 ? 3 : status; /* 1 would say that it regressed */
    limits->threshold = c->options.threshold_pct / 100;
    limits->paired = true;
    bench_gate_judge(&judged, &results[ARM_BASE], &results[ARM_NEXT], limits);
    for (int arm = 0; arm < ARMS; arm++) { /* of the first series */
        counts[arm] = results[arm].count;
        runs[arm] = xcalloc(counts[arm], sizeof(**runs));
        memcpy(runs[arm], results[arm].runs, counts[arm] * sizeof(**runs));
    }
    if (c->options.confirm && bench_gate_status(&judged) != 3)
        status = confirm(c, &judged, limits);
    if (!status)
        status = record_arms(c, &comparison);
    for (int arm = 0; arm < ARMS; arm++) {
        comparison_add_bare(&comparison, (enum arm)arm, runs[arm], counts[arm]);
        free(runs[arm]);
    }
    status = status ? status == 1 ? 3 : status : conclude_gate(c, &comparison, &judged);
    bench_gate_release(&judged);
    comparison_release(&comparison);
    return status;
}

static int run(struct bench_command *c)
{
    const struct bench_hooks hooks = {on_progress, c};
    struct summary_options terminal = {0};
    struct rs_err err;
    int status;

    summary_options_for(stdout, &terminal);
    c->page = (struct bench_page){.charset = terminal.charset,
                                  .colour = terminal.colour,
                                  .unit = c->options.unit,
                                  .sort = c->options.sort,
                                  .has_reference = c->options.has_reference,
                                  .paired = !c->options.sequential};
    c->report_cols = terminal.cols;
    summary_options_for(stderr, &terminal);
    c->cols = terminal.cols;
    c->shows_progress = !c->options.quiet && isatty(STDERR_FILENO);
    launch_prepare(&c->state);
    if (bench_new(&c->bench, &c->options, &c->state, &hooks, &err))
        die(1, "%s", err.text);
    status = c->options.gate ? gate(c) : run_series(c);
    bench_free(c->bench);
    return status;
}

int cmd_bench(int argc, char **argv)
{
    struct bench_command c = {.bench = NULL};
    struct rs_err err;
    int status;

    if (bench_options_parse(&c.options, argc, argv, &err))
        die(2, "%s", err.text);
    if (c.options.help) {
        bench_options_help();
        bench_options_release(&c.options);
        return 0;
    }
    check_exports(&c.options);
    status = run(&c);
    if (fflush(stdout) && !status)
        status = 1;
    bench_options_release(&c.options);
    return status;
}
