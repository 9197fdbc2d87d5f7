/* SPDX-License-Identifier: MIT */
#pragma once

#include "report/summary.h"

/*
 * What works here: each part is tried, not guessed from settings, where trying is harmless. doctor_examine() is the
 * platform's (doctor_linux.c); drawing is not.
 */
enum doctor_state { DOCTOR_OK, DOCTOR_DEGRADED, DOCTOR_MISSING };

struct doctor_line {
    enum doctor_state state;
    const char *part; /* static: "call stacks" */
    char found[160];
    char remedy[320]; /* "" when there is nothing to do */
};

enum { DOCTOR_LINES = 24 };
struct doctor {
    struct doctor_line lines[DOCTOR_LINES];
    int count;
};

void doctor_examine(struct doctor *doctor);
enum doctor_state doctor_worst(const struct doctor *doctor);
/* Resizes CANVAS to the rows needed. */
void doctor_draw(struct canvas *canvas, const struct doctor *doctor, const struct summary_options *options);

/* Adds a line; FOUND is a format. Returns it, so that a remedy can be written into it. */
struct doctor_line *doctor_add(struct doctor *doctor, enum doctor_state state, const char *part, const char *found, ...)
    __attribute__((format(printf, 4, 5)));
