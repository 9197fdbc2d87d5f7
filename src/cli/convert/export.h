/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyze/answers.h"
#include "base/err.h"
#include "core/json.h"
#include "session/session.h"

/*
 * A session for the tools of others: what was asked for becomes one call tree of functions with weighted samples, and
 * each format (export_<format>.c) is a pure function from that to bytes. Sums of a format are those of answer() for the
 * same question. One thread.
 */

enum { EXPORT_NO_NODE = -1 };

struct export_sample {
    int32_t node;    /* of the export's tree */
    int64_t thread;  /* of the session; ANSWER_NO_THREAD */
    uint64_t at_ns;  /* ANSWER_NO_TIME: any, or unknown */
    uint64_t amount; /* of the metric */
    uint64_t count;  /* samples, waits or blocks behind it; 0: unknown */
};

struct export
{
    const struct session *s;
    const struct question *question;
    enum answer_metric metric;
    struct answer_functions functions;
    struct calltree tree;          /* a node's frame is a function; only `nodes` is used */
    struct export_sample *samples; /* by thread, node and time; each once */
    size_t sample_count;
    size_t folded; /* samples that went into [other] */
    uint64_t total;
    uint64_t window_ns; /* how long the part is that was asked for */
    const struct session_meta *meta;
    uint32_t *stack; /* of export_stack() */
    size_t stack_cap;
};

/*
 * Prepares QUESTION's part of S. With only_my_code, frames of other people's code are left out of the stacks and what
 * they cost stands at the nearest frame that stays; stacks without any become `[other code]`. MAX_SAMPLES (0: no limit)
 * folds the lightest samples into one of `[other]`. Returns 0, or a negative errno with a sentence: the session lacks
 * the metric (the sentence names those it has), or nothing is left to write. BY_TIME keeps samples of different times
 * apart. QUESTION must outlive EXPORT. Release EXPORT after a 0.
 */
int export_prepare(struct session *s, const struct question *question, size_t max_samples, bool by_time,
                   struct export *export, struct rs_err *err);
void export_release(struct export *export);

/* Puts the functions of NODE's stack into EXPORT's `stack`, innermost first. Returns how many. */
size_t export_stack(struct export *export, int32_t node);

/* µs and bytes are what weights are in: "microseconds", "bytes", "count". */
const char *export_unit(enum answer_metric metric);

/* The name of FUNCTION, LEN bytes of any kind: an address without a name is `module+0x1234`. Valid until the next call.
 */
const char *export_name(struct export *export, uint32_t function, size_t *len);
/* The source file of FUNCTION; "" when unknown. */
const char *export_file(const struct export *export, uint32_t function);
/* `name (pid/tid)` of THREAD into OUT; "all threads" for ANSWER_NO_THREAD. */
void export_thread_name(const struct export *export, int64_t thread, char *out, size_t cap);

struct export_format {
    const char *name;
    const char *const *endings; /* of file names, NULL-terminated */
    bool by_time;               /* for export_prepare() */
    bool gzip;                  /* always, whatever the file is called */
    int (*write)(void *export, rs_json_sink sink, void *ctx);
};

/* NULL beyond the last. */
const struct export_format *export_format(size_t index);
/* NULL when there is none of that name, or none whose files end like PATH. */
const struct export_format *export_format_named(const char *name);
const struct export_format *export_format_of_path(const char *path);

/* -- the formats: 0, or the sink's negative errno -- */
int export_folded(void *export, rs_json_sink sink, void *ctx);
int export_speedscope(void *export, rs_json_sink sink, void *ctx);
int export_pprof(void *export, rs_json_sink sink, void *ctx);
int export_callgrind(void *export, rs_json_sink sink, void *ctx);
int export_csv(void *export, rs_json_sink sink, void *ctx);
int export_ndjson(void *export, rs_json_sink sink, void *ctx);

/* -- bytes on their way to a sink; after an error everything is a no-op -- */
struct export_out {
    rs_json_sink sink;
    void *ctx;
    int error;
    size_t len;
    char buf[16384];
};
void export_put(struct export_out *out, const char *bytes, size_t len);
void export_putf(struct export_out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* TEXT on one line and as UTF-8: control characters and other bytes become \xHH, a backslash two. */
void export_put_escaped(struct export_out *out, const char *text, size_t len);
/* Hands on what is left; 0 or the first error. */
int export_end(struct export_out *out);
