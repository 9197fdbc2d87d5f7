/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "session/session.h"

/* A part of a session's time, and how much of a table's bucket lies in it. */
struct time_window {
    uint64_t from_ns, to_ns; /* at_ns; to_ns UINT64_MAX: to the end */
};

/* How much of bucket NUMBER of ROWS lies in WINDOW, 0 to 1. */
double window_share(const struct rows *rows, uint32_t number, const struct time_window *window);

/*
 * Marks in IS_OURS, one entry a node, where time is the profiler's. What the kernel and libc do for the profiler is the
 * profiler's as well; what a malloc hook calls on to is not.
 */
void window_mark_ours(const struct session *s, bool *is_ours);

/*
 * Reads `FROM..TO`: seconds from the start, or the names of marks; either may be missing. Returns 0, or -EINVAL with a
 * sentence.
 */
int time_window_parse(const struct session *s, const char *text, struct time_window *window, struct rs_err *err);
