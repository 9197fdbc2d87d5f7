/* SPDX-License-Identifier: MIT */
#pragma once

#include "collect/channel/images.h"

enum { OUTSIDE_RANGES_MAX = 1 << 16 };

/* [start, end) is mapped anew (ADD) or no more. Ranges stay sorted and apart; what is cut in the middle becomes two. */
void outside_change(struct image *image, uint64_t start, uint64_t end, bool add_range);
