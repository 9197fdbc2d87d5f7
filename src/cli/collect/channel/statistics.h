/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/channel/carry.h"

/*
 * Totals, statistics by call path, peaks and leaks, into the session. An image is added up as soon as it is over, and
 * what it was added up from is given back: a build of ten thousand compilers needs the memory of those that run.
 *
 * Belongs to the loop's thread, which holds the channel's lock.
 */
struct statistics_node;

struct statistics {
    struct statistics_node *nodes; /* by the session's nodes */
    size_t count, cap;
    uint64_t uncertain; /* blocks whose free may have been lost */
    bool any_shim;
};

/* Adds up the images that are over. After carry_over(), which has taken their rows and records. */
void statistics_settle(struct statistics *st, struct carry *c);

/* Nothing that was added up so far belongs to the report (--delay). */
void statistics_restart(struct statistics *st, struct session *session);

/*
 * The end of a recording: the rest, and what is known only now. Call it once, after reader_finish() and carry_over().
 * MEASURED: allocations were asked for.
 */
void statistics_conclude(struct statistics *st, struct carry *c, bool measured);

void statistics_release(struct statistics *st);
