/* SPDX-License-Identifier: MIT */
#include "lib/allocations.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef const struct rustscope_allocations *(*shim_fn)(void);

/* Weak: a fully static program has no dlsym, and no shim either. */
extern __typeof__(dlsym) dlsym __attribute__((weak));

static _Atomic(shim_fn) shim;
static atomic_bool looked;

const struct rustscope_allocations *rs_allocations_of_thread(void)
{
    const struct rustscope_allocations *counted;
    shim_fn fn;

    if (!atomic_load_explicit(&looked, memory_order_acquire)) {
        fn = dlsym ? (shim_fn)dlsym(RTLD_DEFAULT, "rustscope_shim_allocations") : NULL;
        atomic_store_explicit(&shim, fn, memory_order_relaxed);
        atomic_store_explicit(&looked, true, memory_order_release);
    }
    fn = atomic_load_explicit(&shim, memory_order_relaxed);
    counted = fn ? fn() : NULL;
    return counted ? counted : &RS_THREAD_.own_allocated;
}

struct rustscope_allocations rustscope_allocated(void)
{
    return *rs_allocations_of_thread();
}

void rustscope_count_allocation(size_t bytes)
{
    RS_THREAD_.own_allocated.bytes += bytes;
    RS_THREAD_.own_allocated.blocks++;
}
