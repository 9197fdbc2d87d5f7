/* SPDX-License-Identifier: MIT */
#include "convert/export.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

static const char *const folded_endings[] = {".folded", ".collapsed", NULL};
static const char *const speedscope_endings[] = {".speedscope.json", ".speedscope", NULL};
static const char *const pprof_endings[] = {".pb.gz", ".pprof", NULL};
static const char *const callgrind_endings[] = {".callgrind", NULL};

static const char *const csv_endings[] = {".csv", NULL};
static const char *const ndjson_endings[] = {".ndjson", ".jsonl", NULL};

static const struct export_format formats[] = {
    {"folded", folded_endings, false, false, export_folded},
    {"speedscope", speedscope_endings, false, false, export_speedscope},
    {"pprof", pprof_endings, false, true, export_pprof},
    {"callgrind", callgrind_endings, false, false, export_callgrind},
    {"csv", csv_endings, false, false, export_csv},
    {"ndjson", ndjson_endings, true, false, export_ndjson},
};
enum { FORMATS = sizeof(formats) / sizeof(*formats) };

const struct export_format *export_format(size_t index)
{
    return index < FORMATS ? &formats[index] : NULL;
}

const struct export_format *export_format_named(const char *name)
{
    for (size_t i = 0; i < FORMATS; i++)
        if (!strcmp(formats[i].name, name))
            return &formats[i];
    return NULL;
}

const struct export_format *export_format_of_path(const char *path)
{
    for (size_t i = 0; i < FORMATS; i++)
        for (const char *const *ending = formats[i].endings; *ending; ending++)
            if (text_ends_with(path, *ending))
                return &formats[i];
    return NULL;
}

const char *export_unit(enum answer_metric metric)
{
    return answer_metric_is_time(metric) ? "microseconds" : metric == ANSWER_COUNT ? "count" : "bytes";
}

/* ---- names ---- */

/* Functions beyond those of the session. */
enum { OTHER_CODE, OTHER_SAMPLES };

const char *export_name(struct export *x, uint32_t function, size_t *len)
{
    static char address[300];
    const struct frame *frame;

    if (function >= x->functions.count) {
        const char *name = function - x->functions.count == OTHER_CODE ? "[other code]" : "[other]";

        *len = strlen(name);
        return name;
    }
    frame = &x->s->tree.frames[x->functions.frame[function]];
    if (frame->func) {
        *len = strings_len(&x->s->strings, frame->func);
        return strings_get(&x->s->strings, frame->func);
    }
    snprintf(address, sizeof(address), "%s+0x%llx",
             frame->object >= 0 ? strings_get(&x->s->strings, x->s->tree.modules[frame->object].name) : "[unknown]",
             (unsigned long long)frame->addr);
    *len = strlen(address);
    return address;
}

const char *export_file(const struct export *x, uint32_t function)
{
    if (function >= x->functions.count)
        return "";
    return strings_get(&x->s->strings, x->s->tree.frames[x->functions.frame[function]].file);
}

void export_thread_name(const struct export *x, int64_t thread, char *out, size_t cap)
{
    const struct thread *t;

    if (thread < 0) {
        snprintf(out, cap, "all threads");
        return;
    }
    t = &x->s->threads[thread];
    snprintf(out, cap, "%s (%d/%d)", strings_get(&x->s->strings, t->name), x->s->processes[t->process].pid, t->tid);
}

/* ---- the tree of functions ---- */

static uint64_t length_of(const struct session *s, const struct time_window *window)
{
    uint64_t to = window->to_ns < s->duration_ns ? window->to_ns : s->duration_ns;

    return to > window->from_ns ? to - window->from_ns : 0;
}

static int32_t child_of(struct export *x, int32_t parent, uint32_t function)
{
    return calltree_child(&x->tree, parent, function);
}

/* By node of the session: its node of the export. A parent stands before its children. */
static int32_t *build_tree(struct export *x, bool only_my_code)
{
    const struct calltree *from = &x->s->tree;
    int32_t *node_of = xcalloc(from->node_count + 1, sizeof(*node_of));

    calltree_init(&x->tree, from->node_count + 2);
    for (size_t i = 0; i < from->node_count; i++) {
        int32_t parent = from->nodes[i].parent;
        uint32_t frame = from->nodes[i].frame;

        node_of[i] = parent < 0 ? EXPORT_NO_NODE : node_of[parent];
        if (!only_my_code || from->frames[frame].layer == LAYER_USER)
            node_of[i] = child_of(x, node_of[i], x->functions.of_frame[frame]);
    }
    return node_of;
}

static int by_thread_node_and_time(const void *a, const void *b)
{
    const struct export_sample *x = a, *y = b;

    if (x->thread != y->thread)
        return x->thread < y->thread ? -1 : 1;
    if (x->node != y->node)
        return x->node < y->node ? -1 : 1;
    return x->at_ns < y->at_ns ? -1 : x->at_ns > y->at_ns;
}

static int heaviest_first(const void *a, const void *b)
{
    const struct export_sample *x = a, *y = b;

    return x->amount != y->amount ? (x->amount > y->amount ? -1 : 1) : by_thread_node_and_time(a, b);
}

