/* SPDX-License-Identifier: MIT */
#include "analyze/functions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/scope_names.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "core/path.h"

enum { TOP_OF_EVENT = 10, TOP_OF_HOTSPOT = 5 };
enum { HOTSPOT_MIN_NS = 1000000000 };

/* ---- groups: frames that count as one function, crate or module ---- */

struct group {
    uint64_t key;   /* what makes two frames equal */
    uint32_t frame; /* the heaviest one: its line stands for the group */
    uint64_t frame_weight;
    uint64_t self_us, self_samples, total_us, total_samples;
    uint64_t alloc_bytes, alloc_count, leaked_bytes, peak_bytes;
    uint32_t active, max_depth; /* while walking: how often it is on the stack */
    uint64_t functions;         /* of a rollup */
};

struct groups {
    struct group *list;
    size_t count, cap;
    uint32_t *slots; /* index + 1 */
    size_t slot_count;
    uint32_t *of_frame;
};

typedef uint64_t (*key_fn)(const struct frame *frame, size_t index);

static uint64_t function_key(const struct frame *frame, size_t index)
{
    /* A frame that nobody named counts for itself. */
    if (!frame->func)
        return (uint64_t)1 << 63 | index;
    return (uint64_t)frame->crate << 32 | frame->func;
}

static uint64_t crate_key(const struct frame *frame, size_t index)
{
    (void)index;
    return frame->crate;
}

static uint64_t module_key(const struct frame *frame, size_t index)
{
    (void)index;
    return frame->object < 0 ? UINT64_MAX : (uint64_t)frame->object;
}

static void groups_grow(struct groups *groups)
{
    free(groups->slots);
    groups->slot_count = groups->slot_count ? groups->slot_count * 2 : 256;
    groups->slots = xcalloc(groups->slot_count, sizeof(*groups->slots));
    for (size_t i = 0; i < groups->count; i++) {
        size_t slot = hash_u64(groups->list[i].key) & (groups->slot_count - 1);

        while (groups->slots[slot])
            slot = (slot + 1) & (groups->slot_count - 1);
        groups->slots[slot] = (uint32_t)i + 1;
    }
}

static uint32_t group_of(struct groups *groups, uint64_t key, uint32_t frame)
{
    size_t slot;

    if ((groups->count + 1) * 2 > groups->slot_count)
        groups_grow(groups);
    slot = hash_u64(key) & (groups->slot_count - 1);
    for (; groups->slots[slot]; slot = (slot + 1) & (groups->slot_count - 1))
        if (groups->list[groups->slots[slot] - 1].key == key)
            return groups->slots[slot] - 1;
    GROW(groups->list, groups->count + 1, groups->cap);
    groups->list[groups->count] = (struct group){.key = key, .frame = frame};
    groups->slots[slot] = (uint32_t)++groups->count;
    return (uint32_t)groups->count - 1;
}

static void groups_init(struct groups *groups, const struct calltree *tree, key_fn key)
{
    *groups = (struct groups){.of_frame = xreallocarray(NULL, tree->frame_count + 1, sizeof(uint32_t))};
    for (size_t i = 0; i < tree->frame_count; i++)
        groups->of_frame[i] = group_of(groups, key(&tree->frames[i], i), (uint32_t)i);
}

static void groups_release(struct groups *groups)
{
    free(groups->list);
    free(groups->slots);
    free(groups->of_frame);
}

/* ---- weights of nodes ---- */

struct weight {
    uint64_t us, samples;
};

struct profile {
    struct session *s;
    bool *is_ours;        /* by node: time there is the profiler's */
    struct weight *self;  /* by node, in the window; nothing where is_ours */
    struct weight *total; /* with all that hangs on it */
    uint64_t all_us;      /* in the window, without ours */
    uint64_t our_us;
    int32_t *first_child, *next_sibling; /* -1 ends */
};

