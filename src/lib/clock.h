/* SPDX-License-Identifier: MIT */
#pragma once

#include <rustscope.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/scopes.h"

/*
 * Scopes count in ticks of the CPU's counter (19 ns a pair instead of 47 for clock_gettime), which becomes ns when
 * somebody asks: the rate follows from two pairs of counter and CLOCK_MONOTONIC, one taken at the start. Where the counter
 * is not one clock for all CPUs, ticks are nanoseconds of CLOCK_MONOTONIC and every scope goes the slow way.
 */

/* Takes the first pair. Called before the first scope. */
void rs_clock_init(void);

bool rs_clock_is_slow(void); /* clock_gettime instead of the counter */
const char *rs_clock_name(void);

/* The clock in use, bare and ordered against the code around it. */
uint64_t rs_clock_ticks(void);
uint64_t rs_clock_fenced_ticks(void);

/* To 25 ppm or better. Spins for the rest of the first two milliseconds after rs_clock_init(). */
double rs_clock_ns_per_tick(void);
/* CLOCK_MONOTONIC of a tick count, given rs_clock_ns_per_tick(). */
uint64_t rs_clock_mono_ns_of(uint64_t ticks, double ns_per_tick);
/* When rs_clock_init() was called. */
uint64_t rs_clock_start_mono_ns(void);
/* Now, for the report. */
struct rs_scope_clock rs_clock_now(void);

/* What an empty fenced scope measures; constant on a machine, so PRECISE subtracts it. Measured once. */
uint64_t rs_clock_precise_offset(void);
/* The usual difference of two readings in a row, at least 1: what a time below it cannot be told from. */
uint64_t rs_clock_resolution_ticks(void);
