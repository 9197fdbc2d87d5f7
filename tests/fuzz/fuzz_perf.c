/* SPDX-License-Identifier: MIT */
/* The first byte: even, the rest are records in a perf ring; odd, lines of /proc/PID/maps. */
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "collect/modules/maps.h"
#include "collect/stacks/perf_ring.h"

enum { PAGE = 4096, DATA = 65536 };

static volatile uint64_t sink;

static void touch(const void *bytes, size_t len)
{
    const uint8_t *b = bytes;

    for (size_t i = 0; i < len; i++)
        sink += b[i];
}

static void use(const struct perf_record *rec, unsigned regs)
{
    switch (rec->kind) {
    case PERF_REC_SAMPLE:
        touch(rec->sample.chain, rec->sample.chain_count * 8);
        if (rec->sample.regs_abi)
            touch(rec->sample.regs, regs * 8);
        touch(rec->sample.stack, rec->sample.stack_bytes);
        break;
    case PERF_REC_MMAP:
        touch(rec->mmap.path, strlen(rec->mmap.path));
        touch(rec->mmap.build_id, rec->mmap.build_id_len);
        break;
    case PERF_REC_COMM:
        touch(rec->comm.name, strlen(rec->comm.name));
        break;
    default:
        break;
    }
}

/* The ring starts near its end, so that records wrap around. */
static void read_ring(const uint8_t *data, size_t size)
{
    static struct perf_ring ring;
    struct perf_merge merge = {
        .layout = {.sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME |
                                  PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD | PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_REGS_USER |
                                  PERF_SAMPLE_STACK_USER,
                   .regs_mask = 7},
        .rings = &ring,
        .ring_count = 1,
    };
    struct perf_event_mmap_page *page;
    const struct perf_record *rec;
    const uint64_t start = DATA - 128;

    if (!ring.map)
        perf_ring_adopt(&ring, mmap(NULL, PAGE + DATA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                        PAGE, DATA);
    size = size < DATA ? size : DATA;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)ring.map)[PAGE + (start + i) % DATA] = data[i];
    page = ring.map;
    page->data_head = start + size;
    ring.tail = start;
    ring.has_next = false;
    perf_merge_refresh(&merge);
    while ((rec = perf_merge_next(&merge, UINT64_MAX)))
        use(rec, 3);
    if (ring.head - ring.tail >= sizeof(struct perf_event_header))
        abort(); /* stuck */
}

static void read_maps(const char *text, size_t len)
{
    struct maps_range range;
    char path[64];

    for (size_t at = 0; at < len;) {
        int used = maps_parse_line(text + at, len - at, &range, path, sizeof(path));

        if (used <= 0)
            break;
        if (range.start >= range.end || strlen(range.path) >= sizeof(path) || at + (size_t)used > len)
            abort();
        at += (size_t)used;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (data[0] % 2)
        read_maps((const char *)data + 1, size - 1);
    else
        read_ring(data + 1, size - 1);
    return 0;
}
