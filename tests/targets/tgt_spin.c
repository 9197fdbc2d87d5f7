/* SPDX-License-Identifier: MIT */
/*
 * Uses PCT percent of each of THREADS cores for MS milliseconds: tgt_spin MS [PCT] [THREADS] [FILE]. On a busy machine
 * it gets less; FILE tells the truth, a line every 20 ms or so: CLOCK_MONOTONIC and the process's CPU clock, in ns.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t ms, pct = 100;
static FILE *truth;

static uint64_t now_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void tell(uint64_t now)
{
    static uint64_t last;

    if (!truth || now - last < 20000000)
        return;
    fprintf(truth, "%llu %llu\n", (unsigned long long)now, (unsigned long long)now_ns(CLOCK_PROCESS_CPUTIME_ID));
    last = now;
}

/* By the thread's own CPU clock, so that the truth does not depend on who else runs. */
static void *spin(void *arg)
{
    const uint64_t start = now_ns(CLOCK_MONOTONIC), end = start + ms * 1000000;
    uint64_t now;

    while ((now = now_ns(CLOCK_MONOTONIC)) < end) {
        if (!arg)
            tell(now);
        if (now_ns(CLOCK_THREAD_CPUTIME_ID) * 100 < (now - start) * pct)
            continue;
        nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
    return arg;
}

int main(int argc, char **argv)
{
    int threads = argc > 3 ? atoi(argv[3]) : 1;
    pthread_t other[64];

    ms = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000;
    pct = argc > 2 ? strtoull(argv[2], NULL, 10) : 100;
    truth = argc > 4 ? fopen(argv[4], "we") : NULL;
    for (int i = 1; i < threads && i < 64; i++)
        pthread_create(&other[i], NULL, spin, &ms);
    spin(NULL);
    for (int i = 1; i < threads && i < 64; i++)
        pthread_join(other[i], NULL);
    if (truth)
        fclose(truth);
    return 0;
}
