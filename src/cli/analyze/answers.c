/* SPDX-License-Identifier: MIT */
#include "analyze/answers.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "text/name.h"

static const char *const metric_names[ANSWER_METRICS] = {
    [ANSWER_CPU] = "cpu",     [ANSWER_OFF_CPU] = "off-cpu", [ANSWER_ALLOC] = "alloc",
    [ANSWER_COUNT] = "count", [ANSWER_PEAK] = "peak",       [ANSWER_LEAKED] = "leaked",
};
static const char *const sort_names[ANSWER_SORTS] = {
    [ANSWER_BY_SELF] = "self", [ANSWER_BY_TOTAL] = "total", [ANSWER_BY_NAME] = "name"};

const char *answer_metric_name(unsigned metric)
{
    return metric < ANSWER_METRICS ? metric_names[metric] : NULL;
}

const char *answer_sort_name(unsigned sort)
{
    return sort < ANSWER_SORTS ? sort_names[sort] : NULL;
}

bool answer_metric_is_time(enum answer_metric metric)
{
    return metric == ANSWER_CPU || metric == ANSWER_OFF_CPU;
}

/* ---- functions: frames of one name and crate ---- */

static const struct calltree *sorting_tree; /* qsort has no context; analysis runs on one thread */

static uint64_t key_of(const struct calltree *tree, uint32_t index)
{
    const struct frame *frame = &tree->frames[index];

    return frame->func ? (uint64_t)frame->crate << 32 | frame->func : (uint64_t)1 << 63 | index;
}

static int compare_frames(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    uint64_t kx = key_of(sorting_tree, x), ky = key_of(sorting_tree, y);

    if (kx != ky)
        return kx < ky ? -1 : 1;
    return x < y ? -1 : x > y;
}

void answer_functions_init(struct answer_functions *f, const struct calltree *tree)
{
    uint32_t *order = xcalloc(tree->frame_count + 1, sizeof(*order));

    *f = (struct answer_functions){.of_frame = xcalloc(tree->frame_count + 1, sizeof(uint32_t)),
                                   .frame = xcalloc(tree->frame_count + 1, sizeof(uint32_t))};
    for (uint32_t i = 0; i < tree->frame_count; i++)
        order[i] = i;
    sorting_tree = tree;
    qsort(order, tree->frame_count, sizeof(*order), compare_frames);
    for (size_t i = 0; i < tree->frame_count; i++) {
        if (!i || key_of(tree, order[i]) != key_of(tree, order[i - 1]))
            f->frame[f->count++] = order[i];
        f->of_frame[order[i]] = (uint32_t)f->count - 1;
    }
    free(order);
}

void answer_functions_release(struct answer_functions *f)
{
    free(f->of_frame);
    free(f->frame);
}

/* ---- amounts by node ---- */

static bool means(const struct session *s, const char *wanted, int number, string_id name)
{
    char *end;
    long wanted_number = strtol(wanted, &end, 10);

    return (!*end && end != wanted && wanted_number == number) || !strcmp(strings_get(&s->strings, name), wanted);
}

static bool thread_is_meant(const struct session *s, const struct question *q, uint32_t thread)
{
    const struct process *p;

    if (!q->process && !q->thread)
        return true;
    if (thread >= s->thread_count)
        return false;
    p = &s->processes[s->threads[thread].process];
    return (!q->process || means(s, q->process, p->pid, p->name)) &&
           (!q->thread || means(s, q->thread, s->threads[thread].tid, s->threads[thread].name));
}

static bool is_process(const struct session *s, const char *wanted)
{
    for (size_t i = 0; i < s->process_count; i++)
        if (means(s, wanted, s->processes[i].pid, s->processes[i].name))
            return true;
    return false;
}

static bool is_thread(const struct session *s, const char *wanted)
{
    for (size_t i = 0; i < s->thread_count; i++)
        if (means(s, wanted, s->threads[i].tid, s->threads[i].name))
            return true;
    return false;
}

struct sample_list {
    struct answer_sample *samples;
    size_t count, cap;
};

static void add_sample(struct sample_list *list, struct answer_sample sample)
{
    if (!sample.amount && !sample.count)
        return;
    GROW(list->samples, list->count + 1, list->cap);
    list->samples[list->count++] = sample;
}

static uint64_t part_of(int64_t value, double share)
{
    return value > 0 ? (uint64_t)llround((double)value * share) : 0;
}

static void add_rows(const struct session *s, const struct question *q, const struct rows *rows, unsigned value,
                     unsigned count, struct sample_list *list)
{
    bool *is_ours = xcalloc(s->tree.node_count + 1, sizeof(*is_ours));

    if (answer_metric_is_time(q->metric))
        window_mark_ours(s, is_ours);
    for (size_t row = 0; row < rows->count; row++) {
        double share = window_share(rows, rows->bucket[row], &q->window);
        uint32_t node = rows->key[row], thread = rows->key2[row];

        if (share > 0 && node < s->tree.node_count && !is_ours[node] && thread_is_meant(s, q, thread))
            add_sample(list,
                       (struct answer_sample){.node = node,
                                              .thread = thread < s->thread_count ? (int64_t)thread : ANSWER_NO_THREAD,
                                              .at_ns = rows->bucket[row] * rows->interval_ns,
                                              .amount = part_of(rows->value[value][row], share),
                                              .count = part_of(rows->value[count][row], share)});
    }
    free(is_ours);
}

