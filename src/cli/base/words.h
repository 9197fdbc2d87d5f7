/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "base/err.h"

/*
 * A command line as words, the way a POSIX shell splits it: blanks between words, '…', "…" and \ for what belongs into
 * one. Nothing is expanded: $, *, ~ and the like are characters like others.
 */

/* Stores the words, NULL-terminated, in *WORDS (words_free()). Returns their number, or -EINVAL with a sentence. */
int words_split(const char *text, char ***words, struct rs_err *err);
void words_free(char **words);

/* The words joined so that a shell would take them apart again; quotes only where they are needed. To be freed. */
char *words_join(char *const *words);

/* TEXT with each {NAME} replaced by VALUE. To be freed. */
char *words_fill_in(const char *text, const char *name, const char *value);
