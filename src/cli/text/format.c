/* SPDX-License-Identifier: MIT */
#include "text/format.h"

#include <langinfo.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "core/json.h"

static struct fmt unknown(void)
{
    return (struct fmt){"-"};
}

/* VALUE (below 1000 in size) with three significant digits. */
static void three_digits(char *out, size_t cap, double value)
{
    double size = fabs(value);

    snprintf(out, cap, "%.*f", size < 9.995 ? 2 : size < 99.95 ? 1 : 0, value);
}

struct fmt fmt_si(double value, const char *unit)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P", "E"};
    size_t step = 0;
    char digits[16];
    struct fmt text;

    if (!isfinite(value))
        return unknown();
    while (fabs(value) >= 999.5 && step + 1 < sizeof(prefixes) / sizeof(*prefixes)) {
        value /= 1000;
        step++;
    }
    if (step == 0 && value == floor(value))
        snprintf(digits, sizeof(digits), "%.0f", value + 0.0);
    else
        three_digits(digits, sizeof(digits), value);
    snprintf(text.s, sizeof(text.s), "%s%s%s%.8s", digits, step || *unit ? " " : "", prefixes[step], unit);
    return text;
}

struct fmt fmt_bytes(double bytes)
{
    return fmt_si(fabs(bytes) < 999.5 ? round(bytes) : bytes, "B");
}

struct fmt fmt_mb(double mb)
{
    return fmt_bytes(mb * 1e6);
}

struct fmt fmt_mb_signed(double mb)
{
    struct fmt size = fmt_mb(fabs(mb)), text;

    if (!isfinite(mb))
        return size;
    snprintf(text.s, sizeof(text.s), "%c%.30s", mb < 0 ? '-' : '+', size.s);
    return text;
}

static struct fmt percent(double pct, int decimals)
{
    struct fmt text;

    if (!isfinite(pct))
        return unknown();
    snprintf(text.s, sizeof(text.s), "%.*f %%", decimals, fabs(pct) < 0.005 ? 0.0 : pct);
    return text;
}

struct fmt fmt_pct(double pct)
{
    return percent(pct, 0);
}

struct fmt fmt_pct1(double pct)
{
    return percent(pct, 1);
}

struct fmt fmt_span(double seconds)
{
    double size = fabs(seconds);
    struct fmt text;
    char digits[16];

    if (!isfinite(seconds))
        return unknown();
    if (size < 99.95) {
        static const char *const units[] = {"ns", "µs", "ms", "s"};
        int unit = 3;

        while (unit > 0 && fabs(seconds) < 0.9995) {
            seconds *= 1000;
            unit--;
        }
        if (seconds == 0)
            return (struct fmt){"0 s"};
        three_digits(digits, sizeof(digits), seconds);
        /* Whole milliseconds read better without decimals that the measurement does not have. */
        if (unit < 3 && fabs(seconds) >= 9.995)
            snprintf(digits, sizeof(digits), "%.0f", seconds);
        snprintf(text.s, sizeof(text.s), "%s %s", digits, units[unit]);
        return text;
    }
    if (size > 1e15)
        return unknown();
    long long whole = llround(size);
    const char *sign = seconds < 0 ? "-" : "";

    if (whole < 3600)
        snprintf(text.s, sizeof(text.s), "%s%lld min %02lld s", sign, whole / 60, whole % 60);
    else if (whole < 86400)
        snprintf(text.s, sizeof(text.s), "%s%lld h %02lld min", sign, whole / 3600, whole / 60 % 60);
    else
        snprintf(text.s, sizeof(text.s), "%s%lld d %02lld h", sign, whole / 86400, whole / 3600 % 24);
    return text;
}

struct fmt fmt_time_ns(double ns)
{
    static const char *const units[] = {"ns", "µs", "ms", "s"};
    struct fmt text;
    char digits[16];
    size_t unit = 0;

    if (!isfinite(ns) || fabs(ns) >= 60e9)
        return fmt_span(ns / 1e9);
    for (; fabs(ns) >= 999.5 && unit < 3; unit++)
        ns /= 1000;
    three_digits(digits, sizeof(digits), ns);
    snprintf(text.s, sizeof(text.s), "%s %s", digits, units[unit]);
    return text;
}

struct fmt fmt_clock(double seconds)
{
    struct fmt text;

    if (!isfinite(seconds) || fabs(seconds) > 1e15)
        return unknown();
    /* The small push undoes what 11.2 loses as a binary fraction. */
    long long tenths = (long long)floor(fabs(seconds) * 10 + 1e-6);
    const char *sign = seconds < 0 && tenths ? "-" : "";

    if (tenths < 36000)
        snprintf(text.s, sizeof(text.s), "%s%02lld:%02lld.%lld", sign, tenths / 600, tenths / 10 % 60, tenths % 10);
    else
        snprintf(text.s, sizeof(text.s), "%s%lld:%02lld:%02lld.%lld", sign, tenths / 36000, tenths / 600 % 60,
                 tenths / 10 % 60, tenths % 10);
    return text;
}

enum charset fmt_locale_charset(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? CHARSET_UTF8 : CHARSET_ASCII;
}

static uint32_t decode(const char *text, unsigned len)
{
    static const unsigned char lead_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code = (unsigned char)text[0] & lead_mask[len];

    for (unsigned i = 1; i < len; i++)
        code = code << 6 | ((unsigned char)text[i] & 0x3f);
    return code;
}

