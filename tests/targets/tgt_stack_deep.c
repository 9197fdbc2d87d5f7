/* SPDX-License-Identifier: MIT */
/* Recurses argv[1] deep (default 100,000), then burns argv[2] ms (default 300) in bottom(). */
#include <pthread.h>
#include <stdlib.h>

#include "cpu_time.h"

static int depth = 100000, ms = 300;

NOINLINE void bottom(void)
{
    burn_ms((unsigned)ms);
}

NOINLINE int descend(int n)
{
    volatile int here = n;

    if (n > 0)
        descend(n - 1);
    else
        bottom();
    return here;
}

static void *run(void *arg)
{
    descend(depth);
    return arg;
}

int main(int argc, char **argv)
{
    pthread_attr_t attr;
    pthread_t thread;

    if (argc > 1)
        depth = atoi(argv[1]);
    if (argc > 2)
        ms = atoi(argv[2]);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 256 << 20);
    if (pthread_create(&thread, &attr, run, NULL) != 0)
        return 1;
    return pthread_join(thread, NULL);
}
