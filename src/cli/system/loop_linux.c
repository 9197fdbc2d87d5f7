/* SPDX-License-Identifier: MIT */
#include "system/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "core/clock.h"

struct loop_watch {
    struct loop_watch *next;
    int fd;       /* -1: a timer, or a descriptor that the system refused */
    bool owns_fd; /* of signals and processes */
    bool removed;
    loop_ready_fn ready_fn; /* one of the four */
    loop_timer_fn timer_fn;
    loop_signal_fn signal_fn;
    loop_ended_fn ended_fn;
    uint64_t due_ns, period_ns; /* of a timer; period 0: once */
    void *ctx;
};

struct loop {
    int epoll_fd;
    bool stopped;
    int refused;                /* the errno of the first descriptor that could not be watched */
    struct loop_watch *watches; /* removed ones are freed between rounds, when no event can point at them */
    bool have_removed;
};

int loop_new(struct loop **out, struct rs_err *err)
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    *out = NULL;
    if (epoll_fd < 0)
        return rs_err_set(err, -errno, "cannot create an event loop: %s", strerror(errno));
    *out = xcalloc(1, sizeof(**out));
    (*out)->epoll_fd = epoll_fd;
    return 0;
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

/* Adds a watch of a descriptor. The system's refusal is kept for loop_run(). */
static struct loop_watch *add_fd(struct loop *loop, struct loop_watch watch)
{
    struct loop_watch *added = add(loop, watch);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = added};

    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, added->fd, &event) == 0)
        return added;
    if (!loop->refused)
        loop->refused = errno;
    if (added->owns_fd)
        close(added->fd);
    added->fd = -1;
    return added;
}

struct loop_watch *loop_add_fd(struct loop *loop, int fd, loop_ready_fn fn, void *ctx)
{
    return add_fd(loop, (struct loop_watch){.fd = fd, .ready_fn = fn, .ctx = ctx});
}

struct loop_watch *loop_add_timer(struct loop *loop, uint64_t delay_ns, uint64_t period_ns, loop_timer_fn fn, void *ctx)
{
    return add(
        loop,
        (struct loop_watch){
            .fd = -1, .timer_fn = fn, .due_ns = rs_clock_mono_ns() + delay_ns, .period_ns = period_ns, .ctx = ctx});
}

int loop_add_signals(struct loop *loop, const int *signals, size_t count, loop_signal_fn fn, void *ctx,
                     struct rs_err *err)
{
    struct sigaction action;
    sigset_t taken;
    int fd;

    sigemptyset(&taken);
    for (size_t i = 0; i < count; i++)
        if (!sigaction(signals[i], NULL, &action) && action.sa_handler != SIG_IGN)
            sigaddset(&taken, signals[i]);
    fd = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return rs_err_set(err, -errno, "cannot receive signals: %s", strerror(errno));
    pthread_sigmask(SIG_BLOCK, &taken, NULL);
    add_fd(loop, (struct loop_watch){.fd = fd, .owns_fd = true, .signal_fn = fn, .ctx = ctx});
    return 0;
}

int loop_add_process(struct loop *loop, pid_t pid, loop_ended_fn fn, void *ctx, struct loop_watch **watch,
                     struct rs_err *err)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    *watch = NULL;
    if (fd < 0 && errno == ESRCH)
        return rs_err_set(err, -ESRCH, "there is no process %d", (int)pid);
    if (fd < 0)
        return rs_err_set(err, -errno, "cannot watch process %d (pidfd_open): %s", (int)pid, strerror(errno));
    *watch = add_fd(loop, (struct loop_watch){.fd = fd, .owns_fd = true, .ended_fn = fn, .ctx = ctx});
    return 0;
}

int loop_signal_process(const struct loop_watch *watch, int signo)
{
    return syscall(SYS_pidfd_send_signal, watch->fd, signo, NULL, 0) ? -errno : 0;
}

void loop_remove(struct loop *loop, struct loop_watch *watch)
{
    if (!watch || watch->removed)
        return;
    if (watch->fd >= 0)
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    if (watch->owns_fd && watch->fd >= 0)
        close(watch->fd);
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

static void receive_signals(struct loop *loop, struct loop_watch *watch)
{
    struct signalfd_siginfo info;

    while (!watch->removed && !loop->stopped && read(watch->fd, &info, sizeof(info)) == sizeof(info))
        watch->signal_fn(watch->ctx, (int)info.ssi_signo, info.ssi_code == SI_KERNEL);
}

static void call(struct loop *loop, struct loop_watch *watch)
{
    if (watch->ready_fn) {
        watch->ready_fn(watch->ctx);
    } else if (watch->signal_fn) {
        receive_signals(loop, watch);
    } else {
        /* An ended process stays readable: it is told once. */
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
        watch->ended_fn(watch->ctx);
    }
}

int loop_run(struct loop *loop, struct rs_err *err)
{
    struct epoll_event events[16];

    loop->stopped = false;
    while (!loop->stopped) {
        uint64_t due_ns = next_due(loop);
        int n;

        if (loop->refused)
            return rs_err_set(err, -loop->refused, "cannot watch a descriptor: %s", strerror(loop->refused));
        n = wait_until(loop, events, sizeof(events) / sizeof(*events), due_ns);
        if (n < 0 && errno != EINTR)
            return rs_err_set(err, -errno, "the event loop failed: %s", strerror(errno));
        for (int i = 0; i < n && !loop->stopped; i++) {
            struct loop_watch *watch = events[i].data.ptr;

            if (!watch->removed)
                call(loop, watch);
        }
        if (due_ns != UINT64_MAX && !loop->stopped)
            run_timers(loop);
        if (loop->have_removed)
            sweep(loop);
    }
    return 0;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}
