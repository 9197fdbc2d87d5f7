/* SPDX-License-Identifier: MIT */
#pragma once

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The function symbols of ELF files as one sorted table. Several files may be added (a stripped file's .dynsym, the
 * .symtab of its debug file); among symbols of one address the sized, global one wins. Names point into the ELF data,
 * which must outlive the table, or into the table (PLT stubs). 32 bytes a symbol.
 */
struct elf_symbol {
    uint64_t addr, end;
    const char *name;
    bool sized; /* hand-written assembly often has no size: it reaches to the next symbol, at most to END */
    uint8_t rank;
};

struct elf_symbols {
    struct elf_symbol *list;
    size_t count, cap;
    uint64_t *max_end; /* the largest end of the sized ones in [0, i]: tells a search backwards when to stop */
    char **owned;
    size_t owned_count, owned_cap;
};

/* A zeroed table is ready. */
void elf_symbols_release(struct elf_symbols *symbols);

/* Adds the functions of ELF's section of TYPE (SHT_SYMTAB, SHT_DYNSYM). Returns how many; 0 when there is none. */
size_t elf_symbols_add(struct elf_symbols *symbols, Elf *elf, unsigned type);

/* Adds `name@plt` for the stubs of ELF's .plt, .plt.sec and .plt.got (x86_64, aarch64). */
size_t elf_symbols_add_plt(struct elf_symbols *symbols, Elf *elf);

/* Sorts; call once after the last addition. */
void elf_symbols_finish(struct elf_symbols *symbols);

/* The innermost symbol that covers ADDR; NULL without one. *LO and *HI receive the range with the same answer. */
const struct elf_symbol *elf_symbols_find(const struct elf_symbols *symbols, uint64_t addr, uint64_t *lo, uint64_t *hi);
