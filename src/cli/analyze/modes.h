/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether times have two peaks instead of one: a mean between them is a time that no run has, and is better told apart
 * than averaged away. The values are cut where the two sides lie furthest apart for their own width (Ashman's D); each
 * side must have a sixth of all. Of 15 values and more; fewer have one.
 */
struct modes {
    bool two;
    double low, high; /* the sides' means */
    size_t low_count; /* values of the lower side */
};

/* SORTED: ascending. */
struct modes modes_find(const double *sorted, size_t count);
