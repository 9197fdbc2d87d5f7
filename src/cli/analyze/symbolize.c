/* SPDX-License-Identifier: MIT */
#include "analyze/symbolize.h"

#include <stdlib.h>
#include <string.h>

#include "analyze/layers.h"
#include "base/alloc.h"
#include "core/clock.h"
#include "core/path.h"
#include "symbol/symbol.h"

/*
 * The tree is built anew beside the old one: a physical frame's node becomes a chain, the physical function outermost
 * and the innermost inlined one last, and the old node's rows move to the last. Nodes of inlined frames that an earlier
 * symbolisation made are dropped where their address was resolved again: what hangs on them moves with their physical
 * frame.
 */
struct answer {
    uint32_t first, count; /* in run.chain, innermost first; count 0: not resolved now, keep what is there */
};

/* A distribution may have done to all its libraries what this one has. */
enum { MOST_LACKS = 3 };

struct run {
    struct session *s;
    const struct symbolize_options *options;
    struct symbols *symbols;
    struct layer_rules *rules;
    struct answer *answers; /* by frame */
    struct frame *chain;
    size_t chain_count, chain_cap;
    unsigned lacks; /* modules whose debug information could not be read whole */
    struct symbolize_result result;
};

static bool is_physical(const struct frame *frame)
{
    return frame->object != CALLTREE_NO_MODULE && !frame->inline_depth;
}

static struct frame frame_from(struct session *s, const struct layer_rules *rules, const struct frame *raw,
                               const struct symbol_frame *symbol)
{
    struct layer_verdict verdict = layer_of(rules, (uint32_t)raw->object, symbol);

    return (struct frame){
        .object = raw->object,
        .addr = raw->addr,
        .func = strings_add_str(&s->strings, symbol->name),
        .crate = verdict.crate,
        .file = strings_add_str(&s->strings, symbol->file),
        .line = symbol->line,
        .layer = verdict.layer,
        .inlined = symbol->inlined,
    };
}

static void keep_answer(struct run *run, uint32_t frame, const struct symbol_frame *symbols, size_t count)
{
    const struct frame *raw = &run->s->tree.frames[frame];

    run->answers[frame] = (struct answer){(uint32_t)run->chain_count, (uint32_t)count};
    GROW(run->chain, run->chain_count + count, run->chain_cap);
    for (size_t i = 0; i < count; i++) {
        struct frame *named = &run->chain[run->chain_count++];

        *named = frame_from(run->s, run->rules, raw, &symbols[i]);
        named->inline_depth = (uint32_t)(count - 1 - i);
        named->inlined = named->inline_depth > 0;
    }
}

static enum module_symbols symbols_of(enum symbol_kind kind)
{
    static const enum module_symbols by_kind[] = {
        [SYMBOLS_FROM_NOTHING] = MODULE_SYMBOLS_NONE,
        [SYMBOLS_FROM_DYNSYM] = MODULE_SYMBOLS_DYNSYM,
        [SYMBOLS_FROM_SYMTAB] = MODULE_SYMBOLS_SYMTAB,
        [SYMBOLS_FROM_DWARF] = MODULE_SYMBOLS_DWARF,
    };

    return by_kind[kind];
}

/* Kernel and JIT addresses of another boot or process must not be looked up here. */
static bool means_something_here(const struct run *run, const char *path)
{
    return run->options->live || (strcmp(path, SYMBOL_KERNEL_PATH) != 0 && strncmp(path, "[anon", 5) != 0);
}

static struct symbol_module *open_module(struct run *run, struct module *module)
{
    struct strings *strings = &run->s->strings;
    const char *path = strings_get(strings, module->path);
    struct symbol_module *opened;

    if (!means_something_here(run, path))
        return NULL;
    opened = symbols_open(run->symbols,
                          &(struct symbol_source){
                              .path = path,
                              .open_path = module->open_path ? strings_get(strings, module->open_path) : NULL,
                              .fd = -1,
                              .build_id = strings_get(strings, module->build_id),
                          },
                          NULL);
    if (!opened)
        return NULL;
    if (!module->build_id)
        module->build_id = strings_add_str(strings, symbol_module_build_id(opened));
    if (!module->arch)
        module->arch = strings_add_str(strings, symbol_module_arch(opened));
    return opened;
}

