/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Linux system calls without libc in between: errno is not touched, nothing that the shim interposes (mmap, say) is
 * called, no cancellation point is met. Each returns what the kernel returns: a negative errno on failure.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#if defined(__x86_64__)

static inline long rs_syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long ret;

    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}

#elif defined(__aarch64__)

static inline long rs_syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;

    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}

#else
#error "no system call stub for this architecture"
#endif

static inline long rs_syscall3(long nr, long a, long b, long c)
{
    return rs_syscall6(nr, a, b, c, 0, 0, 0);
}

/* True for the error values that the kernel returns in place of an address. */
static inline int rs_sys_failed(long ret)
{
    return (unsigned long)ret > -4096ul;
}

static inline long rs_sys_open(const char *path, int flags)
{
    return rs_syscall6(SYS_openat, AT_FDCWD, (long)path, flags, 0, 0, 0);
}

static inline long rs_sys_close(int fd)
{
    return rs_syscall3(SYS_close, fd, 0, 0);
}

static inline long rs_sys_read(int fd, void *buf, size_t len)
{
    return rs_syscall3(SYS_read, fd, (long)buf, (long)len);
}

static inline long rs_sys_write(int fd, const void *buf, size_t len)
{
    return rs_syscall3(SYS_write, fd, (long)buf, (long)len);
}

static inline long rs_sys_fstat(int fd, struct stat *st)
{
    return rs_syscall3(SYS_fstat, fd, (long)st, 0);
}

static inline long rs_sys_readlink(const char *path, char *buf, size_t len)
{
    return rs_syscall6(SYS_readlinkat, AT_FDCWD, (long)path, (long)buf, (long)len, 0, 0);
}

static inline long rs_sys_fcntl(int fd, int command, long arg)
{
    return rs_syscall3(SYS_fcntl, fd, command, arg);
}

static inline long rs_sys_mmap(void *at, size_t len, int prot, int flags, int fd, long offset)
{
    return rs_syscall6(SYS_mmap, (long)at, (long)len, prot, flags, fd, offset);
}

static inline long rs_sys_munmap(void *at, size_t len)
{
    return rs_syscall3(SYS_munmap, (long)at, (long)len, 0);
}

static inline long rs_sys_madvise(void *at, size_t len, int advice)
{
    return rs_syscall3(SYS_madvise, (long)at, (long)len, advice);
}
