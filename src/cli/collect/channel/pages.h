/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

/* The pages of the slab, read tick by tick while their writers go on writing. */
struct reader;

enum { PAGES_BUSY_FRAMES = 256 }; /* in a pass: the slab may grow faster */

/*
 * Reads what is final of each page, and gives back the pages that are done with. FINAL: nobody writes any more, all of
 * it is. LOOK_AT_COUNTS: also the running totals of threads that live.
 */
void pages_read(struct reader *r, bool final, bool look_at_counts);

/* What is kept of the pages: as many as the slab of R has. */
void pages_init(struct reader *r);
void pages_release(struct reader *r);
