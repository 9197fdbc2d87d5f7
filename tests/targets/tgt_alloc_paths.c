/* SPDX-License-Identifier: MIT */

/*
 * tgt_alloc_paths CHILDREN DEPTH KEEP: children one after the other, each of which allocates once from each of 2^DEPTH
 * call paths, as a compiler does; the first path of each child keeps KEEP blocks of 1,000 bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static __attribute__((noinline)) void allocate(void)
{
    void *volatile block = malloc(10);

    free(block);
}

static __attribute__((noinline)) void go(int depth)
{
    if (!depth) {
        allocate();
        return;
    }
    go(depth - 1);
    __asm__ volatile(""); /* two places, and no tail call */
    go(depth - 1);
    __asm__ volatile("");
}

static __attribute__((noinline)) void keep(int blocks)
{
    for (int i = 0; i < blocks; i++) {
        void *volatile block = malloc(1000);

        (void)block;
    }
}

int main(int argc, char **argv)
{
    int children = argc > 1 ? atoi(argv[1]) : 10, depth = argc > 2 ? atoi(argv[2]) : 10;
    int kept = argc > 3 ? atoi(argv[3]) : 0;

    for (int i = 0; i < children; i++) {
        pid_t pid = fork();
        int status;

        if (!pid) {
            keep(kept);
            go(depth);
            _exit(0);
        }
        waitpid(pid, &status, 0);
        if (status)
            return 1;
    }
    return 0;
}
