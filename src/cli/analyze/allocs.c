/* SPDX-License-Identifier: MIT */
#include "analyze/allocs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { TOP_PATHS = 5, PATH_FRAMES = 3, LINE_MAX_BYTES = 1024 };

/* ---- spikes ---- */

struct net {
    uint32_t node;
    int64_t bytes;
};

static int by_node(const void *a, const void *b)
{
    const struct net *x = a, *y = b;

    return x->node < y->node ? -1 : x->node > y->node;
}

static int by_bytes(const void *a, const void *b)
{
    const struct net *x = a, *y = b;

    return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : by_node(a, b);
}

static const char *frame_name(const struct session *s, int32_t node)
{
    const struct frame *f = &s->tree.frames[s->tree.nodes[node].frame];

    if (f->func)
        return strings_get(&s->strings, f->func);
    return f->object >= 0 ? strings_get(&s->strings, s->tree.modules[f->object].name) : "[unknown]";
}

/* "createObject ← setCommand ← call", from the inside; allocator functions are passed over. */
static string_id path_name(struct session *s, int32_t node)
{
    char text[LINE_MAX_BYTES] = "";
    size_t len = 0;
    int shown = 0;

    for (; node >= 0 && shown < PATH_FRAMES; node = s->tree.nodes[node].parent) {
        if (!shown && s->tree.frames[s->tree.nodes[node].frame].layer == LAYER_ALLOC && s->tree.nodes[node].parent >= 0)
            continue;
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", shown++ ? " ← " : "", frame_name(s, node));
        if (len >= sizeof(text))
            return strings_add(&s->strings, text, sizeof(text) - 1);
    }
    return strings_add(&s->strings, text, len);
}

/*
 * What a row says of EVENT's growth. An episode ends where memory was highest: what the bucket of its end freed on
 * balance was freed after it, but for the share of the bucket that lies before.
 */
static int64_t net_of(const struct rows *rows, size_t row, const struct session_event *event)
{
    uint64_t begin_ns = (uint64_t)rows->bucket[row] * rows->interval_ns;
    int64_t net = rows->value[ALLOC_ROW_NET_BYTES][row];

    if (net >= 0 || event->end_ns >= begin_ns + rows->interval_ns)
        return net;
    return (int64_t)((double)net * (double)(event->end_ns - begin_ns) / (double)rows->interval_ns);
}

/*
 * Net bytes of each node in the buckets that EVENT touches, of its process, merged; returns how many. NETS has room for
 * all rows.
 */
static size_t nets_of(const struct session *s, const struct session_event *event, struct net *nets)
{
    const struct rows *rows = &s->alloc_rows;
    uint64_t first = event->start_ns / rows->interval_ns, last = event->end_ns / rows->interval_ns;
    size_t count = 0, merged = 0;

    for (size_t i = 0; i < rows->count; i++)
        if (rows->bucket[i] >= first && rows->bucket[i] <= last && session_row_of_process(s, rows, i, event->process))
            nets[count++] = (struct net){rows->key[i], net_of(rows, i, event)};
    qsort(nets, count, sizeof(*nets), by_node);
    for (size_t i = 0; i < count; i++) {
        if (merged && nets[merged - 1].node == nets[i].node)
            nets[merged - 1].bytes += nets[i].bytes;
        else
            nets[merged++] = nets[i];
    }
    qsort(nets, merged, sizeof(*nets), by_bytes);
    return merged;
}

static void explain_spike(struct session *s, struct session_event *event, struct net *nets)
{
    size_t count = nets_of(s, event, nets);

    if (event->allocation_count)
        return;
    event->allocations = xcalloc(TOP_PATHS, sizeof(*event->allocations));
    for (size_t i = 0; i < count && i < TOP_PATHS && nets[i].bytes > 0; i++)
        event->allocations[event->allocation_count++] = (struct event_allocation){
            .node = (int32_t)nets[i].node, .path = path_name(s, (int32_t)nets[i].node), .bytes = nets[i].bytes};
}

/* ---- suppressions ---- */

/* Once a process, kept for its life, by code that the program's author did not write. */
static const char *const known[] = {
    "_dl_allocate_tls",
    "_dl_new_object",
    "_dl_map_object",
    "_nl_intern_locale_data",
    "_nl_make_l10nflist",
    "_IO_file_doallocate",
    "__gconv_open",
    "init_emergency_pool",
    "eh_alloc.cc",
    "pool::pool",
    "_dlfo_mappings_segment_allocate",
};