static void profile_init(struct profile *profile, struct session *s)
{
    size_t count = s->tree.node_count + 1;

    *profile = (struct profile){
        .s = s,
        .is_ours = xcalloc(count, sizeof(*profile->is_ours)),
        .self = xcalloc(count, sizeof(*profile->self)),
        .total = xcalloc(count, sizeof(*profile->total)),
    };
    window_mark_ours(s, profile->is_ours);
}

static void profile_release(struct profile *profile)
{
    free(profile->is_ours);
    free(profile->self);
    free(profile->total);
    free(profile->first_child);
    free(profile->next_sibling);
}

static void add_self(struct profile *profile, const struct time_window *window)
{
    const struct rows *rows = &profile->s->cpu_rows;

    for (size_t row = 0; row < rows->count; row++) {
        double share = window_share(rows, rows->bucket[row], window);
        uint64_t us = (uint64_t)llround((double)rows->value[CPU_ROW_WEIGHT_US][row] * share);
        uint64_t samples = (uint64_t)llround((double)rows->value[CPU_ROW_SAMPLES][row] * share);
        uint32_t node = rows->key[row];

        if (share <= 0 || node >= profile->s->tree.node_count)
            continue;
        if (profile->is_ours[node]) {
            profile->our_us += us;
            continue;
        }
        profile->self[node].us += us;
        profile->self[node].samples += samples;
        profile->all_us += us;
    }
}

/* Parents come before children, so one pass backwards gathers everything. */
static void add_totals(struct profile *profile)
{
    const struct calltree *tree = &profile->s->tree;

    for (size_t i = tree->node_count; i-- > 0;) {
        int32_t parent = tree->nodes[i].parent;

        profile->total[i].us += profile->self[i].us;
        profile->total[i].samples += profile->self[i].samples;
        if (parent >= 0) {
            profile->total[parent].us += profile->total[i].us;
            profile->total[parent].samples += profile->total[i].samples;
        }
    }
}

static void link_children(struct profile *profile)
{
    const struct calltree *tree = &profile->s->tree;

    profile->first_child = xreallocarray(NULL, tree->node_count + 1, sizeof(*profile->first_child));
    profile->next_sibling = xreallocarray(NULL, tree->node_count + 1, sizeof(*profile->next_sibling));
    for (size_t i = 0; i <= tree->node_count; i++)
        profile->first_child[i] = -1;
    for (size_t i = tree->node_count; i-- > 0;) {
        int32_t *first =
            &profile->first_child[tree->nodes[i].parent >= 0 ? (size_t)tree->nodes[i].parent : tree->node_count];
        profile->next_sibling[i] = *first;
        *first = (int32_t)i;
    }
}

/* Allocations by node, with all that hangs on it; NULL without any. */
static struct alloc_stats *alloc_totals(const struct session *s)
{
    struct alloc_stats *totals;

    if (!s->allocations.stats_count)
        return NULL;
    totals = xcalloc(s->tree.node_count + 1, sizeof(*totals));
    for (size_t i = 0; i < s->allocations.stats_count; i++) {
        const struct alloc_stats *from = &s->allocations.stats[i];

        if (from->node >= 0 && (size_t)from->node < s->tree.node_count) {
            totals[from->node].bytes += from->bytes;
            totals[from->node].count += from->count;
            totals[from->node].leaked_bytes += from->leaked_bytes;
            totals[from->node].peak_bytes += from->peak_bytes;
        }
    }
    for (size_t i = s->tree.node_count; i-- > 0;) {
        int32_t parent = s->tree.nodes[i].parent;

        if (parent < 0)
            continue;
        totals[parent].bytes += totals[i].bytes;
        totals[parent].count += totals[i].count;
        totals[parent].leaked_bytes += totals[i].leaked_bytes;
        totals[parent].peak_bytes += totals[i].peak_bytes;
    }
    return totals;
}

/* ---- the walk ---- */

struct walk {
    const struct profile *profile;
    struct groups *groups;
    const struct alloc_stats *allocs; /* NULL: none */
};

