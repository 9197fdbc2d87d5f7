/* SPDX-License-Identifier: MIT */
#include "collect/stacks/perf_record.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>

#include "suite.h"

static const struct perf_layout layout = {
    .sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU |
                   PERF_SAMPLE_PERIOD | PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
    .regs_mask = 0x7, /* three registers */
};

/* A record under construction. */
static uint64_t words[8192];
static size_t word_count;

static void begin(uint32_t type, uint16_t misc)
{
    struct perf_event_header header = {.type = type, .misc = misc};

    memset(words, 0, sizeof(words));
    memcpy(words, &header, 8);
    word_count = 1;
}

static void put(uint64_t value)
{
    words[word_count++] = value;
}

static void put_pair(uint32_t low, uint32_t high)
{
    put((uint64_t)high << 32 | low);
}

static void put_text(const char *text)
{
    memcpy(&words[word_count], text, strlen(text) + 1);
    word_count += strlen(text) / 8 + 1;
}

static size_t finish(void)
{
    struct perf_event_header *header = (void *)words;

    header->size = (uint16_t)(word_count * 8);
    return header->size;
}

static size_t finish_with_trailer(uint32_t pid, uint32_t tid, uint64_t time)
{
    put_pair(pid, tid);
    put(time);
    put_pair(3, 0); /* cpu */
    put(77);        /* id */
    return finish();
}

static size_t a_sample(uint64_t stack_asked, uint64_t stack_valid)
{
    begin(PERF_RECORD_SAMPLE, PERF_RECORD_MISC_KERNEL);
    put(77);
    put(0xffffffff81000000);
    put_pair(10, 11);
    put(123456789);
    put_pair(1, 0);
    put(1003000);
    put(2); /* the chain */
    put(PERF_CONTEXT_KERNEL);
    put(0xffffffff81000000);
    put(PERF_SAMPLE_REGS_ABI_64);
    put(100), put(200), put(300);
    put(stack_asked);
    if (stack_asked) {
        word_count += stack_asked / 8;
        put(stack_valid);
    }
    return finish();
}

START_TEST(every_field_of_a_sample_is_read)
{
    struct perf_record rec;
    size_t len = a_sample(64, 40);

    ck_assert_int_eq(perf_record_parse(&layout, words, len, &rec), (int)len);
    ck_assert_int_eq(rec.kind, PERF_REC_SAMPLE);
    ck_assert_uint_eq(rec.event_id, 77);
    ck_assert_uint_eq(rec.pid, 10);
    ck_assert_uint_eq(rec.tid, 11);
    ck_assert_uint_eq(rec.cpu, 1);
    ck_assert_uint_eq(rec.time_ns, 123456789);
    ck_assert_uint_eq(rec.sample.period, 1003000);
    ck_assert_uint_eq(rec.sample.chain_count, 2);
    ck_assert_uint_eq(rec.sample.chain[1], 0xffffffff81000000);
    ck_assert_uint_eq(rec.sample.regs[2], 300);
    ck_assert_uint_eq(rec.sample.stack_asked, 64);
    ck_assert_uint_eq(rec.sample.stack_bytes, 40);
    ck_assert(rec.sample.in_kernel);
}
END_TEST

START_TEST(a_sample_without_user_stack_is_whole)
{
    struct perf_record rec;
    size_t len = a_sample(0, 0);

    ck_assert_int_eq(perf_record_parse(&layout, words, len, &rec), (int)len);
    ck_assert_int_eq(rec.kind, PERF_REC_SAMPLE);
    ck_assert_ptr_null(rec.sample.stack);
    ck_assert_uint_eq(rec.sample.stack_bytes, 0);
}
END_TEST

START_TEST(more_valid_stack_than_was_asked_for_is_bad)
{
    struct perf_record rec;
    size_t len = a_sample(64, 65);

    ck_assert_int_eq(perf_record_parse(&layout, words, len, &rec), (int)len);
    ck_assert_int_eq(rec.kind, PERF_REC_BAD);
}
END_TEST

START_TEST(a_chain_longer_than_the_record_is_bad)
{
    struct perf_record rec;
    size_t len = a_sample(0, 0);

    words[7] = UINT64_MAX / 8 + 2; /* times eight this would wrap around to 8 */
    ck_assert_int_eq(perf_record_parse(&layout, words, len, &rec), (int)len);
    ck_assert_int_eq(rec.kind, PERF_REC_BAD);
}
END_TEST

