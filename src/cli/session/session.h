/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/session_words.h"
#include "session/benchmarks.h"
#include "session/calltree.h"
#include "session/rows.h"
#include "session/scopes.h"
#include "session/series.h"
#include "session/strings.h"

/*
 * The one model in memory. Sources (collect/) write into it, analysis (analyze/) reads and completes it, outputs (tui/,
 * report/) read it; the JSON reader (file/session_file.h) fills one from a file, so that every command sees the same
 * thing.
 *
 * Times inside are ns on CLOCK_MONOTONIC, counted from the session's start (`at_ns`); memory is bytes; text is
 * string_ids. Everything is bounded (see the limits below and docs/ARCHITECTURE.md). A session belongs to one thread,
 * the event loop's; sources with threads of their own hand over their results in the loop.
 */

enum session_limits {
    TIMELINE_POINTS = 6000,
    TIMELINE_INTERVAL_MS = 100,
    SAMPLES_POINTS = 3600,
    MAX_NODES = 500000,
    MAX_CPU_ROWS = 850000, /* of 18 bytes in the file: a day with stacks stays below 20 MB */
    MAX_ALLOC_ROWS = 1000000,
    MAX_PROCESS_ROWS = 250000,
    MAX_FUNCTIONS = 20000,
    MAX_PROCESSES = 5000,
    MAX_THREADS = 5000,
    MAX_EVENTS = 10000,
    MAX_HOTSPOTS = 600,
};

struct session_label {
    string_id key, value;
};

struct session_meta {
    string_id project, target_binary, cwd, name;
    string_id *argv;
    size_t argc;
    string_id *tags;
    size_t tag_count;
    struct session_label *labels;
    size_t label_count;
    string_id host_os, host_arch, host_kernel, cpu_model, version;
    unsigned cpu_cores;
    unsigned rate_hz, stack_rate_hz;
    int pid;
    enum stop_reason stop_reason;
    int exit_code;   /* -1: none */
    int exit_signal; /* 0: none */
    bool redacted;
    /* While it was recorded, in percent of the whole machine: the CPU that others used, and what its host took. NaN
     * unknown */
    double others_cpu_pct, steal_pct;
};

/* One image: an exec starts a new one under the same pid. */
struct process {
    int pid;
    uint64_t started;    /* in the system's unit; with the pid, a process's identity. 0: unknown */
    uint32_t exec_count; /* of this pid before this image: 0 for its first */
    int32_t parent;      /* index, -1 for the root */
    string_id *argv;     /* unowned by others; argc may be 0 */
    size_t argc;
    string_id exe;
    string_id name;            /* comm */
    int32_t object;            /* the executable among the call tree's modules, CALLTREE_NO_MODULE when unknown */
    uint64_t start_ns, end_ns; /* at_ns; end_ns 0 while it lives */
    uint64_t cpu_ns;
    uint64_t anon_peak_bytes, rss_peak_bytes, heap_peak_bytes, outside_peak_bytes;
    uint32_t thread_peak;
    uint64_t allocations, deallocations, alloc_bytes, leaked_bytes, leaked_allocations;
    enum shim_status shim;
    string_id shim_reason;
    int exit_status; /* as waitpid's; valid when exit_known */
    bool exit_known;
};

struct thread {
    uint32_t process; /* index */
    int tid;
    string_id name;
    uint64_t cpu_ns;
    uint64_t start_ns, end_ns; /* end_ns 0 while it lives */
};

struct event_function {
    string_id name;
    double pct;
};

struct event_allocation {
    int32_t node;
    string_id path; /* "createObject ← setCommand ← call" */
    int64_t bytes;
};

struct session_event {
    enum event_type type;
    uint64_t start_ns, end_ns;
    int32_t process;    /* index, -1: the whole tree */
    int64_t size_bytes; /* memory: how much it grew */
    double peak;        /* memory: bytes at the end; CPU: percent */
    string_id location; /* the sentence shown to a person */
    struct event_function *functions;
    size_t function_count;
    struct event_allocation *allocations;
    size_t allocation_count;
    bool open; /* the episode still goes on */
};

