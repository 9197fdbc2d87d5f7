/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bench_stats.h"

/* What `rustscope bench` measured: plain figures, which it fills and the reports read. */

/* One run of a command. */
struct bench_run {
    double wall_ns, user_ns, system_ns; /* user and system: with all descendants that were waited for */
    uint64_t peak_rss_bytes;            /* of the largest of them; 0: not known */
    uint64_t minor_faults, major_faults;
    uint64_t voluntary_switches, involuntary_switches;
    int status; /* as waitpid's */
    bool timed_out;
};

struct bench_parameter {
    char *name, *value;
};

/* All runs of one command. Run i of each arm is of round i. NAME and what PARAMETERS has belong to the options. */
struct bench_result {
    const char *name;
    bool in_shell;
    const struct bench_parameter *parameters;
    size_t parameter_count;
    struct bench_run *runs;
    size_t count, cap;
    size_t failed; /* runs that did not exit with 0 */
    struct rs_bench_summary wall;
    double user_ns, system_ns; /* means */
};

/* A status of waitpid as a shell tells it: 128 + N for signal N. */
int bench_shell_status(int wait_status);
