/* SPDX-License-Identifier: MIT */
#include "analyze/differences.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "suite.h"

struct text {
    char *bytes;
    size_t len;
    size_t cap;
};

static void append(void *to, const char *bytes, size_t len)
{
    struct text *t = to;

    GROW(t->bytes, t->len + len + 1, t->cap);
    memcpy(t->bytes + t->len, bytes, len);
    t->len += len;
    t->bytes[t->len] = '\0';
}

/* JSON packed, given in pieces of PIECE bytes. */
static struct text packed(const char *json, size_t len, size_t piece)
{
    struct text out = {0};
    struct differences d = {.write = append, .to = &out};

    for (size_t at = 0; at < len; at += piece)
        differences_add(&d, json + at, len - at < piece ? len - at : piece);
    differences_end(&d);
    append(&out, "", 0);
    return out;
}

/* What a reader does: sums in place of the arrays that are marked. */
static struct text unpacked(const struct text *json)
{
    struct text out = {0};
    bool in_string = false, escaped = false;

    for (const char *c = json->bytes; c < json->bytes + json->len; c++) {
        append(&out, c, 1);
        if (in_string) {
            in_string = escaped || *c != '"';
            escaped = !escaped && *c == '\\';
        } else if (*c == '"') {
            in_string = true;
        } else if (*c == '[' && c[1] == '+') {
            long long sum = 0;

            for (c++; *c != ']';) {
                char number[32];
                char *end;

                sum += strtoll(c + 1, &end, 10);
                append(&out, number, (size_t)snprintf(number, sizeof(number), "%lld%c", sum, *end));
                c = end;
            }
        }
    }
    append(&out, "", 0);
    return out;
}

static void becomes(const char *json, const char *expected)
{
    for (size_t piece = 1; piece < 9; piece++) {
        struct text out = packed(json, strlen(json), piece);

        ck_assert_str_eq(out.bytes, expected);
        free(out.bytes);
    }
}

START_TEST(an_array_is_written_as_differences_where_that_is_shorter)
{
    becomes("{\"a\":[1000,1001,1010],\"b\":[3,1,2]}", "{\"a\":[+1000,1,9],\"b\":[3,1,2]}");
    becomes("[[4096,4160],[500,400,499,500,500]]", "[[+4096,64],[+500,-100,99,1,0]]");
    becomes("[999999999999999,999999999999998]", "[+999999999999999,-1]");
}
END_TEST

START_TEST(what_a_sum_could_not_give_back_stays_as_it_is)
{
    static const char *const kept[] = {
        "[]",
        "[1000]",
        "[1000,1001.5,1002,1003]",
        "[1000,1e3,1000,1000]",
        "[1000, 1001,1002,1003]",
        "[1000,01001,1002,1003]",
        "[1000,-0,1000,1000]",
        "[1000,,1001,1002]",
        "[1000,1001,1002,]",
        "[1000,1001,null,1003]",
        "[1000,1001,\"x\"]",
        "[1000000000000000,1000000000000001]",
        "{\"a [1000,1001,1002]\":\"\\\"[1000,1001,1002]\"}",
        "[1000,1001,1002",
        "[1000,1001,1002}",
    };

    for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
        becomes(kept[i], kept[i]);
}
END_TEST

START_TEST(sums_give_back_every_byte_of_made_up_sessions)
{
    static const char *const between[] = {"[",   "]",    ",", "\"",      "\\", "-", "0",
                                          "1.5", "null", " ", "{\"k\":", "}",  "\n"};
    uint64_t state = 1;

    for (int round = 0; round < 3000; round++) {
        struct text json = {0};
        struct text small, back;

        append(&json, "", 0);
        for (int i = 0; i < 40; i++) {
            char number[48];

            state = state * 6364136223846793005u + 1442695040888963407u;
            if (state >> 62)
                append(&json, number,
                       (size_t)snprintf(number, sizeof(number), "[%d,%d,%d]", (int)(state >> 40) % 9000,
                                        (int)(state >> 41) % 9000 + 4000, 9000 - (int)(state >> 50) % 3000));
            else
                append(&json, between[(state >> 33) % 13], strlen(between[(state >> 33) % 13]));
        }
        small = packed(json.bytes, json.len, 1 + (state >> 35) % 50);
        back = unpacked(&small);
        ck_assert_uint_le(small.len, json.len);
        ck_assert_str_eq(back.bytes, json.bytes);
        free(json.bytes);
        free(small.bytes);
        free(back.bytes);
    }
}
END_TEST

SUITE("differences", an_array_is_written_as_differences_where_that_is_shorter,
      what_a_sum_could_not_give_back_stays_as_it_is, sums_give_back_every_byte_of_made_up_sessions)
