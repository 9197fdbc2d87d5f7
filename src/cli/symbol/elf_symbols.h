/* SPDX-License-Identifier: MIT */
#pragma once

#include <libelf.h>

#include "symbol/symbol_table.h"

/*
 * The functions of ELF files, into a symbol table. Several files may go into one (a stripped file's .dynsym, the
 * .symtab of its debug file): the sized, global symbol of an address wins. Names point into the ELF data, which must
 * outlive the table.
 */

/* Adds the functions of ELF's section of TYPE (SHT_SYMTAB, SHT_DYNSYM). Returns how many; 0 when there is none. */
size_t elf_symbols_add(struct symbol_table *table, Elf *elf, unsigned type);

/* Adds `name@plt` for the stubs of ELF's .plt, .plt.sec and .plt.got (x86_64, aarch64). */
size_t elf_symbols_add_plt(struct symbol_table *table, Elf *elf);

/*
 * Adds where functions begin, from .eh_frame_hdr, without names (""): what a stripped file still tells, so that the
 * addresses of one function can be counted together.
 */
size_t elf_symbols_add_unwind_starts(struct symbol_table *table, Elf *elf);
