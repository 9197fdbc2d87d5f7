/* SPDX-License-Identifier: MIT */
#pragma once

#include <rustscope.h>
#include <string.h>
#include <time.h>

#include "suite.h"

static inline uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void spin_ns(uint64_t ns)
{
    uint64_t end = now_ns() + ns;

    while (now_ns() < end)
        ;
}

/* The figures of the function NAME; all zero when it never ran. */
static inline struct rustscope_function figures_of(const char *name)
{
    struct rustscope_snapshot *s = rustscope_collect();
    struct rustscope_function f;

    memset(&f, 0, sizeof(f));
    f.size = sizeof(f);
    ck_assert_ptr_nonnull(s);
    rustscope_find_function(s, name, &f);
    rustscope_snapshot_free(s);
    return f;
}

struct path_count {
    const char *name;
    unsigned depth;
    uint64_t calls;
    unsigned paths;
};

static inline void count_path(const struct rustscope_function *path, unsigned depth, void *ctx)
{
    struct path_count *c = (struct path_count *)ctx;

    if (strcmp(path->name, c->name) || (c->depth != ~0u && c->depth != depth))
        return;
    c->calls += path->calls;
    c->paths++;
}

/* The call paths that end in NAME, DEPTH scopes below the top (~0: anywhere). */
static inline struct path_count paths_of(const char *name, unsigned depth)
{
    struct path_count c = {name, depth, 0, 0};
    struct rustscope_snapshot *s = rustscope_collect();

    rustscope_foreach_path(s, count_path, &c);
    rustscope_snapshot_free(s);
    return c;
}
