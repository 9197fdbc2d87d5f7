/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bench_stats.h"
#include "core/json.h"

/*
 * A benchmark's result as librustscope and the CLI both keep it: what was counted, what follows from the samples, and
 * the JSON that both write (benchmarks[] of docs/session.schema.json). Also the layout of the record on the wire.
 */
struct rs_bench_counts {
    uint64_t iterations; /* in all samples and threads */
    uint64_t warmup_iterations;
    uint64_t sample_iterations; /* of one sample and thread */
    uint64_t alloc_bytes, alloc_blocks; /* in all iterations */
    uint64_t bytes, items;      /* of one iteration; 0: none */
    uint64_t loop_fs, resolution_fs; /* in femtoseconds, so that texts and records hold whole numbers alone */
    int64_t n;
    uint32_t samples, processes, threads;
    uint32_t flags; /* RS_BENCH_COUNTS_… */
};

enum {
    RS_BENCH_ALLOCATIONS_KNOWN = 1,
    RS_BENCH_UNSETTLED = 2,
    RS_BENCH_HAS_N = 4, /* n is a parameter */
};

/* What was handled per second by all threads together; 0 where an iteration's size is not known. */
double rs_bench_per_sec(uint64_t per_iteration, const struct rs_bench_counts *c, const struct rs_bench_summary *s);

/* One entry of benchmarks[]. PROFILED: stacks were sampled while it ran. */
void rs_bench_json(struct rs_json *j, const char *name, const struct rs_bench_counts *c, const struct rs_bench_summary *s,
                   const double *samples_ns, bool profiled);
