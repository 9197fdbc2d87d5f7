/* SPDX-License-Identifier: MIT */

/*
 * Benchmarks of known cost: PLANTED_STEPS dependent multiplications in "chain" (so a factor can be planted), one that the
 * compiler removes, one that leaves its loop, threads, setups that must not be timed.
 */
#include <rustscope.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static long steps(void)
{
    static long n;
    const char *text = getenv("PLANTED_STEPS");

    return n ? n : (n = text ? atol(text) : 1000);
}

static inline uint64_t chain(long n)
{
    uint64_t x = (uint64_t)n | 1;

    for (long i = 0; i < n; i++)
        x = x * 6364136223846793005u + 1;
    return x;
}

RS_BENCH("chain")
{
    RS_BENCH_ITEMS(10);
    rustscope_black_box(chain(steps()));
}

RS_BENCH("gone")
{
    int x = 3;

    x++;
}

RS_BENCH("left")
{
    RS_BENCH_LOOP {
        break;
    }
}

RS_BENCH("grows", RS_BENCH_RANGE(64, 4096, 4))
{
    rustscope_black_box(chain(RS_BENCH_N));
}

RS_BENCH("threads", RS_BENCH_THREADS(1), RS_BENCH_THREADS(2))
{
    rustscope_black_box(chain(500 + (long)RS_BENCH_THREAD));
}

/* The setup costs a hundred times the loop's body. */
RS_BENCH("setup", RS_BENCH_BATCH(16))
{
    rustscope_black_box(chain((long)RS_BENCH_ITERATIONS * 10000));
    RS_BENCH_LOOP {
        rustscope_black_box(chain(100));
    }
}

/* A turn of the loop beside 50 ms of setup: no patience is enough. */
RS_BENCH("dear", RS_BENCH_BATCH(1))
{
    usleep(50000);
    RS_BENCH_LOOP {
        rustscope_clobber();
    }
}

RS_BENCH("allocates")
{
    void *block = malloc(100);

    rustscope_black_box(block);
    free(block);
}

RS_BENCH_MAIN()
