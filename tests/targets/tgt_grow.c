/* SPDX-License-Identifier: MIT */
/*
 * Memory with a known truth, after 400 ms of rest and before 1.3 s of it: tgt_grow MODE.
 *   malloc    10 MB by malloc, touched        mmap     10 MB by mmap, touched
 *   steps     10 × 1 MB in 300 ms             untouched  malloc(1 GB), never touched
 *   cache     reads and writes a 30 MB file   cow      forks; the child writes what it shares (20 MB)
 *   near      5.1 MB, just over the threshold below    4.6 MB, just under it
 *   stacks    10 threads use 1 MB of stack    shared    10 MB of shared memory
 *   sawtooth  0 → 40 MB → 0, four times, 0.5 s each way
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void *map(size_t bytes, int flags)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        exit(3);
    return p;
}

static void page_cache(void)
{
    char path[] = "/tmp/tgt_grow.XXXXXX";
    char *buf = map(1000000, MAP_PRIVATE);
    int fd = mkstemp(path);

    unlink(path);
    memset(buf, 1, 1000000);
    usleep(400000);
    for (int i = 0; i < 30; i++)
        if (write(fd, buf, 1000000) < 0)
            exit(3);
    memset(mmap(NULL, 30000000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), 2, 30000000);
}

static void copy_on_write(void)
{
    char *p = map(20000000, MAP_PRIVATE);
    pid_t child;

    memset(p, 1, 20000000);
    usleep(1300000); /* the growth above is an episode of its own, over by now */
    child = fork();
    if (!child) {
        usleep(400000);
        memset(p, 2, 20000000);
        usleep(300000);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

static void *use_stack(void *arg)
{
    volatile char frame[1000000];

    for (size_t i = 0; i < sizeof(frame); i += 1024)
        frame[i] = 1;
    usleep(1000000);
    return arg;
}

static void thread_stacks(void)
{
    pthread_t thread;

    for (int i = 0; i < 10; i++)
        if (pthread_create(&thread, NULL, use_stack, NULL) != 0)
            exit(3);
}

static void sawtooth(void)
{
    const size_t step = 1 << 20; /* whole pages: munmap frees nothing else */

    for (int tooth = 0; tooth < 4; tooth++) {
        char *p = map(40 * step, MAP_PRIVATE);

        for (int i = 0; i < 40; i++, usleep(12500))
            memset(p + i * step, 1, step);
        for (int i = 39; i >= 0; i--, usleep(12500))
            munmap(p + i * step, step);
    }
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "malloc";
    volatile char *p = NULL;

    usleep(400000);
    if (!strcmp(mode, "malloc")) {
        p = malloc(10000000);
        memset((char *)p, 1, 10000000);
    } else if (!strcmp(mode, "mmap")) {
        p = map(10000000, MAP_PRIVATE);
        memset((char *)p, 1, 10000000);
    } else if (!strcmp(mode, "steps")) {
        for (int i = 0; i < 10; i++, usleep(30000))
            memset(map(1000000, MAP_PRIVATE), 1, 1000000);
    } else if (!strcmp(mode, "untouched")) {
        p = malloc(1000000000);
    } else if (!strcmp(mode, "cache")) {
        page_cache();
    } else if (!strcmp(mode, "cow")) {
        copy_on_write();
    } else if (!strcmp(mode, "near")) {
        memset(map(5100000, MAP_PRIVATE), 1, 5100000);
    } else if (!strcmp(mode, "below")) {
        memset(map(4600000, MAP_PRIVATE), 1, 4600000);
    } else if (!strcmp(mode, "shared")) {
        memset(map(10000000, MAP_SHARED), 1, 10000000);
    } else if (!strcmp(mode, "stacks")) {
        thread_stacks();
    } else if (!strcmp(mode, "sawtooth")) {
        sawtooth();
    } else {
        return 2;
    }
    usleep(1300000);
    return p && p[0] == 7;
}
