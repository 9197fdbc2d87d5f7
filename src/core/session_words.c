/* SPDX-License-Identifier: MIT */
#include "core/session_words.h"

#include <string.h>

static const char *const stop_reasons[] = {[STOP_EXIT] = "exit",
                                           [STOP_SIGNAL] = "signal",
                                           [STOP_INTERRUPT] = "interrupt",
                                           [STOP_DURATION] = "duration",
                                           [STOP_DETACHED] = "detached"};
static const char *const heap_sources[] = {[HEAP_ANON] = "anon", [HEAP_LIVE] = "live"};
static const char *const shim_statuses[] = {
    [SHIM_OFF] = "off", [SHIM_LOADED] = "loaded", [SHIM_NOT_LOADED] = "not_loaded"};
static const char *const event_types[] = {
    [EVENT_MEMORY_SPIKE] = "spike", [EVENT_CPU_SPIKE] = "cpu_spike", [EVENT_MARK] = "mark", [EVENT_GAP] = "gap"};
static const char *const function_sources[] = {
    [FUNCTION_SAMPLED] = "sampled", [FUNCTION_INSTRUMENTED] = "instrumented", [FUNCTION_BOTH] = "both"};
static const char *const stack_backends[] = {
    [STACKS_NONE] = "none", [STACKS_PERF_EVENT] = "perf_event", [STACKS_TIMER] = "timer", [STACKS_SAMPLE] = "sample"};
static const char *const stack_events[] = {[STACK_EVENT_CPU_CLOCK] = "cpu-clock", [STACK_EVENT_CYCLES] = "cycles"};
static const char *const alloc_backends[] = {
    [ALLOCS_NONE] = "none", [ALLOCS_SHIM] = "shim", [ALLOCS_LIBRARY] = "library"};
static const char *const symbols[] = {
    [MODULE_SYMBOLS_UNKNOWN] = "unknown", [MODULE_SYMBOLS_DWARF] = "dwarf", [MODULE_SYMBOLS_SYMTAB] = "symtab",
    [MODULE_SYMBOLS_DYNSYM] = "dynsym",   [MODULE_SYMBOLS_NONE] = "none",
};
static const char *const layers[] = {
    [LAYER_UNKNOWN] = "unknown", [LAYER_USER] = "user",   [LAYER_DEP] = "dep",       [LAYER_STD] = "std",
    [LAYER_RUNTIME] = "runtime", [LAYER_ALLOC] = "alloc", [LAYER_KERNEL] = "kernel", [LAYER_PROFILER] = "profiler",
};
static const char *const scope_clocks[] = {"tsc", "cntvct", "clock_gettime"};
static const char *const scope_modes[] = {"default", "precise", "sampled", "count", "off"};

#define WORDS(list)                                                                                                    \
    {                                                                                                                  \
        list, sizeof(list) / sizeof(*(list))                                                                           \
    }

static const struct {
    const char *const *words;
    unsigned count;
} vocabulary[WORDS_COUNT] = {
    [WORDS_STOP_REASON] = WORDS(stop_reasons),         [WORDS_HEAP_SOURCE] = WORDS(heap_sources),
    [WORDS_SHIM_STATUS] = WORDS(shim_statuses),        [WORDS_EVENT_TYPE] = WORDS(event_types),
    [WORDS_FUNCTION_SOURCE] = WORDS(function_sources), [WORDS_STACK_BACKEND] = WORDS(stack_backends),
    [WORDS_STACK_EVENT] = WORDS(stack_events),         [WORDS_ALLOC_BACKEND] = WORDS(alloc_backends),
    [WORDS_MODULE_SYMBOLS] = WORDS(symbols),           [WORDS_LAYER] = WORDS(layers),
    [WORDS_SCOPE_CLOCK] = WORDS(scope_clocks),         [WORDS_SCOPE_MODE] = WORDS(scope_modes),
};

const char *rs_word(enum rs_words words, unsigned value)
{
    const char *word = value < vocabulary[words].count ? vocabulary[words].words[value] : NULL;

    return word ? word : "";
}

unsigned rs_word_value(enum rs_words words, const char *text, size_t len)
{
    for (unsigned i = 0; i < vocabulary[words].count; i++) {
        const char *word = vocabulary[words].words[i];

        if (word && strlen(word) == len && !memcmp(word, text, len))
            return i;
    }
    return 0;
}

unsigned rs_word_count(enum rs_words words)
{
    return vocabulary[words].count;
}

enum { PCT_DIGITS = 2, MB_DIGITS = 3 };
#define PCT 1, PCT_DIGITS
#define MB  1e6, MB_DIGITS
#define ONE 1, 0

