/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

/* What a person pressed: a byte (Ctrl-C is 3), or one of these. */
enum key { KEY_NONE = 0, KEYS_UP = 256, KEYS_DOWN, KEYS_PAGE_UP, KEYS_PAGE_DOWN, KEYS_HOME, KEYS_END, KEYS_BACK_TAB, KEYS_OTHER };

/*
 * The key at the start of LEN bytes as terminals of the xterm family send them; *USED is how many bytes it took.
 * Sequences that are not known are KEYS_OTHER, as a whole: pressing a strange key must not act as its letters would.
 */
int key_decode(const char *bytes, size_t len, size_t *used);
