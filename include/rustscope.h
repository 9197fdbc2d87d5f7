/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * librustscope: how often, how long and how evenly places in a program run.
 *
 *     #include <rustscope.h>
 *
 *     void handle(struct request *r)
 *     {
 *         RS_PROFILE_FUNC();                  to the end of the function, however it is left
 *         RS_PROFILE_BLOCK("parse") {
 *             parse(r);
 *         }
 *     }
 *
 * Under `rustscope -- ./app` the figures land in its session; stand-alone, RUSTSCOPE_OUT=file.json or
 * rustscope_write_json() writes the same JSON, and with neither nothing is written and memory stays bounded.
 *
 * A scope costs two reads of the CPU's clock and about a nanosecond (docs/library.md has the figures). Every thread owns
 * its statistics, so scopes take no lock, allocate nothing after a place's first use in a thread, and may be used in
 * signal handlers. A scope belongs to the thread and the stack frame that opened it; what crosses threads or callbacks is
 * a handle (rustscope_handle_begin), what is suspended and resumed is a task (rustscope_task_begin).
 *
 * Compile with -DRUSTSCOPE_DISABLED and everything here vanishes, the need for the library included. RUSTSCOPE_MODE in
 * the environment chooses for a process: default, precise, sampled[:N], count, off.
 *
 * C11 and C++17; gcc and clang; x86_64 and aarch64, other machines through clock_gettime. Functions return 0 or a
 * negative errno unless they say otherwise, are safe from any thread, and leave errno alone.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#include <type_traits>
