/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/proc_parse.h"
#include "session/session.h"

/* Fills what a session says about the machine it was recorded on: system, kernel, CPU. */
void host_describe(struct session *session);

/* What the machine's processors did so far; all zero where the system does not tell. */
struct host_load {
    struct proc_machine machine;
    uint64_t own_cpu_ns; /* of this process */
};
struct host_load host_load_now(void);

/*
 * Fills meta's fitness: how busy others kept the machine from BEFORE until now, the session's processes and rustscope
 * left out. Stays NaN over times that are too short for the kernel's clock of ticks.
 */
void host_describe_load(struct session *session, const struct host_load *before);
