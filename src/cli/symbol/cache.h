/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbol/symbol.h"

/*
 * The symbol cache: one file per module, holding what was resolved as ranges of addresses with an equal answer. It sits
 * in a directory of the user's, is written to a temporary file and renamed, and merged with what another run wrote
 * meanwhile; the last of two writers may drop the other's additions, never break the file. A file that does not belong
 * to exactly this module and debug file, is damaged, or is not the user's own, counts as empty.
 *
 * Bounds: CACHE_MAX_RANGES a file, 256 MB for the directory (the files unused longest go first).
 */
enum { CACHE_MAX_RANGES = 200000, CACHE_MAX_FILE_BYTES = 64 * 1024 * 1024 };

/* Every address of [lo, hi) has the frames [first, first + count). */
struct answer_range {
    uint64_t lo, hi;
    uint32_t first, count;
};

/* Ranges and frames; texts belong to somebody else (the blob of a file, or the writer's string table). */
struct answers {
    struct answer_range *ranges; /* ascending and disjoint once read or merged */
    size_t range_count, range_cap;
    struct symbol_frame *frames;
    size_t frame_count, frame_cap;
    char *blob; /* the texts of a file that was read */
};

void answers_release(struct answers *answers);
/* Appends a range with a copy of FRAMES (not of the texts). */
void answers_add(struct answers *answers, uint64_t lo, uint64_t hi, const struct symbol_frame *frames, size_t count);
/* The range that covers ADDR; needs ascending, disjoint ranges. */
const struct answer_range *answers_find(const struct answers *answers, uint64_t addr);

/* Parses LEN bytes of a cache file for IDENTITY into an empty ANSWERS. False, and nothing kept, when anything is wrong.
 */
bool cache_parse(const void *bytes, size_t len, uint64_t identity, struct answers *answers);

/* Reads the file NAME of DIR. False when there is no such file, or it cannot be trusted. */
bool cache_read(const char *dir, const char *name, uint64_t identity, struct answers *answers);

/* Writes ADDED, merged with what the file NAME holds by now. Returns 0 or a negative errno; nobody has to care. */
int cache_write(const char *dir, const char *name, uint64_t identity, const struct answers *added);

/* $XDG_CACHE_HOME/rustscope/symbols or ~/.cache/rustscope/symbols, created 0700. NULL when there is no such place. */
char *cache_default_dir(void);
