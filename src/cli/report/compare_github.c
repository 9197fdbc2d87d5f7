/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "report/compare_report.h"
#include "report/compare_words.h"

enum { MOST_ANNOTATIONS = 10 }; /* of each kind GitHub shows no more of a step */

/* A workflow command's message: % and line ends are escaped; in a property , and : too. */
static void put_escaped(FILE *out, const char *text, bool property)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '%' || c < 0x20 || (property && (c == ':' || c == ',')))
            fprintf(out, "%%%02X", c);
        else
            putc(c, out);
    }
}

static void annotate(FILE *out, const char *level, const char *title, const char *message)
{
    fprintf(out, "::%s title=", level);
    put_escaped(out, title, true);
    fputs("::", out);
    put_escaped(out, message, false);
    putc('\n', out);
}

void compare_github(FILE *out, const struct comparison *c)
{
    char message[1000], title[400];
    size_t said = 0;

    compare_sentence(c, message, sizeof(message));
    annotate(out, comparison_status(c) ? "error" : "notice", "RustScope", message);
    for (size_t i = 1; i < c->unfit_count; i++)
        annotate(out, "error", "RustScope", c->unfit[i]);
    for (size_t i = 0; i < c->order_count && said < MOST_ANNOTATIONS; i++) {
        const struct figure *f = c->order[i];
        char difference[64];

        if (f->verdict != GATE_REGRESSED)
            continue;
        compare_title(f, title, sizeof(title));
        compare_difference(f, f->next - f->base, difference, sizeof(difference));
        snprintf(message, sizeof(message), "%s: %s to %s (%s, 95 %% interval %s), %s a run",
                 gate_verdict_name(f->verdict), compare_value(f, f->base).s, compare_value(f, f->next).s,
                 compare_change(f).s, compare_interval(f).s, difference);
        annotate(out, comparison_fails(c, f) ? "error" : "warning", title, message);
        said++;
    }
}
