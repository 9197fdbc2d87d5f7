/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * The event loop: readable descriptors, timers, signals and the ends of processes; one thread, no polling sleeps.
 * Callbacks run one after another in the thread that called loop_run(); they may add and remove watches, their own
 * included. No call may be made from another thread or from a signal handler.
 *
 *     loop_new(&loop, &err);
 *     loop_add_timer(loop, 0, 10000000, on_tick, ctx);
 *     rc = loop_run(loop, &err);      until a callback calls loop_stop()
 *     loop_free(loop);
 *
 * A watch belongs to the loop. A pointer to one is good until loop_remove() or loop_free().
 */
struct loop;
struct loop_watch;

/* The descriptor can be read, or its other end is gone. */
typedef void (*loop_ready_fn)(void *ctx);
/* EXPIRATIONS is how many periods have passed since the last call: 1 when the loop is on time. */
typedef void (*loop_timer_fn)(void *ctx, uint64_t expirations);
/* SIGNO arrived. FROM_KERNEL: a key of the terminal or the system sent it, not a process. */
typedef void (*loop_signal_fn)(void *ctx, int signo, bool from_kernel);
/* The process has ended. A child of ours is still to be reaped. */
typedef void (*loop_ended_fn)(void *ctx);

/* Returns 0, or a negative errno with a sentence (too many open descriptors; no event loop on this system). */
int loop_new(struct loop **loop, struct rs_err *err);
/* Ends every watch. NULL is fine. */
void loop_free(struct loop *loop);

/*
 * Watches FD, which stays the caller's and must stay open until loop_remove(). Where the system refuses (a regular
 * file, no memory), the watch never fires and loop_run() fails with the reason.
 */
struct loop_watch *loop_add_fd(struct loop *loop, int fd, loop_ready_fn fn, void *ctx);

/* Calls FN after DELAY_NS and then every PERIOD_NS, or once when PERIOD_NS is 0. On CLOCK_MONOTONIC. Never fails. */
struct loop_watch *loop_add_timer(struct loop *loop, uint64_t delay_ns, uint64_t period_ns, loop_timer_fn fn,
                                  void *ctx);

/*
 * Takes the COUNT signals SIGNALS away from their dispositions, in this thread and those that it makes later; one that
 * is ignored when this is called (nohup) stays ignored. They stay blocked when the watch ends, so that a late one never
 * ends the process halfway through its last words. Returns 0, or a negative errno with a sentence.
 */
int loop_add_signals(struct loop *loop, const int *signals, size_t count, loop_signal_fn fn, void *ctx,
                     struct rs_err *err);

/*
 * Calls FN once, when process PID has ended: a child that was not reaped, or any process that runs. The watch means
 * this process, never a later one of the same number. Returns 0, or a negative errno with a sentence: -ESRCH, there is
 * none.
 */
int loop_add_process(struct loop *loop, pid_t pid, loop_ended_fn fn, void *ctx, struct loop_watch **watch,
                     struct rs_err *err);
/* Sends SIGNO to the process of WATCH. Returns 0 or a negative errno: -ESRCH, it was reaped. */
int loop_signal_process(const struct loop_watch *watch, int signo);

/* Ends a watch. NULL is fine. */
void loop_remove(struct loop *loop, struct loop_watch *watch);

/* Runs until loop_stop() is called from a callback: 0; or a negative errno with a sentence when the system failed. */
int loop_run(struct loop *loop, struct rs_err *err);
void loop_stop(struct loop *loop);
