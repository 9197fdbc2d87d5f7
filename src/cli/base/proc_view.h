/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * What a system tells as texts under /proc. A system without them is one where /proc is not mounted: every path is
 * empty, so that opening it finds nothing.
 */

/* Whose processes /proc shows: those of our own pid namespace, no one's (it is not mounted), or another namespace's. */
enum proc_view { PROC_VIEW_OWN, PROC_VIEW_NONE, PROC_VIEW_FOREIGN };

enum proc_view proc_view(void);

/* The path of what FORMAT makes ("cpuinfo", "self/fd/%d") under /proc, cut to SIZE bytes. Returns PATH. */
char *proc_path(char *path, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

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
