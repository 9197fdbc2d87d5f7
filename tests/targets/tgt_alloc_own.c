/* SPDX-License-Identifier: MIT */

/*
 * A program with a malloc of its own, which everybody in it calls: 3,000 blocks of 100 bytes, none of which comes past
 * anybody who is preloaded. It is the simplest there is: memory is handed out in order and never comes back.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BYTES = 64 << 20 };

static char arena[ARENA_BYTES];
static size_t used;

/* Exported, as any program has it that is not built to hide its functions. */
#pragma GCC visibility push(default)

void *malloc(size_t size)
{
    /* The size in front of the block, for realloc(). */
    size_t at = __atomic_fetch_add(&used, (size + 31) & ~(size_t)15, __ATOMIC_RELAXED);

    if (size > ARENA_BYTES || at > ARENA_BYTES - size - 32)
        return NULL;
    memcpy(arena + at + 8, &size, sizeof(size));
    return arena + at + 16;
}

void free(void *block)
{
    (void)block;
}

void *calloc(size_t count, size_t size)
{
    return count && size > ARENA_BYTES / count ? NULL : malloc(count * size); /* of zeros, since nothing comes back */
}

void *realloc(void *block, size_t size)
{
    void *to = malloc(size);
    size_t old = 0;

    if (block && to) {
        memcpy(&old, (char *)block - 8, sizeof(old));
        memcpy(to, block, old < size ? old : size);
    }
    return to;
}

#pragma GCC visibility pop

static __attribute__((noinline)) int take(void)
{
    void *volatile block = NULL;

    for (int i = 0; i < 3000; i++)
        block = malloc(100);
    return block == NULL;
}

int main(void)
{
    return take();
}
