/* SPDX-License-Identifier: MIT */
#include "core/histogram.h"

uint64_t rs_histogram_low(uint32_t bucket)
{
    uint32_t octave = bucket / 32;

    return octave < 2 ? bucket : (uint64_t)(32 + bucket % 32) << (octave - 1);
}

double rs_histogram_value(uint32_t bucket)
{
    uint64_t low = rs_histogram_low(bucket), high = rs_histogram_low(bucket + 1) - 1;

    return ((double)low + (double)high) / 2;
}

uint64_t rs_histogram_total(const uint64_t *buckets)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < RUSTSCOPE_HISTOGRAM_BUCKETS; i++)
        total += buckets[i];
    return total;
}

void rs_histogram_merge(uint64_t *into, const uint64_t *from)
{
    for (uint32_t i = 0; i < RUSTSCOPE_HISTOGRAM_BUCKETS; i++)
        into[i] += from[i];
}

double rs_histogram_quantile(const uint64_t *buckets, double quantile, double min, double max)
{
    uint64_t total = rs_histogram_total(buckets), seen = 0, rank;
    double value = 0;

    if (!total)
        return 0;
    rank = (uint64_t)(quantile * (double)total);
    if ((double)rank < quantile * (double)total || !rank)
        rank++;
    for (uint32_t i = 0; i < RUSTSCOPE_HISTOGRAM_BUCKETS && seen < rank; i++) {
        seen += buckets[i];
        value = rs_histogram_value(i);
    }
    return value < min ? min : value > max ? max : value;
}
