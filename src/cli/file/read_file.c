/* SPDX-License-Identifier: MIT */
#include "file/session_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"

/* A session's text from a file, a FIFO or stdin, gzipped or not. */

static const uint64_t MOST_INFLATED_BYTES = 4ull << 30;

static int read_whole(int fd, char **text, size_t *len)
{
    size_t cap = 0;

    *text = NULL;
    *len = 0;
    for (;;) {
        ssize_t n;

        GROW(*text, *len + 65536, cap);
        n = read(fd, *text + *len, cap - *len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (!n)
            return 0;
        *len += (size_t)n;
    }
}

static int inflate_whole(char **text, size_t *len, struct rs_err *err)
{
    z_stream z = {.next_in = (unsigned char *)*text, .avail_in = (unsigned)*len};
    size_t cap = 0, out_len = 0;
    char *out = NULL;
    int rc;

    if (*len > UINT32_MAX || inflateInit2(&z, 15 + 16) != Z_OK)
        return rs_err_set(err, -EINVAL, "this gzip file is too large to read");
    do {
        GROW(out, out_len + 65536, cap);
        z.next_out = (unsigned char *)out + out_len;
        z.avail_out = (unsigned)(cap - out_len < UINT32_MAX ? cap - out_len : UINT32_MAX);
        rc = inflate(&z, Z_NO_FLUSH);
        out_len = (size_t)((char *)z.next_out - out);
        if (out_len > MOST_INFLATED_BYTES)
            rc = Z_MEM_ERROR;
    } while (rc == Z_OK);
    inflateEnd(&z);
    free(*text);
    *text = out;
    *len = out_len;
    if (rc == Z_STREAM_END)
        return 0;
    return rs_err_set(err, -EINVAL,
                      rc == Z_MEM_ERROR ? "this gzip file inflates to more than 4 GB: a session is smaller"
                                        : "this gzip file is broken or cut off");
}

struct session *session_read_file(const char *path, struct rs_err *err)
{
    struct session *s = NULL;
    struct rs_err why;
    char *text = NULL;
    size_t len = 0;
    bool is_stdin = !strcmp(path, "-");
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int rc = fd < 0 ? -errno : read_whole(fd, &text, &len);

    if (rc) {
        rs_err_set(err, rc, "cannot read %s: %s", path, strerror(-rc));
        goto out;
    }
    if (len >= 2 && (unsigned char)text[0] == 0x1f && (unsigned char)text[1] == 0x8b)
        rc = inflate_whole(&text, &len, &why);
    if (!rc)
        s = session_read(text, len, &why);
    if (!s)
        rs_err_set(err, -EINVAL, "%s: %s", path, why.text);
out:
    if (fd >= 0 && !is_stdin)
        close(fd);
    free(text);
    return s;
}
