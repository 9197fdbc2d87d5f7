/* SPDX-License-Identifier: MIT */

/*
 * librustscope_shim_cxx.so: C++'s operators new and delete, where they are not malloc's callers.
 *
 * The C++ library's call malloc, which librustscope_shim.so sees. jemalloc, tcmalloc and mimalloc have operators of
 * their own that do not. To stand in front of those is to stand in front of everybody's, so this is a library apart,
 * preloaded behind the other one only where such an allocator is in the program from the start: then its operators are
 * the ones that every part of the program gets, and these merely come before them. Children inherit the preload. In one
 * with another operator, or none before a plugin brings its own, a hook is a jump to what would have been called.
 *
 * Exceptions pass through: a hook that records holds nothing, one that does not ends in a jump. Compiled like hooks.c.
 */
#include <dlfcn.h>
#include <errno.h>
#include <rustscope.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "shim/hook.h"
#include "shim/notes.h"

/* Missing where this is loaded without librustscope_shim.so. */
#pragma weak rustscope_shim_allocations
#pragma weak rustscope_shim_note_alloc
#pragma weak rustscope_shim_note_free
#pragma weak rustscope_shim_quiet
extern const struct rustscope_allocations *rustscope_shim_allocations(void);

/* The definition behind a hook. */
struct definition {
    const char *name;
    _Atomic(void *) real;
    _Atomic bool is_allocators; /* that of the library which malloc is in */
};

static bool is_in_one_library(const void *a, const void *b)
{
    Dl_info of_a, of_b;

    return dladdr(a, &of_a) && dladdr(b, &of_b) && of_a.dli_fbase == of_b.dli_fbase;
}

/* What CALLER's own library would have got. Not kept: the library may be unloaded. */
static void *real_of_plugin(const char *name, const void *caller)
{
    int (*close_library)(void *) = (int (*)(void *))dlsym(RTLD_NEXT, "dlclose"); /* past the hook of it */
    void *library, *real;
    Dl_info info;

    if (!close_library || !dladdr(caller, &info) || !info.dli_fname ||
        !(library = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD)))
        return NULL;
    real = dlsym(library, name);
    close_library(library);
    return real;
}

/* NULL where nobody has such an operator. */
static __attribute__((noinline)) void *look_up(struct definition *op, uint64_t caller)
{
    int saved = errno;
    void *real, *next_malloc;

    if (rustscope_shim_quiet)
        rustscope_shim_quiet(1);
    real = dlsym(RTLD_NEXT, op->name);
    next_malloc = dlsym(RTLD_NEXT, "malloc");
    if (real) {
        atomic_store(&op->is_allocators, rustscope_shim_note_alloc && is_in_one_library(real, next_malloc));
        atomic_store(&op->real, real);
    } else {
        real = real_of_plugin(op->name, (const void *)(uintptr_t)caller);
    }
    if (rustscope_shim_quiet)
        rustscope_shim_quiet(-1);
    errno = saved;
    return real;
}

static void *real_of(struct definition *op, uint64_t caller)
{
    void *real = atomic_load_explicit(&op->real, memory_order_acquire);

    return __builtin_expect(real != NULL, 1) ? real : look_up(op, caller);
}

static bool is_recorded(struct definition *op)
{
    return atomic_load_explicit(&op->is_allocators, memory_order_relaxed);
}

static uint64_t blocks_seen(void)
{
    return rustscope_shim_allocations()->blocks;
}

/* The block that an operator returned: unless malloc's hook has seen it, which jemalloc's calls now and then. */
static void note_new(const void *block, size_t size, uint64_t before, CALLER_PARAMS)
{
    if (blocks_seen() == before)
        rustscope_shim_note_alloc(block, size, CALLER_ARGS);
}

/* From here on nothing is noted: an operator delete may call free(), and throws nothing. */
static void note_delete(void *block, uint64_t sp)
{
    if (block)
        rustscope_shim_note_free(block, sp);
    rustscope_shim_quiet(1);
}

/* Commas for an argument of a macro. */
#define LIST(...) __VA_ARGS__

