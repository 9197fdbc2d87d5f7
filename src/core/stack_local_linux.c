/* SPDX-License-Identifier: MIT */
#include "core/stack_local.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/uio.h>

#include "core/channel.h"
#include "core/syscall_linux.h"
#include "core/unwind.h"

/*
 * How far below a known stack end sp may be to be taken for the same stack without asking the kernel. A thread takes
 * its first stack near its start; a coroutine that close to a thread's end lives inside the thread's own stack.
 */
#define NEAR_BYTES (128 * 1024)

extern void *__libc_stack_end __attribute__((weak));

bool rs_stack_near_end(bool is_main, uint64_t *low, uint64_t *high)
{
    uint64_t sp = (uintptr_t)__builtin_frame_address(0);
    /* glibc and musl put a thread's control block at the end of its stack. */
    uint64_t end = is_main ? (&__libc_stack_end ? (uintptr_t)__libc_stack_end + 8 : 0)
                           : (uintptr_t)__builtin_thread_pointer();

    if (sp >= end || end - sp > NEAR_BYTES)
        return false;
    *low = sp & ~(uint64_t)15;
    *high = end & ~(uint64_t)7;
    return true;
}

long rs_stack_copy(void *to, uint64_t address, size_t len)
{
    struct iovec local = {.iov_base = to, .iov_len = len};
    struct iovec remote[2] = {{.iov_base = (void *)(uintptr_t)address, .iov_len = 4096 - (address & 4095)},
                              {.iov_base = (void *)(uintptr_t)(address + 4096 - (address & 4095)),
                               .iov_len = len - (4096 - (address & 4095))}};
    long pid, n;

    if (atomic_load_explicit(&rs_channel_no_syscalls, memory_order_relaxed))
        return 0;
    pid = rs_syscall3(SYS_getpid, 0, 0, 0);
    n = rs_syscall6(SYS_process_vm_readv, pid, (long)&local, 1, (long)remote, 2, 0);
    return n > 0 ? n : 0;
}

/* The loader keeps a path as dlopen() was given it: a relative one counts from the folder that the program is in now. */
static const char *absolute(const char *name, char *path, size_t size)
{
    size_t len = strlen(name);
    long n;

    if (*name == '/' || !strchr(name, '/') || atomic_load_explicit(&rs_channel_no_syscalls, memory_order_relaxed))
        return name;
    n = rs_syscall3(SYS_getcwd, (long)path, (long)size, 0); /* counts the NUL */
    if (n <= 1 || *path != '/' || (size_t)n + len >= size)
        return name;
    path[n - 1] = '/';
    memcpy(path + n, name, len + 1);
    return path;
}

const char *rs_stack_module_path(uint64_t address, char *path, size_t size)
{
#ifdef DLFO_STRUCT_HAS_EH_DBASE
    extern __typeof__(_dl_find_object) _dl_find_object __attribute__((weak));
    struct dl_find_object found;

    if (_dl_find_object)
        return !_dl_find_object((void *)(uintptr_t)address, &found) && found.dlfo_link_map
                   ? absolute(found.dlfo_link_map->l_name, path, size)
                   : NULL;
#endif
    if (atomic_load_explicit(&rs_channel_no_syscalls, memory_order_relaxed) ||
        !rs_unwind_local_path(address, path, size))
        return NULL;
    return path;
}
