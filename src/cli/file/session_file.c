/* SPDX-License-Identifier: MIT */
#include "file/session_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"

/* Where a document's bytes go: a descriptor, or through zlib to one. */
struct output {
    int fd;
    bool gzip;
    z_stream z;
    uint64_t bytes;
};

static int write_all(struct output *out, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(out->fd, bytes, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        bytes += n;
        len -= (size_t)n;
        out->bytes += (uint64_t)n;
    }
    return 0;
}

static int deflate_some(struct output *out, const char *bytes, size_t len, int flush)
{
    unsigned char buf[16384];
    int rc = 0;

    out->z.next_in = (unsigned char *)(uintptr_t)bytes;
    out->z.avail_in = (unsigned)len;
    do {
        out->z.next_out = buf;
        out->z.avail_out = sizeof(buf);
        deflate(&out->z, flush);
        rc = write_all(out, (const char *)buf, sizeof(buf) - out->z.avail_out);
    } while (!rc && !out->z.avail_out);
    return rc;
}

static int output_sink(void *ctx, const char *bytes, size_t len)
{
    struct output *out = ctx;

    return out->gzip ? deflate_some(out, bytes, len, Z_NO_FLUSH) : write_all(out, bytes, len);
}

static bool ends_in_gz(const char *path)
{
    size_t len = strlen(path);

    return len > 3 && !strcmp(path + len - 3, ".gz");
}

struct document {
    document_fn write;
    void *what;
};

static int write_to(const struct document *document, struct output *out)
{
    int rc;

    /* 15 bits of window, 16 for the gzip header; level 6, zlib's default. */
    if (out->gzip && deflateInit2(&out->z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    rc = document->write(document->what, output_sink, out);
    if (out->gzip) {
        if (!rc)
            rc = deflate_some(out, "", 0, Z_FINISH);
        deflateEnd(&out->z);
    }
    return rc;
}

/* A regular file, or a name that is still free: those are replaced by rename. */
static bool is_replaceable(const char *path)
{
    struct stat st;

    return stat(path, &st) < 0 || S_ISREG(st.st_mode);
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return !slash ? xstrdup(".") : slash == path ? xstrdup("/") : xmemdup0(path, (size_t)(slash - path));
}

static int cannot_write(struct rs_err *err, int rc, const char *path)
{
    const char *remedy = rc == -EACCES || rc == -EROFS || rc == -ENOENT ? " (-o FILE writes elsewhere)"
                         : rc == -ENOSPC || rc == -EDQUOT               ? " (make room, or -o FILE on another disk)"
                         : rc == -EFBIG                                 ? " (raise the limit: ulimit -f)"
                                                                        : "";

    return rs_err_set(err, rc, "cannot write %s: %s%s", path, strerror(-rc), remedy);
}

/*
 * A file keeps its owner; a new one made under sudo belongs to who called sudo. Best effort: the report is whole
 * without it.
 */
static void give_to_caller(int fd, const char *existing)
{
    const char *uid = getenv("SUDO_UID"), *gid = getenv("SUDO_GID");
    struct stat st;

    if (geteuid())
        return;
    if (existing && !stat(existing, &st)) {
        if (fchown(fd, st.st_uid, st.st_gid) < 0)
            return;
    } else if (uid && gid) {
        if (fchown(fd, (uid_t)strtoul(uid, NULL, 10), (gid_t)strtoul(gid, NULL, 10)) < 0)
            return;
    }
}

/* Writes to a temporary file beside PATH and renames it; a link is followed, so that it stays a link. */
static int write_replacing(const struct document *document, const char *path, struct output *out)
{
    char *real = realpath(path, NULL);
    char *temporary = xasprintf("%s.XXXXXX", real ? real : path);
    mode_t mask = umask(0);
    int rc;

    umask(mask);
    out->fd = mkostemp(temporary, O_CLOEXEC);
    if (out->fd < 0) {
        rc = -errno;
        goto out;
    }
    rc = write_to(document, out);
    if (!rc && fchmod(out->fd, 0666 & ~mask) < 0)
        rc = -errno;
    give_to_caller(out->fd, real);
    if (close(out->fd) < 0 && !rc)
        rc = -errno;
    if (!rc && rename(temporary, real ? real : path) < 0)
        rc = -errno;
    if (rc)
        unlink(temporary);
out:
    free(temporary);
    free(real);
    return rc;
}

static int write_straight(const struct document *document, const char *path, struct output *out)
{
    int rc;

    if (!strcmp(path, "-"))
        out->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    else
        /* O_NONBLOCK: a FIFO that nobody reads is an error (ENXIO) and not a hang. */
        out->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (out->fd < 0)
        return -errno;
    fcntl(out->fd, F_SETFL, fcntl(out->fd, F_GETFL) & ~O_NONBLOCK);
    rc = write_to(document, out);
    if (close(out->fd) < 0 && !rc)
        rc = -errno;
    return rc;
}

int document_write_file(const char *path, bool gzip, document_fn write, void *what, uint64_t *bytes, struct rs_err *err)
{
    const struct document document = {write, what};
    struct output out = {.fd = -1, .gzip = gzip};
    int rc = strcmp(path, "-") && is_replaceable(path) ? write_replacing(&document, path, &out)
                                                       : write_straight(&document, path, &out);

    *bytes = out.bytes;
    return rc ? cannot_write(err, rc, path) : 0;
}

static int write_session(void *session, rs_json_sink sink, void *ctx)
{
    return session_write(session, sink, ctx);
}

int session_write_file(struct session *session, const char *path, uint64_t *bytes, struct rs_err *err)
{
    return document_write_file(path, ends_in_gz(path), write_session, session, bytes, err);
}

int session_check_output(const char *path, struct rs_err *err)
{
    struct stat st;
    char *folder;
    int rc = 0;

    if (!strcmp(path, "-"))
        return 0;
    if (!stat(path, &st)) {
        if (S_ISDIR(st.st_mode))
            return rs_err_set(err, -EISDIR, "cannot write %s: it is a directory (-o %s/rustscope.json writes into it)",
                              path, path);
        if (!S_ISREG(st.st_mode))
            return access(path, W_OK) < 0 ? cannot_write(err, -errno, path) : 0;
    }
    folder = folder_of(path);
    if (access(folder, W_OK | X_OK) < 0)
        rc = cannot_write(err, -errno, path);
    free(folder);
    return rc;
}
