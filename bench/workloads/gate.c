/* SPDX-License-Identifier: MIT */
/*
 * gate MODE MS EXTRA: cpu spins for about MS ms, alloc allocates and frees for as long, fork spins in four children.
 * EXTRA is what is planted: percent more of it in parse_row(), "alloc" percent more allocations, "peak" bytes more at
 * the peak.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLAIN __attribute__((noinline))

enum { ROUNDS_A_MS = 800000, ALLOCATIONS_A_MS = 4000 };

static volatile unsigned long sink;

#define SPIN(rounds)                                                                                                   \
    do {                                                                                                               \
        unsigned long x = 1;                                                                                           \
                                                                                                                       \
        for (long i = 0; i < (rounds); i++) {                                                                          \
            x = x * 6364136223846793005ul + 1442695040888963407ul;                                                     \
            __asm__ volatile("" : "+r"(x));                                                                            \
        }                                                                                                              \
        sink += x;                                                                                                     \
    } while (0)

PLAIN static void read_rows(long rounds)
{
    SPIN(rounds);
}
PLAIN static void parse_row(long rounds)
{
    SPIN(rounds);
}

PLAIN static void *keep_row(size_t bytes)
{
    void *row = malloc(bytes);

    if (row)
        memset(row, 1, bytes);
    return row;
}

static void spin(long rounds, int extra_pct)
{
    read_rows(rounds / 2);
    parse_row(rounds / 2 + rounds * extra_pct / 100);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "cpu", *what = argc > 3 ? argv[3] : "0";
    long ms = argc > 2 ? atol(argv[2]) : 50;
    long more = argc > 4 ? atol(argv[4]) : 0;
    int extra = argc > 4 ? 0 : atoi(what);

    if (!strcmp(mode, "fork")) {
        for (int i = 0; i < 4; i++)
            if (!fork()) {
                spin(ms * ROUNDS_A_MS / 4, extra);
                _exit(0);
            }
        while (wait(NULL) > 0)
            ;
    } else if (!strcmp(mode, "alloc")) {
        long count = ms * ALLOCATIONS_A_MS;
        void *top = keep_row(1000000 + (!strcmp(what, "peak") ? (size_t)more : 0));

        if (!strcmp(what, "alloc"))
            count += count * more / 100 + 1;
        for (long i = 0; i < count; i++)
            free(keep_row(64));
        free(top);
    } else {
        spin(ms * ROUNDS_A_MS, extra);
    }
    return 0;
}
