/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../fuzz/fuzz_channel.c"
#include "collect/channel/slab.h"
#include "core/channel.h"
#include "core/stack.h"
#include "suite.h"

/* A frame in the making, as a hook would write it. */
struct frame {
    _Alignas(8) char bytes[RS_FRAME_BYTES];
    uint32_t at;
    uint64_t last;
};

static struct rs_frame_header *head(struct frame *f)
{
    return (struct rs_frame_header *)(void *)f->bytes;
}

static void begin(struct frame *f, uint64_t image, uint32_t thread, uint32_t seq)
{
    memset(f, 0, sizeof(*f));
    *head(f) = (struct rs_frame_header){.magic = RS_FRAME_MAGIC,
                                        .version = RS_WIRE_VERSION,
                                        .source = RS_SOURCE_SHIM,
                                        .image = image,
                                        .thread = thread,
                                        .seq = seq,
                                        .clock_ns = rs_clock_mono_ns()};
    f->at = sizeof(struct rs_frame_header);
}

static void put(struct frame *f, const void *bytes, uint32_t len)
{
    memcpy(f->bytes + f->at, bytes, len);
    f->at += len;
    head(f)->written = head(f)->closed = f->at;
}

static void put_alloc(struct frame *f, uint64_t address, uint32_t size, uint32_t node, uint32_t number, uint32_t flags)
{
    int32_t delta;

    if (!head(f)->base)
        head(f)->base = f->last = address;
    delta = (int32_t)((int64_t)(address - f->last) >> 3);
    f->last = address;
    put(f, (uint32_t[]){RS_WORD_ALLOC | flags | size << 4 | node << 16, node >> 16 | (uint32_t)delta << 8, number}, 12);
}

static void put_free(struct frame *f, uint64_t address, uint32_t number)
{
    int32_t delta;

    if (!head(f)->base)
        head(f)->base = f->last = address;
    delta = (int32_t)((int64_t)(address - f->last) >> 3);
    f->last = address;
    put(f, (uint32_t[]){RS_WORD_FREE | (uint32_t)delta << 3, number}, 8);
}

static void put_node(struct frame *f, uint32_t node, uint32_t parent, uint64_t address)
{
    struct rs_wire_node r = {RS_RECORD(RS_RECORD_NODE, sizeof(r)), node, parent, 0, address};

    put(f, &r, sizeof(r));
}

static struct slab slab;
static struct reader reader;

static void open_reader(void)
{
    slab = fuzz_slab();
    reader_init(&reader, &slab);
    reader_pass(&reader, rs_clock_mono_ns(), false);
}

static void close_reader(void)
{
    reader_release(&reader);
    munmap(slab.header, slab.map_bytes);
}

static void send(struct frame *f)
{
    reader_frame(&reader, f->bytes, f->at);
}

START_TEST(packed_events_are_what_was_packed)
{
    struct frame f;
    struct heap *heap;

    open_reader();
    begin(&f, 99, 1, 1);
    put_node(&f, 1, 0, 0x401000);
    put_alloc(&f, 0x7f1234567890, 4095, 1, 1, 0);
    put_alloc(&f, 0x7f1234000008, 0, 70000, 1, 0);
    put_alloc(&f, 0x7f1234567890 + 64, 33, 1, 9, RS_ALLOC_FREED | RS_ALLOC_TEMPORARY);
    put_free(&f, 0x7f1234000008, 2);
    send(&f);
    heap = &reader.images[0]->heap;
    ck_assert_uint_eq(reader.events, 4);
    ck_assert_uint_eq(heap->allocations, 3);
    ck_assert_uint_eq(heap->bytes, 4095 + 33);
    ck_assert_uint_eq(heap->live_count, 1);
    ck_assert_uint_eq(heap->live_bytes, 4095);
    ck_assert_uint_eq(heap->temporary, 1);
    ck_assert_uint_eq(reader.live_bytes, 4095);
    ck_assert_uint_eq(heap_unknown_frees(heap), 0);
    ck_assert(reader.images[0]->nodes[1].defined && reader.images[0]->node_count == 2);
    close_reader();
}
END_TEST

