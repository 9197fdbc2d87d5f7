/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The functions behind the hooks: the next definition after ours, which is libc's or that of another preloaded or
 * linked allocator. Each pointer starts at a stub that looks it up, so a hook calls without asking.
 *
 * Looking up (dlsym) may itself allocate; such a request is served from a small static pool. Blocks of the pool are
 * recognised for ever: freeing one does nothing, reallocating one moves it out.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct rs_real {
    void *(*malloc)(size_t size);
    void (*free)(void *block);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *block, size_t size);
    void *(*reallocarray)(void *block, size_t count, size_t size);
    void *(*memalign)(size_t alignment, size_t size);
    void *(*aligned_alloc)(size_t alignment, size_t size);
    int (*posix_memalign)(void **out, size_t alignment, size_t size);
    void *(*valloc)(size_t size);
    void *(*pvalloc)(size_t size);
    size_t (*malloc_usable_size)(void *block);
    int (*dlclose)(void *handle);
    void *(*mmap)(void *at, size_t len, int prot, int flags, int fd, off_t offset);
    int (*munmap)(void *at, size_t len);
    void *(*mremap)(void *at, size_t old_len, size_t new_len, int flags, ...);
    int (*brk)(void *end);
    void *(*sbrk)(intptr_t by);
    int (*prctl)(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
    long (*syscall)(long number, long a, long b, long c, long d, long e, long f);
};

#pragma GCC visibility push(hidden)
extern struct rs_real rs_real;
#pragma GCC visibility pop

/* True for a block that the pool served. */
bool rs_pool_owns(const void *block);
/* Bytes that were asked for. */
size_t rs_pool_size(const void *block);
