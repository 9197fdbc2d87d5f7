/* SPDX-License-Identifier: MIT */
#include "command/doctor_checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct doctor_line *doctor_add(struct doctor *doctor, enum doctor_state state, const char *part, const char *found, ...)
{
    struct doctor_line *line = &doctor->lines[doctor->count];
    va_list args;

    if (doctor->count < DOCTOR_LINES - 1)
        doctor->count++;
    *line = (struct doctor_line){.state = state, .part = part};
    va_start(args, found);
    vsnprintf(line->found, sizeof(line->found), found, args);
    va_end(args);
    return line;
}

enum doctor_state doctor_worst(const struct doctor *doctor)
{
    enum doctor_state worst = DOCTOR_OK;

    for (int i = 0; i < doctor->count; i++)
        if (doctor->lines[i].state > worst)
            worst = doctor->lines[i].state;
    return worst;
}

void doctor_draw(struct canvas *canvas, const struct doctor *doctor, const struct summary_options *options)
{
    static const char *const words[] = {"ok", "degraded", "missing"};
    static const enum style styles[] = {STYLE_FINE, STYLE_HOT, STYLE_SPIKE};
    enum { PART_COL = 10, FOUND_COL = 26 };
    int cols = options->cols < SUMMARY_MIN_COLS   ? SUMMARY_MIN_COLS
               : options->cols > SUMMARY_MAX_COLS ? SUMMARY_MAX_COLS
                                                  : options->cols;
    int row = 0;

    canvas->charset = options->charset;
    canvas_resize(canvas, DOCTOR_LINES * 8, cols);
    for (int i = 0; i < doctor->count; i++) {
        const struct doctor_line *line = &doctor->lines[i];

        canvas_text(canvas, row, 0, PART_COL, words[line->state], styles[line->state]);
        canvas_text(canvas, row, PART_COL, FOUND_COL - PART_COL - 1, line->part, STYLE_TITLE);
        row += canvas_wrap(canvas, row, FOUND_COL, FOUND_COL, line->found, STYLE_NORMAL);
        if (*line->remedy)
            row += canvas_wrap(canvas, row, FOUND_COL, FOUND_COL, line->remedy, STYLE_DIM);
    }
    canvas->rows = row;
}
