/* SPDX-License-Identifier: MIT */
#include "system/loop.h"

#include <errno.h>

/* A system whose waiting nobody has taught us: there is no loop, so no other call ever gets one. */

int loop_new(struct loop **loop, struct rs_err *err)
{
    *loop = NULL;
    return rs_err_set(err, -ENOSYS, "recording is not supported on this system");
}

void loop_free(struct loop *loop)
{
    (void)loop;
}

struct loop_watch *loop_add_fd(struct loop *loop, int fd, loop_ready_fn fn, void *ctx)
{
    (void)loop, (void)fd, (void)fn, (void)ctx;
    return NULL;
}

struct loop_watch *loop_add_timer(struct loop *loop, uint64_t delay_ns, uint64_t period_ns, loop_timer_fn fn, void *ctx)
{
    (void)loop, (void)delay_ns, (void)period_ns, (void)fn, (void)ctx;
    return NULL;
}

int loop_add_signals(struct loop *loop, const int *signals, size_t count, loop_signal_fn fn, void *ctx,
                     struct rs_err *err)
{
    (void)signals, (void)count, (void)fn, (void)ctx;
    return loop_new(&loop, err);
}

int loop_add_process(struct loop *loop, pid_t pid, loop_ended_fn fn, void *ctx, struct loop_watch **watch,
                     struct rs_err *err)
{
    (void)pid, (void)fn, (void)ctx;
    *watch = NULL;
    return loop_new(&loop, err);
}

int loop_signal_process(const struct loop_watch *watch, int signo)
{
    (void)watch, (void)signo;
    return -ENOSYS;
}

void loop_remove(struct loop *loop, struct loop_watch *watch)
{
    (void)loop, (void)watch;
}

int loop_run(struct loop *loop, struct rs_err *err)
{
    return loop_new(&loop, err);
}

void loop_stop(struct loop *loop)
{
    (void)loop;
}
