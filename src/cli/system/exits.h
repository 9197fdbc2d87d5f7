/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Waits for the ends of many processes, whoever's children they are, in a thread that has no event loop: the channel's
 * reader. One thread at a time; nothing here is safe in a signal handler.
 */
struct exits;

/* Dies without memory. Where the system cannot wait for others' processes, exits_watch() says so each time. */
struct exits *exits_new(void);
/* Forgets every process. NULL is fine. */
void exits_free(struct exits *exits);

/*
 * From now on exits_wait() gives TOKEN once when process PID ends: this process, never a later one of the same number.
 * Returns a handle for exits_forget(), or a negative errno: -ESRCH, it has gone already.
 */
int exits_watch(struct exits *exits, pid_t pid, uint32_t token);
/* HANDLE is exits_watch()'s; negative is fine. */
void exits_forget(struct exits *exits, int handle);

/* Waits up to TIMEOUT_MS. Returns how many processes have ended, their TOKENS in the array of MAX. */
size_t exits_wait(struct exits *exits, int timeout_ms, uint32_t *tokens, size_t max);
