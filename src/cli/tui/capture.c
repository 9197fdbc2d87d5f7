/* SPDX-License-Identifier: MIT */
#include "tui/capture.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { SEGMENTS_MAX = 1 << 18 };

/* Where a stream is inside an escape sequence (ECMA-48); the pane shows text only. */
enum escape { ESCAPE_NONE, ESCAPE_BEGUN, ESCAPE_CSI, ESCAPE_STRING, ESCAPE_STRING_ESC };

void capture_init(struct capture *capture)
{
    *capture = (struct capture){0};
    capture->lines = xcalloc(CAPTURE_LINES, sizeof(*capture->lines));
    capture->lines[0] = xcalloc(1, CAPTURE_LINE_BYTES + 1);
    capture->line_count = 1;
}

void capture_release(struct capture *capture)
{
    for (size_t i = 0; capture->lines && i < CAPTURE_LINES; i++)
        free(capture->lines[i]);
    free(capture->lines);
    free(capture->ring);
    free(capture->segments);
    *capture = (struct capture){0};
}

/* ---- bytes ---- */

static struct capture_segment *segment_at(const struct capture *capture, size_t index)
{
    return &capture->segments[(capture->segment_start + index) % capture->segment_cap];
}

size_t capture_peek(const struct capture *capture, unsigned *stream, const char **bytes)
{
    size_t to_wrap = capture->ring_cap - capture->ring_start;
    const struct capture_segment *segment;

    if (!capture->ring_len)
        return 0;
    segment = segment_at(capture, 0);
    *stream = segment->stream;
    *bytes = capture->ring + capture->ring_start;
    return segment->len < to_wrap ? segment->len : to_wrap;
}

void capture_consume(struct capture *capture, size_t len)
{
    while (len && capture->ring_len) {
        struct capture_segment *segment = segment_at(capture, 0);
        size_t part = segment->len < len ? segment->len : len;

        segment->len -= (uint32_t)part;
        capture->ring_start = (capture->ring_start + part) % capture->ring_cap;
        capture->ring_len -= part;
        len -= part;
        if (!segment->len) {
            capture->segment_start = (capture->segment_start + 1) % capture->segment_cap;
            capture->segment_count--;
        }
    }
}

static void drop(struct capture *capture, size_t len)
{
    capture->dropped_bytes += len;
    capture_consume(capture, len);
}

static void reserve_bytes(struct capture *capture, size_t len)
{
    size_t cap = capture->ring_cap ? capture->ring_cap : 4096;
    char *ring;

    while (cap < capture->ring_len + len && cap < CAPTURE_BYTES)
        cap *= 2;
    if (capture->ring_len + len > cap)
        drop(capture, capture->ring_len + len - cap);
    if (cap == capture->ring_cap)
        return;
    ring = xmalloc(cap);
    for (size_t i = 0, part; i < capture->ring_len; i += part) {
        size_t at = (capture->ring_start + i) % capture->ring_cap;

        part = capture->ring_cap - at;
        part = part < capture->ring_len - i ? part : capture->ring_len - i;
        memcpy(ring + i, capture->ring + at, part);
    }
    free(capture->ring);
    capture->ring = ring;
    capture->ring_cap = cap;
    capture->ring_start = 0;
}

static void reserve_segment(struct capture *capture)
{
    struct capture_segment *segments;
    size_t cap = capture->segment_cap ? capture->segment_cap * 2 : 64;

    if (capture->segment_count < capture->segment_cap)
        return;
    if (capture->segment_cap >= SEGMENTS_MAX) {
        drop(capture, segment_at(capture, 0)->len);
        return;
    }
    segments = xcalloc(cap, sizeof(*segments));
    for (size_t i = 0; i < capture->segment_count; i++)
        segments[i] = *segment_at(capture, i);
    free(capture->segments);
    capture->segments = segments;
    capture->segment_cap = cap;
    capture->segment_start = 0;
}

