/* SPDX-License-Identifier: MIT */
#include "session/rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

enum {
    FEWEST_BUCKETS = 64, /* doubling stops here first: fewer tell little about time */
    MOST_SLOTS = 32 * 1024,
};

void rows_init(struct rows *rows, uint64_t interval_ns, size_t limit, unsigned value_count,
               const enum rows_merge *merge)
{
    *rows = (struct rows){.interval_ns = interval_ns, .limit = limit, .value_count = value_count};
    memcpy(rows->merge, merge, value_count * sizeof(*merge));
    rows->slot_count = 1024;
    rows->slots = xcalloc(rows->slot_count, sizeof(*rows->slots));
}

static void release_columns(struct rows *rows)
{
    free(rows->bucket);
    free(rows->key);
    free(rows->key2);
    for (unsigned v = 0; v < ROWS_MAX_VALUES; v++)
        free(rows->value[v]);
}

void rows_release(struct rows *rows)
{
    release_columns(rows);
    free(rows->slots);
    *rows = (struct rows){0};
}

static void reserve(struct rows *rows, size_t needed)
{
    size_t cap;

    if (needed <= rows->cap)
        return;
    cap = grow_capacity(rows->cap, needed);
    rows->bucket = xreallocarray(rows->bucket, cap, sizeof(*rows->bucket));
    rows->key = xreallocarray(rows->key, cap, sizeof(*rows->key));
    rows->key2 = xreallocarray(rows->key2, cap, sizeof(*rows->key2));
    for (unsigned v = 0; v < rows->value_count; v++)
        rows->value[v] = xreallocarray(rows->value[v], cap, sizeof(*rows->value[v]));
    rows->cap = cap;
}

static void merge_values(struct rows *rows, size_t into, const int64_t *values)
{
    for (unsigned v = 0; v < rows->value_count; v++) {
        int64_t *value = &rows->value[v][into];

        if (rows->merge[v] == ROWS_SUM)
            *value += values[v];
        else if (*value < values[v])
            *value = values[v];
    }
}

static void append(struct rows *rows, uint32_t bucket, uint32_t key, uint32_t key2, const int64_t *values)
{
    size_t row = rows->count;

    reserve(rows, row + 1);
    rows->bucket[row] = bucket;
    rows->key[row] = key;
    rows->key2[row] = key2;
    for (unsigned v = 0; v < rows->value_count; v++)
        rows->value[v][row] = values[v];
    rows->count = row + 1;
}

static void forget_slots(struct rows *rows)
{
    memset(rows->slots, 0, rows->slot_count * sizeof(*rows->slots));
    rows->slots_used = 0;
}

/* The slot of the row with these keys among the newest ones, or the empty slot where it belongs. */
static uint32_t *find_slot(const struct rows *rows, uint32_t bucket, uint32_t key, uint32_t key2)
{
    size_t mask = rows->slot_count - 1;
    size_t i = hash_pair((uint64_t)bucket << 32 | key, key2) & mask;

    for (; rows->slots[i]; i = (i + 1) & mask) {
        size_t row = rows->slots[i] - 1;

        if (rows->bucket[row] == bucket && rows->key[row] == key && rows->key2[row] == key2)
            break;
    }
    return &rows->slots[i];
}

struct sort_entry {
    uint64_t order; /* bucket, key */
    uint32_t key2;
    uint32_t row;
};

