/* SPDX-License-Identifier: MIT */
/* COUNT threads or processes that each wake up ten times a second for SECONDS: many threads|processes COUNT SECONDS. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int seconds;

static void *doze(void *arg)
{
    for (int i = 0; i < seconds * 10; i++)
        nanosleep(&(struct timespec){0, 100000000}, NULL);
    return arg;
}

int main(int argc, char **argv)
{
    int count = argc > 2 ? atoi(argv[2]) : 10;
    pthread_attr_t attr;
    pthread_t thread;

    seconds = argc > 3 ? atoi(argv[3]) : 1;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 65536);
    for (int i = 1; i < count; i++) {
        if (argc > 1 && !strcmp(argv[1], "threads")) {
            pthread_create(&thread, &attr, doze, NULL);
        } else if (!fork()) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            doze(NULL);
            _exit(0);
        }
    }
    doze(NULL);
    while (wait(NULL) > 0)
        ;
    return 0;
}