static void enter(const struct walk *walk, int32_t node)
{
    uint32_t frame = walk->profile->s->tree.nodes[node].frame;
    struct group *group = &walk->groups->list[walk->groups->of_frame[frame]];
    const struct weight *self = &walk->profile->self[node], *total = &walk->profile->total[node];

    group->self_us += self->us;
    group->self_samples += self->samples;
    if (++group->active > group->max_depth)
        group->max_depth = group->active;
    if (group->active > 1)
        return;
    group->total_us += total->us;
    group->total_samples += total->samples;
    if (walk->allocs) {
        group->alloc_bytes += walk->allocs[node].bytes;
        group->alloc_count += walk->allocs[node].count;
        group->leaked_bytes += walk->allocs[node].leaked_bytes;
        group->peak_bytes += walk->allocs[node].peak_bytes;
    }
}

static void leave(const struct walk *walk, int32_t node)
{
    uint32_t frame = walk->profile->s->tree.nodes[node].frame;

    walk->groups->list[walk->groups->of_frame[frame]].active--;
}

/* Depth first, without recursion: stacks may be a hundred thousand frames deep. */
static void walk_tree(const struct walk *walk)
{
    const struct profile *profile = walk->profile;
    const struct calltree *tree = &profile->s->tree;
    int32_t node = profile->first_child[tree->node_count];

    while (node >= 0) {
        enter(walk, node);
        if (profile->first_child[node] >= 0) {
            node = profile->first_child[node];
            continue;
        }
        while (node >= 0) {
            leave(walk, node);
            if (profile->next_sibling[node] >= 0) {
                node = profile->next_sibling[node];
                break;
            }
            node = tree->nodes[node].parent;
        }
    }
}

/* The line of a function is the one where most of its own time went; without any, where most was spent below it. */
static void choose_frames(const struct profile *profile, struct groups *groups)
{
    const struct calltree *tree = &profile->s->tree;
    struct weight *by_frame = xcalloc(tree->frame_count + 1, sizeof(*by_frame)); /* us: self, samples: total */

    for (size_t i = 0; i < tree->node_count; i++) {
        by_frame[tree->nodes[i].frame].us += profile->self[i].us;
        by_frame[tree->nodes[i].frame].samples += profile->total[i].us;
    }
    for (size_t f = 0; f < tree->frame_count; f++) {
        struct group *group = &groups->list[groups->of_frame[f]];
        uint64_t weight = group->self_us ? by_frame[f].us : by_frame[f].samples;

        if (weight > group->frame_weight) {
            group->frame_weight = weight;
            group->frame = (uint32_t)f;
        }
    }
    free(by_frame);
}

static double percent(uint64_t part, uint64_t all)
{
    return all ? (double)part * 100.0 / (double)all : 0;
}

/* ---- functions[] ---- */

static string_id function_name(struct session *s, const struct frame *frame)
{
    if (frame->func)
        return frame->func;
    if (frame->object < 0)
        return strings_add_str(&s->strings, "[unknown]");
    return strings_addf(&s->strings, "%s+0x%llx", strings_get(&s->strings, s->tree.modules[frame->object].name),
                        (unsigned long long)frame->addr);
}

static struct function function_from(struct session *s, const struct group *group, uint64_t all_us)
{
    const struct frame *frame = &s->tree.frames[group->frame];

    return (struct function){
        .name = function_name(s, frame),
        .module = frame->crate,
        .file = frame->file,
        .line = frame->line,
        .layer = frame->layer,
        .self_pct = percent(group->self_us, all_us),
        .total_pct = percent(group->total_us, all_us),
        .self_samples = group->self_samples,
        .total_samples = group->total_samples,
        .self_us = group->self_us,
        .total_us = group->total_us,
        .source = FUNCTION_SAMPLED,
        .figures.max_depth = group->max_depth,
        .alloc_bytes = group->alloc_bytes,
        .alloc_count = group->alloc_count,
        .leaked_bytes = group->leaked_bytes,
        .peak_bytes = group->peak_bytes,
    };
}

