/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "text/format.h"

/*
 * A grid of character cells in memory. The summary and the panes of the live screen draw into it; summary.c prints it
 * and tui/terminal.c copies it to ncurses. That split makes every drawing function pure and testable by comparing text.
 * Everything is clipped to the given rectangle and the grid.
 */
struct rect {
    int row, col, rows, cols; /* rows or cols 0: not on the screen */
};

/* What a cell means; the printers decide which colour or attribute says so. */
enum style {
    STYLE_NORMAL,
    STYLE_DIM,   /* frames, axes, what is only context */
    STYLE_TITLE, /* bold */
    STYLE_FINE,  /* green */
    STYLE_HOT,   /* amber */
    STYLE_SPIKE, /* red, bold */
    STYLE_FLASH, /* reverse video */
    STYLE_FOCUS, /* the title of the pane that has the keyboard: reverse */
    STYLE_COUNT,
};

struct cell {
    uint32_t glyph; /* code point; 0 is the right half of a wide character */
    uint8_t style;
};

struct canvas {
    int rows, cols;
    struct cell *cells; /* rows * cols */
    enum charset charset;
};

/* Allocates (or re-allocates) CANVAS for ROWS x COLS and blanks it. Negative sizes count as 0. */
void canvas_resize(struct canvas *canvas, int rows, int cols);
void canvas_release(struct canvas *canvas);
void canvas_clear(struct canvas *canvas);

void canvas_put(struct canvas *canvas, int row, int col, uint32_t glyph, enum style style);
/* One line of TEXT from COL on, cut with dots after COLS columns; returns the columns taken. Negative COLS count as 0.
 */
int canvas_text(struct canvas *canvas, int row, int col, int cols, const char *text, enum style style);
/* The same, right-aligned in COLS columns. */
void canvas_text_right(struct canvas *canvas, int row, int col, int cols, const char *text, enum style style);
int canvas_printf(struct canvas *canvas, int row, int col, int cols, enum style style, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* TEXT broken at blanks to the canvas's width, from COL on, further lines from INDENT on. Returns the rows taken (>=
 * 1). */
int canvas_wrap(struct canvas *canvas, int row, int col, int indent, const char *text, enum style style);
void canvas_restyle(struct canvas *canvas, struct rect rect, enum style style);

/* Box-drawing pieces that fall back to + - | in ASCII. */
enum edge { EDGE_UP = 1, EDGE_DOWN = 2, EDGE_LEFT = 4, EDGE_RIGHT = 8 };
uint32_t canvas_box_glyph(enum charset charset, unsigned edges);
/* Lines join what is there already: a vertical line ending on a horizontal one becomes a tee. */
void canvas_hline(struct canvas *canvas, int row, int col, int cols);
void canvas_vline(struct canvas *canvas, int row, int col, int rows);

/* The text of ROW without trailing blanks, as UTF-8; for tests and for plain output. OUT needs 4 * cols + 1 bytes. */
void canvas_row_text(const struct canvas *canvas, int row, char *out, size_t cap);
/* GLYPH as UTF-8 into OUT (5 bytes); returns the length. */
size_t canvas_glyph_utf8(uint32_t glyph, char *out);
/* All rows as lines, without trailing blanks; COLOUR: styles as escape sequences. */
void canvas_print(FILE *out, const struct canvas *canvas, bool colour);
