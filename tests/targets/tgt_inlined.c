/* SPDX-License-Identifier: MIT */
/*
 * CPU time below functions that are inlined and that recurse: step_inlined (inlined into work) 50 %, step_called 30 %,
 * fall (recurses 20 deep) 20 % of argv[1] ms (default 500), in rounds of 20 ms.
 */
#include <stdlib.h>

#include "cpu_time.h"

static inline __attribute__((always_inline)) void step_inlined(void)
{
    burn_ms(10);
}

NOINLINE static void step_called(void)
{
    burn_ms(6);
}

NOINLINE static void fall(int depth)
{
    if (depth)
        fall(depth - 1);
    else
        burn_ms(4);
    __asm__ volatile(""); /* no tail call */
}

NOINLINE void work(void)
{
    step_inlined();
    step_called();
    fall(20);
}

int main(int argc, char **argv)
{
    int ms = argc > 1 ? atoi(argv[1]) : 500;

    for (int i = 0; i < ms / 20; i++)
        work();
    return 0;
}
