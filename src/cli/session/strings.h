/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

/*
 * Every name once: byte strings (any bytes, not necessarily UTF-8) get small ids in order of arrival. Id 0 is "" and
 * stands for "none". Ids and the bytes behind them live as long as the table.
 */
typedef uint32_t string_id;

struct strings {
    struct arena bytes;
    struct string_entry {
        const char *text; /* NUL-terminated */
        uint32_t len;
        uint32_t hash;
    } * entries;
    size_t count, cap;
    uint32_t *slots; /* open addressing, id + 1; 0 is empty */
    size_t slot_count;
};

void strings_init(struct strings *strings);
void strings_release(struct strings *strings);

string_id strings_add(struct strings *strings, const char *bytes, size_t len);
string_id strings_add_str(struct strings *strings, const char *text); /* NULL gives 0 */
string_id strings_addf(struct strings *strings, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The text of ID, NUL-terminated; "" for an id that does not exist. Valid as long as the table. */
const char *strings_get(const struct strings *strings, string_id id);
size_t strings_len(const struct strings *strings, string_id id);
