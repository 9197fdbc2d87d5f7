/* SPDX-License-Identifier: MIT */

/*
 * bench_runner [ROUNDS]: the mean that rustscope_bench_run() reports against a truth timed in bulk: a chain of
 * dependent multiplications, millions of times between two readings of the system's clock. Rounds are short and the
 * truth is taken on both sides of each measurement, since the processor's speed changes from second to second; printed
 * is the median of the ratios with the interval that holds it with 95 % (order statistics: ranks n/2 -+ 0.98 sqrt(n)).
 */
#include <math.h>
#include <rustscope.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS_MAX = 999, BULK_NS = 20000000, MEASURED_NS = 40000000, WARMUP_NS = 10000000 };

static const double BOUND = 0.01;

static inline __attribute__((always_inline)) void body(long steps)
{
    uint64_t x = rustscope_black_box((uint64_t)steps);

    for (long i = 0; i < steps; i++)
        x = x * 6364136223846793005u + 1;
    rustscope_black_box(x);
}

/* Not inlined into bulk(), where the compiler would make another loop of it. */
static __attribute__((noinline)) void measured(struct rustscope_bench *bench)
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

/* ns of an iteration of exactly the loop that is measured, its own cost included. Between two looks at the clock a
 * millisecond. */
static double bulk(long steps)
{
    struct rustscope_bench bench = {.iterations = (uint64_t)(1000000 / steps), .ctx = &steps};
    void (*volatile run)(struct rustscope_bench *) = measured; /* nor cloned for what is known of its argument here */
    double begin = now_ns(), took, iterations = 0;

    do {
        run(&bench);
        iterations += (double)bench.iterations;
        took = now_ns() - begin;
    } while (took < BULK_NS);
    return took / iterations;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_ratio(double *ratios, int count)
{
    int away = (int)ceil(0.98 * sqrt(count)), low = count / 2 - away, high = count / 2 + away;
    const char *verdict;

    qsort(ratios, (size_t)count, sizeof(*ratios), ascending);
    low = low < 0 ? 0 : low;
    high = high >= count ? count - 1 : high;
    verdict = ratios[low] > 1 + BOUND || ratios[high] < 1 - BOUND     ? "FAILED"
              : ratios[low] >= 1 - BOUND && ratios[high] <= 1 + BOUND ? "holds"
                                                                      : "inconclusive";
    printf("%.4f [%.4f, %.4f] %s\n", ratios[count / 2], ratios[low], ratios[high], verdict);
}

int main(int argc, char **argv)
{
    static const long steps[] = {8, 16, 32, 64, 128, 256, 512, 2048};
    static double ratios[ROUNDS_MAX];
    int rounds = argc > 1 ? atoi(argv[1]) : 101;

    if (rounds < 15 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench_runner [ROUNDS 15..%d]\n", ROUNDS_MAX);
        return 2;
    }
    printf("mean by rustscope_bench_run() / in bulk, median of %d rounds (must lie within %.0f %%)\n", rounds,
           BOUND * 100);
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        double truth = 0;
        long n = steps[i];

        for (int round = 0; round < rounds; round++) {
            struct rustscope_bench_config config = {
                .size = sizeof(config), .name = "chain", .time_ns = MEASURED_NS, .warmup_ns = WARMUP_NS};
            struct rustscope_bench_result result = {.size = sizeof(result)};
            double before = bulk(n), after;

            if (rustscope_bench_run(&config, measured, &n, &result)) {
                fprintf(stderr, "bench_runner: %s\n", rustscope_why());
                return 1;
            }
            after = bulk(n);
            truth = (before + after) / 2;
            ratios[round] = result.mean_ns / truth;
            rustscope_bench_result_release(&result);
        }
        printf("%6ld steps, %8.2f ns  ", n, truth);
        print_ratio(ratios, rounds);
        fflush(stdout);
    }
    return 0;
}
