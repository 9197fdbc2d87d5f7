/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "text/canvas.h"

/*
 * The real terminal: raw while we have it, restored on every way out. There is one a process.
 *
 * - Everything goes out through a pipe and a small thread that writes to the terminal, so a terminal that is stopped or
 * slow (a stalled ssh) never holds up the event loop: frames are left out, passed-on output waits in the program's pty.
 * - What restores it (settings, and the sequence that leaves the full screen) lies in a page shared with the keeper of
 *   pty.h, which uses it when we were killed. Crashes and die() restore from here; both are safe in a signal handler.
 */

/* Whether there can be a live screen: stdin and stderr are terminals, and TERM names one that can place the cursor. */
bool terminal_possible(void);

/* Saves the settings of the terminal behind stdin. Returns its descriptor, or a negative errno with a sentence. */
int terminal_open(struct rs_err *err);
/* Leaves the full screen and puts the settings back. Safe to call twice. */
void terminal_close(void);

/* Raw input from now on (keys one by one, Ctrl-C a key), or the settings as they were. */
void terminal_raw(bool raw);
/* Whether our process group has the terminal: after `bg` it must not be touched. */
bool terminal_in_foreground(void);
/* The size; 24 x 80 when the terminal does not know it. */
void terminal_size(int *rows, int *cols);

/* The full screen (ncurses). Returns 0 or a negative errno with a sentence. */
int terminal_screen_on(struct rs_err *err);
/* Back to the normal screen, with what stood there. */
void terminal_screen_off(void);
/* Copies CANVAS to the screen; left out when the terminal has not taken the last frame yet. */
void terminal_show(const struct canvas *canvas);

/*
 * Bytes for the normal screen. Takes what there is room for and returns how much, so that the rest can wait; 0 when the
 * terminal is stopped.
 */
size_t terminal_write(const char *bytes, size_t len);
/* Waits until the terminal has taken everything, at most TIMEOUT_MS. */
void terminal_drain(int timeout_ms);

/* Async-signal-safe, from any process that shares the page: the terminal as it was before terminal_open(). */
void terminal_restore_now(void);

/* The keeper's sign that we ended in good order and it has nothing to restore. */
void terminal_say_goodbye(int alive_fd);
bool terminal_heard_goodbye(int alive_fd);
