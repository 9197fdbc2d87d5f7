/* SPDX-License-Identifier: MIT */
#pragma once

#include "symbol/symbol_table.h"

/*
 * The running kernel's functions. Addresses that the kernel hides (kptr_restrict) read as zero: then there are none.
 */

/* Adds the functions of LEN bytes in the form of /proc/kallsyms. Returns how many had an address. */
size_t kallsyms_parse(struct symbol_table *table, const char *text, size_t len);

/* Reads /proc/kallsyms into TABLE and finishes it. Returns how many, or a negative errno. */
int kallsyms_load(struct symbol_table *table);