START_TEST(long_events_and_unknown_records_are_read_and_skipped)
{
    struct rs_wire_alloc a = {RS_RECORD(RS_RECORD_ALLOC, sizeof(a)), 1, 5, 0, 0x555, 1ull << 33};
    struct rs_wire_free b = {RS_RECORD(RS_RECORD_FREE, sizeof(b)), 6, 0x555, 0};
    uint32_t unknown[4] = {RS_RECORD(250, 16), 1, 2, 3};
    struct frame f;

    open_reader();
    begin(&f, 99, 1, 1);
    put(&f, unknown, sizeof(unknown));
    put(&f, &a, sizeof(a));
    send(&f);
    ck_assert_uint_eq(reader.live_bytes, 1ull << 33);
    begin(&f, 99, 1, 2);
    put(&f, &b, sizeof(b));
    send(&f);
    ck_assert_uint_eq(reader.live_bytes, 0);
    ck_assert_uint_eq(reader.garbage_records, 0);
    close_reader();
}
END_TEST

START_TEST(a_frame_that_came_already_is_not_counted_twice)
{
    struct frame f;

    open_reader();
    begin(&f, 99, 1, 1);
    put_alloc(&f, 0x1000, 10, 0, 1, 0);
    send(&f);
    send(&f);
    ck_assert_uint_eq(reader.images[0]->heap.allocations, 1);
    close_reader();
}
END_TEST

START_TEST(a_truncated_record_ends_its_frame_and_nothing_else)
{
    struct frame f;

    open_reader();
    begin(&f, 99, 1, 1);
    put_alloc(&f, 0x1000, 10, 0, 1, 0);
    put(&f, (uint32_t[]){RS_WORD_ALLOC}, 4);
    send(&f);
    ck_assert_uint_eq(reader.images[0]->heap.allocations, 1);
    ck_assert_uint_eq(reader.garbage_records, 1);
    begin(&f, 99, 1, 2);
    put_alloc(&f, 0x2000, 10, 0, 1, 0);
    send(&f);
    ck_assert_uint_eq(reader.images[0]->heap.allocations, 2);
    close_reader();
}
END_TEST

START_TEST(parents_that_would_make_a_circle_are_refused)
{
    struct frame f;

    open_reader();
    begin(&f, 99, 1, 1);
    put_node(&f, 2, 2, 0x1000);
    put_node(&f, 1, 2, 0x1000);
    put_node(&f, 0, 0, 0x1000);
    send(&f);
    for (size_t i = 1; i < reader.images[0]->node_count; i++)
        ck_assert(!reader.images[0]->nodes[i].defined);
    ck_assert_uint_eq(reader.images[0]->nodes[0].address, 0);
    close_reader();
}
END_TEST

START_TEST(wild_ids_do_not_grow_the_reader)
{
    struct frame f;

    open_reader();
    begin(&f, 99, 1, 1);
    for (uint32_t i = 0; i < 200; i++)
        put_alloc(&f, 0x1000 + i * 16, 8, RS_PACKED_NODE_MAX - i, i, 0);
    send(&f);
    ck_assert_uint_eq(reader.images[0]->heap.allocations, 200);
    ck_assert_uint_lt(reader.images[0]->node_count, 100);
    ck_assert_uint_eq(reader.images[0]->heap.site_count, 1);
    close_reader();
}
END_TEST

START_TEST(random_and_mutated_frames_are_survived)
{
    static uint8_t input[4 * RS_FRAME_BYTES];
    uint32_t x = 12345;
    struct frame f;

    begin(&f, 99, 1, 1);
    put_node(&f, 1, 0, 0x401000);
    for (uint32_t i = 0; i < 100; i++) {
        put_alloc(&f, 0x1000 + i * 32, i, 1, i, 0);
        put_free(&f, 0x1000 + i * 32, i + 1);
    }
    for (int round = 0; round < 300; round++) {
        for (size_t i = 0; i < sizeof(input); i += RS_FRAME_BYTES)
            memcpy(input + i, f.bytes, RS_FRAME_BYTES);
        for (int i = 0; i < 1 + round % 200; i++) {
            x ^= x << 13, x ^= x >> 17, x ^= x << 5;
            input[(round % 3 ? x % 2048 : x % sizeof(input))] = (uint8_t)(x >> 24);
        }
        LLVMFuzzerTestOneInput(input, sizeof(input) - (x >> 8) % 100);
    }
}
END_TEST

/* ---- both ends together ---- */

