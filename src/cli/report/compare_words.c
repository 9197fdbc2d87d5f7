/* SPDX-License-Identifier: MIT */
#include "report/compare_words.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *metric, *total, *part; /* as a total, and behind a subject */
} titles[] = {
    {"wall", "wall time", "wall time"},
    {"cpu", "CPU time", "CPU time"},
    {"heap_peak", "peak heap", "bytes at the peak"},
    {"anon_peak", "peak anonymous memory", ""},
    {"rss_peak", "peak RSS", ""},
    {"fd_peak", "open descriptors", ""},
    {"spikes", "spikes", ""},
    {"allocations", "allocations", "allocations"},
    {"alloc_bytes", "allocated bytes", "allocated bytes"},
    {"leaked_bytes", "leaked bytes", "leaked bytes"},
    {"self_cpu", "", "own CPU"},
    {"total_cpu", "", "CPU with callees"},
    {"mean", "", "mean"},
    {"p95", "", "p95"},
    {"p99", "", "p99"},
    {"calls", "", "calls"},
    {"time", "", "time"},
    {"busy", "", "busy"},
    {"scheduled", "", "waiting to run"},
    {"started", "", "started"},
    {"polls", "", "polls"},
};

static const char *words_of(const struct figure *f)
{
    for (size_t i = 0; i < sizeof(titles) / sizeof(*titles); i++)
        if (!strcmp(titles[i].metric, f->metric))
            return f->kind == FIGURE_TOTAL ? titles[i].total : titles[i].part;
    return f->metric;
}

const char *compare_subject(const struct figure *f)
{
    if (f->kind == FIGURE_TOTAL)
        return words_of(f);
    if (f->label && *f->label)
        return f->label;
    return *f->name ? f->name : "[unknown]";
}

void compare_title(const struct figure *f, char *out, size_t cap)
{
    if (f->kind == FIGURE_TOTAL)
        snprintf(out, cap, "%s", words_of(f));
    else
        snprintf(out, cap, "%.300s, %s", compare_subject(f), words_of(f));
}

struct fmt compare_value(const struct figure *f, double value)
{
    if (value == 0)
        return (struct fmt){"0"};
    return f->unit == UNIT_NS ? fmt_time_ns(value) : f->unit == UNIT_BYTES ? fmt_bytes(value) : fmt_si(value, "");
}

struct fmt compare_signed(const struct figure *f, double value)
{
    struct fmt size = compare_value(f, fabs(value)), text;

    if (!isfinite(value))
        return size;
    snprintf(text.s, sizeof(text.s), "%c%.30s", value < 0 ? '-' : '+', size.s);
    return text;
}

struct fmt compare_change(const struct figure *f)
{
    struct fmt text = {"-"};

    if (isfinite(f->ratio) && f->ratio >= 5)
        snprintf(text.s, sizeof(text.s), "×%.20s", fmt_si(f->ratio, "").s);
    else if (isfinite(f->ratio))
        snprintf(text.s, sizeof(text.s), "%+.1f %%", 100 * (f->ratio - 1));
    else if (f->base == 0 && f->next > 0)
        snprintf(text.s, sizeof(text.s), "from 0");
    return text;
}

struct fmt compare_interval(const struct figure *f)
{
    struct fmt text = {"-"};

    if (isfinite(f->low) && isfinite(f->high) && f->high < 10)
        snprintf(text.s, sizeof(text.s), "%+.1f to %+.1f %%", 100 * (f->low - 1), 100 * (f->high - 1));
    else if (isfinite(f->low) && f->high >= 10)
        snprintf(text.s, sizeof(text.s), "%+.1f %% and up", 100 * (f->low - 1));
    return text;
}

void compare_difference(const struct figure *f, double change, char *out, size_t cap)
{
    snprintf(out, cap, "%s %s", compare_value(f, fabs(change)).s, change < 0 ? "less" : "more");
}

/* ---- the sentence ---- */

struct sentence {
    char *out;
    size_t cap, len;
};

static void add(struct sentence *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct sentence *s, const char *format, ...)
{
    va_list args;
    int written;

    va_start(args, format);
    written = vsnprintf(s->out + s->len, s->cap - s->len, format, args);
    va_end(args);
    s->len += written < 0 ? 0 : (size_t)written < s->cap - s->len ? (size_t)written : s->cap - s->len - 1;
}

struct tally {
    size_t of[GATE_VERDICTS];
};

static struct tally count_headlines(const struct comparison *c)
{
    struct tally tally = {{0}};

    for (size_t i = 0; i < c->order_count; i++)
        if (c->order[i]->headline)
            tally.of[c->order[i]->verdict]++;
    return tally;
}