START_TEST(mappings_are_read_with_inode_and_with_build_id)
{
    struct perf_record rec;
    size_t len;

    begin(PERF_RECORD_MMAP2, PERF_RECORD_MISC_USER);
    put_pair(10, 11);
    put(0x400000), put(0x1000), put(0x2000);
    put_pair(8, 1), put(4711), put(0);
    put_pair(5, 2);
    put_text("/usr/bin/a name\nwith a line break (deleted)");
    len = finish_with_trailer(10, 11, 5);
    ck_assert_int_eq(perf_record_parse(&layout, words, len, &rec), (int)len);
    ck_assert_int_eq(rec.kind, PERF_REC_MMAP);
    ck_assert_uint_eq(rec.mmap.start, 0x400000);
    ck_assert_uint_eq(rec.mmap.len, 0x1000);
    ck_assert_uint_eq(rec.mmap.pgoff, 0x2000);
    ck_assert_uint_eq(rec.mmap.major, 8);
    ck_assert_uint_eq(rec.mmap.minor, 1);
    ck_assert_uint_eq(rec.mmap.inode, 4711);
    ck_assert_uint_eq(rec.mmap.prot, 5);
    ck_assert_str_eq(rec.mmap.path, "/usr/bin/a name\nwith a line break (deleted)");
    ck_assert_uint_eq(rec.time_ns, 5);
    ck_assert_uint_eq(rec.event_id, 77);

    begin(PERF_RECORD_MMAP2, PERF_RECORD_MISC_USER | 1 << 14);
    put_pair(10, 11);
    put(0x400000), put(0x1000), put(0);
    put(0x00000000000014 | (uint64_t)0x04030201 << 32), put(0x0c0b0a0908070605), put(0x14131211100f0e0d);
    put_pair(5, 2);
    put_text("/lib/x.so");
    len = finish_with_trailer(10, 11, 5);
    ck_assert_int_eq(perf_record_parse(&layout, words, len, &rec), (int)len);
    ck_assert_int_eq(rec.kind, PERF_REC_MMAP);
    ck_assert_uint_eq(rec.mmap.build_id_len, 20);
    for (unsigned i = 0; i < 20; i++)
        ck_assert_uint_eq(rec.mmap.build_id[i], i + 1);
    ck_assert_str_eq(rec.mmap.path, "/lib/x.so");
}
END_TEST

START_TEST(a_mapping_that_wraps_around_is_bad)
{
    struct perf_record rec;
    size_t len;

    begin(PERF_RECORD_MMAP2, 0);
    put_pair(1, 1);
    put(UINT64_MAX - 10), put(0x1000), put(0);
    put(0), put(0), put(0);
    put(0);
    put_text("x");
    len = finish_with_trailer(1, 1, 5);
    ck_assert_int_eq(perf_record_parse(&layout, words, len, &rec), (int)len);
    ck_assert_int_eq(rec.kind, PERF_REC_BAD);
}
END_TEST

START_TEST(task_records_name_the_task_and_not_who_reported_it)
{
    struct perf_record rec;
    size_t len;

    begin(PERF_RECORD_FORK, 0);
    put_pair(20, 10), put_pair(21, 11);
    put(99);
    len = finish_with_trailer(10, 11, 99);
    ck_assert_int_eq(perf_record_parse(&layout, words, len, &rec), (int)len);
    ck_assert_int_eq(rec.kind, PERF_REC_FORK);
    ck_assert_uint_eq(rec.pid, 20);
    ck_assert_uint_eq(rec.tid, 21);
    ck_assert_uint_eq(rec.task.parent_pid, 10);
    ck_assert_uint_eq(rec.time_ns, 99);

    begin(PERF_RECORD_COMM, 1 << 13);
    put_pair(20, 21);
    put_text("worker");
    len = finish_with_trailer(20, 21, 100);
    ck_assert_int_eq(perf_record_parse(&layout, words, len, &rec), (int)len);
    ck_assert_int_eq(rec.kind, PERF_REC_COMM);
    ck_assert(rec.comm.exec);
    ck_assert_str_eq(rec.comm.name, "worker");
}
END_TEST

START_TEST(a_name_without_its_end_is_bad)
{
    struct perf_record rec;
    size_t len;

    begin(PERF_RECORD_COMM, 0);
    put_pair(20, 21);
    put(0x4141414141414141);
    len = finish_with_trailer(20, 21, 100);
    ck_assert_int_eq(perf_record_parse(&layout, words, len, &rec), (int)len);
    ck_assert_int_eq(rec.kind, PERF_REC_BAD);
}
END_TEST