/* WITHOUT: what to do where nobody has the operator. */
#define NEW(id, symbol, params, args, without)                                                                         \
    HOOK void *id(params) __asm__(symbol);                                                                             \
    static struct definition id##_op = {.name = symbol};                                                               \
    static RECORDED void *recorded_##id(params, CALLER_PARAMS)                                                         \
    {                                                                                                                  \
        uint64_t before = blocks_seen();                                                                               \
        void *block = ((void *(*)(params))atomic_load_explicit(&id##_op.real, memory_order_relaxed))(args);            \
                                                                                                                       \
        note_new(block, size, before, CALLER_ARGS);                                                                    \
        return block;                                                                                                  \
    }                                                                                                                  \
    HOOK void *id(params)                                                                                              \
    {                                                                                                                  \
        void *real = real_of(&id##_op, CALLER_PC);                                                                     \
                                                                                                                       \
        if (!real)                                                                                                     \
            return without;                                                                                            \
        if (!is_recorded(&id##_op))                                                                                    \
            return ((void *(*)(params))real)(args);                                                                    \
        return recorded_##id(args, CALLER());                                                                          \
    }

#define DELETE(id, symbol, params, args)                                                                               \
    HOOK void id(params) __asm__(symbol);                                                                              \
    static struct definition id##_op = {.name = symbol};                                                               \
    static RECORDED void recorded_##id(params, uint64_t sp)                                                            \
    {                                                                                                                  \
        note_delete(block, sp);                                                                                        \
        ((void (*)(params))atomic_load_explicit(&id##_op.real, memory_order_relaxed))(args);                           \
        rustscope_shim_quiet(-1);                                                                                      \
    }                                                                                                                  \
    HOOK void id(params)                                                                                               \
    {                                                                                                                  \
        void *real = real_of(&id##_op, CALLER_PC);                                                                     \
                                                                                                                       \
        if (!real)                                                                                                     \
            free(block);                                                                                               \
        else if (!is_recorded(&id##_op))                                                                               \
            ((void (*)(params))real)(args);                                                                            \
        else                                                                                                           \
            recorded_##id(args, CALLER_SP);                                                                            \
    }

static void *malloc_or_null(size_t size, size_t alignment)
{
    void *block = NULL;

    if (posix_memalign(&block, alignment < sizeof(void *) ? sizeof(void *) : alignment, size ? size : 1))
        return NULL;
    return block;
}

/* There is nobody to throw bad_alloc either. */
static void *malloc_or_abort(size_t size, size_t alignment)
{
    void *block = malloc_or_null(size, alignment);

    if (!block)
        abort();
    return block;
}

#define PLAIN_ALIGNMENT 16

NEW(new_one, "_Znwm", LIST(size_t size), LIST(size), malloc_or_abort(size, PLAIN_ALIGNMENT))
NEW(new_array, "_Znam", LIST(size_t size), LIST(size), malloc_or_abort(size, PLAIN_ALIGNMENT))
NEW(new_one_nothrow, "_ZnwmRKSt9nothrow_t", LIST(size_t size, const void *tag), LIST(size, tag),
    malloc_or_null(size, PLAIN_ALIGNMENT))
NEW(new_array_nothrow, "_ZnamRKSt9nothrow_t", LIST(size_t size, const void *tag), LIST(size, tag),
    malloc_or_null(size, PLAIN_ALIGNMENT))
NEW(new_one_aligned, "_ZnwmSt11align_val_t", LIST(size_t size, size_t alignment), LIST(size, alignment),
    malloc_or_abort(size, alignment))
NEW(new_array_aligned, "_ZnamSt11align_val_t", LIST(size_t size, size_t alignment), LIST(size, alignment),
    malloc_or_abort(size, alignment))
NEW(new_one_aligned_nothrow, "_ZnwmSt11align_val_tRKSt9nothrow_t", LIST(size_t size, size_t alignment, const void *tag),
    LIST(size, alignment, tag), malloc_or_null(size, alignment))
NEW(new_array_aligned_nothrow, "_ZnamSt11align_val_tRKSt9nothrow_t",
    LIST(size_t size, size_t alignment, const void *tag), LIST(size, alignment, tag), malloc_or_null(size, alignment))

DELETE(delete_one, "_ZdlPv", LIST(void *block), LIST(block))
DELETE(delete_array, "_ZdaPv", LIST(void *block), LIST(block))
DELETE(delete_one_sized, "_ZdlPvm", LIST(void *block, size_t size), LIST(block, size))
DELETE(delete_array_sized, "_ZdaPvm", LIST(void *block, size_t size), LIST(block, size))
DELETE(delete_one_nothrow, "_ZdlPvRKSt9nothrow_t", LIST(void *block, const void *tag), LIST(block, tag))
DELETE(delete_array_nothrow, "_ZdaPvRKSt9nothrow_t", LIST(void *block, const void *tag), LIST(block, tag))
DELETE(delete_one_aligned, "_ZdlPvSt11align_val_t", LIST(void *block, size_t alignment), LIST(block, alignment))
DELETE(delete_array_aligned, "_ZdaPvSt11align_val_t", LIST(void *block, size_t alignment), LIST(block, alignment))
DELETE(delete_one_sized_aligned, "_ZdlPvmSt11align_val_t", LIST(void *block, size_t size, size_t alignment),
       LIST(block, size, alignment))
DELETE(delete_array_sized_aligned, "_ZdaPvmSt11align_val_t", LIST(void *block, size_t size, size_t alignment),
       LIST(block, size, alignment))
DELETE(delete_one_aligned_nothrow, "_ZdlPvSt11align_val_tRKSt9nothrow_t",
       LIST(void *block, size_t alignment, const void *tag), LIST(block, alignment, tag))
DELETE(delete_array_aligned_nothrow, "_ZdaPvSt11align_val_tRKSt9nothrow_t",
       LIST(void *block, size_t alignment, const void *tag), LIST(block, alignment, tag))
