/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "analyze/owners.h"
#include "report/summary.h"
#include "session/totals.h"

/* What the sections of the summary share: the page as it is being filled, from the top. */
enum {
    PAGE_ROWS = 300,
    PAGE_LABEL_COL = 2,
    PAGE_SPARK_COL = 11,
};

struct page {
    struct canvas *canvas;
    const struct session *s;
    const struct summary_options *options;
    struct totals totals;
    struct time_window window;
    struct owner_map owners;
    struct owner_costs cpu, waits; /* of the window */
    int row, cols;
    int rows; /* of the canvas */
};

const char *page_text(const struct page *page, string_id id);
/* Puts the text at COL of the current row if it fits whole; returns the column behind it and a gap, else COL. */
int page_piece(struct page *page, int col, enum style style, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void page_next_row(struct page *page);
/* Wraps TEXT from COL on, indenting what follows by INDENT. */
void page_paragraph(struct page *page, int col, int indent, enum style style, const char *text);

/* A function's name as short as COLS, and where it stands: svc.cpp:41, else its crate or library. */
int page_frame_name(const struct page *page, uint32_t frame, int cols, char *out, size_t cap);
void page_frame_place(const struct page *page, uint32_t frame, char *out, size_t cap);
/*
 * `svc::load_report  svc.cpp:41  via std::string::append` from COL on in COLS columns of the current row; VIA
 * UINT32_MAX: nothing. What has no room is left out, the last first.
 */
void page_code(struct page *page, int col, int cols, uint32_t frame, uint32_t via, enum style style);

/*
 * Who of the reader's made the memory spike EVENT: the owner of the most of its allocations, what it called, and how
 * much it was. False when the session does not tell.
 */
bool page_spike_owner(const struct page *page, const struct session_event *event, uint32_t *frame, uint32_t *via,
                      int64_t *bytes);

/* -- sections, in summary_code.c -- */

/* Where the time went: by what the reader's functions cost, and by self time. False when no owner is known. */
bool page_draw_time(struct page *page);
void page_draw_waits(struct page *page);
/* Who held the memory at its peak, and what was leaked. False when no owner is known. */
bool page_draw_holders(struct page *page);
void page_draw_leaks(struct page *page);
