/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

/*
 * The vocabulary of the session JSON (docs/session.schema.json), spelled once: the words of its enumerations, and the
 * names of its metrics and columns. The CLI's writer and reader and librustscope's writer use it, and
 * tests/unit/test_session_words.c holds it to the schema.
 *
 * Everything is constant data: any thread, any signal handler.
 */

/* ---- enumerations; the words are in the order of the values ---- */

enum stop_reason { STOP_EXIT, STOP_SIGNAL, STOP_INTERRUPT, STOP_DURATION, STOP_DETACHED };
enum heap_source { HEAP_ANON, HEAP_LIVE };
enum shim_status { SHIM_OFF, SHIM_LOADED, SHIM_NOT_LOADED };
enum event_type { EVENT_MEMORY_SPIKE, EVENT_CPU_SPIKE, EVENT_MARK, EVENT_GAP };
enum function_source { FUNCTION_SAMPLED = 1, FUNCTION_INSTRUMENTED = 2, FUNCTION_BOTH = 3 };
enum stack_backend { STACKS_NONE, STACKS_PERF_EVENT, STACKS_TIMER, STACKS_SAMPLE };
/* What perf_event counts between two samples: ns of CPU time, or CPU cycles. */
enum stack_event { STACK_EVENT_NONE, STACK_EVENT_CPU_CLOCK, STACK_EVENT_CYCLES };
enum alloc_backend { ALLOCS_NONE, ALLOCS_SHIM, ALLOCS_LIBRARY };

enum module_symbols {
    MODULE_SYMBOLS_UNKNOWN, /* not looked at yet */
    MODULE_SYMBOLS_DWARF,
    MODULE_SYMBOLS_SYMTAB,
    MODULE_SYMBOLS_DYNSYM,
    MODULE_SYMBOLS_NONE,
};

/* Whose code a frame is. */
enum layer {
    LAYER_UNKNOWN,
    LAYER_USER,
    LAYER_DEP,
    LAYER_STD,
    LAYER_RUNTIME,
    LAYER_ALLOC,
    LAYER_KERNEL,
    LAYER_PROFILER, /* ours: out of every percentage */
};

/* The enumerations that have words. */
enum rs_words {
    WORDS_STOP_REASON,
    WORDS_HEAP_SOURCE,
    WORDS_SHIM_STATUS,
    WORDS_EVENT_TYPE,
    WORDS_FUNCTION_SOURCE,
    WORDS_STACK_BACKEND,
    WORDS_STACK_EVENT,
    WORDS_ALLOC_BACKEND,
    WORDS_MODULE_SYMBOLS,
    WORDS_LAYER,
    WORDS_SCOPE_CLOCK, /* no enumeration: struct rustscope_info has the words themselves */
    WORDS_SCOPE_MODE,
    WORDS_COUNT,
};

/* The word of VALUE; "" for a value that has none (it is not written then). */
const char *rs_word(enum rs_words words, unsigned value);
/* The value whose word is the LEN bytes at TEXT; the first one, 0, when no value has that word. */
unsigned rs_word_value(enum rs_words words, const char *text, size_t len);
/* The number of values, wordless ones included. */
unsigned rs_word_count(enum rs_words words);

/* ---- metrics over time ---- */

enum metric {
    METRIC_CPU_PCT, /* 100 is one core */
    METRIC_ANON_BYTES,
    METRIC_RSS_BYTES,
    METRIC_HEAP_BYTES, /* live heap; absent without the shim */
    METRIC_THREADS,
    METRIC_OPEN_FDS,
    METRIC_ALLOC_BYTES, /* allocated in the interval */
    METRIC_READ_BYTES,
    METRIC_WRITE_BYTES,
    METRIC_CONTEXT_SWITCHES,
    METRIC_COUNT,
};

/* Columns of the samples beyond enum metric. */
enum {
    SAMPLES_CPU_PEAK_PCT = METRIC_COUNT,
    SAMPLES_HEAP_PEAK_BYTES,
    SAMPLES_ANON_PEAK_BYTES,
    SAMPLES_RSS_PEAK_BYTES,
    SAMPLES_COLUMNS
};

