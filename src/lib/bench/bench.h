/* SPDX-License-Identifier: MIT */
#pragma once

#include <rustscope.h>
#include <stdbool.h>
#include <stdio.h>

#include "core/bench.h"

/*
 * The benchmark runner: run.c measures, program.h has the parts of the program around it, text.c the file in which results
 * go to other processes and to later runs, table.c and format.c what is printed. It runs in a program whose
 * purpose it is, so it may allocate and print; all the same it stays out of everybody's way until it is called.
 */
struct rs_bench_result {
    char *name;    /* with its parameters: "sort/1024/threads:2" */
    char *family;  /* without */
    char *refusal; /* a sentence, instead of the figures */
    struct rs_bench_counts counts;
    struct rs_bench_summary summary;
    double *samples_ns; /* counts.samples of them */
};

void rs_bench_result_release(struct rs_bench_result *result);

/* Runs FN as CONFIG says. OUT gets everything but its names; 0 or a negative errno, with rustscope_why(). */
int rs_bench_measure(const struct rustscope_bench_config *config, rustscope_bench_fn fn, void *ctx,
                     struct rs_bench_result *out);
/* The summary of RESULT's samples. 0 or -ENOMEM. */
int rs_bench_result_summarize(struct rs_bench_result *result, uint64_t seed);
/* As rs_bench_compare(); false without memory. */
bool rs_bench_results_compare(const struct rs_bench_result *before, const struct rs_bench_result *after, double noise,
                              struct rs_bench_change *out);

struct rs_bench_list {
    struct rs_bench_result *results;
    size_t count;
};

void rs_bench_list_release(struct rs_bench_list *list);
/* Appends RESULT, whose contents now belong to LIST. False without memory; RESULT is released then. */
bool rs_bench_list_add(struct rs_bench_list *list, struct rs_bench_result *result);
const struct rs_bench_result *rs_bench_list_find(const struct rs_bench_list *list, const char *name);

/* ---- text.c ---- */

void rs_bench_text_write(FILE *to, const struct rs_bench_result *result);
/*
 * Appends what FROM holds to LIST. Returns 0, -EINVAL for a text that is not one of ours or is cut off, or -ENOMEM. The
 * summaries are not computed.
 */
int rs_bench_text_read(FILE *from, struct rs_bench_list *list);

/* ---- table.c, format.c: what is printed ---- */

struct rs_bench_style {
    bool colour, utf8;
    unsigned width;
    unsigned name_width;
    bool compares; /* there is a baseline */
};

void rs_bench_style_init(struct rs_bench_style *style, FILE *to);
void rs_bench_table_head(FILE *to, const struct rs_bench_style *style);
/* CHANGE is NULL without a baseline, or where it has no such benchmark. */
void rs_bench_table_row(FILE *to, const struct rs_bench_style *style, const struct rs_bench_result *result,
                        const struct rs_bench_change *change);
/* How each family with parameters grows. */
void rs_bench_table_growth(FILE *to, const struct rs_bench_style *style, const struct rs_bench_list *list);

/* google/benchmark's JSON, which its tools/compare.py reads, and Bencher's metric format. 0 or a negative errno. */
int rs_bench_write_google(FILE *to, const struct rs_bench_list *list, const char *program);
int rs_bench_write_bmf(FILE *to, const struct rs_bench_list *list);

/* The fit over the results of FAMILY and of THREADS. False when there are too few. */
bool rs_bench_family_fit(const struct rs_bench_list *list, const char *family, uint32_t threads,
                         struct rs_bench_fit *out);
