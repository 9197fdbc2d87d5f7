/* SPDX-License-Identifier: MIT */
#pragma once

#include "session/session.h"

/*
 * What the report says about allocations beyond their totals. Needs names: call it after symbolisation.
 *
 * Memory spikes get the call paths that made them, by net bytes of their time. Leaks that everybody has (what the C
 * library, the loader and the C++ run-time allocate once and keep) and those that the user's file names are marked as
 * suppressed: they stay in the list, and in the totals, apart from the others.
 */
void allocs_analyze(struct session *s);

/* LeakSanitizer's way: PATTERN is found anywhere in TEXT; * matches anything, ^ and $ its ends. */
bool allocs_pattern_matches(const char *pattern, const char *text);
