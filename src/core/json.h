/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A streaming JSON writer: values go straight through a caller's buffer to a sink, so writing needs no memory beyond
 * that buffer, however large the document. The CLI and librustscope write every session through it.
 *
 * Commas and nesting are kept by the writer; a call in the wrong place (a value without a key in an object) is a bug of
 * the caller's and sets `error` to -EINVAL. After an error everything is a no-op, so callers check once, at the end.
 *
 * Text: bytes that are not UTF-8 lose nothing. A stray byte B is written as the private-use character U+10F800+B, and
 * a genuine character of U+10F880..U+10F8FF as its own four bytes in that spelling; reading maps them back (see
 * rs_json_text_decode). The output is therefore always valid UTF-8.
 *
 * Numbers: NaN and infinities become null; -0 becomes 0.
 *
 * No malloc, no stdio, no locale, no errno: usable in other people's processes. Not thread-safe per writer.
 */

enum { RS_JSON_MAX_DEPTH = 32 };

/* Takes LEN bytes; returns 0 or a negative errno, which stops the writer. */
typedef int (*rs_json_sink)(void *ctx, const char *bytes, size_t len);

struct rs_json {
    rs_json_sink sink;
    void *ctx;
    char *buf;
    size_t cap, len;
    uint64_t written_bytes; /* handed to the sink so far */
    int error;              /* 0 or the first negative errno */
    unsigned depth;
    uint32_t is_object; /* bit per depth */
    uint32_t not_first; /* bit per depth */
    bool have_key;
};

/* BUF (at least 64 bytes) stays the caller's and must outlive the writer. */
void rs_json_init(struct rs_json *j, char *buf, size_t cap, rs_json_sink sink, void *ctx);
/* Hands what is buffered to the sink. Returns 0 or the first error of the whole document (-EINVAL when unbalanced). */
int rs_json_finish(struct rs_json *j);
/* Hands what is buffered to the sink in mid-document. */
void rs_json_flush(struct rs_json *j);

void rs_json_object_begin(struct rs_json *j);
void rs_json_object_end(struct rs_json *j);
void rs_json_array_begin(struct rs_json *j);
void rs_json_array_end(struct rs_json *j);
void rs_json_key(struct rs_json *j, const char *key);
/* A line break between members, for readable documents; changes no value. */
void rs_json_newline(struct rs_json *j);

void rs_json_null(struct rs_json *j);
void rs_json_bool(struct rs_json *j, bool value);
void rs_json_int(struct rs_json *j, int64_t value);
void rs_json_uint(struct rs_json *j, uint64_t value);
/* VALUE rounded to DIGITS (0-9) decimals, trailing zeros dropped. */
void rs_json_double(struct rs_json *j, double value, unsigned digits);
void rs_json_text(struct rs_json *j, const char *bytes, size_t len);
void rs_json_str(struct rs_json *j, const char *text); /* NUL-terminated; NULL is null */

/* key + value in one */
void rs_json_kv_int(struct rs_json *j, const char *key, int64_t value);
void rs_json_kv_uint(struct rs_json *j, const char *key, uint64_t value);
void rs_json_kv_double(struct rs_json *j, const char *key, double value, unsigned digits);
void rs_json_kv_str(struct rs_json *j, const char *key, const char *text);
void rs_json_kv_bool(struct rs_json *j, const char *key, bool value);

/*
 * The length of the valid UTF-8 character at BYTES (1-4), or 0 when the bytes there are not one (truncated, overlong, a
 * surrogate, beyond U+10FFFF).
 */
unsigned rs_utf8_char_len(const char *bytes, size_t len);

/*
 * Undoes the spelling of stray bytes in place: U+10F880..U+10F8FF become one byte each. Returns the new length (never
 * longer).
 */
size_t rs_json_text_decode(char *text, size_t len);