START_TEST(lost_throttled_and_switch_records_are_read)
{
    struct perf_record rec;
    size_t len;

    begin(PERF_RECORD_LOST, 0);
    put(77), put(42);
    len = finish_with_trailer(1, 1, 7);
    ck_assert_int_eq(perf_record_parse(&layout, words, len, &rec), (int)len);
    ck_assert_int_eq(rec.kind, PERF_REC_LOST);
    ck_assert_uint_eq(rec.lost.count, 42);

    begin(PERF_RECORD_THROTTLE, 0);
    put(0), put(77), put(77);
    len = finish_with_trailer(1, 1, 7);
    ck_assert_int_eq(perf_record_parse(&layout, words, len, &rec), (int)len);
    ck_assert_int_eq(rec.kind, PERF_REC_THROTTLE);
    ck_assert(rec.throttle.on);

    begin(PERF_RECORD_SWITCH, 1 << 13);
    len = finish_with_trailer(5, 6, 8);
    ck_assert_int_eq(perf_record_parse(&layout, words, len, &rec), (int)len);
    ck_assert_int_eq(rec.kind, PERF_REC_SWITCH);
    ck_assert(rec.cpu_switch.out);
    ck_assert(!rec.cpu_switch.preempted);
    ck_assert_uint_eq(rec.tid, 6);
}
END_TEST

START_TEST(unknown_types_are_skipped_whatever_they_hold)
{
    struct perf_record rec;

    begin(999, 0);
    put(1);
    finish();
    ck_assert_int_eq(perf_record_parse(&layout, words, 16, &rec), 16);
    ck_assert_int_eq(rec.kind, PERF_REC_OTHER);
}
END_TEST

START_TEST(a_context_switch_record_without_its_trailer_is_bad_and_skipped)
{
    struct perf_record rec;

    begin(PERF_RECORD_SWITCH, 0);
    finish();
    ck_assert_int_eq(perf_record_parse(&layout, words, 8, &rec), 8);
    ck_assert_int_eq(rec.kind, PERF_REC_BAD);
}
END_TEST

START_TEST(impossible_and_incomplete_sizes_are_told_apart)
{
    struct perf_event_header *header = (void *)words;
    struct perf_record rec;
    size_t len = a_sample(64, 64);

    for (size_t cut = 0; cut < len; cut++)
        ck_assert_int_eq(perf_record_parse(&layout, words, cut, &rec), 0);
    header->size = 0;
    ck_assert_int_eq(perf_record_parse(&layout, words, len, &rec), -EBADMSG);
    header->size = 7;
    ck_assert_int_eq(perf_record_parse(&layout, words, len, &rec), -EBADMSG);
    header->size = 12;
    ck_assert_int_eq(perf_record_parse(&layout, words, len, &rec), -EBADMSG);
}
END_TEST

/* Every size of every type, cut anywhere: nothing outside the record is read (the sanitizers watch a heap copy). */
START_TEST(shortened_records_of_every_type_never_read_beyond_their_end)
{
    for (uint32_t type = 0; type < 24; type++) {
        for (uint16_t size = 8; size <= 256; size += 8) {
            struct perf_record rec;
            struct perf_event_header *header;
            uint64_t *copy = malloc(size);

            a_sample(64, 64);
            memcpy(copy, words, size);
            header = (void *)copy;
            header->type = type;
            header->size = size;
            ck_assert_int_eq(perf_record_parse(&layout, copy, size, &rec), size);
            if (rec.kind == PERF_REC_SAMPLE && rec.sample.stack_bytes)
                ck_assert(rec.sample.stack + rec.sample.stack_bytes <= (uint8_t *)copy + size);
            free(copy);
        }
    }
}
END_TEST

SUITE("perf_record", every_field_of_a_sample_is_read, a_sample_without_user_stack_is_whole,
      more_valid_stack_than_was_asked_for_is_bad, a_chain_longer_than_the_record_is_bad,
      mappings_are_read_with_inode_and_with_build_id, a_mapping_that_wraps_around_is_bad,
      task_records_name_the_task_and_not_who_reported_it, a_name_without_its_end_is_bad,
      lost_throttled_and_switch_records_are_read, unknown_types_are_skipped_whatever_they_hold,
      a_context_switch_record_without_its_trailer_is_bad_and_skipped, impossible_and_incomplete_sizes_are_told_apart,
      shortened_records_of_every_type_never_read_beyond_their_end)
