/* SPDX-License-Identifier: MIT */
#pragma once

#include <rustscope.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What the process knows about places and call paths, by small numbers.
 *
 * A site gets its number when it first runs; the texts are copied, so unloading the module that holds it harms nothing,
 * and loading it again finds the same number. A path is a parent path and a site. Both are only ever added, published by
 * one store of the count, and never move: readers take no lock, and a fork in mid-addition leaves a child with a whole
 * registry. Signal handlers use it too, as long as they have not cut into it (scope.c sees to that).
 */
enum {
    RS_SITES_MAX = 1 << 14,
    RS_PATHS_MAX = 1 << 16,
    RS_BUDGETS_MAX = 256,
};

struct rs_site_entry {
    const char *name;
    const char *function;
    const char *file;
    uint32_t line;
    uint32_t flags;
    uint32_t mode;
    uint32_t hash;
};

struct rs_path_entry {
    uint32_t parent;
    uint32_t site;
};

struct rs_budget {
    const char *name;
    uint64_t ns; /* 0: none */
    rustscope_budget_fn callback;
    void *ctx;
};

/* The number of SITE, from 1, which it also gets; 0 when there is no room. */
uint32_t rs_registry_site(struct rustscope_site *site);
const struct rs_site_entry *rs_registry_site_entry(uint32_t site);
/* Sites are 1 … count-1. */
uint32_t rs_registry_site_count(void);

/* The number of the path, from 1; 0, which is the root, when there is no room. */
uint32_t rs_registry_path(uint32_t parent, uint32_t site);
const struct rs_path_entry *rs_registry_path_entry(uint32_t path);
uint32_t rs_registry_path_count(void);

/* 0 or -ENOSPC. */
int rs_registry_set_budget(const char *name, uint64_t ns, rustscope_budget_fn callback, void *ctx);
/* False when NAME has none. */
bool rs_registry_budget(const char *name, struct rs_budget *out);

/* A copy of TEXT that lives as long as the process; NULL without memory. */
const char *rs_registry_copy(const char *text);

/* In a forked child: nobody holds the lock. */
void rs_registry_forked(void);
