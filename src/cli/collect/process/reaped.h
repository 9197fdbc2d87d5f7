/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/*
 * A counter that a process inherits from what it reaps. Systems add what a waited-for child used, and what the child
 * had inherited in the same way, to its parent: CPU time to the parent's children's times, on Linux I/O to its own I/O.
 * Descendants that were watched have been counted one by one, so of a parent's counter only the rest is new: children
 * that nobody saw, and the last moments of those that somebody did.
 *
 *     a child has gone:           reaped_hand_up(&parent->cpu, child_cpu_ns, &child->cpu);
 *     the parent has been read:   unseen_ns = reaped_read(&parent->cpu, children_ns, slack_ns);
 *
 * Whoever reads must know of all watched descendants that had gone before the reading: what is handed up later than it
 * is read counts twice.
 */
struct reaped {
    uint64_t read;    /* as last read */
    uint64_t counted; /* of watched descendants that have gone, and not in `read` yet */
};

/*
 * The counter stands at NOW. Returns by how much it grew beyond what was counted. A reading that comes after a child
 * was reaped holds all of the child's, so that what it does not hold was never reaped by this process (the child had
 * another parent by then) and is forgotten; but for SLACK, which coarse counters may lag behind.
 */
uint64_t reaped_read(struct reaped *parent, uint64_t now, uint64_t slack);

/* A watched child has gone that was seen to use OWN itself and to have inherited CHILD. */
void reaped_hand_up(struct reaped *parent, uint64_t own, const struct reaped *child);
