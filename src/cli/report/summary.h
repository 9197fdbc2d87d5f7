/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "session/session.h"
#include "text/canvas.h"

/*
 * A session as a page of text: what record prints on stderr at the end, and `rustscope report`. It reads the session
 * and changes nothing; sections without anything to say are left out, and what was missing is said last, each with its
 * remedy.
 */
enum { SUMMARY_MIN_COLS = 60, SUMMARY_MAX_COLS = 200, SUMMARY_PIPE_COLS = 120 };

struct summary_options {
    int cols; /* cut to SUMMARY_MIN_COLS..SUMMARY_MAX_COLS */
    enum charset charset;
    bool colour;
    const char *path;    /* where the JSON is; NULL: not said */
    uint64_t path_bytes; /* its size; 0: not said */
    bool window;         /* only FROM_NS..TO_NS: functions must have been computed for it */
    uint64_t from_ns, to_ns;
};

/* For a stream: the terminal's width (SUMMARY_PIPE_COLS without one), its charset (call setlocale before), colour
 * unless NO_COLOR or no terminal. */
void summary_options_for(FILE *out, struct summary_options *options);

void summary_print(FILE *out, const struct session *s, const struct summary_options *options);

/* Draws into CANVAS, which it resizes to the rows needed. For summary_print and the tests. */
void summary_draw(struct canvas *canvas, const struct session *s, const struct summary_options *options);
