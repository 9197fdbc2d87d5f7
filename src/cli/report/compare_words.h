/* SPDX-License-Identifier: MIT */
#pragma once

#include "analyze/gate/comparison.h"
#include "text/format.h"

/*
 * What a comparison is called in words, the same in the terminal, in Markdown and in annotations. Text is UTF-8; OUT
 * gets CAP bytes at most, always NUL-terminated.
 */

/* "CPU time", "parse_row, own CPU", "handle, mean", "append ← push ← main, allocations". */
void compare_title(const struct figure *f, char *out, size_t cap);
/* The subject alone: "parse_row", "append ← push ← main", "CPU time". */
const char *compare_subject(const struct figure *f);

/* A value of F in its unit; "-" for none. SIGNED values carry their sign. */
struct fmt compare_value(const struct figure *f, double value);
struct fmt compare_signed(const struct figure *f, double value);
/* "+6.1 %", "from nothing", "×12.3" from five times on, "-". */
struct fmt compare_change(const struct figure *f);
/* "+5.2 to +7.0 %", "-" without one. */
struct fmt compare_interval(const struct figure *f);
/* CHANGE in F's unit: "41.2 ms more", "3.1 kB less". */
void compare_difference(const struct figure *f, double change, char *out, size_t cap);

/* The first line: what happened, how much, who did it, and how sure the rest is. */
void compare_sentence(const struct comparison *c, char *out, size_t cap);

/* Why F is unsure or not comparable and what would help, or why a difference does not count as a change; "" where there
 * is nothing to say. */
void compare_remedy(const struct comparison *c, const struct figure *f, char *out, size_t cap);
