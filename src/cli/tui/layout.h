/* SPDX-License-Identifier: MIT */
#pragma once

#include "text/canvas.h"

/*
 * Where the panes go on a screen of any size: a pure function. Panes that have no room fold away in a fixed order
 * (output, allocations, functions, second chart, then events and the frame), until one line of numbers is left.
 *
 *     ┌ header ──────────────────────────────┐
 *     │ PANE_CPU          │ PANE_MEMORY      │
 *     │ PANE_THREADS      │ PANE_FDS         │   tall screens only, else sparklines in the strip
 *     ├ PANE_STRIP ──────────────────────────┤
 *     │ PANE_TABLE  │ PANE_ALLOCS │ PANE_EVENTS
 *     ├ Output ──────────────────────────────┤
 *     │ PANE_OUTPUT                          │
 *     └ footer ──────────────────────────────┘
 *
 * PANE_TABLE shows functions, processes or threads. Rectangles hold contents (with their title line), frames run
 * between.
 */
enum pane {
    PANE_HEADER,
    PANE_CPU,
    PANE_MEMORY,
    PANE_THREADS,
    PANE_FDS,
    PANE_STRIP,
    PANE_TABLE,
    PANE_ALLOCATIONS,
    PANE_EVENTS,
    PANE_OUTPUT,
    PANE_FOOTER,
    PANE_COUNT,
};

struct layout_wish {
    bool output;      /* the program's output comes through us */
    bool allocations; /* there are allocations to show */
    bool compact;     /* no charts: the strip tells the numbers */
    enum pane zoom;   /* this pane takes all the room between header and footer; PANE_HEADER: none */
};

struct layout {
    struct rect panes[PANE_COUNT]; /* rows 0: folded away */
    bool framed;                   /* lines are drawn around and between */
    bool one_line;                 /* PANE_HEADER holds one line of numbers, nothing else is there */
};

void layout_compute(int rows, int cols, const struct layout_wish *wish, struct layout *layout);
/* The lines between the panes. */
void layout_draw_frame(const struct layout *layout, struct canvas *canvas);
bool layout_has(const struct layout *layout, enum pane pane);