START_TEST(the_slab_is_private_and_goes_away)
{
    struct rs_err err;
    struct stat st;
    struct slab s;
    char dir[108];

    ck_assert_int_eq(slab_open(&s, 8 << 20, RS_SLAB_ALLOC, NULL, &err), 0);
    ck_assert(!stat(s.dir, &st) && (st.st_mode & 07777) == 0700);
    ck_assert(!stat(s.fifo, &st) && (st.st_mode & 07777) == 0600 && S_ISFIFO(st.st_mode));
    ck_assert(!stat(s.path, &st) && (st.st_mode & 07777) == 0600);
    snprintf(dir, sizeof(dir), "%s", s.dir);
    slab_close(&s);
    ck_assert(stat(dir, &st) != 0);
}
END_TEST

static size_t take_records(struct reader *r)
{
    size_t count = 0;

    for (size_t at = 0; at < r->records_len; count++) {
        struct reader_record record;

        memcpy(&record, r->records + at, sizeof(record));
        at += sizeof(record) + record.bytes;
    }
    r->records_len = 0;
    return count;
}

/* Of COUNT records of 4 to 93 bytes, those that found no room. PASS: read now and then. */
static size_t write_records(struct rs_stream *stream, uint32_t count, struct reader *pass, size_t *seen)
{
    size_t lost = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t *record = rs_stream_reserve(stream, 4 + i % 90, false);

        if (!record) {
            lost++;
            continue;
        }
        record[0] = RS_RECORD(RS_RECORD_LIB_FIRST, 4 + i % 90);
        rs_stream_commit(stream);
        if (pass && i % 700 == 0) {
            reader_pass(pass, rs_clock_mono_ns(), false);
            *seen += take_records(pass);
        }
    }
    return lost;
}

START_TEST(records_pass_through_a_slab_while_it_is_read_and_wait_in_it_while_it_is_not)
{
    enum { RECORDS = 20000, UNREAD_RECORDS = 130000 /* 6.6 of 8 MiB */ };
    struct rs_err err;
    struct rs_channel *ch;
    struct rs_stream stream = {0};
    struct slab s;
    struct reader r;
    size_t seen = 0, lost;

    ck_assert_int_eq(slab_open(&s, 8 << 20, RS_SLAB_ALLOC, NULL, &err), 0);
    reader_init(&r, &s);
    reader_pass(&r, rs_clock_mono_ns(), false);
    setenv("RUSTSCOPE_ALLOC_PIPE", s.fifo, 1);
    ck_assert(rs_channel_active()); /* until somebody looks */
    ch = rs_channel_get(RS_SOURCE_LIB);
    ck_assert_ptr_nonnull(ch);
    rs_stream_open(&stream, ch, RS_SOURCE_LIB, rs_channel_new_thread(ch), (uint32_t)getpid());
    lost = write_records(&stream, RECORDS, &r, &seen);
    ck_assert_uint_eq(lost, 0);
    lost = write_records(&stream, UNREAD_RECORDS, NULL, NULL);
    ck_assert_uint_eq(s.header->no_memory, 0);
    ck_assert_uint_eq(lost, 0);
    ck_assert_uint_gt(s.header->backed, 5 << 8); /* the writer took what the reader did not bring */
    lost = write_records(&stream, UNREAD_RECORDS, NULL, NULL);
    ck_assert_uint_gt(lost, 0);
    rs_stream_close(&stream);
    reader_pass(&r, rs_clock_mono_ns(), true);
    seen += take_records(&r);
    ck_assert_uint_eq(seen, RECORDS + 2 * UNREAD_RECORDS - lost);
    ck_assert_uint_eq(r.image_count, 1);
    ck_assert_uint_eq(r.images[0]->pid, (uint32_t)getpid());
    ck_assert_uint_eq(s.header->free_pages, (int32_t)s.header->backed);
    ck_assert_uint_eq(r.garbage_frames + r.garbage_records, 0);
    reader_release(&r);
    slab_close(&s);
}
END_TEST

START_TEST(a_reader_that_was_away_for_long_is_sure_of_no_block)
{
    uint64_t now = rs_clock_mono_ns();
    struct frame f;

    open_reader();
    begin(&f, 99, 1, 1);
    put_node(&f, 1, 0, 0x401000);
    put_alloc(&f, 0x7f1234567890, 64, 1, 1, 0);
    send(&f);
    reader_pass(&reader, now + 900ull * RS_TICK_NS, false);
    ck_assert_uint_eq(reader.blind_ticks, 0);
    ck_assert(!reader.images[0]->heap.lossy);
    reader_pass(&reader, now + 3400ull * RS_TICK_NS, false);
    ck_assert_uint_eq(reader.blind_ticks, 1500);
    reader_finish(&reader, 0);
    ck_assert_uint_eq(reader.images[0]->leaks[0].count, 0);
    ck_assert_uint_eq(reader.images[0]->leaks[0].uncertain_count, 1);
    close_reader();
}
END_TEST

