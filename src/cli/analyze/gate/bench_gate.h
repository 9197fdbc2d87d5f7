/* SPDX-License-Identifier: MIT */
#pragma once

#include "analyze/bench_runs.h"
#include "analyze/gate/judge.h"

/*
 * The verdict over two arms of timed runs that took turns: wall time, CPU time and peak memory, by the rules of
 * judge.h. The base is also compared with itself, its odd runs with its even ones: where those seem to differ by more
 * than the threshold, the machine disturbs runs more than the threshold permits and no verdict is worth having.
 */
struct bench_gate {
    struct figures set;
    struct figure *figures; /* wall, cpu, rss_peak */
    size_t count;
    double self_ratio, self_low, self_high; /* of the base with itself; NaN: too few runs */
    bool unfit;
};

void bench_gate_judge(struct bench_gate *gate, const struct bench_result *base, const struct bench_result *next,
                      const struct gate_limits *limits);
void bench_gate_release(struct bench_gate *gate);

/* What FIRST said holds only where SECOND, a second series, moved the same way: see gate_confirm(). */
void bench_gate_confirm(struct bench_gate *first, const struct bench_gate *second, const struct gate_limits *limits);

/* 0: nothing regressed; 1: something did; 3: unfit, or the wall time of these runs cannot be compared. */
int bench_gate_status(const struct bench_gate *gate);
