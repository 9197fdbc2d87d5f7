/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session/session.h"

/*
 * CPU time that was measured against CPU time that samples stand for. What no sample covers becomes explicit nodes, so
 * that the call tree's root equals the measured time: a percentage of it is then a percentage of the truth.
 */
struct coverage {
    uint64_t *sampled_us; /* by process of the session */
    size_t count;
    uint64_t samples;
};

void coverage_release(struct coverage *coverage);

/* One sample of a process of the session. */
void coverage_add(struct coverage *coverage, uint32_t process, uint64_t us);

/*
 * Makes the samples' weights add up to the measured time where they are known but roughly (cycles at a frequency that
 * changes, a clock that runs on while the host runs others): all are multiplied by one factor; only made smaller unless
 * UP. SESSION's cpu_ns are final.
 */
void coverage_rescale(struct coverage *coverage, struct session *session, bool up);

/*
 * Adds the nodes to SESSION, whose processes' cpu_ns are final, and sets its achieved rate. KERNEL_US of the uncovered
 * time was spent in the kernel, where sampling is not permitted; 0 where it is. Returns which share of the measured
 * time is covered, 1 when nothing was measured.
 */
double coverage_finish(const struct coverage *coverage, struct session *session, uint64_t kernel_us);