static void add_bytes(struct capture *capture, unsigned stream, const char *bytes, size_t len)
{
    if (len > CAPTURE_BYTES) {
        capture->dropped_bytes += len - CAPTURE_BYTES;
        bytes += len - CAPTURE_BYTES;
        len = CAPTURE_BYTES;
    }
    reserve_bytes(capture, len);
    if (capture->segment_count && segment_at(capture, capture->segment_count - 1)->stream == stream) {
        segment_at(capture, capture->segment_count - 1)->len += (uint32_t)len;
    } else {
        reserve_segment(capture);
        *segment_at(capture, capture->segment_count++) = (struct capture_segment){(uint32_t)len, (uint8_t)stream};
    }
    for (size_t i = 0, part; i < len; i += part) {
        size_t at = (capture->ring_start + capture->ring_len) % capture->ring_cap;

        part = capture->ring_cap - at;
        part = part < len - i ? part : len - i;
        memcpy(capture->ring + at, bytes + i, part);
        capture->ring_len += part;
    }
}

/* ---- lines ---- */

static char *last_line(struct capture *capture)
{
    return capture->lines[(capture->line_start + capture->line_count - 1) % CAPTURE_LINES];
}

static void clear_line(struct capture *capture)
{
    capture->line_len = 0;
    last_line(capture)[0] = '\0';
}

static void end_line(struct capture *capture)
{
    char **slot;

    if (capture->line_count == CAPTURE_LINES)
        capture->line_start = (capture->line_start + 1) % CAPTURE_LINES;
    else
        capture->line_count++;
    slot = &capture->lines[(capture->line_start + capture->line_count - 1) % CAPTURE_LINES];
    if (!*slot)
        *slot = xmalloc(CAPTURE_LINE_BYTES + 1);
    clear_line(capture);
}

/* Whether BYTE belongs to an escape sequence, which it then moves on. */
static int in_escape(uint8_t *state, unsigned char byte)
{
    switch (*state) {
    case ESCAPE_NONE:
        if (byte == 0x1b)
            *state = ESCAPE_BEGUN;
        return byte == 0x1b;
    case ESCAPE_BEGUN:
        if (byte == '[')
            *state = ESCAPE_CSI;
        else if (byte == ']' || byte == 'P' || byte == '_' || byte == '^' || byte == 'X')
            *state = ESCAPE_STRING;
        else if (byte >= 0x30)
            *state = ESCAPE_NONE; /* intermediates 0x20-0x2f, as in "ESC ( B", stay */
        return 1;
    case ESCAPE_CSI:
        if (byte >= 0x40)
            *state = ESCAPE_NONE;
        return 1;
    case ESCAPE_STRING_ESC:
        *state = byte == '\\' ? ESCAPE_NONE : ESCAPE_STRING;
        return 1;
    default:
        if (byte == 0x07)
            *state = ESCAPE_NONE;
        else if (byte == 0x1b)
            *state = ESCAPE_STRING_ESC;
        return 1;
    }
}

static void add_to_line(struct capture *capture, unsigned stream, char byte)
{
    if (in_escape(&capture->escape[stream], (unsigned char)byte))
        return;
    if (byte == '\n') {
        capture->pending_cr = 0;
        end_line(capture);
        return;
    }
    /* A lone return starts the line again: progress bars. */
    if (capture->pending_cr)
        clear_line(capture);
    capture->pending_cr = byte == '\r';
    if (byte == '\b') {
        while (capture->line_len && (last_line(capture)[capture->line_len - 1] & 0xc0) == 0x80)
            capture->line_len--;
        capture->line_len -= capture->line_len > 0;
        last_line(capture)[capture->line_len] = '\0';
    } else if (((unsigned char)byte >= 0x20 || byte == '\t') && capture->line_len < CAPTURE_LINE_BYTES) {
        last_line(capture)[capture->line_len++] = byte;
        last_line(capture)[capture->line_len] = '\0';
    }
}

void capture_add(struct capture *capture, unsigned stream, const char *bytes, size_t len)
{
    if (!len)
        return;
    add_bytes(capture, stream, bytes, len);
    for (size_t i = 0; i < len; i++)
        add_to_line(capture, stream, bytes[i]);
}

size_t capture_lines(const struct capture *capture)
{
    return capture->line_count - (capture->line_len == 0);
}

const char *capture_line(const struct capture *capture, size_t index)
{
    return capture->lines[(capture->line_start + index) % CAPTURE_LINES];
}
