/* SPDX-License-Identifier: MIT */
#include "core/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "suite.h"

static char out[4096];
static size_t out_len;

static int collect(void *ctx, const char *bytes, size_t len)
{
    (void)ctx;
    ck_assert_uint_lt(out_len + len, sizeof(out));
    memcpy(out + out_len, bytes, len);
    out_len += len;
    out[out_len] = '\0';
    return 0;
}

static struct rs_json writer(void)
{
    static char buf[64];
    struct rs_json j;

    out_len = 0;
    out[0] = '\0';
    rs_json_init(&j, buf, sizeof(buf), collect, NULL);
    return j;
}

START_TEST(nested_values_get_their_commas)
{
    struct rs_json j = writer();

    rs_json_object_begin(&j);
    rs_json_kv_int(&j, "a", -3);
    rs_json_key(&j, "b");
    rs_json_array_begin(&j);
    rs_json_null(&j);
    rs_json_bool(&j, true);
    rs_json_object_begin(&j);
    rs_json_object_end(&j);
    rs_json_array_end(&j);
    rs_json_kv_str(&j, "c", NULL);
    rs_json_object_end(&j);
    ck_assert_int_eq(rs_json_finish(&j), 0);
    ck_assert_str_eq(out, "{\"a\":-3,\"b\":[null,true,{}],\"c\":null}");
}
END_TEST

START_TEST(doubles_round_and_drop_trailing_zeros)
{
    struct rs_json j = writer();
    const double values[] = {0, -0.0, 1.5, 2.999, -0.001, 123456.789, NAN, INFINITY, 1e300, 0.005, 99.999};

    rs_json_array_begin(&j);
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
        rs_json_double(&j, values[i], 2);
    rs_json_array_end(&j);
    ck_assert_int_eq(rs_json_finish(&j), 0);
    ck_assert_str_eq(out, "[0,0,1.5,3,0,123456.79,null,null,null,0.01,100]");
}
END_TEST

START_TEST(extreme_integers_are_exact)
{
    struct rs_json j = writer();

    rs_json_array_begin(&j);
    rs_json_int(&j, INT64_MIN);
    rs_json_uint(&j, UINT64_MAX);
    rs_json_array_end(&j);
    ck_assert_int_eq(rs_json_finish(&j), 0);
    ck_assert_str_eq(out, "[-9223372036854775808,18446744073709551615]");
}
END_TEST

START_TEST(misuse_is_an_error_and_not_broken_output)
{
    struct rs_json j = writer();

    rs_json_object_begin(&j);
    rs_json_int(&j, 1); /* no key */
    rs_json_object_end(&j);
    ck_assert_int_eq(rs_json_finish(&j), -EINVAL);
    j = writer();
    rs_json_array_begin(&j);
    ck_assert_int_eq(rs_json_finish(&j), -EINVAL);
    j = writer();
    rs_json_int(&j, 1);
    rs_json_int(&j, 2); /* two documents */
    ck_assert_int_eq(rs_json_finish(&j), -EINVAL);
}
END_TEST

START_TEST(control_characters_and_quotes_are_escaped)
{
    struct rs_json j = writer();

    rs_json_text(&j, "a\"\\\n\t\x01\x0b\x7f\0z", 10);
    ck_assert_int_eq(rs_json_finish(&j), 0);
    ck_assert_str_eq(out, "\"a\\\"\\\\\\n\\t\\u0001\\u000b\\u007f\\u0000z\"");
}
END_TEST

static void check_round_trip(const char *bytes, size_t len)
{
    struct rs_json j = writer();
    size_t decoded;

    rs_json_text(&j, bytes, len);
    ck_assert_int_eq(rs_json_finish(&j), 0);
    for (size_t i = 0; i < out_len;) {
        unsigned n = rs_utf8_char_len(out + i, out_len - i);

        ck_assert_uint_ne(n, 0);
        i += n;
    }
    decoded = rs_json_text_decode(out + 1, out_len - 2);
    ck_assert_uint_eq(decoded, len);
    ck_assert_mem_eq(out + 1, bytes, len);
}

START_TEST(stray_bytes_survive_as_valid_utf8)
{
    check_round_trip("caf\xe9 \xff\x80", 7);
    check_round_trip("\xed\xa0\x80 surrogate", 13);
    check_round_trip("\xc0\xaf overlong", 11);
    check_round_trip("cut \xe2\x82", 6);
    check_round_trip("\xf4\x8f\xa2\x80 genuine U+10F880", 21);
    check_round_trip("\xf4\x8f\xbf\xbf\xf0\x9f\x98\x80\xc3\xa9", 10);
}
END_TEST

START_TEST(every_byte_pair_round_trips)
{
    for (unsigned a = 0x80; a < 0x100; a++)
        for (unsigned b = 0x80; b < 0x100; b++)
            check_round_trip((const char[]){(char)a, (char)b}, 2);
}
END_TEST

static int refuse(void *ctx, const char *bytes, size_t len)
{
    (void)ctx, (void)bytes, (void)len;
    return -ENOSPC;
}

START_TEST(a_sink_that_fails_ends_the_document_with_its_error)
{
    char buf[64];
    struct rs_json j;

    rs_json_init(&j, buf, sizeof(buf), refuse, NULL);
    rs_json_array_begin(&j);
    for (int i = 0; i < 1000; i++)
        rs_json_int(&j, i);
    rs_json_array_end(&j);
    ck_assert_int_eq(rs_json_finish(&j), -ENOSPC);
}
END_TEST

SUITE("json", nested_values_get_their_commas, doubles_round_and_drop_trailing_zeros, extreme_integers_are_exact,
      misuse_is_an_error_and_not_broken_output, control_characters_and_quotes_are_escaped,
      stray_bytes_survive_as_valid_utf8, every_byte_pair_round_trips,
      a_sink_that_fails_ends_the_document_with_its_error)
