/* SPDX-License-Identifier: MIT */
#include "system/exits.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"

struct exits {
    int unused;
};

struct exits *exits_new(void)
{
    return xcalloc(1, sizeof(struct exits));
}

void exits_free(struct exits *exits)
{
    free(exits);
}

int exits_watch(struct exits *exits, pid_t pid, uint32_t token)
{
    (void)exits, (void)pid, (void)token;
    return -ENOSYS;
}

void exits_forget(struct exits *exits, int handle)
{
    (void)exits, (void)handle;
}

size_t exits_wait(struct exits *exits, int timeout_ms, uint32_t *tokens, size_t max)
{
    struct timespec pause = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};

    (void)exits, (void)tokens, (void)max;
    if (timeout_ms > 0)
        nanosleep(&pause, NULL);
    return 0;
}
