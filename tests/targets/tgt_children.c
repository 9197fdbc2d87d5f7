/* SPDX-License-Identifier: MIT */
/*
 * tgt_children N MS: starts N children one after another, each of which spins for MS milliseconds of CPU, and waits for
 * each. tgt_children left SECONDS: leaves a grandchild behind that sleeps, and ends at once. tgt_children orphan: forks
 * after 100 ms and ends at once; the child allocates and ends a moment later. tgt_children daemon MS: forks twice,
 * closes all descriptors and ends with status 3 at once; the daemon spins for MS milliseconds.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void spin_ms(long ms)
{
    struct timespec ts;

    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    while (ts.tv_sec * 1000 + ts.tv_nsec / 1000000 < ms);
}

int main(int argc, char **argv)
{
    if (argc > 2 && !strcmp(argv[1], "left")) {
        if (!fork()) {
            if (fork())
                _exit(0);
            setsid();
            for (int fd = 0; fd < 3; fd++)
                close(fd);
            sleep((unsigned)atoi(argv[2]));
            _exit(0);
        }
        wait(NULL);
        usleep(300000);
        return 0;
    }
    if (argc > 2 && !strcmp(argv[1], "daemon")) {
        if (fork())
            return 3;
        setsid();
        if (fork())
            _exit(0);
        for (int fd = 0; fd < 1024; fd++)
            close(fd);
        for (long ms = 0; ms < atol(argv[2]); ms += 10) {
            free(strdup("a daemon's"));
            spin_ms(ms + 10);
        }
        _exit(0);
    }
    if (argc > 1 && !strcmp(argv[1], "orphan")) {
        usleep(100000);
        free(malloc(10));
        if (!fork()) {
            for (int i = 0; i < 1000; i++) {
                char *volatile block = malloc(100);

                free(block);
            }
            usleep(1000);
            _exit(0);
        }
        usleep(500);
        return 0;
    }
    for (int i = 0; i < (argc > 1 ? atoi(argv[1]) : 10); i++) {
        pid_t child = fork();

        if (!child) {
            spin_ms(argc > 2 ? atol(argv[2]) : 1);
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
    return 0;
}
