/* SPDX-License-Identifier: MIT */
#pragma once

/* What reading a module from a file and from memory have in common. Reads only inside what it is given. */
#include <elf.h>

#include "core/unwind.h"

/* Copy the ELF header at FILE into *EH; false if this is not a 64-bit ELF file of this architecture. */
bool rs_elf_header(const uint8_t *file, size_t size, Elf64_Ehdr *eh);

/*
 * Take the search table from the .eh_frame_hdr HDR, at ADDR in the process, and store where .eh_frame is in *EH_ADDR.
 * False if it is malformed. Without a usable table m->table stays empty.
 */
bool rs_unwind_use_hdr(struct rs_unwind_module *m, const uint8_t *hdr, size_t len, uint64_t addr, uint64_t *eh_addr);
