/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

/*
 * Named ranges of addresses: the symbols of ELF files, the kernel's, those of a JIT. Add in any order, finish once,
 * then find. Among entries of one address the one with the highest rank wins. 40 bytes an entry. Names belong to
 * whoever added them, or are copied with symbol_table_keep().
 */
struct table_symbol {
    uint64_t addr, end;
    const char *name;
    uint32_t rank;
    bool sized; /* hand-written assembly often has no size: it reaches to the next symbol, at most to END */
};

struct symbol_table {
    struct table_symbol *list;
    size_t count, cap;
    uint64_t *max_end; /* the largest end of the sized ones in [0, i]: tells a search backwards when to stop */
    struct arena kept;
};

/* A zeroed table is ready. */
void symbol_table_release(struct symbol_table *table);
void symbol_table_add(struct symbol_table *table, const struct table_symbol *symbol);
/* A NUL-terminated copy of the LEN bytes at NAME that lives as long as TABLE. */
const char *symbol_table_keep(struct symbol_table *table, const char *name, size_t len);
/* Sorts and drops what is outranked; call after the last addition. */
void symbol_table_finish(struct symbol_table *table);
/* The innermost symbol that covers ADDR; NULL without one. *LO and *HI receive the range with the same answer. */
const struct table_symbol *symbol_table_find(const struct symbol_table *table, uint64_t addr, uint64_t *lo,
                                             uint64_t *hi);
