/* SPDX-License-Identifier: MIT */
#include "report/html.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "analyze/differences.h"
#include "base/alloc.h"
#include "core/path.h"

static const char placeholder[] = "/*RUSTSCOPE_SESSION*/";

struct html_page html_page(void)
{
    const char *page = (const char *)viewer_page;
    const char *at = memmem(page, viewer_page_bytes, placeholder, sizeof(placeholder) - 1);

    if (!at)
        bug("the visualizer's page has no place for a session");
    return (struct html_page){
        .head = page,
        .head_bytes = (size_t)(at - page),
        .tail = at + sizeof(placeholder) - 1,
        .tail_bytes = viewer_page_bytes - (size_t)(at - page) - (sizeof(placeholder) - 1),
    };
}

char *html_json_string(const char *text)
{
    char *json = xmalloc(strlen(text) * 6 + 3);
    char *out = json;

    *out++ = '"';
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c < 0x20 || *c == '"' || *c == '\\' || *c == '<' || *c == '>' || *c == '&')
            out += sprintf(out, "\\u%04x", *c);
        else
            *out++ = (char)*c;
    }
    *out++ = '"';
    *out = '\0';
    return json;
}

/* Bytes become base64 in whole triples; up to two wait for the next ones. */
struct base64 {
    FILE *to;
    unsigned char held[3];
    size_t held_count;
};

static void base64_triple(FILE *to, const unsigned char *in, size_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned value = (unsigned)in[0] << 16 | (count > 1 ? (unsigned)in[1] << 8 : 0) | (count > 2 ? in[2] : 0);
    char out[4] = {digits[value >> 18], digits[value >> 12 & 63], count > 1 ? digits[value >> 6 & 63] : '=',
                   count > 2 ? digits[value & 63] : '='};

    fwrite(out, 1, sizeof(out), to);
}

static void base64_add(struct base64 *b, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        b->held[b->held_count++] = bytes[i];
        if (b->held_count == 3) {
            base64_triple(b->to, b->held, 3);
            b->held_count = 0;
        }
    }
}

static void base64_end(struct base64 *b)
{
    if (b->held_count)
        base64_triple(b->to, b->held, b->held_count);
    b->held_count = 0;
}

/* A gzip stream that becomes base64. */
struct packer {
    z_stream z;
    struct base64 b;
};

static void pack(struct packer *p, const char *bytes, size_t len, int flush)
{
    unsigned char buf[16384];

    p->z.next_in = (unsigned char *)bytes;
    p->z.avail_in = (unsigned)len;
    do {
        p->z.next_out = buf;
        p->z.avail_out = sizeof(buf);
        deflate(&p->z, flush);
        base64_add(&p->b, buf, sizeof(buf) - p->z.avail_out);
    } while (!p->z.avail_out);
}

static void pack_text(void *packer, const char *text, size_t len)
{
    pack(packer, text, len, Z_NO_FLUSH);
}

