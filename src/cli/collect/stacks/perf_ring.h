/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/stacks/perf_record.h"

/*
 * Reads the kernel's per-CPU rings in place, merged by time.
 *
 * The records of one process are spread over the rings of all CPUs on which it ran, so a FORK or MMAP2 must not be
 * replayed before the samples of another ring that came earlier. A record is stamped before it is published; what was
 * stamped more than a moment ago is in its ring by now. So records are taken by time up to a horizon a little in the
 * past, and the rest simply stays in the rings until the next drain: nothing is copied, nothing is queued. A record
 * that is later than that after all is delivered late, not lost.
 */
struct perf_ring {
    void *map; /* the control page and the data pages behind it; NULL: no ring */
    size_t map_bytes;
    const uint8_t *data;
    size_t data_bytes; /* a power of two */
    uint64_t head, tail;
    bool has_next;
    struct perf_record next;
    uint64_t *scratch; /* one record that wraps around the end; PERF_RECORD_MAX_BYTES */
};

/* How much later than its time stamp a record may show up in its ring. */
#define PERF_PUBLISH_SLACK_NS UINT64_C(2000000)

struct perf_merge {
    struct perf_layout layout;
    struct perf_ring *rings;
    size_t ring_count;
    size_t current; /* the ring whose record was handed out last */
    bool handed_out;
    uint64_t bad_records; /* skipped: they lied about their contents */
    uint64_t resyncs;     /* a ring was emptied unread: a record's size was impossible */
};

/*
 * Maps a ring of FD with DATA_BYTES (a power of two of pages) of data. Returns 0 or a negative errno: EPERM is the
 * mlock quota. perf_ring_adopt takes memory that is mapped already (MAP as the kernel lays it out, DATA_BYTES long
 * behind PAGE_BYTES of control page), for tests.
 */
int perf_ring_map(struct perf_ring *ring, int fd, size_t data_bytes);
void perf_ring_adopt(struct perf_ring *ring, void *map, size_t page_bytes, size_t data_bytes);
void perf_ring_release(struct perf_ring *ring);

/* Looks how far the kernel has come in each ring. Call it once before each round of perf_merge_next. */
void perf_merge_refresh(struct perf_merge *merge);

/*
 * The earliest record not later than HORIZON_NS, or NULL. It points into the ring and is valid until the next call,
 * which gives its room back to the kernel.
 */
const struct perf_record *perf_merge_next(struct perf_merge *merge, uint64_t horizon_ns);
