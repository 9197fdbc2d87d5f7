/* SPDX-License-Identifier: MIT */
#include "shim/real.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "core/syscall_linux.h"

/* ---- the pool ---- */

enum { POOL_BYTES = 64 * 1024, POOL_ALIGN = 16 };

static _Alignas(64) char pool[POOL_BYTES];
static _Atomic size_t pool_used;

struct pool_head {
    size_t size;
    size_t unused;
};

bool rs_pool_owns(const void *block)
{
    return (uintptr_t)block - (uintptr_t)pool < sizeof(pool);
}

size_t rs_pool_size(const void *block)
{
    return ((const struct pool_head *)block - 1)->size;
}

/*
 * In front of the real free once a block of the pool is about: until then, which is for ever with today's glibc, free()
 * need not look.
 */
static void first_free(void *block);
static void (*real_free)(void *block) = first_free;

static void pool_aware_free(void *block)
{
    if (!rs_pool_owns(block))
        real_free(block);
}

/* Memory of the pool is never given back, so it is zero. */
static void *pool_alloc(size_t alignment, size_t size)
{
    size_t used = atomic_load(&pool_used), at;

    if (alignment < POOL_ALIGN)
        alignment = POOL_ALIGN;
    do {
        at = (used + sizeof(struct pool_head) + alignment - 1) & ~(alignment - 1);
        if (alignment > 64 || at < used || at > sizeof(pool) || size > sizeof(pool) - at) {
            errno = ENOMEM;
            return NULL;
        }
    } while (!atomic_compare_exchange_weak(&pool_used, &used, at + size));
    ((struct pool_head *)(pool + at) - 1)->size = size;
    rs_real.free = pool_aware_free;
    return pool + at;
}

/* ---- looking up ---- */

/*
 * Set while this thread is inside dlsym(): its requests go to the pool. Volatile, because glibc declares dlsym a leaf:
 * the compiler may believe that nothing reads this in between, and leave both changes out.
 */
static __thread volatile uint32_t resolving __attribute__((tls_model("initial-exec")));

static void *look_up(const char *name)
{
    int saved = errno;
    void *found;

    resolving = resolving + 1;
    found = dlsym(RTLD_NEXT, name);
    resolving = resolving - 1;
    errno = saved;
    return found;
}

static void *first_malloc(size_t size);
static void first_free(void *block);
static void *first_calloc(size_t count, size_t size);
static void *first_realloc(void *block, size_t size);
static void *first_reallocarray(void *block, size_t count, size_t size);
static void *first_memalign(size_t alignment, size_t size);
static void *first_aligned_alloc(size_t alignment, size_t size);
static int first_posix_memalign(void **out, size_t alignment, size_t size);
static void *first_valloc(size_t size);
static void *first_pvalloc(size_t size);
static size_t first_malloc_usable_size(void *block);
static int first_dlclose(void *handle);
static void *first_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset);
static int first_munmap(void *at, size_t len);
static void *first_mremap(void *at, size_t old_len, size_t new_len, int flags, ...);
static int first_brk(void *end);
static void *first_sbrk(intptr_t by);
static int first_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
static long first_syscall(long number, long a, long b, long c, long d, long e, long f);

struct rs_real rs_real = {
    .malloc = first_malloc,
    .free = first_free,
    .calloc = first_calloc,
    .realloc = first_realloc,
    .reallocarray = first_reallocarray,
    .memalign = first_memalign,
    .aligned_alloc = first_aligned_alloc,
    .posix_memalign = first_posix_memalign,
    .valloc = first_valloc,
    .pvalloc = first_pvalloc,
    .malloc_usable_size = first_malloc_usable_size,
    .dlclose = first_dlclose,
    .mmap = first_mmap,
    .munmap = first_munmap,
    .mremap = first_mremap,
    .brk = first_brk,
    .sbrk = first_sbrk,
    .prctl = first_prctl,
    .syscall = first_syscall,
};

