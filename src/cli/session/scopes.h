/* SPDX-License-Identifier: MIT */
#pragma once

#include <rustscope.h>
#include <stddef.h>
#include <stdint.h>

#include "core/scopes.h"
#include "session/strings.h"

/*
 * What librustscope measured in the session's processes. Clock ticks are ns of the session here (at_ns), so that the
 * writers in core/scopes.h serve as they are.
 */
struct scope_row {
    string_id name, file;
    uint32_t process;                  /* index */
    int32_t parent;                    /* row, -1 at the top */
    struct rustscope_function figures; /* name and file are not used */
};

struct scope_outlier {
    string_id name;
    int32_t row;
    uint32_t process;
    struct rustscope_worst call;
};

struct scope_violation {
    string_id name;
    uint32_t process;
    uint64_t budget_ns, count;
    struct rustscope_worst worst;
};

struct scope_task {
    string_id name;
    uint32_t process;
    struct rs_scope_task figures;
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

/* The constant that equals NAME, for scope_clock.info; the first one when there is none. */
const char *scope_clock_name(const char *name);
const char *scope_mode_name(const char *name);
