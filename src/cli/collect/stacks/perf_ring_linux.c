/* SPDX-License-Identifier: MIT */
#include "collect/stacks/perf_ring.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"

void perf_ring_adopt(struct perf_ring *ring, void *map, size_t page_bytes, size_t data_bytes)
{
    *ring = (struct perf_ring){
        .map = map,
        .map_bytes = page_bytes + data_bytes,
        .data = (const uint8_t *)map + page_bytes,
        .data_bytes = data_bytes,
        .scratch = xmalloc(PERF_RECORD_MAX_BYTES),
    };
}

int perf_ring_map(struct perf_ring *ring, int fd, size_t data_bytes)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *map = mmap(NULL, page_bytes + data_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (map == MAP_FAILED)
        return -errno;
    perf_ring_adopt(ring, map, page_bytes, data_bytes);
    return 0;
}

void perf_ring_release(struct perf_ring *ring)
{
    if (ring->map)
        munmap(ring->map, ring->map_bytes);
    free(ring->scratch);
    *ring = (struct perf_ring){0};
}

static void give_back(struct perf_ring *ring)
{
    struct perf_event_mmap_page *page = ring->map;

    /* Release: the kernel may overwrite the record as soon as it sees the new tail. */
    __atomic_store_n(&page->data_tail, ring->tail, __ATOMIC_RELEASE);
}

void perf_merge_refresh(struct perf_merge *merge)
{
    for (size_t i = 0; i < merge->ring_count; i++) {
        struct perf_ring *ring = &merge->rings[i];
        struct perf_event_mmap_page *page = ring->map;

        if (page)
            ring->head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
    }
}

/* LEN bytes of the ring from position AT on, in one piece. */
static const void *contiguous(struct perf_ring *ring, uint64_t at, size_t len)
{
    size_t offset = at & (ring->data_bytes - 1);
    size_t first = ring->data_bytes - offset;

    if (len <= first)
        return ring->data + offset;
    memcpy(ring->scratch, ring->data + offset, first);
    memcpy((uint8_t *)ring->scratch + first, ring->data, len - first);
    return ring->scratch;
}

/* Parses the ring's next usable record into ring->next. Returns false when there is none. */
static bool look_ahead(struct perf_merge *merge, struct perf_ring *ring)
{
    while (!ring->has_next && ring->head - ring->tail >= sizeof(struct perf_event_header)) {
        uint64_t unread = ring->head - ring->tail;
        struct perf_event_header header;
        int size = -EBADMSG;

        memcpy(&header, contiguous(ring, ring->tail, sizeof(header)), sizeof(header));
        /* The kernel publishes whole records: one that is longer than what is there is as wrong as one of size 0. */
        if (unread <= ring->data_bytes && header.size <= unread)
            size =
                perf_record_parse(&merge->layout, contiguous(ring, ring->tail, header.size), header.size, &ring->next);
        if (size <= 0) {
            ring->tail = ring->head;
            give_back(ring);
            merge->resyncs++;
        } else if (ring->next.kind == PERF_REC_BAD || ring->next.kind == PERF_REC_OTHER) {
            merge->bad_records += ring->next.kind == PERF_REC_BAD;
            ring->tail += (unsigned)size;
            give_back(ring);
        } else {
            ring->has_next = true;
        }
    }
    return ring->has_next;
}

const struct perf_record *perf_merge_next(struct perf_merge *merge, uint64_t horizon_ns)
{
    struct perf_ring *earliest = NULL;

    if (merge->handed_out) {
        struct perf_ring *ring = &merge->rings[merge->current];

        ring->tail += ring->next.size_bytes;
        ring->has_next = false;
        merge->handed_out = false;
        give_back(ring);
    }
    for (size_t i = 0; i < merge->ring_count; i++) {
        struct perf_ring *ring = &merge->rings[i];

        if (look_ahead(merge, ring) && ring->next.time_ns <= horizon_ns &&
            (!earliest || ring->next.time_ns < earliest->next.time_ns))
            earliest = ring;
    }
    if (!earliest)
        return NULL;
    merge->current = (size_t)(earliest - merge->rings);
    merge->handed_out = true;
    return &earliest->next;
}
