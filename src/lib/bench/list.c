/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "lib/bench/bench.h"

void rs_bench_list_release(struct rs_bench_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        rs_bench_result_release(&list->results[i]);
    free(list->results);
    *list = (struct rs_bench_list){0};
}

bool rs_bench_list_add(struct rs_bench_list *list, struct rs_bench_result *result)
{
    struct rs_bench_result *more = realloc(list->results, (list->count + 1) * sizeof(*more));

    if (!more) {
        rs_bench_result_release(result);
        return false;
    }
    list->results = more;
    list->results[list->count++] = *result;
    memset(result, 0, sizeof(*result));
    return true;
}

const struct rs_bench_result *rs_bench_list_find(const struct rs_bench_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->results[i].name, name))
            return &list->results[i];
    return NULL;
}

bool rs_bench_family_fit(const struct rs_bench_list *list, const char *family, uint32_t threads,
                         struct rs_bench_fit *out)
{
    enum { POINTS_MAX = 64 };
    double n[POINTS_MAX], ns[POINTS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < list->count && count < POINTS_MAX; i++) {
        const struct rs_bench_result *r = &list->results[i];

        if (r->refusal || strcmp(r->family, family) || r->counts.threads != threads ||
            !(r->counts.flags & RS_BENCH_HAS_N))
            continue;
        n[count] = (double)r->counts.n;
        ns[count++] = r->summary.median_ns;
    }
    return rs_bench_fit_order(n, ns, count, out);
}
