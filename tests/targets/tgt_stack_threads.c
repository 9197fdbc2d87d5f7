/* SPDX-License-Identifier: MIT */
/*
 * Threads and processes with known CPU time: two threads of 200 ms in thread_work, 20 short threads of 5 ms in
 * short_work, a forked child of 200 ms in child_work, and an exec of this program again for 200 ms in exec_work.
 */
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpu_time.h"

NOINLINE void thread_work(void)
{
    burn_ms(200);
}

NOINLINE void short_work(void)
{
    burn_ms(5);
}

NOINLINE void child_work(void)
{
    burn_ms(200);
}

NOINLINE void exec_work(void)
{
    burn_ms(200);
}

static void *run(void *work)
{
    ((void (*)(void))work)();
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[2], thread;
    pid_t child;

    if (argc > 1) {
        exec_work();
        return 0;
    }
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, run, (void *)thread_work) != 0)
            return 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 20; i++)
        if (pthread_create(&thread, NULL, run, (void *)short_work) != 0 || pthread_join(thread, NULL) != 0)
            return 1;
    child = fork();
    if (child == 0) {
        child_work();
        execl("/proc/self/exe", argv[0], "again", NULL);
        _exit(1);
    }
    return child < 0 || waitpid(child, NULL, 0) != child;
}
