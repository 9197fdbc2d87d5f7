/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Numbers and text for people: the summary and the live screen print through these, so that the same quantity looks the
 * same everywhere. Three significant digits, SI steps of 1000 (1 MB = 10^6 bytes).
 *
 * The number functions return a small struct by value; `fmt_bytes(n).s` lives until the end of the full expression, so
 * several fit into one printf call. A value that is not a number reads "-". Nothing here depends on LC_NUMERIC.
 */
struct fmt {
    char s[32];
};

/* 5310000, "" -> "5.31 M";  412e6, "B" -> "412 MB";  31, "" -> "31". */
struct fmt fmt_si(double value, const char *unit);
struct fmt fmt_bytes(double bytes);
struct fmt fmt_mb(double mb);
/* The same with its sign, also when positive: "+10.0 MB". */
struct fmt fmt_mb_signed(double mb);
/* A whole number of percent ("98 %"), and one for tables with one decimal ("21.4 %"). */
struct fmt fmt_pct(double pct);
struct fmt fmt_pct1(double pct);
/* A span: "850 ns", "240 ms", "14.2 s", "3 min 20 s", "2 h 05 min", "3 d 04 h". */
struct fmt fmt_span(double seconds);
/* A measured time below a minute, with all its three digits: "25.6 ns", "1.21 ms". */
struct fmt fmt_time_ns(double ns);
/* A place on the run's clock: "00:11.2", "1:02:03.4". Cut, not rounded: an event is never shown before its second. */
struct fmt fmt_clock(double seconds);

/* What the terminal can show. */
enum charset { CHARSET_ASCII, CHARSET_UTF8 };

/* Reads the current LC_CTYPE; call setlocale(LC_CTYPE, "") before. */
enum charset fmt_locale_charset(void);

/*
 * Copies TEXT into OUT (CAP bytes, always NUL-terminated) so that it takes at most COLS columns, and returns the
 * columns taken. What a terminal would act on (controls, escapes) and bytes that are not UTF-8 become '?', newline and
 * tab a blank; a text that is too long ends in "…" (".." in ASCII). In ASCII the arrows and signs of our own texts get
 * a stand-in, other characters become '?'. COLS is cut to what fits into CAP.
 */
int fmt_fit(char *out, size_t cap, const char *text, int cols, enum charset charset);
/* The same, filled up with blanks to exactly COLS columns. */
void fmt_pad(char *out, size_t cap, const char *text, int cols, enum charset charset);
/* The columns that TEXT takes once fmt_fit has cleaned it. */
int fmt_cols(const char *text, enum charset charset);
/* One character: its code point and columns (0-2) at TEXT; returns the bytes it takes. Stray bytes and controls are
 * '?'. */
size_t fmt_char(const char *text, size_t len, unsigned *code_point, int *cols);

/*
 * A row of CELLS block characters into OUT: VALUES (oldest first, NaN where unknown) are squeezed into the cells by
 * their maximum, or repeated when there are fewer. The scale is 0..TOP; TOP <= 0 means the largest value. In ASCII the
 * levels are " .:-=+*#@". OUT needs 3 * CELLS + 1 bytes.
 */
void fmt_sparkline(char *out, size_t cap, const double *values, size_t count, int cells, double top,
                   enum charset charset);
/* A horizontal bar of FRACTION of CELLS in eighths of a cell ("█████▌"); "#####" in ASCII. Not padded. */
void fmt_bar(char *out, size_t cap, double fraction, int cells, enum charset charset);

/* Block character of LEVEL 0..8 eighths: a blank, then U+2581..U+2588. */
const char *fmt_block(int level, enum charset charset);
