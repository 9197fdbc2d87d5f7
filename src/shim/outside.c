/* SPDX-License-Identifier: MIT */

/*
 * Memory that does not come from malloc, and the calls that change what the rest of the shim may take for granted.
 * libc's own malloc does not come through here: it calls its internal mmap and brk. Another allocator's arenas do, and
 * are told by who asks: what malloc hands out of them is counted there.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/unwind.h"
#include "shim/hook.h"
#include "shim/real.h"
#include "shim/record.h"

/* prctl() and syscall() are variadic in the headers; the definitions take what the registers may hold. */
HOOK int prctl_hook(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) __asm__("prctl");
HOOK long syscall_hook(long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");
HOOK void *mremap_hook(void *at, size_t old_len, size_t new_len, int flags, void *to) __asm__("mremap");
HOOK int dlclose(void *handle);

extern int _dl_find_object(void *address, struct dl_find_object *result) __attribute__((weak));

static bool is_allocator(uint64_t pc)
{
    struct dl_find_object asks, allocates;

    return _dl_find_object && !_dl_find_object((void *)(uintptr_t)pc, &asks) &&
           !_dl_find_object((void *)(uintptr_t)rs_real.malloc, &allocates) &&
           asks.dlfo_map_start == allocates.dlfo_map_start;
}

static void note(enum rs_outside kind, const void *address, int64_t bytes, CALLER_PARAMS)
{
    if (!is_allocator(pc))
        rs_record_outside(kind, address, bytes, CALLER_ARGS);
}

static RECORDED void *recorded_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset,
                                    CALLER_PARAMS)
{
    void *got = rs_real.mmap(at, len, prot, flags, fd, offset);

    if (got != MAP_FAILED && (flags & MAP_ANONYMOUS))
        note(RS_OUTSIDE_MMAP, got, (int64_t)len, CALLER_ARGS);
    return got;
}

HOOK void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
    if (!rs_channel_active())
        return rs_real.mmap(at, len, prot, flags, fd, offset);
    return recorded_mmap(at, len, prot, flags, fd, offset, CALLER());
}

HOOK void *mmap64(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
    if (!rs_channel_active())
        return rs_real.mmap(at, len, prot, flags, fd, offset);
    return recorded_mmap(at, len, prot, flags, fd, offset, CALLER());
}

static RECORDED int recorded_munmap(void *at, size_t len, CALLER_PARAMS)
{
    int rc = rs_real.munmap(at, len);

    if (!rc)
        note(RS_OUTSIDE_MUNMAP, at, -(int64_t)len, CALLER_ARGS);
    return rc;
}

HOOK int munmap(void *at, size_t len)
{
    if (!rs_channel_active())
        return rs_real.munmap(at, len);
    return recorded_munmap(at, len, CALLER());
}

/* A move is the old range given back and the new one taken. */
static RECORDED void *recorded_mremap(void *at, size_t old_len, size_t new_len, int flags, void *to,
                                      CALLER_PARAMS)
{
    void *got = rs_real.mremap(at, old_len, new_len, flags, to);

    if (got != MAP_FAILED) {
        note(RS_OUTSIDE_MREMAP, at, -(int64_t)old_len, CALLER_ARGS);
        note(RS_OUTSIDE_MREMAP, got, (int64_t)new_len, CALLER_ARGS);
    }
    return got;
}

HOOK void *mremap_hook(void *at, size_t old_len, size_t new_len, int flags, void *to)
{
    if (!rs_channel_active())
        return rs_real.mremap(at, old_len, new_len, flags, to);
    return recorded_mremap(at, old_len, new_len, flags, to, CALLER());
}

static RECORDED void *recorded_sbrk(intptr_t by, CALLER_PARAMS)
{
    void *got = rs_real.sbrk(by);

    if (got != (void *)-1 && by)
        note(RS_OUTSIDE_BRK, got, by, CALLER_ARGS);
    return got;
}

HOOK void *sbrk(intptr_t by)
{
    if (!rs_channel_active())
        return rs_real.sbrk(by);
    return recorded_sbrk(by, CALLER());
}

static RECORDED int recorded_brk(void *end, CALLER_PARAMS)
{
    char *before = rs_real.sbrk(0);
    int rc = rs_real.brk(end);

    if (!rc && before != (char *)-1)
        note(RS_OUTSIDE_BRK, before, (char *)end - before, CALLER_ARGS);
    return rc;
}

HOOK int brk(void *end)
{
    if (!rs_channel_active())
        return rs_real.brk(end);
    return recorded_brk(end, CALLER());
}

/* ---- what the unwinder and the channel must know ---- */

/* dlopen is left alone: libc resolves relative paths by its caller. */
HOOK int dlclose(void *handle)
{
    int rc = rs_real.dlclose(handle);

    rs_unwind_invalidate();
    return rc;
}

/* A filter may answer a system call that it does not know by killing the process: from now on we make none. */
HOOK int prctl_hook(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    if (option == PR_SET_SECCOMP)
        atomic_store(&rs_channel_no_syscalls, true);
    return rs_real.prctl(option, a, b, c, d);
}

HOOK long syscall_hook(long number, long a, long b, long c, long d, long e, long f)
{
    if (number == SYS_seccomp && (a == SECCOMP_SET_MODE_STRICT || a == SECCOMP_SET_MODE_FILTER))
        atomic_store(&rs_channel_no_syscalls, true);
    return rs_real.syscall(number, a, b, c, d, e, f);
}
