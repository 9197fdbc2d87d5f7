/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * Which process is whose child, from libproc2 in one long-lived thread (libproc2 leaks 256 KiB for every thread that
 * used it and ended). It looks at all processes about once a second, less often on machines where that takes long, and
 * finds descendants that the cheaper look at task/TID/children missed. Results are taken by the event loop's thread.
 *
 * Command lines are not asked of it: its vectors are split at line breaks too, so arguments would not come out as they
 * were.
 */
struct proctable;

struct proctable_entry {
    pid_t pid, ppid;
};

struct proctable *proctable_new(void);
/* Ends the thread; waits for a look that is under way. */
void proctable_free(struct proctable *table);

/* What has come since the last call, in *ENTRIES, which the caller frees. */
size_t proctable_take(struct proctable *table, struct proctable_entry **entries);
