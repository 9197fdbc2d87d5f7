/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "analyze/window.h"
#include "session/session.h"

/*
 * Whose line of code it is. The owner of a node is the innermost frame of the reader's own code (layer user) on its
 * stack; where there is none, the outermost frame of the dependency nearest to the node. That is the line that the
 * reader can change, while the innermost frame is often a library's. A node without either has no owner: [unsampled],
 * the loader, the kernel's own work.
 */
struct owner_map {
    int32_t *owner; /* by node: the node of its owner, CALLTREE_NO_NODE without */
    int32_t *via;   /* by node: the node that its owner called on the way; CALLTREE_NO_NODE in the owner itself */
};

void owner_map_init(struct owner_map *map, const struct session *s);
void owner_map_release(struct owner_map *map);

/* Frame indices stand for functions: the heaviest line of each. UINT32_MAX: none. */
struct owner_cost {
    uint32_t frame;   /* the owner's */
    uint32_t via;     /* what it called that cost the most; UINT32_MAX when it called nothing */
    uint64_t self_us; /* in the owner itself */
    uint64_t all_us;  /* self, and all below it that is not the reader's */
};

/* Self time of a function of anybody's, by who of the reader's made it. */
struct owner_leaf {
    uint32_t frame; /* the owner's; UINT32_MAX without one */
    uint32_t leaf;  /* equal to `frame` where the owner itself ran */
    uint64_t us;
};

struct owner_costs {
    struct owner_cost *owners; /* by all_us, the most first */
    size_t owner_count;
    struct owner_leaf *leaves; /* by us, the most first */
    size_t leaf_count;
    uint64_t all_us; /* of everything in the window, less the profiler's */
};

/* Sums AMOUNTS, one entry a node: us, or bytes, whatever they are. Release COSTS afterwards. */
void owner_costs_of(const struct session *s, const uint64_t *amounts, const struct owner_map *map,
                    struct owner_costs *costs);
/* The same for value VALUE of ROWS (the session's cpu_rows or offcpu_rows) over WINDOW, less what is the profiler's. */
void owner_costs_compute(const struct session *s, const struct rows *rows, unsigned value, const struct owner_map *map,
                         const struct time_window *window, struct owner_costs *costs);
void owner_costs_release(struct owner_costs *costs);
