/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "collect/channel/heap.h"
#include "core/wire.h"
#include "suite.h"

enum { SITE = 0, PEAK = 1 };

static struct heap new_heap(void)
{
    struct heap h = {0};

    ck_assert_uint_eq(heap_add_site(&h, 7), SITE);
    return h;
}

struct what {
    bool is_free;
    uint32_t number;
    uint64_t size;
};

static void apply(struct heap *h, const struct what *e, uint64_t address, uint32_t time)
{
    if (e->is_free)
        heap_free(h, address, e->number, false, time, PEAK);
    else
        heap_alloc(h, address, e->number, SITE, e->size, time, PEAK);
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13, *state ^= *state >> 17, *state ^= *state << 5;
    return *state;
}

/* All orders of up to seven events of one address: what lives in the end is what the last one says. */
static void check_orders(struct what *events, unsigned count, unsigned fixed, uint64_t live_bytes)
{
    if (fixed == count) {
        struct heap h = new_heap();

        for (unsigned i = 0; i < count; i++) {
            apply(&h, &events[i], 0x1000, i);
            ck_assert_uint_le(h.live_count, 1);
        }
        ck_assert_uint_eq(h.live_bytes, live_bytes);
        ck_assert_uint_eq(h.live_count, live_bytes != 0);
        ck_assert_uint_eq(h.sites[SITE].live_bytes, live_bytes);
        ck_assert_uint_eq(heap_unknown_frees(&h), 0);
        heap_release(&h);
        return;
    }
    for (unsigned i = fixed; i < count; i++) {
        struct what swap = events[fixed];

        events[fixed] = events[i], events[i] = swap;
        check_orders(events, count, fixed + 1, live_bytes);
        swap = events[fixed], events[fixed] = events[i], events[i] = swap;
    }
}

START_TEST(events_of_one_address_end_in_the_same_state_in_every_order)
{
    /* Numbers wrap around in the middle. */
    struct what events[] = {{false, UINT32_MAX - 2, 10},
                            {true, UINT32_MAX - 1, 0},
                            {false, UINT32_MAX, 20},
                            {true, 0, 0},
                            {false, 1, 30},
                            {true, 2, 0},
                            {false, 3, 40}};

    check_orders(events, 7, 0, 40);
    check_orders(events, 6, 0, 0);
    check_orders(events, 3, 0, 20);
}
END_TEST

START_TEST(streams_read_in_any_interleaving_leave_no_false_leak)
{
    /* Blocks of 64 addresses come and go in real order; each event lands in one of 4 streams, read in turns of 100. */
    enum { EVENTS = 100000, STREAMS = 4 };
    static struct {
        struct what what;
        uint64_t address;
    } stream[STREAMS][EVENTS];
    size_t written[STREAMS] = {0}, read[STREAMS] = {0};
    uint32_t random = 1, number = 0;
    bool live[64] = {false};
    struct heap h = new_heap();
    size_t alive = 0, left;

    for (unsigned i = 0; i < EVENTS; i++) {
        unsigned a = next_random(&random) % 64, s = next_random(&random) % STREAMS;

        stream[s][written[s]].what = (struct what){live[a], number++, 16};
        stream[s][written[s]++].address = 0x7f0000000000 + a * 16;
        live[a] = !live[a];
    }
    do {
        left = 0;
        for (unsigned s = 0; s < STREAMS; s++)
            for (unsigned i = 0; i < 100 && read[s] < written[s]; i++, read[s]++, left++)
                apply(&h, &stream[s][read[s]].what, stream[s][read[s]].address, number);
    } while (left);
    for (unsigned a = 0; a < 64; a++)
        alive += live[a];
    ck_assert_uint_eq(h.live_count, alive);
    ck_assert_uint_eq(h.live_bytes, alive * 16);
    ck_assert_uint_eq(heap_unknown_frees(&h), 0);
    heap_release(&h);
}
END_TEST

START_TEST(a_free_of_a_block_from_before_us_is_unknown_and_harmless)
{
    struct heap h = new_heap();

    heap_free(&h, 0x2000, 5, false, 0, PEAK);
    heap_alloc(&h, 0x2000, 6, SITE, 100, 1, PEAK);
    ck_assert_uint_eq(heap_unknown_frees(&h), 1);
    ck_assert_uint_eq(h.live_bytes, 100);
    heap_free(&h, 0x2000, 7, false, 2, PEAK);
    ck_assert_uint_eq(heap_unknown_frees(&h), 1);
    ck_assert_uint_eq(h.live_bytes, 0);
    heap_release(&h);
}
END_TEST

