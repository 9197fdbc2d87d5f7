/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "analyze/bench_runs.h"
#include "base/err.h"
#include "report/bench_report.h"

/*
 * What `rustscope bench` was asked to do: its arms, one for each command and combination of parameters, and how they
 * are run. Options have the names and meanings of hyperfine 1.20, where it has them.
 */
struct bench_arm {
    char *line;  /* the command as it was written, parameters filled in */
    char *name;  /* what people are shown: LINE, or a name that was given */
    char **argv; /* how it is run, the shell included */
    bool in_shell;
    struct bench_parameter *parameters;
    size_t parameter_count;
    char **setup, **prepare, **conclude, **cleanup; /* argv of each; NULL: none */
    const char *output;                             /* "null", "pipe", "inherit" or a path */
};

enum { BENCH_MOST_ARMS = 1000, BENCH_MOST_RUNS = 100000 };

struct bench_options {
    struct bench_arm *arms;
    size_t arm_count;
    bool gate;                           /* --vs: arm 0 is the base, and the last one is judged against it */
    bool has_reference;                  /* arm 0 is what the others are relative to */
    unsigned warmup, min_runs, max_runs; /* max_runs 0: no limit but BENCH_MOST_RUNS */
    double min_seconds;                  /* of each arm's runs, when no number of runs is given */
    double until_pct;                    /* go on until the mean is known to so many per cent; 0: not asked for */
    double timeout_sec;
    bool sequential;   /* one arm after the other, not in turns */
    bool confirm;      /* what the gate says must hold in a second series */
    char **shell;      /* the words before "-c" and the command; NULL: none */
    const char *input; /* a path; NULL: nothing to read */
    bool ignore_failure;
    bool ignored[256]; /* with ignore_failure: these statuses */
    double threshold_pct;
    unsigned record; /* with the gate: runs of each arm that are recorded, to say who did it */
    bool quiet, help;
    enum bench_sort sort;
    enum bench_unit unit;
    const char *exports[BENCH_FORMATS]; /* paths; NULL: not asked for; "-": standard output */
};

/*
 * Parses ARGV (argv[0] is the command's name). Returns 0, or -EINVAL with a sentence: usage, exit status 2. Texts point
 * into ARGV, which must outlive them. bench_options_release() frees the rest, after a failure too.
 */
int bench_options_parse(struct bench_options *options, int argc, char **argv, struct rs_err *err);
void bench_options_release(struct bench_options *options);
void bench_options_help(void);
