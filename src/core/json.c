/* SPDX-License-Identifier: MIT */
#include "core/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* U+10F800: stray bytes 0x80..0xFF are spelled U+10F880..U+10F8FF, in UTF-8 F4 8F A2 80 .. F4 8F A3 BF. */
enum { STRAY_BASE = 0x10F800 };

void rs_json_init(struct rs_json *j, char *buf, size_t cap, rs_json_sink sink, void *ctx)
{
    memset(j, 0, sizeof(*j));
    j->buf = buf;
    j->cap = cap;
    j->sink = sink;
    j->ctx = ctx;
}

void rs_json_flush(struct rs_json *j)
{
    if (!j->error && j->len) {
        int rc = j->sink(j->ctx, j->buf, j->len);

        j->written_bytes += j->len;
        if (rc < 0)
            j->error = rc;
    }
    j->len = 0;
}

static void put(struct rs_json *j, const char *bytes, size_t len)
{
    while (len && !j->error) {
        size_t room = j->cap - j->len;
        size_t part = len < room ? len : room;

        memcpy(j->buf + j->len, bytes, part);
        j->len += part;
        bytes += part;
        len -= part;
        if (j->len == j->cap)
            rs_json_flush(j);
    }
}

static void put_char(struct rs_json *j, char c)
{
    put(j, &c, 1);
}

static uint32_t level_bit(const struct rs_json *j)
{
    return 1u << j->depth;
}

/* Writes the comma that the next value needs and checks that a value may stand here. */
static void before_value(struct rs_json *j)
{
    uint32_t bit = level_bit(j);

    if (j->have_key) {
        j->have_key = false;
        return;
    }
    if ((j->is_object & bit) || (!j->depth && (j->not_first & bit))) {
        if (!j->error)
            j->error = -EINVAL;
        return;
    }
    if (j->not_first & bit)
        put_char(j, ',');
    j->not_first |= bit;
}

static void begin(struct rs_json *j, char bracket, bool object)
{
    before_value(j);
    put_char(j, bracket);
    if (j->depth + 1 >= RS_JSON_MAX_DEPTH) {
        j->error = j->error ? j->error : -EINVAL;
        return;
    }
    j->depth++;
    j->not_first &= ~level_bit(j);
    if (object)
        j->is_object |= level_bit(j);
    else
        j->is_object &= ~level_bit(j);
}

static void end(struct rs_json *j, char bracket, bool object)
{
    if (!j->depth || j->have_key || object != !!(j->is_object & level_bit(j))) {
        j->error = j->error ? j->error : -EINVAL;
        return;
    }
    j->depth--;
    put_char(j, bracket);
}

void rs_json_object_begin(struct rs_json *j)
{
    begin(j, '{', true);
}

void rs_json_object_end(struct rs_json *j)
{
    end(j, '}', true);
}

void rs_json_array_begin(struct rs_json *j)
{
    begin(j, '[', false);
}

void rs_json_array_end(struct rs_json *j)
{
    end(j, ']', false);
}

void rs_json_newline(struct rs_json *j)
{
    put_char(j, '\n');
}

unsigned rs_utf8_char_len(const char *bytes, size_t len)
{
    const unsigned char *s = (const unsigned char *)bytes;
    unsigned need;

    if (!len)
        return 0;
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4)
        return 0;
    need = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (len < need)
        return 0;
    for (unsigned i = 1; i < need; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    /* The second byte decides overlong forms, surrogates and the end of Unicode (RFC 3629, section 4). */
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF0 && s[1] < 0x90) ||
        (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return need;
}

/* Whether the four valid bytes at S spell U+10F880..U+10F8FF. */
static bool is_stray_spelling(const unsigned char *s)
{
    return s[0] == 0xF4 && s[1] == 0x8F && (s[2] == 0xA2 || s[2] == 0xA3);
}

static void put_stray(struct rs_json *j, unsigned char byte)
{
    uint32_t c = STRAY_BASE + byte;
    char utf8[4] = {(char)(0xF0 | c >> 18), (char)(0x80 | (c >> 12 & 0x3F)), (char)(0x80 | (c >> 6 & 0x3F)),
                    (char)(0x80 | (c & 0x3F))};

    put(j, utf8, 4);
}

static void put_escaped(struct rs_json *j, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char short_form[] = "btn?fr"; /* 0x08..0x0d, 0x0b has none */

    put_char(j, '\\');
    if (c == '"' || c == '\\') {
        put_char(j, (char)c);
    } else if (c >= 0x08 && c <= 0x0d && c != 0x0b) {
        put_char(j, short_form[c - 0x08]);
    } else {
        put(j, "u00", 3);
        put_char(j, hex[c >> 4]);
        put_char(j, hex[c & 15]);
    }
}

