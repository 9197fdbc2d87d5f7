/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/compare_report.h"
#include "report/compare_words.h"

/* TEXT so that Markdown and HTML take it as text: names hold <, |, *, _ and back-ticks. One line. */
static void put_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '<' || *text == '>' || *text == '&') {
            fputs(*text == '<' ? "&lt;" : *text == '>' ? "&gt;" : "&amp;", out);
            continue;
        }
        if (strchr("\\`*_{}[]|~@#", *text))
            putc('\\', out);
        putc((unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text, out);
    }
}

static const char *mark_of(enum gate_verdict verdict)
{
    static const char *const marks[] = {"🔴 regressed", "🟢 improved", "🟡 unsure",   "unchanged",
                                        "new",         "gone",          "not comparable"};

    return marks[verdict];
}

static void put_rows(FILE *out, const struct comparison *c, bool headline, size_t top)
{
    size_t shown = 0, more = 0;
    char text[400];

    for (size_t i = 0; i < c->order_count; i++) {
        const struct figure *f = c->order[i];

        if (f->headline != headline || (!headline && (f->verdict == GATE_UNCHANGED || f->verdict == GATE_UNSURE ||
                                                      f->verdict == GATE_NOT_COMPARABLE)))
            continue;
        if (shown >= top) {
            more++;
            continue;
        }
        if (!shown++)
            fputs("| figure | base | new | change | 95 % interval | verdict |\n| --- | ---: | ---: | ---: | ---: | --- "
                  "|\n",
                  out);
        compare_title(f, text, sizeof(text));
        fputs("| ", out);
        put_text(out, text);
        fprintf(out, " | %s | %s | %s | %s | %s", compare_value(f, f->base).s, compare_value(f, f->next).s,
                compare_change(f).s, compare_interval(f).s, mark_of(f->verdict));
        compare_remedy(c, f, text, sizeof(text));
        if (*text)
            fputs(": ", out);
        put_text(out, text);
        fputs(" |\n", out);
    }
    if (more)
        fprintf(out, "\nand %zu more\n", more);
    if (shown)
        putc('\n', out);
}

static void put_blame(FILE *out, const struct blame *blame, size_t top)
{
    char title[64];

    compare_title(blame->total, title, sizeof(title));
    fprintf(out,
            "**Who did it**: %s %s, of which these explain %s\n\n| change a run | share | |\n| ---: | ---: | --- |\n",
            title, compare_signed(blame->total, blame->total->next - blame->total->base).s,
            compare_signed(blame->total, blame->explained).s);
    for (size_t i = 0; i < blame->count && i < top; i++) {
        const struct figure *f = blame->list[i].figure;
        double change = blame->list[i].change;

        fprintf(out, "| %s", compare_signed(f, change).s);
        if (!isnan(f->error))
            fprintf(out, " ± %s", compare_value(f, f->error).s);
        fprintf(out, " | %s | ", fmt_pct(100 * blame->list[i].share).s);
        put_text(out, compare_subject(f));
        fputs(" |\n", out);
    }
    putc('\n', out);
}

void compare_markdown(FILE *out, const struct comparison *c, size_t top)
{
    char sentence[1000];

    compare_sentence(c, sentence, sizeof(sentence));
    fputs("**RustScope**: ", out);
    put_text(out, sentence);
    fputs("\n\n", out);
    for (size_t i = 1; i < c->unfit_count; i++) {
        fputs("- ", out);
        put_text(out, c->unfit[i]);
        putc('\n', out);
    }
    put_rows(out, c, true, top);
    for (size_t i = 0; i < c->blame_count; i++)
        put_blame(out, &c->blames[i], top);
    fputs("<details><summary>Functions and allocation paths that changed</summary>\n\n", out);
    put_rows(out, c, false, top);
    for (size_t i = 0; i < c->move_count && i < top; i++) {
        fputs("- renamed or moved, as it seems: ", out);
        put_text(out, compare_subject(c->moves[i].gone));
        fputs(" → ", out);
        put_text(out, compare_subject(c->moves[i].come));
        putc('\n', out);
    }
    fputs("\n</details>\n\n", out);
    for (size_t i = 0; i < c->note_count; i++) {
        fputs("- ", out);
        put_text(out, c->notes[i]);
        putc('\n', out);
    }
    fprintf(out, "%s<sub>%zu and %zu runs%s; thresholds %.3g %% (counts and sizes %.3g %%)</sub>\n",
            c->note_count ? "\n" : "", c->set.runs[ARM_BASE], c->set.runs[ARM_NEXT],
            c->options.limits.paired ? ", in turns" : "", 100 * c->options.limits.threshold,
            100 * c->options.limits.exact_threshold);
}
