/* SPDX-License-Identifier: MIT */
#pragma once

#include "analyze/bench_runs.h"
#include "analyze/gate/collect.h"
#include "analyze/gate/judge.h"

/*
 * Two arms of sessions compared: is it fit to be compared, what changed, who did it, what moved, and the exit status.
 *
 *     struct comparison c = {.options = {.limits = gate_limits_default()}};
 *     comparison_add(&c, ARM_BASE, session, path);    (each session; it may be freed afterwards)
 *     comparison_conclude(&c);
 *     status = comparison_status(&c);
 *     comparison_release(&c);
 *
 * Memory grows with the number of different functions and paths, not with the sessions' sizes.
 */
enum fail_on { FAIL_ON_MINOR, FAIL_ON_MODERATE, FAIL_ON_CRITICAL, FAIL_ON_ANY, FAIL_ON_NONE };

enum { COMPARISON_TOP = 10 };

struct comparison_options {
    struct gate_limits limits; /* .paired is found out: runs that took turns are pairs */
    struct collect_options collect;
    enum fail_on fail_on; /* ANY: functions and paths count as well, not only headlines */
    const char *metrics;  /* a list with commas of metrics; NULL: all */
    const char *only;     /* a pattern for subjects, which decide then; NULL: all */
    bool only_my_code;    /* functions and paths of the user's layer */
};

/* What is said of a session when it is asked whether two are of the same kind. Text lives as long as the comparison. */
struct run_facts {
    const char *path, *program, *build_id, *arch, *os, *cpu_model, *version;
    unsigned cores, rate_hz, stack_rate_hz;
    enum alloc_backend allocs;
    enum stack_backend stacks;
    bool symbols; /* the program's own names are known */
    uint64_t samples;
    int64_t start_unix_ms;
    double others_pct,
        steal_pct; /* CPU of others, and taken by the host, while it ran, in percent of the machine; NaN unknown */
};

/* Who changed a total: a function or a path, by how much of it. */
struct contributor {
    const struct figure *figure;
    const struct figure *was; /* the one that FIGURE seems to have been called before; NULL: itself */
    double change;            /* in the total's unit, a run */
    double share;             /* of the total's change */
};

struct blame {
    const struct figure *total;
    struct contributor list[COMPARISON_TOP];
    size_t count;
    double explained; /* the sum of the list, in the total's unit */
};

/* One gone and one new subject that are the same work, as it seems. */
struct moved {
    const struct figure *gone, *come;
};

struct comparison {
    struct comparison_options options;
    struct figures set;
    struct run_facts *facts[ARMS];
    size_t fact_cap[ARMS];

    /* Filled by comparison_conclude(). */
    const char **unfit; /* sentences; none: fit */
    size_t unfit_count;
    const char **notes; /* what else one should know */
    size_t note_count;
    struct figure **order; /* what is shown, by verdict and impact */
    size_t order_count;
    struct blame *blames;
    size_t blame_count;
    struct moved *moves;
    size_t move_count;
};

void comparison_add(struct comparison *c, enum arm arm, struct session *s, const char *path);
/*
 * Adds COUNT bare runs of ARM, once its sessions are in: wall time, CPU time and peak memory of the run are theirs
 * alone from then on, since a recorder costs something. A figure that one of the runs lacks is left out.
 */
void comparison_add_bare(struct comparison *c, enum arm arm, const struct bench_run *runs, size_t count);
void comparison_conclude(struct comparison *c);
void comparison_release(struct comparison *c);

/* 0: nothing regressed. 1: something did, at or above fail_on. 3: unfit, or no headline figure could be compared. */
int comparison_status(const struct comparison *c);
/* Whether FIGURE is what makes the status 1. */
bool comparison_fails(const struct comparison *c, const struct figure *figure);

/* The worst headline regression, else the largest improvement, else NULL. */
const struct figure *comparison_headline(const struct comparison *c);

/* Returns 0, or -EINVAL with a sentence when LIST names a metric that does not exist. */
struct rs_err;
int comparison_check_metrics(const char *list, struct rs_err *err);