/* A counter has gone more than half round while the block lived, once or many times. */
START_TEST(a_block_that_lived_for_minutes_is_closed_whatever_the_numbers_say)
{
    static const uint32_t numbers[] = {6, 5, 4, 0x80000006, 0xfffffff0};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        struct heap h = new_heap();

        heap_alloc(&h, 0x1000, 5, SITE, 100, 1000, PEAK);
        heap_free(&h, 0x1000, numbers[i], false, 1000 + 100 * 1000000 / 64, PEAK);
        ck_assert_uint_eq(h.live_count, 0);
        /* What is read late is of its own time. */
        heap_alloc(&h, 0x1000, numbers[i] - 1, SITE, 100, 500, PEAK);
        ck_assert_uint_eq(h.live_count, 0);
        heap_release(&h);
    }
}
END_TEST

START_TEST(the_table_stays_small_when_addresses_never_come_back)
{
    struct heap h = new_heap();

    for (uint32_t i = 0; i < 2000000; i++) {
        uint64_t address = 0x10000 + (uint64_t)i * 32;

        /* A second of heap time is 15,625 units. */
        heap_alloc(&h, address, 1, SITE, 8, i, PEAK);
        heap_free(&h, address, 2, false, i, PEAK);
    }
    ck_assert_uint_eq(h.live_count, 0);
    ck_assert_uint_le(h.slots * sizeof(struct heap_block), 4 << 20);
    heap_release(&h);
}
END_TEST

START_TEST(a_rehash_in_a_stream_that_is_behind_keeps_young_dead_entries)
{
    struct heap h = new_heap();

    heap_free(&h, 0x500000, 2, false, 1000, PEAK);
    for (uint32_t i = 0; i < 5000; i++)
        heap_alloc(&h, 0x10000 + (uint64_t)i * 64, 1, SITE, 8, 990, PEAK);
    heap_alloc(&h, 0x500000, 1, SITE, 8, 990, PEAK);
    ck_assert_uint_eq(h.live_count, 5000);
    heap_release(&h);
}
END_TEST

/* Frees 1,000 blocks, then lets AGE pass in which other blocks come and go, and tells of the allocations only then. */
static size_t live_after_late_allocations(bool late, uint32_t age)
{
    enum { LATE = 1000 };
    struct heap h = new_heap();
    size_t live;

    h.late = late;
    for (uint32_t i = 0; i < LATE; i++)
        heap_free(&h, 0x500000 + (uint64_t)i * 48, 2, false, 1000, PEAK);
    for (uint32_t i = 0; i < 20000; i++) {
        heap_alloc(&h, 0x10000 + (uint64_t)i * 32, 1, SITE, 8, 1000 + age, PEAK);
        heap_free(&h, 0x10000 + (uint64_t)i * 32, 2, false, 1000 + age, PEAK);
    }
    for (uint32_t i = 0; i < LATE; i++)
        heap_alloc(&h, 0x500000 + (uint64_t)i * 48, 1, SITE, 8, 1000 + age, PEAK);
    live = h.live_count;
    heap_release(&h);
    return live;
}

START_TEST(a_free_is_remembered_for_longer_than_its_allocation_can_be_late)
{
    /* 157 units are a tick of 10 ms. */
    ck_assert_uint_eq(live_after_late_allocations(false, 0), 0);
    ck_assert_uint_eq(live_after_late_allocations(false, 3 * 157), 0);
    ck_assert_uint_eq(live_after_late_allocations(true, 50 * 157), 0);
    /* Not for good: the table is not for what has been. */
    ck_assert_uint_gt(live_after_late_allocations(false, 10 * 157), 0);
    ck_assert_uint_gt(live_after_late_allocations(true, 200 * 157), 0);
}
END_TEST

START_TEST(what_comes_and_goes_takes_the_place_of_what_went_before)
{
    struct heap h = new_heap();

    for (uint32_t i = 0; i < 100000; i++)
        heap_alloc(&h, 0x10000 + (uint64_t)i * 64, 1, SITE, 48, 0, PEAK);
    /* A fresh address each time, 100 in a unit of 64 us: 100,000 are young. */
    for (uint32_t i = 100000; i < 3000000; i++) {
        heap_alloc(&h, 0x10000 + (uint64_t)i * 64, 1, SITE, 48, i / 100, PEAK);
        heap_free(&h, 0x10000 + (uint64_t)i * 64, 2, false, i / 100, PEAK);
    }
    ck_assert_uint_eq(h.live_count, 100000);
    ck_assert_uint_le(heap_table_bytes(&h), 600000 * sizeof(struct heap_block));
    heap_release(&h);
}
END_TEST

START_TEST(a_live_block_of_a_big_table_costs_at_most_32_bytes)
{
    struct heap h = new_heap();

    ck_assert_uint_eq(sizeof(struct heap_block), 24);
    for (uint32_t i = 0; i < 2500000; i++) {
        heap_alloc(&h, 0x10000 + (uint64_t)i * 64, i, SITE, 48, 0, PEAK);
        if (h.live_count > 1600000)
            ck_assert_uint_le(heap_table_bytes(&h), h.live_count * 32);
        else if (h.live_count > 1000)
            ck_assert_uint_le(heap_table_bytes(&h), h.live_count * 70);
    }
    ck_assert_uint_eq(h.live_bytes, 48 * 2500000);
    heap_release(&h);
}
END_TEST