static const struct strings *sorting_strings; /* qsort has no context; analysis runs on one thread */

static int compare_functions(const void *a, const void *b)
{
    const struct function *x = a, *y = b;

    if (x->self_us != y->self_us)
        return x->self_us > y->self_us ? -1 : 1;
    if (x->total_us != y->total_us)
        return x->total_us > y->total_us ? -1 : 1;
    if (x->alloc_bytes != y->alloc_bytes)
        return x->alloc_bytes > y->alloc_bytes ? -1 : 1;
    return strcmp(strings_get(sorting_strings, x->name), strings_get(sorting_strings, y->name));
}

/*
 * The sampled C++ function that a scope of its own name is in. Of overloads it is the one whose sampled line comes
 * soonest behind the scope's, which stands at a function's top.
 */
static struct function *sampled_cpp_half(const struct session *s, struct function *list, size_t count,
                                         const struct function *instrumented)
{
    const char *name = strings_get(&s->strings, instrumented->name);
    const char *file = rs_path_base(strings_get(&s->strings, instrumented->file));
    struct function *found = NULL;
    bool several = false, by_line = false;

    for (size_t i = 0; i < count; i++) {
        struct function *f = &list[i];
        bool behind;

        if (f->source != FUNCTION_SAMPLED || !cpp_name_is_of(name, strings_get(&s->strings, f->name)))
            continue;
        behind =
            f->line && f->line >= instrumented->line && !strcmp(rs_path_base(strings_get(&s->strings, f->file)), file);
        several |= found != NULL;
        if (!found || (behind && (!by_line || f->line < found->line)))
            found = f;
        by_line |= behind;
    }
    return several && !by_line ? NULL : found;
}

static struct function *sampled_half(const struct session *s, struct function *list, size_t count,
                                     const struct function *instrumented)
{
    const char *name = strings_get(&s->strings, instrumented->name);
    bool generic = strstr(name, "_>") || strstr(name, "_,") || strstr(name, "_ as ");

    for (size_t i = 0; i < count; i++)
        if (list[i].source == FUNCTION_SAMPLED &&
            (list[i].name == instrumented->name ||
             (generic && rust_name_is_of(name, strings_get(&s->strings, list[i].name)))))
            return &list[i];
    return sampled_cpp_half(s, list, count, instrumented);
}

/* What instrumentation measured stays; where the function was sampled too, both are one entry. */
static void add_instrumented(const struct session *s, struct function *list, size_t *count, const struct function *old,
                             size_t old_count)
{
    size_t sampled = *count;

    for (size_t i = 0; i < old_count; i++) {
        struct function *into;

        if (!(old[i].source & FUNCTION_INSTRUMENTED))
            continue;
        into = sampled_half(s, list, sampled, &old[i]);
        if (!into) {
            into = &list[(*count)++];
            *into = old[i];
            into->self_pct = into->total_pct = 0;
            into->self_us = into->total_us = into->self_samples = into->total_samples = 0;
            into->source = FUNCTION_INSTRUMENTED;
            continue;
        }
        into->source = FUNCTION_BOTH;
        into->figures = old[i].figures;
    }
}

static void make_functions(struct profile *profile, const struct alloc_stats *allocs)
{
    struct session *s = profile->s;
    struct function *old = s->functions, *list;
    size_t old_count = s->function_count, count = 0;
    struct groups groups;

    groups_init(&groups, &s->tree, function_key);
    walk_tree(&(struct walk){profile, &groups, allocs});
    choose_frames(profile, &groups);
    list = xcalloc(groups.count + old_count + 1, sizeof(*list));
    for (size_t i = 0; i < groups.count; i++)
        if (groups.list[i].total_us || groups.list[i].alloc_count)
            list[count++] = function_from(s, &groups.list[i], profile->all_us);
    add_instrumented(s, list, &count, old, old_count);
    sorting_strings = &s->strings;
    qsort(list, count, sizeof(*list), compare_functions);
    if (count > MAX_FUNCTIONS) {
        session_count_folded(s, "functions", count - MAX_FUNCTIONS);
        count = MAX_FUNCTIONS;
    }
    free(old);
    s->functions = list;
    s->function_count = count;
    groups_release(&groups);
}

