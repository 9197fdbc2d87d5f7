/* SPDX-License-Identifier: MIT */
#include "analyze/differences.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Digits of a number that a double holds exactly, as does the difference of two such numbers. */
enum { MAX_DIGITS = 15 };

/*
 * Reads the number at *TEXT as a person would write it (no leading zero, no -0, no fraction) and the comma or bracket
 * behind it. Returns false when it is written in any other way: then the sum could not give the same text.
 */
static bool read_number(const char **text, int64_t *value)
{
    const char *at = *text;
    bool negative = *at == '-';
    const char *digits = at += negative;

    *value = 0;
    while (*at >= '0' && *at <= '9' && at - digits < MAX_DIGITS)
        *value = *value * 10 + (*at++ - '0');
    if (at == digits || (*digits == '0' && (negative || at - digits > 1)) || (*at != ',' && *at != ']'))
        return false;
    if (negative)
        *value = -*value;
    *text = at + 1;
    return true;
}

/* The length of the held array as differences in d->shorter, or 0 when it cannot or need not be written so. */
static size_t shorten(struct differences *d)
{
    const char *at = d->held + 1;
    const char *end = d->held + d->held_len;
    int64_t before = 0;
    size_t len = 0;

    GROW(d->shorter, d->held_cap, d->shorter_cap);
    d->shorter[len++] = '[';
    d->shorter[len++] = '+';
    while (at < end) {
        char digits[MAX_DIGITS + 8];
        int64_t value;
        int written;

        if (!read_number(&at, &value))
            return 0;
        written = snprintf(digits, sizeof(digits), "%lld%c", (long long)(value - before), at[-1]);
        if (len + (size_t)written >= d->held_len)
            return 0;
        memcpy(d->shorter + len, digits, (size_t)written);
        len += (size_t)written;
        before = value;
    }
    return len;
}

static void release_held(struct differences *d, bool complete)
{
    size_t len = complete ? shorten(d) : 0;

    if (len)
        d->write(d->to, d->shorter, len);
    else
        d->write(d->to, d->held, d->held_len);
    d->holding = false;
    d->held_len = 0;
}

static void hold(struct differences *d, char c)
{
    GROW(d->held, d->held_len + 1, d->held_cap);
    d->held[d->held_len++] = c;
}

void differences_add(struct differences *d, const char *text, size_t len)
{
    size_t from = 0; /* what lies before it is written or held */

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (d->holding) {
            if ((c >= '0' && c <= '9') || c == ',' || c == '-' || c == ']') {
                hold(d, c);
                from = i + 1;
                if (c == ']')
                    release_held(d, true);
                continue;
            }
            release_held(d, false);
        }
        if (d->in_string) {
            if (d->escaped)
                d->escaped = false;
            else if (c == '\\')
                d->escaped = true;
            else if (c == '"')
                d->in_string = false;
        } else if (c == '"') {
            d->in_string = true;
        } else if (c == '[') {
            if (i > from)
                d->write(d->to, text + from, i - from);
            hold(d, c);
            d->holding = true;
            from = i + 1;
        }
    }
    if (len > from)
        d->write(d->to, text + from, len - from);
}

void differences_end(struct differences *d)
{
    if (d->holding)
        release_held(d, false);
    free(d->held);
    free(d->shorter);
    d->held = d->shorter = NULL;
    d->held_cap = d->shorter_cap = 0;
}
