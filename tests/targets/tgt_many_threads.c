/* SPDX-License-Identifier: MIT */
/*
 * A process to attach to that has more threads than perf may open events for: `tgt_many_threads SLEEPERS` starts that
 * many threads that sleep, then one that works in busy_work, prints "ready" and starts a thread of 20 ms in late_work
 * every 50 ms, until it is killed. `tgt_many_threads 0 churn` starts threads of 1 ms in churn_work one after another,
 * so that there is no moment without a new one.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cpu_time.h"

NOINLINE void busy_work(void)
{
    burn_ms(1000000);
}

NOINLINE void late_work(void)
{
    burn_ms(20);
}

NOINLINE void churn_work(void)
{
    burn_ms(1);
}

static void *run(void *work)
{
    ((void (*)(void))work)();
    return NULL;
}

static void *sleeper(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static int start(pthread_t *thread, void *(*fn)(void *), void *arg)
{
    pthread_attr_t attr;
    int rc;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 << 10);
    rc = pthread_create(thread, &attr, fn, arg);
    pthread_attr_destroy(&attr);
    return rc;
}

int main(int argc, char **argv)
{
    int sleepers = argc > 1 ? atoi(argv[1]) : 0, churn = argc > 2;
    pthread_t thread;

    for (int i = 0; i < sleepers; i++)
        if (start(&thread, sleeper, NULL) != 0)
            return 1;
    if (!churn && start(&thread, run, (void *)busy_work) != 0)
        return 1;
    puts("ready");
    fflush(stdout);
    for (;;) {
        if (start(&thread, run, churn ? (void *)churn_work : (void *)late_work) != 0)
            return 1;
        pthread_join(thread, NULL);
        if (!churn)
            usleep(50000);
    }
}
