/* SPDX-License-Identifier: MIT */

/*
 * The malloc family. A hook is the real call and a note; what the real function returns and leaves in errno is passed
 * on as it is.
 *
 * Without a CLI a hook is one comparison and a tail jump. With one it takes down where it was called from before
 * anything else: this file is compiled without a frame pointer and with rbp (x29) fixed, so that the register still
 * holds the caller's value, and the unwinder starts at the caller; no frame of ours is ever walked.
 */
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/hook.h"
#include "shim/real.h"
#include "shim/record.h"

/* C23, not in every libc's headers. */
HOOK void free_sized(void *block, size_t size);
HOOK void free_aligned_sized(void *block, size_t alignment, size_t size);

/*
 * Allocators build some of the family on others of it, and call those by name. What happens inside such a function is
 * one event, the outer one.
 */

/* ---- allocation ---- */

static RECORDED void *recorded_malloc(size_t size, CALLER_PARAMS)
{
    void *block = rs_real.malloc(size);

    rs_record_alloc(block, size, CALLER_ARGS);
    return block;
}

HOOK void *malloc(size_t size)
{
    if (!rs_channel_active())
        return rs_real.malloc(size);
    return recorded_malloc(size, CALLER());
}

static RECORDED void *recorded_calloc(size_t count, size_t size, CALLER_PARAMS)
{
    void *block;

    rs_nested++;
    block = rs_real.calloc(count, size);
    rs_nested--;
    rs_record_alloc(block, count * size, CALLER_ARGS);
    return block;
}

HOOK void *calloc(size_t count, size_t size)
{
    if (!rs_channel_active())
        return rs_real.calloc(count, size);
    return recorded_calloc(count, size, CALLER());
}

static RECORDED void *recorded_memalign(size_t alignment, size_t size, CALLER_PARAMS)
{
    void *block;

    rs_nested++;
    block = rs_real.memalign(alignment, size);
    rs_nested--;
    rs_record_alloc(block, size, CALLER_ARGS);
    return block;
}

HOOK void *memalign(size_t alignment, size_t size)
{
    if (!rs_channel_active())
        return rs_real.memalign(alignment, size);
    return recorded_memalign(alignment, size, CALLER());
}

static RECORDED void *recorded_aligned_alloc(size_t alignment, size_t size, CALLER_PARAMS)
{
    void *block;

    rs_nested++;
    block = rs_real.aligned_alloc(alignment, size);
    rs_nested--;
    rs_record_alloc(block, size, CALLER_ARGS);
    return block;
}

HOOK void *aligned_alloc(size_t alignment, size_t size)
{
    if (!rs_channel_active())
        return rs_real.aligned_alloc(alignment, size);
    return recorded_aligned_alloc(alignment, size, CALLER());
}

static RECORDED int recorded_posix_memalign(void **out, size_t alignment, size_t size, CALLER_PARAMS)
{
    int rc;

    rs_nested++;
    rc = rs_real.posix_memalign(out, alignment, size);
    rs_nested--;
    if (!rc)
        rs_record_alloc(*out, size, CALLER_ARGS);
    return rc;
}

HOOK int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (!rs_channel_active())
        return rs_real.posix_memalign(out, alignment, size);
    return recorded_posix_memalign(out, alignment, size, CALLER());
}

static RECORDED void *recorded_valloc(size_t size, CALLER_PARAMS)
{
    void *block;

    rs_nested++;
    block = rs_real.valloc(size);
    rs_nested--;
    rs_record_alloc(block, size, CALLER_ARGS);
    return block;
}

HOOK void *valloc(size_t size)
{
    if (!rs_channel_active())
        return rs_real.valloc(size);
    return recorded_valloc(size, CALLER());
}

static RECORDED void *recorded_pvalloc(size_t size, CALLER_PARAMS)
{
    void *block;

    rs_nested++;
    block = rs_real.pvalloc(size);
    rs_nested--;
    rs_record_alloc(block, size, CALLER_ARGS);
    return block;
}

HOOK void *pvalloc(size_t size)
{
    if (!rs_channel_active())
        return rs_real.pvalloc(size);
    return recorded_pvalloc(size, CALLER());
}

/* ---- reallocation ---- */

/* A block of the bootstrap pool moves out; its free is nobody's event. */
static void *leave_pool(void *block, size_t size, CALLER_PARAMS)
{
    size_t old_size = rs_pool_size(block);
    void *to = rs_real.malloc(size);

    if (to)
        memcpy(to, block, old_size < size ? old_size : size);
    if (rs_channel_active())
        rs_record_alloc(to, size, CALLER_ARGS);
    return to;
}

/*
 * The old block is gone when there is a new one, or when SIZE 0 asked for that (glibc frees and returns NULL). Its free
 * gets the number from before the call, since another thread may have been given its address meanwhile.
 */
static void note_realloc(void *block, uint32_t number, void *to, size_t size, CALLER_PARAMS)
{
    if (!to && size)
        return;
    if (block)
        rs_record_free_drawn(block, number, sp);
    rs_record_alloc(to, size, CALLER_ARGS);
}

static RECORDED void *recorded_realloc(void *block, size_t size, CALLER_PARAMS)
{
    uint32_t number = rs_record_draw(block);
    void *to = rs_real.realloc(block, size);

    note_realloc(block, number, to, size, CALLER_ARGS);
    return to;
}

HOOK void *realloc(void *block, size_t size)
{
    if (__builtin_expect(rs_pool_owns(block), 0))
        return leave_pool(block, size, CALLER());
    if (!rs_channel_active())
        return rs_real.realloc(block, size);
    return recorded_realloc(block, size, CALLER());
}

/* libc's reallocarray is a call of realloc, which would come by here: it is asked only what it says to an overflow. */
HOOK void *reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        return rs_real.reallocarray(block, count, size);
    if (__builtin_expect(rs_pool_owns(block), 0))
        return leave_pool(block, bytes, CALLER());
    if (!rs_channel_active())
        return rs_real.realloc(block, bytes);
    return recorded_realloc(block, bytes, CALLER());
}

/* ---- release ---- */

static RECORDED void recorded_free(void *block, uint64_t sp)
{
    if (block && !rs_pool_owns(block))
        rs_record_free(block, sp);
    rs_real.free(block);
}

HOOK void free(void *block)
{
    if (!rs_channel_active()) {
        rs_real.free(block);
        return;
    }
    recorded_free(block, CALLER_SP);
}

HOOK void free_sized(void *block, size_t size)
{
    (void)size;
    if (!rs_channel_active()) {
        rs_real.free(block);
        return;
    }
    recorded_free(block, CALLER_SP);
}

HOOK void free_aligned_sized(void *block, size_t alignment, size_t size)
{
    (void)alignment, (void)size;
    if (!rs_channel_active()) {
        rs_real.free(block);
        return;
    }
    recorded_free(block, CALLER_SP);
}

HOOK size_t malloc_usable_size(void *block)
{
    return rs_pool_owns(block) ? rs_pool_size(block) : rs_real.malloc_usable_size(block);
}
