/* SPDX-License-Identifier: MIT */
#pragma once

#include "analyze/gate/figures.h"

/*
 * Verdicts over figures: what may be called a regression.
 *
 * A noisy figure (time, CPU, resident memory) is `regressed` when the 95 % interval of next / base (core/bench_arms.h)
 * lies beyond the threshold, the change is at least the floor, and the test holds after Holm's correction over its
 * family, the figures that were tested together: headlines are one, those that only say who did it another. A family's
 * error rate is 0.5 %: one comparison of 200 of a program with itself may be wrong where noise is all there is.
 * `unchanged`: the interval, or that of the difference, lies inside. Else `unsure`, with the runs an arm that would
 * settle it; where that are more than GATE_MOST_RUNS, or where five runs and more leave an interval of ten thresholds
 * each way, the runs scatter too much for the threshold and the figure is not comparable.
 *
 * A near-deterministic one (counts and sizes) is held to its own threshold by its centres alone, as long as each arm's
 * runs agree within it or all of one arm lie beyond all of the other; else it is judged as a noisy one.
 *
 * One run a side is no test: of noisy figures only totals count then, from GATE_SINGLE and ten times the floor on. A
 * benchmark whose arms have one run each is judged by its samples (core/bench_stats.h), as librustscope's runner does.
 *
 * Sampled time carries the error of its sample counts: its interval is never narrower than that.
 */
#define GATE_SINGLE 0.25
enum { GATE_MOST_RUNS = 1000 };

struct gate_limits {
    double threshold;                          /* of noisy figures: 0.05 is 5 % */
    double exact_threshold;                    /* of near-deterministic ones */
    double floor_ns, floor_bytes, floor_count; /* a run; smaller changes are not regressions */
    bool paired;                               /* run i of both arms was made side by side */
    bool one_family;                           /* headlines and the others share one error rate */
};

/* 5 %, 1 %, 1 ms, 64 KiB, 8. */
struct gate_limits gate_limits_default(void);

/*
 * Judges COUNT figures; their values must be there for every run (figures_fill()). A figure that the caller marked as
 * GATE_NOT_COMPARABLE with a reason stays so. The same figures give the same verdicts.
 */
void gate_judge(struct figure *figures, size_t count, const struct gate_limits *limits);

/*
 * Against a second series of the same arms, judged already: what regressed or improved in LIST stays so only when
 * SECOND moved the same way beyond the threshold; else it is unsure.
 */
void gate_confirm(struct figure *list, size_t count, const struct figures *second, const struct gate_limits *limits);

/* From 10 % on a regression is moderate, from 25 % on (or from nothing at all) critical. */
enum gate_severity gate_severity_of(double ratio);
