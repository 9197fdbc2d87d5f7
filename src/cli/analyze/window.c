/* SPDX-License-Identifier: MIT */
#include "analyze/window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

double window_share(const struct rows *rows, uint32_t number, const struct time_window *window)
{
    uint64_t begin = (uint64_t)number * rows->interval_ns, end = begin + rows->interval_ns;
    uint64_t from = begin > window->from_ns ? begin : window->from_ns;
    uint64_t to = end < window->to_ns ? end : window->to_ns;

    return to > from ? (double)(to - from) / (double)rows->interval_ns : 0;
}

void window_mark_ours(const struct session *s, bool *is_ours)
{
    const struct calltree *tree = &s->tree;

    for (size_t i = 0; i < tree->node_count; i++) {
        enum layer layer = tree->frames[tree->nodes[i].frame].layer;
        int32_t parent = tree->nodes[i].parent;

        if (layer == LAYER_PROFILER)
            is_ours[i] = true;
        else if (layer == LAYER_KERNEL || layer == LAYER_STD)
            is_ours[i] = parent >= 0 && is_ours[parent];
    }
}

static int parse_bound(const struct session *s, const char *text, size_t len, uint64_t *at_ns, struct rs_err *err)
{
    char *copy = xmemdup0(text, len), *end;
    double seconds = strtod(copy, &end);
    int rc = 0;

    if (end != copy && !*end && seconds >= 0 && seconds < 1e9) {
        *at_ns = (uint64_t)(seconds * 1e9);
        goto out;
    }
    rc = -EINVAL;
    for (size_t i = 0; i < s->event_count && rc; i++)
        if (s->events[i].type == EVENT_MARK && !strcmp(strings_get(&s->strings, s->events[i].location), copy)) {
            *at_ns = s->events[i].start_ns;
            rc = 0;
        }
    if (rc)
        rs_err_set(err, rc, "--window: \"%s\" is neither seconds nor a mark of this session", copy);
out:
    free(copy);
    return rc;
}

int time_window_parse(const struct session *s, const char *text, struct time_window *window, struct rs_err *err)
{
    const char *dots = strstr(text, "..");
    int rc = 0;

    *window = (struct time_window){0, UINT64_MAX};
    if (!dots)
        return rs_err_set(err, -EINVAL, "--window takes FROM..TO, seconds or mark names, not \"%s\"", text);
    if (dots != text)
        rc = parse_bound(s, text, (size_t)(dots - text), &window->from_ns, err);
    if (!rc && dots[2])
        rc = parse_bound(s, dots + 2, strlen(dots + 2), &window->to_ns, err);
    if (!rc && window->to_ns <= window->from_ns)
        rc = rs_err_set(err, -EINVAL, "--window %s is empty", text);
    return rc;
}
