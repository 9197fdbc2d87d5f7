/* SPDX-License-Identifier: MIT */
#include "report/bench_order.h"

#include <stdlib.h>

static int by_mean_time(const void *a, const void *b)
{
    const struct bench_result *x = *(const struct bench_result *const *)a, *y = *(const struct bench_result *const *)b;

    if (x->wall.mean_ns != y->wall.mean_ns)
        return x->wall.mean_ns < y->wall.mean_ns ? -1 : 1;
    return x < y ? -1 : x > y;
}

size_t bench_order(const struct bench_result *results, size_t count, bool by_mean, const struct bench_result **order)
{
    size_t with_runs = 0;

    for (size_t i = 0; i < count; i++)
        if (results[i].count)
            order[with_runs++] = &results[i];
    if (by_mean)
        qsort(order, with_runs, sizeof(*order), by_mean_time);
    return with_runs;
}

const struct bench_result *bench_reference(const struct bench_result *results, size_t count, bool reference)
{
    const struct bench_result *fastest = NULL;

    if (reference)
        return results[0].count ? &results[0] : NULL;
    for (size_t i = 0; i < count; i++)
        if (results[i].count && (!fastest || results[i].wall.mean_ns < fastest->wall.mean_ns))
            fastest = &results[i];
    return fastest;
}
