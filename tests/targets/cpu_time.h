/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>
#include <time.h>

/* A macro, so that no other name stands between the burning function and the loop. */
#define BURN_NS(ns)                                                                                                    \
    do {                                                                                                               \
        struct timespec now;                                                                                           \
        uint64_t until;                                                                                                \
                                                                                                                       \
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);                                                                  \
        until = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + (ns);                                     \
        do {                                                                                                           \
            for (volatile int i = 0; i < 20000; i++)                                                                   \
                ;                                                                                                      \
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);                                                              \
        } while ((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec < until);                                  \
    } while (0)

/* For targets whose truth is CPU time: burns MS milliseconds of this thread's, in the function that it is inlined into.
 */
static inline __attribute__((always_inline)) void burn_ms(unsigned ms)
{
    BURN_NS(ms * 1000000ull);
}

static inline __attribute__((always_inline)) void burn_us(unsigned us)
{
    BURN_NS(us * 1000ull);
}

#define NOINLINE __attribute__((noinline, noclone))
