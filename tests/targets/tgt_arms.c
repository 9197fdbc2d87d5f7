/*
 * One program as two arms: tgt_arms LOOPS ALLOCATIONS. `common` always costs 100 million turns; `more` costs LOOPS, `make`
 * allocates and frees ALLOCATIONS blocks of 100 bytes.
 */
#include <stdlib.h>

#define APART __attribute__((noinline, noclone))

APART static void common(void)
{
    for (volatile long i = 0; i < 100000000; i++)
        ;
}

APART static void more(long loops)
{
    for (volatile long i = 0; i < loops; i++)
        ;
}

APART static void make(long count)
{
    for (long i = 0; i < count; i++) {
        void *volatile block = malloc(100);

        free(block);
    }
}

int main(int argc, char **argv)
{
    common();
    more(argc > 1 ? atol(argv[1]) : 0);
    make(argc > 2 ? atol(argv[2]) : 0);
    return 0;
}