/* A module that cannot be read: `libfoo.so+0x1234`, unless an earlier run knew better. */
static void name_unreadable(struct run *run, uint32_t frame)
{
    const struct frame *raw = &run->s->tree.frames[frame];
    const char *path = strings_get(&run->s->strings, run->s->tree.modules[raw->object].path);
    struct symbol_frame symbol = {.file = "", .unnamed = true};
    char *name;

    if (raw->func)
        return;
    if (!strcmp(path, SYMBOL_KERNEL_PATH))
        name = xstrdup("[kernel]");
    else if (!strncmp(path, "[anon", 5))
        name = xstrdup("[anon]");
    else
        name = xasprintf("%s+0x%llx", rs_path_base(path), (unsigned long long)raw->addr);
    symbol.name = symbol.linkage = name;
    keep_answer(run, frame, &symbol, 1);
    run->result.unknown++;
    free(name);
}

/* The frames of one module, in ascending order of addresses. */
static void resolve_module(struct run *run, const uint32_t *frames, size_t count)
{
    struct module *module = &run->s->tree.modules[run->s->tree.frames[frames[0]].object];
    struct symbol_module *opened = open_module(run, module);
    const char *lack;

    run->result.modules++;
    run->result.unreadable_modules += !opened;
    for (size_t i = 0; i < count; i++) {
        const struct symbol_frame *chain;
        const struct frame *raw = &run->s->tree.frames[frames[i]];
        size_t depth;

        run->result.addresses++;
        if (!opened) {
            name_unreadable(run, frames[i]);
            continue;
        }
        depth = symbol_resolve(opened, raw->addr, &chain);
        run->result.unknown += chain[0].unnamed;
        /* What has only a made-up name here may have had a real one where it was recorded. */
        if (!chain[0].unnamed || !raw->func)
            keep_answer(run, frames[i], chain, depth);
    }
    if (!opened)
        return;
    lack = symbol_module_lacks(opened);
    if (lack && run->lacks++ < MOST_LACKS)
        session_warn(run->s, "%s", lack);
    module->symbols = symbols_of(symbol_module_kind(opened));
    symbol_module_finish(opened);
}

static const struct frame *sorting_frames; /* qsort has no context; the CLI symbolises on one thread */

static int compare_addresses(const void *a, const void *b)
{
    const struct frame *x = &sorting_frames[*(const uint32_t *)a], *y = &sorting_frames[*(const uint32_t *)b];

    if (x->object != y->object)
        return x->object < y->object ? -1 : 1;
    return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static void resolve_all(struct run *run)
{
    const struct calltree *tree = &run->s->tree;
    uint32_t *order = xreallocarray(NULL, tree->frame_count + 1, sizeof(*order));
    size_t count = 0;

    for (size_t i = 0; i < tree->frame_count; i++)
        if (is_physical(&tree->frames[i]))
            order[count++] = (uint32_t)i;
    sorting_frames = tree->frames;
    qsort(order, count, sizeof(*order), compare_addresses);
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count && tree->frames[order[end]].object == tree->frames[order[begin]].object;
             end++)
            ;
        resolve_module(run, order + begin, end - begin);
    }
    free(order);
}

/* ---- the new tree ---- */

static uint32_t put_frame(struct calltree *tree, const struct frame *frame)
{
    uint32_t index;

    if (frame->object == CALLTREE_NO_MODULE)
        index = calltree_named_frame(tree, frame->func, frame->layer);
    else if (frame->inline_depth)
        index = calltree_inlined_frame(tree, (uint32_t)frame->object, frame->addr, frame->inline_depth);
    else
        index = calltree_frame(tree, (uint32_t)frame->object, frame->addr);
    tree->frames[index] = *frame;
    return index;
}

/* Whether node NUMBER is an inlined frame that an earlier run made, of an address that was resolved again. */
static bool is_superseded(const struct run *run, const struct calltree *old, const int32_t *physical, size_t number)
{
    const struct frame *frame = &old->frames[old->nodes[number].frame];

    return frame->inline_depth && physical[number] >= 0 && run->answers[physical[number]].count &&
           old->frames[physical[number]].object == frame->object && old->frames[physical[number]].addr == frame->addr;
}

