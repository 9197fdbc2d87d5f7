/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>
#include <time.h>

/* For targets whose truth is CPU time: burns MS milliseconds of this thread's, in the function that it is inlined into.
 */
static inline __attribute__((always_inline)) void burn_ms(unsigned ms)
{
    struct timespec now;
    uint64_t until;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    until = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + ms * 1000000ull;
    do {
        for (volatile int i = 0; i < 20000; i++)
            ;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    } while ((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec < until);
}

#define NOINLINE __attribute__((noinline, noclone))
