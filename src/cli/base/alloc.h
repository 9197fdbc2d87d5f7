/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

/*
 * Memory for the CLI. The x-family dies with a sentence when memory runs out, so callers never check. Arenas hold many
 * small things that live and die together.
 */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *block, size_t size);
void *xreallocarray(void *block, size_t count, size_t size);
char *xstrdup(const char *text);
char *xmemdup0(const void *bytes, size_t len); /* a copy with a NUL behind it */
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Makes room for NEEDED elements in ARRAY, whose capacity is kept in CAP; grows by half again. */
#define GROW(array, needed, cap)                                                                                       \
    do {                                                                                                               \
        if ((size_t)(needed) > (cap)) {                                                                                \
            (cap) = grow_capacity((cap), (size_t)(needed));                                                            \
            (array) = xreallocarray((array), (cap), sizeof(*(array)));                                                 \
        }                                                                                                              \
    } while (0)
size_t grow_capacity(size_t cap, size_t needed);

struct arena {
    struct arena_block *blocks;
    size_t used_bytes; /* of the newest block */
    size_t total_bytes;
};

/* A zeroed arena is ready. Memory is aligned for any object and not cleared. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_memdup0(struct arena *arena, const void *bytes, size_t len);
void arena_release(struct arena *arena);
