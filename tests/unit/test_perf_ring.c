/* SPDX-License-Identifier: MIT */
#include "collect/stacks/perf_ring.h"

#include <linux/perf_event.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "suite.h"

enum { PAGE = 4096, DATA = 8192 };

/* What the kernel does: a writer of records into rings of ordinary memory. */
struct writer {
    struct perf_event_mmap_page *page;
    uint8_t *data;
};

static struct perf_merge merge;
static struct perf_ring rings[2];
static struct writer writers[2];

static void open_rings(void)
{
    for (int i = 0; i < 2; i++) {
        uint8_t *map = mmap(NULL, PAGE + DATA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        ck_assert_ptr_ne(map, MAP_FAILED);
        perf_ring_adopt(&rings[i], map, PAGE, DATA);
        writers[i] = (struct writer){.page = (void *)map, .data = map + PAGE};
    }
    merge = (struct perf_merge){
        .layout.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
        .rings = rings,
        .ring_count = 2,
    };
}

static void close_rings(void)
{
    for (int i = 0; i < 2; i++)
        perf_ring_release(&rings[i]);
}

/* Returns false when the ring has no room, as the kernel would then count a lost record. */
static bool write_bytes(struct writer *w, const void *bytes, size_t len)
{
    uint64_t head = w->page->data_head;
    uint64_t tail = __atomic_load_n(&w->page->data_tail, __ATOMIC_ACQUIRE);

    if (head + len - tail > DATA)
        return false;
    for (size_t i = 0; i < len; i++)
        w->data[(head + i) % DATA] = ((const uint8_t *)bytes)[i];
    __atomic_store_n(&w->page->data_head, head + len, __ATOMIC_RELEASE);
    return true;
}

/* A COMM record of PAYLOAD extra bytes. */
static bool write_comm(struct writer *w, uint32_t pid, uint64_t time, size_t extra)
{
    uint64_t words[600] = {0};
    struct perf_event_header *header = (void *)words;
    size_t count = 1;

    *header = (struct perf_event_header){.type = PERF_RECORD_COMM};
    words[count++] = (uint64_t)pid << 32 | pid;
    count += 1 + extra / 8; /* the name: empty */
    words[count++] = (uint64_t)pid << 32 | pid;
    words[count++] = time;
    header->size = (uint16_t)(count * 8);
    return write_bytes(w, words, count * 8);
}

static void expect(uint64_t horizon, const char *pids)
{
    char got[64] = "";

    perf_merge_refresh(&merge);
    for (const struct perf_record *rec; (rec = perf_merge_next(&merge, horizon));) {
        size_t len = strlen(got);

        ck_assert_int_eq(rec->kind, PERF_REC_COMM);
        got[len] = (char)('0' + rec->pid);
        got[len + 1] = '\0';
    }
    ck_assert_str_eq(got, pids);
}

START_TEST(records_of_two_rings_come_in_the_order_of_their_times)
{
    open_rings();
    write_comm(&writers[0], 1, 10, 0);
    write_comm(&writers[0], 4, 40, 0);
    write_comm(&writers[1], 2, 20, 0);
    write_comm(&writers[1], 3, 30, 0);
    write_comm(&writers[1], 5, 50, 0);
    expect(UINT64_MAX, "12345");
    close_rings();
}
END_TEST

START_TEST(records_behind_the_horizon_wait_in_their_ring)
{
    open_rings();
    write_comm(&writers[0], 1, 10, 0);
    write_comm(&writers[0], 3, 30, 0);
    expect(29, "1");
    /* It was stamped before 3, but published after the first drain. */
    write_comm(&writers[1], 2, 20, 0);
    expect(30, "23");
    close_rings();
}
END_TEST

START_TEST(a_late_record_is_delivered_late)
{
    open_rings();
    write_comm(&writers[0], 3, 30, 0);
    expect(UINT64_MAX, "3");
    write_comm(&writers[1], 2, 20, 0);
    expect(UINT64_MAX, "2");
    close_rings();
}
END_TEST

START_TEST(room_is_given_back_once_the_next_record_is_asked_for)
{
    open_rings();
    write_comm(&writers[0], 1, 10, 0);
    perf_merge_refresh(&merge);
    ck_assert_ptr_nonnull(perf_merge_next(&merge, UINT64_MAX));
    ck_assert_uint_eq(writers[0].page->data_tail, 0);
    ck_assert_ptr_null(perf_merge_next(&merge, UINT64_MAX));
    ck_assert_uint_eq(writers[0].page->data_tail, writers[0].page->data_head);
    close_rings();
}
END_TEST

START_TEST(records_that_wrap_around_the_end_are_whole)
{
    open_rings();
    for (uint64_t i = 0; i < 2000; i++) {
        ck_assert(write_comm(&writers[0], (uint32_t)(i % 9), i, i * 8 % 3000));
        perf_merge_refresh(&merge);
        const struct perf_record *rec = perf_merge_next(&merge, UINT64_MAX);
        ck_assert_ptr_nonnull(rec);
        ck_assert_uint_eq(rec->time_ns, i);
        ck_assert_uint_eq(rec->pid, i % 9);
        ck_assert_ptr_null(perf_merge_next(&merge, UINT64_MAX));
    }
    ck_assert_uint_eq(merge.resyncs + merge.bad_records, 0);
    close_rings();
}
END_TEST

START_TEST(a_record_of_size_zero_empties_its_ring_and_only_that)
{
    open_rings();
    write_comm(&writers[0], 1, 10, 0);
    write_bytes(&writers[0], (uint64_t[]){PERF_RECORD_COMM}, 8);
    write_comm(&writers[0], 2, 20, 0);
    write_comm(&writers[1], 3, 30, 0);
    expect(UINT64_MAX, "13");
    ck_assert_uint_eq(merge.resyncs, 1);
    write_comm(&writers[0], 4, 40, 0);
    expect(UINT64_MAX, "4");
    close_rings();
}
END_TEST

START_TEST(unknown_and_lying_records_are_stepped_over)
{
    struct perf_event_header unknown = {.type = 999, .size = 8}, lying = {.type = PERF_RECORD_MMAP2, .size = 8};

    open_rings();
    write_bytes(&writers[0], &unknown, 8);
    write_bytes(&writers[0], &lying, 8);
    write_comm(&writers[0], 1, 10, 0);
    expect(UINT64_MAX, "1");
    ck_assert_uint_eq(merge.bad_records, 1);
    close_rings();
}
END_TEST

static void *keep_writing(void *arg)
{
    for (uint64_t i = 1; i <= 50000;)
        i += write_comm(arg, 1, i, i % 50 * 8);
    return NULL;
}

START_TEST(a_writer_in_another_thread_loses_nothing)
{
    pthread_t threads[2];
    uint64_t seen = 0, last = 0;

    open_rings();
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, keep_writing, &writers[i]), 0);
    while (seen < 100000) {
        perf_merge_refresh(&merge);
        for (const struct perf_record *rec; (rec = perf_merge_next(&merge, UINT64_MAX)); seen++)
            last = rec->time_ns > last ? rec->time_ns : last;
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(last, 50000);
    ck_assert_uint_eq(merge.resyncs + merge.bad_records, 0);
    close_rings();
}
END_TEST

SUITE("perf_ring", records_of_two_rings_come_in_the_order_of_their_times, records_behind_the_horizon_wait_in_their_ring,
      a_late_record_is_delivered_late, room_is_given_back_once_the_next_record_is_asked_for,
      records_that_wrap_around_the_end_are_whole, a_record_of_size_zero_empties_its_ring_and_only_that,
      unknown_and_lying_records_are_stepped_over, a_writer_in_another_thread_loses_nothing)
