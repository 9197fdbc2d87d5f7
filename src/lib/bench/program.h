/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/bench/bench.h"

/*
 * The parts of the program around benchmarks: registry.c has them and picks those that are wanted, options.c reads the
 * command line, processes.c runs this program again, baselines.c keeps results for later runs, main.c holds it
 * together. All of it runs in the thread that called rustscope_bench_main().
 */
enum { RS_BENCH_PROCESSES_MAX = 64, RS_BENCH_FILTERS_MAX = 32 };

enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_GOOGLE, FORMAT_BMF };

struct rs_bench_options {
    const char *program;
    const char *filters[RS_BENCH_FILTERS_MAX];
    int filter_count;
    const char *save, *baseline, *output;
    enum format format;
    double noise, time_sec;
    uint32_t processes, samples;
    bool list, quick;
};

/* One benchmark with its parameters. */
struct rs_bench_item {
    struct rustscope_bench_entry *entry;
    struct rustscope_bench_config config;
    char name[256];
    bool has_n;
};

/* Prints the sentence with the program's name on stderr; 2, the exit status of a wrong command line. */
int rs_bench_usage(const struct rs_bench_options *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* 0: go on; else the exit status plus one. */
int rs_bench_take_options(struct rs_bench_options *o, int argc, char **argv);

/* All benchmarks that are wanted; the caller frees them. NULL without memory. */
struct rs_bench_item *rs_bench_plan(const struct rs_bench_options *o, size_t *count);
/* Whether this program has any benchmark. */
bool rs_bench_has_any(void);
/* Measures ITEM in this process; R is the caller's. False without memory. */
bool rs_bench_run_item(const struct rs_bench_item *item, struct rs_bench_result *r);

/* Runs this program o->processes times and joins into MEASURED what they measure. 0 or a negative errno, which is said.
 */
int rs_bench_run_processes(const struct rs_bench_options *o, int argc, char **argv, struct rs_bench_list *measured);
/* In one of those processes: measures, and tells the one that started it through TO_PARENT. The exit status. */
int rs_bench_serve_parent(int to_parent, const struct rs_bench_item *items, size_t count);

void rs_bench_baseline_path(const struct rs_bench_options *o, const char *name, char *path, size_t size);
/* 0 or a negative errno. */
int rs_bench_baseline_load(const struct rs_bench_options *o, const char *name, struct rs_bench_list *list);
/* Keeps MEASURED as o->save, and what that has of benchmarks that did not run now. 0 or a negative errno, which is
 * said. */
int rs_bench_baseline_save(const struct rs_bench_options *o, const struct rs_bench_list *measured);
