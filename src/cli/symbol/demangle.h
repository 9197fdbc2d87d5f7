/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

/*
 * Linkage names to what a person reads: C++ (Itanium), Rust (legacy and v0). By libiberty with its recursion limits on
 * (which refuse C++ names longer than 1,024 bytes); hostile names can neither exhaust the stack nor the memory, since
 * the output is cut, visibly, at DEMANGLE_MAX bytes.
 */
enum { DEMANGLE_MAX = 8192 };

enum symbol_language { LANGUAGE_C, LANGUAGE_CXX, LANGUAGE_RUST };

/*
 * Writes the readable form of LINKAGE into OUT (DEMANGLE_MAX + 8 bytes), NUL-terminated, and its language to *LANGUAGE.
 * A name that is not mangled is copied. Returns the length.
 */
size_t demangle(const char *linkage, char *out, enum symbol_language *language);
