/* SPDX-License-Identifier: MIT */

/*
 * Threads pass blocks to each other through a table of slots: what one allocates another frees, and the same few sizes
 * make the allocator hand the same addresses out again at once. Truth: nothing of make() is left, and make() was called
 * THREADS * ROUNDS times.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

enum { SLOTS = 64 };

static _Atomic(void *) slots[SLOTS];
static long rounds;

static __attribute__((noinline)) void *make(size_t size)
{
    void *volatile block = malloc(size);

    return block;
}

static void *work(void *arg)
{
    uint32_t x = 2463534242u + (uint32_t)(uintptr_t)arg * 977;

    for (long i = 0; i < rounds; i++) {
        x ^= x << 13, x ^= x >> 17, x ^= x << 5;
        free(atomic_exchange(&slots[x % SLOTS], make(24 + (x >> 16) % 3 * 16)));
    }
    return NULL;
}

/* One makes, the other frees. */
static void *produce(void *arg)
{
    (void)arg;
    for (long i = 0; i < rounds; i++) {
        void *block = make(40), *none = NULL;

        while (!atomic_compare_exchange_weak(&slots[0], &none, block))
            none = NULL;
    }
    return NULL;
}

static void *consume(void *arg)
{
    (void)arg;
    for (long i = 0; i < rounds;) {
        void *block = atomic_exchange(&slots[0], NULL);

        if (block) {
            free(block);
            i++;
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 8;
    pthread_t ids[64];

    rounds = argc > 2 ? atol(argv[2]) : 50000;
    for (int i = 0; i < (threads ? threads : 2); i++)
        pthread_create(&ids[i], NULL, threads ? work : i ? consume : produce, (void *)(intptr_t)i);
    for (int i = 0; i < (threads ? threads : 2); i++)
        pthread_join(ids[i], NULL);
    for (int i = 0; i < SLOTS; i++)
        free(slots[i]);
    return 0;
}
