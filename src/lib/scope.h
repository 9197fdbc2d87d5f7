/* SPDX-License-Identifier: MIT */
#pragma once

#include <rustscope.h>
#include <stdint.h>

/* Scopes skipped in threads that had no context yet; the others are counted there. */
uint64_t rs_scopes_skipped_without_context(void);

/* The node of SITE under the root in this thread, whatever is open; NULL when off, busy or without memory. */
struct rustscope_node *rs_top_node(struct rustscope_site *site);
