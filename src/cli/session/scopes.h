/* SPDX-License-Identifier: MIT */
#pragma once

#include <rustscope.h>
#include <stddef.h>
#include <stdint.h>

#include "core/scopes.h"
#include "session/strings.h"

/*
 * What librustscope measured in the session's processes, in ns of the session (at_ns).
 */
struct scope_row {
    string_id name, file;
    uint32_t process;                  /* index */
    int32_t parent;                    /* row, -1 at the top */
    struct rustscope_function figures; /* name and file are not used */
};

/* One call: when it ended, and how far from the mean it was. */
struct scope_call {
    uint64_t end_ns, took_ns;
    double sigmas;
};

struct scope_outlier {
    string_id name;
    int32_t row;
    uint32_t process;
    struct scope_call call;
};

struct scope_violation {
    string_id name;
    uint32_t process;
    uint64_t budget_ns, count;
    struct scope_call worst;
};

/* Of all tasks of a name; an unfinished one is in `started` and in the polls it has had. */
struct scope_task_figures {
    uint64_t started, completed, cancelled, polls;
    uint64_t busy_ns, idle_ns, scheduled_ns, first_delay_ns, lifetime_ns, max_poll_ns;
};

struct scope_task {
    string_id name;
    uint32_t process;
    struct scope_task_figures figures;
};

struct scope_clock {
    uint32_t process;
    struct rustscope_info info; /* clock and mode are constants */
};

struct session_scopes {
    struct scope_row *rows;
    size_t row_count;
    struct scope_outlier *outliers;
    size_t outlier_count;
    struct scope_violation *violations;
    size_t violation_count;
    struct scope_task *tasks;
    size_t task_count;
    struct scope_clock *clocks;
    size_t clock_count;
};

void session_scopes_release(struct session_scopes *scopes);
