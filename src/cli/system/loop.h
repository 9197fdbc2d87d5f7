/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * The event loop: descriptors and timers, one thread, no polling sleeps. Callbacks run one after another in the thread
 * that called loop_run(); they may add and remove watches, their own included.
 */
struct loop;
struct loop_watch;

/* EVENTS are EPOLLIN and friends. */
typedef void (*loop_fd_fn)(void *ctx, uint32_t events);
/* EXPIRATIONS is how many periods have passed since the last call: 1 when the loop is on time. */
typedef void (*loop_timer_fn)(void *ctx, uint64_t expirations);

struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* Watches FD, which stays the caller's, until loop_remove(). */
struct loop_watch *loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_fn fn, void *ctx);
/* Calls FN after DELAY_NS and then every PERIOD_NS, or once when PERIOD_NS is 0. On CLOCK_MONOTONIC. */
struct loop_watch *loop_add_timer(struct loop *loop, uint64_t delay_ns, uint64_t period_ns, loop_timer_fn fn,
                                  void *ctx);
/* Ends a watch. NULL is fine. */
void loop_remove(struct loop *loop, struct loop_watch *watch);

/* Runs until loop_stop() is called from a callback. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
