/* SPDX-License-Identifier: MIT */
#include "file/scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}

/* Behind the closing quote of the string that starts at P, or NULL. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end; p++) {
        if (*p == '"')
            return p + 1;
        if (*p == '\\')
            p++;
        else if ((unsigned char)*p < 0x20)
            return NULL;
    }
    return NULL;
}

/* A table instead of comparisons: a session is columns of numbers for the most part, and they are gone over several
 * times. */
enum { SCALAR = 1, COLUMN = 2 };

static const unsigned char char_class[256] = {
    ['0' ... '9'] = SCALAR | COLUMN,
    ['a' ... 'z'] = SCALAR,
    ['-'] = SCALAR | COLUMN,
    ['+'] = SCALAR,
    ['.'] = SCALAR | COLUMN,
    ['E'] = SCALAR,
    [','] = COLUMN,
    [' '] = COLUMN,
    ['\n'] = COLUMN,
};

static const char *skip_class(const char *p, const char *end, unsigned char class)
{
    while (p < end && char_class[(unsigned char)*p] & class)
        p++;
    return p;
}

/*
 * Behind the value at P, or NULL. Brackets are matched by kind with a bit per level; commas and colons within are left
 * to whoever reads the inside.
 */
static const char *skip_value(const char *p, const char *end)
{
    uint64_t is_object = 0;
    unsigned depth = 0;

    do {
        p = skip_blanks(depth ? skip_class(p, end, COLUMN) : p, end);
        if (p >= end)
            return NULL;
        if (*p == '"') {
            p = skip_string(p, end);
            if (!p)
                return NULL;
        } else if (*p == '{' || *p == '[') {
            if (depth >= JSON_SCAN_MAX_DEPTH)
                return NULL;
            is_object = is_object << 1 | (*p == '{');
            depth++;
            p++;
        } else if (*p == '}' || *p == ']') {
            if (!depth || (is_object & 1) != (*p == '}'))
                return NULL;
            is_object >>= 1;
            depth--;
            p++;
        } else if (depth && (*p == ',' || *p == ':')) {
            p++;
        } else if (char_class[(unsigned char)*p] & SCALAR) {
            p = skip_class(p, end, SCALAR);
        } else {
            return NULL;
        }
    } while (depth);
    return p;
}

bool json_scan_value(struct json_slice text, struct json_slice *value)
{
    const char *end = text.text + text.len;
    const char *start = skip_blanks(text.text, end);
    const char *behind = start < end && *start != ']' && *start != '}' ? skip_value(start, end) : NULL;

    if (!behind)
        return false;
    *value = (struct json_slice){start, (size_t)(behind - start)};
    return true;
}

bool json_scan_begin(struct json_scan *scan, struct json_slice value, char bracket)
{
    if (!value.len || *value.text != bracket)
        return false;
    *scan = (struct json_scan){
        .p = value.text + 1, .end = value.text + value.len, .close = bracket == '{' ? '}' : ']', .first = true};
    return true;
}

static bool fail(struct json_scan *scan)
{
    scan->broken = true;
    return false;
}

bool json_scan_next(struct json_scan *scan, struct json_slice *key, struct json_slice *value)
{
    const char *p = skip_blanks(scan->p, scan->end);

    if (scan->broken || p >= scan->end)
        return fail(scan);
    if (*p == scan->close)
        return false;
    if (!scan->first) {
        if (*p != ',')
            return fail(scan);
        p = skip_blanks(p + 1, scan->end);
    }
    scan->first = false;
    if (scan->close == '}') {
        const char *behind = p < scan->end && *p == '"' ? skip_string(p, scan->end) : NULL;

        if (!behind)
            return fail(scan);
        *key = (struct json_slice){p + 1, (size_t)(behind - p) - 2};
        p = skip_blanks(behind, scan->end);
        if (p >= scan->end || *p != ':')
            return fail(scan);
        p++;
    }
    if (!json_scan_value((struct json_slice){p, (size_t)(scan->end - p)}, value))
        return fail(scan);
    scan->p = value->text + value->len;
    return true;
}

bool json_slice_is(struct json_slice slice, const char *text)
{
    return slice.len == strlen(text) && !memcmp(slice.text, text, slice.len);
}

int64_t json_scan_count(struct json_slice array)
{
    struct json_scan scan;
    struct json_slice value;
    int64_t count = 0;

    if (!json_scan_begin(&scan, array, '['))
        return -1;
    while (json_scan_next(&scan, NULL, &value))
        count++;
    return scan.broken ? -1 : count;
}

bool json_scan_number(struct json_slice value, double *number)
{
    char buf[64];
    char *end;

    if (json_slice_is(value, "null")) {
        *number = NAN;
        return true;
    }
    if (!value.len || value.len >= sizeof(buf) || (*value.text != '-' && (*value.text < '0' || *value.text > '9')))
        return false;
    /* Whole numbers, nearly all there are, without strtod. */
    if (value.len <= 15 && *value.text != '-') {
        uint64_t whole = 0;
        size_t i = 0;

        while (i < value.len && value.text[i] >= '0' && value.text[i] <= '9')
            whole = whole * 10 + (uint64_t)(value.text[i++] - '0');
        if (i == value.len) {
            *number = (double)whole;
            return true;
        }
    }
    memcpy(buf, value.text, value.len);
    buf[value.len] = '\0';
    *number = strtod(buf, &end);
    return !*end && isfinite(*number); /* 1e400 does not fit a double */
}
