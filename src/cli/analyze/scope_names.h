/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

/* A function's name as an instrumented program knows it, beside the demangled one of its symbol. */

/*
 * Is NAME, as a Rust program knows it at run time, that of SYMBOL? There `_` stands for generic arguments:
 * `shop::Shelf<_>::weigh` is `shop::Shelf<T>::weigh`.
 */
bool rust_name_is_of(const char *name, const char *symbol);

/*
 * Is NAME, as a C++ compiler tells it to the library, less return type and arguments, that of SYMBOL? A template's
 * symbol begins with the return type: `shop::add` is `int shop::add<int>(int, char const*)`.
 */
bool cpp_name_is_of(const char *name, const char *symbol);
