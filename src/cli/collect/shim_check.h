/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether a program can carry librustscope_shim.so. The dynamic loader ignores or refuses a preload in some programs,
 * and AddressSanitizer's run-time aborts when it does not come first: those run as they are, and the report says so.
 *
 * Returns NULL if it can, else a short reason for a person ("statically linked"). PROGRAM is searched in PATH like
 * execvp does; scripts are judged by their interpreter. An unreadable file can, for all we know.
 */
const char *shim_check_program(const char *program);
/* The same for a path, without a search. */
const char *shim_check_file(const char *path);

/* Finds the shim: RUSTSCOPE_SHIM, beside our executable (../lib), or where it was installed. False: nowhere. */
bool shim_find(char *path, size_t size);
