/* SPDX-License-Identifier: MIT */

/*
 * The ways to make a child, by the first argument. The parent calls parent_work() 500 times, before and after, each
 * child child_work() 300 times (a child of another program: its own truth).
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static __attribute__((noinline)) void parent_work(void)
{
    for (int i = 0; i < 500; i++) {
        void *volatile block = malloc(64);

        free(block);
    }
}

static __attribute__((noinline)) void child_work(void)
{
    for (int i = 0; i < 300; i++) {
        void *volatile block = malloc(32);

        if (i >= 10)
            free(block); /* 10 leak */
    }
}

static void wait_for(pid_t pid)
{
    waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "fork";
    char word[] = "work";
    char *self[] = {argv[0], word, NULL};
    pid_t pid;

    if (!strcmp(how, "work")) {
        child_work();
        return 0;
    }
    parent_work();
    if (!strcmp(how, "fork")) {
        void *volatile inherited = malloc(4096);

        pid = fork();
        if (!pid) {
            free(inherited); /* not ours to count */
            child_work();
            _exit(0);
        }
        free(inherited);
        wait_for(pid);
    } else if (!strcmp(how, "nested")) {
        pid = fork();
        if (!pid) {
            child_work();
            pid = fork();
            if (!pid) {
                child_work();
                _exit(0);
            }
            wait_for(pid);
            _exit(0);
        }
        wait_for(pid);
    } else if (!strcmp(how, "vfork")) {
        pid = vfork();
        if (!pid) {
            execv(argv[0], self);
            _exit(127);
        }
        wait_for(pid);
    } else if (!strcmp(how, "spawn")) {
        if (!posix_spawn(&pid, argv[0], NULL, NULL, self, environ))
            wait_for(pid);
    } else if (!strcmp(how, "system")) {
        char command[4096];

        snprintf(command, sizeof(command), "%s work", argv[0]);
        if (system(command))
            return 1;
    } else if (!strcmp(how, "daemon")) {
        pid = fork();
        if (!pid) {
            setsid();
            if (fork())
                _exit(0);
            child_work();
            _exit(0);
        }
        wait_for(pid);
        usleep(300000);
    } else if (!strcmp(how, "clean_env")) {
        char *none[] = {NULL};

        pid = fork();
        if (!pid)
            execve(argv[0], self, none);
        wait_for(pid);
    }
    parent_work();
    return 0;
}
