/* SPDX-License-Identifier: MIT */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * Starting the program so that it cannot tell the difference: descriptors, signal mask and dispositions, limits, umask,
 * process group and terminal are what they were when rustscope started.
 *
 * The child is forked first and waits behind a gate, so that sources can attach to its pid before its first
 * instruction; launch_go() opens the gate and says whether exec worked.
 */

/* What rustscope changes in itself and the program must get back. */
struct launch_state {
    sigset_t mask;
    struct sigaction pipe_action, xfsz_action;
    struct rlimit nofile;
};

struct launch_options {
    char *const *argv;        /* NULL-terminated; argv[0] is searched in PATH */
    char *const *env;         /* NULL-terminated "NAME=VALUE" to set in the program, may be NULL */
    int stdio[3];             /* descriptors to take the place of 0, 1, 2; -1: ours as they are */
    pid_t (*fork)(void *ctx); /* in place of fork(2), or NULL: the live screen gives the program a session */
    void *fork_ctx;
    void (*before_exec)(void *ctx); /* in the child, last before exec; async-signal-safe; may be NULL */
    void *before_exec_ctx;
    const struct launch_state *state;
};

struct launched {
    pid_t pid;
    int gate_fd;  /* writing opens the gate */
    int error_fd; /* the child's errno when exec fails, end of file when it worked */
};

/*
 * Makes this process ready to record, and keeps in STATE what it was before: SIGPIPE and the signal of a file-size
 * limit become errors of write(), and as many descriptors may be open as the hard limit permits (many processes mean
 * many of them). To be called once, before signals are taken and threads are made.
 */
void launch_prepare(struct launch_state *state);
/* In a child about to exec: puts back what launch_prepare() found. */
void launch_state_restore(const struct launch_state *state);

/* Forks. Returns 0 or a negative errno with a sentence. */
int launch_fork(struct launched *child, const struct launch_options *options, struct rs_err *err);

/*
 * Opens the gate and waits for exec. Returns 0; or a negative errno with a sentence when the program could not be run
 * (the child is reaped): see launch_exit_status(). Blocks for as long as exec takes.
 */
int launch_go(struct launched *child, const char *program, struct rs_err *err);

/* The exit status for a program that could not be run, as a shell's: 127 not found, 126 not executable. */
int launch_exit_status(int rc);

/* Ends a child that still waits behind the gate. */
void launch_abandon(struct launched *child);
