/* SPDX-License-Identifier: MIT */
#pragma once

#include <rustscope.h>
#include <stdint.h>

#include "core/scopes.h"

/* Everything that all threads measured, added up. One mapping; histograms are gone once figures are known. */
struct rustscope_snapshot {
    size_t bytes;
    struct rs_scope_clock clock;
    uint32_t site_count, path_count, function_count;
    struct rs_scope_site *sites;
    /* paths[0] is the root; `site` of a path is the first site of that name and file. */
    struct rs_scope_path *paths;
    struct rustscope_function *path_figures;
    uint32_t *depth_first; /* the numbers of paths that were called, or have one below that was */
    uint32_t depth_first_count;
    struct rustscope_function *functions; /* largest self time first */
};

enum { RS_SENTENCE_BYTES = 1024 };
/* What rustscope_why() tells this thread: RS_SENTENCE_BYTES to fill, or NULL without memory. */
char *rs_sentence_buffer(void);

/* Adds up what contexts have measured per path. HISTOGRAMS (per path, RUSTSCOPE_HISTOGRAM_BUCKETS each) may be NULL. */
void rs_snapshot_add_up(struct rs_scope_path *paths, uint32_t path_count, uint64_t *histograms);
