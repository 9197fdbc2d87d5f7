/* SPDX-License-Identifier: MIT */
#include "tui/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"
#include "tui/keys.h"

static void add(struct capture *capture, unsigned stream, const char *text)
{
    capture_add(capture, stream, text, strlen(text));
}

/* Takes everything out again, as "0:bytes1:bytes". */
static char *drain(struct capture *capture)
{
    char *text = calloc(1, 4096);
    const char *bytes;
    unsigned stream, last = 99;
    size_t len, used = 0;

    while ((len = capture_peek(capture, &stream, &bytes))) {
        if (stream != last) {
            text[used++] = (char)('0' + stream);
            text[used++] = ':';
            last = stream;
        }
        memcpy(text + used, bytes, len);
        used += len;
        capture_consume(capture, len);
    }
    return text;
}

START_TEST(streams_keep_their_order_and_bytes)
{
    struct capture capture;
    char *text;

    capture_init(&capture);
    add(&capture, 0, "ab");
    add(&capture, 0, "c\r\n");
    add(&capture, 1, "\x1b[31mx");
    add(&capture, 0, "d");
    text = drain(&capture);
    ck_assert_str_eq(text, "0:abc\r\n1:\x1b[31mx0:d");
    ck_assert_uint_eq(capture.ring_len, 0);
    free(text);
    capture_release(&capture);
}
END_TEST

START_TEST(the_newest_bytes_are_kept_and_the_loss_is_counted)
{
    enum { BLOCK = 60000, BLOCKS = 400 };
    struct capture capture;
    char *block = malloc(BLOCK);
    const char *bytes;
    unsigned stream;
    uint64_t total = 0;
    size_t len, kept = 0;
    char last = 0;

    capture_init(&capture);
    for (int i = 0; i < BLOCKS; i++) {
        memset(block, 'a' + i % 26, BLOCK);
        capture_add(&capture, (unsigned)i % 2, block, BLOCK);
        total += BLOCK;
    }
    while ((len = capture_peek(&capture, &stream, &bytes))) {
        last = bytes[len - 1];
        kept += len;
        capture_consume(&capture, len);
    }
    ck_assert_uint_eq(kept, CAPTURE_BYTES);
    ck_assert_uint_eq(capture.dropped_bytes, total - CAPTURE_BYTES);
    ck_assert_int_eq(last, 'a' + (BLOCKS - 1) % 26);
    free(block);
    capture_release(&capture);
}
END_TEST

START_TEST(one_write_larger_than_everything_keeps_its_tail)
{
    struct capture capture;
    size_t len = CAPTURE_BYTES + 10;
    char *block = malloc(len);

    memset(block, 'x', len);
    capture_init(&capture);
    capture_add(&capture, 0, block, len);
    ck_assert_uint_eq(capture.ring_len, CAPTURE_BYTES);
    ck_assert_uint_eq(capture.dropped_bytes, 10);
    free(block);
    capture_release(&capture);
}
END_TEST

START_TEST(lines_are_what_a_terminal_would_show)
{
    static const struct {
        const char *in, *line;
    } cases[] = {
        {"plain", "plain"},
        {"10 %\r20 %\r30 %", "30 %"},
        {"text\r\n", "text"},
        {"abc\b\bX", "aX"},
        {"\x1b[1;31mred\x1b[0m", "red"},
        {"\x1b]0;title\x07shown", "shown"},
        {"\x1b]0;title\x1b\\shown", "shown"},
        {"\x1b(Bcharset", "charset"},
        {"a\x07\x01z", "az"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct capture capture;

        capture_init(&capture);
        /* Byte by byte: a sequence may come in pieces. */
        for (const char *at = cases[i].in; *at; at++)
            capture_add(&capture, 0, at, 1);
        ck_assert_uint_eq(capture_lines(&capture), 1);
        ck_assert_str_eq(capture_line(&capture, 0), cases[i].line);
        capture_release(&capture);
    }
}
END_TEST

START_TEST(lines_are_bounded)
{
    struct capture capture;
    char text[32];

    capture_init(&capture);
    for (int i = 0; i < CAPTURE_LINES + 500; i++) {
        snprintf(text, sizeof(text), "line %d\n", i);
        add(&capture, 1, text);
    }
    for (int i = 0; i < 2000; i++)
        add(&capture, 1, "x");
    ck_assert_uint_eq(capture_lines(&capture), CAPTURE_LINES);
    ck_assert_uint_eq(strlen(capture_line(&capture, CAPTURE_LINES - 1)), CAPTURE_LINE_BYTES);
    ck_assert_str_eq(capture_line(&capture, 0), "line 501");
    capture_release(&capture);
}
END_TEST

START_TEST(keys_are_decoded_whole)
{
    static const struct {
        const char *bytes;
        int key;
        size_t used;
    } cases[] = {
        {"q", 'q', 1},          {"\x03q", 3, 1},          {"\x1b[A", KEYS_UP, 3},        {"\x1bOB", KEYS_DOWN, 3},
        {"\x1b[5~x", KEYS_PAGE_UP, 4}, {"\x1b[Z", KEYS_BACK_TAB, 3}, {"\x1b[1;5Cq", KEYS_OTHER, 6}, {"\x1b", 27, 1},
        {"\x1bq", KEYS_OTHER, 2}, {"\xc3\xa4", KEYS_OTHER, 2}, {"\xff", KEYS_OTHER, 1}, {"\x1b[20", KEYS_OTHER, 4},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        size_t used;

        ck_assert_int_eq(key_decode(cases[i].bytes, strlen(cases[i].bytes), &used), cases[i].key);
        ck_assert_uint_eq(used, cases[i].used);
    }
}
END_TEST

SUITE("capture", streams_keep_their_order_and_bytes, the_newest_bytes_are_kept_and_the_loss_is_counted,
      one_write_larger_than_everything_keeps_its_tail, lines_are_what_a_terminal_would_show, lines_are_bounded,
      keys_are_decoded_whole)
