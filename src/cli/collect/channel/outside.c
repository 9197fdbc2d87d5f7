/* SPDX-License-Identifier: MIT */
#include "collect/channel/outside.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void outside_change(struct image *image, uint64_t start, uint64_t end, bool add_range)
{
    struct range *ranges;
    size_t i = 0, k;

    if (end <= start)
        return;
    GROW(image->outside, image->outside_count + 2, image->outside_cap);
    ranges = image->outside;
    while (i < image->outside_count && ranges[i].end <= start)
        i++;
    while (i < image->outside_count && ranges[i].start < end) {
        struct range old = ranges[i];
        uint64_t from = old.start > start ? old.start : start, to = old.end < end ? old.end : end;

        image->outside_bytes -= to - from;
        memmove(&ranges[i], &ranges[i + 1], (image->outside_count - i - 1) * sizeof(*ranges));
        image->outside_count--;
        for (k = 0; k < 2; k++) {
            struct range rest = k ? (struct range){end, old.end} : (struct range){old.start, start};

            if (rest.start >= rest.end)
                continue;
            if (image->outside_count == OUTSIDE_RANGES_MAX) {
                image->outside_bytes -= rest.end - rest.start;
                image->outside_folded++;
                continue;
            }
            GROW(image->outside, image->outside_count + 2, image->outside_cap);
            ranges = image->outside;
            memmove(&ranges[i + 1], &ranges[i], (image->outside_count - i) * sizeof(*ranges));
            ranges[i++] = rest;
            image->outside_count++;
        }
    }
    if (!add_range)
        return;
    if (image->outside_count == OUTSIDE_RANGES_MAX) {
        image->outside_folded++;
        return;
    }
    for (i = 0; i < image->outside_count && ranges[i].start < start; i++)
        ;
    memmove(&ranges[i + 1], &ranges[i], (image->outside_count - i) * sizeof(*ranges));
    ranges[i] = (struct range){start, end};
    image->outside_count++;
    image->outside_bytes += end - start;
    if (image->outside_bytes > image->outside_peak_bytes)
        image->outside_peak_bytes = image->outside_bytes;
}
