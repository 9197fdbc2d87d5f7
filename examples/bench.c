/* SPDX-License-Identifier: MIT */

/*
 * Benchmarks: a hash over a text, a pair of malloc and free, and sorting at several sizes with its setup apart.
 *
 *     cc -O2 bench.c -lrustscope -o bench && ./bench
 */
#include <rustscope.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

RS_BENCH("hash")
{
    static const char text[] = "the quick brown fox jumps over the lazy dog";
    uint64_t hash = 14695981039346656037u;

    for (const char *p = rustscope_black_box(&text[0]); *p; p++) /* or clang computes it beforehand */
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    RS_BENCH_BYTES(sizeof(text) - 1);
    rustscope_black_box(hash);
}

RS_BENCH("malloc and free")
{
    void *block = malloc(64);

    rustscope_black_box(block);
    free(block);
}

RS_BENCH("sort", RS_BENCH_RANGE(16, 1024, 4))
{
    size_t n = (size_t)RS_BENCH_N, count = (size_t)RS_BENCH_ITERATIONS * n;
    int *numbers = malloc(count * sizeof(*numbers));
    unsigned random = 1;

    if (!numbers)
        return;
    for (size_t i = 0; i < count; i++)
        numbers[i] = (int)((random = random * 1664525 + 1013904223) >> 1);
    RS_BENCH_ITEMS(n);
    RS_BENCH_LOOP {
        qsort(numbers + RS_BENCH_INDEX * n, n, sizeof(*numbers), compare);
    }
    free(numbers);
}

RS_BENCH_MAIN()
