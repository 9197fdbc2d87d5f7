/* SPDX-License-Identifier: MIT */
#include "collect/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"

struct loop_watch {
    struct loop_watch *next;
    int fd;
    bool removed;
    loop_fd_fn fd_fn;
    loop_timer_fn timer_fn; /* not NULL: the descriptor is ours */
    void *ctx;
};

struct loop {
    int epoll_fd;
    bool stopped;
    struct loop_watch *watches; /* removed ones are freed between rounds, when no event can point at them */
    bool have_removed;
};

struct loop *loop_new(void)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));

    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0)
        die(125, "cannot create an event loop: %s", strerror(errno));
    return loop;
}

static void sweep(struct loop *loop)
{
    struct loop_watch **link = &loop->watches;

    while (*link) {
        struct loop_watch *watch = *link;

        if (watch->removed) {
            *link = watch->next;
            free(watch);
        } else {
            link = &watch->next;
        }
    }
    loop->have_removed = false;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    for (struct loop_watch *watch = loop->watches; watch; watch = watch->next)
        loop_remove(loop, watch);
    sweep(loop);
    close(loop->epoll_fd);
    free(loop);
}

static struct loop_watch *add(struct loop *loop, int fd, uint32_t events)
{
    struct loop_watch *watch = xcalloc(1, sizeof(*watch));
    struct epoll_event event = {.events = events, .data.ptr = watch};

    watch->fd = fd;
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        die(125, "cannot watch a descriptor: %s", strerror(errno));
    watch->next = loop->watches;
    loop->watches = watch;
    return watch;
}

struct loop_watch *loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn, void *ctx)
{
    struct loop_watch *watch = add(loop, fd, events);

    watch->fd_fn = fn;
    watch->ctx = ctx;
    return watch;
}

static struct timespec to_timespec(uint64_t ns)
{
    return (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
}

struct loop_watch *loop_add_timer(struct loop *loop, uint64_t delay_ns, uint64_t period_ns, loop_timer_fn fn, void *ctx)
{
    struct itimerspec spec = {.it_value = to_timespec(delay_ns ? delay_ns : 1), .it_interval = to_timespec(period_ns)};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct loop_watch *watch;

    if (fd < 0 || timerfd_settime(fd, 0, &spec, NULL) < 0)
        die(125, "cannot create a timer: %s", strerror(errno));
    watch = add(loop, fd, EPOLLIN);
    watch->timer_fn = fn;
    watch->ctx = ctx;
    return watch;
}

void loop_remove(struct loop *loop, struct loop_watch *watch)
{
    if (!watch || watch->removed)
        return;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    if (watch->timer_fn)
        close(watch->fd);
    watch->removed = true;
    loop->have_removed = true;
}

static void dispatch(const struct epoll_event *event)
{
    struct loop_watch *watch = event->data.ptr;
    uint64_t expirations;

    if (watch->removed)
        return;
    if (!watch->timer_fn)
        watch->fd_fn(watch->ctx, event->events);
    else if (read(watch->fd, &expirations, sizeof(expirations)) == sizeof(expirations))
        watch->timer_fn(watch->ctx, expirations);
}

void loop_run(struct loop *loop)
{
    struct epoll_event events[16];

    loop->stopped = false;
    while (!loop->stopped) {
        int n = epoll_wait(loop->epoll_fd, events, sizeof(events) / sizeof(*events), -1);

        if (n < 0 && errno != EINTR)
            die(125, "the event loop failed: %s", strerror(errno));
        for (int i = 0; i < n && !loop->stopped; i++)
            dispatch(&events[i]);
        if (loop->have_removed)
            sweep(loop);
    }
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}
