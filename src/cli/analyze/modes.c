/* SPDX-License-Identifier: MIT */
#include "analyze/modes.h"

#include <math.h>

/* Normal times cut in halves have a D of 2.7, uniform ones 3.5, exponential ones below 4. */
static const double FAR_APART = 5.0;
enum { FEWEST = 15, SMALLEST_PART = 6 };

/* The mean of COUNT values and the sum of their squared distances from it, from sums less SHIFT. */
static double squares(double sum, double sum_of_squares, size_t count)
{
    double left = sum_of_squares - sum * sum / (double)count;

    return left > 0 ? left : 0;
}

struct modes modes_find(const double *sorted, size_t count)
{
    size_t least = count / SMALLEST_PART > 3 ? count / SMALLEST_PART : 3;
    double all = 0, all_squares = 0, sum = 0, sum_squares = 0, best = FAR_APART, shift;
    struct modes found = {false, 0, 0, 0};

    if (count < FEWEST)
        return found;
    shift = sorted[count / 2]; /* sums of small numbers keep their digits */
    for (size_t i = 0; i < count; i++) {
        all += sorted[i] - shift;
        all_squares += (sorted[i] - shift) * (sorted[i] - shift);
    }
    for (size_t cut = 1; cut + least <= count; cut++) {
        size_t rest = count - cut;
        double value = sorted[cut - 1] - shift, low, high, width, apart;

        sum += value;
        sum_squares += value * value;
        if (cut < least)
            continue;
        low = sum / (double)cut;
        high = (all - sum) / (double)rest;
        width = sqrt((squares(sum, sum_squares, cut) / (double)cut +
                      squares(all - sum, all_squares - sum_squares, rest) / (double)rest) /
                     2);
        apart = width > 0 ? (high - low) / width : high > low ? INFINITY : 0;
        if (apart > best) {
            best = apart;
            found = (struct modes){true, low + shift, high + shift, cut};
        }
    }
    return found;
}
