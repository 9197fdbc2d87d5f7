/* SPDX-License-Identifier: MIT */
#include "system/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "core/clock.h"

struct loop_watch {
    struct loop_watch *next;
    int fd; /* -1: a timer */
    bool removed;
    loop_fd_fn fd_fn;
    loop_timer_fn timer_fn;
    uint64_t due_ns, period_ns; /* of a timer; period 0: once */
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

static struct loop_watch *add(struct loop *loop, struct loop_watch watch)
{
    struct loop_watch *added = xcalloc(1, sizeof(*added));

    *added = watch;
    added->next = loop->watches;
    loop->watches = added;
    return added;
}

struct loop_watch *loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn, void *ctx)
{
    struct loop_watch *watch = add(loop, (struct loop_watch){.fd = fd, .fd_fn = fn, .ctx = ctx});
    struct epoll_event event = {.events = events, .data.ptr = watch};

    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        die(125, "cannot watch a descriptor: %s", strerror(errno));
    return watch;
}

struct loop_watch *loop_add_timer(struct loop *loop, uint64_t delay_ns, uint64_t period_ns, loop_timer_fn fn, void *ctx)
{
    return add(
        loop,
        (struct loop_watch){
            .fd = -1, .timer_fn = fn, .due_ns = rs_clock_mono_ns() + delay_ns, .period_ns = period_ns, .ctx = ctx});
}

void loop_remove(struct loop *loop, struct loop_watch *watch)
{
    if (!watch || watch->removed)
        return;
    if (watch->fd >= 0)
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->removed = true;
    loop->have_removed = true;
}

/* ---- running ---- */

/* When the next timer is due; UINT64_MAX: there is none. */
static uint64_t next_due(const struct loop *loop)
{
    uint64_t due_ns = UINT64_MAX;

    for (const struct loop_watch *watch = loop->watches; watch; watch = watch->next)
        if (watch->timer_fn && !watch->removed && watch->due_ns < due_ns)
            due_ns = watch->due_ns;
    return due_ns;
}

/*
 * Waits for descriptors, until DUE_NS at most. Timers are in the wait itself, not descriptors: a timerfd is a wake-up
 * through one more queue and a read() at each tick, a fifth of what sampling at 100 Hz costs. Kernels before 5.11 wait
 * in milliseconds.
 */
static int wait_until(struct loop *loop, struct epoll_event *events, int count, uint64_t due_ns)
{
    static bool has_no_pwait2;
    uint64_t now_ns = due_ns == UINT64_MAX ? 0 : rs_clock_mono_ns();
    uint64_t left_ns = due_ns > now_ns ? due_ns - now_ns : 0;
    struct timespec timeout = {(time_t)(left_ns / 1000000000), (long)(left_ns % 1000000000)};
    int n;

    if (!has_no_pwait2) {
        n = epoll_pwait2(loop->epoll_fd, events, count, due_ns == UINT64_MAX ? NULL : &timeout, NULL);
        if (n >= 0 || (errno != ENOSYS && errno != EPERM))
            return n;
        has_no_pwait2 = true;
    }
    return epoll_wait(loop->epoll_fd, events, count,
                      due_ns == UINT64_MAX       ? -1
                      : left_ns > 86400000000000 ? 86400000
                                                 : (int)((left_ns + 999999) / 1000000));
}

/* Calls the timers that are due. Those that a callback adds come to the front of the list, and wait for the next round.
 */
static void run_timers(struct loop *loop)
{
    uint64_t now_ns = rs_clock_mono_ns();

    for (struct loop_watch *watch = loop->watches; watch && !loop->stopped; watch = watch->next) {
        uint64_t expirations = 1;

        if (!watch->timer_fn || watch->removed || watch->due_ns > now_ns)
            continue;
        if (watch->period_ns) {
            expirations += (now_ns - watch->due_ns) / watch->period_ns;
            watch->due_ns += expirations * watch->period_ns;
        } else {
            watch->due_ns = UINT64_MAX;
        }
        watch->timer_fn(watch->ctx, expirations);
    }
}

void loop_run(struct loop *loop)
{
    struct epoll_event events[16];

    loop->stopped = false;
    while (!loop->stopped) {
        uint64_t due_ns = next_due(loop);
        int n = wait_until(loop, events, sizeof(events) / sizeof(*events), due_ns);

        if (n < 0 && errno != EINTR)
            die(125, "the event loop failed: %s", strerror(errno));
        for (int i = 0; i < n && !loop->stopped; i++) {
            struct loop_watch *watch = events[i].data.ptr;

            if (!watch->removed)
                watch->fd_fn(watch->ctx, events[i].events);
        }
        if (due_ns != UINT64_MAX && !loop->stopped)
            run_timers(loop);
        if (loop->have_removed)
            sweep(loop);
    }
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}
