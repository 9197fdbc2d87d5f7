/* SPDX-License-Identifier: MIT */
#include "system/exits.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"

/* A handle is a pidfd; epoll's word holds it beside the token. */
struct exits {
    int epoll_fd;
};

enum { AT_ONCE = 64 };

struct exits *exits_new(void)
{
    struct exits *exits = xcalloc(1, sizeof(*exits));

    exits->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return exits;
}

void exits_free(struct exits *exits)
{
    if (exits && exits->epoll_fd >= 0)
        close(exits->epoll_fd);
    free(exits);
}

int exits_watch(struct exits *exits, pid_t pid, uint32_t token)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)token << 32 | (uint32_t)fd};
    int rc;

    if (fd < 0)
        return -errno;
    if (!epoll_ctl(exits->epoll_fd, EPOLL_CTL_ADD, fd, &event))
        return fd;
    rc = -errno;
    close(fd);
    return rc;
}

void exits_forget(struct exits *exits, int handle)
{
    (void)exits;
    if (handle >= 0)
        close(handle);
}

size_t exits_wait(struct exits *exits, int timeout_ms, uint32_t *tokens, size_t max)
{
    struct epoll_event events[AT_ONCE];
    int n = epoll_wait(exits->epoll_fd, events, max < AT_ONCE ? (int)max : AT_ONCE, timeout_ms);

    for (int i = 0; i < n; i++) {
        tokens[i] = (uint32_t)(events[i].data.u64 >> 32);
        epoll_ctl(exits->epoll_fd, EPOLL_CTL_DEL, (int)(uint32_t)events[i].data.u64, NULL);
    }
    return n > 0 ? (size_t)n : 0;
}
