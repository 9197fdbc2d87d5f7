/* SPDX-License-Identifier: MIT */
#include "session/calltree.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

void calltree_init(struct calltree *tree, size_t node_limit)
{
    *tree = (struct calltree){.node_limit = node_limit};
}

void calltree_release(struct calltree *tree)
{
    free(tree->modules);
    free(tree->frames);
    free(tree->nodes);
    free(tree->module_index.slots);
    free(tree->frame_index.slots);
    free(tree->node_index.slots);
    *tree = (struct calltree){0};
}

typedef uint64_t (*hash_fn)(const struct calltree *tree, size_t element);

static uint64_t hash_module(const struct calltree *tree, size_t i)
{
    return hash_pair(tree->modules[i].path, tree->modules[i].build_id);
}

static uint64_t frame_hash(const struct frame *frame)
{
    if (frame->object == CALLTREE_NO_MODULE)
        return hash_pair(frame->func, 0x6e616d65u + frame->layer);
    return hash_pair(frame->addr, (uint64_t)frame->inline_depth << 32 | (uint32_t)frame->object);
}

static uint64_t hash_frame(const struct calltree *tree, size_t i)
{
    return frame_hash(&tree->frames[i]);
}

static uint64_t hash_node(const struct calltree *tree, size_t i)
{
    return hash_pair((uint32_t)tree->nodes[i].parent, tree->nodes[i].frame);
}

/* Room for one more element beside the COUNT that are there; rebuilds at three quarters. */
static void index_reserve(struct calltree_index *index, const struct calltree *tree, size_t count, hash_fn hash)
{
    if (index->slot_count && (count + 1) * 4 <= index->slot_count * 3)
        return;
    index->slot_count = index->slot_count ? index->slot_count * 2 : 64;
    free(index->slots);
    index->slots = xcalloc(index->slot_count, sizeof(*index->slots));
    for (size_t i = 0; i < count; i++) {
        size_t slot = hash(tree, i) & (index->slot_count - 1);

        while (index->slots[slot])
            slot = (slot + 1) & (index->slot_count - 1);
        index->slots[slot] = (uint32_t)i + 1;
    }
}

uint32_t calltree_module(struct calltree *tree, string_id path, string_id build_id, bool *is_new)
{
    struct calltree_index *index = &tree->module_index;
    size_t slot;

    index_reserve(index, tree, tree->module_count, hash_module);
    slot = hash_pair(path, build_id) & (index->slot_count - 1);
    for (; index->slots[slot]; slot = (slot + 1) & (index->slot_count - 1)) {
        const struct module *module = &tree->modules[index->slots[slot] - 1];

        if (module->path == path && module->build_id == build_id) {
            if (is_new)
                *is_new = false;
            return index->slots[slot] - 1;
        }
    }
    GROW(tree->modules, tree->module_count + 1, tree->module_cap);
    tree->modules[tree->module_count] = (struct module){.path = path, .build_id = build_id};
    index->slots[slot] = (uint32_t)++tree->module_count;
    if (is_new)
        *is_new = true;
    return (uint32_t)tree->module_count - 1;
}

static bool same_frame(const struct frame *a, const struct frame *b)
{
    if (a->object != b->object)
        return false;
    if (a->object == CALLTREE_NO_MODULE)
        return a->func == b->func && a->layer == b->layer;
    return a->addr == b->addr && a->inline_depth == b->inline_depth;
}

static uint32_t find_frame(struct calltree *tree, const struct frame *wanted)
{
    struct calltree_index *index = &tree->frame_index;
    size_t slot;

    index_reserve(index, tree, tree->frame_count, hash_frame);
    slot = frame_hash(wanted) & (index->slot_count - 1);
    for (; index->slots[slot]; slot = (slot + 1) & (index->slot_count - 1))
        if (same_frame(&tree->frames[index->slots[slot] - 1], wanted))
            return index->slots[slot] - 1;
    GROW(tree->frames, tree->frame_count + 1, tree->frame_cap);
    tree->frames[tree->frame_count] = *wanted;
    index->slots[slot] = (uint32_t)++tree->frame_count;
    return (uint32_t)tree->frame_count - 1;
}

uint32_t calltree_frame(struct calltree *tree, uint32_t module, uint64_t addr)
{
    return find_frame(tree, &(struct frame){.object = (int32_t)module, .addr = addr});
}

uint32_t calltree_inlined_frame(struct calltree *tree, uint32_t module, uint64_t addr, uint32_t inline_depth)
{
    return find_frame(
        tree, &(struct frame){.object = (int32_t)module, .addr = addr, .inline_depth = inline_depth, .inlined = true});
}

uint32_t calltree_named_frame(struct calltree *tree, string_id func, enum layer layer)
{
    return find_frame(tree, &(struct frame){.object = CALLTREE_NO_MODULE, .func = func, .layer = layer});
}

int32_t calltree_child(struct calltree *tree, int32_t parent, uint32_t frame)
{
    struct calltree_index *index = &tree->node_index;
    size_t slot;

    index_reserve(index, tree, tree->node_count, hash_node);
    slot = hash_pair((uint32_t)parent, frame) & (index->slot_count - 1);
    for (; index->slots[slot]; slot = (slot + 1) & (index->slot_count - 1)) {
        const struct node *node = &tree->nodes[index->slots[slot] - 1];

        if (node->parent == parent && node->frame == frame)
            return (int32_t)index->slots[slot] - 1;
    }
    if (tree->node_count >= tree->node_limit) {
        tree->folded++;
        return parent == CALLTREE_NO_NODE ? 0 : parent;
    }
    GROW(tree->nodes, tree->node_count + 1, tree->node_cap);
    tree->nodes[tree->node_count] = (struct node){.parent = parent, .frame = frame};
    index->slots[slot] = (uint32_t)++tree->node_count;
    return (int32_t)tree->node_count - 1;
}