static void add_stats(const struct session *s, enum answer_metric metric, struct sample_list *list)
{
    for (size_t i = 0; i < s->allocations.stats_count; i++) {
        const struct alloc_stats *a = &s->allocations.stats[i];
        const struct {
            uint64_t amount, count;
        } of[ANSWER_METRICS] = {[ANSWER_ALLOC] = {a->bytes, a->count},
                                [ANSWER_COUNT] = {a->count, a->count},
                                [ANSWER_PEAK] = {a->peak_bytes, 0},
                                [ANSWER_LEAKED] = {a->leaked_bytes, a->leaked_count}};

        if (a->node >= 0 && (size_t)a->node < s->tree.node_count)
            add_sample(list, (struct answer_sample){.node = (uint32_t)a->node,
                                                    .thread = ANSWER_NO_THREAD,
                                                    .at_ns = ANSWER_NO_TIME,
                                                    .amount = of[metric].amount,
                                                    .count = of[metric].count});
    }
}

bool answer_metric_is_measured(const struct session *s, enum answer_metric metric)
{
    if (metric == ANSWER_CPU)
        return s->cpu_rows.count;
    return metric == ANSWER_OFF_CPU ? s->offcpu_rows.count : s->allocations.measured;
}

struct answer_sample *answer_samples(const struct session *s, const struct question *q, size_t *count,
                                     struct rs_err *err)
{
    bool part = q->process || q->thread || q->window.from_ns || q->window.to_ns != UINT64_MAX;
    struct sample_list list = {0};

    if (q->process && !is_process(s, q->process))
        return rs_err_set(err, -EINVAL, "no process of this session is \"%s\", by pid or by name", q->process), NULL;
    if (q->thread && !is_thread(s, q->thread))
        return rs_err_set(err, -EINVAL, "no thread of this session is \"%s\", by tid or by name", q->thread), NULL;
    if (!answer_metric_is_time(q->metric) && !s->allocations.measured)
        return rs_err_set(err, -EINVAL, "this session has no allocations: record without --no-alloc"), NULL;
    if (q->metric == ANSWER_OFF_CPU && !s->offcpu_rows.count)
        return rs_err_set(err, -EINVAL, "this session has no waits: record with --off-cpu"), NULL;
    if (part && (q->metric == ANSWER_PEAK || q->metric == ANSWER_LEAKED))
        return rs_err_set(err, -EINVAL,
                          "--metric %s is known of the whole session only: leave out --window, --process "
                          "and --thread",
                          metric_names[q->metric]),
               NULL;
    GROW(list.samples, 1, list.cap);
    if (q->metric == ANSWER_CPU)
        add_rows(s, q, &s->cpu_rows, CPU_ROW_WEIGHT_US, CPU_ROW_SAMPLES, &list);
    else if (q->metric == ANSWER_OFF_CPU)
        add_rows(s, q, &s->offcpu_rows, OFFCPU_ROW_WAIT_US, OFFCPU_ROW_COUNT, &list);
    else if (part)
        add_rows(s, q, &s->alloc_rows, q->metric == ANSWER_ALLOC ? ALLOC_ROW_BYTES : ALLOC_ROW_COUNT, ALLOC_ROW_COUNT,
                 &list);
    else
        add_stats(s, q->metric, &list);
    *count = list.count;
    return list.samples;
}

/* By node; the caller's. NULL with a sentence when the session cannot tell. */
static uint64_t *amounts_of(const struct session *s, const struct question *q, struct rs_err *err)
{
    size_t count;
    struct answer_sample *samples = answer_samples(s, q, &count, err);
    uint64_t *amounts;

    if (!samples)
        return NULL;
    amounts = xcalloc(s->tree.node_count + 1, sizeof(*amounts));
    for (size_t i = 0; i < count; i++)
        amounts[samples[i].node] += samples[i].amount;
    free(samples);
    return amounts;
}

/* ---- sums ---- */

struct sums {
    const struct session *s;
    const struct answer_functions *functions;
    const uint64_t *amounts;
    uint64_t *self, *total; /* by function; one more for what has none */
    uint64_t all;
};

static uint32_t function_of(const struct sums *x, int32_t node)
{
    return x->functions->of_frame[x->s->tree.nodes[node].frame];
}

/* A function counts once on a stack, however often it recurses. */
static void sum_functions(struct sums *x)
{
    const struct node *nodes = x->s->tree.nodes;
    int32_t *seen = xcalloc(x->functions->count + 1, sizeof(*seen));

    for (int32_t i = 0; (size_t)i < x->s->tree.node_count; i++) {
        if (!x->amounts[i])
            continue;
        x->all += x->amounts[i];
        x->self[function_of(x, i)] += x->amounts[i];
        for (int32_t at = i; at >= 0; at = nodes[at].parent) {
            uint32_t f = function_of(x, at);

            if (seen[f] != i + 1)
                x->total[f] += x->amounts[i];
            seen[f] = i + 1;
        }
    }
    free(seen);
}

