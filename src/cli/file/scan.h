/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Finding one's way in a JSON text without building anything: slices of the text, iterators over objects and arrays,
 * and columns of numbers. It checks structure as far as it looks (brackets, strings, commas, a nesting limit), so that
 * what it hands out has a beginning and an end; what is inside a slice is checked when it is read.
 */

struct json_slice {
    const char *text;
    size_t len;
};

enum { JSON_SCAN_MAX_DEPTH = 64 };

/* The value at the start of TEXT, blanks before it skipped. False when there is none, or a broken one. */
bool json_scan_value(struct json_slice text, struct json_slice *value);

/*
 * Iterates over an object's members or an array's elements: json_scan_begin(), then json_scan_next() until false.
 * `broken` tells an end from an error.
 */
struct json_scan {
    const char *p, *end;
    char close;
    bool first, broken;
};

/* BRACKET is '{' or '['. False when VALUE is something else. */
bool json_scan_begin(struct json_scan *scan, struct json_slice value, char bracket);
/* KEY is the raw text between the quotes (keys of ours have no escapes); NULL for arrays. */
bool json_scan_next(struct json_scan *scan, struct json_slice *key, struct json_slice *value);

bool json_slice_is(struct json_slice slice, const char *text);
/* The number of elements of an array's slice, or -1 when it is broken. */
int64_t json_scan_count(struct json_slice array);
/* A number; null is NaN. False for anything else. */
bool json_scan_number(struct json_slice value, double *number);
