/* SPDX-License-Identifier: MIT */
/*
 * CPU time in known shares: half_hot 50 %, third 30 %, fifth 20 % of argv[1] ms (default 1000), in rounds of 20 ms on
 * average. Rounds differ in length, since equal ones would keep step with the kernel's tick, and what samples at ticks
 * would see half_hot in two or in three of five.
 */
#include <stdlib.h>

#include "cpu_time.h"

NOINLINE void half_hot(unsigned us)
{
    burn_us(5 * us);
}

NOINLINE void third(unsigned us)
{
    burn_us(3 * us);
}

NOINLINE void fifth(unsigned us)
{
    burn_us(2 * us);
}

/* Ten times US. */
NOINLINE void round_of_all(unsigned us)
{
    half_hot(us);
    third(us);
    fifth(us);
}

int main(int argc, char **argv)
{
    int ms = argc > 1 ? atoi(argv[1]) : 1000;
    unsigned random = 1;

    /* Two at a time, a longer one and a shorter one, so that the sum is what was asked for. */
    for (int i = 0; i < ms / 40; i++) {
        random = random * 1103515245 + 12345;
        round_of_all(2000 + (random >> 16) % 1000);
        round_of_all(2000 - (random >> 16) % 1000);
    }
    if (ms / 20 % 2)
        round_of_all(2000);
    return 0;
}
