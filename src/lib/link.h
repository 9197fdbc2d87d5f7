/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/bench.h"

/*
 * The way to the CLI. What changed since the last time is sent by the first scope that ends a second later, in whatever
 * thread, and at exit: no helper thread, and a process that is killed misses its last second at most. Marks and counters
 * go at once. Without RUSTSCOPE_ALLOC_PIPE nothing here costs more than a branch.
 */
void rs_link_init(void);
/* A scope has ended at or after rustscope_due. */
void rs_link_due(void);
void rs_link_finish(void);
/* In a forked child: a process of its own, with nothing told yet. */
void rs_link_forked(void);
/* Signal-safe; a mark from a handler that cut into another one's sending is counted as lost. */
void rs_link_mark(const char *name, bool is_counter, double value);
/* A benchmark's result, at once. */
void rs_link_benchmark(const char *name, const struct rs_bench_counts *counts, const double *samples_ns);
