/* SPDX-License-Identifier: MIT */

/*
 * The ways to make a child, by the first argument. The parent calls parent_work() 500 times, before and after, each
 * child child_work() 300 times (a child of another program: its own truth).
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
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

/* ---- forks from the midst of other threads' allocations ---- */

enum { BUSY_THREADS = 3, BUSY_FORKS = 40 };

static atomic_bool enough;

static void *allocate_all_the_time(void *arg)
{
    while (!enough) {
        void *volatile block = malloc(24 + (size_t)(rand() & 63));

        free(block);
    }
    return arg;
}

static int fork_while_busy(void)
{
    pthread_t ids[BUSY_THREADS];
    int failed = 0;

    for (int i = 0; i < BUSY_THREADS; i++)
        pthread_create(&ids[i], NULL, allocate_all_the_time, NULL);
    for (int i = 0; i < BUSY_FORKS; i++) {
        int status = -1;
        pid_t pid = fork();

        if (!pid) {
            alarm(10); /* a lock that nobody will open again */
            child_work();
            _exit(0);
        }
        waitpid(pid, &status, 0);
        failed += status != 0;
    }
    enough = true;
    for (int i = 0; i < BUSY_THREADS; i++)
        pthread_join(ids[i], NULL);
    return failed;
}

/* ---- a child in our memory ---- */

static char *self_argv[] = {NULL, NULL, NULL};

static int exec_self(void *arg)
{
    (void)arg;
    execv(self_argv[0], self_argv);
    _exit(127);
}

static void *exec_in_thread(void *arg)
{
    exec_self(NULL);
    return arg;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "fork";
    static _Alignas(64) char stack[256 * 1024];
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
    } else if (!strcmp(how, "popen")) {
        char command[4096], line[16];
        FILE *out;

        snprintf(command, sizeof(command), "%s work; echo done", argv[0]);
        out = popen(command, "r");
        if (!out || !fgets(line, sizeof(line), out) || strcmp(line, "done\n") || pclose(out))
            return 1;
    } else if (!strcmp(how, "clone")) {
        memcpy(self_argv, self, sizeof(self));
        pid = clone(exec_self, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
        wait_for(pid);
    } else if (!strcmp(how, "thread_exec")) {
        pthread_t thread;

        memcpy(self_argv, self, sizeof(self));
        pthread_create(&thread, NULL, exec_in_thread, NULL);
        pthread_join(thread, NULL);
        return 1;
    } else if (!strcmp(how, "busy")) {
        if (fork_while_busy())
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
