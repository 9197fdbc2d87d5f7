/* SPDX-License-Identifier: MIT */
#pragma once

#include <sys/types.h>

/* Whose processes /proc shows: those of our own pid namespace, no one's (it is not mounted), or another namespace's. */
enum proc_view { PROC_VIEW_OWN, PROC_VIEW_NONE, PROC_VIEW_FOREIGN };

enum proc_view proc_view(void);

/*
 * The number of PID's folder under /proc. In a /proc of another pid namespace the same number is another process's:
 * there it is 0, which no process has, so that whoever opens the path finds nothing instead of a stranger.
 */
unsigned proc_pid(pid_t pid);
