/* SPDX-License-Identifier: MIT */
#include "system/launch.h"

#include <errno.h>

/* A system on which programs are not started yet. */

void launch_prepare(struct launch_state *state)
{
    *state = (struct launch_state){0};
}

void launch_state_restore(const struct launch_state *state)
{
    (void)state;
}

int launch_fork(struct launched *child, const struct launch_options *options, struct rs_err *err)
{
    *child = (struct launched){.pid = -1, .gate_fd = -1, .error_fd = -1};
    return rs_err_set(err, -ENOSYS, "cannot start %s: recording is not supported on this system", options->argv[0]);
}

int launch_go(struct launched *child, const char *program, struct rs_err *err)
{
    (void)child;
    return rs_err_set(err, -ENOSYS, "cannot start %s: recording is not supported on this system", program);
}

int launch_exit_status(int rc)
{
    return rc == -ENOENT || rc == -ENOTDIR ? 127 : 126;
}

void launch_abandon(struct launched *child)
{
    (void)child;
}
