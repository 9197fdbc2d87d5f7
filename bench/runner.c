/* SPDX-License-Identifier: MIT */

/*
 * bench_runner [ROUNDS]: the mean that rustscope_bench_run() reports against a truth timed in bulk: a chain of dependent
 * multiplications, millions of times between two readings of the system's clock, before and after each measurement. Prints
 * the ratio for bodies of a few nanoseconds to microseconds.
 */
#include <rustscope.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS_MAX = 99, BULK_NS = 200000000 };

static inline __attribute__((always_inline)) void body(long steps)
{
    uint64_t x = rustscope_black_box((uint64_t)steps);

    for (long i = 0; i < steps; i++)
        x = x * 6364136223846793005u + 1;
    rustscope_black_box(x);
}

static void measured(struct rustscope_bench *bench)
{
    long steps = *(const long *)bench->ctx;

    for (uint64_t i = 0; i < bench->iterations; i++) {
        body(steps);
        rustscope_clobber();
    }
}

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ns of an iteration of exactly the loop that is measured, its own cost included. */
static double bulk(long steps)
{
    struct rustscope_bench bench = {.iterations = 1000, .ctx = &steps};
    double begin = now_ns(), took, iterations = 0;

    do {
        measured(&bench);
        iterations += 1000;
        took = now_ns() - begin;
    } while (took < BULK_NS);
    return took / iterations;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static const long steps[] = {8, 32, 128, 512, 2048};
    int rounds = argc > 1 ? atoi(argv[1]) : 7;

    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench_runner [ROUNDS 1..%d]\n", ROUNDS_MAX);
        return 2;
    }
    printf("mean and median by rustscope_bench_run() / in bulk, %d rounds: median [lowest, highest] (must lie within 1 %%)\n", rounds);
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        double mean[ROUNDS_MAX], median[ROUNDS_MAX], truth = 0;
        long n = steps[i];

        for (int round = 0; round < rounds; round++) {
            struct rustscope_bench_config config = {.size = sizeof(config), .name = "chain", .time_ns = 300000000};
            struct rustscope_bench_result result = {.size = sizeof(result)};
            double before = bulk(n), after;

            if (rustscope_bench_run(&config, measured, &n, &result)) {
                fprintf(stderr, "bench_runner: %s\n", rustscope_why());
                return 1;
            }
            after = bulk(n);
            truth = (before + after) / 2;
            mean[round] = result.mean_ns / truth;
            median[round] = result.median_ns / truth;
            rustscope_bench_result_release(&result);
        }
        qsort(mean, (size_t)rounds, sizeof(*mean), ascending);
        qsort(median, (size_t)rounds, sizeof(*median), ascending);
        printf("  %5ld steps, %8.2f ns   mean %.4f [%.4f, %.4f]   median %.4f [%.4f, %.4f]\n", n, truth, mean[rounds / 2], mean[0],
               mean[rounds - 1], median[rounds / 2], median[0], median[rounds - 1]);
    }
    return 0;
}
