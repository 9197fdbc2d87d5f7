/* SPDX-License-Identifier: MIT */
#include "collect/process/reaped.h"

#include "suite.h"

static const uint64_t SLACK = 20;

START_TEST(a_child_that_nobody_saw_is_new)
{
    struct reaped parent = {0};

    ck_assert_uint_eq(reaped_read(&parent, 100, SLACK), 100);
    ck_assert_uint_eq(reaped_read(&parent, 100, SLACK), 0);
    ck_assert_uint_eq(reaped_read(&parent, 130, SLACK), 30);
}
END_TEST

START_TEST(a_watched_child_is_not_new)
{
    struct reaped parent = {0}, child = {0};

    reaped_hand_up(&parent, 100, &child);
    ck_assert_uint_eq(reaped_read(&parent, 107, SLACK), 7); /* its last moments */
    ck_assert_uint_eq(reaped_read(&parent, 110, SLACK), 3);
}
END_TEST

START_TEST(three_levels_count_once)
{
    struct reaped program = {0}, middle = {0}, leaf = {0};

    /* The leaf used 300 and ended, then the middle, which used 1, before anybody read the middle's counter. */
    reaped_hand_up(&middle, 300, &leaf);
    reaped_hand_up(&program, 1, &middle);
    ck_assert_uint_eq(reaped_read(&program, 301, SLACK), 0);
}
END_TEST

START_TEST(three_levels_count_once_when_the_middle_was_read)
{
    struct reaped program = {0}, middle = {0}, leaf = {0};

    reaped_hand_up(&middle, 300, &leaf);
    ck_assert_uint_eq(reaped_read(&middle, 290, SLACK), 0); /* a coarse counter lags behind */
    reaped_hand_up(&program, 1, &middle);
    ck_assert_uint_eq(reaped_read(&program, 301, SLACK), 0);
}
END_TEST

START_TEST(unseen_children_of_a_watched_child_count_once)
{
    struct reaped program = {0}, middle = {0};

    ck_assert_uint_eq(reaped_read(&middle, 500, SLACK), 500);
    reaped_hand_up(&program, 1, &middle);
    ck_assert_uint_eq(reaped_read(&program, 501, SLACK), 0);
}
END_TEST

START_TEST(what_was_there_before_is_handed_up_and_not_new)
{
    struct reaped program = {.read = 0}, middle = {.read = 3000}; /* read so when measuring began */

    ck_assert_uint_eq(reaped_read(&middle, 3000, SLACK), 0);
    reaped_hand_up(&program, 10, &middle);
    ck_assert_uint_eq(reaped_read(&program, 3010, SLACK), 0);
}
END_TEST

START_TEST(a_child_that_somebody_else_reaped_hides_nothing)
{
    struct reaped parent = {0}, child = {0};

    reaped_hand_up(&parent, 1000, &child); /* its parent is init by now: nothing of it ever comes here */
    ck_assert_uint_eq(reaped_read(&parent, 0, SLACK), 0);
    ck_assert_uint_eq(reaped_read(&parent, 400, SLACK), 400 - SLACK);
}
END_TEST

START_TEST(a_counter_that_falls_is_no_growth)
{
    struct reaped parent = {.read = 50};

    ck_assert_uint_eq(reaped_read(&parent, 40, SLACK), 0);
    ck_assert_uint_eq(reaped_read(&parent, 60, SLACK), 10);
}
END_TEST

SUITE("reaped", a_child_that_nobody_saw_is_new, a_watched_child_is_not_new, three_levels_count_once,
      three_levels_count_once_when_the_middle_was_read, unseen_children_of_a_watched_child_count_once,
      what_was_there_before_is_handed_up_and_not_new, a_child_that_somebody_else_reaped_hides_nothing,
      a_counter_that_falls_is_no_growth)
