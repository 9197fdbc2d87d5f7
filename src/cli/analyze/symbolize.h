/* SPDX-License-Identifier: MIT */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include "session/session.h"

/*
 * Gives the raw frames of a session's call tree their names, and puts the functions that were inlined there between
 * them. Every row that refers to a node follows. Addresses and build-ids stay, so it can be done again: on a session
 * read from a file it upgrades what can be read better here and now, and leaves the rest as it was.
 */
struct symbolize_options {
    bool live; /* recorded on this boot: kernel and JIT addresses still mean something */
    bool no_cache;
    bool debuginfod;                    /* ask the servers of DEBUGINFOD_URLS */
    const char *debug_root, *cache_dir; /* for tests; NULL is the usual */
    const volatile sig_atomic_t *stop;  /* not zero: finish quickly, from symbol tables alone. May be NULL */
};

struct symbolize_result {
    uint64_t addresses, from_cache, unknown, modules, unreadable_modules;
};

/* Fills modules[].symbols, frames and diagnostics.unknown_symbols; the result is for people who ask for -v. */
struct symbolize_result symbolize(struct session *s, const struct symbolize_options *options);

/*
 * Names for the live screen, as frames come in: from symbol tables only, without inlined functions, in place. Cheap
 * enough for the event loop: at most BUDGET_NS are spent in one call, plus what opening one module takes.
 */
struct live_names;
struct live_names *live_names_new(struct session *s);
void live_names_update(struct live_names *names, uint64_t budget_ns);
void live_names_free(struct live_names *names);
