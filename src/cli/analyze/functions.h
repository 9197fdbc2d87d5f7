/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "analyze/window.h"
#include "session/session.h"

/*
 * From rows and call tree to what people read: functions[], rollups by crate and by module, the top functions of each
 * moment and of each event.
 *
 * Self time belongs to the innermost frame, inlined ones included; total time to every function on the stack, once,
 * however often it recurses. Percentages are of all CPU time that was measured in the window, less our own: a sample
 * whose innermost frame is the profiler's (or what the kernel and libc did for it) is in no percentage and only in
 * diagnostics.overhead_pct. So self_pct of all functions adds up to 100.
 */
/* Fills functions, crate_rollups, module_rollups and, of the whole session, overhead_pct. Instrumented functions stay.
 */
void functions_compute(struct session *s, const struct time_window *window);

/* Fills hotspots (at most MAX_HOTSPOTS) and the functions of every event. Run functions_compute() first. */
void hotspots_compute(struct session *s);

/*
 * The functions with the most self time in WINDOW, best first: at most MAX of them into OUT, and their number. For the
 * live screen and for one event; the profile (see below) saves the preparation when there are many windows.
 */
struct top_function {
    string_id name, module; /* crate or library */
    enum layer layer;
    double self_pct;
    uint64_t self_us;
};
size_t functions_top(struct session *s, const struct time_window *window, struct top_function *out, size_t max);
