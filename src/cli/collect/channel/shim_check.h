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

/* Another allocator than libc's in a program: NAME ("jemalloc"; NULL: none is known) and how it escapes our hooks. */
struct shim_allocator {
    const char *name;
    bool linked_in; /* its functions are in the program's file */
    bool is_malloc; /* the program's file has malloc itself: no call reaches our hooks */
    bool takes_new; /* C++'s operator new is that of a shared allocator, which does not call malloc for it */
};

/*
 * What the file at PATH has of that. PRELOADED: the list of libraries that come before its own, NULL: none. DEEP reads
 * the symbols that are not for the loader too, of which there may be millions: only there is LINKED_IN found under
 * another name than malloc.
 */
void shim_check_allocator(const char *path, const char *preloaded, bool deep, struct shim_allocator *found);

/*
 * Whether operator new is an allocator's in PROGRAM, searched in PATH, with the libraries PRELOADED (NULL: none): it
 * needs the second shim, too. Libraries that its libraries need are not looked at.
 */
bool shim_check_operators(const char *program, const char *preloaded);

/* Finds the shim: RUSTSCOPE_SHIM, beside our executable (../lib), or where it was installed. False: nowhere. */
bool shim_find(char *path, size_t size);
/* The one for C++'s operators, beside that at SHIM. */
bool shim_find_operators(const char *shim, char *path, size_t size);
