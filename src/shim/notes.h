/* SPDX-License-Identifier: MIT */
#pragma once

/* What librustscope_shim.so does for librustscope_shim_cxx.so, which finds these by name. */
#include <rustscope.h>
#include <stddef.h>
#include <stdint.h>

/*
 * BLOCK was allocated, or is about to be freed, by something else than the malloc family; see rs_record_alloc() and
 * rs_record_free(). Nothing without a CLI.
 */
RUSTSCOPE_API void rustscope_shim_note_alloc(const void *block, size_t size, uint64_t pc, uint64_t sp, uint64_t fp);
RUSTSCOPE_API void rustscope_shim_note_free(const void *block, uint64_t sp);

/* BY 1: what this thread allocates from here on is not recorded; -1: it is again. They nest. */
RUSTSCOPE_API void rustscope_shim_quiet(int by);
