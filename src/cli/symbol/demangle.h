/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

/*
 * Linkage names to what a person reads: C++ (Itanium; up to 16 KiB, beyond 1 KiB on a big stack of its own, since
 * libiberty's recursion limits refuse those) and Rust (legacy and v0), by libiberty. Hostile names can neither exhaust
 * the stack nor the memory: the output is cut, visibly, at DEMANGLE_MAX bytes.
 */
enum { DEMANGLE_MAX = 8192 };

enum symbol_language { LANGUAGE_C, LANGUAGE_CXX, LANGUAGE_RUST };

/*
 * Writes the readable form of LINKAGE into OUT (DEMANGLE_MAX + 8 bytes), NUL-terminated, and its language to *LANGUAGE.
 * A name that is not mangled is copied. Returns the length.
 */
size_t demangle(const char *linkage, char *out, enum symbol_language *language);
