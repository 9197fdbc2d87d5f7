/* SPDX-License-Identifier: MIT */
/* tgt_compare ROUNDS ALLOCATIONS: parse_row() works for ROUNDS, steady_work() for 300 rounds; keep_row() allocates. */
#include <stdlib.h>

static volatile unsigned long sink;

/* A macro: an inlined function would have the time as its own. */
#define WORK(rounds)                                                                                                   \
    do {                                                                                                               \
        unsigned long x = 1;                                                                                           \
                                                                                                                       \
        for (long i = 0; i < (rounds)*100000L; i++) {                                                                  \
            x = x * 6364136223846793005ul + 1442695040888963407ul;                                                     \
            __asm__ volatile("" : "+r"(x));                                                                            \
        }                                                                                                              \
        sink += x;                                                                                                     \
    } while (0)

__attribute__((noinline)) static void parse_row(int rounds)
{
    WORK(rounds);
}

__attribute__((noinline)) static void steady_work(void)
{
    WORK(300);
}

__attribute__((noinline)) static void *keep_row(void)
{
    void *row = malloc(100);

    sink += row != NULL;
    return row;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 300, count = argc > 2 ? atoi(argv[2]) : 0;

    for (int i = 0; i < count; i++)
        free(keep_row());
    steady_work();
    parse_row(rounds);
    return 0;
}
