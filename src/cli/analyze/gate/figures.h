/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "session/calltree.h"

/*
 * What two arms of runs (base and next) are compared by. A figure is one quantity of one subject ("CPU time of the
 * run", "own CPU time of parse_row") with its value in every run of both arms; judge.h turns it into a verdict. Figures
 * of one subject come together from many sessions, one session in memory at a time (collect.h), or are filled in by
 * hand:
 *
 *     struct figures set = {0};
 *     struct figure *wall = figures_get(&set, FIGURE_TOTAL, "wall", "", "");
 *     wall->unit = UNIT_NS;
 *     wall->headline = true;
 *     figures_put(&set, wall, ARM_BASE, run, 41.2e6);
 *     ...
 *     figures_fill(&set);
 *     gate_judge(set.list, set.count, &limits);
 *
 * A figure's pointer is good until the next figures_get(). One thread at a time.
 */
enum arm { ARM_BASE, ARM_NEXT, ARMS };

enum figure_kind {
    FIGURE_TOTAL, /* of the whole run */
    FIGURE_BENCHMARK,
    FIGURE_SCOPE,
    FIGURE_TASK,
    FIGURE_FUNCTION,
    FIGURE_PATH, /* the call path of allocations */
    FIGURE_KINDS
};

enum figure_unit { UNIT_NS, UNIT_BYTES, UNIT_COUNT };

enum gate_verdict {
    GATE_REGRESSED,
    GATE_IMPROVED,
    GATE_UNSURE,    /* the interval crosses the threshold: runs_needed would settle it */
    GATE_UNCHANGED, /* the interval lies inside the threshold */
    GATE_NEW,
    GATE_GONE,
    GATE_NOT_COMPARABLE, /* see reason */
    GATE_VERDICTS
};

enum gate_severity { SEVERITY_NONE, SEVERITY_MINOR, SEVERITY_MODERATE, SEVERITY_CRITICAL };

/* One arm's runs of a figure. */
struct figure_arm {
    double *runs; /* by run; NaN: not measured in it, or the subject was not there */
    size_t count, cap;
    size_t of;           /* runs that could have measured it; 0: all of them */
    uint64_t samples;    /* CPU samples behind all of them together; 0: not sampled */
    uint64_t of_samples; /* of so many that the runs had */
    double times;        /* how often a run does it, the most of all runs (calls of a scope); 0: once */
    /* A benchmark's own samples, of the newest run that has some. */
    double *samples_ns;
    size_t sample_count;
    uint32_t processes;
};

struct figure {
    enum figure_kind kind;
    const char *metric;        /* a constant: "wall", "cpu", "self_cpu", … */
    const char *name, *module; /* of the subject; "" for totals */
    const char *caller;        /* of a function: the one most of its time came through; "" unknown */
    const char *label;         /* what people are shown instead of name; NULL: name */
    enum layer layer;          /* of a function, or of a path's innermost frame that is not an allocator */
    enum figure_unit unit;
    bool exact;    /* near-deterministic: counts and sizes that the same input repeats */
    bool headline; /* it decides the exit status; others say who did it */
    bool hidden;   /* not asked for: judged, and in no table */
    struct figure_arm arms[ARMS];

    /* Filled by gate_judge(). In the unit, a run; NaN where there is none. */
    double base, next, ratio, low, high;
    double error; /* of next - base, half of its 95 % interval; NaN unknown */
    double p;     /* that the threshold is not passed, before Holm's correction; NaN not tested */
    enum gate_verdict verdict;
    enum gate_severity severity; /* of a regression */
    uint32_t runs_needed;        /* an arm, to settle it; 0: not known, or settled */
    const char *reason;          /* a constant or text of the set, for people; NULL: the figures say it all */
};

struct figures {
    struct figure *list;
    size_t count, cap;
    uint32_t *slots;
    size_t slot_count;
    struct arena text;
    size_t runs[ARMS];
    uint64_t samples[ARMS]; /* CPU samples of all runs */
    /* By arm and kind: which runs could measure it, so that an absent subject is a zero and not a gap. */
    bool *measured[ARMS][FIGURE_KINDS];
    size_t measured_cap[ARMS];
};

void figures_release(struct figures *set);

/* The figure, added when it is new (all zero then). METRIC must be a constant; NAME and MODULE are copied. */
struct figure *figures_get(struct figures *set, enum figure_kind kind, const char *metric, const char *name,
                           const char *module);

/* The same without adding any: NULL when there is none. */
struct figure *figures_find(const struct figures *set, enum figure_kind kind, const char *metric, const char *name,
                            const char *module);

/* Starts the next run of ARM and returns its index. */
size_t figures_add_run(struct figures *set, enum arm arm);
/* RUN of ARM could have measured subjects of KIND. */
void figures_measured(struct figures *set, enum arm arm, size_t run, enum figure_kind kind);
bool figures_arm_measured(const struct figures *set, enum arm arm, enum figure_kind kind);

/* Adds VALUE to the figure's value in RUN of ARM. NaN and infinite values are left out. */
void figures_put(struct figures *set, struct figure *figure, enum arm arm, size_t run, double value);

/*
 * Once all runs are in: every figure gets a place for each run, and functions and paths that a run could have seen and
 * did not are 0 there.
 */
void figures_fill(struct figures *set);

/*
 * Takes what compilers and linkers append off NAME, into OUT (CAP bytes): `::h<hash>`, `.llvm.N`, `.constprop.N`,
 * `.isra.N`,
 * `.part.N`, `.cold`, `.lto_priv.N`, the same as `[clone …]`, and `@@VERSION`. Never leaves nothing. Returns OUT.
 */
char *figure_name(const char *name, char *out, size_t cap);

const char *figure_kind_name(enum figure_kind kind);
const char *gate_verdict_name(enum gate_verdict verdict);
const char *gate_severity_name(enum gate_severity severity);