/* Looks NAME up into rs_real.NAME; false when there is none or while it is being looked up. */
#define RESOLVE(name)                                                                                                  \
    __extension__({                                                                                                    \
        void *found_ = resolving ? NULL : look_up(#name);                                                              \
        if (found_)                                                                                                    \
            memcpy(&rs_real.name, &found_, sizeof(found_));                                                            \
        found_ != NULL;                                                                                                \
    })

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

static void *first_malloc(size_t size)
{
    return RESOLVE(malloc) ? rs_real.malloc(size) : pool_alloc(0, size);
}

static void first_free(void *block)
{
    void *found = resolving ? NULL : look_up("free");

    if (!found)
        return;
    memcpy(&real_free, &found, sizeof(found));
    rs_real.free = atomic_load(&pool_used) ? pool_aware_free : real_free;
    rs_real.free(block);
}

static void *first_calloc(size_t count, size_t size)
{
    size_t bytes;

    if (RESOLVE(calloc))
        return rs_real.calloc(count, size);
    return __builtin_mul_overflow(count, size, &bytes) ? no_memory() : pool_alloc(0, bytes);
}

static void *first_realloc(void *block, size_t size)
{
    void *to;

    if (RESOLVE(realloc))
        return rs_real.realloc(block, size);
    to = pool_alloc(0, size);
    if (to && block && rs_pool_owns(block))
        memcpy(to, block, rs_pool_size(block) < size ? rs_pool_size(block) : size);
    return to;
}

/* What a libc lacks is made of what it has. */
static void *first_reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;

    if (RESOLVE(reallocarray))
        return rs_real.reallocarray(block, count, size);
    return __builtin_mul_overflow(count, size, &bytes) ? no_memory() : rs_real.realloc(block, bytes);
}

static void *first_memalign(size_t alignment, size_t size)
{
    if (RESOLVE(memalign))
        return rs_real.memalign(alignment, size);
    return resolving ? pool_alloc(alignment, size) : rs_real.aligned_alloc(alignment, size);
}

static void *first_aligned_alloc(size_t alignment, size_t size)
{
    return RESOLVE(aligned_alloc) ? rs_real.aligned_alloc(alignment, size) : pool_alloc(alignment, size);
}

static int first_posix_memalign(void **out, size_t alignment, size_t size)
{
    void *block;

    if (RESOLVE(posix_memalign))
        return rs_real.posix_memalign(out, alignment, size);
    block = pool_alloc(alignment, size);
    if (!block)
        return ENOMEM;
    *out = block;
    return 0;
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void *first_valloc(size_t size)
{
    return RESOLVE(valloc) ? rs_real.valloc(size) : rs_real.memalign(page_bytes(), size);
}

static void *first_pvalloc(size_t size)
{
    size_t page = page_bytes();

    if (RESOLVE(pvalloc))
        return rs_real.pvalloc(size);
    return size > SIZE_MAX - page ? no_memory() : rs_real.memalign(page, (size + page - 1) & ~(page - 1));
}

static size_t first_malloc_usable_size(void *block)
{
    return RESOLVE(malloc_usable_size) ? rs_real.malloc_usable_size(block) : 0;
}

static int first_dlclose(void *handle)
{
    return RESOLVE(dlclose) ? rs_real.dlclose(handle) : -1;
}

/* The rest are system calls: without the libc function the call itself does. */
static long result(long ret)
{
    if (!rs_sys_failed(ret))
        return ret;
    errno = (int)-ret;
    return -1;
}

static void *first_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
    return RESOLVE(mmap) ? rs_real.mmap(at, len, prot, flags, fd, offset)
                         : (void *)result(rs_sys_mmap(at, len, prot, flags, fd, offset));
}

static int first_munmap(void *at, size_t len)
{
    return RESOLVE(munmap) ? rs_real.munmap(at, len) : (int)result(rs_sys_munmap(at, len));
}

static void *first_mremap(void *at, size_t old_len, size_t new_len, int flags, ...)
{
    void *to;
    __builtin_va_list args;

    __builtin_va_start(args, flags);
    to = __builtin_va_arg(args, void *);
    __builtin_va_end(args);
    return RESOLVE(mremap) ? rs_real.mremap(at, old_len, new_len, flags, to)
                           : (void *)result(rs_syscall6(SYS_mremap, (long)at, (long)old_len, (long)new_len, flags,
                                                        (long)to, 0));
}

static int first_brk(void *end)
{
    if (RESOLVE(brk))
        return rs_real.brk(end);
    errno = ENOMEM;
    return -1;
}

static void *first_sbrk(intptr_t by)
{
    if (RESOLVE(sbrk))
        return rs_real.sbrk(by);
    errno = ENOMEM;
    return (void *)-1;
}

static int first_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    return RESOLVE(prctl) ? rs_real.prctl(option, a, b, c, d)
                          : (int)result(rs_syscall6(SYS_prctl, option, (long)a, (long)b, (long)c, (long)d, 0));
}

static long first_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    return RESOLVE(syscall) ? rs_real.syscall(number, a, b, c, d, e, f)
                            : result(rs_syscall6(number, a, b, c, d, e, f));
}
