/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Makes the JSON of a session smaller before it is compressed: an array of whole numbers is written as the differences
 * between neighbours, marked by a plus, wherever that is shorter: [4000,4001,4007] becomes [+4000,1,6]. Sorted columns
 * (node ids within a time bucket, starts, addresses) shrink by a third after gzip. Everything else passes as it is, so
 * putting the sums back gives the same bytes. The visualizer's JSON reader does that (visualizer/lib/parse/json.ts).
 *
 *     struct differences d = {.write = into_gzip, .to = &z};
 *     differences_add(&d, text, len);   (as often as there is text)
 *     differences_end(&d);
 *
 * Text may be cut anywhere. One array is held at a time: memory grows with the longest.
 */
struct differences {
    void (*write)(void *to, const char *text, size_t len);
    void *to;

    bool in_string;
    bool escaped;
    bool holding; /* an array, from its bracket on */
    char *held;
    size_t held_len;
    size_t held_cap;
    char *shorter; /* what would be written instead */
    size_t shorter_cap;
};

void differences_add(struct differences *d, const char *text, size_t len);

/* Writes what is still held and frees the buffers. */
void differences_end(struct differences *d);