static int compare_entries(const void *a, const void *b)
{
    const struct sort_entry *x = a, *y = b;

    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    if (x->key2 != y->key2)
        return x->key2 < y->key2 ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Reorders COLUMN, one of the value columns, of rows [FROM, …) as ENTRIES say. */
static void gather(int64_t *column, size_t from, const struct sort_entry *entries, size_t count, int64_t *copy)
{
    memcpy(copy, column + from, count * sizeof(*copy));
    for (size_t i = 0; i < count; i++)
        column[from + i] = copy[entries[i].row];
}

static void sort_range(struct rows *rows, size_t from, size_t count)
{
    struct sort_entry *entries = xreallocarray(NULL, count, sizeof(*entries));
    int64_t *copy = xreallocarray(NULL, count, sizeof(*copy));

    for (size_t i = 0; i < count; i++)
        entries[i] = (struct sort_entry){(uint64_t)rows->bucket[from + i] << 32 | rows->key[from + i],
                                         rows->key2[from + i], (uint32_t)i};
    qsort(entries, count, sizeof(*entries), compare_entries);
    for (size_t i = 0; i < count; i++) {
        rows->bucket[from + i] = (uint32_t)(entries[i].order >> 32);
        rows->key[from + i] = (uint32_t)entries[i].order;
        rows->key2[from + i] = entries[i].key2;
    }
    for (unsigned v = 0; v < rows->value_count; v++)
        gather(rows->value[v], from, entries, count, copy);
    free(entries);
    free(copy);
}

/*
 * Sorts rows [FROM, TO), merges equal ones and leaves them at INTO ≤ FROM. Returns the end of what is left. Memory
 * beyond the table's is that of the range, which callers keep small.
 */
static size_t settle(struct rows *rows, size_t from, size_t to, size_t into)
{
    size_t end = into;

    sort_range(rows, from, to - from);
    for (size_t row = from; row < to; row++) {
        int64_t values[ROWS_MAX_VALUES] = {0};

        for (unsigned v = 0; v < rows->value_count; v++)
            values[v] = rows->value[v][row];
        if (end > into && rows->bucket[end - 1] == rows->bucket[row] && rows->key[end - 1] == rows->key[row] &&
            rows->key2[end - 1] == rows->key2[row]) {
            merge_values(rows, end - 1, values);
            continue;
        }
        rows->bucket[end] = rows->bucket[row];
        rows->key[end] = rows->key[row];
        rows->key2[end] = rows->key2[row];
        for (unsigned v = 0; v < rows->value_count; v++)
            rows->value[v][end] = values[v];
        end++;
    }
    return end;
}

/* The first sorted row of BUCKET or a later one. */
static size_t first_of_bucket(const struct rows *rows, uint32_t bucket)
{
    size_t low = 0, high = rows->compacted;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (rows->bucket[middle] < bucket)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void rows_compact(struct rows *rows)
{
    uint32_t earliest = UINT32_MAX;
    size_t from;

    if (rows->compacted == rows->count)
        return;
    /* New rows belong to the last few buckets: only from the earliest of them on is there anything to sort. */
    for (size_t row = rows->compacted; row < rows->count; row++)
        if (rows->bucket[row] < earliest)
            earliest = rows->bucket[row];
    from = first_of_bucket(rows, earliest);
    rows->count = rows->compacted = settle(rows, from, rows->count, from);
    forget_slots(rows);
}

/* Settles every bucket anew after keys have changed within buckets, or neighbouring buckets have become one. */
static void settle_buckets(struct rows *rows)
{
    size_t end = 0;

    for (size_t from = 0, to; from < rows->count; from = to) {
        for (to = from + 1; to < rows->count && rows->bucket[to] == rows->bucket[from];)
            to++;
        end = settle(rows, from, to, end);
    }
    rows->count = rows->compacted = end;
    forget_slots(rows);
}

static void double_interval(struct rows *rows)
{
    rows_compact(rows);
    for (size_t row = 0; row < rows->count; row++)
        rows->bucket[row] /= 2;
    rows->interval_ns *= 2;
    rows->doublings++;
    settle_buckets(rows);
}

static void drop_key2(struct rows *rows)
{
    rows_compact(rows);
    for (size_t row = 0; row < rows->count; row++)
        rows->key2[row] = ROWS_NO_KEY2;
    rows->key2_dropped += rows->count;
    rows->key2_gone = true;
    settle_buckets(rows);
}

/* Half full: grow up to a bound, then settle what is there, so that what must be sorted at once stays small. */
static void relieve_slots(struct rows *rows)
{
    if (rows->slots_used * 2 < rows->slot_count)
        return;
    if (rows->slot_count < MOST_SLOTS) {
        rows->slot_count *= 2;
        rows->slots = xreallocarray(rows->slots, rows->slot_count, sizeof(*rows->slots));
    }
    forget_slots(rows);
    rows_compact(rows);
}

/* Makes room by the cheapest loss first; leaves a quarter of the limit free where it can. */
static void make_room(struct rows *rows)
{
    rows_compact(rows);
    while (rows->count > rows->limit - rows->limit / 4) {
        uint32_t newest_bucket = rows->bucket[rows->count - 1];

        if (newest_bucket >= FEWEST_BUCKETS)
            double_interval(rows);
        else if (!rows->key2_gone)
            drop_key2(rows);
        else if (newest_bucket)
            double_interval(rows);
        else
            break; /* one bucket of distinct keys: the call tree's own bound holds these */
    }
}

void rows_add(struct rows *rows, uint64_t at_ns, uint32_t key, uint32_t key2, const int64_t *values)
{
    uint32_t bucket, *slot;

    while (at_ns / rows->interval_ns >= UINT32_MAX)
        double_interval(rows);
    if (rows->count >= rows->limit)
        make_room(rows);
    if (rows->key2_gone)
        key2 = ROWS_NO_KEY2;
    relieve_slots(rows);
    bucket = (uint32_t)(at_ns / rows->interval_ns);
    slot = find_slot(rows, bucket, key, key2);
    if (*slot) {
        merge_values(rows, *slot - 1, values);
        return;
    }
    append(rows, bucket, key, key2, values);
    *slot = (uint32_t)rows->count;
    rows->slots_used++;
}

void rows_widen(struct rows *rows, uint64_t interval_ns)
{
    while (rows->interval_ns < interval_ns)
        double_interval(rows);
}

void rows_scale(struct rows *rows, unsigned value, double factor)
{
    double exact = 0;
    int64_t given = 0;

    /* Differences of rounded sums, so that thousands of roundings do not add up. */
    for (size_t row = 0; row < rows->count; row++) {
        int64_t so_far;

        exact += (double)rows->value[value][row] * factor;
        so_far = (int64_t)(exact + 0.5);
        rows->value[value][row] = so_far - given;
        given = so_far;
    }
}

void rows_remap_keys(struct rows *rows, const uint32_t *map, size_t map_count)
{
    rows_compact(rows);
    for (size_t row = 0; row < rows->count; row++)
        if (rows->key[row] < map_count)
            rows->key[row] = map[rows->key[row]];
    settle_buckets(rows);
}
