/* SPDX-License-Identifier: MIT */
/*
 * tgt_tree SEED FILE: a random tree of processes that measures itself. Each process burns CPU, allocates, writes a file
 * of its own and starts threads and children, which are waited for at once or all together, go through a chain of
 * execs, or leave a daemon behind. Prints what all of it was, as JSON:
 *
 *   cpu_ms       rusage of the program and all it waited for, and what the daemons report of themselves
 *   daemons_ms   the daemons' part of it
 *   processes    how many there were
 *   allocations  calls of malloc() by this file; libc makes a few more
 *   write_bytes  that the kernel counted for them
 *
 * The same SEED gives the same tree. FILE holds the sums that the processes share. Every daemon ends before the
 * program.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpu_time.h"

struct sums {
    _Atomic uint64_t processes, allocations, write_bytes, daemons_cpu_us;
    _Atomic int daemons;
};

static struct sums *sums;
static const char *self_path, *sums_path;

static uint64_t next_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t z = (*state ^ (*state >> 30)) * 0xbf58476d1ce4e5b9u;

    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static unsigned below(uint64_t *state, unsigned most)
{
    return (unsigned)(next_random(state) % most);
}

static struct sums *map_sums(void)
{
    int fd = open(sums_path, O_RDWR | O_CLOEXEC);
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(struct sums), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (at == MAP_FAILED)
        _exit(3);
    close(fd);
    return at;
}

static uint64_t usage_us(int who)
{
    struct rusage usage;

    getrusage(who, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000u +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* What this thread wrote so far. */
static uint64_t thread_write_bytes(void)
{
    char text[512];
    int fd = open("/proc/thread-self/io", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    const char *line;

    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    line = strstr(text, "\nwrite_bytes: ");
    return line ? strtoull(line + 14, NULL, 10) : 0;
}

static void write_some(unsigned kilobytes)
{
    static const char block[1024];
    uint64_t before = thread_write_bytes();
    char name[64];
    int fd;

    snprintf(name, sizeof(name), "tree.%d", (int)getpid());
    fd = open(name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    for (unsigned i = 0; fd >= 0 && i < kilobytes; i++)
        if (write(fd, block, sizeof(block)) != sizeof(block))
            _exit(4);
    if (fd >= 0)
        close(fd);
    atomic_fetch_add(&sums->write_bytes, thread_write_bytes() - before);
}

static NOINLINE void allocate_some(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char *volatile block = malloc(16 + i % 500);

        free(block);
    }
    atomic_fetch_add(&sums->allocations, count);
}

static void *thread_main(void *arg)
{
    burn_ms((unsigned)(uintptr_t)arg);
    allocate_some(20);
    return NULL;
}

static void own_work(uint64_t *random)
{
    unsigned thread_count = below(random, 3) ? 0 : 1 + below(random, 3);
    pthread_t threads[3];

    allocate_some(below(random, 400));
    if (below(random, 3)) /* else a process of next to no time */
        burn_us(1000 + below(random, 25000));
    for (unsigned i = 0; i < thread_count; i++)
        if (pthread_create(&threads[i], NULL, thread_main, (void *)(uintptr_t)(1 + below(random, 8))))
            _exit(5);
    for (unsigned i = 0; i < thread_count; i++)
        pthread_join(threads[i], NULL);
    if (below(random, 2))
        write_some(64 + below(random, 2000));
    if (!below(random, 4))
        usleep(1000 * below(random, 120));
}

static void exec_node(uint64_t random, unsigned depth, unsigned chain)
{
    char words[3][32];

    snprintf(words[0], sizeof(words[0]), "%llu", (unsigned long long)random);
    snprintf(words[1], sizeof(words[1]), "%u", depth);
    snprintf(words[2], sizeof(words[2]), "%u", chain);
    execl(self_path, self_path, words[0], sums_path, words[1], words[2], (char *)NULL);
    _exit(6);
}

static void leave_daemon(uint64_t random)
{
    atomic_fetch_add(&sums->daemons, 1);
    if (fork() == 0) {
        atomic_fetch_add(&sums->processes, 1);
        setsid();
        own_work(&random);
        atomic_fetch_add(&sums->daemons_cpu_us, usage_us(RUSAGE_SELF));
        atomic_fetch_sub(&sums->daemons, 1);
        _exit(0);
    }
    _exit(0);
}

static void node(uint64_t random, unsigned depth)
{
    unsigned children = depth ? 1 + below(&random, 3) : 0, all_together = below(&random, 2);

    own_work(&random);
    for (unsigned i = 0; i < children; i++) {
        uint64_t its = next_random(&random);
        unsigned kind = below(&random, 8);
        pid_t pid = fork();

        if (pid < 0)
            _exit(7);
        if (pid == 0) {
            atomic_fetch_add(&sums->processes, 1);
            if (kind == 0)
                leave_daemon(its);
            if (kind < 4)
                exec_node(its, depth - 1, kind);
            node(its, depth - 1);
            _exit(0);
        }
        if (!all_together)
            waitpid(pid, NULL, 0);
    }
    while (wait(NULL) > 0)
        ;
}

int main(int argc, char **argv)
{
    uint64_t random = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;

    if (argc < 3)
        return 2;
    self_path = argv[0];
    sums_path = argv[2];
    sums = map_sums();
    if (argc > 4) {
        unsigned depth = (unsigned)atoi(argv[3]), chain = (unsigned)atoi(argv[4]);

        if (chain > 1) {
            burn_us(500);
            exec_node(random, depth, chain - 1);
        }
        node(random, depth);
        return 0;
    }
    sums->processes = 1;
    node(random, 3);
    while (atomic_load(&sums->daemons))
        usleep(1000);
    usleep(30000); /* the last daemon has left its counter, not yet the world */
    printf(
        "{\"cpu_ms\": %.3f, \"daemons_ms\": %.3f, \"processes\": %llu, \"allocations\": %llu, \"write_bytes\": %llu}\n",
        (double)(usage_us(RUSAGE_SELF) + usage_us(RUSAGE_CHILDREN) + sums->daemons_cpu_us) / 1e3,
        (double)sums->daemons_cpu_us / 1e3, (unsigned long long)sums->processes, (unsigned long long)sums->allocations,
        (unsigned long long)sums->write_bytes);
    return 0;
}