extern "C" {
#endif

#define RUSTSCOPE_VERSION_MAJOR 0
#define RUSTSCOPE_VERSION_MINOR 4
#define RUSTSCOPE_API           __attribute__((visibility("default")))

/* How the calls of a place are measured. A site's own choice beats RUSTSCOPE_MODE; off and pause beat both. */
enum rustscope_mode {
    RUSTSCOPE_DEFAULT, /* what the process chose; by itself: every call, bare clock */
    RUSTSCOPE_PRECISE, /* every call, fenced clock, its constant offset subtracted: three times dearer, honest below 100 ns */
    RUSTSCOPE_SAMPLED, /* every call counted, a random one in N (64) timed with the fenced clock */
    RUSTSCOPE_COUNT    /* calls only */
};

/* What rustscope_assert_perf() can hold a place to. Times in ns. */
enum rustscope_metric {
    RUSTSCOPE_CALLS,
    RUSTSCOPE_TOTAL_NS,
    RUSTSCOPE_SELF_NS,
    RUSTSCOPE_MIN_NS,
    RUSTSCOPE_MEAN_NS,
    RUSTSCOPE_STDDEV_NS,
    RUSTSCOPE_P50_NS,
    RUSTSCOPE_P95_NS,
    RUSTSCOPE_P99_NS,
    RUSTSCOPE_MAX_NS,
    RUSTSCOPE_ALLOC_BYTES,
    RUSTSCOPE_OUTLIERS,
    RUSTSCOPE_MAX_DEPTH
};

enum rustscope_timeline_format {
    RUSTSCOPE_TIMELINE_CHROME, /* one JSON object: chrome://tracing, Perfetto */
    RUSTSCOPE_TIMELINE_NDJSON  /* one JSON object a line */
};

/* The figures of one function (all its call paths together) or of one call path. */
struct rustscope_function {
    size_t size;      /* sizeof this struct as the library knows it; later versions append */
    const char *name; /* valid as long as the snapshot */
    const char *file;
    uint32_t line;
    uint32_t max_depth;    /* most calls of it open at once on one stack: 1 without recursion */
    uint64_t calls;        /* exact in every mode */
    uint64_t timed_calls;  /* less than calls in SAMPLED and COUNT */
    double total_ns;       /* recursion counted once; in SAMPLED calls × mean */
    double self_ns;        /* total less what scopes inside took: never more than total */
    double min_ns, mean_ns, stddev_ns, max_ns; /* of single calls */
    double p50_ns, p95_ns, p99_ns;             /* ± 1.6 % */
    uint64_t alloc_bytes;                      /* allocated inside, with the shim or a TrackingAllocator */
    uint64_t outlier_count;
    uint64_t budget_ns; /* 0: none */
    uint64_t budget_violations;
};

/* How the figures were taken. Nothing is subtracted from them unless `mode` is precise. */
struct rustscope_info {
    size_t size;              /* set by the caller to sizeof(struct rustscope_info) */
    const char *clock;        /* "tsc", "cntvct" or "clock_gettime" */
    const char *mode;         /* "default", "precise", "sampled", "count" or "off" */
    double resolution_ns;     /* smallest step of the clock */
    double overhead_ns;       /* what one scope costs its surroundings, measured in this process */
    double inside_ns;         /* what an empty scope reports: the part of the overhead inside each time */
    double precise_offset_ns; /* subtracted from each PRECISE or SAMPLED time; 0 until one was taken */
    uint64_t skipped;         /* scopes that could not be recorded (first use inside a handler that cut into a first use) */
    uint64_t folded_paths;    /* call paths merged into shorter ones because a thread had 4,096 */
    uint64_t threads;         /* thread states in use: the most that ever lived at once */
};

struct rustscope_snapshot;
typedef void (*rustscope_function_fn)(const struct rustscope_function *function, void *ctx);
/* DEPTH is the distance from the root; parents come before their children. */
typedef void (*rustscope_path_fn)(const struct rustscope_function *path, unsigned depth, void *ctx);
/* Called in the thread whose call took TOOK_NS, after its scope has ended. */
typedef void (*rustscope_budget_fn)(const char *name, uint64_t took_ns, uint64_t budget_ns, void *ctx);

/*
 * One place in the source, static and never moved. NAME is what reports show; the library copies the texts at the first
 * use, so a module with sites may be unloaded. Fill it with RS_SITE() or, elsewhere than in C and C++, with zeroes at
 * the end.
 */
struct rustscope_site {
    const char *name;
    const char *function; /* of the source that holds it, or NULL */
    const char *file;
    uint32_t line;
    uint32_t mode;  /* enum rustscope_mode */
    uint32_t flags; /* RUSTSCOPE_SITE_… */
    uint32_t id;    /* the library's; 0 */
};

enum {
    RUSTSCOPE_SITE_FUNCTION = 1 /* the name is the function's: reports join it with stack samples of that function */
};

/* The state of a scope: on the stack of the code it measures, never copied. Fields are the library's. */
struct rustscope_frame {
    struct rustscope_node *node; /* NULL: not measured */
    struct rustscope_node *cur;
    uint64_t child_ticks;
    uint64_t start_ticks;
    uint64_t alloc_bytes;
    uintptr_t saved_sp;
    uint32_t how;
    uint32_t open;
};

/* A measurement that begins and ends in different callbacks or threads. May be copied; ends once. */
struct rustscope_handle {
    struct rustscope_site *site; /* NULL: not measured */
    uint64_t start_ticks;
};

/*
 * A unit of asynchronous work. The caller embeds it where the work's own state lives; it may move in memory and between
 * threads while no poll is under way. Fields are the library's.
 *
 * now - begin = first poll's delay + busy + idle + scheduled, where scheduled is the wait between rustscope_task_wake()
 * and the poll that follows; without wakes that wait is part of idle.
 */
struct rustscope_task {
    struct rustscope_site *site; /* NULL: not measured */
    uint64_t created_ticks, last_exit_ticks, polls;
    uint64_t reserved[5];
    uint64_t wake_ticks; /* atomic: written by any thread */
    struct rustscope_frame frame;
};

/* Bytes and blocks that a thread has allocated so far; see rustscope_count_allocation(). */
struct rustscope_allocations {
    uint64_t bytes;
    uint64_t blocks;
};

/*
 * Benchmarks. What a benchmark sees while it runs: one a thread, valid during the call.
 *
 * A rustscope_bench_fn runs what it measures `iterations` times and returns; its whole call is timed, less what calling
 * an empty function costs. With RS_BENCH_LOOP, or rustscope_bench_start() and rustscope_bench_stop() once each, only the
 * part between them is: what comes before is the setup of this batch of iterations.
 */
struct rustscope_bench {
    uint64_t iterations; /* wanted from this call */
    int64_t n;           /* the parameter of this run; 0 without one */
    uint32_t thread;     /* from 0 */
    uint32_t threads;
    void *ctx;
    uint64_t bytes, items; /* that one iteration handles: may be set by the function, 0 is none */
    /* The library's: how often RS_BENCH repeats its body, four at a time and one at a time. */
    uint64_t fours, ones;
    uint64_t start_ticks, stop_ticks;
    uint64_t alloc_bytes, alloc_blocks;
    uint32_t repeats, loops, open, own_loop;
    uint64_t batch; /* most iterations that the next call may be given, for setups that need memory for each: may be set by the
                       function; 0 is no limit. The configuration's goes first */
    uint64_t reserved[3];
};
typedef void (*rustscope_bench_fn)(struct rustscope_bench *bench);

/* How one benchmark is run. Zero everywhere else than in `size` and `name` is a good choice. */
struct rustscope_bench_config {
    size_t size;          /* set by the caller to sizeof(struct rustscope_bench_config) */
    const char *name;
    uint64_t time_ns;     /* to measure for, in all samples together; 0: 500 ms */
    uint64_t warmup_ns;   /* to run before that at least, until times settle; 0: 100 ms */
    uint64_t iterations;  /* of each sample; 0: as many as the time allows */
    uint64_t batch;       /* most iterations of one call, for setups that need memory for each; 0: no limit */
    uint64_t bytes, items; /* that one iteration handles; 0: none, or the function tells */
    uint64_t seed;        /* of the bootstrap; the same samples and seed give the same intervals */
    int64_t n;            /* handed on to the function */
    uint32_t samples;     /* 0: 100; fewer, but at least 10, when iterations are long */
    uint32_t threads;     /* that run the function at the same time; 0: 1 */
    rustscope_bench_fn setup, teardown; /* around each call of the function, not timed; may be NULL */
};

/*
 * Times are of one iteration in ns, statistics are over the samples. With several threads a time is the mean over the
 * threads of what an iteration took in each.
 */
struct rustscope_bench_result {
    size_t size; /* set by the caller to sizeof(struct rustscope_bench_result) */
    uint64_t iterations;        /* measured, in all samples and threads together */
    uint64_t warmup_iterations; /* run before, calibration included */
    uint64_t sample_iterations; /* of one sample and thread */
    uint32_t samples, threads;
    uint32_t processes;         /* that the samples come from, equally many from each, one process after the other */
    uint32_t unsettled;         /* 1: times still drifted when the warm-up's time was up */
    double mean_ns, median_ns, min_ns, max_ns;
    double stddev_ns;               /* of the sample (n - 1) */
    double mad_ns;                  /* median absolute deviation, not scaled */
    double mean_low_ns, mean_high_ns;     /* 95 % interval: bootstrap, BCa; over processes, where there are several, Student's t */
    double median_low_ns, median_high_ns; /* 95 % interval: bootstrap, percentiles */
    uint32_t low_mild, low_severe, high_mild, high_severe; /* Tukey: beyond 1.5 and 3 interquartile ranges */
    double bytes_per_sec, items_per_sec;  /* of all threads together; 0: not known */
    double alloc_bytes, alloc_blocks;     /* per iteration; -1: nobody counts (neither the shim nor a TrackingAllocator) */
    double loop_ns;       /* what the loop around the body costs an iteration: measured, and subtracted above */
    double resolution_ns; /* of the clock */
    double *samples_ns;   /* `samples` of them in the order in which they were taken; rustscope_bench_result_release() */
};

/* A benchmark that rustscope_bench_main() knows. Static; filled by RS_BENCH(), or by hand with zeroes at the end. */
struct rustscope_bench_entry {
    const char *name;
    const char *file;
    uint32_t line;
    uint32_t n_count, thread_count;
    rustscope_bench_fn run;
    void (*declare)(struct rustscope_bench_entry *entry); /* sets what follows; may be NULL */
    void *ctx;
    struct rustscope_bench_config config;
    int64_t n[32];        /* run once with each */
    uint32_t threads[16]; /* and with each of these */
    struct rustscope_bench_entry *next;
};

#define RS_CAT2_(a, b) a##b
#define RS_CAT_(a, b)  RS_CAT2_(a, b)

/* ---- against the optimiser: no library needed -------------------------------------------------------------------- */

/* What is in memory here may have been read and written by somebody: nothing is kept in registers across it. No code. */
static inline __attribute__((always_inline, unused)) void rustscope_clobber(void)
{
    __asm__ __volatile__("" : : : "memory");
}

/*
 * rustscope_black_box(x): the value of x, of which the compiler knows nothing any more, neither where it goes nor what it
 * is. Numbers and pointers stay in registers, larger values in memory; in C++ an object comes back by reference.
 */
#if defined(__x86_64__)
#define RS_FLOAT_REGISTER_ "x"
#elif defined(__aarch64__)
#define RS_FLOAT_REGISTER_ "w"
#else
#define RS_FLOAT_REGISTER_ "r"
#endif
#ifndef __cplusplus
#define RS_BLACK_BOX_AS_(box, constraint, x)                                                                           \
    __extension__({                                                                                                    \
        __auto_type box = (x);                                                                                         \
        __asm__ __volatile__("" : constraint(box) : : "memory");                                                       \
        box;                                                                                                           \
    })
#if defined(__clang__)
/* clang takes memory whenever it may; classes 1 to 8 are numbers and pointers. */
#define RS_BLACK_BOX_(n, x)                                                                                            \
    __builtin_choose_expr(sizeof(x) <= sizeof(void *) && __builtin_classify_type(x) <= 8,                              \
                          RS_BLACK_BOX_AS_(RS_CAT_(rs_box_, n), "+r", x), RS_BLACK_BOX_AS_(RS_CAT_(rs_box_, n), "+m", x))
#else
#define RS_BLACK_BOX_(n, x) RS_BLACK_BOX_AS_(RS_CAT_(rs_box_, n), "+rm" RS_FLOAT_REGISTER_, x)
#endif
#define rustscope_black_box(x) RS_BLACK_BOX_(__COUNTER__, x)
#endif
#ifdef __cplusplus
} /* extern "C" */
template <class T> inline __attribute__((always_inline)) T rustscope_black_box_scalar(T value) noexcept
{
    if constexpr (sizeof(T) > sizeof(void *))
        __asm__ __volatile__("" : "+m"(value) : : "memory");
    else if constexpr (std::is_floating_point_v<T>)
        __asm__ __volatile__("" : "+" RS_FLOAT_REGISTER_(value) : : "memory");
    else
        __asm__ __volatile__("" : "+r"(value) : : "memory");
    return value;
}

