/* SPDX-License-Identifier: MIT */
#include "text/format.h"

#include <locale.h>
#include <math.h>
#include <string.h>

#include "suite.h"

START_TEST(si_keeps_three_significant_digits)
{
    ck_assert_str_eq(fmt_si(5310000, "").s, "5.31 M");
    ck_assert_str_eq(fmt_si(412e6, "B").s, "412 MB");
    ck_assert_str_eq(fmt_si(31, "").s, "31");
    ck_assert_str_eq(fmt_si(0, "").s, "0");
    ck_assert_str_eq(fmt_si(-0.0, "").s, "0");
    ck_assert_str_eq(fmt_si(999, "").s, "999");
    ck_assert_str_eq(fmt_si(999.6, "").s, "1.00 k");
    ck_assert_str_eq(fmt_si(9.999, "").s, "10.0");
    ck_assert_str_eq(fmt_si(99.97e3, "").s, "100 k");
    ck_assert_str_eq(fmt_si(-12345, "").s, "-12.3 k");
    ck_assert_str_eq(fmt_si(NAN, "B").s, "-");
    ck_assert_str_eq(fmt_si(1e30, "B").s, "1000000000000 EB");
}
END_TEST

START_TEST(a_megabyte_is_a_million_bytes)
{
    ck_assert_str_eq(fmt_bytes(0).s, "0 B");
    ck_assert_str_eq(fmt_bytes(999).s, "999 B");
    ck_assert_str_eq(fmt_bytes(1e6).s, "1.00 MB");
    ck_assert_str_eq(fmt_bytes(1048576).s, "1.05 MB");
    ck_assert_str_eq(fmt_mb(57.04).s, "57.0 MB");
    ck_assert_str_eq(fmt_mb_signed(10).s, "+10.0 MB");
    ck_assert_str_eq(fmt_mb_signed(-0.25).s, "-250 kB");
    ck_assert_str_eq(fmt_mb_signed(NAN).s, "-");
}
END_TEST

START_TEST(spans_choose_their_unit)
{
    ck_assert_str_eq(fmt_span(0).s, "0 s");
    ck_assert_str_eq(fmt_span(850e-9).s, "850 ns");
    ck_assert_str_eq(fmt_span(1.5e-6).s, "1.50 µs");
    ck_assert_str_eq(fmt_span(0.24).s, "240 ms");
    ck_assert_str_eq(fmt_span(0.9999).s, "1.00 s");
    ck_assert_str_eq(fmt_span(14.2).s, "14.2 s");
    ck_assert_str_eq(fmt_span(100).s, "1 min 40 s");
    ck_assert_str_eq(fmt_span(3599.6).s, "1 h 00 min");
    ck_assert_str_eq(fmt_span(7500).s, "2 h 05 min");
    ck_assert_str_eq(fmt_span(3 * 86400 + 4 * 3600).s, "3 d 04 h");
}
END_TEST

START_TEST(measured_times_keep_three_digits)
{
    ck_assert_str_eq(fmt_time_ns(25.583).s, "25.6 ns");
    ck_assert_str_eq(fmt_time_ns(0.27).s, "0.27 ns");
    ck_assert_str_eq(fmt_time_ns(999.6).s, "1.00 µs");
    ck_assert_str_eq(fmt_time_ns(57920).s, "57.9 µs");
    ck_assert_str_eq(fmt_time_ns(1.5e9).s, "1.50 s");
    ck_assert_str_eq(fmt_time_ns(200e9).s, "3 min 20 s");
    ck_assert_str_eq(fmt_time_ns(NAN).s, "-");
}
END_TEST

START_TEST(clock_is_cut_to_tenths)
{
    ck_assert_str_eq(fmt_clock(0).s, "00:00.0");
    ck_assert_str_eq(fmt_clock(11.2).s, "00:11.2");
    ck_assert_str_eq(fmt_clock(59.99).s, "00:59.9");
    ck_assert_str_eq(fmt_clock(3723.4).s, "1:02:03.4");
    ck_assert_str_eq(fmt_clock(-0.01).s, "00:00.0");
}
END_TEST

START_TEST(percent_has_no_minus_zero)
{
    ck_assert_str_eq(fmt_pct(98.4).s, "98 %");
    ck_assert_str_eq(fmt_pct1(21.44).s, "21.4 %");
    ck_assert_str_eq(fmt_pct1(-0.0).s, "0.0 %");
    ck_assert_str_eq(fmt_pct(NAN).s, "-");
}
END_TEST

static const char *fit(const char *text, int cols, enum charset charset)
{
    static char out[64];
    int taken = fmt_fit(out, sizeof(out), text, cols, charset);

    ck_assert_int_eq(taken, fmt_cols(out, charset));
    ck_assert_int_le(taken, cols);
    return out;
}

