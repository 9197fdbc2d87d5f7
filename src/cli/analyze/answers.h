/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyze/window.h"
#include "base/err.h"
#include "session/session.h"

/*
 * Answers about a session: which functions cost most of a metric, who calls one of them, and what it calls; of the
 * whole or of a window, a process, a thread. `rustscope report` prints them.
 */
enum answer_metric {
    ANSWER_CPU,     /* µs on a CPU */
    ANSWER_OFF_CPU, /* µs off it */
    ANSWER_ALLOC,   /* bytes allocated */
    ANSWER_COUNT,   /* allocations */
    ANSWER_PEAK,    /* bytes held at the heap's peak */
    ANSWER_LEAKED,  /* bytes still allocated at the end */
    ANSWER_METRICS,
};

enum answer_sort { ANSWER_BY_SELF, ANSWER_BY_TOTAL, ANSWER_BY_NAME, ANSWER_SORTS };

struct question {
    enum answer_metric metric;
    enum answer_sort sort;
    struct time_window window; /* {0, UINT64_MAX}: the whole session */
    const char *process;       /* a pid or a name; NULL: all */
    const char *thread;        /* a tid or a name; NULL: all */
    const char *function;      /* whose callers or callees; NULL: of no one's, but the functions themselves */
    bool callees;
    bool only_my_code; /* rows of layer user alone */
    size_t top;        /* rows at most */
};

struct answer_row {
    uint32_t frame;       /* stands for its function; UINT32_MAX: outermost, or the function itself among its callees */
    uint64_t self, total; /* callers and callees have a total alone */
};

struct answer {
    struct answer_row *rows;
    size_t count, left; /* left: further rows that `top` kept out */
    uint64_t all;       /* of the metric in what was asked about; of the function, when there is one */
    size_t matched;     /* functions that `function` means */
};

/* The words of the command line and of the JSON; NULL beyond the last. */
const char *answer_metric_name(unsigned metric);
const char *answer_sort_name(unsigned sort);
bool answer_metric_is_time(enum answer_metric metric);

/* Returns 0, or -EINVAL (a question that does not fit the session) with a sentence. Release ANSWER after a 0. */
int answer(const struct session *s, const struct question *question, struct answer *answer, struct rs_err *err);
void answer_release(struct answer *answer);

/* What one call path of one thread cost. */
enum { ANSWER_NO_THREAD = -1 };
#define ANSWER_NO_TIME UINT64_MAX
struct answer_sample {
    uint32_t node;
    int64_t thread;  /* index, ANSWER_NO_THREAD: unknown, or of all */
    uint64_t at_ns;  /* where its stretch of time begins; ANSWER_NO_TIME: the whole session */
    uint64_t amount; /* of the metric */
    uint64_t count;  /* samples, waits or blocks behind it; 0: unknown */
};

/* Whether the session has METRIC at all; a recording that took no samples has no CPU time by call path. */
bool answer_metric_is_measured(const struct session *s, enum answer_metric metric);
/*
 * What answer() sums for QUESTION (metric, window, process, thread), in no order; a call path may come more than once.
 * The caller's to free. NULL with a sentence when the question does not fit the session.
 */
struct answer_sample *answer_samples(const struct session *s, const struct question *question, size_t *count,
                                     struct rs_err *err);

/* Functions: frames of one name and crate. A frame without a name is one of its own. */
struct answer_functions {
    uint32_t *of_frame; /* by frame: its function */
    uint32_t *frame;    /* by function: the frame that stands for it */
    size_t count;
};
void answer_functions_init(struct answer_functions *functions, const struct calltree *tree);
void answer_functions_release(struct answer_functions *functions);
