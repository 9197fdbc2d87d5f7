/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* What `rustscope record` (and the other recording commands) were asked to do. Strings point into argv. */
struct record_options {
    double duration_sec; /* 0: until the program ends */
    double delay_sec;
    const char *output;
    unsigned rate_hz;
    unsigned stack_rate_hz;
    unsigned stack_bytes; /* 0: chosen for the program */
    bool cycles;          /* sample by CPU cycles, not by CPU time */
    bool off_cpu, no_stacks, no_alloc, no_follow, keep, wait_all, no_tui, redact, quiet, debuginfod;
    const char *name;
    const char **tags;
    size_t tag_count;
    const char **labels; /* "KEY=VALUE" */
    size_t label_count;
    double spike_mem_mb, spike_cpu_pct;
    const char *suppress_file;
    pid_t pid;   /* attach; 0: launch */
    char **argv; /* the program and its arguments, NULL-terminated */
    int argc;
    bool help, version;
};

/* Whose options they are. LISTEN: those that it cannot honour are refused, and ARGV[0] is the FIFO. */
enum record_options_of { RECORD_OPTIONS, LISTEN_OPTIONS };

/*
 * Parses ARGV (argv[0] is the command's name). Returns 0, or -EINVAL with a sentence: usage, exit status 2.
 * record_options_release() frees the lists.
 */
int record_options_parse(struct record_options *options, enum record_options_of of, int argc, char **argv,
                         struct rs_err *err);
void record_options_release(struct record_options *options);
void record_options_help(void);

/* The value of an option: a finite number in [MIN, MAX]. Shared by the other commands. */
int option_number(const char *option, const char *text, double min, double max, double *value, struct rs_err *err);
