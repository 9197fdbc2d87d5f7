/* SPDX-License-Identifier: MIT */
#include "collect/channel/outside.h"

#include <stdlib.h>
#include <string.h>

#include "suite.h"

static struct image image;

static void map(uint64_t start, uint64_t end)
{
    outside_change(&image, start, end, true);
}

static void unmap(uint64_t start, uint64_t end)
{
    outside_change(&image, start, end, false);
}

static void forget(void)
{
    free(image.outside);
    memset(&image, 0, sizeof(image));
}

START_TEST(ranges_that_are_cut_in_the_middle_become_two)
{
    map(100, 200);
    unmap(140, 160);
    ck_assert_uint_eq(image.outside_count, 2);
    ck_assert_uint_eq(image.outside_bytes, 80);
    ck_assert_uint_eq(image.outside_peak_bytes, 100);
    map(150, 170); /* over the hole and into the second */
    ck_assert_uint_eq(image.outside_bytes, 90);
    unmap(0, 1000);
    ck_assert_uint_eq(image.outside_count, 0);
    ck_assert_uint_eq(image.outside_bytes, 0);
    forget();
}
END_TEST

START_TEST(what_was_never_mapped_and_what_is_mapped_twice_changes_nothing)
{
    unmap(5, 10);
    unmap(10, 5);
    ck_assert_uint_eq(image.outside_bytes, 0);
    map(100, 200);
    map(100, 200);
    ck_assert_uint_eq(image.outside_bytes, 100);
    ck_assert_uint_eq(image.outside_count, 1);
    forget();
}
END_TEST

START_TEST(ranges_beyond_the_bound_are_left_out_with_their_bytes_and_counted)
{
    for (uint64_t i = OUTSIDE_RANGES_MAX; i-- > 0;)
        map(100 * i, 100 * i + 50);
    ck_assert_uint_eq(image.outside_count, OUTSIDE_RANGES_MAX);
    ck_assert_uint_eq(image.outside_bytes, UINT64_C(50) * OUTSIDE_RANGES_MAX);
    map(UINT64_C(1) << 40, (UINT64_C(1) << 40) + 50);
    ck_assert_uint_eq(image.outside_folded, 1);
    ck_assert_uint_eq(image.outside_bytes, UINT64_C(50) * OUTSIDE_RANGES_MAX);
    unmap(10, 20); /* the first is cut into [0, 10) and [20, 50); there is room for one */
    ck_assert_uint_eq(image.outside_folded, 2);
    ck_assert_uint_eq(image.outside_count, OUTSIDE_RANGES_MAX);
    ck_assert_uint_eq(image.outside_bytes, UINT64_C(50) * OUTSIDE_RANGES_MAX - 40);
    unmap(0, 100 * UINT64_C(1) * OUTSIDE_RANGES_MAX);
    ck_assert_uint_eq(image.outside_bytes, 0);
    forget();
}
END_TEST

SUITE("channel_outside", ranges_that_are_cut_in_the_middle_become_two,
      what_was_never_mapped_and_what_is_mapped_twice_changes_nothing,
      ranges_beyond_the_bound_are_left_out_with_their_bytes_and_counted)
