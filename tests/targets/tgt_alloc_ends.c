/* SPDX-License-Identifier: MIT */

/*
 * 1,000 blocks of 100 bytes, freed again, and 3 of 1,024 that are not; then the end named by the first argument.
 * Truth: 1,003 allocations, 103,072 bytes, 1,000 frees, 3,072 bytes in 3 blocks leaked by leak().
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *volatile kept[3];

static __attribute__((noinline)) void *hot(size_t size)
{
    void *volatile block = malloc(size);

    return block;
}

static __attribute__((noinline)) void leak(int i)
{
    void *volatile block = malloc(1024);

    kept[i] = block;
}

int main(int argc, char **argv)
{
    static void *blocks[1000];
    const char *end = argc > 1 ? argv[1] : "return";

    for (int i = 0; i < 1000; i++)
        blocks[i] = hot(100);
    for (int i = 0; i < 1000; i++)
        free(blocks[i]);
    for (volatile int i = 0; i < 3; i++) /* one call site: not unrolled */
        leak(i);
    if (!strcmp(end, "_exit"))
        _exit(7);
    if (!strcmp(end, "quick_exit"))
        quick_exit(7);
    if (!strcmp(end, "abort"))
        abort();
    if (!strcmp(end, "sigkill"))
        raise(SIGKILL);
    if (!strcmp(end, "sigsegv"))
        raise(SIGSEGV);
    if (!strcmp(end, "exec"))
        execl(argv[0], argv[0], argc > 2 ? argv[2] : "return", argc > 3 ? argv[3] : NULL, (char *)NULL);
    return 7;
}
