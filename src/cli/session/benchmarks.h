/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/bench.h"
#include "session/strings.h"

/* A result of librustscope's benchmark runner, measured in one of the session's processes. */
struct session_benchmark {
    string_id name;
    uint32_t process; /* index; UINT32_MAX: of a file that does not tell */
    uint32_t number;  /* the process's own, from 1 */
    uint32_t arrived; /* samples that are here; complete at counts.samples */
    struct rs_bench_counts counts;
    struct rs_bench_summary summary; /* once complete, after session_benchmarks_summarize() or from a file */
    double *samples_ns;
};

struct session_benchmarks {
    struct session_benchmark *list;
    size_t count, cap;
    uint64_t samples; /* of all of them */
};

void session_benchmarks_release(struct session_benchmarks *benchmarks);

/* Room for one more with COUNTS.samples samples, all zero; NULL beyond the bounds (10,000 results, 4 M samples). */
struct session_benchmark *session_benchmarks_add(struct session_benchmarks *benchmarks, const struct rs_bench_counts *counts);

/* Drops results that did not arrive whole, computes the summaries of the others; returns how many were dropped. */
size_t session_benchmarks_summarize(struct session_benchmarks *benchmarks);
