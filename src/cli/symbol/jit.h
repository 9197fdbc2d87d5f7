/* SPDX-License-Identifier: MIT */
#pragma once

#include "symbol/symbol_table.h"

/*
 * Names that a JIT compiler writes down for profilers: /tmp/perf-PID.map (text) and jit-PID.dump (binary records). Both
 * come from the profiled program, so nothing in them is believed: sizes are checked, entries bounded, and a file is
 * read only when it is a regular one that belongs to this user (or, under sudo, to the user behind it) and nobody else
 * may write. Where code was replaced, the last entry of an address wins.
 */
enum { JIT_MAX_ENTRIES = 2000000 };

/* Adds the entries of a perf map (`START SIZE name` in hexadecimal). Returns how many. */
size_t jit_parse_map(struct symbol_table *table, const char *text, size_t len);

/* Adds the load records of a jitdump file of LEN bytes. Returns how many; 0 when it is not a jitdump file. */
size_t jit_parse_dump(struct symbol_table *table, const unsigned char *bytes, size_t len);

/*
 * Reads what process PID left, looking for the dump in CWD and ~/.debug/jit too, and finishes TABLE. The pid is as seen
 * here; while the process lives, its own name for itself in a container is tried as well. Returns how many entries.
 */
size_t jit_load(struct symbol_table *table, int pid, const char *cwd);
