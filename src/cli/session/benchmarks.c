/* SPDX-License-Identifier: MIT */
#include "session/benchmarks.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { BENCHMARKS_MAX = 10000, SAMPLES_MAX_ALL = 4 << 20, SEED = 1 };

void session_benchmarks_release(struct session_benchmarks *benchmarks)
{
    for (size_t i = 0; i < benchmarks->count; i++)
        free(benchmarks->list[i].samples_ns);
    free(benchmarks->list);
    memset(benchmarks, 0, sizeof(*benchmarks));
}

struct session_benchmark *session_benchmarks_add(struct session_benchmarks *benchmarks, const struct rs_bench_counts *counts)
{
    struct session_benchmark *b;

    if (benchmarks->count >= BENCHMARKS_MAX || counts->samples > RS_BENCH_SAMPLES_MAX ||
        benchmarks->samples + counts->samples > SAMPLES_MAX_ALL)
        return NULL;
    GROW(benchmarks->list, benchmarks->count + 1, benchmarks->cap);
    b = &benchmarks->list[benchmarks->count++];
    *b = (struct session_benchmark){.counts = *counts, .samples_ns = xcalloc(counts->samples + 1, sizeof(double))};
    benchmarks->samples += counts->samples;
    return b;
}

size_t session_benchmarks_summarize(struct session_benchmarks *benchmarks)
{
    size_t kept = 0, dropped;

    for (size_t i = 0; i < benchmarks->count; i++) {
        struct session_benchmark *b = &benchmarks->list[i];
        double *scratch;

        if (!b->counts.samples || b->arrived < b->counts.samples) {
            benchmarks->samples -= b->counts.samples;
            free(b->samples_ns);
            continue;
        }
        scratch = xcalloc(RS_BENCH_SCRATCH(b->counts.samples), sizeof(*scratch));
        rs_bench_summarize(&(struct rs_bench_samples){b->samples_ns, b->counts.samples, b->counts.processes}, SEED, scratch,
                           &b->summary);
        free(scratch);
        benchmarks->list[kept++] = *b;
    }
    dropped = benchmarks->count - kept;
    benchmarks->count = kept;
    return dropped;
}
