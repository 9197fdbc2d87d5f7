/* SPDX-License-Identifier: MIT */
#include "collect/channel/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "collect/channel/shim_check.h"

enum { PATH_BYTES = 4096 };

/* LD_PRELOAD is split at blanks and colons: a path that has some goes by another name. */
static const char *preloadable(struct environment *env, const char *folder, const char *shim, unsigned which)
{
    char *link = env->links[which];

    if (!strpbrk(shim, " :"))
        return shim;
    snprintf(link, sizeof(env->links[which]), "%s/shim%u.so", folder, which);
    if (symlink(shim, link)) {
        link[0] = '\0';
        return NULL;
    }
    return link;
}

/* What comes before the user's own preloads: both shims where SHIM alone would miss the program's operator new. */
static char *preloads(struct environment *env, const struct environment_options *options, const char *shim)
{
    const char *user = getenv("LD_PRELOAD"), *operators = NULL;
    char path[PATH_BYTES];

    if (options->operators && shim_check_operators(options->program, user) &&
        shim_find_operators(shim, path, sizeof(path)))
        operators = preloadable(env, options->folder, path, 1);
    env->hooks_operators = operators != NULL;
    shim = preloadable(env, options->folder, shim, 0);
    if (!shim)
        return NULL;
    return xasprintf("LD_PRELOAD=%s%s%s%s%s", shim, operators ? ":" : "", operators ? operators : "",
                     user && *user ? ":" : "", user ? user : "");
}

void environment_make(struct environment *env, const struct environment_options *options)
{
    const char *asan = getenv("ASAN_OPTIONS");
    char path[PATH_BYTES];
    size_t n = 0;

    *env = (struct environment){0};
    env->variables[n++] = xasprintf("RUSTSCOPE_ALLOC_PIPE=%s", options->fifo);
    if (!options->shim)
        return;
    env->no_shim = shim_check_program(options->program);
    if (env->no_shim)
        return;
    if (!shim_find(path, sizeof(path)) || !(env->variables[n] = preloads(env, options, path))) {
        env->shim_missing = true;
        env->no_shim = "librustscope_shim.so was not found";
        return;
    }
    n++;
    /* A child may be built with AddressSanitizer, which refuses to start behind a preload. The user's word is last. */
    env->variables[n++] =
        xasprintf("ASAN_OPTIONS=verify_asan_link_order=0%s%s", asan && *asan ? ":" : "", asan ? asan : "");
}

void environment_release(struct environment *env)
{
    for (size_t i = 0; i < sizeof(env->links) / sizeof(*env->links); i++)
        if (env->links[i][0])
            unlink(env->links[i]);
    for (size_t i = 0; i < sizeof(env->variables) / sizeof(*env->variables); i++)
        free(env->variables[i]);
    *env = (struct environment){0};
}
