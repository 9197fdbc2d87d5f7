/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Marks and counters, kept for a report that this process writes itself: the first RS_MARKS_MAX, the rest is counted. */
enum { RS_MARKS_MAX = 4096, RS_MARK_NAME_MAX = 47 };

struct rs_mark {
    uint64_t mono_ns; /* atomic, stored last; 0: not written yet */
    double value;
    bool is_counter;
    char name[RS_MARK_NAME_MAX];
};

/* From now on marks are kept. */
void rs_marks_keep(void);
/* How many there are, with *DROPPED beyond that. */
uint32_t rs_mark_count(uint64_t *dropped);
/* False while it is being written. */
bool rs_mark_get(uint32_t i, struct rs_mark *out);
void rs_marks_forked(void);