static void merge_equal(struct export *x)
{
    size_t to = 0;

    qsort(x->samples, x->sample_count, sizeof(*x->samples), by_thread_node_and_time);
    for (size_t i = 0; i < x->sample_count; i++) {
        if (to && !by_thread_node_and_time(&x->samples[to - 1], &x->samples[i])) {
            x->samples[to - 1].amount += x->samples[i].amount;
            x->samples[to - 1].count += x->samples[i].count;
        } else {
            x->samples[to++] = x->samples[i];
        }
    }
    x->sample_count = to;
}

static void fold_lightest(struct export *x, size_t most)
{
    struct export_sample other = {.thread = ANSWER_NO_THREAD, .at_ns = ANSWER_NO_TIME};

    if (!most || x->sample_count <= most)
        return;
    qsort(x->samples, x->sample_count, sizeof(*x->samples), heaviest_first);
    for (size_t i = most - 1; i < x->sample_count; i++) {
        other.amount += x->samples[i].amount;
        other.count += x->samples[i].count;
    }
    other.node = child_of(x, EXPORT_NO_NODE, (uint32_t)x->functions.count + OTHER_SAMPLES);
    x->folded = x->sample_count - (most - 1);
    x->samples[most - 1] = other;
    x->sample_count = most;
    merge_equal(x);
}

static int lacks_metric(const struct session *s, enum answer_metric metric, struct rs_err *err)
{
    char list[128] = "";

    for (unsigned i = 0; answer_metric_name(i); i++) {
        size_t len = strlen(list);

        if (answer_metric_is_measured(s, (enum answer_metric)i))
            snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "", answer_metric_name(i));
    }
    if (!*list)
        return rs_err_set(err, -ENODATA, "this session has no call paths of any metric: nothing can be exported");
    return rs_err_set(err, -ENODATA, "this session has no %s; it has: %s", answer_metric_name(metric), list);
}

int export_prepare(struct session *s, const struct question *q, size_t max_samples, bool by_time, struct export *x,
                   struct rs_err *err)
{
    struct answer_sample *samples;
    int32_t *node_of;
    size_t count;

    *x = (struct export){
        .s = s, .question = q, .metric = q->metric, .meta = &s->meta, .window_ns = length_of(s, &q->window)};
    if (!answer_metric_is_measured(s, q->metric))
        return lacks_metric(s, q->metric, err);
    samples = answer_samples(s, q, &count, err);
    if (!samples)
        return -EINVAL;
    answer_functions_init(&x->functions, &s->tree);
    node_of = build_tree(x, q->only_my_code);
    x->samples = xcalloc(count + 1, sizeof(*x->samples));
    for (size_t i = 0; i < count; i++) {
        int32_t node = node_of[samples[i].node];

        if (!samples[i].amount)
            continue;
        if (node == EXPORT_NO_NODE)
            node = child_of(x, EXPORT_NO_NODE, (uint32_t)x->functions.count + OTHER_CODE);
        x->samples[x->sample_count++] = (struct export_sample){.node = node,
                                                               .thread = samples[i].thread,
                                                               .at_ns = by_time ? samples[i].at_ns : ANSWER_NO_TIME,
                                                               .amount = samples[i].amount,
                                                               .count = samples[i].count};
        x->total += samples[i].amount;
    }
    free(samples);
    free(node_of);
    merge_equal(x);
    fold_lightest(x, max_samples);
    if (x->sample_count)
        return 0;
    export_release(x);
    return rs_err_set(err, -ENODATA, "there is no %s in that part of the session: nothing was written",
                      answer_metric_name(q->metric));
}

void export_release(struct export *x)
{
    answer_functions_release(&x->functions);
    calltree_release(&x->tree);
    free(x->samples);
    free(x->stack);
}

size_t export_stack(struct export *x, int32_t node)
{
    size_t count = 0;

    for (; node >= 0; node = x->tree.nodes[node].parent) {
        GROW(x->stack, count + 1, x->stack_cap);
        x->stack[count++] = x->tree.nodes[node].frame;
    }
    return count;
}

/* ---- output ---- */

static void flush(struct export_out *out)
{
    if (!out->error && out->len)
        out->error = out->sink(out->ctx, out->buf, out->len);
    out->len = 0;
}

void export_put(struct export_out *out, const char *bytes, size_t len)
{
    while (len && !out->error) {
        size_t room = sizeof(out->buf) - out->len, part = len < room ? len : room;

        memcpy(out->buf + out->len, bytes, part);
        out->len += part;
        bytes += part;
        len -= part;
        if (out->len == sizeof(out->buf))
            flush(out);
    }
}

void export_putf(struct export_out *out, const char *format, ...)
{
    va_list args;
    char *text;
    int len;

    va_start(args, format);
    len = vasprintf(&text, format, args);
    va_end(args);
    if (len < 0) {
        out->error = -ENOMEM;
        return;
    }
    export_put(out, text, (size_t)len);
    free(text);
}

void export_put_escaped(struct export_out *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)text[i];
        unsigned size = rs_utf8_char_len(text + i, len - i);

        if (c == '\\')
            export_put(out, "\\\\", 2);
        else if (!size || c < ' ' || c == 127)
            export_putf(out, "\\x%02x", c);
        else
            export_put(out, text + i, size);
        i += size ? size : 1;
    }
}

int export_end(struct export_out *out)
{
    flush(out);
    return out->error;
}
