/* SPDX-License-Identifier: MIT */
/*
 * A fixed amount of CPU work under a stack some 20 frames deep: stacks_work ROUNDS [THREADS]. When it ends it writes
 * "CPU_SECONDS MONOTONIC_NS" to descriptor 3 if that is open.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static long rounds;

__attribute__((noinline)) static uint64_t mix(uint64_t x, int depth)
{
    volatile uint64_t here = x;

    if (depth)
        return mix(x * 0x9e3779b97f4a7c15u + 1, depth - 1) ^ here;
    for (int i = 0; i < 2000; i++)
        x = (x ^ x >> 31) * 0xbf58476d1ce4e5b9u;
    return x + here;
}

static void *work(void *arg)
{
    uint64_t sum = 0;

    for (long i = 0; i < rounds; i++)
        sum += mix((uint64_t)i, 18);
    *(volatile uint64_t *)arg = sum;
    return NULL;
}

static double seconds(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    int threads = argc > 2 ? atoi(argv[2]) : 1;
    pthread_t other[16];
    uint64_t sums[16];

    rounds = argc > 1 ? atol(argv[1]) : 100000;
    for (int i = 1; i < threads && i < 16; i++)
        pthread_create(&other[i], NULL, work, &sums[i]);
    work(&sums[0]);
    for (int i = 1; i < threads && i < 16; i++)
        pthread_join(other[i], NULL);
    dprintf(3, "%.6f %.6f\n", seconds(CLOCK_PROCESS_CPUTIME_ID), seconds(CLOCK_MONOTONIC));
    return 0;
}
