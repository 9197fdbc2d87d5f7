/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdio.h>

#include "analyze/bench_runs.h"
#include "analyze/gate/bench_gate.h"
#include "text/format.h"

/* What `rustscope bench` found: for people at a terminal, and as the tables that hyperfine writes. */

enum bench_unit { BENCH_UNIT_AUTO, BENCH_UNIT_US, BENCH_UNIT_MS, BENCH_UNIT_S };
enum bench_sort { BENCH_SORT_AUTO, BENCH_SORT_COMMAND, BENCH_SORT_MEAN };
enum bench_format { BENCH_JSON, BENCH_CSV, BENCH_MARKDOWN, BENCH_ASCIIDOC, BENCH_ORGMODE, BENCH_FORMATS };

struct bench_page {
    enum charset charset;
    bool colour;
    enum bench_unit unit;
    enum bench_sort sort;
    bool has_reference; /* result 0 is what the others are relative to; else the fastest */
    bool paired;        /* run i of all results is of one round */
};

/* Every result with its interval, its runs as a histogram and what is odd about them, then how they compare. */
void bench_print(FILE *out, const struct bench_result *results, size_t count, const struct bench_page *page);

/* What the base does against itself, and that there is no verdict where that is too much. */
void bench_print_self(FILE *out, const struct bench_gate *gate);

/* The results as FORMAT. Times are in seconds in JSON and CSV, else in the unit. Results without runs are left out. */
void bench_export(FILE *out, enum bench_format format, const struct bench_result *results, size_t count,
                  const struct bench_page *page);
