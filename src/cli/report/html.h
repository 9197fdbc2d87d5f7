/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * The visualizer as one HTML page (visualizer/, committed as viewer.html and compiled in). It has one place to fill,
 * the content of a JSON data block, which says where its sessions are: inside the page, or beside it.
 */
extern const unsigned char viewer_page[];
extern const size_t viewer_page_bytes;

/* The page up to the place to fill, and from there on. */
struct html_page {
    const char *head;
    size_t head_bytes;
    const char *tail;
    size_t tail_bytes;
};
struct html_page html_page(void);

/*
 * TEXT as a JSON string with its quotes that cannot end the data block it stands in, whatever a file is called.
 * The result is the caller's.
 */
char *html_json_string(const char *text);

/*
 * Writes the page with the session SESSION_PATH (gzipped or not; "-" is stdin) inside it to HTML_PATH ("-" is stdout):
 * one self-contained file that opens from file:// without a network. The session is streamed (differences.h says what
 * is held of it), gzipped and written as base64. An existing report is replaced only by a whole one. Sets *BYTES to
 * what was written. Returns 0 or a negative errno with a sentence.
 */
int html_write(const char *session_path, const char *html_path, uint64_t *bytes, struct rs_err *err);
