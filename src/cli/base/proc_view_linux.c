/* SPDX-License-Identifier: MIT */
#include "base/proc_view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* /proc/self is a link to the reader's own number, as the namespace of that /proc counts. */
enum proc_view proc_view(void)
{
    char self[32];
    ssize_t len = readlink("/proc/self", self, sizeof(self) - 1);

    if (len <= 0)
        return PROC_VIEW_NONE;
    self[len] = '\0';
    return strtol(self, NULL, 10) == (long)getpid() ? PROC_VIEW_OWN : PROC_VIEW_FOREIGN;
}

unsigned proc_pid(pid_t pid)
{
    return proc_view() == PROC_VIEW_FOREIGN ? 0 : (unsigned)pid;
}

char *proc_path(char *path, size_t size, const char *format, ...)
{
    va_list args;
    int root = snprintf(path, size, "/proc/");

    va_start(args, format);
    vsnprintf(path + root, size - (size_t)root, format, args);
    va_end(args);
    return path;
}

size_t proc_read(pid_t pid, const char *name, char *text, size_t size)
{
    char path[96];
    size_t len = 0;
    ssize_t n = 0;
    int fd;

    fd = open(proc_path(path, sizeof(path), "%u/%s", proc_pid(pid), name), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        do {
            len += n > 0 ? (size_t)n : 0;
            n = read(fd, text + len, size - 1 - len);
        } while (n > 0 || (n < 0 && errno == EINTR));
        close(fd);
    }
    text[len] = '\0';
    return len;
}
