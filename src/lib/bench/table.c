/* SPDX-License-Identifier: MIT */
/* The table: one line a benchmark, printed as soon as it is there. What does not fit the width goes, from the right. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/bench/bench.h"

enum { WIDTH = 100, WIDTH_MAX = 200, CELL = 64 };

#define BOLD   "\033[1m"
#define DIM    "\033[2m"
#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define PLAIN  "\033[0m"

static bool speaks_utf8(void)
{
    const char *names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (int i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);

        if (value && *value)
            return strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "UTF8") || strstr(value, "utf-8");
    }
    return false;
}

void rs_bench_style_init(struct rs_bench_style *style, FILE *to)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM"), *columns = getenv("COLUMNS");
    bool terminal = isatty(fileno(to));
    struct winsize size;

    style->utf8 = speaks_utf8();
    style->colour = terminal && !(no_color && *no_color) && !(term && !strcmp(term, "dumb"));
    style->width = WIDTH;
    if (columns && atoi(columns) > 0)
        style->width = (unsigned)atoi(columns);
    else if (terminal && !ioctl(fileno(to), TIOCGWINSZ, &size) && size.ws_col)
        style->width = size.ws_col;
    style->width = style->width > WIDTH_MAX ? WIDTH_MAX : style->width;
}

/* Columns that TEXT takes: characters, since what we print is a column each. */
static unsigned width_of(const char *text)
{
    unsigned width = 0;

    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

/* Four digits that matter. */
static void put_time(char *out, double ns, bool utf8)
{
    static const struct {
        double ns;
        const char *unit;
    } units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
    int i = 0, digits;
    double value;

    while (i < 3 && ns < units[i].ns * 0.99995)
        i++;
    value = ns / units[i].ns;
    digits = value < 9.9995 ? 3 : value < 99.995 ? 2 : value < 999.95 ? 1 : 0;
    snprintf(out, CELL, "%.*f %s", digits, value, i == 2 && utf8 ? "µs" : units[i].unit);
}

static void put_rate(char *out, double per_sec, const char *what)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P"};
    int i = 0;

    for (; per_sec >= 999.5 && i < 5; i++)
        per_sec /= 1000;
    snprintf(out, CELL, "%.*f %s%s/s", per_sec < 9.995 ? 2 : per_sec < 99.95 ? 1 : 0, per_sec, prefixes[i], what);
}

/* One cell, aligned; the escape codes take no room. Nothing when it would not fit. */
static bool put_cell(FILE *to, const struct rs_bench_style *style, unsigned *at, unsigned width, bool right,
                     const char *colour, const char *text)
{
    unsigned used = width_of(text), pad = used < width ? width - used : 0;

    if (*at + 2 + used + pad > style->width && *at)
        return false;
    fprintf(to, "%s%*s%s%s%s%*s", *at ? "  " : "", right ? (int)pad : 0, "", style->colour ? colour : "", text,
            style->colour && *colour ? PLAIN : "", right ? 0 : (int)pad, "");
    *at += (*at ? 2 : 0) + used + pad;
    return true;
}

enum { TIME_WIDTH = 9, RANGE_WIDTH = 24, SIGMA_WIDTH = 7, OUTLIERS_WIDTH = 8, CHANGE_WIDTH = 34 };

void rs_bench_table_head(FILE *to, const struct rs_bench_style *style)
{
    unsigned at = 0;
    bool more = put_cell(to, style, &at, style->name_width, false, DIM, "benchmark") &&
                put_cell(to, style, &at, TIME_WIDTH, true, DIM, "mean") &&
                put_cell(to, style, &at, RANGE_WIDTH, false, DIM, "95 % interval");

    if (more && style->compares)
        more = put_cell(to, style, &at, CHANGE_WIDTH, false, DIM, "against the baseline");
    more = more && put_cell(to, style, &at, TIME_WIDTH, true, DIM, "median") &&
           put_cell(to, style, &at, SIGMA_WIDTH, true, DIM, style->utf8 ? "σ" : "sigma") &&
           put_cell(to, style, &at, OUTLIERS_WIDTH, true, DIM, "outliers");
    putc('\n', to);
}

static const char *colour_of(const struct rs_bench_change *change)
{
    switch (change->verdict) {
    case RS_BENCH_IMPROVED:
        return GREEN;
    case RS_BENCH_REGRESSED:
        return RED;
    case RS_BENCH_INCONCLUSIVE:
        return YELLOW;
    default:
        return "";
    }
}

