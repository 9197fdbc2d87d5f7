/* SPDX-License-Identifier: MIT */
#include "lib/os.h"

#include <errno.h>
#include <fcntl.h>
#include <mach-o/dyld.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysctl.h>
#include <time.h>
#include <unistd.h>

void *rs_os_map(size_t bytes, bool populated)
{
    int saved = errno;
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);

    (void)populated;
    errno = saved;
    return at == MAP_FAILED ? NULL : at;
}

void rs_os_unmap(void *memory, size_t bytes)
{
    int saved = errno;

    if (memory)
        munmap(memory, bytes);
    errno = saved;
}

uint32_t rs_os_pid(void)
{
    return (uint32_t)getpid();
}

uint32_t rs_os_tid(void)
{
    uint64_t tid = 0;

    pthread_threadid_np(NULL, &tid);
    return (uint32_t)tid;
}

bool rs_os_thread_alive(uint32_t tid)
{
    (void)tid;
    return true; /* no cheap way to ask; the state of a thread that ended too late is kept */
}

bool rs_os_on_signal_stack(void)
{
    int saved = errno;
    stack_t now;
    bool on = !sigaltstack(NULL, &now) && (now.ss_flags & SS_ONSTACK);

    errno = saved;
    return on;
}

void rs_os_yield(void)
{
    sched_yield();
}

int rs_os_create(const char *path)
{
    int saved = errno, fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int rc = fd < 0 ? -errno : fd;

    errno = saved;
    return rc;
}

bool rs_os_is_special(const char *path)
{
    struct stat at;
    int saved = errno, rc = stat(path, &at);

    errno = saved;
    return !rc && !S_ISREG(at.st_mode) && !S_ISDIR(at.st_mode);
}

int rs_os_write(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    int saved = errno, rc = 0;

    while (len && !rc) {
        ssize_t n = write(fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            rc = n ? -errno : -EIO;
        } else {
            at += n;
            len -= (size_t)n;
        }
    }
    errno = saved;
    return rc;
}

int rs_os_close(int fd)
{
    int saved = errno, rc = close(fd) ? -errno : 0;

    errno = saved;
    return rc;
}

int rs_os_rename(const char *from, const char *to)
{
    int saved = errno, rc = rename(from, to) ? -errno : 0;

    errno = saved;
    return rc;
}

void rs_os_remove(const char *path)
{
    int saved = errno;

    unlink(path);
    errno = saved;
}

long rs_os_read_file(const char *path, char *buf, size_t size)
{
    int saved = errno, fd = open(path, O_RDONLY | O_CLOEXEC);
    long n = fd < 0 ? -errno : read(fd, buf, size);

    if (fd >= 0)
        close(fd);
    errno = saved;
    return n;
}

long rs_os_executable(char *buf, size_t size)
{
    uint32_t len = (uint32_t)size;

    return _NSGetExecutablePath(buf, &len) ? -ENAMETOOLONG : (long)strlen(buf);
}

long rs_os_working_folder(char *buf, size_t size)
{
    int saved = errno;
    long n = getcwd(buf, size) ? (long)strlen(buf) : -errno;

    errno = saved;
    return n;
}

long rs_os_arguments(char *buf, size_t size)
{
    (void)buf, (void)size;
    return -ENOSYS;
}

long rs_os_cpu_model(char *buf, size_t size)
{
    int saved = errno;
    long rc = sysctlbyname("machdep.cpu.brand_string", buf, &size, NULL, 0) ? -errno : (long)strnlen(buf, size);

    errno = saved;
    return rc;
}

uint64_t rs_os_unix_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool rs_os_counter_is_a_clock(void)
{
    return true; /* invariant on every Mac; the generic timer on Apple silicon */
}
