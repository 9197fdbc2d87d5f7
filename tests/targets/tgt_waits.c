/* SPDX-License-Identifier: MIT */
/* Waits of known length: 400 ms asleep in nap(), then 300 ms for a lock in wait_for_lock(). */
#include <pthread.h>
#include <time.h>

#include "cpu_time.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile int sink;

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

NOINLINE void nap(void)
{
    sleep_ms(400);
    sink = 1;
}

static void *hold(void *arg)
{
    pthread_mutex_lock(&lock);
    sleep_ms(350);
    pthread_mutex_unlock(&lock);
    return arg;
}

NOINLINE void wait_for_lock(void)
{
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    sink = 2;
}

int main(void)
{
    pthread_t thread;

    nap();
    if (pthread_create(&thread, NULL, hold, NULL) != 0)
        return 1;
    sleep_ms(50);
    wait_for_lock();
    return pthread_join(thread, NULL);
}