static void add_change(struct sentence *s, const struct figure *f)
{
    bool more = f->verdict == GATE_REGRESSED;
    double low = more ? f->low - 1 : 1 - f->high, high = more ? f->high - 1 : 1 - f->low;
    char change[64];

    if (isfinite(f->ratio))
        snprintf(change, sizeof(change), "%.1f %%", 100 * fabs(f->ratio - 1));
    else
        snprintf(change, sizeof(change), "%s", compare_value(f, f->next).s);
    if (f->kind == FIGURE_TOTAL && !strcmp(f->metric, "wall"))
        add(s, "NEW is %s %s", change, more ? "slower" : "faster");
    else if (f->kind == FIGURE_TOTAL && f->unit == UNIT_NS)
        add(s, "NEW takes %s %s %s", change, more ? "more" : "less", words_of(f));
    else if (f->kind == FIGURE_TOTAL)
        add(s, "NEW has %s %s %s", change, more ? "more" : f->unit == UNIT_COUNT ? "fewer" : "less", words_of(f));
    else
        add(s, "%.200s (%s) takes %s %s", compare_subject(f), words_of(f), change, more ? "more" : "less");
    if (isfinite(low) && isfinite(high))
        add(s, " (%.1f to %.1f %%)", 100 * low, 100 * high);
}

static const struct blame *blame_of(const struct comparison *c, const struct figure *total)
{
    for (size_t i = 0; i < c->blame_count; i++)
        if (c->blames[i].total == total)
            return &c->blames[i];
    return NULL;
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static void add_rest(struct sentence *s, const struct tally *tally, bool some_changed)
{
    size_t changed = tally->of[GATE_REGRESSED] + tally->of[GATE_IMPROVED] - (some_changed ? 1 : 0);
    size_t open = tally->of[GATE_UNSURE] + tally->of[GATE_NOT_COMPARABLE];

    if (changed)
        add(s, "; %zu other figure%s changed", changed, plural(changed));
    if (open)
        add(s, "; %zu could not be decided", open);
    if (!changed && !open && tally->of[GATE_UNCHANGED])
        add(s, "; everything else is within its noise");
    add(s, ".");
}

void compare_sentence(const struct comparison *c, char *out, size_t cap)
{
    const struct figure *f = comparison_headline(c);
    struct sentence s = {out, cap, 0};
    struct tally tally = count_headlines(c);
    const struct blame *blame;
    char difference[64];

    out[0] = '\0';
    if (c->unfit_count) {
        add(&s, "Not comparable: %s", c->unfit[0]);
        return;
    }
    if (!f) {
        if (!tally.of[GATE_UNCHANGED]) {
            add(&s, "Nothing could be decided: %zu figure%s unsure, %zu not comparable.", tally.of[GATE_UNSURE],
                plural(tally.of[GATE_UNSURE]), tally.of[GATE_NOT_COMPARABLE]);
            return;
        }
        add(&s, "Nothing regressed: %zu figure%s unchanged", tally.of[GATE_UNCHANGED],
            plural(tally.of[GATE_UNCHANGED]));
        if (tally.of[GATE_UNSURE] + tally.of[GATE_NOT_COMPARABLE])
            add(&s, ", %zu could not be decided", tally.of[GATE_UNSURE] + tally.of[GATE_NOT_COMPARABLE]);
        add(&s, ".");
        return;
    }
    add_change(&s, f);
    blame = blame_of(c, f);
    if (blame) {
        compare_difference(blame->list[0].figure, blame->list[0].change, difference, sizeof(difference));
        add(&s, ": %.200s %s %s a run", compare_subject(blame->list[0].figure),
            blame->list[0].figure->kind == FIGURE_FUNCTION ? "costs" : "makes", difference);
    }
    add_rest(&s, &tally, true);
}

void compare_remedy(const struct comparison *c, const struct figure *f, char *out, size_t cap)
{
    size_t base = c->set.runs[ARM_BASE], next = c->set.runs[ARM_NEXT];

    out[0] = '\0';
    if (f->verdict == GATE_UNSURE && (base < 2 || next < 2))
        snprintf(out, cap, "%s: 10 are a good start", f->reason ? f->reason : "too few runs");
    else if (f->verdict == GATE_UNSURE && f->reason)
        snprintf(out, cap, "%s", f->reason);
    else if (f->verdict == GATE_UNSURE && f->runs_needed)
        snprintf(out, cap, "%u runs a side would settle it", f->runs_needed);
    else if (f->verdict == GATE_UNSURE)
        snprintf(out, cap, "more runs would settle it");
    else if (f->verdict == GATE_UNCHANGED && f->reason && f->base != f->next)
        snprintf(out, cap, "%s", f->reason);
    else if (f->verdict == GATE_NOT_COMPARABLE)
        snprintf(out, cap, "%s", f->reason ? f->reason : "not measured");
}
