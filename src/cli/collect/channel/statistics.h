/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "collect/channel/carry.h"

/*
 * The end of a recording: totals, statistics by call path, peaks and leaks of all images, into the session. Call it
 * once, after reader_finish() and carry_over(). MEASURED: allocations were asked for.
 */
void statistics_conclude(struct carry *c, bool measured);