/* ---- rollups ---- */

static int compare_rollups(const void *a, const void *b)
{
    const struct rollup *x = a, *y = b;

    if (x->self_pct > y->self_pct || x->self_pct < y->self_pct)
        return x->self_pct > y->self_pct ? -1 : 1;
    if (x->total_pct > y->total_pct || x->total_pct < y->total_pct)
        return x->total_pct > y->total_pct ? -1 : 1;
    return strcmp(strings_get(sorting_strings, x->name), strings_get(sorting_strings, y->name));
}

/* Each function once for the group that its frames belong to. */
static void count_functions(const struct session *s, struct groups *groups)
{
    struct groups functions;
    bool *seen;

    groups_init(&functions, &s->tree, function_key);
    seen = xcalloc(functions.count + 1, sizeof(*seen));
    for (size_t f = 0; f < s->tree.frame_count; f++)
        if (!seen[functions.of_frame[f]]) {
            seen[functions.of_frame[f]] = true;
            groups->list[groups->of_frame[f]].functions++;
        }
    free(seen);
    groups_release(&functions);
}

static string_id rollup_name(struct session *s, const struct group *group, bool by_module)
{
    const struct frame *frame = &s->tree.frames[group->frame];

    if (by_module)
        return frame->object < 0 ? 0 : s->tree.modules[frame->object].name;
    return frame->crate;
}

static struct rollup *make_rollups(const struct profile *profile, const struct alloc_stats *allocs, bool by_module,
                                   size_t *count)
{
    struct session *s = profile->s;
    struct rollup *list;
    struct groups groups;

    groups_init(&groups, &s->tree, by_module ? module_key : crate_key);
    walk_tree(&(struct walk){profile, &groups, allocs});
    count_functions(s, &groups);
    list = xcalloc(groups.count + 1, sizeof(*list));
    *count = 0;
    for (size_t i = 0; i < groups.count; i++) {
        const struct group *group = &groups.list[i];
        string_id name = rollup_name(s, group, by_module);

        if (name && (group->total_us || group->alloc_bytes))
            list[(*count)++] = (struct rollup){
                .name = name,
                .self_pct = percent(group->self_us, profile->all_us),
                .total_pct = percent(group->total_us, profile->all_us),
                .function_count = group->functions,
                .alloc_bytes = group->alloc_bytes,
            };
    }
    sorting_strings = &s->strings;
    qsort(list, *count, sizeof(*list), compare_rollups);
    groups_release(&groups);
    return list;
}

void functions_compute(struct session *s, const struct time_window *window)
{
    bool whole = !window->from_ns && window->to_ns == UINT64_MAX;
    struct alloc_stats *allocs;
    struct profile profile;

    profile_init(&profile, s);
    add_self(&profile, window);
    add_totals(&profile);
    link_children(&profile);
    allocs = alloc_totals(s);
    make_functions(&profile, allocs);
    free(s->crate_rollups);
    free(s->module_rollups);
    s->crate_rollups = make_rollups(&profile, allocs, false, &s->crate_rollup_count);
    s->module_rollups = make_rollups(&profile, allocs, true, &s->module_rollup_count);
    if (whole && profile.all_us + profile.our_us)
        s->diagnostics.overhead_pct = percent(profile.our_us, profile.all_us + profile.our_us);
    free(allocs);
    profile_release(&profile);
}

/* ---- the top of a window ---- */

