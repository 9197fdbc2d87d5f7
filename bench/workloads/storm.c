/* SPDX-License-Identifier: MIT */

/* storm PAIRS [THREADS]: malloc/free pairs of mixed sizes, 10,000 live blocks a thread, through 12 calls, 64 stacks. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

enum { LIVE = 10000 };

static long pairs;

#define KEEP(p) __asm__ volatile("" : : "r"(p) : "memory")
#define NOINLINE static __attribute__((noinline, noclone))
#define STEP(name, next)                                                                                               \
    NOINLINE void *name(size_t size)                                                                                   \
    {                                                                                                                  \
        void *p = next(size);                                                                                          \
        KEEP(p);                                                                                                       \
        return p;                                                                                                      \
    }
/* Four call sites of one function, chosen by two bits of the size. */
#define FORK(name, next, shift)                                                                                        \
    NOINLINE void *name(size_t size)                                                                                   \
    {                                                                                                                  \
        void *p;                                                                                                       \
        switch (size >> (shift) & 3) {                                                                                 \
        case 0: p = next(size); KEEP(p); break;                                                                        \
        case 1: p = next(size); KEEP(&p); break;                                                                       \
        case 2: p = next(size); KEEP(&size); break;                                                                    \
        default: p = next(size); KEEP(0);                                                                              \
        }                                                                                                              \
        KEEP(p);                                                                                                       \
        return p;                                                                                                      \
    }

STEP(f12, malloc)
STEP(f11, f12)
FORK(f10, f11, 1)
STEP(f9, f10)
STEP(f8, f9)
FORK(f7, f8, 3)
STEP(f6, f7)
STEP(f5, f6)
FORK(f4, f5, 5)
STEP(f3, f4)
STEP(f2, f3)
STEP(f1, f2)

static void *work(void *arg)
{
    void **live = calloc(LIVE, sizeof(*live));
    uint64_t x = 0x9e3779b97f4a7c15u + (uintptr_t)arg;

    for (long i = 0; i < pairs; i++) {
        size_t slot, size;

        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        slot = (uint32_t)(x >> 8) % LIVE;
        size = x >> 60 ? 8 + (x >> 40) % 248 : 256 + (x >> 40) % 1792;
        free(live[slot]);
        live[slot] = f1(size);
        *(char *)live[slot] = 1;
    }
    for (int i = 0; i < LIVE; i++)
        free(live[i]);
    free(live);
    return NULL;
}

int main(int argc, char **argv)
{
    int threads = argc > 2 ? atoi(argv[2]) : 1;
    pthread_t ids[64];

    pairs = argc > 1 ? atol(argv[1]) : 3000000;
    if (threads == 1)
        return work(NULL) != NULL;
    for (int i = 0; i < threads && i < 64; i++)
        pthread_create(&ids[i], NULL, work, (void *)(intptr_t)i);
    for (int i = 0; i < threads && i < 64; i++)
        pthread_join(ids[i], NULL);
    return 0;
}
