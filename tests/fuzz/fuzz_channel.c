/* SPDX-License-Identifier: MIT */

/*
 * What a hostile process can put on the channel: the input is a stream of frames on the FIFO and, a second time, the
 * content of pages of the slab. The reader may refuse all of it; it may not crash, hang or grow.
 *
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc -Isrc/cli tests/fuzz/fuzz_channel.c …
 *
 * Also run by tests/unit/test_channel_reader.c on made-up and mutated frames.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "collect/channel/reader.h"
#include "core/clock.h"

enum { FUZZ_PAGES = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slab fuzz_slab(void)
{
    struct slab slab = {.fifo_fd = -1, .fd = -1, .page_count = FUZZ_PAGES, .full = true};

    slab.map_bytes = (2 + FUZZ_PAGES) * RS_FRAME_BYTES;
    slab.header = mmap(NULL, slab.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    slab.states = (_Atomic uint32_t *)(void *)((char *)slab.header + RS_SLAB_STATES_OFFSET);
    slab.pages = (char *)slab.header + 2 * RS_FRAME_BYTES;
    return slab;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slab slab = fuzz_slab();
    struct reader reader;
    uint64_t now = rs_clock_mono_ns();

    reader_init(&reader, &slab);
    reader_pass(&reader, now, false);
    for (size_t at = 0; at + sizeof(struct rs_frame_header) <= size;) {
        struct rs_frame_header h;
        size_t len;

        memcpy(&h, data + at, sizeof(h));
        len = h.written >= sizeof(h) && h.written <= size - at ? h.written : size - at;
        reader_frame(&reader, data + at, len);
        at += len;
    }
    for (uint32_t page = 0; page < FUZZ_PAGES && (size_t)page * RS_FRAME_BYTES < size; page++) {
        size_t len = size - (size_t)page * RS_FRAME_BYTES;

        memcpy(slab.pages + (size_t)page * RS_FRAME_BYTES, data + (size_t)page * RS_FRAME_BYTES,
               len < RS_FRAME_BYTES ? len : RS_FRAME_BYTES);
        slab.states[page] = page % 2 ? RS_PAGE_FULL : RS_PAGE_OWNED;
        slab.header->highest = page + 1;
    }
    reader_pass(&reader, now + RS_TICK_NS, false);
    reader_pass(&reader, now + 40ull * RS_TICK_NS, false);
    reader_pass(&reader, now + 41ull * RS_TICK_NS, true);
    reader_finish(&reader, now + 42ull * RS_TICK_NS);
    reader_release(&reader);
    munmap(slab.header, slab.map_bytes);
    return 0;
}
