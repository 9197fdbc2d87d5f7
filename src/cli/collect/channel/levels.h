/* SPDX-License-Identifier: MIT */
#pragma once

#include "collect/channel/images.h"

/*
 * What happened in each 100 ms: rows (allocations by site and thread) and levels (live bytes by image and of all), both
 * kept in the reader until they are taken. Rows are gathered in a small table first, one of each image.
 */
/* Another site or thread has the cell, or nobody: makes it that of SITE. */
struct row_cell *levels_take_cell(struct reader *r, const struct stream *s, uint32_t site, uint32_t index);

/* Where the events of SITE in the stream's thread are added up. */
static inline struct row_cell *levels_cell(struct reader *r, const struct stream *s, uint32_t site)
{
    uint32_t i = (site * 0x9e3779b1u ^ s->thread_index * 0x85ebca6bu) >> 22;
    struct row_cell *cells = s->image->cells;

    if (__builtin_expect(!cells || cells[i].site != site || cells[i].thread != s->thread_index, 0))
        return levels_take_cell(r, s, site, i);
    return &cells[i];
}
_Static_assert(ROW_CELLS == 1 << 10, "levels_cell() takes 10 bits");

/* The image's cells become rows. */
void levels_flush(struct reader *r, uint32_t image);

void levels_push(struct reader *r, uint32_t image, uint64_t live, uint64_t peak, uint64_t alloc);

/* Looks whether live bytes, of each image and of all, are a new peak. */
void levels_note(struct reader *r);

/* Every record up to and of TICK has been applied. */
void levels_close_tick(struct reader *r, uint32_t tick);
