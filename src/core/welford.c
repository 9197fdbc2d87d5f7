/* SPDX-License-Identifier: MIT */
#include "core/welford.h"

typedef unsigned __int128 wide;

void rs_welford_add(struct rs_welford *w, double value)
{
    double off = value - w->mean;

    w->count++;
    w->mean += off / (double)w->count;
    w->m2 += off * (value - w->mean);
}

void rs_welford_merge(struct rs_welford *into, const struct rs_welford *from)
{
    uint64_t count = into->count + from->count;
    double off = from->mean - into->mean;

    if (!from->count)
        return;
    into->m2 += from->m2 + off * off * ((double)into->count * (double)from->count / (double)count);
    into->mean += off * ((double)from->count / (double)count);
    into->count = count;
}

double rs_welford_variance(const struct rs_welford *w)
{
    return w->count > 1 && w->m2 > 0 ? w->m2 / (double)(w->count - 1) : 0;
}

static wide squares(const struct rs_exact *e)
{
    return (wide)e->square_hi << 64 | e->square_lo;
}

static void set_squares(struct rs_exact *e, wide squares)
{
    e->square_lo = (uint64_t)squares;
    e->square_hi = (uint64_t)(squares >> 64);
}

void rs_exact_add(struct rs_exact *e, uint64_t value)
{
    e->count++;
    e->sum += value;
    set_squares(e, squares(e) + (wide)value * value);
}

void rs_exact_merge(struct rs_exact *into, const struct rs_exact *from)
{
    into->count += from->count;
    into->sum += from->sum;
    set_squares(into, squares(into) + squares(from));
}

double rs_exact_mean(const struct rs_exact *e)
{
    return e->count ? (double)e->sum / (double)e->count : 0;
}

double rs_exact_variance(const struct rs_exact *e)
{
    uint64_t mean, rest;
    wide deviation;

    if (e->count < 2)
        return 0;
    /*
     * With sum = count * mean + rest, Σ(x-mean)² = Σx² - mean * (sum + rest), all integers; the shift from the integer
     * mean to the true one is rest²/count. n·Σx² would overflow 128 bits first.
     */
    mean = e->sum / e->count;
    rest = e->sum % e->count;
    deviation = squares(e) - (wide)mean * e->sum - (wide)mean * rest;
    return ((double)deviation - (double)rest * ((double)rest / (double)e->count)) / (double)(e->count - 1);
}