const struct rs_metric_column rs_sample_columns[RS_SAMPLE_COLUMNS] = {
    {"cpu_pct", METRIC_CPU_PCT, PCT},
    {"cpu_peak_pct", SAMPLES_CPU_PEAK_PCT, PCT},
    {"heap_mb", METRIC_HEAP_BYTES, MB},
    {"heap_peak_mb", SAMPLES_HEAP_PEAK_BYTES, MB},
    {"anon_mb", METRIC_ANON_BYTES, MB},
    {"anon_peak_mb", SAMPLES_ANON_PEAK_BYTES, MB},
    {"rss_mb", METRIC_RSS_BYTES, MB},
    {"rss_peak_mb", SAMPLES_RSS_PEAK_BYTES, MB},
    {"threads", METRIC_THREADS, ONE},
    {"open_fds", METRIC_OPEN_FDS, ONE},
    {"read_bytes", METRIC_READ_BYTES, ONE},
    {"write_bytes", METRIC_WRITE_BYTES, ONE},
    {"context_switches", METRIC_CONTEXT_SWITCHES, ONE},
};

const struct rs_metric_column rs_timeline_columns[RS_TIMELINE_COLUMNS] = {
    {"cpu_pct", METRIC_CPU_PCT, PCT},         {"anon_mb", METRIC_ANON_BYTES, MB},
    {"rss_mb", METRIC_RSS_BYTES, MB},         {"heap_mb", METRIC_HEAP_BYTES, MB},
    {"threads", METRIC_THREADS, ONE},         {"open_fds", METRIC_OPEN_FDS, ONE},
    {"alloc_bytes", METRIC_ALLOC_BYTES, ONE}, {"read_bytes", METRIC_READ_BYTES, ONE},
    {"write_bytes", METRIC_WRITE_BYTES, ONE},
};

const char *const rs_summary_keys[SUMMARY_FIGURES] = {
    [SUMMARY_CPU_AVG_PCT] = "cpu_avg_pct",
    [SUMMARY_CPU_PEAK_PCT] = "cpu_peak_pct",
    [SUMMARY_CPU_MS] = "cpu_ms",
    [SUMMARY_HEAP_AVG_MB] = "heap_avg_mb",
    [SUMMARY_HEAP_PEAK_MB] = "heap_peak_mb",
    [SUMMARY_ANON_PEAK_MB] = "anon_peak_mb",
    [SUMMARY_RSS_PEAK_MB] = "rss_peak_mb",
    [SUMMARY_THREAD_AVG] = "thread_avg",
    [SUMMARY_THREAD_PEAK] = "thread_peak",
    [SUMMARY_FD_PEAK] = "fd_peak",
    [SUMMARY_TOTAL_ALLOCATIONS] = "total_allocations",
    [SUMMARY_TOTAL_DEALLOCATIONS] = "total_deallocations",
    [SUMMARY_TOTAL_ALLOC_BYTES] = "total_alloc_bytes",
    [SUMMARY_TEMPORARY_ALLOCATIONS] = "temporary_allocations",
    [SUMMARY_LEAKED_BYTES] = "leaked_bytes",
    [SUMMARY_LEAKED_ALLOCATIONS] = "leaked_allocations",
    [SUMMARY_SPIKES] = "spikes",
};

const char *const rs_module_columns[MODULES_COLUMNS + 1] = {
    [MODULES_PATH] = "path", [MODULES_NAME] = "name",       [MODULES_BUILD_ID] = "build_id",
    [MODULES_ARCH] = "arch", [MODULES_SYMBOLS] = "symbols",
};

const char *const rs_frame_columns[FRAMES_COLUMNS + 1] = {
    [FRAMES_FUNC] = "func", [FRAMES_OBJECT] = "object", [FRAMES_ADDR] = "addr",       [FRAMES_CRATE] = "crate",
    [FRAMES_FILE] = "file", [FRAMES_LINE] = "line",     [FRAMES_INLINED] = "inlined", [FRAMES_LAYER] = "layer",
};

const char *const rs_node_columns[NODES_COLUMNS + 1] = {[NODES_PARENT] = "parent", [NODES_FRAME] = "frame"};

const char *const rs_allocation_columns[ALLOCATIONS_COLUMNS + 1] = {
    [ALLOCATIONS_NODE] = "node",
    [ALLOCATIONS_COUNT] = "count",
    [ALLOCATIONS_BYTES] = "bytes",
    [ALLOCATIONS_PEAK_BYTES] = "peak_bytes",
    [ALLOCATIONS_LEAKED_BYTES] = "leaked_bytes",
    [ALLOCATIONS_LEAKED_COUNT] = "leaked_count",
    [ALLOCATIONS_TEMPORARY] = "temporary",
    [ALLOCATIONS_LIFETIME_P50_US] = "lifetime_p50_us",
};

const char *const rs_alloc_size_classes[ALLOC_SIZE_CLASSES] = {"0-64B", "65-512B", "513B-4KB", "4KB-64KB", ">64KB"};

const struct rs_row_table rs_process_table = {"process_timeline", "process", NULL, {"cpu_pct", "anon_mb", "heap_mb"}};
const struct rs_row_table rs_cpu_table = {"cpu", "node", "thread", {"weight_us", "samples"}};
const struct rs_row_table rs_offcpu_table = {"offcpu", "node", "thread", {"wait_us", "count"}};
const struct rs_row_table rs_alloc_table = {"alloc_buckets", "node", "thread", {"bytes", "count", "net_bytes"}};
