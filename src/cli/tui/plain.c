/* SPDX-License-Identifier: MIT */
#include "tui/plain.h"

#include <stdio.h>

#include "text/format.h"

void plain_event(struct plain *plain, const struct session *s, uint32_t event)
{
    const struct session_event *e = &s->events[event];
    char text[200];

    if (plain->said > PLAIN_LINES)
        return;
    if (plain->said++ == PLAIN_LINES) {
        fputs("rustscope: more spikes: see the report\n", stderr);
        return;
    }
    fmt_fit(text, sizeof(text), strings_get(&s->strings, e->location), 90, fmt_locale_charset());
    fprintf(stderr, "rustscope: %s %s\n", fmt_clock((double)e->start_ns / 1e9).s, text);
}
