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

extern bool rs_clock_slow; /* clock_gettime instead of the counter; constant after rs_clock_init() */
const char *rs_clock_name(void);

/* The clock in use. */
uint64_t rs_clock_ticks(void);

/*
 * The same, for PRECISE: the first is read after everything before it and before everything after it, the second after
 * everything before it. The bare counter may be read while up to 10 ns of the body are still under way.
 */
static inline uint64_t rs_clock_fenced_begin(void);
static inline uint64_t rs_clock_fenced_end(void);

/* Ticks a second, within a factor of five and at once. */
uint64_t rs_clock_rough_rate(void);

/* To 25 ppm or better. Spins for the rest of the first two milliseconds after rs_clock_init(). */
double rs_clock_ns_per_tick(void);
/* CLOCK_MONOTONIC of a tick count, given rs_clock_ns_per_tick(). */
uint64_t rs_clock_mono_ns_of(uint64_t ticks, double ns_per_tick);
/* When rs_clock_init() was called. */
uint64_t rs_clock_start_mono_ns(void);
/* CPU time of the process since then, or since its fork: an exec keeps what the programs before it have used. */
double rs_clock_cpu_ms(void);
void rs_clock_forked(void);
/* Now, for the report. */
struct rs_scope_clock rs_clock_now(void);

/* The middle of a few hundred small numbers; counting them needs no sorting. */
struct rs_median {
    uint32_t counts[256];
    uint32_t total;
};
void rs_median_add(struct rs_median *m, uint64_t value);
uint64_t rs_median_of(const struct rs_median *m);

/* The usual difference of two readings in a row, at least 1: what a time below it cannot be told from. */
uint64_t rs_clock_resolution_ticks(void);

#if defined(__x86_64__)
#define RS_FENCE_() __asm__ volatile("lfence" ::: "memory")
#elif defined(__aarch64__)
#define RS_FENCE_() __asm__ volatile("isb" ::: "memory")
#else
#define RS_FENCE_() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#endif

static inline uint64_t rs_clock_fenced_end(void)
{
    if (__builtin_expect(rs_clock_slow, 0))
        return rs_clock_ticks();
    RS_FENCE_();
    return rustscope_ticks();
}

static inline uint64_t rs_clock_fenced_begin(void)
{
    uint64_t ticks = rs_clock_fenced_end();

    RS_FENCE_();
    return ticks;
}