START_TEST(long_text_ends_in_dots)
{
    ck_assert_str_eq(fit("readQueryFromClient", 19, CHARSET_UTF8), "readQueryFromClient");
    ck_assert_str_eq(fit("readQueryFromClient", 9, CHARSET_UTF8), "readQuer…");
    ck_assert_str_eq(fit("readQueryFromClient", 9, CHARSET_ASCII), "readQue..");
    ck_assert_str_eq(fit("abc", 1, CHARSET_UTF8), "…");
    ck_assert_str_eq(fit("abc", 1, CHARSET_ASCII), "");
    ck_assert_str_eq(fit("abc", 0, CHARSET_UTF8), "");
    ck_assert_str_eq(fit("日本語", 4, CHARSET_UTF8), "日…");
    ck_assert_str_eq(fit("日本語", 6, CHARSET_UTF8), "日本語");
}
END_TEST

START_TEST(nothing_a_terminal_acts_on_survives)
{
    ck_assert_str_eq(fit("a\x1b[31mb", 20, CHARSET_UTF8), "a?[31mb");
    ck_assert_str_eq(fit("a\xffz\xc2", 20, CHARSET_UTF8), "a?z?");
    ck_assert_str_eq(fit("a\xc2\x9bz", 20, CHARSET_UTF8), "a?z"); /* the one-byte CSI in UTF-8 */
    ck_assert_str_eq(fit("a\tb\nc", 20, CHARSET_UTF8), "a b c");
    ck_assert_str_eq(fit("x\xe2\x80\xaey", 20, CHARSET_UTF8), "x?y"); /* right-to-left override */
    ck_assert_str_eq(fit("größe", 20, CHARSET_ASCII), "gr??e");
}
END_TEST

START_TEST(our_own_characters_have_a_letter_where_the_locale_has_none)
{
    setlocale(LC_CTYPE, "C");
    ck_assert_str_eq(fit("a ← b → 3 µs", 20, CHARSET_ASCII), "a < b > 3 us");
    ck_assert_str_eq(fit("a?\xffz\x1b", 20, CHARSET_ASCII), "a??z?");
    setlocale(LC_CTYPE, "C.UTF-8");
}
END_TEST

START_TEST(small_buffers_are_never_overrun)
{
    char out[8];

    for (size_t cap = 1; cap <= sizeof(out); cap++) {
        memset(out, 'X', sizeof(out));
        fmt_fit(out, cap, "日本語日本語", 40, CHARSET_UTF8);
        ck_assert_uint_lt(strlen(out), cap);
        fmt_pad(out, cap, "ab", 40, CHARSET_UTF8);
        ck_assert_uint_lt(strlen(out), cap);
    }
    fmt_pad(out, sizeof(out), "ab", 5, CHARSET_UTF8);
    ck_assert_str_eq(out, "ab   ");
}
END_TEST

START_TEST(sparkline_squeezes_by_the_maximum)
{
    const double values[] = {0, 0, 10, 0, 50, 100, NAN, NAN};
    char out[64];

    fmt_sparkline(out, sizeof(out), values, 8, 4, 100, CHARSET_UTF8);
    ck_assert_str_eq(out, "▁▂█ ");
    fmt_sparkline(out, sizeof(out), values, 8, 4, 0, CHARSET_ASCII);
    ck_assert_str_eq(out, ".:@ ");
    fmt_sparkline(out, sizeof(out), values + 4, 2, 4, 0, CHARSET_UTF8);
    ck_assert_str_eq(out, "▅▅██");
    fmt_sparkline(out, sizeof(out), values, 2, 3, 0, CHARSET_UTF8);
    ck_assert_str_eq(out, "▁▁▁");
    fmt_sparkline(out, sizeof(out), values, 0, 3, 0, CHARSET_UTF8);
    ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(bars_count_eighths)
{
    char out[64];

    fmt_bar(out, sizeof(out), 0.5, 5, CHARSET_UTF8);
    ck_assert_str_eq(out, "██▌");
    fmt_bar(out, sizeof(out), 2.0, 2, CHARSET_UTF8);
    ck_assert_str_eq(out, "██");
    fmt_bar(out, sizeof(out), NAN, 5, CHARSET_UTF8);
    ck_assert_str_eq(out, "");
    fmt_bar(out, sizeof(out), 1, 5, CHARSET_ASCII);
    ck_assert_str_eq(out, "#####");
}
END_TEST

static void set_up_locale(void) __attribute__((constructor));
static void set_up_locale(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
}

SUITE("format", si_keeps_three_significant_digits, a_megabyte_is_a_million_bytes, spans_choose_their_unit,
      measured_times_keep_three_digits, clock_is_cut_to_tenths, percent_has_no_minus_zero, long_text_ends_in_dots,
      nothing_a_terminal_acts_on_survives, our_own_characters_have_a_letter_where_the_locale_has_none,
      small_buffers_are_never_overrun, sparkline_squeezes_by_the_maximum, bars_count_eighths)