START_TEST(a_table_gives_back_what_dead_entries_took)
{
    struct heap h = new_heap();

    for (uint32_t i = 0; i < 1000000; i++) {
        heap_alloc(&h, 0x10000 + (uint64_t)i * 64, 1, SITE, 48, 0, PEAK);
        heap_free(&h, 0x10000 + (uint64_t)i * 64, 2, false, 0, PEAK);
    }
    ck_assert_uint_ge(heap_table_bytes(&h), 1000000 * 24);
    /* Two seconds later. */
    for (uint32_t i = 1000000; i < 2800000; i++)
        heap_alloc(&h, 0x10000 + (uint64_t)i * 64, 1, SITE, 48, 31250, PEAK);
    ck_assert_uint_eq(h.live_count, 1800000);
    ck_assert_uint_le(heap_table_bytes(&h), 1800000 * 32);
    heap_release(&h);
}
END_TEST

START_TEST(what_a_site_held_at_the_peak_is_put_down_before_it_changes)
{
    struct heap h = new_heap();

    heap_alloc(&h, 0x100, 1, SITE, 1000, 0, 1);
    /* The reader saw a peak here: mark 2. */
    heap_free(&h, 0x100, 2, false, 1, 2);
    heap_alloc(&h, 0x200, 1, SITE, 10, 1, 2);
    ck_assert_uint_eq(h.sites[SITE].peak_mark, 2);
    ck_assert_uint_eq(h.sites[SITE].peak_bytes, 1000);
    ck_assert_uint_eq(h.sites[SITE].live_bytes, 10);
    heap_release(&h);
}
END_TEST

static void count_certain(void *ctx, uint64_t address, uint64_t size, uint32_t site, uint32_t time, bool certain)
{
    (void)address, (void)size, (void)site, (void)time;
    ((unsigned *)ctx)[certain]++;
}

START_TEST(blocks_older_than_a_loss_are_not_certain)
{
    struct heap h = new_heap();
    unsigned blocks[2] = {0, 0};

    heap_alloc(&h, 0x100, 1, SITE, 1, 100, PEAK);
    heap_alloc(&h, 0x200, 1, SITE, 1, 300, PEAK);
    h.lossy = true;
    h.lossy_time = 200;
    heap_foreach(&h, count_certain, blocks);
    ck_assert_uint_eq(blocks[0], 1);
    ck_assert_uint_eq(blocks[1], 1);
    heap_release(&h);
}
END_TEST

START_TEST(lifetimes_fall_into_powers_of_two_of_a_microsecond)
{
    ck_assert_uint_eq(heap_lifetime_class(5, 5), 0);
    ck_assert_uint_eq(heap_lifetime_class(0, 1), 7);    /* 65 µs: [64, 128) */
    ck_assert_uint_eq(heap_lifetime_class(0, 153), 14); /* 10 ms: [8192, 16384) */
    ck_assert_uint_eq(heap_lifetime_class(UINT32_MAX, 0), 7);
}
END_TEST

START_TEST(sizes_above_four_gigabytes_are_kept)
{
    struct heap h = new_heap();
    uint64_t size = (3ull << 32) + 5;

    heap_alloc(&h, 0x100, 1, SITE, size, 0, PEAK);
    ck_assert_uint_eq(h.live_bytes, size);
    ck_assert_uint_eq(heap_free(&h, 0x100, 2, false, 0, PEAK).freed_bytes, size);
    ck_assert_uint_eq(h.live_bytes, 0);
    heap_release(&h);
}
END_TEST

SUITE("heap", events_of_one_address_end_in_the_same_state_in_every_order,
      streams_read_in_any_interleaving_leave_no_false_leak, a_free_of_a_block_from_before_us_is_unknown_and_harmless,
      a_block_that_lived_for_minutes_is_closed_whatever_the_numbers_say,
      the_table_stays_small_when_addresses_never_come_back,
      a_rehash_in_a_stream_that_is_behind_keeps_young_dead_entries,
      a_free_is_remembered_for_longer_than_its_allocation_can_be_late,
      what_comes_and_goes_takes_the_place_of_what_went_before, a_live_block_of_a_big_table_costs_at_most_32_bytes,
      a_table_gives_back_what_dead_entries_took, what_a_site_held_at_the_peak_is_put_down_before_it_changes,
      blocks_older_than_a_loss_are_not_certain, lifetimes_fall_into_powers_of_two_of_a_microsecond,
      sizes_above_four_gigabytes_are_kept)