/* Whole-session statistics of one call path. Filled when the session ends (and for a checkpoint). */
struct alloc_stats {
    int32_t node;
    uint64_t count, bytes, peak_bytes, leaked_bytes, leaked_count, temporary;
    uint64_t lifetime_p50_us;
};

struct leak {
    int32_t node;
    uint32_t process;
    uint64_t bytes, count;
    uint64_t first_ns, last_ns;
    bool suppressed;
};

enum { LIFETIME_CLASSES = 48 };

struct allocations {
    bool measured; /* the shim or the library reported */
    uint64_t total_allocations, total_deallocations, total_bytes, temporary;
    uint64_t leaked_bytes, leaked_count;
    string_id suppress_file; /* the user's, of leaks not to report; 0: none */
    uint64_t peak_at_ns, peak_bytes;
    /* Mapped by the program itself (anonymous mmap, mremap, brk), not by its malloc; left: at the processes' ends. */
    uint64_t outside_peak_bytes, outside_left_bytes;
    uint64_t by_size[ALLOC_SIZE_CLASSES]; /* 0-64 B, 65-512 B, 513 B-4 KB, 4-64 KB, more (powers of two) */
    uint64_t lifetimes[LIFETIME_CLASSES]; /* freed blocks that lived [2^(i-1), 2^i) µs; class 0: under 1 µs */
    struct alloc_stats *stats;
    size_t stats_count;
    struct leak *leaks;
    size_t leak_count;
};

struct function {
    string_id name, module, file;
    uint32_t line;
    enum layer layer;
    double self_pct, total_pct;
    uint64_t self_samples, total_samples;
    uint64_t self_us, total_us;
    enum function_source source;
    /* Of instrumented code; calls 0: not instrumented. */
    struct rustscope_function figures; /* name, file and line are not used */
    /* allocations made by it and what it called; zero without the shim */
    uint64_t alloc_bytes, alloc_count, leaked_bytes, peak_bytes;
};

struct rollup {
    string_id name;
    double self_pct, total_pct;
    uint64_t function_count, alloc_bytes;
};

struct hotspot {
    uint64_t at_ns;
    struct event_function *functions;
    size_t function_count;
    struct event_function *crates;
    size_t crate_count;
};

struct counted {
    string_id what;
    uint64_t count;
};

struct diagnostics {
    enum stack_backend stack_backend;
    enum stack_event stack_event; /* of STACKS_PERF_EVENT */
    double stack_rate_achieved_hz;
    uint64_t stack_samples, stack_lost, stacks_truncated, stacks_stitched, unknown_symbols;
    double overhead_pct; /* CPU time of the program spent in our code; NaN unknown */
    double cli_cpu_pct;  /* what rustscope itself used, in percent of one core */
    enum alloc_backend alloc_backend;
    uint64_t events_received, events_dropped, inherited_frees, unknown_frees;
    uint64_t ticks, ticks_missed, gaps;
    struct counted *stop_reasons, *folded;
    size_t stop_reason_count, folded_count;
    string_id *warnings; /* sentences with a remedy */
    size_t warning_count;
};

struct counter_track {
    string_id name;
    struct series values; /* one SERIES_MEAN column, at the timeline's interval */
};

struct session {
    struct strings strings;
    struct session_meta meta;
    uint64_t start_mono_ns;
    int64_t start_unix_ms;
    uint64_t duration_ns; /* so far, or whole */

    struct series timeline, samples; /* columns: enum metric; samples has more, see session.c */
    struct counter_track *counters;
    size_t counter_count;
    struct rows process_rows; /* key: process; values: cpu ns, anon bytes, heap bytes */

    struct process *processes;
    size_t process_count, process_cap;
    struct thread *threads;
    size_t thread_count, thread_cap;
    struct session_event *events;
    size_t event_count, event_cap;

    struct calltree tree;
    struct rows cpu_rows;    /* node, thread: weight µs, samples */
    struct rows offcpu_rows; /* node, thread: wait µs, count */
    struct rows alloc_rows;  /* node, thread: bytes, count, net bytes */
    bool offcpu_approx;
    struct allocations allocations;
    struct session_scopes scopes;
    struct session_benchmarks benchmarks;

