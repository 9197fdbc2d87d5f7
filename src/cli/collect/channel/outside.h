/* SPDX-License-Identifier: MIT */
#pragma once

#include "collect/channel/images.h"

enum { OUTSIDE_RANGES_MAX = 1 << 16 };

/*
 * [start, end) is mapped anew (ADD_RANGE) or no more. Ranges stay sorted and apart; what is cut in the middle becomes
 * two. A range beyond OUTSIDE_RANGES_MAX is left out, with its bytes, and counted (outside_folded).
 */
void outside_change(struct image *image, uint64_t start, uint64_t end, bool add_range);
