/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

/*
 * What a program that is to be recorded finds in its environment: the way to the channel, and the shims before the
 * user's own preloads. Made once, before the program is launched.
 */
struct environment {
    char *variables[4];   /* "NAME=VALUE", NULL-terminated */
    char links[2][128];   /* other names of shims whose paths LD_PRELOAD would split; "" unused */
    bool hooks_operators; /* librustscope_shim_cxx.so is preloaded, too */
    bool shim_missing;    /* librustscope_shim.so was not found */
    const char *no_shim;  /* why the program cannot carry the shim, a static string; NULL: it can, or need not */
};

struct environment_options {
    const char *fifo;    /* of the channel */
    const char *folder;  /* where links may be made */
    const char *program; /* as it was asked for: a path, or a name to be found in PATH */
    bool shim;           /* allocations or the timer are wanted */
    bool operators;      /* C++'s operators, too, where the program's are another allocator's */
};

/* Fills ENV, which environment_release() empties. Reads LD_PRELOAD, ASAN_OPTIONS and RUSTSCOPE_SHIM of this process. */
void environment_make(struct environment *env, const struct environment_options *options);
void environment_release(struct environment *env);
