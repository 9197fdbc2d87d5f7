/* SPDX-License-Identifier: MIT */

/* THREADS threads, PAIRS malloc/free pairs each in pair(); every 16th block outlives the next. Truth: THREADS * PAIRS. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

static long pairs;

static __attribute__((noinline)) void *pair(size_t size)
{
    void *volatile block = malloc(size);

    return block;
}

static void *work(void *arg)
{
    void *held = NULL;

    for (long i = 0; i < pairs; i++) {
        void *block = pair(16 + (size_t)(i * 7 + (intptr_t)arg) % 400);

        if (i % 16 == 0) {
            free(held);
            held = block;
        } else {
            free(block);
        }
    }
    free(held);
    return NULL;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 200, at_once = argc > 3 ? atoi(argv[3]) : threads;
    pthread_t *ids = calloc((size_t)at_once, sizeof(*ids));

    pairs = argc > 2 ? atol(argv[2]) : 10000;
    for (int done = 0; done < threads; done += at_once) {
        for (int i = 0; i < at_once; i++)
            if (pthread_create(&ids[i], NULL, work, (void *)(intptr_t)i))
                abort();
        for (int i = 0; i < at_once; i++)
            pthread_join(ids[i], NULL);
    }
    free(ids);
    return 0;
}
