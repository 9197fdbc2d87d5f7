/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "text/format.h"

/*
 * A function's name for a line of text. Generic and template arguments become <…>, parameter lists, ABI tags, symbol versions and @plt go, a
 * Rust path `<a::B as c::D>::e` is `a::B::e`, std::basic_string is std::string. Where that is still wider than COLS,
 * the namespaces in front go, one after the other (`…::price`); the last part is never cut here. OUT gets CAP bytes at
 * most, always NUL-terminated. Returns the columns taken, which a long last part may make more than COLS.
 */
int name_short(char *out, size_t cap, const char *name, int cols, enum charset charset);
