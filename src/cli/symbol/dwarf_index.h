/* SPDX-License-Identifier: MIT */
#pragma once

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Address to inline chain over the DWARF of one ELF file, by libdw.
 *
 * libdw's own dwarf_getscopes() walks a whole unit for every address; here a unit's functions are listed once, when the
 * first address falls into it, and a function's inlined calls when the first address falls into that function. What
 * libdw keeps per unit (lines, abbreviations) is only freed with the whole handle, so after many units the handle is
 * closed and opened again: memory is bounded by the largest unit, not by the file. Units without address ranges
 * of their own are searched last. A unit without functions (assembly, the skeleton of split DWARF whose other half is
 * gone) still tells lines.
 */
struct dwarf_index;

enum { DWARF_INDEX_MAX_DEPTH = 256 }; /* inlined calls at one address */

struct dwarf_scope {
    const char *name;    /* as in the source; NULL without one */
    const char *linkage; /* NULL without one */
    const char *file;    /* NULL when unknown */
    const char *dir;     /* what FILE is relative to; NULL when it is absolute or that is not known */
    uint32_t line;
    bool inlined;
};

/* The chain at an address, innermost first; texts belong to libdw and last until the next lookup. */
struct dwarf_chain {
    uint64_t lo, hi; /* every address of [lo, hi) has this chain */
    bool partial;    /* no function is known here, only the line: scopes[0] has no name */
    size_t count;
    struct dwarf_scope scopes[DWARF_INDEX_MAX_DEPTH + 1];
};

/* NULL when ELF has no usable DWARF. ELF must outlive the index. */
struct dwarf_index *dwarf_index_open(Elf *elf);
void dwarf_index_close(struct dwarf_index *index);

/* False when neither a function nor a line of the DWARF covers ADDR. */
bool dwarf_index_find(struct dwarf_index *index, uint64_t addr, struct dwarf_chain *chain);

/*
 * The other half of a unit with split DWARF that was not found (`app.dwo`), of the first such unit that an address fell
 * into; NULL: nothing is missing. Belongs to INDEX.
 */
const char *dwarf_index_missing(const struct dwarf_index *index);

/* Units parsed so far. */
uint64_t dwarf_index_units_read(const struct dwarf_index *index);
