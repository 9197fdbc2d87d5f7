/* SPDX-License-Identifier: MIT */
#include "command/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "core/clock.h"
#include "report/bench_report.h"
#include "report/summary.h"
#include "run/bench.h"
#include "run/bench_options.h"
#include "system/launch.h"

static const uint64_t PROGRESS_NS = 100000000;

struct bench_command {
    struct bench_options options;
    struct bench *bench;
    struct bench_page page;
    bool shows_progress;
    uint64_t progress_ns; /* when it was last drawn; 0: the line is clear */
    int cols;
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

/* A file that cannot be written is no news after an hour of runs. */
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

static int gate(struct bench_command *c)
{
    struct gate_limits limits = gate_limits_default();
    struct bench_gate first, second;
    int status = run_series(c);

    if (status)
        return status == 1 ? 3 : status; /* 1 would say that it regressed */
    limits.threshold = c->options.threshold_pct / 100;
    limits.paired = true;
    bench_gate_judge(&first, &bench_results(c->bench)[0], &bench_results(c->bench)[1], &limits);
    if (c->options.confirm && bench_gate_status(&first) != 3) {
        status = run_series(c);
        if (status) {
            bench_gate_release(&first);
            return status == 1 ? 3 : status;
        }
        bench_gate_judge(&second, &bench_results(c->bench)[0], &bench_results(c->bench)[1], &limits);
        bench_gate_confirm(&first, &second, &limits);
        bench_gate_release(&second);
    }
    if (!c->options.quiet)
        bench_print_gate(stdout, &first, &c->page);
    status = bench_gate_status(&first);
    bench_gate_release(&first);
    return status;
}

static int run(struct bench_command *c)
{
    const struct bench_hooks hooks = {on_progress, c};
    struct summary_options terminal = {0};
    struct launch_state state;
    struct rs_err err;
    int status;

    summary_options_for(stdout, &terminal);
    c->page = (struct bench_page){.charset = terminal.charset,
                                  .colour = terminal.colour,
                                  .unit = c->options.unit,
                                  .sort = c->options.sort,
                                  .has_reference = c->options.has_reference,
                                  .paired = !c->options.sequential};
    summary_options_for(stderr, &terminal);
    c->cols = terminal.cols;
    c->shows_progress = !c->options.quiet && isatty(STDERR_FILENO);
    launch_prepare(&state);
    if (bench_new(&c->bench, &c->options, &state, &hooks, &err))
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
