/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/channel/shim_check.h"
#include "session/session.h"

/* Why allocations are missing, in sentences for a person. Pure functions of what was counted; they read no files. */

/* What is known of one process's memory. Sizes in bytes. */
struct explain_memory {
    uint64_t allocations;  /* calls of malloc and its family that were recorded */
    uint64_t heap_peak;    /* held by them at the most */
    uint64_t outside_peak; /* mapped by the program itself, at the most */
    uint64_t anon_peak;    /* what the kernel saw */
};

/* Whether memory grew of which malloc's callers hold little: the allocator in the program is worth a look. */
bool explain_is_suspicious(const struct explain_memory *memory);

/*
 * Why calls of a process are not seen: a static word or two for the process, and a sentence with the remedy into
 * SENTENCE of SIZE bytes. NULL: they are. FOUND is what shim_check_allocator() said; HOOKS_OPERATORS as in
 * environment.h.
 */
const char *explain_bypass(const struct shim_allocator *found, bool hooks_operators,
                           const struct explain_memory *memory, char *sentence, size_t size);

/* What was lost on the way. */
struct explain_losses {
    uint64_t dropped;       /* events */
    uint64_t blind_ns;      /* programs took rustscope for dead */
    uint64_t uncertain;     /* blocks whose free may have been dropped */
    uint64_t unknown_frees; /* of blocks that no event allocated */
    uint64_t images;        /* frames of process images beyond the bounds */
    uint64_t nodes;         /* call paths beyond them */
};

/* A warning for each kind of loss that is worth one. */
void explain_losses(struct session *session, const struct explain_losses *losses);
