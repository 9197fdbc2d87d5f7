/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "session/session.h"
#include "system/launch.h"
#include "system/loop.h"

/*
 * The live screen: charts, events and the program's output while it runs. It opens a moment after the program has
 * started, so that a short program or one that takes the terminal for itself (vim, a shell) never sees it flash.
 *
 * The program's terminals are ptys of ours (pty.h). What it writes is kept and written out, stream by stream and byte
 * by byte, when the screen goes. When it asks for single keys, hides what is typed, or another process group comes to
 * the front, the live screen steps aside: then everything passes straight through, as if we were not there.
 */
struct tui;

struct tui_options {
    struct loop *loop;
    struct session *session;
    double hot_cpu_pct;
    bool launch;                     /* the program is ours to start; else it runs already and has its own terminal */
    void (*on_interrupt)(void *ctx); /* Ctrl-C was typed; the program has its SIGINT */
    void (*on_quit)(void *ctx);      /* q */
    void (*on_aside)(void *ctx, bool aside);
    void *ctx;
};

/* Whether a live screen makes sense here: see terminal_possible(). */
bool tui_possible(void);

/* Takes the terminal. NULL with a sentence when that fails; recording can go on without. */
struct tui *tui_new(const struct tui_options *options, struct rs_err *err);
/* Gives the program its terminals: to be called between tui_new() and launch_fork(). */
void tui_prepare_launch(struct tui *tui, struct launch_options *launch);
/* The program runs as PID. */
void tui_start(struct tui *tui, pid_t pid);

/* Episode EVENT has begun or grown: the header flashes for two seconds after its beginning. */
void tui_flash(struct tui *tui, uint32_t event);

/* Gives the terminal back and writes out what the program wrote meanwhile. NULL is fine. */
void tui_free(struct tui *tui);
