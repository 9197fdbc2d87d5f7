/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Where this thread's stack lies and which file an address belongs to: what stack.c asks the system. Nothing allocates,
 * locks or changes errno.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The part of this thread's stack from the current sp to its end, when that is near enough to be sure of; false when it
 * is not. IS_MAIN: the process's first thread.
 */
bool rs_stack_near_end(bool is_main, uint64_t *low, uint64_t *high);

/* Copies up to LEN bytes from ADDRESS, as many as are readable; returns how many. */
long rs_stack_copy(void *to, uint64_t address, size_t len);

/*
 * The absolute path of the module at ADDRESS, the loader's text or made in PATH of SIZE bytes; "" for the program itself,
 * NULL when it cannot be told. What is not a file ("linux-vdso.so.1") has no folder.
 */
const char *rs_stack_module_path(uint64_t address, char *path, size_t size);
