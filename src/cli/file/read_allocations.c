/* SPDX-License-Identifier: MIT */
#include "file/reader.h"

#include <stdlib.h>

#include "base/alloc.h"

static int read_stats(struct session_reader *r)
{
    struct allocations *a = &r->s->allocations;
    int64_t *columns[ALLOCATIONS_COLUMNS] = {NULL};
    struct json_slice member;
    double *lifetimes;
    struct table table;
    int64_t count;
    int rc = table_open(r, "allocations", rs_allocation_columns[ALLOCATIONS_NODE], &table);

    if (rc || !table.section.len)
        return rc;
    for (size_t c = 0; c < ALLOCATIONS_COLUMNS; c++) {
        columns[c] = table_ints(&table, rs_allocation_columns[c], 0, c ? 9.2e18 : (double)r->s->tree.node_count - 1);
        if (!columns[c])
            rc = reader_broken(r, "allocations");
    }
    if (!rc) {
        a->stats = xcalloc(table.count, sizeof(*a->stats));
        a->stats_count = table.count;
    }
    for (size_t i = 0; !rc && i < table.count; i++)
        a->stats[i] = (struct alloc_stats){.node = (int32_t)columns[ALLOCATIONS_NODE][i],
                                           .count = (uint64_t)columns[ALLOCATIONS_COUNT][i],
                                           .bytes = (uint64_t)columns[ALLOCATIONS_BYTES][i],
                                           .peak_bytes = (uint64_t)columns[ALLOCATIONS_PEAK_BYTES][i],
                                           .leaked_bytes = (uint64_t)columns[ALLOCATIONS_LEAKED_BYTES][i],
                                           .leaked_count = (uint64_t)columns[ALLOCATIONS_LEAKED_COUNT][i],
                                           .temporary = (uint64_t)columns[ALLOCATIONS_TEMPORARY][i],
                                           .lifetime_p50_us = (uint64_t)columns[ALLOCATIONS_LIFETIME_P50_US][i]};
    for (size_t c = 0; c < ALLOCATIONS_COLUMNS; c++)
        free(columns[c]);
    count = slice_numbers(table.section, "lifetimes", &lifetimes);
    for (int64_t i = 0; i < count && i < LIFETIME_CLASSES; i++)
        a->lifetimes[i] = lifetimes[i] > 0 && lifetimes[i] < 1.8e19 ? (uint64_t)lifetimes[i] : 0;
    free(lifetimes);
    if (slice_member(table.section, "peak", &member)) {
        cJSON *peak = cJSON_ParseWithLength(member.text, member.len);

        a->peak_at_ns = item_at_ns(r, peak, "ts");
        a->peak_bytes = item_uint(peak, "bytes");
        cJSON_Delete(peak);
    }
    if (slice_member(table.section, "outside", &member)) {
        cJSON *outside = cJSON_ParseWithLength(member.text, member.len);

        a->outside_peak_bytes = item_uint(outside, "peak_bytes");
        a->outside_left_bytes = item_uint(outside, "left_bytes");
        cJSON_Delete(outside);
    }
    if (slice_member(table.section, "by_size", &member)) {
        cJSON *by_size = cJSON_ParseWithLength(member.text, member.len);

        for (size_t i = 0; i < ALLOC_SIZE_CLASSES; i++)
            a->by_size[i] = item_uint(by_size, rs_alloc_size_classes[i]);
        cJSON_Delete(by_size);
    }
    return rc;
}

static int read_leak(struct session_reader *r, const cJSON *o)
{
    struct allocations *a = &r->s->allocations;
    struct leak leak = {.node = item_int32(o, "node", -1),
                        .process = (uint32_t)item_uint(o, "process"),
                        .bytes = item_uint(o, "bytes"),
                        .count = item_uint(o, "count"),
                        .first_ns = item_at_ns(r, o, "first_ts"),
                        .last_ns = item_at_ns(r, o, "last_ts"),
                        .suppressed = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "suppressed"))};

    if (leak.node < 0 || (size_t)leak.node >= r->s->tree.node_count || leak.process >= r->s->process_count)
        return reader_broken(r, "leaks");
    a->leaks = xreallocarray(a->leaks, a->leak_count + 1, sizeof(*a->leaks));
    a->leaks[a->leak_count++] = leak;
    return 0;
}

int read_allocations(struct session_reader *r)
{
    int rc = read_stats(r);

    return rc ? rc : reader_objects(r, "leaks", read_leak);
}
