/* SPDX-License-Identifier: MIT */
#include "tui/pty.h"

#include <errno.h>

/* Without terminals of its own, a program cannot be behind the live screen. */

int ptys_open(struct ptys *ptys, int tty_fd, struct rs_err *err)
{
    (void)tty_fd;
    *ptys = (struct ptys){.pty = {{.master = -1, .slave = -1}, {.master = -1, .slave = -1}}, .alive_fd = -1};
    return rs_err_set(err, -ENOSYS, "terminals for programs are not supported on this system");
}

void ptys_close_slaves(struct ptys *ptys)
{
    (void)ptys;
}

void ptys_close(struct ptys *ptys)
{
    (void)ptys;
}

pid_t ptys_fork(struct ptys *ptys, int tty_fd)
{
    (void)ptys, (void)tty_fd;
    return -ENOSYS;
}

void ptys_resize(struct ptys *ptys, int rows, int cols)
{
    (void)ptys, (void)rows, (void)cols;
}

enum ptys_mode ptys_sync(struct ptys *ptys)
{
    (void)ptys;
    return PTYS_WHOLE;
}

bool ptys_makes_signals(const struct ptys *ptys)
{
    (void)ptys;
    return false;
}
