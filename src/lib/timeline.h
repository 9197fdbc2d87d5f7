/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * The optional per-call timeline: one ring for the process, written by a ticket (2 ns uncontended, only while enabled).
 * Signal-safe; a slot that is overwritten while it is read is left out by its ticket.
 */
bool rs_timeline_active(void);
void rs_timeline_add(uint32_t site, uint32_t tid, uint64_t start_ticks, uint64_t end_ticks);
/* What is in it counts no more. */
void rs_timeline_forget(void);
/* In a forked child: nothing happened yet. */
void rs_timeline_forked(void);