    /* made by analysis (or read from a file) */
    struct function *functions;
    size_t function_count;
    struct rollup *crate_rollups, *module_rollups;
    size_t crate_rollup_count, module_rollup_count;
    struct hotspot *hotspots;
    size_t hotspot_count;

    struct diagnostics diagnostics;
};

enum { CPU_ROW_WEIGHT_US, CPU_ROW_SAMPLES };
enum { OFFCPU_ROW_WAIT_US, OFFCPU_ROW_COUNT };
enum { ALLOC_ROW_BYTES, ALLOC_ROW_COUNT, ALLOC_ROW_NET_BYTES };
enum { PROCESS_ROW_CPU_NS, PROCESS_ROW_ANON_BYTES, PROCESS_ROW_HEAP_BYTES };

struct session *session_new(uint64_t start_mono_ns, int64_t start_unix_ms);
void session_free(struct session *s);

/* CLOCK_MONOTONIC to at_ns; times before the start become 0. */
uint64_t session_at(const struct session *s, uint64_t mono_ns);
/* The time between two readings of the metrics; 0 in a session without any. */
uint64_t session_reading_ns(const struct session *s);
/* at_ns to unix milliseconds. */
double session_unix_ms(const struct session *s, uint64_t at_ns);

/*
 * METRIC held VALUE (a level or a rate), or amounted to VALUE (…_BYTES of I/O and allocation, context switches), during
 * FROM_NS..TO_NS. Feeds the timeline and the per-second samples.
 */
void session_put_metric(struct session *s, enum metric metric, uint64_t from_ns, uint64_t to_ns, double value);
/* CPU_NS that were used during FROM_NS..TO_NS on top of what METRIC_CPU_PCT says of that time already. */
void session_add_cpu(struct session *s, uint64_t from_ns, uint64_t to_ns, uint64_t cpu_ns);
/* At the end: no rate of CPU is over less than 100 ms, as no peak is. */
void session_settle_cpu(struct session *s);
/* CPU percentage over a window of at least 100 ms, for cpu_peak_pct. */
void session_put_cpu_peak(struct session *s, uint64_t at_ns, double pct);
/* A user's counter (rustscope_counter). */
void session_put_counter(struct session *s, string_id name, uint64_t at_ns, double value);

/* A new process record (index). Beyond MAX_PROCESSES the last record takes all further ones, counted as folded. */
uint32_t session_add_process(struct session *s, int pid, int32_t parent, uint64_t start_ns);
/* The newest record of the process PID that began at STARTED (see struct process); -1 when there is none. */
int32_t session_find_started(const struct session *s, int pid, uint64_t started);
/* The record of PID that lives at AT_NS, -1 when there is none. */
int32_t session_find_process(const struct session *s, int pid, uint64_t at_ns);
/* Ends the current image of process INDEX and starts the next one, which it returns. */
uint32_t session_exec_process(struct session *s, uint32_t index, uint64_t at_ns);
/* The thread TID of PROCESS that lived at AT_NS, added when it is new. */
uint32_t session_thread(struct session *s, uint32_t process, int tid, uint64_t at_ns);
/*
 * The child of PARENT (CALLTREE_NO_NODE: outermost) that stands for what has no code of its own: [unsampled],
 * [truncated], [unknown]. NAME is a name in brackets.
 */
int32_t session_named_child(struct session *s, int32_t parent, const char *name, enum layer layer);
/* Whether ROW of ROWS (cpu, offcpu, alloc) may belong to PROCESS: its thread is unknown by now, or PROCESS is -1, or
 * its. */
bool session_row_of_process(const struct session *s, const struct rows *rows, size_t row, int32_t process);

/* A new event (index); beyond MAX_EVENTS the newest slot is reused and counted as folded. */
uint32_t session_add_event(struct session *s, enum event_type type, uint64_t start_ns, int32_t process);

/* A sentence with its remedy; the same sentence is kept once. */
void session_warn(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds COUNT to what was given up for a bound (diagnostics.folded), or to why walks stopped (stop_reasons). */
void session_count_folded(struct session *s, const char *what, uint64_t count);
/* The same for what is known as a total: replaces what was counted. */
void session_set_folded(struct session *s, const char *what, uint64_t count);
void session_count_stop(struct session *s, const char *reason, uint64_t count);