/* Sums by group over some rows; a group is in `touched` once. */
struct tally {
    const struct profile *profile;
    const struct groups *groups;
    uint64_t *us;
    uint32_t *touched;
    size_t touched_count;
    uint64_t all_us;
};

static void tally_init(struct tally *tally, const struct profile *profile, const struct groups *groups)
{
    *tally = (struct tally){
        .profile = profile,
        .groups = groups,
        .us = xcalloc(groups->count + 1, sizeof(*tally->us)),
        .touched = xreallocarray(NULL, groups->count + 1, sizeof(*tally->touched)),
    };
}

static void tally_release(struct tally *tally)
{
    free(tally->us);
    free(tally->touched);
}

static void tally_clear(struct tally *tally)
{
    for (size_t i = 0; i < tally->touched_count; i++)
        tally->us[tally->touched[i]] = 0;
    tally->touched_count = 0;
    tally->all_us = 0;
}

static void tally_row(struct tally *tally, size_t row, double share)
{
    const struct session *s = tally->profile->s;
    uint32_t node = s->cpu_rows.key[row], group;
    uint64_t us = (uint64_t)llround((double)s->cpu_rows.value[CPU_ROW_WEIGHT_US][row] * share);

    if (node >= s->tree.node_count || tally->profile->is_ours[node] || !us)
        return;
    group = tally->groups->of_frame[s->tree.nodes[node].frame];
    if (!tally->us[group])
        tally->touched[tally->touched_count++] = group;
    tally->us[group] += us;
    tally->all_us += us;
}

/* Moves the MAX heaviest groups to the front of `touched`, best first, and returns how many there are. */
static size_t tally_top(struct tally *tally, size_t max)
{
    size_t count = tally->touched_count < max ? tally->touched_count : max;

    for (size_t i = 0; i < count; i++) {
        size_t best = i;
        uint32_t swap;

        for (size_t j = i + 1; j < tally->touched_count; j++) {
            uint64_t a = tally->us[tally->touched[j]], b = tally->us[tally->touched[best]];

            if (a > b || (a == b && tally->touched[j] < tally->touched[best]))
                best = j;
        }
        swap = tally->touched[i];
        tally->touched[i] = tally->touched[best];
        tally->touched[best] = swap;
    }
    return count;
}

