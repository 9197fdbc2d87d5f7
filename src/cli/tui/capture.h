/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * What the program wrote to its terminals while the live screen covered them: every byte in order of arrival, each with
 * the stream it came through, to be written out when the screen goes; and the same as lines for the output pane.
 *
 * Memory is bounded: of the bytes the newest CAPTURE_BYTES are kept and the loss is counted, of the lines the newest
 * CAPTURE_LINES, each cut after CAPTURE_LINE_BYTES.
 */
enum { CAPTURE_STREAMS = 2 };
enum { CAPTURE_BYTES = 16 << 20, CAPTURE_LINES = 2000, CAPTURE_LINE_BYTES = 512 };

struct capture_segment {
    uint32_t len;
    uint8_t stream;
};

struct capture {
    char *ring;
    size_t ring_cap, ring_start, ring_len;
    struct capture_segment *segments; /* a ring as well */
    size_t segment_cap, segment_start, segment_count;
    uint64_t dropped_bytes;

    char **lines; /* a ring of CAPTURE_LINES; the last one is still being written */
    size_t line_start, line_count;
    size_t line_len; /* of the last one */
    uint8_t escape[CAPTURE_STREAMS]; /* per stream: where in an escape sequence its bytes are */
    uint8_t pending_cr;
};

void capture_init(struct capture *capture);
void capture_release(struct capture *capture);

void capture_add(struct capture *capture, unsigned stream, const char *bytes, size_t len);

/* The oldest bytes that are still there: *BYTES points at up to the returned number, all of *STREAM. 0: there are none. */
size_t capture_peek(const struct capture *capture, unsigned *stream, const char **bytes);
void capture_consume(struct capture *capture, size_t len);

/* Lines, 0 is the oldest; INDEX below capture_lines(). A last line that is still empty does not count. */
size_t capture_lines(const struct capture *capture);
const char *capture_line(const struct capture *capture, size_t index);
