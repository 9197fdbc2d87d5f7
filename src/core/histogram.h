/* SPDX-License-Identifier: MIT */
#pragma once

#include <rustscope.h>
#include <stdint.h>

/*
 * A log-linear histogram of durations: exact up to 31, then 32 buckets an octave up to 2^41 ticks (14 minutes at
 * 2.6 GHz); longer ones share the last bucket. A bucket is at most 1/32 of its lower bound wide, so its middle is off by
 * at most 1.6 %. rustscope_bucket() in the public header picks the bucket, since inlined scopes need it.
 *
 * 16 an octave would halve the memory, but its middle is off by 3.03 %.
 */

/* The smallest value of BUCKET; bucket RUSTSCOPE_HISTOGRAM_BUCKETS gives the end of the last one. */
uint64_t rs_histogram_low(uint32_t bucket);

/* What stands for the values of BUCKET: its middle. */
double rs_histogram_value(uint32_t bucket);

uint64_t rs_histogram_total(const uint64_t *buckets);

/* Adds FROM to INTO; both have RUSTSCOPE_HISTOGRAM_BUCKETS. */
void rs_histogram_merge(uint64_t *into, const uint64_t *from);

/*
 * The value below which a share of QUANTILE (0-1) of the counted values lies (nearest rank), kept within MIN and MAX,
 * which are exact. 0 without values.
 */
double rs_histogram_quantile(const uint64_t *buckets, double quantile, double min, double max);
