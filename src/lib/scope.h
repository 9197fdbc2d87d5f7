/* SPDX-License-Identifier: MIT */
#pragma once

#include <rustscope.h>
#include <stdint.h>

/* Scopes skipped in threads that had no context yet; the others are counted there. */
uint64_t rs_scopes_skipped_without_context(void);

/*
 * What an empty PRECISE scope would show: the way from one fenced reading of the clock to the other, constant on a
 * machine, in ticks. Measured once, by a thread that has a context and is busy; 0 before.
 */
void rs_precise_offset_measure(void);
uint64_t rs_precise_offset(void);

/* The node of SITE under the root in this thread, whatever is open; NULL when off, busy or without memory. */
struct rustscope_node *rs_top_node(struct rustscope_site *site);