/* The chain of FRAME below PARENT, outermost first. Returns its innermost node. */
static int32_t put_chain(struct run *run, struct calltree *tree, int32_t parent, uint32_t frame)
{
    struct answer answer = run->answers[frame];

    for (uint32_t i = answer.count; i-- > 0;)
        parent = calltree_child(tree, parent, put_frame(tree, &run->chain[answer.first + i]));
    return parent;
}

/* Builds TREE; MAP gets the new node of each old one. */
static void build_tree(struct run *run, struct calltree *tree, int32_t *map)
{
    const struct calltree *old = &run->s->tree;
    /* For each node the frame that is physically there: its own, or its inlined frame's, which stands above it. */
    int32_t *physical = xreallocarray(NULL, old->node_count + 1, sizeof(*physical));

    for (size_t i = 0; i < old->node_count; i++) {
        const struct node *node = &old->nodes[i];
        const struct frame *frame = &old->frames[node->frame];
        int32_t parent = node->parent < 0 ? CALLTREE_NO_NODE : map[node->parent];

        physical[i] = is_physical(frame) ? (int32_t)node->frame : -1;
        if (frame->inline_depth && node->parent >= 0)
            physical[i] = physical[node->parent];
        if (is_superseded(run, old, physical, i))
            map[i] = parent;
        else if (is_physical(frame) && run->answers[node->frame].count)
            map[i] = put_chain(run, tree, parent, node->frame);
        else
            map[i] = calltree_child(tree, parent, put_frame(tree, frame));
    }
    free(physical);
}

static int compare_stats(const void *a, const void *b)
{
    const struct alloc_stats *x = a, *y = b;

    return x->node < y->node ? -1 : x->node > y->node;
}

/* Call paths that became one. */
static void merge_stats(struct allocations *allocations)
{
    size_t kept = 0;

    if (allocations->stats_count)
        qsort(allocations->stats, allocations->stats_count, sizeof(*allocations->stats), compare_stats);
    for (size_t i = 0; i < allocations->stats_count; i++) {
        const struct alloc_stats *from = &allocations->stats[i];
        struct alloc_stats *into = kept ? &allocations->stats[kept - 1] : NULL;

        if (!into || into->node != from->node) {
            allocations->stats[kept++] = *from;
            continue;
        }
        if (from->count > into->count)
            into->lifetime_p50_us = from->lifetime_p50_us;
        into->count += from->count;
        into->bytes += from->bytes;
        into->peak_bytes += from->peak_bytes;
        into->leaked_bytes += from->leaked_bytes;
        into->leaked_count += from->leaked_count;
        into->temporary += from->temporary;
    }
    allocations->stats_count = kept;
}

static int32_t mapped(const int32_t *map, size_t count, int32_t node)
{
    return node >= 0 && (size_t)node < count ? map[node] : node;
}

/* Everything in a session that names a node. */
static void remap_session(struct session *s, const int32_t *map, size_t count)
{
    rows_remap_keys(&s->cpu_rows, (const uint32_t *)map, count);
    rows_remap_keys(&s->offcpu_rows, (const uint32_t *)map, count);
    rows_remap_keys(&s->alloc_rows, (const uint32_t *)map, count);
    for (size_t i = 0; i < s->allocations.stats_count; i++)
        s->allocations.stats[i].node = mapped(map, count, s->allocations.stats[i].node);
    merge_stats(&s->allocations);
    for (size_t i = 0; i < s->allocations.leak_count; i++)
        s->allocations.leaks[i].node = mapped(map, count, s->allocations.leaks[i].node);
    for (size_t e = 0; e < s->event_count; e++)
        for (size_t i = 0; i < s->events[e].allocation_count; i++)
            s->events[e].allocations[i].node = mapped(map, count, s->events[e].allocations[i].node);
}

/* The new tree takes the old one's modules over, so their indices stay. */
static void replace_tree(struct run *run)
{
    struct session *s = run->s;
    int32_t *map = xreallocarray(NULL, s->tree.node_count + 1, sizeof(*map));
    struct calltree tree;

    calltree_init(&tree, s->tree.node_limit);
    tree.modules = s->tree.modules;
    tree.module_count = s->tree.module_count;
    tree.module_cap = s->tree.module_cap;
    tree.module_index = s->tree.module_index;
    tree.folded = s->tree.folded;
    build_tree(run, &tree, map);
    remap_session(s, map, s->tree.node_count);
    s->tree.modules = NULL;
    s->tree.module_index.slots = NULL;
    calltree_release(&s->tree);
    s->tree = tree;
    free(map);
}

