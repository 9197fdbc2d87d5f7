/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

#include "base/err.h"

/*
 * The program's own terminals while the live screen has the real one: one pty for what is typed and for stderr, one for
 * stdout, so that both streams come back apart. A stdout that is not a terminal stays what it is.
 *
 * - The ptys do not post-process output (no ONLCR): what comes out of a master is byte for byte what was written. All
 *   other settings are those of the real terminal. Programs change "the terminal" through whichever descriptor they
 * like (ncurses through 1, vim through 0): ptys_sync() carries a change over to the other pty.
 * - stdin and stderr share theirs because it is the controlling terminal of a session, and programs use either for job
 *   control: bash asks descriptor 2, fish and gdb ask 0. So /dev/tty, Ctrl-C, Ctrl-Z and jobs work inside as outside.
 *   (Three ptys were tried: bash then has no job control.)
 *
 * Three processes make that so. The program stays our own child (wait and rusage work as ever), made by the keeper with
 * CLONE_PARENT: a session of its own needs a leader, and were the program the leader, it would get SIGHUP when we die,
 * and Ctrl-Z could not stop it (its process group would be orphaned). The anchor, a child of the keeper, sits in the
 * program's group and by that alone keeps the group from being orphaned. When rustscope dies without a word, the keeper
 * restores the real terminal and passes on what the program still writes.
 */
enum { PTY_MAIN, PTY_STDOUT, PTY_COUNT };

struct pty {
    int master, slave;   /* -1: stdout is not a terminal */
    struct termios seen; /* as of the last ptys_sync() */
};

struct ptys {
    struct pty pty[PTY_COUNT];
    bool newline_to_crlf; /* what the program believes the terminal does on output */
    pid_t keeper, group;  /* group: the program's process group, also its pid */
    int alive_fd;         /* closed by our death, however it comes */
};

/* TTY_FD is the real terminal, whose settings and size the ptys get. Returns 0 or a negative errno with a sentence. */
int ptys_open(struct ptys *ptys, int tty_fd, struct rs_err *err);
/* Our copies of the slaves, and with END the masters, the keeper. */
void ptys_close_slaves(struct ptys *ptys);
void ptys_close(struct ptys *ptys);

/*
 * fork() with the program's session around it: returns the program's pid, 0 in the program, or a negative errno. The
 * keeper restores the terminal TTY_FD from the shared page of terminal.h when we are gone.
 */
pid_t ptys_fork(struct ptys *ptys, int tty_fd);

void ptys_resize(struct ptys *ptys, int rows, int cols);

/* How the program has set its terminal. */
enum ptys_mode {
    PTYS_LINES,  /* lines with echo: the live screen may stay */
    PTYS_SECRET, /* lines without echo: it asks for a password */
    PTYS_WHOLE,  /* single characters, or another process group in front: it wants the terminal for itself */
};
enum ptys_mode ptys_sync(struct ptys *ptys);
/* Whether Ctrl-C and Ctrl-Z make signals (ISIG). */
bool ptys_makes_signals(const struct ptys *ptys);
