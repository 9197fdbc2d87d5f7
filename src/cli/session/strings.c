/* SPDX-License-Identifier: MIT */
#include "session/strings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"

void strings_init(struct strings *strings)
{
    *strings = (struct strings){0};
    strings->slot_count = 256;
    strings->slots = xcalloc(strings->slot_count, sizeof(*strings->slots));
    strings_add(strings, "", 0);
}

void strings_release(struct strings *strings)
{
    arena_release(&strings->bytes);
    free(strings->entries);
    free(strings->slots);
    *strings = (struct strings){0};
}

static void rehash(struct strings *strings)
{
    size_t mask;

    strings->slot_count *= 2;
    free(strings->slots);
    strings->slots = xcalloc(strings->slot_count, sizeof(*strings->slots));
    mask = strings->slot_count - 1;
    for (size_t id = 0; id < strings->count; id++) {
        size_t i = strings->entries[id].hash & mask;

        while (strings->slots[i])
            i = (i + 1) & mask;
        strings->slots[i] = (uint32_t)id + 1;
    }
}

string_id strings_add(struct strings *strings, const char *bytes, size_t len)
{
    uint32_t hash = (uint32_t)hash_bytes(bytes, len);
    size_t mask = strings->slot_count - 1;
    size_t i = hash & mask;

    for (; strings->slots[i]; i = (i + 1) & mask) {
        const struct string_entry *entry = &strings->entries[strings->slots[i] - 1];

        if (entry->hash == hash && entry->len == len && !memcmp(entry->text, bytes, len))
            return strings->slots[i] - 1;
    }
    if (strings->count >= UINT32_MAX - 1 || len > UINT32_MAX)
        die(1, "too many names in one session");
    GROW(strings->entries, strings->count + 1, strings->cap);
    strings->entries[strings->count] =
        (struct string_entry){.text = arena_memdup0(&strings->bytes, bytes, len), .len = (uint32_t)len, .hash = hash};
    strings->slots[i] = (uint32_t)++strings->count;
    if (strings->count * 4 > strings->slot_count * 3)
        rehash(strings);
    return (string_id)strings->count - 1;
}

string_id strings_add_str(struct strings *strings, const char *text)
{
    return text ? strings_add(strings, text, strlen(text)) : 0;
}

string_id strings_addf(struct strings *strings, const char *format, ...)
{
    va_list args;
    char *text;
    string_id id;
    int len;

    va_start(args, format);
    len = vasprintf(&text, format, args);
    va_end(args);
    if (len < 0)
        die(1, "out of memory");
    id = strings_add(strings, text, (size_t)len);
    free(text);
    return id;
}

const char *strings_get(const struct strings *strings, string_id id)
{
    return id < strings->count ? strings->entries[id].text : "";
}

size_t strings_len(const struct strings *strings, string_id id)
{
    return id < strings->count ? strings->entries[id].len : 0;
}
