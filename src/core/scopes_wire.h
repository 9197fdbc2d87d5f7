/* SPDX-License-Identifier: MIT */
#pragma once

#include "core/bench.h"
#include "core/scopes.h"
#include "core/wire.h"

/*
 * librustscope's records (core/wire.h tells how records lie in frames). Figures of a path are running totals of the
 * process: a later record replaces an earlier one, so nothing adds up wrongly when some are lost. Sites and paths are
 * defined before they are used; what finds no room is sent again with the next round.
 */
enum rs_lib_record {
    RS_RECORD_SITE = RS_RECORD_LIB_FIRST,
    RS_RECORD_PATH,
    RS_RECORD_PATH_STATS,
    RS_RECORD_PATH_HISTOGRAM,
    RS_RECORD_PATH_WORST,
    RS_RECORD_PATH_TASK,
    RS_RECORD_SCOPES_CLOCK,
    RS_RECORD_SCOPES_RESET,
    RS_RECORD_MARK,
    RS_RECORD_SESSION_TEXT,
    RS_RECORD_BENCHMARK,
    RS_RECORD_BENCHMARK_SAMPLES,
};

/* Text: name, then file. */
struct rs_wire_site {
    uint32_t word;
    uint32_t site; /* from 1 */
    uint32_t line;
    uint32_t flags; /* RUSTSCOPE_SITE_… */
    uint32_t name_bytes, file_bytes;
};
_Static_assert(sizeof(struct rs_wire_site) == 24, "wire format");

struct rs_wire_path {
    uint32_t word;
    uint32_t path;   /* from 1; greater than its parent */
    uint32_t parent; /* 0: the root */
    uint32_t site;
};
_Static_assert(sizeof(struct rs_wire_path) == 16, "wire format");

struct rs_wire_path_stats {
    uint32_t word;
    uint32_t path;
    struct rs_scope_stats stats;
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct rs_wire_path_stats) == 8 + 144, "wire format");

/* Followed by as many pairs as the length tells: all buckets that are not empty, over several records if need be. */
struct rs_wire_path_histogram {
    uint32_t word;
    uint32_t path;
};
struct rs_wire_bucket {
    uint32_t bucket;
    uint32_t count_lo, count_hi;
};
_Static_assert(sizeof(struct rs_wire_bucket) == 12, "wire format");

struct rs_wire_path_worst {
    uint32_t word;
    uint32_t path;
    struct rustscope_worst worst[RUSTSCOPE_WORST_KEPT];
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct rs_wire_path_worst) == 8 + 24 * RUSTSCOPE_WORST_KEPT, "wire format");

struct rs_wire_path_task {
    uint32_t word;
    uint32_t path;
    struct rs_scope_task task;
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct rs_wire_path_task) == 8 + 80, "wire format");

enum rs_wire_clock { RS_WIRE_CLOCK_TSC, RS_WIRE_CLOCK_CNTVCT, RS_WIRE_CLOCK_GETTIME };

struct rs_wire_scopes_clock {
    uint32_t word;
    uint32_t clock; /* enum rs_wire_clock */
    uint32_t mode;  /* enum rustscope_mode */
    uint32_t threads;
    double ns_per_tick;
    uint64_t ticks, mono_ns; /* the same moment */
    double resolution_ns, overhead_ns, inside_ns, precise_offset_ns;
    uint64_t skipped, folded_paths;
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct rs_wire_scopes_clock) == 88, "wire format");

/* What was told of this process so far is void. */
struct rs_wire_scopes_reset {
    uint32_t word;
};

/* Text: the name. */
struct rs_wire_mark {
    uint32_t word;
    uint32_t is_counter;
    uint64_t mono_ns;
    double value;
    uint32_t name_bytes;
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct rs_wire_mark) == 28, "wire format");

/* Text: the key of a label, then the value. CLEARED: the tags and labels that this process told before are void. */
enum rs_wire_text { RS_WIRE_SESSION_NAME, RS_WIRE_TAG, RS_WIRE_LABEL, RS_WIRE_TEXTS_CLEARED };
struct rs_wire_session_text {
    uint32_t word;
    uint32_t what; /* enum rs_wire_text */
    uint32_t key_bytes, value_bytes;
};
_Static_assert(sizeof(struct rs_wire_session_text) == 16, "wire format");

/* A benchmark's result. Its samples follow, in as many records as they take. Text: the name. */
struct rs_wire_benchmark {
    uint32_t word;
    uint32_t benchmark; /* from 1, in the order in which they ended */
    struct rs_bench_counts counts;
    uint32_t name_bytes;
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct rs_wire_benchmark) == 12 + 96, "wire format");

/* Followed by doubles, ns of an iteration each, as many as the length tells. */
struct rs_wire_benchmark_samples {
    uint32_t word;
    uint32_t benchmark;
    uint32_t first; /* the first one's place among the benchmark's samples */
};
_Static_assert(sizeof(struct rs_wire_benchmark_samples) == 12, "wire format");