static void put_text(struct rs_json *j, const char *bytes, size_t len)
{
    size_t plain = 0, i = 0;

    put_char(j, '"');
    while (i < len) {
        const unsigned char *s = (const unsigned char *)bytes + i;
        unsigned n = rs_utf8_char_len(bytes + i, len - i);
        bool stray = !n || (n == 4 && is_stray_spelling(s));
        bool special = n == 1 && (*s < 0x20 || *s == '"' || *s == '\\' || *s == 0x7f);

        if (!stray && !special) {
            i += n;
            continue;
        }
        put(j, bytes + plain, i - plain);
        if (special)
            put_escaped(j, *s);
        else
            put_stray(j, *s);
        i++;
        if (n == 4)
            for (unsigned k = 1; k < 4; k++)
                put_stray(j, s[k]), i++;
        plain = i;
    }
    put(j, bytes + plain, len - plain);
    put_char(j, '"');
}

void rs_json_key(struct rs_json *j, const char *key)
{
    uint32_t bit = level_bit(j);

    if (!(j->is_object & bit) || !j->depth || j->have_key) {
        j->error = j->error ? j->error : -EINVAL;
        return;
    }
    if (j->not_first & bit)
        put_char(j, ',');
    j->not_first |= bit;
    put_text(j, key, strlen(key));
    put_char(j, ':');
    j->have_key = true;
}

void rs_json_null(struct rs_json *j)
{
    before_value(j);
    put(j, "null", 4);
}

void rs_json_bool(struct rs_json *j, bool value)
{
    before_value(j);
    if (value)
        put(j, "true", 4);
    else
        put(j, "false", 5);
}

static size_t format_uint(uint64_t value, char *end_of_buf)
{
    char *p = end_of_buf;

    do
        *--p = (char)('0' + value % 10);
    while (value /= 10);
    return (size_t)(end_of_buf - p);
}

void rs_json_uint(struct rs_json *j, uint64_t value)
{
    char buf[20];
    size_t len = format_uint(value, buf + sizeof(buf));

    before_value(j);
    put(j, buf + sizeof(buf) - len, len);
}

void rs_json_int(struct rs_json *j, int64_t value)
{
    char buf[21];
    size_t len = format_uint(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, buf + sizeof(buf));

    if (value < 0)
        buf[sizeof(buf) - ++len] = '-';
    before_value(j);
    put(j, buf + sizeof(buf) - len, len);
}

void rs_json_double(struct rs_json *j, double value, unsigned digits)
{
    static const uint32_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};
    char buf[48];
    char *const end_of_buf = buf + sizeof(buf);
    size_t len = 0;
    uint64_t whole, fraction;
    double magnitude = fabs(value);

    if (digits > 9)
        digits = 9;
    /* Beyond 2^63 neither rounding nor an integer part means anything to a reader of measurements. */
    if (!isfinite(value) || magnitude >= 9.2e18) {
        rs_json_null(j);
        return;
    }
    whole = (uint64_t)magnitude;
    fraction = (uint64_t)((magnitude - (double)whole) * powers[digits] + 0.5);
    if (fraction >= powers[digits]) {
        whole++;
        fraction = 0;
    }
    if (fraction) {
        while (fraction % 10 == 0) {
            fraction /= 10;
            digits--;
        }
        for (unsigned i = 0; i < digits; i++, fraction /= 10)
            end_of_buf[-(ptrdiff_t)++len] = (char)('0' + fraction % 10);
        end_of_buf[-(ptrdiff_t)++len] = '.';
    }
    len += format_uint(whole, end_of_buf - len);
    if (value < 0 && !(len == 1 && end_of_buf[-1] == '0'))
        end_of_buf[-(ptrdiff_t)++len] = '-';
    before_value(j);
    put(j, end_of_buf - len, len);
}

void rs_json_text(struct rs_json *j, const char *bytes, size_t len)
{
    before_value(j);
    put_text(j, bytes, len);
}

void rs_json_str(struct rs_json *j, const char *text)
{
    if (text)
        rs_json_text(j, text, strlen(text));
    else
        rs_json_null(j);
}

void rs_json_kv_int(struct rs_json *j, const char *key, int64_t value)
{
    rs_json_key(j, key);
    rs_json_int(j, value);
}

void rs_json_kv_uint(struct rs_json *j, const char *key, uint64_t value)
{
    rs_json_key(j, key);
    rs_json_uint(j, value);
}

void rs_json_kv_double(struct rs_json *j, const char *key, double value, unsigned digits)
{
    rs_json_key(j, key);
    rs_json_double(j, value, digits);
}

void rs_json_kv_str(struct rs_json *j, const char *key, const char *text)
{
    rs_json_key(j, key);
    rs_json_str(j, text);
}

void rs_json_kv_bool(struct rs_json *j, const char *key, bool value)
{
    rs_json_key(j, key);
    rs_json_bool(j, value);
}

int rs_json_finish(struct rs_json *j)
{
    if (!j->error && (j->depth || j->have_key))
        j->error = -EINVAL;
    rs_json_flush(j);
    return j->error;
}

size_t rs_json_text_decode(char *text, size_t len)
{
    size_t from = 0, to = 0;

    while (from < len) {
        const unsigned char *s = (const unsigned char *)text + from;

        if (len - from >= 4 && is_stray_spelling(s) && (s[3] & 0xC0) == 0x80) {
            text[to++] = (char)((s[2] & 0x03) << 6 | (s[3] & 0x3F));
            from += 4;
        } else {
            text[to++] = text[from++];
        }
    }
    return to;
}