/* The first row at or after bucket NUMBER; the rows are sorted. */
static size_t row_of_bucket(const struct rows *rows, uint64_t number)
{
    size_t low = 0, high = rows->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (rows->bucket[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What ran in WINDOW, in PROCESS or with -1 in all of them. */
static void tally_window(struct tally *tally, const struct time_window *window, int32_t process)
{
    const struct rows *rows = &tally->profile->s->cpu_rows;
    bool sorted = rows->compacted == rows->count;
    uint64_t last = window->to_ns == UINT64_MAX ? UINT64_MAX : window->to_ns / rows->interval_ns;
    size_t row = sorted ? row_of_bucket(rows, window->from_ns / rows->interval_ns) : 0;

    tally_clear(tally);
    for (; row < rows->count; row++) {
        double share;

        if (sorted && rows->bucket[row] > last)
            break;
        share = window_share(rows, rows->bucket[row], window);
        if (share > 0 && session_row_of_process(tally->profile->s, rows, row, process))
            tally_row(tally, row, share);
    }
}

size_t functions_top(struct session *s, const struct time_window *window, struct top_function *out, size_t max)
{
    struct profile profile;
    struct groups groups;
    struct tally tally;
    size_t count;

    profile_init(&profile, s);
    groups_init(&groups, &s->tree, function_key);
    tally_init(&tally, &profile, &groups);
    tally_window(&tally, window, -1);
    count = tally_top(&tally, max);
    for (size_t i = 0; i < count; i++) {
        const struct frame *frame = &s->tree.frames[groups.list[tally.touched[i]].frame];

        out[i] = (struct top_function){
            .name = function_name(s, frame),
            .module = frame->crate,
            .layer = frame->layer,
            .self_pct = percent(tally.us[tally.touched[i]], tally.all_us),
            .self_us = tally.us[tally.touched[i]],
        };
    }
    tally_release(&tally);
    groups_release(&groups);
    profile_release(&profile);
    return count;
}

/* The top of TALLY as shares, for free(). */
static struct event_function *shares_of(struct tally *tally, size_t max, bool by_crate, size_t *count)
{
    struct session *s = tally->profile->s;
    size_t found = tally_top(tally, max);
    struct event_function *list = found ? xcalloc(found, sizeof(*list)) : NULL;

    *count = 0;
    for (size_t i = 0; i < found; i++) {
        uint32_t group = tally->touched[i];
        const struct frame *frame = &s->tree.frames[tally->groups->list[group].frame];
        string_id name = by_crate ? frame->crate : function_name(s, frame);

        if (name)
            list[(*count)++] = (struct event_function){name, percent(tally->us[group], tally->all_us)};
    }
    return list;
}

static void fill_events(struct session *s, struct tally *functions)
{
    for (size_t i = 0; i < s->event_count; i++) {
        struct session_event *event = &s->events[i];
        struct time_window window = {event->start_ns, event->end_ns};

        if (event->type != EVENT_MEMORY_SPIKE && event->type != EVENT_CPU_SPIKE)
            continue;
        if (window.to_ns <= window.from_ns)
            window.to_ns = window.from_ns + 1;
        tally_window(functions, &window, event->process);
        free(event->functions);
        event->functions = shares_of(functions, TOP_OF_EVENT, false, &event->function_count);
    }
}

static void clear_hotspots(struct session *s)
{
    for (size_t i = 0; i < s->hotspot_count; i++) {
        free(s->hotspots[i].functions);
        free(s->hotspots[i].crates);
    }
    free(s->hotspots);
    s->hotspots = NULL;
    s->hotspot_count = 0;
}

/* One snapshot a second, or as many as there may be; moments without a sample have none. */
static void fill_hotspots(struct session *s, struct tally *functions, struct tally *crates)
{
    const struct rows *rows = &s->cpu_rows;
    uint64_t end_ns = rows->count ? ((uint64_t)rows->bucket[rows->count - 1] + 1) * rows->interval_ns : 0;
    uint64_t step_ns = HOTSPOT_MIN_NS;

    while (end_ns / step_ns >= MAX_HOTSPOTS)
        step_ns *= 2;
    clear_hotspots(s);
    s->hotspots = xcalloc(MAX_HOTSPOTS, sizeof(*s->hotspots));
    for (uint64_t at_ns = 0; at_ns < end_ns && s->hotspot_count < MAX_HOTSPOTS; at_ns += step_ns) {
        struct time_window window = {at_ns, at_ns + step_ns};
        struct hotspot *hotspot = &s->hotspots[s->hotspot_count];

        tally_window(functions, &window, -1);
        if (!functions->all_us)
            continue;
        tally_window(crates, &window, -1);
        hotspot->at_ns = at_ns;
        hotspot->functions = shares_of(functions, TOP_OF_HOTSPOT, false, &hotspot->function_count);
        hotspot->crates = shares_of(crates, TOP_OF_HOTSPOT, true, &hotspot->crate_count);
        s->hotspot_count++;
    }
}

void hotspots_compute(struct session *s)
{
    struct tally by_function, by_crate;
    struct groups functions, crates;
    struct profile profile;

    rows_compact(&s->cpu_rows);
    profile_init(&profile, s);
    groups_init(&functions, &s->tree, function_key);
    groups_init(&crates, &s->tree, crate_key);
    tally_init(&by_function, &profile, &functions);
    tally_init(&by_crate, &profile, &crates);
    fill_events(s, &by_function);
    fill_hotspots(s, &by_function, &by_crate);
    tally_release(&by_function);
    tally_release(&by_crate);
    groups_release(&functions);
    groups_release(&crates);
    profile_release(&profile);
}