/* The session as columns of differences, gzipped, as base64 on TO. One that is gzipped already is unpacked for that. */
static int write_session(gzFile from, FILE *to)
{
    struct packer p = {.b.to = to};
    struct differences d = {.write = pack_text, .to = &p};
    char buf[65536];
    uint64_t total = 0;
    int len, problem;

    /* Level 9: a report is written once and mailed around. */
    if (deflateInit2(&p.z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    while ((len = gzread(from, buf, sizeof(buf))) > 0) {
        differences_add(&d, buf, (size_t)len);
        total += (uint64_t)len;
    }
    differences_end(&d);
    pack(&p, NULL, 0, Z_FINISH);
    deflateEnd(&p.z);
    base64_end(&p.b);
    gzerror(from, &problem);
    if (problem == Z_ERRNO)
        return -errno;
    if (problem != Z_OK)
        return -EBADMSG;
    return total ? 0 : -ENODATA;
}

static int write_page(gzFile from, const char *name, FILE *to, uint64_t *bytes)
{
    struct html_page page = html_page();
    char *json_name = html_json_string(name);
    int rc;

    fwrite(page.head, 1, page.head_bytes, to);
    fprintf(to, "{\"name\":%s,\"gzip\":\"", json_name);
    rc = write_session(from, to);
    fputs("\"}", to);
    fwrite(page.tail, 1, page.tail_bytes, to);
    free(json_name);
    if (!rc && (fflush(to) || ferror(to)))
        rc = -errno;
    *bytes = (uint64_t)ftello(to);
    return rc;
}

static int cannot_write(struct rs_err *err, int rc, const char *path)
{
    return rs_err_set(err, rc, "cannot write %s: %s", path, strerror(-rc));
}

/* RC of write_page() in words: the session's fault or the report's. */
static int say_failure(struct rs_err *err, int rc, const char *name, const char *html_path)
{
    if (rc == -ENODATA)
        return rs_err_set(err, rc, "%s is empty: there is no session to put into a report", name);
    if (rc == -EBADMSG)
        return rs_err_set(err, rc, "%s is damaged or cut off: its gzip data cannot be unpacked", name);
    return cannot_write(err, rc, html_path);
}

static int write_replacing(gzFile from, const char *name, const char *html_path, uint64_t *bytes, struct rs_err *err)
{
    char *temporary = xasprintf("%s.XXXXXX", html_path);
    mode_t mask = umask(0);
    FILE *to = NULL;
    int rc = 0;
    int fd;

    umask(mask);
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0 || !(to = fdopen(fd, "w"))) {
        rc = cannot_write(err, -errno, html_path);
        goto out;
    }
    rc = write_page(from, name, to, bytes);
    if (!rc && fchmod(fd, 0666 & ~mask) < 0)
        rc = -errno;
    if (fclose(to) && !rc)
        rc = -errno;
    if (!rc && rename(temporary, html_path) < 0)
        rc = -errno;
    if (rc) {
        unlink(temporary);
        say_failure(err, rc, name, html_path);
    }
out:
    free(temporary);
    return rc;
}

/* A device or a pipe is written to, not replaced. */
static int write_special(gzFile from, const char *name, const char *html_path, uint64_t *bytes, struct rs_err *err)
{
    FILE *to = fopen(html_path, "we");
    int rc;

    if (!to)
        return cannot_write(err, -errno, html_path);
    rc = write_page(from, name, to, bytes);
    if (fclose(to) && !rc)
        rc = -errno;
    return rc ? say_failure(err, rc, name, html_path) : 0;
}

int html_write(const char *session_path, const char *html_path, uint64_t *bytes, struct rs_err *err)
{
    bool input = strcmp(session_path, "-");
    const char *name = input ? rs_path_base(session_path) : "stdin";
    int fd = input ? open(session_path, O_RDONLY | O_CLOEXEC) : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    gzFile from;
    struct stat st;
    int rc = 0;

    *bytes = 0;
    if (fd < 0)
        return rs_err_set(err, -errno, "cannot read %s: %s", session_path, strerror(errno));
    if (!fstat(fd, &st) && S_ISDIR(st.st_mode)) {
        close(fd);
        return rs_err_set(err, -EISDIR, "cannot read %s: it is a directory", session_path);
    }
    from = gzdopen(fd, "rb");
    if (!from) {
        close(fd);
        return rs_err_set(err, -ENOMEM, "cannot read %s: %s", session_path, strerror(ENOMEM));
    }
    if (!strcmp(html_path, "-")) {
        rc = write_page(from, name, stdout, bytes);
        if (rc)
            say_failure(err, rc, name, "stdout");
    } else if (!stat(html_path, &st) && S_ISDIR(st.st_mode)) {
        rc = cannot_write(err, -EISDIR, html_path);
    } else if (!stat(html_path, &st) && !S_ISREG(st.st_mode)) {
        rc = write_special(from, name, html_path, bytes, err);
    } else {
        rc = write_replacing(from, name, html_path, bytes, err);
    }
    gzclose(from);
    return rc;
}
