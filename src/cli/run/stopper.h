/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "session/session.h"
#include "system/loop.h"

/*
 * How a recording comes to its end: signals to rustscope, the duration, the escalation that ends the program.
 *
 * A SIGINT typed at the terminal has reached the program already and is not forwarded; one that was sent to us is,
 * once. Then the program has 2 s, then it gets SIGTERM, 2 s, SIGKILL. A second Ctrl-C skips the waiting. The
 * escalation runs when the program does not catch SIGINT, when stdin is no terminal or when the live screen is up;
 * otherwise (a REPL, gdb, less) Ctrl-C belongs to the program, and two within a second end the session.
 */
struct stopper_options {
    pid_t pid;
    const struct loop_watch *program; /* the loop's watch of it, which outlives the stopper */
    bool ours;                        /* launched by us: it is ended with the session; an attached program never is */
    bool listen;                      /* there is no program of one's own: programs come and go, and PROGRAM is NULL */
    bool keep;                        /* at the end of the duration, leave it running */
    bool screen;                      /* the live screen owns the keyboard */
    bool stdin_is_terminal;
    /* Called once, when the session must end without waiting for the program (detach, or it would not die). */
    void (*on_end)(void *ctx);
    void *ctx;
};

struct stopper;

struct stopper *stopper_new(struct loop *loop, const struct stopper_options *options);
void stopper_free(struct stopper *stopper);

/* A signal that rustscope received. FROM_TERMINAL: typed there, so the whole process group has it. */
void stopper_signal(struct stopper *stopper, int signo, bool from_terminal);
/* The duration is over. */
void stopper_duration_over(struct stopper *stopper);
/* The live screen steps aside for a program that takes the terminal, or comes back. */
void stopper_set_screen(struct stopper *stopper, bool screen);
/* The person asked for the end (q in the live screen). */
void stopper_quit(struct stopper *stopper);

/* Why the session ended, once the program has: whether somebody asked, and how. */
enum stop_reason stopper_reason(const struct stopper *stopper, int wait_status);
/* Whether an end was asked for by signal or key. */
bool stopper_interrupted(const struct stopper *stopper);