bool allocs_pattern_matches(const char *pattern, const char *text)
{
    bool at_start = *pattern == '^';
    size_t len;

    pattern += at_start;
    for (;; at_start = false) {
        const char *found;
        char part[LINE_MAX_BYTES];

        while (*pattern == '*') {
            pattern++;
            at_start = false;
        }
        if (!*pattern)
            return true;
        if (*pattern == '$' && !pattern[1])
            return !*text || !at_start;
        len = strcspn(pattern, "*");
        snprintf(part, sizeof(part), "%.*s", (int)len, pattern);
        if (len && len < sizeof(part) && !pattern[len] && part[len - 1] == '$') {
            size_t tail = len - 1, text_len = strlen(text);

            return text_len >= tail && !memcmp(text + text_len - tail, part, tail) && (!at_start || text_len == tail);
        }
        found = strstr(text, part);
        if (!found || (at_start && found != text))
            return false;
        text = found + len;
        pattern += len;
    }
}

struct patterns {
    char **text;
    size_t count, cap;
};

/* "leak:PATTERN" lines; others, and what follows a #, are not for us. */
static void read_patterns(struct session *s, struct patterns *patterns)
{
    const char *path = strings_get(&s->strings, s->allocations.suppress_file);
    char line[LINE_MAX_BYTES];
    FILE *file;

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        GROW(patterns->text, patterns->count + 1, patterns->cap);
        patterns->text[patterns->count++] = xstrdup(known[i]);
    }
    if (!*path)
        return;
    file = fopen(path, "re");
    if (!file) {
        session_warn(s, "cannot read suppressions from %s: %s", path, strerror(errno));
        return;
    }
    while (fgets(line, sizeof(line), file)) {
        line[strcspn(line, "#\r\n")] = '\0';
        if (strncmp(line, "leak:", 5) || !line[5])
            continue;
        GROW(patterns->text, patterns->count + 1, patterns->cap);
        patterns->text[patterns->count++] = xstrdup(line + 5);
    }
    fclose(file);
}

/* A frame's function, file or module may be named. */
static bool frame_matches(const struct session *s, int32_t node, const char *pattern)
{
    const struct frame *f = &s->tree.frames[s->tree.nodes[node].frame];

    return (f->func && allocs_pattern_matches(pattern, strings_get(&s->strings, f->func))) ||
           (f->file && allocs_pattern_matches(pattern, strings_get(&s->strings, f->file))) ||
           (f->object >= 0 &&
            allocs_pattern_matches(pattern, strings_get(&s->strings, s->tree.modules[f->object].path)));
}

static uint64_t less(uint64_t from, uint64_t by)
{
    return from > by ? from - by : 0;
}

/* What is suppressed stays in the list, marked, and is in no total. */
static void set_apart(struct session *s, struct leak *leak)
{
    struct allocations *a = &s->allocations;
    struct process *p = leak->process < s->process_count ? &s->processes[leak->process] : NULL;

    leak->suppressed = true;
    a->leaked_bytes = less(a->leaked_bytes, leak->bytes);
    a->leaked_count = less(a->leaked_count, leak->count);
    if (!p)
        return;
    p->leaked_bytes = less(p->leaked_bytes, leak->bytes);
    p->leaked_allocations = less(p->leaked_allocations, leak->count);
}

static void suppress_leaks(struct session *s)
{
    struct patterns patterns = {0};

    read_patterns(s, &patterns);
    for (size_t i = 0; i < s->allocations.leak_count; i++) {
        struct leak *leak = &s->allocations.leaks[i];

        for (int32_t node = leak->node; node >= 0 && !leak->suppressed; node = s->tree.nodes[node].parent)
            for (size_t p = 0; p < patterns.count && !leak->suppressed; p++)
                if (frame_matches(s, node, patterns.text[p]))
                    set_apart(s, leak);
    }
    for (size_t i = 0; i < patterns.count; i++)
        free(patterns.text[i]);
    free(patterns.text);
}

void allocs_analyze(struct session *s)
{
    struct net *nets;

    if (!s->allocations.measured)
        return;
    rows_compact(&s->alloc_rows);
    nets = xcalloc(s->alloc_rows.count + 1, sizeof(*nets));
    for (size_t i = 0; i < s->event_count; i++)
        if (s->events[i].type == EVENT_MEMORY_SPIKE)
            explain_spike(s, &s->events[i], nets);
    free(nets);
    suppress_leaks(s);
}
