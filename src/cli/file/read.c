/* SPDX-License-Identifier: MIT */
#include "file/reader.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "file/session_file.h"

static int find_sections(struct session_reader *r, struct json_slice text)
{
    struct json_slice document, key, value;
    struct json_scan scan;
    double version = NAN;

    if (!text.len)
        return rs_err_set(r->err, -EINVAL, "the file is empty");
    if (!json_scan_value(text, &document) || !json_scan_begin(&scan, document, '{'))
        return rs_err_set(r->err, -EINVAL, "this is not a RustScope session: it is not one whole JSON object%s",
                          memchr(text.text, '{', text.len < 64 ? text.len : 64) ? " (cut off, perhaps)" : "");
    while (json_scan_next(&scan, &key, &value)) {
        if (r->section_count >= READER_MAX_SECTIONS)
            break;
        for (size_t i = 0; i < r->section_count; i++)
            if (key.len == r->sections[i].key.len && !memcmp(key.text, r->sections[i].key.text, key.len))
                return rs_err_set(r->err, -EINVAL, "this RustScope session is damaged: it has \"%.*s\" twice",
                                  (int)(key.len < 64 ? key.len : 64), key.text);
        r->sections[r->section_count].key = key;
        r->sections[r->section_count++].value = value;
    }
    if (scan.broken)
        return reader_broken(r, "its outermost object");
    if (!reader_section(r, "schema_version", &value) || !json_scan_number(value, &version) || isnan(version) ||
        !reader_section(r, "meta", &value))
        return rs_err_set(r->err, -EINVAL,
                          "this is JSON, but not a RustScope session: it has no schema_version and no meta");
    if (version > SESSION_SCHEMA_VERSION)
        return rs_err_set(r->err, -EINVAL,
                          "this session has schema version %g and this rustscope knows %d: a newer rustscope reads it",
                          version, SESSION_SCHEMA_VERSION);
    if (version < SESSION_SCHEMA_VERSION)
        return rs_err_set(r->err, -EINVAL,
                          "schema version %g is older than what this rustscope reads (%d): record again", version,
                          SESSION_SCHEMA_VERSION);
    return 0;
}

static int read_all(struct session_reader *r, struct json_slice text)
{
    static int (*const parts[])(struct session_reader *) = {
        read_meta,     read_tree,        read_processes, read_series,     read_rows,
        read_findings, read_allocations, read_scopes,    read_benchmarks,
    };
    int rc = find_sections(r, text);

    for (size_t i = 0; !rc && i < sizeof(parts) / sizeof(*parts); i++)
        rc = parts[i](r);
    return rc;
}

struct session *session_read(const char *text, size_t len, struct rs_err *err)
{
    struct session_reader r = {.s = session_new(0, 0), .err = err};
    int rc = read_all(&r, (struct json_slice){text, len});

    free(r.names);
    if (!rc)
        return r.s;
    session_free(r.s);
    return NULL;
}
