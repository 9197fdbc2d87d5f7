/* SPDX-License-Identifier: MIT */
#pragma once

#include "analyze/functions.h"
#include "analyze/gate/figures.h"
#include "session/session.h"

/*
 * The figures of one session, which is one run of an arm: totals, functions, allocation paths, scopes, benchmarks,
 * tasks.
 *
 * The session is changed: names lose what compilers append (figure_name()), so that inlined and outlined copies of a
 * function are one, and functions are computed anew from the stacks; where there are none they stay as they are. The
 * program's own module is called PROGRAM_MODULE in all sessions, so that it may have another name or folder on each
 * side, and libraries lose the version behind `.so`.
 */
#define PROGRAM_MODULE "[program]"

struct collect_options {
    bool has_window;
    struct time_window window; /* only that part; what is known of whole runs alone is left out then */
};

/* Adds S as the next run of ARM. */
void figures_collect(struct figures *set, enum arm arm, struct session *s, const struct collect_options *options);
