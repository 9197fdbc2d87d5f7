/* SPDX-License-Identifier: MIT */
#include "analyze/owners.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/text.h"

static const struct frame *frame_of(const struct calltree *tree, int32_t node)
{
    return &tree->frames[tree->nodes[node].frame];
}

/* A stub that the linker made is nobody's code, in whichever object it stands. */
static bool is_stub(const struct session *s, const struct frame *frame)
{
    return frame->func && text_ends_with(strings_get(&s->strings, frame->func), "@plt");
}

/* The dependency's outermost frame so far: a run of frames of one crate or object has one. */
static int32_t dependency_of(const struct calltree *tree, int32_t node, int32_t above)
{
    const struct frame *own = frame_of(tree, node);
    const struct frame *other = above >= 0 ? frame_of(tree, above) : NULL;

    if (own->layer != LAYER_DEP)
        return above;
    return other && other->crate == own->crate && other->object == own->object ? above : node;
}

/* What OWNER called on the way to NODE, as far as it is known above NODE: our own hooks are not what it called. */
static int32_t via_of(const struct calltree *tree, int32_t node, int32_t owner, int32_t above)
{
    const struct frame *frame = frame_of(tree, node);

    if (owner == node || owner < 0 || above >= 0)
        return owner == node || owner < 0 ? CALLTREE_NO_NODE : above;
    return frame->layer == LAYER_PROFILER ? CALLTREE_NO_NODE : node;
}

/* One pass is enough: parents come before their children. */
void owner_map_init(struct owner_map *map, const struct session *s)
{
    const struct calltree *tree = &s->tree;
    int32_t *user = xcalloc(tree->node_count + 1, sizeof(*user));
    int32_t *dependency = xcalloc(tree->node_count + 1, sizeof(*dependency));

    map->owner = xcalloc(tree->node_count + 1, sizeof(*map->owner));
    map->via = xcalloc(tree->node_count + 1, sizeof(*map->via));
    for (int32_t i = 0; (size_t)i < tree->node_count; i++) {
        int32_t parent = tree->nodes[i].parent;
        int32_t owner, above = parent >= 0 ? map->owner[parent] : CALLTREE_NO_NODE;

        user[i] = frame_of(tree, i)->layer == LAYER_USER && !is_stub(s, frame_of(tree, i)) ? i
                  : parent >= 0                                                            ? user[parent]
                                                                                           : CALLTREE_NO_NODE;
        dependency[i] = dependency_of(tree, i, parent >= 0 ? dependency[parent] : CALLTREE_NO_NODE);
        owner = map->owner[i] = user[i] >= 0 ? user[i] : dependency[i];
        map->via[i] = via_of(tree, i, owner, parent >= 0 && above == owner ? map->via[parent] : CALLTREE_NO_NODE);
    }
    free(user);
    free(dependency);
}

void owner_map_release(struct owner_map *map)
{
    free(map->owner);
    free(map->via);
}

/* ---- sums over pairs of functions ---- */

struct pair {
    uint64_t key, second; /* what makes two functions equal, as in functions.c */
    uint32_t frame, other;
    uint64_t frame_us; /* the heaviest entry's: its line stands for the function */
    uint64_t us;
};

static uint64_t key_of(const struct calltree *tree, int32_t node)
{
    const struct frame *frame = node >= 0 ? frame_of(tree, node) : NULL;

    if (!frame)
        return UINT64_MAX;
    if (!frame->func)
        return (uint64_t)1 << 63 | tree->nodes[node].frame;
    return (uint64_t)frame->crate << 32 | frame->func;
}

static uint32_t frame_index(const struct calltree *tree, int32_t node)
{
    return node >= 0 ? tree->nodes[node].frame : UINT32_MAX;
}

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->second < y->second ? -1 : x->second > y->second;
}

/* Sorts LIST and joins equal pairs; returns how many are left. */
static size_t join_pairs(struct pair *list, size_t count)
{
    size_t kept = 0;

    qsort(list, count, sizeof(*list), compare_pairs);
    for (size_t i = 0; i < count; i++) {
        struct pair *last = kept ? &list[kept - 1] : NULL;

        if (!last || compare_pairs(last, &list[i])) {
            list[kept++] = list[i];
            continue;
        }
        if (list[i].us > last->frame_us) {
            last->frame = list[i].frame;
            last->other = list[i].other;
            last->frame_us = list[i].us;
        }
        last->us += list[i].us;
    }
    return kept;
}

