/* SPDX-License-Identifier: MIT */
#pragma once

#include "analyze/bench_runs.h"

/* Those of COUNT results that have runs, in ORDER (room for all): by their means, or as they were given. Returns how
 * many. */
size_t bench_order(const struct bench_result *results, size_t count, bool by_mean, const struct bench_result **order);

/* What the others are relative to: result 0 where that is the REFERENCE, else the fastest. NULL: none has runs. */
const struct bench_result *bench_reference(const struct bench_result *results, size_t count, bool reference);
