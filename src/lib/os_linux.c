/* SPDX-License-Identifier: MIT */
#include "lib/os.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/syscall_linux.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

void *rs_os_map(size_t bytes, bool populated)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (populated ? MAP_POPULATE : MAP_NORESERVE);
    long at = rs_sys_mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);

    return rs_sys_failed(at) ? NULL : (void *)at;
}

void rs_os_unmap(void *memory, size_t bytes)
{
    if (memory)
        rs_sys_munmap(memory, bytes);
}

uint32_t rs_os_pid(void)
{
    return (uint32_t)rs_syscall3(SYS_getpid, 0, 0, 0);
}

uint32_t rs_os_tid(void)
{
    return (uint32_t)rs_syscall3(SYS_gettid, 0, 0, 0);
}

bool rs_os_thread_alive(uint32_t tid)
{
    return rs_syscall3(SYS_tgkill, rs_syscall3(SYS_getpid, 0, 0, 0), (long)tid, 0) != -ESRCH;
}

bool rs_os_on_signal_stack(void)
{
    stack_t now;

    return !rs_syscall3(SYS_sigaltstack, 0, (long)&now, 0) && (now.ss_flags & SS_ONSTACK);
}

void rs_os_yield(void)
{
    rs_syscall3(SYS_sched_yield, 0, 0, 0);
}

int rs_os_create(const char *path)
{
    return (int)rs_syscall6(SYS_openat, AT_FDCWD, (long)path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666, 0, 0);
}

bool rs_os_is_special(const char *path)
{
    struct statx at;

    return !rs_syscall6(SYS_statx, AT_FDCWD, (long)path, 0, STATX_TYPE, (long)&at, 0) &&
           (at.stx_mode & S_IFMT) != S_IFREG && (at.stx_mode & S_IFMT) != S_IFDIR;
}

int rs_os_write(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len) {
        long n = rs_sys_write(fd, at, len);

        if (n == -EINTR)
            continue;
        if (n <= 0)
            return n ? (int)n : -EIO;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

int rs_os_close(int fd)
{
    return (int)rs_sys_close(fd);
}

int rs_os_rename(const char *from, const char *to)
{
    return (int)rs_syscall6(SYS_renameat2, AT_FDCWD, (long)from, AT_FDCWD, (long)to, 0, 0);
}

void rs_os_remove(const char *path)
{
    rs_syscall3(SYS_unlinkat, AT_FDCWD, (long)path, 0);
}

long rs_os_read_file(const char *path, char *buf, size_t size)
{
    long fd = rs_sys_open(path, O_RDONLY | O_CLOEXEC), n;

    if (fd < 0)
        return fd;
    n = rs_sys_read((int)fd, buf, size);
    rs_sys_close((int)fd);
    return n;
}

long rs_os_executable(char *buf, size_t size)
{
    return rs_sys_readlink("/proc/self/exe", buf, size);
}

long rs_os_working_folder(char *buf, size_t size)
{
    return rs_sys_readlink("/proc/self/cwd", buf, size);
}

long rs_os_arguments(char *buf, size_t size)
{
    return rs_os_read_file("/proc/self/cmdline", buf, size);
}

/* The text behind "model name" of the first CPU. */
long rs_os_cpu_model(char *buf, size_t size)
{
    char text[4096];
    long len = rs_os_read_file("/proc/cpuinfo", text, sizeof(text) - 1);
    const char *model;
    size_t n;

    text[len > 0 ? len : 0] = '\0';
    model = strstr(text, "model name");
    model = model ? strchr(model, ':') : NULL;
    if (!model || model[1] != ' ')
        return len < 0 ? len : -ENOENT;
    n = strcspn(model + 2, "\n");
    n = n < size ? n : size;
    memcpy(buf, model + 2, n);
    return (long)n;
}

uint64_t rs_os_unix_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool rs_os_counter_is_a_clock(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d;

    /*
     * CPUID 8000_0007h, EDX bit 8: the TSC is invariant. By the macro, not __get_cpuid(): a function of the compiler's
     * header would be the user's in a profile.
     */
    __cpuid(0x80000000u, a, b, c, d);
    if (a < 0x80000007u)
        return false;
    __cpuid(0x80000007u, a, b, c, d);
    return d & 1u << 8;
#else
    return true; /* the generic timer of aarch64 is one by architecture */
#endif
}
