/* SPDX-License-Identifier: MIT */
#include "tui/layout.h"

#include <string.h>

#include "suite.h"

static bool overlap(const struct rect *a, const struct rect *b)
{
    return a->row < b->row + b->rows && b->row < a->row + a->rows && a->col < b->col + b->cols &&
           b->col < a->col + a->cols;
}

static void check_inside(const struct layout *layout, int rows, int cols)
{
    for (int i = 0; i < PANE_COUNT; i++) {
        const struct rect *a = &layout->panes[i];

        if (!layout_has(layout, i))
            continue;
        loop_assert_msg(a->row >= 0 && a->col >= 0 && a->row + a->rows <= rows && a->col + a->cols <= cols,
                        "pane %d leaves the %dx%d screen", i, rows, cols);
        for (int j = i + 1; j < PANE_COUNT; j++)
            loop_assert_msg(!layout_has(layout, j) || !overlap(a, &layout->panes[j]),
                            "panes %d and %d overlap at %dx%d", i, j, rows, cols);
    }
}

/* A pane that is there implies that all that fold before it on the way down may be gone, but none that folds later. */
static void check_fold_order(const struct layout *layout, int rows, int cols)
{
    static const enum pane order[] = {PANE_OUTPUT, PANE_ALLOCATIONS, PANE_TABLE, PANE_MEMORY, PANE_CPU, PANE_HEADER};

    for (size_t i = 0; i + 1 < sizeof(order) / sizeof(*order); i++)
        loop_assert_msg(!layout_has(layout, order[i]) || layout_has(layout, order[i + 1]),
                        "pane %d is there without pane %d at %dx%d", order[i], order[i + 1], rows, cols);
}

START_TEST(no_size_overlaps_or_leaves_the_screen)
{
    for (int flags = 0; flags < 8; flags++) {
        struct layout_wish wish = {.output = flags & 1, .allocations = flags & 2, .compact = flags & 4};

        for (int rows = 0; rows <= 200; rows++)
            for (int cols = 0; cols <= 500; cols += cols < 160 ? 1 : 7) {
                struct layout layout;

                layout_compute(rows, cols, &wish, &layout);
                check_inside(&layout, rows, cols);
                loop_assert_msg(rows == 0 || cols == 0 || layout_has(&layout, PANE_HEADER), "no header at %dx%d", rows,
                                cols);
                if (flags == 3)
                    check_fold_order(&layout, rows, cols);
            }
    }
}
END_TEST

START_TEST(zoomed_panes_stay_inside_too)
{
    for (enum pane zoom = PANE_TABLE; zoom <= PANE_OUTPUT; zoom++)
        for (int rows = 0; rows <= 60; rows++)
            for (int cols = 0; cols <= 120; cols++) {
                struct layout_wish wish = {.output = true, .zoom = zoom};
                struct layout layout;

                layout_compute(rows, cols, &wish, &layout);
                check_inside(&layout, rows, cols);
                loop_assert_msg(layout.one_line || rows == 0 || cols == 0 || layout_has(&layout, zoom),
                                "pane %d is not zoomed at %dx%d", (int)zoom, rows, cols);
            }
}
END_TEST

START_TEST(a_standard_screen_shows_everything)
{
    struct layout_wish wish = {.output = true, .allocations = true};
    struct layout layout;

    layout_compute(24, 80, &wish, &layout);
    for (int pane = 0; pane < PANE_COUNT; pane++)
        loop_assert_msg(layout_has(&layout, pane) == (pane != PANE_THREADS && pane != PANE_FDS), "pane %d", pane);
    layout_compute(50, 160, &wish, &layout);
    for (int pane = 0; pane < PANE_COUNT; pane++)
        loop_assert_msg(layout_has(&layout, pane), "pane %d", pane);
}
END_TEST

START_TEST(panes_fold_in_the_order_of_the_design)
{
    static const struct {
        int rows, cols;
        enum pane gone, left;
    } steps[] = {
        {23, 80, PANE_OUTPUT, PANE_ALLOCATIONS}, {24, 79, PANE_OUTPUT, PANE_ALLOCATIONS},
        {20, 80, PANE_ALLOCATIONS, PANE_TABLE},  {15, 80, PANE_TABLE, PANE_MEMORY},
        {11, 80, PANE_MEMORY, PANE_CPU},         {24, 43, PANE_MEMORY, PANE_CPU},
    };

    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        struct layout_wish wish = {.output = true, .allocations = true};
        struct layout layout;

        layout_compute(steps[i].rows, steps[i].cols, &wish, &layout);
        ck_assert(!layout_has(&layout, steps[i].gone));
        ck_assert(layout_has(&layout, steps[i].left));
    }
}
END_TEST

START_TEST(twenty_by_four_is_one_line)
{
    struct layout_wish wish = {.output = true, .allocations = true};
    struct layout layout;

    layout_compute(4, 20, &wish, &layout);
    ck_assert(layout.one_line);
    ck_assert_int_eq(layout.panes[PANE_HEADER].rows, 1);
    ck_assert_int_eq(layout.panes[PANE_HEADER].cols, 20);
    for (int pane = 1; pane < PANE_COUNT; pane++)
        ck_assert(!layout_has(&layout, pane));
}
END_TEST

START_TEST(frames_meet_in_proper_joints)
{
    struct layout_wish wish = {.output = false};
    struct canvas canvas = {.charset = CHARSET_UTF8};
    struct layout layout;
    char row[512];

    canvas_resize(&canvas, 16, 56);
    layout_compute(16, 56, &wish, &layout);
    layout_draw_frame(&layout, &canvas);
    canvas_row_text(&canvas, 0, row, sizeof(row));
    ck_assert_ptr_nonnull(strstr(row, "┬"));
    ck_assert_int_eq(strncmp(row, "┌", 3), 0);
    canvas_row_text(&canvas, layout.panes[PANE_STRIP].row, row, sizeof(row));
    ck_assert_int_eq(strncmp(row, "├", 3), 0);
    ck_assert_ptr_nonnull(strstr(row, "┴"));
    ck_assert_ptr_nonnull(strstr(row, "┬"));
    canvas_release(&canvas);
}
END_TEST

SUITE("layout", no_size_overlaps_or_leaves_the_screen, zoomed_panes_stay_inside_too, a_standard_screen_shows_everything,
      panes_fold_in_the_order_of_the_design, twenty_by_four_is_one_line, frames_meet_in_proper_joints)
