/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reading text that need not end in NUL, by line and word. */
struct text_scan {
    const char *at, *end;
};

/* Takes the next line, without its line feed, off SCAN. False at the end. */
bool scan_line(struct text_scan *scan, struct text_scan *line);
/* Takes a hexadecimal number (an optional 0x, 1-16 digits). False, and nothing taken, without one. */
bool scan_hex(struct text_scan *scan, uint64_t *value);
bool scan_char(struct text_scan *scan, char wanted);
/* Takes everything up to white space. */
const char *scan_word(struct text_scan *scan, size_t *len);

/*
 * All of what is left in FD, or all of PATH, about MAX bytes at most, with a NUL behind it; for free(). NULL with
 * errno. For files without a size, as in /proc.
 */
char *scan_read_fd(int fd, size_t max, size_t *len);
char *scan_read_file(const char *path, size_t max, size_t *len);
