/* SPDX-License-Identifier: MIT */
#include "report/html.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "suite.h"

static char folder[64];

static char *in_folder(const char *name)
{
    if (!*folder) {
        strcpy(folder, "/tmp/rustscope-html.XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(folder));
    }
    return xasprintf("%s/%s", folder, name);
}

static void put(const char *path, const void *bytes, size_t len)
{
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    fwrite(bytes, 1, len, f);
    fclose(f);
}

static char *get(const char *path, size_t *len)
{
    FILE *f = fopen(path, "r");
    char *text = xmalloc(16 << 20);

    ck_assert_ptr_nonnull(f);
    *len = fread(text, 1, (16 << 20) - 1, f);
    text[*len] = '\0';
    fclose(f);
    return text;
}

static int digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    return (int)(strchr(digits, c) - digits);
}

/* Base64 at TEXT up to its quote, unpacked. */
static size_t unpack(const char *text, unsigned char *out, size_t room)
{
    unsigned char *packed = xmalloc(strlen(text));
    size_t count = 0;
    z_stream z = {0};

    for (; *text != '"'; text += 4) {
        int value = digit(text[0]) << 18 | digit(text[1]) << 12;

        if (text[2] != '=')
            value |= digit(text[2]) << 6;
        if (text[3] != '=')
            value |= digit(text[3]);
        packed[count++] = (unsigned char)(value >> 16);
        if (text[2] != '=')
            packed[count++] = (unsigned char)(value >> 8);
        if (text[3] != '=')
            packed[count++] = (unsigned char)value;
    }
    ck_assert_int_eq(inflateInit2(&z, 15 + 16), Z_OK);
    z.next_in = packed;
    z.avail_in = (unsigned)count;
    z.next_out = out;
    z.avail_out = (unsigned)room;
    ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
    inflateEnd(&z);
    free(packed);
    return room - z.avail_out;
}

START_TEST(sessions_of_every_length_come_back_out_of_the_page)
{
    static unsigned char session[2000];
    static unsigned char back[2000];

    for (size_t i = 0; i < sizeof(session); i++)
        session[i] = (unsigned char)(i * 7919 >> 3);
    for (size_t len = 1; len <= sizeof(session); len = len * 3 + 1) {
        char *from = in_folder("in.json");
        char *to = in_folder("out.html");
        uint64_t bytes;
        struct rs_err err;
        size_t page_len;
        char *page, *data;

        put(from, session, len);
        ck_assert_int_eq(html_write(from, to, &bytes, &err), 0);
        page = get(to, &page_len);
        ck_assert_uint_eq(page_len, bytes);
        data = strstr(page, "{\"name\":\"in.json\",\"gzip\":\"");
        ck_assert_ptr_nonnull(data);
        ck_assert_uint_eq(unpack(strstr(data, "gzip\":\"") + 7, back, sizeof(back)), len);
        ck_assert_mem_eq(back, session, len);
        free(page);
        free(from);
        free(to);
    }
}
END_TEST

START_TEST(a_gzipped_session_is_unpacked_and_packed_once)
{
    char *from = in_folder("in.json.gz");
    char *to = in_folder("gz.html");
    gzFile gz = gzopen(from, "wb");
    unsigned char back[100];
    uint64_t bytes;
    size_t len;
    char *page;

    gzwrite(gz, "{\"schema_version\":4}", 20);
    gzclose(gz);
    ck_assert_int_eq(html_write(from, to, &bytes, NULL), 0);
    page = get(to, &len);
    ck_assert_uint_eq(unpack(strstr(page, "gzip\":\"") + 7, back, sizeof(back)), 20);
    ck_assert_mem_eq(back, "{\"schema_version\":4}", 20);
    free(page);
    free(from);
    free(to);
}
END_TEST

START_TEST(columns_stand_in_the_page_as_differences)
{
    static const char session[] = "{\"schema_version\":4,\"start\":[1000,1001,1005,1006]}";
    static const char packed[] = "{\"schema_version\":4,\"start\":[+1000,1,4,1]}";
    char *from = in_folder("columns.json");
    char *to = in_folder("columns.html");
    unsigned char back[100];
    uint64_t bytes;
    size_t len;
    char *page;

    put(from, session, sizeof(session) - 1);
    ck_assert_int_eq(html_write(from, to, &bytes, NULL), 0);
    page = get(to, &len);
    ck_assert_uint_eq(unpack(strstr(page, "gzip\":\"") + 7, back, sizeof(back)), sizeof(packed) - 1);
    ck_assert_mem_eq(back, packed, sizeof(packed) - 1);
    free(page);
    free(from);
    free(to);
}
END_TEST

START_TEST(a_gzipped_session_that_is_cut_off_is_one_sentence)
{
    char *from = in_folder("cut.json.gz");
    char *to = in_folder("cut.html");
    gzFile gz = gzopen(from, "wb");
    struct rs_err err;
    uint64_t bytes;

    for (int i = 0; i < 10000; i++)
        gzprintf(gz, "{\"a\":%d}", i * 7919);
    gzclose(gz);
    ck_assert_int_eq(truncate(from, 2000), 0);
    ck_assert_int_eq(html_write(from, to, &bytes, &err), -EBADMSG);
    ck_assert_str_eq(err.text, "cut.json.gz is damaged or cut off: its gzip data cannot be unpacked");
    ck_assert_int_lt(access(to, F_OK), 0);
    free(from);
    free(to);
}
END_TEST

START_TEST(a_name_cannot_leave_its_data_block)
{
    char *json = html_json_string("</script><img onerror=\"x\">&\\\n");

    ck_assert_str_eq(json, "\"\\u003c/script\\u003e\\u003cimg onerror=\\u0022x\\u0022\\u003e\\u0026\\u005c\\u000a\"");
    free(json);
}
END_TEST

START_TEST(what_cannot_be_read_or_written_is_one_sentence_and_leaves_the_old_report)
{
    char *from = in_folder("empty.json");
    char *to = in_folder("kept.html");
    struct rs_err err;
    uint64_t bytes;
    size_t len;
    char *old;

    put(from, "", 0);
    put(to, "old", 3);
    ck_assert_int_eq(html_write(from, to, &bytes, &err), -ENODATA);
    ck_assert_str_eq(err.text, "empty.json is empty: there is no session to put into a report");
    old = get(to, &len);
    ck_assert_str_eq(old, "old");
    ck_assert_int_eq(html_write("/no/such.json", to, &bytes, &err), -ENOENT);
    ck_assert_str_eq(err.text, "cannot read /no/such.json: No such file or directory");
    ck_assert_int_eq(html_write(folder, to, &bytes, &err), -EISDIR);
    put(from, "{}", 2);
    ck_assert_int_eq(html_write(from, folder, &bytes, &err), -EISDIR);
    ck_assert_int_eq(html_write(from, "/no/such/folder.html", &bytes, &err), -ENOENT);
    free(old);
    free(from);
    free(to);
}
END_TEST

SUITE("html", sessions_of_every_length_come_back_out_of_the_page, a_gzipped_session_is_unpacked_and_packed_once,
      columns_stand_in_the_page_as_differences, a_gzipped_session_that_is_cut_off_is_one_sentence,
      a_name_cannot_leave_its_data_block, what_cannot_be_read_or_written_is_one_sentence_and_leaves_the_old_report)