struct symbolize_result symbolize(struct session *s, const struct symbolize_options *options)
{
    struct run run = {.s = s, .options = options};

    run.symbols = symbols_new(&(struct symbols_options){
        .cache = !options->no_cache,
        .cache_dir = options->cache_dir,
        .debug_root = options->debug_root,
        .debuginfod = options->debuginfod,
        .cwd = strings_get(&s->strings, s->meta.cwd),
        .stop = options->stop,
    });
    run.rules = layer_rules_new(s);
    run.answers = xcalloc(s->tree.frame_count + 1, sizeof(*run.answers));
    resolve_all(&run);
    run.result.from_cache = symbols_stats(run.symbols).from_cache;
    replace_tree(&run);
    s->diagnostics.unknown_symbols = run.result.unknown;
    layer_rules_free(run.rules);
    symbols_free(run.symbols);
    free(run.answers);
    free(run.chain);
    return run.result;
}

/* ---- the live screen ---- */

struct live_names {
    struct session *s;
    struct symbols *symbols;
    struct layer_rules *rules;
    size_t rule_modules;           /* modules that the rules know */
    struct symbol_module **opened; /* by module; NULL: not tried, or not readable */
    bool *tried;
    size_t opened_count;
    size_t done; /* frames looked at */
};

struct live_names *live_names_new(struct session *s)
{
    struct live_names *names = xcalloc(1, sizeof(*names));

    names->s = s;
    names->symbols = symbols_new(&(struct symbols_options){.tables_only = true});
    return names;
}

void live_names_free(struct live_names *names)
{
    if (!names)
        return;
    symbols_free(names->symbols);
    layer_rules_free(names->rules);
    free(names->opened);
    free(names->tried);
    free(names);
}

static struct symbol_module *live_module(struct live_names *names, uint32_t number)
{
    const struct module *module = &names->s->tree.modules[number];
    struct strings *strings = &names->s->strings;

    if (number >= names->opened_count) {
        size_t count = number + 16;

        names->opened = xreallocarray(names->opened, count, sizeof(*names->opened));
        names->tried = xreallocarray(names->tried, count, sizeof(*names->tried));
        memset(names->opened + names->opened_count, 0, (count - names->opened_count) * sizeof(*names->opened));
        memset(names->tried + names->opened_count, 0, (count - names->opened_count) * sizeof(*names->tried));
        names->opened_count = count;
    }
    if (!names->tried[number]) {
        names->tried[number] = true;
        names->opened[number] = symbols_open(
            names->symbols,
            &(struct symbol_source){.path = strings_get(strings, module->path),
                                    .open_path = module->open_path ? strings_get(strings, module->open_path) : NULL,
                                    .fd = -1,
                                    .build_id = strings_get(strings, module->build_id)},
            NULL);
    }
    return names->opened[number];
}

/* Rules are made from the modules that there are. */
static void refresh_rules(struct live_names *names)
{
    if (names->rules && names->rule_modules == names->s->tree.module_count)
        return;
    layer_rules_free(names->rules);
    names->rules = layer_rules_new(names->s);
    names->rule_modules = names->s->tree.module_count;
}

void live_names_update(struct live_names *names, uint64_t budget_ns)
{
    struct calltree *tree = &names->s->tree;
    uint64_t until_ns = rs_clock_mono_ns() + budget_ns;

    refresh_rules(names);
    for (; names->done < tree->frame_count; names->done++) {
        struct frame *frame = &tree->frames[names->done];
        const struct symbol_frame *chain;
        struct symbol_module *module;

        if (!is_physical(frame) || frame->func)
            continue;
        if (names->done % 16 == 0 && rs_clock_mono_ns() > until_ns)
            return;
        module = live_module(names, (uint32_t)frame->object);
        if (module && symbol_resolve(module, frame->addr, &chain))
            *frame = frame_from(names->s, names->rules, frame, &chain[0]);
    }
}
