/* SPDX-License-Identifier: MIT */
/* CPU time in known shares: half_hot 50 %, third 30 %, fifth 20 % of argv[1] ms (default 1000), in rounds of 20 ms. */
#include <stdlib.h>

#include "cpu_time.h"

NOINLINE void half_hot(void)
{
    burn_ms(10);
}

NOINLINE void third(void)
{
    burn_ms(6);
}

NOINLINE void fifth(void)
{
    burn_ms(4);
}

NOINLINE void round_of_all(void)
{
    half_hot();
    third();
    fifth();
}

int main(int argc, char **argv)
{
    int ms = argc > 1 ? atoi(argv[1]) : 1000;

    for (int i = 0; i < ms / 20; i++)
        round_of_all();
    return 0;
}
