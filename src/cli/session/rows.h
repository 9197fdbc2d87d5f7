/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A bounded sparse table over time: rows of (bucket, key, key2) with up to three integer values, merged where the keys
 * are equal. It holds sampled CPU time by (node, thread), allocations by (node, thread) and metrics by process. Data
 * may arrive late and in any order.
 *
 * Bounds: beyond LIMIT rows the bucket is doubled; when few buckets are left the key2 split goes, then the rest of the
 * time axis. Totals stay equal. What was given up is counted for the report.
 */
enum { ROWS_MAX_VALUES = 3 };
#define ROWS_NO_KEY2 UINT32_MAX

enum rows_merge {
    ROWS_SUM,
    ROWS_MAX,
};

struct rows {
    uint64_t interval_ns;
    size_t limit;
    unsigned value_count;
    enum rows_merge merge[ROWS_MAX_VALUES];
    size_t count, cap;
    uint32_t *bucket, *key, *key2;
    int64_t *value[ROWS_MAX_VALUES];
    size_t compacted; /* rows [0, compacted) are sorted and unique */
    uint32_t *slots;  /* finds the newest rows by their keys; row + 1 */
    size_t slot_count, slots_used;
    uint64_t doublings;
    uint64_t key2_dropped; /* rows that lost their key2 */
    bool key2_gone;
};

void rows_init(struct rows *rows, uint64_t interval_ns, size_t limit, unsigned value_count,
               const enum rows_merge *merge);
void rows_release(struct rows *rows);

/* VALUES has value_count entries. AT_NS counts from the session's start. */
void rows_add(struct rows *rows, uint64_t at_ns, uint32_t key, uint32_t key2, const int64_t *values);

/* Sorts by (bucket, key, key2) and merges equal rows; afterwards [0, count) can be read in order. */
void rows_compact(struct rows *rows);

/* Multiplies VALUE of all rows by FACTOR (>= 0), so that its sum is the old one's, rounded, times FACTOR. */
void rows_scale(struct rows *rows, unsigned value, double factor);

/* Doubles the interval until it is at least INTERVAL_NS. */
void rows_widen(struct rows *rows, uint64_t interval_ns);

/* Replaces each key by MAP[key] (keys ≥ MAP_COUNT stay) and merges what became equal. */
void rows_remap_keys(struct rows *rows, const uint32_t *map, size_t map_count);
