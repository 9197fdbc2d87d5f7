/* SPDX-License-Identifier: MIT */
#include "lib/file.h"

#include <errno.h>
#include <string.h>

#include "lib/os.h"

static size_t put_number(char *at, size_t room, uint32_t number)
{
    char digits[10];
    size_t len = 0;

    do
        digits[len++] = (char)('0' + number % 10);
    while (number /= 10);
    if (len > room)
        return 0;
    for (size_t i = 0; i < len; i++)
        at[i] = digits[len - 1 - i];
    return len;
}

/* PATTERN with %p replaced; false when it does not fit. */
static bool expand(char *path, size_t size, const char *pattern)
{
    size_t len = 0;

    for (; *pattern; pattern++) {
        if (pattern[0] == '%' && pattern[1] == 'p') {
            size_t digits = put_number(path + len, size - 1 - len, rs_os_pid());

            if (!digits)
                return false;
            len += digits;
            pattern++;
        } else {
            path[len++] = *pattern;
        }
        if (len + 1 >= size)
            return false;
    }
    path[len] = '\0';
    return len > 0;
}

static int to_file(void *ctx, const char *bytes, size_t len)
{
    return rs_os_write(((struct rs_file *)ctx)->fd, bytes, len);
}

int rs_file_open(struct rs_file *f, const char *path)
{
    size_t len;

    if (!expand(f->path, sizeof(f->path), path))
        return -ENAMETOOLONG;
    f->temporary[0] = '\0';
    if (rs_os_is_special(f->path)) {
        f->fd = rs_os_create(f->path);
        if (f->fd < 0)
            return f->fd;
        rs_json_init(&f->json, f->buf, sizeof(f->buf), to_file, f);
        return 0;
    }
    len = strlen(f->path);
    memcpy(f->temporary, f->path, len);
    /* Two threads that write the same file must not share a temporary one. */
    f->temporary[len++] = '.';
    len += put_number(f->temporary + len, sizeof(f->temporary) - len, rs_os_tid());
    f->temporary[len] = '\0';
    f->fd = rs_os_create(f->temporary);
    if (f->fd < 0)
        return f->fd;
    rs_json_init(&f->json, f->buf, sizeof(f->buf), to_file, f);
    return 0;
}

void rs_file_use(struct rs_file *f, int fd)
{
    f->path[0] = '\0';
    f->fd = fd;
    rs_json_init(&f->json, f->buf, sizeof(f->buf), to_file, f);
}

void rs_file_next_document(struct rs_file *f)
{
    int error = rs_json_finish(&f->json);

    if (!error)
        error = rs_os_write(f->fd, "\n", 1);
    rs_json_init(&f->json, f->buf, sizeof(f->buf), to_file, f);
    f->json.error = error;
}

int rs_file_close(struct rs_file *f)
{
    int rc = rs_json_finish(&f->json), close_rc;

    if (!f->path[0])
        return rc ? rc : rs_os_write(f->fd, "\n", 1);
    close_rc = rs_os_close(f->fd);
    rc = rc ? rc : close_rc;
    if (!f->temporary[0])
        return rc;
    rc = rc ? rc : rs_os_rename(f->temporary, f->path);
    if (rc)
        rs_os_remove(f->temporary);
    return rc;
}

void rs_file_drop(struct rs_file *f)
{
    rs_os_close(f->fd);
    if (f->temporary[0])
        rs_os_remove(f->temporary);
}