template <class T> inline __attribute__((always_inline)) decltype(auto) rustscope_black_box(T &&value) noexcept
{
    if constexpr (std::is_scalar_v<std::decay_t<T>>) {
        return rustscope_black_box_scalar<std::decay_t<T>>(value);
    } else {
        __asm__ __volatile__("" : : "r"(&value) : "memory");
        return static_cast<T &&>(value);
    }
}
extern "C" {
#endif

#ifndef RUSTSCOPE_DISABLED

/* ---- settings ---------------------------------------------------------------------------------------------------- */

/* Names, tags and labels of the session; texts are copied. A tag given twice is kept once. -ENOSPC beyond 64 of each. */
RUSTSCOPE_API int rustscope_set_session_name(const char *name);
RUSTSCOPE_API int rustscope_add_tag(const char *tag);
RUSTSCOPE_API int rustscope_set_label(const char *key, const char *value);
/* The program's tags and labels go; those of rustscope's command line stay. */
RUSTSCOPE_API void rustscope_clear_tags_and_labels(void);

/* A call is an outlier when it differs from the mean so far by more than SIGMA (3) standard deviations, after the first CALLS (10). */
RUSTSCOPE_API void rustscope_set_outlier_sigma(double sigma);
RUSTSCOPE_API void rustscope_set_outlier_warmup(uint64_t calls);

/*
 * Calls of the scopes named NAME should take at most BUDGET_NS; those that take more are counted, the worst is kept, and
 * CALLBACK (may be NULL) is told. Given again it replaces; 0 removes it. Takes effect in other threads at their next scope.
 */
RUSTSCOPE_API int rustscope_set_budget(const char *name, uint64_t budget_ns, rustscope_budget_fn callback, void *ctx);

/* Stop and go on measuring in all threads. Scopes open at the time of a pause are still recorded when they end. */
RUSTSCOPE_API void rustscope_pause(void);
RUSTSCOPE_API void rustscope_resume(void);

/* A point and a value on the session's timeline. Without the CLI and without RUSTSCOPE_OUT: one branch. Signal-safe. */
RUSTSCOPE_API void rustscope_mark(const char *name);
RUSTSCOPE_API void rustscope_counter(const char *name, double value);

/* ---- results: all of them while other threads run --------------------------------------------------------------- */

/*
 * Forget what was measured, the timeline's events too; scopes that are open now are not recorded. What was said of the
 * run and its places stays: session name, tags and labels (rustscope_clear_tags_and_labels()), budgets, options, and the
 * points of rustscope_mark().
 */
RUSTSCOPE_API void rustscope_reset(void);

/* The figures up to now, or NULL without memory. Freed by rustscope_snapshot_free(). */
RUSTSCOPE_API struct rustscope_snapshot *rustscope_collect(void);
RUSTSCOPE_API void rustscope_snapshot_free(struct rustscope_snapshot *snapshot);

/* Calls FN for each function, the largest self time first. Returns how many there are. */
RUSTSCOPE_API size_t rustscope_foreach_function(const struct rustscope_snapshot *snapshot, rustscope_function_fn fn, void *ctx);
/* Calls FN for each call path, depth first. Returns how many there are. */
RUSTSCOPE_API size_t rustscope_foreach_path(const struct rustscope_snapshot *snapshot, rustscope_path_fn fn, void *ctx);
/* The function called NAME. OUT->size is set by the caller. Returns 0 or -ENOENT. */
RUSTSCOPE_API int rustscope_find_function(const struct rustscope_snapshot *snapshot, const char *name,
                                          struct rustscope_function *out);

/* Writes the session JSON (docs/session.schema.json) to PATH, where "%p" stands for the process id; replaced at once. */
RUSTSCOPE_API int rustscope_write_json(const char *path);

/* Fills OUT, whose size the caller has set. Returns 0, or -EINVAL for a size it does not know. */
RUSTSCOPE_API int rustscope_get_info(struct rustscope_info *out);

/*
 * Is METRIC of the function NAME at most LIMIT? Returns 0 when it is, 1 when it is not or nothing of that name has run.
 * rustscope_why() then tells the calling thread in a sentence, with the measured value.
 */
RUSTSCOPE_API int rustscope_assert_perf(const char *name, enum rustscope_metric metric, double limit);
RUSTSCOPE_API const char *rustscope_why(void);
RUSTSCOPE_API void rustscope_assert_perf_or_abort(const char *name, enum rustscope_metric metric, double limit,
                                                  const char *file, unsigned line);

/*
 * Also keep the begin and end of each timed call, the last MAX_EVENTS of all threads together; older ones are
 * overwritten, oldest first, and counted. 0 stops; what is kept can still be written. A larger MAX_EVENTS than before
 * starts anew.
 */
RUSTSCOPE_API int rustscope_timeline_enable(size_t max_events);
/* Writes the events in the order of their begin. Sets *DROPPED (may be NULL). */
RUSTSCOPE_API int rustscope_timeline_write(const char *path, enum rustscope_timeline_format format, uint64_t *dropped);

/* ---- benchmarks -------------------------------------------------------------------------------------------------- */

/*
 * Measures FN, called with CTX in bench->ctx, and fills OUT, whose size the caller has set. Warms up, chooses the
 * iterations of a sample, takes the samples and computes everything in OUT. Returns 0, -EINVAL, -ENOMEM, -EAGAIN when
 * threads cannot be started, or -ENODATA when there is nothing to measure: the body was optimised away, or the loop was
 * left. rustscope_why() then tells in a sentence. Uses malloc; one benchmark at a time; not signal-safe.
 */
RUSTSCOPE_API int rustscope_bench_run(const struct rustscope_bench_config *config, rustscope_bench_fn fn, void *ctx,
                                      struct rustscope_bench_result *out);
RUSTSCOPE_API void rustscope_bench_result_release(struct rustscope_bench_result *result);

/* The timed part begins and ends: once in each call of the function, or never. Begin returns bench->iterations. */
RUSTSCOPE_API uint64_t rustscope_bench_start(struct rustscope_bench *bench);
RUSTSCOPE_API void rustscope_bench_stop(struct rustscope_bench *bench);

/* Adds ENTRY, which stays the caller's and must stay, to what rustscope_bench_main() runs. Before main() or in it. */
RUSTSCOPE_API void rustscope_bench_register(struct rustscope_bench_entry *entry);

/*
 * Runs the registered benchmarks as the options say (--help lists them) and prints the results. Returns what main()
 * returns: 0; 1 when something got slower than the baseline, or could not be measured; 2 for a wrong command line.
 */
RUSTSCOPE_API int rustscope_bench_main(int argc, char **argv);

/* What stands between the parentheses of RS_BENCH: the name, then any of the settings below, evaluated once. */
RUSTSCOPE_API void rustscope_bench_declare(struct rustscope_bench_entry *entry, const char *name, ...);
RUSTSCOPE_API int rustscope_bench_add_n(struct rustscope_bench_entry *entry, int64_t n);
RUSTSCOPE_API int rustscope_bench_add_range(struct rustscope_bench_entry *entry, int64_t low, int64_t high, int64_t factor);
RUSTSCOPE_API int rustscope_bench_add_threads(struct rustscope_bench_entry *entry, uint32_t threads);
RUSTSCOPE_API int rustscope_bench_set(struct rustscope_bench_entry *entry, uint64_t time_ms, uint32_t samples, uint64_t batch);

/* ---- what the macros below are made of, for other languages and for callbacks ------------------------------------ */

/* Out-of-line twins of the inline begin and end. Each frame that was begun ends exactly once, innermost first. */
RUSTSCOPE_API void rustscope_enter(struct rustscope_frame *frame, struct rustscope_site *site);
RUSTSCOPE_API void rustscope_leave(struct rustscope_frame *frame);

/*
 * What the first use of SITE does: its texts are copied and its id is filled. For languages where a name is known at
 * run time only: a second site with that id is the same place. Returns the id; 0 when there are too many, or in a
 * signal handler that cut into a look-up.
 */
RUSTSCOPE_API uint32_t rustscope_register_site(struct rustscope_site *site);

/* From here to rustscope_handle_end(), in any thread. Recorded below the root, with no part in others' self times. */
RUSTSCOPE_API struct rustscope_handle rustscope_handle_begin(struct rustscope_site *site);
RUSTSCOPE_API void rustscope_handle_end(struct rustscope_handle *handle);

/*
 * A task's life: begin (its state is filled), any number of polls, end. Enter and exit of one poll happen in one thread
 * and nest like a scope: scopes inside the poll appear under the task. READY tells that this poll finished the work.
 * Wake may come from any thread, also during a poll, as long as the task exists; of several before a poll the first one
 * counts. A waker that may outlive its task keeps a reading of the clock instead, and who polls hands it on by wake_at,
 * right before the enter.
 */
RUSTSCOPE_API void rustscope_task_begin(struct rustscope_task *task, struct rustscope_site *site);
RUSTSCOPE_API void rustscope_task_poll_enter(struct rustscope_task *task);
RUSTSCOPE_API void rustscope_task_poll_exit(struct rustscope_task *task, int ready);
RUSTSCOPE_API void rustscope_task_wake(struct rustscope_task *task);
RUSTSCOPE_API void rustscope_task_wake_at(struct rustscope_task *task, uint64_t ticks);
RUSTSCOPE_API void rustscope_task_end(struct rustscope_task *task, int cancelled);

/* The clock of tasks, for wake_at: in ticks, never 0. */
RUSTSCOPE_API uint64_t rustscope_task_clock(void);

/*
 * What this thread has allocated: counted by the shim where it is loaded, else by whoever calls
 * rustscope_count_allocation(), such as a TrackingAllocator. With the shim the latter changes nothing, so that nothing
 * counts twice. Both are safe inside malloc, and before and after a thread's own code.
 */
RUSTSCOPE_API struct rustscope_allocations rustscope_allocated(void);
RUSTSCOPE_API void rustscope_count_allocation(size_t bytes);

/* ---- the inline fast path: ABI number 1 -------------------------------------------------------------------------- */

/*
 * Layouts that inlined code touches are frozen per number: a program compiled against another one does not link, since
 * the number is part of these symbols' names.
 */
#define RS_ABI_(symbol) symbol##_v1

enum {
    RUSTSCOPE_HISTOGRAM_BUCKETS = 1184, /* 32 an octave up to 2^41 ticks; src/core/histogram.h */
    RUSTSCOPE_WORST_KEPT = 6,
    RUSTSCOPE_STATE_OFF = 1,
    /* rustscope_node.how and rustscope_frame.how: 0 is the default mode; everything else leaves the straight path. */
    RUSTSCOPE_HOW_SAMPLED = 1,
    RUSTSCOPE_HOW_COUNT = 2,
    RUSTSCOPE_HOW_OTHER = 4,  /* out of line: precise, timeline, folded recursion, a slow clock */
    RUSTSCOPE_HOW_UNTIMED = 8 /* frames only: a call that is only counted */
};

struct rustscope_worst {
    uint64_t end_ticks;
    uint64_t ticks;
    double sigmas;
};

/*
 * A call path's statistics in one thread: written by its owner alone with relaxed atomics, read by anyone. A reader
 * takes `done`, the fields, then `begun`: equal means that no call ended in between. The bucket of a call is counted
 * when the next one ends (`pending`): a store whose address hangs on the clock just read would stall 7 ns of later loads.
 */
struct rustscope_node {
    uint64_t begun; /* timed calls, this one included, once its figures are being written */
    uint64_t total_ticks;
    uint64_t min_ticks, max_ticks;
    double mean_ticks, m2_ticks; /* Welford */
    uint64_t square_lo, square_hi; /* exact sum of squares */

    uint64_t self_ticks;
    uint64_t alloc_bytes;
    uint64_t low_ticks, high_ticks; /* a call outside of these needs a closer look */
    uint64_t pending_ticks;
    uint64_t look_at; /* the number of timed calls at which the two are computed anew */
    uint64_t untimed; /* calls beyond the timed ones */
    uint64_t done;    /* == begun between calls */

    struct rustscope_node *parent;
    uintptr_t sp;      /* stack pointer of the last begin, and where its frame was: tell a scope that longjmp left */
    uintptr_t frame;
    uint32_t how;      /* RUSTSCOPE_HOW_… */
    uint32_t site;     /* registry id */
    uint32_t path;     /* global id of the call path */
    uint32_t open;     /* folded recursion: frames open now, and at most */
    uint32_t max_open;
    uint32_t flags;
    uint64_t violations;
    struct rustscope_worst worst_violation;
    uint64_t outliers;
    uint64_t budget_ticks;
    struct rs_extra *extra; /* what few nodes need: figures of a task, 64-bit buckets */
    struct rustscope_node *next;
    struct rustscope_worst worst[RUSTSCOPE_WORST_KEPT];
    uint32_t histogram[RUSTSCOPE_HISTOGRAM_BUCKETS];
};

/* Which node a site has under the scope that is open now: two recent answers. */
struct rustscope_slot {
    struct rustscope_node *under[2];
    struct rustscope_node *node[2];
};

struct rustscope_slots {
    uint32_t count;
    uint32_t unused[7];
    struct rustscope_slot slot[1]; /* `count` of them, by site id; id 0 never matches */
};

struct rustscope_thread {
    uint32_t state; /* rustscope_state when this thread last caught up with it; 0 at first */
    uint32_t skip;  /* SAMPLED: calls up to the next timed one */
    struct rustscope_node *cur;
    struct rustscope_slots *slots;
    uint64_t child_ticks; /* spent in finished scopes directly inside the open one */
    const struct rustscope_allocations *allocated;
    struct rustscope_allocations own_allocated;
    struct rs_context *context;
};

#if defined(__linux__) || defined(__FreeBSD__)
#define RS_TLS_ __thread __attribute__((tls_model("initial-exec")))
#else
#define RS_TLS_ __thread
#endif
#define RS_THREAD_ RS_ABI_(rustscope_thread)
#define RS_STATE_  RS_ABI_(rustscope_state)
#define RS_DUE_    RS_ABI_(rustscope_due)

/*
 * The number in `rustscope_state` changes with every setting that threads must notice; its lowest bit means off. The
 * first scope that ends at or after `rustscope_due` ticks sends what the CLI has not seen yet; UINT64_MAX without a CLI.
 */
extern RUSTSCOPE_API RS_TLS_ struct rustscope_thread RS_THREAD_;
extern RUSTSCOPE_API uint32_t RS_STATE_;
extern RUSTSCOPE_API uint64_t RS_DUE_;
RUSTSCOPE_API void RS_ABI_(rustscope_begin_slow)(struct rustscope_frame *frame, struct rustscope_site *site, uintptr_t sp);
RUSTSCOPE_API void RS_ABI_(rustscope_begin_other)(struct rustscope_frame *frame, struct rustscope_node *node, uintptr_t sp);
RUSTSCOPE_API uint64_t RS_ABI_(rustscope_end_other)(struct rustscope_frame *frame);
RUSTSCOPE_API void RS_ABI_(rustscope_look)(struct rustscope_node *node, uint64_t ticks, uint64_t end_ticks);
RUSTSCOPE_API void RS_ABI_(rustscope_ended)(struct rustscope_node *node, uint64_t ticks, uint64_t end_ticks);
RUSTSCOPE_API uint64_t RS_ABI_(rustscope_ticks_slow)(void);

#define RS_LIKELY_(x)          __builtin_expect(!!(x), 1)
#define RS_LOAD_(field)        __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define RS_STORE_(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)
/* Orders the figures after `begun` for readers on other CPUs; free on x86. ThreadSanitizer has no fences. */
#if defined(__x86_64__)
#define RS_WRITE_FENCE_() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#elif defined(__SANITIZE_THREAD__)
#define RS_WRITE_FENCE_() ((void)0)
#else
#define RS_WRITE_FENCE_() __atomic_thread_fence(__ATOMIC_RELEASE)
#endif

static inline __attribute__((always_inline)) uint64_t rustscope_ticks(void)
{
#if defined(__x86_64__)
    uint32_t lo, hi;

    __asm__ __volatile__("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
#elif defined(__aarch64__)
    uint64_t ticks;

    __asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return RS_ABI_(rustscope_ticks_slow)();
#endif
}

static inline __attribute__((always_inline)) uintptr_t rustscope_stack_pointer(void)
{
    uintptr_t sp;

#if defined(__x86_64__)
    __asm__ __volatile__("mov %%rsp, %0" : "=r"(sp));
#elif defined(__aarch64__)
    __asm__ __volatile__("mov %0, sp" : "=r"(sp));
#else
    sp = (uintptr_t)__builtin_frame_address(0);
#endif
    return sp;
}

/* Bucket of a duration: exact below 32, then 32 steps an octave. */
static inline __attribute__((always_inline)) uint32_t rustscope_bucket(uint64_t ticks)
{
    uint32_t octave;

    ticks = ticks < (UINT64_C(1) << 41) ? ticks : (UINT64_C(1) << 41) - 1;
    octave = 63u - (uint32_t)__builtin_clzll(ticks | 32);
    return (octave - 5u) * 32u + (uint32_t)(ticks >> (octave - 5u));
}

static inline __attribute__((always_inline)) void rustscope_store_double(double *field, double value)
{
    __atomic_store(field, &value, __ATOMIC_RELAXED);
}

/* The figures of one timed call; the caller is the node's thread. */
static inline __attribute__((always_inline)) void rustscope_record(struct rustscope_node *node, uint64_t ticks,
                                                                   uint64_t child_ticks, uint64_t alloc_bytes,
                                                                   uint64_t end_ticks)
{
    uint64_t count = node->begun + 1;
    uint32_t *bucket = &node->histogram[rustscope_bucket(node->pending_ticks)];
    uint64_t first = count == 1;
    double off_mean = (double)ticks - node->mean_ticks;
    double mean = node->mean_ticks + off_mean / (double)(int64_t)count;
    __extension__ unsigned __int128 square = (unsigned __int128)ticks * ticks;

    RS_STORE_(node->begun, count);
    RS_WRITE_FENCE_();
    if (ticks < node->min_ticks)
        RS_STORE_(node->min_ticks, ticks);
    if (ticks > node->max_ticks)
        RS_STORE_(node->max_ticks, ticks);
    RS_STORE_(*bucket, *bucket + 1u - (uint32_t)first);
    RS_STORE_(node->pending_ticks, ticks);
    RS_STORE_(node->total_ticks, node->total_ticks + ticks);
    RS_STORE_(node->self_ticks, node->self_ticks + (ticks > child_ticks ? ticks - child_ticks : 0));
    RS_STORE_(node->alloc_bytes, node->alloc_bytes + alloc_bytes);
    square += (__extension__(unsigned __int128)node->square_hi) << 64 | node->square_lo;
    RS_STORE_(node->square_lo, (uint64_t)square);
    RS_STORE_(node->square_hi, (uint64_t)(square >> 64));
    /* The thresholds come from the calls before this one, so they are consulted before it joins the mean. */
    if (RS_LIKELY_(ticks <= node->high_ticks && ticks >= node->low_ticks && count < node->look_at)) {
        rustscope_store_double(&node->m2_ticks, node->m2_ticks + off_mean * ((double)ticks - mean));
        rustscope_store_double(&node->mean_ticks, mean);
    } else {
        RS_ABI_(rustscope_look)(node, ticks, end_ticks);
    }
    __atomic_store_n(&node->done, count, __ATOMIC_RELEASE);
}

/* SP is the stack pointer of the function that holds the scope. */
static inline __attribute__((always_inline)) void rustscope_scope_begin_at(struct rustscope_frame *frame,
                                                                           struct rustscope_site *site, uintptr_t sp)
{
    struct rustscope_thread *thread = &RS_THREAD_;
    uint32_t state = RS_LOAD_(RS_STATE_);
    uint32_t id = RS_LOAD_(site->id);
    struct rustscope_node *cur, *node = NULL;

    if (RS_LIKELY_(state == thread->state && id < thread->slots->count)) {
        struct rustscope_slot *slot = &thread->slots->slot[id];

        cur = thread->cur;
        if (RS_LIKELY_(slot->under[0] == cur))
            node = slot->node[0];
        else if (slot->under[1] == cur)
            node = slot->node[1];
        /* A frame above or at the open scope's own place means that longjmp left that scope. */
        if (RS_LIKELY_(node && cur->sp >= sp && cur->frame != (uintptr_t)frame)) {
            if (RS_LIKELY_(!node->how)) {
                frame->how = 0;
                frame->node = node;
                frame->cur = cur;
                frame->child_ticks = thread->child_ticks;
                frame->alloc_bytes = thread->allocated->bytes;
                node->sp = sp;
                node->frame = (uintptr_t)frame;
                thread->child_ticks = 0;
                thread->cur = node;
                frame->start_ticks = rustscope_ticks();
                return;
            }
            if (node->how == RUSTSCOPE_HOW_COUNT || (node->how == RUSTSCOPE_HOW_SAMPLED && --thread->skip)) {
                frame->how = RUSTSCOPE_HOW_UNTIMED;
                frame->node = node;
                frame->cur = cur;
                node->sp = sp;
                node->frame = (uintptr_t)frame;
                thread->cur = node;
                return;
            }
            RS_ABI_(rustscope_begin_other)(frame, node, sp);
            return;
        }
    } else if (state & RUSTSCOPE_STATE_OFF) {
        frame->node = NULL;
        return;
    }
    RS_ABI_(rustscope_begin_slow)(frame, site, sp);
}

static inline __attribute__((always_inline)) void rustscope_scope_begin(struct rustscope_frame *frame,
                                                                        struct rustscope_site *site)
{
    rustscope_scope_begin_at(frame, site, rustscope_stack_pointer());
}

/* Ends the scope; returns its ticks, 0 when it was not timed. */
static inline __attribute__((always_inline)) uint64_t rustscope_scope_close(struct rustscope_frame *frame)
{
    struct rustscope_node *node = frame->node;
    struct rustscope_thread *thread;
    uint64_t end, ticks, budget;

    if (!node)
        return 0;
    thread = &RS_THREAD_;
    if (RS_LIKELY_(!frame->how)) {
        end = rustscope_ticks();
        ticks = end - frame->start_ticks;
        /* Clocks of two CPUs may differ by a tick or two. */
        ticks = (int64_t)ticks < 0 ? 0 : ticks;
        rustscope_record(node, ticks, thread->child_ticks, thread->allocated->bytes - frame->alloc_bytes, end);
        budget = node->budget_ticks;
        thread->child_ticks = frame->child_ticks + ticks;
        __atomic_signal_fence(__ATOMIC_SEQ_CST); /* a handler that runs here finds the node whole or `cur` inside it */
        thread->cur = frame->cur;
        if (!RS_LIKELY_(ticks <= budget && end < RS_LOAD_(RS_DUE_)))
            RS_ABI_(rustscope_ended)(node, ticks, end);
        return ticks;
    }
    if (frame->how == RUSTSCOPE_HOW_UNTIMED) {
        RS_STORE_(node->untimed, node->untimed + 1);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        thread->cur = frame->cur;
        return 0;
    }
    return RS_ABI_(rustscope_end_other)(frame);
}

static inline __attribute__((always_inline)) void rustscope_scope_end(struct rustscope_frame *frame)
{
    (void)rustscope_scope_close(frame);
}

#ifdef __cplusplus
} /* extern "C" */

/* The scope as an object: ends with its block, exceptions included. */
class rustscope_scope {
  public:
    explicit inline __attribute__((always_inline)) rustscope_scope(struct rustscope_site *site) noexcept
    {
        rustscope_scope_begin(&frame_, site);
    }
    inline __attribute__((always_inline)) rustscope_scope(bool wanted, struct rustscope_site *site) noexcept
    {
        if (wanted)
            rustscope_scope_begin(&frame_, site);
        else
            frame_.node = nullptr;
    }
    inline __attribute__((always_inline)) ~rustscope_scope()
    {
        rustscope_scope_end(&frame_);
    }
    rustscope_scope(const rustscope_scope &) = delete;
    rustscope_scope &operator=(const rustscope_scope &) = delete;
    bool once() noexcept
    {
        bool first = first_;

        first_ = false;
        return first;
    }

  private:
    struct rustscope_frame frame_;
    bool first_ = true;
};
extern "C" {
#endif

#ifdef __cplusplus
#define RS_FUNCTION_ __PRETTY_FUNCTION__
#else
#define RS_FUNCTION_ __func__
#endif
#define RS_SITE_INIT_(name, mode, flags) {name, RS_FUNCTION_, __FILE__, __LINE__, mode, flags, 0}

/* Defines a static site called VARIABLE, in a function or outside, for rustscope_enter(), handles and tasks. */
#define RS_SITE(variable, name)                                                                                        \
    static struct rustscope_site variable = {name, NULL, __FILE__, __LINE__, RUSTSCOPE_DEFAULT, 0, 0}

#define RS_SITE_EXPR_(name, mode)                                                                                      \
    __extension__({                                                                                                    \
        static struct rustscope_site rs_site_ = RS_SITE_INIT_(name, mode, 0);                                          \
        &rs_site_;                                                                                                     \
    })

#ifdef __cplusplus
#define RS_OPEN_(n, wanted, name, mode, flags)                                                                         \
    static struct rustscope_site RS_CAT_(rs_site_, n) = RS_SITE_INIT_(name, mode, flags);                              \
    rustscope_scope RS_CAT_(rs_scope_, n)                                                                              \
    {                                                                                                                  \
        wanted, &RS_CAT_(rs_site_, n)                                                                                  \
    }
#define RS_BLOCK_(n, name)                                                                                             \
    for (rustscope_scope RS_CAT_(rs_scope_, n){RS_SITE_EXPR_(name, RUSTSCOPE_DEFAULT)}; RS_CAT_(rs_scope_, n).once();)
#else
struct rustscope_block {
    struct rustscope_frame frame;
    int first;
};

static inline __attribute__((always_inline)) void rustscope_block_end(struct rustscope_block *block)
{
    rustscope_scope_end(&block->frame);
}

static inline __attribute__((always_inline)) int rustscope_block_once(struct rustscope_block *block,
                                                                      struct rustscope_site *site)
{
    int first = block->first;

    if (first)
        rustscope_scope_begin(&block->frame, site);
    block->first = 0;
    return first;
}

#define RS_OPEN_(n, wanted, name, mode, flags)                                                                         \
    static struct rustscope_site RS_CAT_(rs_site_, n) = RS_SITE_INIT_(name, mode, flags);                              \
    __attribute__((cleanup(rustscope_scope_end))) struct rustscope_frame RS_CAT_(rs_scope_, n);                        \
    if (wanted)                                                                                                        \
        rustscope_scope_begin(&RS_CAT_(rs_scope_, n), &RS_CAT_(rs_site_, n));                                          \
    else                                                                                                               \
        RS_CAT_(rs_scope_, n).node = NULL
#define RS_BLOCK_(n, name)                                                                                             \
    for (__attribute__((cleanup(rustscope_block_end)))                                                                 \
         struct rustscope_block RS_CAT_(rs_scope_, n) = {.frame = {.node = NULL}, .first = 1};                         \
         rustscope_block_once(&RS_CAT_(rs_scope_, n), RS_SITE_EXPR_(name, RUSTSCOPE_DEFAULT));)
#endif

/* ---- what programs write ----------------------------------------------------------------------------------------- */

/* From here to the end of the block. NAME is a string literal. */
#define RS_PROFILE(name) RS_OPEN_(__COUNTER__, 1, name, RUSTSCOPE_DEFAULT, 0)
/* The same under the function's own name. */
#define RS_PROFILE_FUNC() RS_OPEN_(__COUNTER__, 1, RS_FUNCTION_, RUSTSCOPE_DEFAULT, RUSTSCOPE_SITE_FUNCTION)
/* Measured in MODE (enum rustscope_mode), whatever the process chose. */
#define RS_PROFILE_MODE(name, mode) RS_OPEN_(__COUNTER__, 1, name, mode, 0)
/* Only when COND holds here. */
#define RS_PROFILE_IF(cond, name) RS_OPEN_(__COUNTER__, (cond), name, RUSTSCOPE_DEFAULT, 0)
/* RS_PROFILE_BLOCK("name") { … }: the braces and no more. `break` leaves the block, as it would leave a loop. */
#define RS_PROFILE_BLOCK(name) RS_BLOCK_(__COUNTER__, name)
/* An expression: its time is measured, its value is the value. */
#define RS_PROFILE_VALUE(name, expression)                                                                             \
    __extension__({                                                                                                    \
        RS_PROFILE(name);                                                                                              \
        (expression);                                                                                                  \
    })
/* Begin and end in different functions: HANDLE is a struct rustscope_handle that the caller keeps. */
#define RS_BEGIN(handle, name) ((void)((handle) = rustscope_handle_begin(RS_SITE_EXPR_(name, RUSTSCOPE_DEFAULT))))
#define RS_END(handle)         rustscope_handle_end(&(handle))
/* TASK is a struct rustscope_task. */
#define RS_TASK_BEGIN(task, name) rustscope_task_begin(&(task), RS_SITE_EXPR_(name, RUSTSCOPE_DEFAULT))
/* Ends the program with a sentence on stderr when METRIC (enum rustscope_metric) of NAME is above LIMIT. For tests. */
#define RS_ASSERT_PERF(name, metric, limit) rustscope_assert_perf_or_abort(name, metric, limit, __FILE__, __LINE__)

/*
 * A benchmark, outside of functions:
 *
 *     RS_BENCH("name") {
 *         rustscope_black_box(parse(text));        this is what is measured, in a loop of the library's
 *     }
 *
 *     RS_BENCH("sort", RS_BENCH_RANGE(8, 8192, 4)) {
 *         int *data = make(RS_BENCH_ITERATIONS, RS_BENCH_N);    setup, not timed
 *         RS_BENCH_BYTES(RS_BENCH_N * sizeof(int));
 *         RS_BENCH_LOOP {
 *             sort(data + RS_BENCH_INDEX * RS_BENCH_N, RS_BENCH_N);
 *         }
 *         free(data);                               not timed either
 *     }
 *
 *     RS_BENCH_MAIN()
 *
 * Short bodies are repeated four times a turn, so that the loop costs next to nothing. Memory counts as read and written
 * between two iterations (rustscope_clobber); what the body computes must go to rustscope_black_box(), or it is removed
 * and the benchmark refused. A body is left with `return`, which ends this iteration; RS_BENCH_LOOP must reach its end.
 */
#define RS_BENCH(...) RS_BENCH_(__COUNTER__, __VA_ARGS__)
#define RS_BENCH_(n, ...)                                                                                              \
    static inline __attribute__((always_inline)) void RS_CAT_(rs_bench_body_, n)(struct rustscope_bench *);            \
    static void RS_CAT_(rs_bench_run_, n)(struct rustscope_bench *rs_bench)                                            \
    {                                                                                                                  \
        uint64_t rs_fours_ = rs_bench->fours, rs_ones_ = rs_bench->ones;                                               \
                                                                                                                       \
        rs_bench->repeats = 4;                                                                                         \
        for (; rs_fours_; rs_fours_--) {                                                                               \
            RS_CAT_(rs_bench_body_, n)(rs_bench);                                                                      \
            rustscope_clobber();                                                                                       \
            RS_CAT_(rs_bench_body_, n)(rs_bench);                                                                      \
            rustscope_clobber();                                                                                       \
            RS_CAT_(rs_bench_body_, n)(rs_bench);                                                                      \
            rustscope_clobber();                                                                                       \
            RS_CAT_(rs_bench_body_, n)(rs_bench);                                                                      \
            rustscope_clobber();                                                                                       \
        }                                                                                                              \
        for (; rs_ones_; rs_ones_--) {                                                                                 \
            RS_CAT_(rs_bench_body_, n)(rs_bench);                                                                      \
            rustscope_clobber();                                                                                       \
        }                                                                                                              \
    }                                                                                                                  \
    static void RS_CAT_(rs_bench_declare_, n)(struct rustscope_bench_entry *rs_entry)                                  \
    {                                                                                                                  \
        rustscope_bench_declare(rs_entry, __VA_ARGS__);                                                                \
    }                                                                                                                  \
    __attribute__((constructor)) static void RS_CAT_(rs_bench_register_, n)(void)                                      \
    {                                                                                                                  \
        static struct rustscope_bench_entry rs_entry;                                                                  \
                                                                                                                       \
        rs_entry.file = __FILE__;                                                                                      \
        rs_entry.line = __LINE__;                                                                                      \
        rs_entry.run = RS_CAT_(rs_bench_run_, n);                                                                      \
        rs_entry.declare = RS_CAT_(rs_bench_declare_, n);                                                              \
        rustscope_bench_register(&rs_entry);                                                                           \
    }                                                                                                                  \
    static inline __attribute__((always_inline)) void RS_CAT_(rs_bench_body_, n)(                                      \
        struct rustscope_bench * rs_bench __attribute__((unused)))
#define RS_BENCH_MAIN()                                                                                                \
    int main(int argc, char **argv)                                                                                    \
    {                                                                                                                  \
        return rustscope_bench_main(argc, argv);                                                                       \
    }

/* Settings, behind the name: a run with N, with LOW, LOW * FACTOR, … and HIGH, and with THREADS at once. */
#define RS_BENCH_ARG(n)                   rustscope_bench_add_n(rs_entry, n)
#define RS_BENCH_RANGE(low, high, factor) rustscope_bench_add_range(rs_entry, low, high, factor)
#define RS_BENCH_THREADS(threads)         rustscope_bench_add_threads(rs_entry, threads)
/* Measured for so long, in so many samples, with at most so many iterations between two setups. */
#define RS_BENCH_TIME_MS(ms)   rustscope_bench_set(rs_entry, ms, 0, 0)
#define RS_BENCH_SAMPLES(n)    rustscope_bench_set(rs_entry, 0, n, 0)
#define RS_BENCH_BATCH(n)      rustscope_bench_set(rs_entry, 0, 0, n)

/* In the body: what one iteration handles, for throughput; the parameter, the thread, iterations of this batch. */
#define RS_BENCH_BYTES(n)   ((void)(rs_bench->bytes = (uint64_t)(n)))
#define RS_BENCH_ITEMS(n)   ((void)(rs_bench->items = (uint64_t)(n)))
#define RS_BENCH_N          (rs_bench->n)
#define RS_BENCH_THREAD     (rs_bench->thread)
#define RS_BENCH_ITERATIONS (rs_bench->iterations)

static inline __attribute__((always_inline, unused)) int rustscope_bench_next(struct rustscope_bench *bench, uint64_t *left)
{
    rustscope_clobber();
    if (RS_LIKELY_(*left)) {
        --*left;
        return 1;
    }
    rustscope_bench_stop(bench);
    return 0;
}

/* RS_BENCH_LOOP { … }: only this is timed, RS_BENCH_ITERATIONS times; RS_BENCH_INDEX counts from 0. */
#define RS_BENCH_LOOP                                                                                                  \
    for (uint64_t rs_left_ = rustscope_bench_start(rs_bench); rustscope_bench_next(rs_bench, &rs_left_);)
#define RS_BENCH_INDEX (rs_bench->iterations - 1 - rs_left_)

#else /* RUSTSCOPE_DISABLED */

#include <errno.h>

#define RS_DISABLED_ static inline __attribute__((unused))

RS_DISABLED_ int rustscope_set_session_name(const char *name) { (void)name; return 0; }
RS_DISABLED_ int rustscope_add_tag(const char *tag) { (void)tag; return 0; }
RS_DISABLED_ int rustscope_set_label(const char *key, const char *value) { (void)key, (void)value; return 0; }
RS_DISABLED_ void rustscope_clear_tags_and_labels(void) {}
RS_DISABLED_ void rustscope_set_outlier_sigma(double sigma) { (void)sigma; }
RS_DISABLED_ void rustscope_set_outlier_warmup(uint64_t calls) { (void)calls; }
RS_DISABLED_ int rustscope_set_budget(const char *name, uint64_t budget_ns, rustscope_budget_fn callback, void *ctx)
{
    (void)name, (void)budget_ns, (void)callback, (void)ctx;
    return 0;
}
RS_DISABLED_ void rustscope_pause(void) {}
RS_DISABLED_ void rustscope_resume(void) {}
RS_DISABLED_ void rustscope_mark(const char *name) { (void)name; }
RS_DISABLED_ void rustscope_counter(const char *name, double value) { (void)name, (void)value; }
RS_DISABLED_ void rustscope_reset(void) {}
RS_DISABLED_ struct rustscope_snapshot *rustscope_collect(void) { return NULL; }
RS_DISABLED_ void rustscope_snapshot_free(struct rustscope_snapshot *snapshot) { (void)snapshot; }
RS_DISABLED_ size_t rustscope_foreach_function(const struct rustscope_snapshot *snapshot, rustscope_function_fn fn,
                                               void *ctx)
{
    (void)snapshot, (void)fn, (void)ctx;
    return 0;
}
RS_DISABLED_ size_t rustscope_foreach_path(const struct rustscope_snapshot *snapshot, rustscope_path_fn fn, void *ctx)
{
    (void)snapshot, (void)fn, (void)ctx;
    return 0;
}
RS_DISABLED_ int rustscope_find_function(const struct rustscope_snapshot *snapshot, const char *name,
                                         struct rustscope_function *out)
{
    (void)snapshot, (void)name, (void)out;
    return -ENOENT;
}
RS_DISABLED_ int rustscope_write_json(const char *path) { (void)path; return -ENOSYS; }
RS_DISABLED_ int rustscope_get_info(struct rustscope_info *out) { (void)out; return -ENOSYS; }
RS_DISABLED_ int rustscope_assert_perf(const char *name, enum rustscope_metric metric, double limit)
{
    (void)name, (void)metric, (void)limit;
    return 0;
}
RS_DISABLED_ const char *rustscope_why(void) { return "compiled with RUSTSCOPE_DISABLED: nothing was measured"; }
RS_DISABLED_ int rustscope_timeline_enable(size_t max_events) { (void)max_events; return -ENOSYS; }
RS_DISABLED_ int rustscope_timeline_write(const char *path, enum rustscope_timeline_format format, uint64_t *dropped)
{
    (void)path, (void)format, (void)dropped;
    return -ENOSYS;
}
RS_DISABLED_ void rustscope_enter(struct rustscope_frame *frame, struct rustscope_site *site) { (void)frame, (void)site; }
RS_DISABLED_ void rustscope_leave(struct rustscope_frame *frame) { (void)frame; }
RS_DISABLED_ struct rustscope_handle rustscope_handle_begin(struct rustscope_site *site)
{
    struct rustscope_handle none = {NULL, 0};

    (void)site;
    return none;
}
RS_DISABLED_ void rustscope_handle_end(struct rustscope_handle *handle) { (void)handle; }
RS_DISABLED_ uint32_t rustscope_register_site(struct rustscope_site *site)
{
    (void)site;
    return 0;
}
RS_DISABLED_ void rustscope_task_begin(struct rustscope_task *task, struct rustscope_site *site) { (void)task, (void)site; }
RS_DISABLED_ void rustscope_task_poll_enter(struct rustscope_task *task) { (void)task; }
RS_DISABLED_ void rustscope_task_poll_exit(struct rustscope_task *task, int ready) { (void)task, (void)ready; }
RS_DISABLED_ void rustscope_task_wake(struct rustscope_task *task) { (void)task; }
RS_DISABLED_ void rustscope_task_wake_at(struct rustscope_task *task, uint64_t ticks) { (void)task, (void)ticks; }
RS_DISABLED_ uint64_t rustscope_task_clock(void) { return 1; }
RS_DISABLED_ void rustscope_task_end(struct rustscope_task *task, int cancelled) { (void)task, (void)cancelled; }
RS_DISABLED_ struct rustscope_allocations rustscope_allocated(void)
{
    struct rustscope_allocations none = {0, 0};

    return none;
}
RS_DISABLED_ void rustscope_count_allocation(size_t bytes) { (void)bytes; }

RS_DISABLED_ int rustscope_bench_run(const struct rustscope_bench_config *config, rustscope_bench_fn fn, void *ctx,
                                     struct rustscope_bench_result *out)
{
    (void)config, (void)fn, (void)ctx, (void)out;
    return -ENOSYS;
}
RS_DISABLED_ void rustscope_bench_result_release(struct rustscope_bench_result *result) { (void)result; }
RS_DISABLED_ uint64_t rustscope_bench_start(struct rustscope_bench *bench) { return bench->iterations; }
RS_DISABLED_ void rustscope_bench_stop(struct rustscope_bench *bench) { (void)bench; }
RS_DISABLED_ void rustscope_bench_register(struct rustscope_bench_entry *entry) { (void)entry; }
/* 2, so that nobody takes it for a passed test. */
RS_DISABLED_ int rustscope_bench_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    __builtin_printf("compiled with RUSTSCOPE_DISABLED: there are no benchmarks\n");
    return 2;
}
RS_DISABLED_ void rustscope_bench_declare(struct rustscope_bench_entry *entry, const char *name, ...) { (void)entry, (void)name; }
RS_DISABLED_ int rustscope_bench_add_n(struct rustscope_bench_entry *entry, int64_t n) { (void)entry, (void)n; return 0; }
RS_DISABLED_ int rustscope_bench_add_range(struct rustscope_bench_entry *entry, int64_t low, int64_t high, int64_t factor)
{
    (void)entry, (void)low, (void)high, (void)factor;
    return 0;
}
RS_DISABLED_ int rustscope_bench_add_threads(struct rustscope_bench_entry *entry, uint32_t threads) { (void)entry, (void)threads; return 0; }
RS_DISABLED_ int rustscope_bench_set(struct rustscope_bench_entry *entry, uint64_t time_ms, uint32_t samples, uint64_t batch)
{
    (void)entry, (void)time_ms, (void)samples, (void)batch;
    return 0;
}

#define RS_SITE(variable, name)             static struct rustscope_site variable __attribute__((unused))
#define RS_PROFILE(name)                    ((void)0)
#define RS_PROFILE_FUNC()                   ((void)0)
#define RS_PROFILE_MODE(name, mode)         ((void)0)
#define RS_PROFILE_IF(cond, name)           ((void)0)
#define RS_PROFILE_BLOCK(name)                                                                                         \
    for (int RS_CAT_(rs_once_, __LINE__) = 1; RS_CAT_(rs_once_, __LINE__); RS_CAT_(rs_once_, __LINE__) = 0)
#define RS_PROFILE_VALUE(name, expression)  (expression)
#define RS_BEGIN(handle, name)              ((void)(handle))
#define RS_END(handle)                      ((void)(handle))
#define RS_TASK_BEGIN(task, name)           ((void)(task))
#define RS_ASSERT_PERF(name, metric, limit) ((void)0)
#define RS_BENCH(...)       RS_BENCH_(__COUNTER__)
#define RS_BENCH_(n)                                                                                                   \
    RS_DISABLED_ void RS_CAT_(rs_bench_body_, n)(struct rustscope_bench * rs_bench __attribute__((unused)))
#define RS_BENCH_MAIN()                                                                                                \
    int main(int argc, char **argv)                                                                                    \
    {                                                                                                                  \
        return rustscope_bench_main(argc, argv);                                                                       \
    }
#define RS_BENCH_BYTES(n)   ((void)(n))
#define RS_BENCH_ITEMS(n)   ((void)(n))
#define RS_BENCH_N          (rs_bench->n)
#define RS_BENCH_THREAD     (rs_bench->thread)
#define RS_BENCH_ITERATIONS (rs_bench->iterations)
#define RS_BENCH_LOOP       for (uint64_t rs_left_ = rs_bench->iterations; rs_left_-- > 0;)
#define RS_BENCH_INDEX      (rs_bench->iterations - 1 - rs_left_)

#endif /* RUSTSCOPE_DISABLED */

#ifdef __cplusplus
} /* extern "C" */
#endif