static int compare_owners(const void *a, const void *b)
{
    const struct owner_cost *x = a, *y = b;

    if (x->all_us != y->all_us)
        return x->all_us > y->all_us ? -1 : 1;
    return x->frame < y->frame ? -1 : x->frame > y->frame;
}

static int compare_leaves(const void *a, const void *b)
{
    const struct owner_leaf *x = a, *y = b;

    if (x->us != y->us)
        return x->us > y->us ? -1 : 1;
    return x->leaf < y->leaf ? -1 : x->leaf > y->leaf;
}

/* PAIRS are (owner, what it called), joined. */
static void take_owners(struct owner_costs *costs, const struct pair *pairs, size_t count)
{
    uint64_t heaviest_line = 0, heaviest_via = 0;

    costs->owners = xcalloc(count + 1, sizeof(*costs->owners));
    for (size_t i = 0; i < count; i++) {
        const struct pair *p = &pairs[i];
        struct owner_cost *owner;

        if (p->frame == UINT32_MAX)
            continue;
        if (!i || pairs[i - 1].key != p->key) {
            costs->owners[costs->owner_count++] = (struct owner_cost){.frame = p->frame, .via = UINT32_MAX};
            heaviest_line = heaviest_via = 0;
        }
        owner = &costs->owners[costs->owner_count - 1];
        owner->all_us += p->us;
        if (p->frame_us > heaviest_line) {
            owner->frame = p->frame;
            heaviest_line = p->frame_us;
        }
        if (p->other == UINT32_MAX) {
            owner->self_us += p->us;
        } else if (p->us > heaviest_via) {
            owner->via = p->other;
            heaviest_via = p->us;
        }
    }
    qsort(costs->owners, costs->owner_count, sizeof(*costs->owners), compare_owners);
}

static void take_leaves(struct owner_costs *costs, const struct pair *pairs, size_t count)
{
    costs->leaves = xcalloc(count + 1, sizeof(*costs->leaves));
    for (size_t i = 0; i < count; i++)
        costs->leaves[costs->leaf_count++] = (struct owner_leaf){pairs[i].frame, pairs[i].other, pairs[i].us};
    qsort(costs->leaves, costs->leaf_count, sizeof(*costs->leaves), compare_leaves);
}

/* Microseconds by node in WINDOW, without the profiler's. */
static uint64_t *weights_of(const struct session *s, const struct rows *rows, unsigned value,
                            const struct time_window *window)
{
    uint64_t *us = xcalloc(s->tree.node_count + 1, sizeof(*us));
    bool *is_ours = xcalloc(s->tree.node_count + 1, sizeof(*is_ours));

    window_mark_ours(s, is_ours);
    for (size_t row = 0; row < rows->count; row++) {
        double share = window_share(rows, rows->bucket[row], window);

        if (share > 0 && rows->key[row] < s->tree.node_count && !is_ours[rows->key[row]])
            us[rows->key[row]] += (uint64_t)llround((double)rows->value[value][row] * share);
    }
    free(is_ours);
    return us;
}

void owner_costs_of(const struct session *s, const uint64_t *amounts, const struct owner_map *map,
                    struct owner_costs *costs)
{
    const struct calltree *tree = &s->tree;
    struct pair *vias = xcalloc(tree->node_count + 1, sizeof(*vias));
    struct pair *leaves = xcalloc(tree->node_count + 1, sizeof(*leaves));
    size_t count = 0;

    *costs = (struct owner_costs){0};
    for (int32_t i = 0; (size_t)i < tree->node_count; i++) {
        int32_t owner = map->owner[i], via = map->via[i];
        uint64_t us = amounts[i];
        struct pair pair = {.key = key_of(tree, owner), .frame = frame_index(tree, owner), .frame_us = us, .us = us};

        if (!us)
            continue;
        costs->all_us += us;
        vias[count] = leaves[count] = pair;
        vias[count].second = key_of(tree, via);
        vias[count].other = frame_index(tree, via);
        leaves[count].second = key_of(tree, i);
        leaves[count++].other = tree->nodes[i].frame;
    }
    take_owners(costs, vias, join_pairs(vias, count));
    take_leaves(costs, leaves, join_pairs(leaves, count));
    free(vias);
    free(leaves);
}

void owner_costs_compute(const struct session *s, const struct rows *rows, unsigned value, const struct owner_map *map,
                         const struct time_window *window, struct owner_costs *costs)
{
    uint64_t *us = weights_of(s, rows, value, window);

    owner_costs_of(s, us, map, costs);
    free(us);
}

void owner_costs_release(struct owner_costs *costs)
{
    free(costs->owners);
    free(costs->leaves);
}
