/* SPDX-License-Identifier: MIT */
#include "symbol/text_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

bool scan_line(struct text_scan *scan, struct text_scan *line)
{
    const char *feed;

    if (scan->at >= scan->end)
        return false;
    feed = memchr(scan->at, '\n', (size_t)(scan->end - scan->at));
    *line = (struct text_scan){scan->at, feed ? feed : scan->end};
    scan->at = feed ? feed + 1 : scan->end;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool scan_hex(struct text_scan *scan, uint64_t *value)
{
    const char *at = scan->at;
    unsigned digits = 0;

    if (scan->end - at > 2 && at[0] == '0' && (at[1] == 'x' || at[1] == 'X'))
        at += 2;
    for (*value = 0; at < scan->end && hex_digit(*at) >= 0; at++, digits++)
        *value = *value << 4 | (unsigned)hex_digit(*at);
    if (!digits || digits > 16)
        return false;
    scan->at = at;
    return true;
}

bool scan_char(struct text_scan *scan, char wanted)
{
    if (scan->at >= scan->end || *scan->at != wanted)
        return false;
    scan->at++;
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

const char *scan_word(struct text_scan *scan, size_t *len)
{
    const char *word = scan->at;

    while (scan->at < scan->end && !is_space(*scan->at))
        scan->at++;
    *len = (size_t)(scan->at - word);
    return word;
}

char *scan_read_fd(int fd, size_t max, size_t *len)
{
    char *text = NULL;
    size_t cap = 0;
    ssize_t got = 0;

    *len = 0;
    do {
        *len += (size_t)got;
        GROW(text, *len + 65536, cap);
        got = read(fd, text + *len, cap - *len - 1);
    } while (got > 0 && *len + (size_t)got < max);
    if (got < 0) {
        free(text);
        return NULL;
    }
    text[*len] = '\0';
    return text;
}

char *scan_read_file(const char *path, size_t max, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *text;
    int saved;

    if (fd < 0)
        return NULL;
    text = scan_read_fd(fd, max, len);
    saved = errno;
    close(fd);
    errno = saved;
    return text;
}