static bool put_change(FILE *to, const struct rs_bench_style *style, unsigned *at, const struct rs_bench_change *change)
{
    char text[CELL];

    if (!change)
        return put_cell(to, style, at, CHANGE_WIDTH, false, DIM, "new");
    snprintf(text, sizeof(text), "%+.1f %% [%+.1f, %+.1f] %s", 100 * (change->ratio - 1), 100 * (change->low - 1),
             100 * (change->high - 1), rs_bench_verdict_name(change->verdict));
    return put_cell(to, style, at, CHANGE_WIDTH, false, colour_of(change), text);
}

static void put_extras(FILE *to, const struct rs_bench_style *style, unsigned *at, const struct rs_bench_result *r)
{
    const struct rs_bench_counts *c = &r->counts;
    char text[CELL];
    bool more = true;

    if (c->bytes) {
        put_rate(text, rs_bench_per_sec(c->bytes, c, &r->summary), "B");
        more = put_cell(to, style, at, 0, false, "", text);
    }
    if (more && c->items) {
        put_rate(text, rs_bench_per_sec(c->items, c, &r->summary), " items");
        more = put_cell(to, style, at, 0, false, "", text);
    }
    if (more && c->alloc_blocks) {
        snprintf(text, sizeof(text), "%.4g B in %.3g allocs", (double)c->alloc_bytes / (double)c->iterations,
                 (double)c->alloc_blocks / (double)c->iterations);
        more = put_cell(to, style, at, 0, false, "", text);
    }
    if (more && c->processes > 1) {
        snprintf(text, sizeof(text), "processes %s%.1f %%", style->utf8 ? "±" : "+-",
                 100 * r->summary.process_stddev_ns / r->summary.median_ns);
        more = put_cell(to, style, at, 0, false, "", text);
    }
    if (more && c->flags & RS_BENCH_UNSETTLED)
        put_cell(to, style, at, 0, false, YELLOW, "did not settle");
}

void rs_bench_table_row(FILE *to, const struct rs_bench_style *style, const struct rs_bench_result *r,
                        const struct rs_bench_change *change)
{
    const struct rs_bench_summary *s = &r->summary;
    char low[CELL], high[CELL], text[2 * CELL + 8];
    unsigned at = 0, outliers;
    bool more = put_cell(to, style, &at, style->name_width, false, BOLD, r->name);

    if (r->refusal) {
        fprintf(to, "  %s%s%s\n", style->colour ? RED : "", r->refusal, style->colour ? PLAIN : "");
        return;
    }
    put_time(text, s->mean_ns, style->utf8);
    more = more && put_cell(to, style, &at, TIME_WIDTH, true, BOLD, text);
    put_time(low, s->mean_low_ns, style->utf8);
    put_time(high, s->mean_high_ns, style->utf8);
    snprintf(text, sizeof(text), "[%s, %s]", low, high);
    more = more && put_cell(to, style, &at, RANGE_WIDTH, false, DIM, text);
    if (more && style->compares)
        more = put_change(to, style, &at, change);
    put_time(text, s->median_ns, style->utf8);
    more = more && put_cell(to, style, &at, TIME_WIDTH, true, "", text);
    snprintf(text, sizeof(text), "%.1f %%", s->mean_ns > 0 ? 100 * s->stddev_ns / s->mean_ns : 0);
    more = more && put_cell(to, style, &at, SIGMA_WIDTH, true, "", text);
    outliers = s->low_mild + s->low_severe + s->high_mild + s->high_severe;
    snprintf(text, sizeof(text), "%u/%u", outliers, r->counts.samples);
    more = more && put_cell(to, style, &at, OUTLIERS_WIDTH, true, s->high_severe + s->low_severe ? YELLOW : "", text);
    if (more)
        put_extras(to, style, &at, r);
    putc('\n', to);
    fflush(to);
}

void rs_bench_table_growth(FILE *to, const struct rs_bench_style *style, const struct rs_bench_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct rs_bench_result *r = &list->results[i];
        struct rs_bench_fit fit;
        bool seen = false;
        char text[CELL];

        for (size_t k = 0; k < i && !seen; k++)
            seen = !strcmp(list->results[k].family, r->family) && list->results[k].counts.threads == r->counts.threads;
        if (seen || !rs_bench_family_fit(list, r->family, r->counts.threads, &fit))
            continue;
        put_time(text, fit.coefficient_ns, style->utf8);
        fprintf(to, "%s grows as %s: %s", r->family, rs_bench_order_name(fit.order), text);
        if (fit.order)
            fprintf(to, " x %s", rs_bench_order_name(fit.order));
        if (r->counts.threads > 1)
            fprintf(to, " (%u threads)", r->counts.threads);
        fprintf(to, ", off by %.0f %% (RMS)\n", 100 * fit.rms);
    }
}
