/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Whose processes /proc shows: those of our own pid namespace, no one's (it is not mounted), or another namespace's. */
enum proc_view { PROC_VIEW_OWN, PROC_VIEW_NONE, PROC_VIEW_FOREIGN };

enum proc_view proc_view(void);

/*
 * The number of PID's folder under /proc. In a /proc of another pid namespace the same number is another process's:
 * there it is 0, which no process has, so that whoever opens the path finds nothing instead of a stranger.
 */
unsigned proc_pid(pid_t pid);

/*
 * Reads /proc/PID/NAME as far as SIZE goes and puts a NUL behind it. Returns its length; 0, and an empty text, when
 * there is none. errno is not kept.
 */
size_t proc_read(pid_t pid, const char *name, char *text, size_t size);
