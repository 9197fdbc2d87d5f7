/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

/*
 * One printable sentence for the person at the terminal. Functions below cmd_* return a negative errno (or another
 * negative code of theirs) and, when the caller passed one, fill an rs_err; they never print and never exit.
 */
struct rs_err {
    char text[600];
};

/* Stores the formatted sentence in ERR (which may be NULL) and returns RC, so that `return rs_err_set(…)` reads well.
 */
int rs_err_set(struct rs_err *err, int rc, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* For cmd_* and main only. `die` prints "rustscope: SENTENCE" on stderr and exits with STATUS (2 is usage). */
void die(int status, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Our own fault: says so, asks for a report, aborts. */
#define bug(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)
void bug_at(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4), noreturn));

/* Called before die() and bug() print: the screen registers here to restore the terminal. NULL unregisters. */
void err_set_restore_hook(void (*hook)(void));