/* How a metric is written: UNIT is what 1 of the JSON is inside; a level of bytes becomes MB, amounts stay bytes. */
struct rs_metric_column {
    const char *key;
    unsigned column; /* enum metric, or SAMPLES_… */
    double unit;
    unsigned digits; /* decimals */
};

enum { RS_SAMPLE_COLUMNS = 13, RS_TIMELINE_COLUMNS = 9 };
extern const struct rs_metric_column rs_sample_columns[RS_SAMPLE_COLUMNS];
extern const struct rs_metric_column rs_timeline_columns[RS_TIMELINE_COLUMNS];

/* ---- summary ---- */

enum rs_summary_figure {
    SUMMARY_CPU_AVG_PCT,
    SUMMARY_CPU_PEAK_PCT,
    SUMMARY_CPU_MS,
    SUMMARY_HEAP_AVG_MB,
    SUMMARY_HEAP_PEAK_MB,
    SUMMARY_ANON_PEAK_MB,
    SUMMARY_RSS_PEAK_MB,
    SUMMARY_THREAD_AVG,
    SUMMARY_THREAD_PEAK,
    SUMMARY_FD_PEAK,
    SUMMARY_COUNTS, /* from here on whole numbers, 0 where nothing was measured */
    SUMMARY_TOTAL_ALLOCATIONS = SUMMARY_COUNTS,
    SUMMARY_TOTAL_DEALLOCATIONS,
    SUMMARY_TOTAL_ALLOC_BYTES,
    SUMMARY_TEMPORARY_ALLOCATIONS,
    SUMMARY_LEAKED_BYTES,
    SUMMARY_LEAKED_ALLOCATIONS,
    SUMMARY_SPIKES,
    SUMMARY_FIGURES,
};

extern const char *const rs_summary_keys[SUMMARY_FIGURES];

/* ---- sections that are columns of equal length; the names end with NULL ---- */

enum { MODULES_PATH, MODULES_NAME, MODULES_BUILD_ID, MODULES_ARCH, MODULES_SYMBOLS, MODULES_COLUMNS };
extern const char *const rs_module_columns[MODULES_COLUMNS + 1];

enum {
    FRAMES_FUNC,
    FRAMES_OBJECT, /* into modules */
    FRAMES_ADDR,
    FRAMES_CRATE,
    FRAMES_FILE,
    FRAMES_LINE,
    FRAMES_INLINED,
    FRAMES_LAYER,
    FRAMES_COLUMNS
};
extern const char *const rs_frame_columns[FRAMES_COLUMNS + 1];

enum { NODES_PARENT, NODES_FRAME, NODES_COLUMNS };
extern const char *const rs_node_columns[NODES_COLUMNS + 1];

enum {
    ALLOCATIONS_NODE,
    ALLOCATIONS_COUNT,
    ALLOCATIONS_BYTES,
    ALLOCATIONS_PEAK_BYTES,
    ALLOCATIONS_LEAKED_BYTES,
    ALLOCATIONS_LEAKED_COUNT,
    ALLOCATIONS_TEMPORARY,
    ALLOCATIONS_LIFETIME_P50_US,
    ALLOCATIONS_COLUMNS
};
extern const char *const rs_allocation_columns[ALLOCATIONS_COLUMNS + 1];

/* The members of allocations.by_size. */
enum { ALLOC_SIZE_CLASSES = 5 };
extern const char *const rs_alloc_size_classes[ALLOC_SIZE_CLASSES];

/* A sparse table over time: the index `start` by bucket, one or two keys, and values. */
struct rs_row_table {
    const char *section;
    const char *key;       /* node or process */
    const char *thread;    /* the second key; NULL: none */
    const char *values[3]; /* fewer end with NULL */
};

extern const struct rs_row_table rs_process_table, rs_cpu_table, rs_offcpu_table, rs_alloc_table;
