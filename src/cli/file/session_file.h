/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "core/json.h"
#include "session/session.h"

/*
 * Sessions as JSON: the format of docs/session.schema.json, written through the streaming emitter (nothing is built up
 * in memory) and read back by a scanner that turns big columns into arrays as it goes.
 */

enum { SESSION_SCHEMA_VERSION = 4 };

/* Writes SESSION as one JSON document. Returns 0 or the sink's negative errno. The session is only put in order. */
int session_write(struct session *session, rs_json_sink sink, void *ctx);

/* Hands the document WHAT to SINK, piece by piece. Returns 0 or a negative errno. */
typedef int (*document_fn)(void *what, rs_json_sink sink, void *ctx);

/* Writes any document the way session_write_file() writes a session, gzipped when GZIP. */
int document_write_file(const char *path, bool gzip, document_fn write, void *what, uint64_t *bytes,
                        struct rs_err *err);

/*
 * Writes SESSION to PATH; gzipped when PATH ends in .gz. A regular file is replaced at once by a complete one (a
 * temporary file beside it, renamed), so that an old report survives a failure; "-" is stdout; devices and FIFOs are
 * written straight. Sets *BYTES to what was written. Returns 0 or a negative errno with a sentence.
 */
int session_write_file(struct session *session, const char *path, uint64_t *bytes, struct rs_err *err);

/*
 * Whether PATH can be written, before the program runs: a directory, a missing folder or a read-only one is said while
 * nothing is lost yet.
 */
int session_check_output(const char *path, struct rs_err *err);

/*
 * Reads PATH ("-" is stdin; gzip by its magic bytes). Refuses what is broken, truncated, foreign or newer with a
 * sentence. The result is the caller's.
 */
struct session *session_read_file(const char *path, struct rs_err *err);
/* The same from LEN bytes at TEXT, which is not changed. */
struct session *session_read(const char *text, size_t len, struct rs_err *err);