/* Characters that reorder the text around them: a name must not be able to rewrite the line it stands in. */
static bool reorders(uint32_t code)
{
    return (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

size_t fmt_char(const char *text, size_t len, unsigned *code_point, int *cols)
{
    unsigned bytes = len ? rs_utf8_char_len(text, len) : 0;
    uint32_t code = bytes ? decode(text, bytes) : '?';

    *cols = 1;
    if (code == '\t' || code == '\n')
        code = ' ';
    else if (code < 0x20 || (code >= 0x7f && code < 0xa0) || reorders(code))
        code = '?';
    else if (code >= 0xa0) {
        *cols = wcwidth((wchar_t)code);
        if (*cols < 0) {
            code = '?';
            *cols = 1;
        }
    }
    *code_point = code;
    return bytes ? bytes : 1;
}

/* What stands for the few characters that our own texts use. */
static char ascii_for(uint32_t code)
{
    switch (code) {
    case 0x2190: /* ← */
        return '<';
    case 0x2192: /* → */
        return '>';
    case 0xb1: /* ± */
        return '+';
    case 0xb5: /* µ */
        return 'u';
    case 0xd7: /* × */
        return 'x';
    case 0x2500: /* ─ */
    case 0x2013:
    case 0x2014:
        return '-';
    case 0x25b2: /* ▲ */
        return '!';
    default:
        return '?';
    }
}

/* Bytes and columns of one cleaned character, written to OUT (8 bytes). */
static size_t clean_char(const char *text, size_t len, enum charset charset, char *out, size_t *out_len, int *cols)
{
    unsigned code;
    size_t bytes = fmt_char(text, len, &code, cols);

    if (charset == CHARSET_ASCII) {
        /* Decoded anew: a locale without the character has called it '?'. */
        out[0] = code == '?' ? ascii_for(decode(text, bytes)) : code < 0x80 ? (char)code : ascii_for(code);
        *out_len = *cols = 1;
    } else if (code < 0x80) {
        out[0] = (char)code;
        *out_len = 1;
    } else {
        memcpy(out, text, bytes);
        *out_len = bytes;
    }
    return bytes;
}

int fmt_cols(const char *text, enum charset charset)
{
    size_t len = strlen(text), taken, at = 0;
    int total = 0, cols;
    char one[8];

    while (at < len) {
        at += clean_char(text + at, len - at, charset, one, &taken, &cols);
        total += cols;
    }
    return total;
}

int fmt_fit(char *out, size_t cap, const char *text, int cols, enum charset charset)
{
    const char *dots = charset == CHARSET_UTF8 ? "…" : "..";
    const int dots_cols = charset == CHARSET_UTF8 ? 1 : 2;
    size_t len = strlen(text), used = 0, cut_used = 0, at = 0;
    int taken = 0, cut_taken = 0;

    if (cap == 0)
        return 0;
    while (at < len) {
        char one[8];
        size_t one_len;
        int one_cols;

        at += clean_char(text + at, len - at, charset, one, &one_len, &one_cols);
        if (taken + one_cols > cols || used + one_len + 1 > cap) {
            used = cut_used;
            taken = cut_taken;
            if (taken + dots_cols <= cols && used + strlen(dots) + 1 <= cap) {
                memcpy(out + used, dots, strlen(dots));
                used += strlen(dots);
                taken += dots_cols;
            }
            break;
        }
        memcpy(out + used, one, one_len);
        used += one_len;
        taken += one_cols;
        if (taken + dots_cols <= cols && used + strlen(dots) + 1 <= cap) {
            cut_used = used;
            cut_taken = taken;
        }
    }
    out[used] = '\0';
    return taken;
}

void fmt_pad(char *out, size_t cap, const char *text, int cols, enum charset charset)
{
    int taken = fmt_fit(out, cap, text, cols, charset);
    size_t used = strlen(out);

    while (taken < cols && used + 1 < cap) {
        out[used++] = ' ';
        taken++;
    }
    out[used] = '\0';
}

const char *fmt_block(int level, enum charset charset)
{
    static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const ascii[] = {" ", ".", ":", "-", "=", "+", "*", "#", "@"};

    level = level < 0 ? 0 : level > 8 ? 8 : level;
    return charset == CHARSET_UTF8 ? blocks[level] : ascii[level];
}

static size_t append(char *out, size_t cap, size_t used, const char *text)
{
    size_t len = strlen(text);

    if (used + len + 1 > cap)
        return used;
    memcpy(out + used, text, len + 1);
    return used + len;
}

void fmt_sparkline(char *out, size_t cap, const double *values, size_t count, int cells, double top,
                   enum charset charset)
{
    size_t used = 0;

    if (cap == 0)
        return;
    out[0] = '\0';
    if (top <= 0)
        for (size_t i = 0; i < count; i++)
            if (values[i] > top)
                top = values[i];
    for (int cell = 0; cell < cells && count; cell++) {
        size_t from = (size_t)cell * count / (size_t)cells, to = ((size_t)cell + 1) * count / (size_t)cells;
        double most = NAN;

        for (size_t i = from; i < (to > from ? to : from + 1); i++)
            if (isfinite(values[i]) && !(most >= values[i]))
                most = values[i];
        /* A value that is there is never blank, so that "little" and "unknown" differ. */
        int level = !isfinite(most) ? 0 : top <= 0 ? 1 : 1 + (int)(most / top * 7 + 0.5);

        used = append(out, cap, used, fmt_block(isfinite(most) && level < 1 ? 1 : level, charset));
    }
}

void fmt_bar(char *out, size_t cap, double fraction, int cells, enum charset charset)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    size_t used = 0;
    int units;

    if (cap == 0)
        return;
    out[0] = '\0';
    fraction = !(fraction > 0) ? 0 : fraction > 1 ? 1 : fraction;
    units = (int)(fraction * cells * 8 + 0.5);
    for (int i = 0; i < units / 8; i++)
        used = append(out, cap, used, charset == CHARSET_UTF8 ? "█" : "#");
    if (charset == CHARSET_UTF8)
        append(out, cap, used, eighths[units % 8]);
}