/* From the outermost frame of a MEANT function on each stack: its caller, or what it called there. */
static void sum_neighbours(struct sums *x, const bool *meant, bool callees)
{
    const struct node *nodes = x->s->tree.nodes;
    const size_t none = x->functions->count;

    for (int32_t i = 0; (size_t)i < x->s->tree.node_count; i++) {
        int32_t outermost = -1, below = -1;

        for (int32_t at = i, child = -1; x->amounts[i] && at >= 0; child = at, at = nodes[at].parent)
            if (meant[function_of(x, at)]) {
                outermost = at;
                below = child;
            }
        if (outermost < 0)
            continue;
        x->all += x->amounts[i];
        outermost = callees ? below : nodes[outermost].parent;
        x->total[outermost >= 0 ? function_of(x, outermost) : none] += x->amounts[i];
    }
}

/* NAME is TEXT, whole or as reports shorten it; or with LOOSE holds it. */
static bool name_is(const char *name, const char *text, bool loose)
{
    char shortened[1024];

    if (!*name || loose)
        return *name && strstr(name, text);
    if (!strcmp(name, text))
        return true;
    name_short(shortened, sizeof(shortened), name, INT_MAX, CHARSET_UTF8);
    return !strcmp(shortened, text);
}

/* Marks the functions that TEXT means: those of that name, else those whose name holds it. Returns how many. */
static size_t find_meant(const struct session *s, const struct answer_functions *f, const char *text, bool *meant)
{
    size_t count = 0;

    for (int loose = 0; loose <= 1 && !count; loose++)
        for (size_t i = 0; i < f->count; i++) {
            meant[i] = name_is(strings_get(&s->strings, s->tree.frames[f->frame[i]].func), text, loose);
            count += meant[i];
        }
    return count;
}

/* ---- rows ---- */

static const struct session *sorting_session;
static enum answer_sort sorting_by;

static const char *row_name(const struct answer_row *row)
{
    const struct session *s = sorting_session;

    return row->frame == UINT32_MAX ? "" : strings_get(&s->strings, s->tree.frames[row->frame].func);
}

static int compare_rows(const void *a, const void *b)
{
    const struct answer_row *x = a, *y = b;
    uint64_t vx = sorting_by == ANSWER_BY_SELF ? x->self : x->total;
    uint64_t vy = sorting_by == ANSWER_BY_SELF ? y->self : y->total;

    if (sorting_by != ANSWER_BY_NAME && vx != vy)
        return vx > vy ? -1 : 1;
    if (sorting_by == ANSWER_BY_SELF && x->total != y->total)
        return x->total > y->total ? -1 : 1;
    return strcmp(row_name(x), row_name(y));
}

static void take_rows(const struct sums *x, const struct question *q, struct answer *out)
{
    out->rows = xcalloc(x->functions->count + 1, sizeof(*out->rows));
    for (size_t i = 0; i <= x->functions->count; i++) {
        bool none = i == x->functions->count;
        enum layer layer = none ? LAYER_USER : x->s->tree.frames[x->functions->frame[i]].layer;

        if (!x->total[i] || (!none && layer == LAYER_PROFILER) || (q->only_my_code && layer != LAYER_USER))
            continue;
        out->rows[out->count++] =
            (struct answer_row){none ? UINT32_MAX : x->functions->frame[i], x->self[i], x->total[i]};
    }
    sorting_session = x->s;
    sorting_by = q->function && q->sort == ANSWER_BY_SELF ? ANSWER_BY_TOTAL : q->sort;
    qsort(out->rows, out->count, sizeof(*out->rows), compare_rows);
    out->left = out->count > q->top ? out->count - q->top : 0;
    out->count -= out->left;
}

int answer(const struct session *s, const struct question *q, struct answer *out, struct rs_err *err)
{
    uint64_t *amounts = amounts_of(s, q, err);
    struct answer_functions functions;
    struct sums sums;
    bool *meant;
    int rc = 0;

    *out = (struct answer){0};
    if (!amounts)
        return -EINVAL;
    answer_functions_init(&functions, &s->tree);
    meant = xcalloc(functions.count + 1, sizeof(*meant));
    sums = (struct sums){.s = s,
                         .functions = &functions,
                         .amounts = amounts,
                         .self = xcalloc(functions.count + 1, sizeof(uint64_t)),
                         .total = xcalloc(functions.count + 1, sizeof(uint64_t))};
    if (q->function)
        out->matched = find_meant(s, &functions, q->function, meant);
    if (!q->function)
        sum_functions(&sums);
    else if (out->matched)
        sum_neighbours(&sums, meant, q->callees);
    else
        rc = rs_err_set(err, -EINVAL, "no function of this session has \"%s\" in its name", q->function);
    if (!rc) {
        out->all = sums.all;
        take_rows(&sums, q, out);
    }
    answer_functions_release(&functions);
    free(sums.self);
    free(sums.total);
    free(meant);
    free(amounts);
    return rc;
}

void answer_release(struct answer *out)
{
    free(out->rows);
}
