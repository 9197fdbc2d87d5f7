/* SPDX-License-Identifier: MIT */
#pragma once

#include <rustscope.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/json.h"

/*
 * What scopes measured, as librustscope collects it from its threads and as the CLI collects it from its processes: a
 * tree of call paths with statistics in clock ticks that merge exactly, the figures in ns that follow from them, and
 * the JSON that both write.
 *
 * Everything works on the caller's arrays; nothing allocates.
 */

struct rs_scope_site {
    const char *name;
    const char *file;
    uint32_t line;
    uint32_t flags; /* RUSTSCOPE_SITE_… */
};

struct rs_scope_stats {
    uint64_t calls; /* timed or not */
    uint64_t timed;
    uint64_t total_ticks, self_ticks;
    uint64_t square_lo, square_hi; /* exact sum of squares */
    uint64_t min_ticks, max_ticks; /* UINT64_MAX and 0 without timed calls */
    double mean_ticks, m2_ticks;   /* Welford */
    uint64_t alloc_bytes;
    uint64_t outliers;
    uint64_t violations;
    uint64_t budget_ticks; /* UINT64_MAX: none */
    struct rustscope_worst worst_violation;
    uint32_t max_open; /* folded recursion: frames of this path open at once; 0 or 1 elsewhere */
    uint32_t reserved;
};

/* A task's figures. An unfinished task is in `started` and in the polls it has had. */
struct rs_scope_task {
    uint64_t started, completed, cancelled;
    uint64_t polls;
    uint64_t busy_ticks, idle_ticks, scheduled_ticks, first_delay_ticks, lifetime_ticks, max_poll_ticks;
};

/* Path 0 is the root, of no site. Parents come before their children. */
struct rs_scope_path {
    uint32_t parent;
    uint32_t site;
    struct rs_scope_stats stats;
    struct rs_scope_task task;
    struct rustscope_worst worst[RUSTSCOPE_WORST_KEPT]; /* outliers, sigmas 0: unused */
    uint64_t *histogram;                                /* RUSTSCOPE_HISTOGRAM_BUCKETS of it, or NULL */
    /* Filled by rs_scope_finish(). */
    double total_ticks; /* inclusive, recursion counted once; an estimate where calls were not timed */
    double self_ticks;
    double children_ticks; /* inclusive, of the paths right below */
    uint32_t depth;        /* distance from the root */
    uint32_t recursion;    /* calls of the site open on this path, this one included, at most */
    bool estimated;
    bool seen; /* called, or some path below was */
};

void rs_scope_stats_init(struct rs_scope_stats *s);
void rs_scope_stats_merge(struct rs_scope_stats *into, const struct rs_scope_stats *from);
void rs_scope_task_merge(struct rs_scope_task *into, const struct rs_scope_task *from);
/* Keeps the RUSTSCOPE_WORST_KEPT worst of both by sigmas. */
void rs_scope_worst_merge(struct rustscope_worst *into, const struct rustscope_worst *from);
/* Puts ONE among the kept ones if it is worse than the mildest of them. */
void rs_scope_worst_add(struct rustscope_worst *kept, const struct rustscope_worst *one);

/*
 * Totals, self times, depth and recursion of each path.
 *
 * Self time is measured. Inclusive time of a path that recursion re-enters is its self time and its children's, since
 * the sum of its calls counts nested ones again. Where calls were only counted, the total is calls times mean, and the
 * self time what the children's totals leave of it.
 */
void rs_scope_finish(struct rs_scope_path *paths, size_t count);

/*
 * Lists the paths by site: those of site S are MEMBERS[STARTS[S]] up to MEMBERS[STARTS[S + 1]]. STARTS has one entry
 * more than sites, MEMBERS as many as paths.
 */
void rs_scope_by_site(const struct rs_scope_path *paths, size_t count, size_t site_count, uint32_t *starts,
                      uint32_t *members);

/*
 * The figures of all paths of SITE together, which MEMBERS lists. HISTOGRAM (RUSTSCOPE_HISTOGRAM_BUCKETS) is scratch.
 * The total counts paths that are not inside another one of the same site, so recursion counts once. False when it was
 * never called.
 */
bool rs_scope_function_figures(const struct rs_scope_path *paths, const uint32_t *members, size_t count,
                               const struct rs_scope_site *site, double ns_per_tick, uint64_t *histogram,
                               struct rustscope_function *out);
void rs_scope_path_figures(const struct rs_scope_path *path, const struct rs_scope_site *site, double ns_per_tick,
                           struct rustscope_function *out);

/* ---- JSON (docs/session.schema.json) ---- */

/* Members of an entry of functions[]: calls, avg_ns, timing, outlier_count, max_depth. */
void rs_scope_json_function(struct rs_json *j, const struct rustscope_function *f);

/* One row of the scopes columns: the path's figures, its parent's row (-1 at the top) and what to write for its name.
 */
struct rs_scope_row {
    struct rustscope_function figures;
    int32_t parent;
    uint32_t name;    /* into strings[] */
    uint32_t file;    /* into strings[] */
    uint32_t process; /* into processes[] */
};

/* A column of the scopes: where its cell lies in struct rs_scope_row, or in the row's figures. */
enum rs_scope_kind { RS_ROW_PARENT, RS_ROW_U32, RS_FIGURE_U32, RS_FIGURE_U64, RS_FIGURE_DOUBLE };

struct rs_scope_column {
    const char *key;
    enum rs_scope_kind kind;
    size_t offset;
};

enum { RS_SCOPE_COLUMNS = 20 };
extern const struct rs_scope_column rs_scope_columns[RS_SCOPE_COLUMNS];

/* Calls for row I in turn, as often as there are columns. */
typedef const struct rs_scope_row *(*rs_scope_row_fn)(void *ctx, size_t i);

/* Members of the scopes object: the columns. */
void rs_scope_json_columns(struct rs_json *j, size_t rows, rs_scope_row_fn row, void *ctx);

struct rs_scope_clock {
    double ns_per_tick;
    uint64_t ticks; /* this reading of the scopes' clock … */
    double unix_ms; /* … was at this time */
};

double rs_scope_unix_ms(const struct rs_scope_clock *clock, uint64_t ticks);

/* A call as it is written: when it began, and how long it took. */
struct rs_scope_call {
    double start_unix_ms;
    double took_ns;
    double sigmas;
};

struct rs_scope_call rs_scope_call_of(const struct rustscope_worst *worst, const struct rs_scope_clock *clock);

/* One entry each of outliers[], budget_violations[] and async_tasks[]. NODE is a row of the scopes columns. */
void rs_scope_json_outlier(struct rs_json *j, const char *name, int32_t node, uint32_t process,
                           const struct rs_scope_call *call);
void rs_scope_json_violation(struct rs_json *j, const char *name, uint32_t process, double budget_ns, uint64_t count,
                             const struct rs_scope_call *worst);
/* NS_PER_TICK: of the times in TASK. */
void rs_scope_json_task(struct rs_json *j, const char *name, uint32_t process, const struct rs_scope_task *task,
                        double ns_per_tick);

/* How scopes were timed: an entry of scopes.clocks[]. */
void rs_scope_json_clock(struct rs_json *j, const struct rustscope_info *info, uint32_t process);