/* One allocation of image ID, from node 1. */
static void send_one(uint64_t id, uint32_t seq)
{
    struct frame f;

    begin(&f, id, 1, seq);
    put_node(&f, 1, 0, 0x401000);
    put_alloc(&f, 0x7f1234567890, 48, 1, 1, 0);
    send(&f);
}

START_TEST(an_image_that_is_settled_gives_its_memory_back_and_late_frames_are_garbage)
{
    open_reader();
    for (uint64_t id = 1; id <= 100; id++) {
        send_one(id, 1);
        ck_assert_uint_eq(reader.nodes_total, 2);
        reader_finish(&reader, 0);
        ck_assert_uint_eq(reader.over_count, 1);
        ck_assert_uint_eq(reader.images[reader.over[0]]->leaks[0].bytes, 48);
        image_settle(&reader, reader.images[reader.over[0]]);
        reader.over_count = 0;
        ck_assert_uint_eq(reader.nodes_total, 0);
        ck_assert_uint_eq(image_shim_bytes(reader.images[id - 1]), 2 * RS_NODE_BYTES_MOST);
    }
    send_one(7, 2);
    ck_assert_uint_eq(reader.garbage_frames, 1);
    ck_assert_uint_eq(reader.images[6]->heap.allocations, 1);
    ck_assert_uint_eq(reader.image_count, 100);
    ck_assert_uint_eq(reader.live_bytes, 0);
    close_reader();
}
END_TEST

START_TEST(an_image_beyond_the_nodes_bound_is_refused_and_counted)
{
    open_reader();
    send_one(1, 1);
    reader.nodes_total = READER_NODES_MAX;
    send_one(2, 1);
    ck_assert_uint_eq(reader.image_count, 1);
    ck_assert_uint_eq(reader.images_refused, 1);
    reader.nodes_total = 2;
    send_one(3, 1);
    ck_assert_uint_eq(reader.image_count, 2);
    close_reader();
}
END_TEST

START_TEST(rows_beyond_their_bound_are_counted_and_the_totals_have_them)
{
    open_reader();
    send_one(1, 1);
    reader.row_count = READER_ROWS_MAX;
    reader_finish(&reader, 0);
    ck_assert_uint_eq(reader.rows_dropped, 1);
    ck_assert_uint_eq(reader.images[0]->heap.allocations, 1);
    reader.row_count = 0;
    close_reader();
}
END_TEST

START_TEST(a_call_path_beyond_the_nodes_bound_counts_at_the_root)
{
    struct frame f;

    open_reader();
    send_one(1, 1);
    reader.nodes_total = READER_NODES_MAX;
    begin(&f, 1, 1, 2);
    put_node(&f, 2, 1, 0x402000);
    put_alloc(&f, 0x7f1234568890, 32, 2, 2, 0);
    send(&f);
    ck_assert_uint_eq(reader.folded_nodes, 2);
    ck_assert_uint_eq(reader.images[0]->heap.allocations, 2);
    ck_assert_uint_eq(reader.images[0]->heap.sites[reader.images[0]->nodes[0].site].live_bytes, 32);
    reader.nodes_total = 2;
    close_reader();
}
END_TEST

SUITE("channel_reader", packed_events_are_what_was_packed, long_events_and_unknown_records_are_read_and_skipped,
      a_reader_that_was_away_for_long_is_sure_of_no_block, a_frame_that_came_already_is_not_counted_twice,
      a_truncated_record_ends_its_frame_and_nothing_else, parents_that_would_make_a_circle_are_refused,
      wild_ids_do_not_grow_the_reader, an_image_that_is_settled_gives_its_memory_back_and_late_frames_are_garbage,
      an_image_beyond_the_nodes_bound_is_refused_and_counted, a_call_path_beyond_the_nodes_bound_counts_at_the_root,
      rows_beyond_their_bound_are_counted_and_the_totals_have_them, random_and_mutated_frames_are_survived,
      the_slab_is_private_and_goes_away, records_pass_through_a_slab_while_it_is_read_and_wait_in_it_while_it_is_not)
