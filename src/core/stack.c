/* SPDX-License-Identifier: MIT */
#include "core/stack.h"

#include <stdatomic.h>
#include <string.h>

#include "core/channel.h"
#include "core/stack_local.h"
#include "core/wire.h"

enum {
    NODE_SLOTS_FIRST = 4096, /* 64 KiB: a big sparse table costs a page fault a node */
    NODE_WAIT_SPINS = 2000,  /* how long to wait for a slot that another thread is filling */
    FORKS = 3,               /* in a row */
    SHAPE_BLOCK = 4,         /* words of a shape are summed up so many at a time */
    FRONT = RS_STACK_SHAPE_WORDS + RS_STACK_BLOCK,
    SNAPSHOT_BYTES = 64 * 1024, /* of a stack that may not be read directly */
    MEMO_TRUNCATED = 1 << 30,   /* added to the depth of stacks without an end */
};

#define NODE_CLAIMED UINT32_MAX

/* Sets saved frame pointers apart from return addresses in a sum. */
#define FP_WORD 0xd6e8feb86659fd93u

struct rs_node_entry {
    uint64_t key; /* address | generation << 48 */
    uint32_t parent;
    _Atomic uint32_t id; /* 0 free, NODE_CLAIMED while it is being filled */
};

struct rs_node_table {
    uint32_t mask;
    uint32_t unused[3];
    struct rs_node_entry entry[];
};

/*
 * Of hashes that are sums: odd, fixed, without pattern. Filled once, with the same values by whoever comes first. Those
 * of the kept stack's frames begin at FRONT, those in front are for what is read apart from it.
 */
static uint64_t coefficients[FRONT + RS_STACK_FRAMES];

/* c[i] of the kept stack. */
static uint64_t coefficient(uint32_t i)
{
    return coefficients[FRONT + i];
}

static void fill_coefficients(void)
{
    for (uint32_t i = FRONT + RS_STACK_FRAMES; i-- > 0;) {
        uint64_t x = (i + 1) * 0x9e3779b97f4a7c15u;

        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
        x = (x ^ x >> 27) * 0x94d049bb133111ebu;
        __atomic_store_n(&coefficients[i], x | 1, __ATOMIC_RELEASE);
    }
}

/* ---- the node table ---- */

static uint32_t node_slot(uint64_t key, uint32_t parent, uint32_t mask)
{
    uint64_t x = (key ^ (uint64_t)parent << 20) * 0x9e3779b97f4a7c15u;

    return (uint32_t)(x >> 32 ^ x >> 12) & mask;
}

static size_t node_table_bytes(uint32_t slots)
{
    return sizeof(struct rs_node_table) + (size_t)slots * sizeof(struct rs_node_entry);
}

static struct rs_node_table *node_table_new(uint32_t slots)
{
    struct rs_node_table *table = rs_channel_memory(node_table_bytes(slots));

    if (table)
        table->mask = slots - 1;
    return table;
}

/*
 * Twice the slots. One thread copies; the others go on in the old table, and what they add there may be missing in the
 * new one: it gets a second id later. The old table stays mapped, others may be reading it: all of them together are
 * smaller than the newest.
 */
static void grow_table(struct rs_nodes *nodes, struct rs_node_table *old)
{
    struct rs_node_table *table;
    uint32_t idle = 0;

    if (!atomic_compare_exchange_strong(&nodes->growing, &idle, 1))
        return;
    table = atomic_load(&nodes->table) == old ? node_table_new((old->mask + 1) * 2) : NULL;
    for (uint32_t i = 0; table && i <= old->mask; i++) {
        uint32_t id = atomic_load_explicit(&old->entry[i].id, memory_order_acquire);
        uint32_t slot;

        if (!id || id == NODE_CLAIMED)
            continue;
        slot = node_slot(old->entry[i].key, old->entry[i].parent, table->mask);
        while (atomic_load_explicit(&table->entry[slot].id, memory_order_relaxed))
            slot = (slot + 1) & table->mask;
        table->entry[slot].key = old->entry[i].key;
        table->entry[slot].parent = old->entry[i].parent;
        atomic_store_explicit(&table->entry[slot].id, id, memory_order_relaxed);
    }
    if (table)
        atomic_store_explicit(&nodes->table, table, memory_order_release);
    atomic_store(&nodes->growing, 0);
}

static struct rs_node_table *current_table(struct rs_nodes *nodes)
{
    struct rs_node_table *table = atomic_load_explicit(&nodes->table, memory_order_acquire), *none = NULL;

    if (table)
        return table;
    table = node_table_new(NODE_SLOTS_FIRST);
    if (table && !atomic_compare_exchange_strong(&nodes->table, &none, table)) {
        rs_channel_memory_release(table, node_table_bytes(NODE_SLOTS_FIRST));
        table = none;
    }
    return table;
}

/* The module of ADDRESS from the thread's small table, announced when it is new; id 0 and bias 0 without one. */
static struct rs_stack_module find_module(struct rs_stack *s, uint64_t address)
{
    struct rs_stack_module found = {0};
    const struct rs_unwind_module *m;
    struct rs_unwind_module scratch;

    for (uint32_t i = 0; i < s->module_count; i++)
        if (address - s->module[i].start < s->module[i].end - s->module[i].start)
            return s->module[i];
    m = rs_unwind_find_local(NULL, address, &scratch);
    if (!m)
        return found;
    found = (struct rs_stack_module){.start = m->start, .end = m->end, .bias = m->bias,
                                     .id = atomic_fetch_add(&s->nodes->modules, 1) + 1};
    if (!s->sink.module(s->sink.ctx, &found, rs_stack_module_path(address, s->path, sizeof(s->path))))
        return (struct rs_stack_module){0};
    s->module[s->module_count < RS_STACK_MODULES ? s->module_count++ : found.id % RS_STACK_MODULES] = found;
    return found;
}

/* A new id for (PARENT, ADDRESS), which lies in M; 0 when nobody could be told. */
static uint32_t announce(struct rs_stack *s, uint32_t parent, uint64_t address, const struct rs_stack_module *m)
{
    uint32_t id = atomic_fetch_add(&s->nodes->count, 1) + 1;

    return s->sink.node(s->sink.ctx, id, parent, m->id, address - m->bias) ? id : 0;
}

/*
 * The node (PARENT, ADDRESS), made when it is new; 0 when it could not be. A slot is claimed for as short as can be, but
 * its thread may be taken off the processor, or be the one that we interrupted: who has waited enough gives the node a
 * second id, and the reader, who knows nodes by parent and address, makes one of the two.
 */
static uint32_t node_of(struct rs_stack *s, uint32_t parent, uint64_t address)
{
    uint64_t key = (address & 0x0000ffffffffffffu) | (uint64_t)s->generation << 48;
    struct rs_node_table *table = current_table(s->nodes);
    struct rs_stack_module m = {0};
    uint32_t slot, id, spins = 0;
    bool module_known = address == RS_ADDRESS_TRUNCATED;

    if (!table)
        return 0;
    slot = node_slot(key, parent, table->mask);
    for (;;) {
        struct rs_node_entry *entry = &table->entry[slot];

        id = atomic_load_explicit(&entry->id, memory_order_acquire);
        if (id == NODE_CLAIMED) {
            if (spins++ < NODE_WAIT_SPINS)
                continue;
            if (!module_known)
                m = find_module(s, address - 1);
            if (atomic_load_explicit(&s->nodes->count, memory_order_relaxed) >= RS_PACKED_NODE_MAX)
                return 0;
            return announce(s, parent, address, &m);
        }
        if (id) {
            if (entry->key == key && entry->parent == parent)
                return id;
            slot = (slot + 1) & table->mask;
            continue;
        }
        id = atomic_load_explicit(&s->nodes->count, memory_order_relaxed);
        if (id >= RS_PACKED_NODE_MAX || id > table->mask - table->mask / 8) /* full: it could not grow */
            return 0;
        if (!module_known) { /* it may have to be asked for: not with the slot in hand */
            m = find_module(s, address - 1);
            module_known = true;
            continue;
        }
        id = 0;
        if (!atomic_compare_exchange_strong(&entry->id, &id, NODE_CLAIMED))
            continue;
        entry->key = key;
        entry->parent = parent;
        id = announce(s, parent, address, &m); /* 0: the slot is free again */
        atomic_store_explicit(&entry->id, id, memory_order_release);
        if (id > table->mask / 2)
            grow_table(s->nodes, table);
        return id;
    }
}

/* ---- the previous stack ---- */

/* Words of the stack, also of its dead part, and beside a sanitizer's variables. */
static __attribute__((no_sanitize("address"))) uint64_t load(uint64_t address)
{
    return *(const volatile uint64_t *)(uintptr_t)address;
}

/* Where frame I's return address is: its place, and the place of its place. */
static uint64_t *return_at(struct rs_stack *s, uint32_t i)
{
    return &s->ra_at[RS_STACK_BLOCK + i];
}

static void drop_inner(struct rs_stack *s, uint32_t depth)
{
    uint64_t hash = s->hash;

    for (uint32_t i = depth; i < s->depth; i++)
        hash -= s->pc[i] * coefficient(i);
    s->hash = hash;
    s->depth = depth;
    if (s->valid_nodes > depth)
        s->valid_nodes = depth;
    while (s->checked_count && s->checked[s->checked_count - 1] >= depth)
        s->checked_count--;
}

static void replace_pc(struct rs_stack *s, uint32_t i, uint64_t pc)
{
    s->hash += (pc - s->pc[i]) * coefficient(i);
    s->pc[i] = pc;
    if (s->valid_nodes > i)
        s->valid_nodes = i;
}

/* What reading the word at AT for frame I adds to the hash of places. */
static uint64_t place(uint64_t at, uint32_t i)
{
    return at * 0x94d049bb133111ebu * coefficient(i);
}

static void append_frame(struct rs_stack *s, uint64_t pc, uint64_t sp, uint64_t fp, uint32_t rule)
{
    uint32_t i = s->depth++;
    bool outer_needs = i && s->needs_fp[i - 1];
    uint64_t cfa = 0, at = (uintptr_t)&s->zero;

    s->pc[i] = pc;
    s->sp[i] = sp;
    s->fp[i] = fp;
    s->rule[i] = rule;
    s->fp_at[i] = 0;
    s->needs_fp[i] = false;
    if (rs_rule_kind(rule) != RS_RULE_ROOT) {
        cfa = (rs_rule_kind(rule) == RS_RULE_SP ? sp : fp) + rs_rule_cfa_offset(rule);
        at = rs_rule_ra_at(rule, cfa);
        s->fp_at[i] = rs_rule_fp_at(rule, cfa);
        s->needs_fp[i] = rs_rule_kind(rule) == RS_RULE_FP || (outer_needs && !s->fp_at[i]);
        if (s->fp_at[i] && outer_needs)
            s->checked[s->checked_count++] = (uint16_t)i;
    }
    *return_at(s, i) = at;
    s->places[i] = (i ? s->places[i - 1] : 0) + place(at, i);
    if (s->fp_at[i] && outer_needs)
        s->places[i] += place(s->fp_at[i], i) * FP_WORD;
    s->hash += pc * coefficient(i);
}

/*
 * Compares every word that the walk from frame TOP outward read. Frames that now have another pc with the same rule are
 * updated in place. Returns the innermost frame from which on the stack must be walked anew, or -1 when all of it
 * stands; -2 when the root itself is another.
 */
static int verify(struct rs_stack *s, int top)
{
    uint16_t changed[RS_STACK_FRAMES];
    uint32_t count = 0;
    int broken = -1;

    for (uint32_t i = s->checked_count; i-- > 0;)
        if (s->checked[i] <= top && load(s->fp_at[s->checked[i]]) != s->fp[s->checked[i] - 1]) {
            broken = s->checked[i] - 1;
            break;
        }
    for (int i = top; i > 0; i--) {
        changed[count] = (uint16_t)i;
        count += load(*return_at(s, (uint32_t)i)) != s->pc[i - 1];
    }
    if (load(*return_at(s, 0)))
        return -2;
    for (uint32_t i = 0; i < count && changed[i] > broken; i++) {
        uint64_t pc = rs_strip_pc(load(*return_at(s, changed[i])));

        if (!pc)
            return -2;
        if (rs_rule_of(&s->unwinder, pc) != s->rule[changed[i] - 1])
            return changed[i] - 1;
        replace_pc(s, (uint32_t)changed[i] - 1, pc);
    }
    return broken;
}

/* Frames TOP .. BROKEN + 1 stand: they go in front of what is walked anew, and REGS to frame BROKEN. */
static bool keep_inner(struct rs_stack *s, int top, int broken, struct rs_regs *regs, uint32_t *count)
{
    uint64_t fp = regs->fp;

    for (int i = top; i > broken; i--) {
        if (*count == RS_STACK_FRAMES)
            return false;
        s->new_pc[*count] = s->pc[i];
        s->new_sp[*count] = s->sp[i];
        s->new_fp[*count] = fp;
        s->new_rule[(*count)++] = s->rule[i];
        if (s->fp_at[i])
            fp = load(s->fp_at[i]);
    }
    *regs =
        (struct rs_regs){.pc = rs_strip_pc(load(*return_at(s, (uint32_t)broken + 1))), .sp = s->sp[broken], .fp = fp};
    return regs->pc != 0;
}

static void forget_stack(struct rs_stack *s)
{
    s->depth = s->valid_nodes = s->checked_count = 0;
    s->hash = 0;
}

/* The new frames follow old frame TOP. */
static bool assemble(struct rs_stack *s, int top, uint32_t count)
{
    drop_inner(s, (uint32_t)(top + 1));
    if (s->depth + count > RS_STACK_FRAMES)
        return false;
    while (count-- > 0)
        append_frame(s, s->new_pc[count], s->new_sp[count], s->new_fp[count], s->new_rule[count]);
    return true;
}

/*
 * Makes the kept stack the one that REGS begins. False: it has frames that cannot be kept (odd rules, no end, too
 * many), or it is not wholly in [low, high). *KNOWN: how many of its outermost frames stood before, the last one at
 * another pc perhaps.
 */
static bool follow(struct rs_stack *s, struct rs_regs regs, uint32_t *known)
{
    int top = (int)s->depth - 1, broken;
    uint32_t count = 0, rule;

    *known = 0;
    for (;;) {
        while (top >= 0 && s->sp[top] < regs.sp)
            top--;
        if (top >= 0 && s->sp[top] == regs.sp && regs.pc == s->pc[top])
            rule = s->rule[top];
        else
            rule = rs_rule_of(&s->unwinder, regs.pc);
        if (top >= 0 && s->sp[top] == regs.sp && rule == s->rule[top] &&
            (!s->needs_fp[top] || s->fp[top] == regs.fp)) {
            broken = verify(s, top);
            if (broken == -1) {
                if (regs.pc != s->pc[top])
                    replace_pc(s, (uint32_t)top, regs.pc);
                *known = (uint32_t)top + 1;
                return assemble(s, top, count);
            }
            if (broken == -2)
                return false;
            if (regs.pc != s->pc[top])
                replace_pc(s, (uint32_t)top, regs.pc);
            if (!keep_inner(s, top, broken, &regs, &count))
                return false;
            top = broken - 1;
            rule = rs_rule_of(&s->unwinder, regs.pc);
        }
        if (count == RS_STACK_FRAMES)
            return false;
        s->new_pc[count] = regs.pc;
        s->new_sp[count] = regs.sp;
        s->new_fp[count] = regs.fp;
        s->new_rule[count++] = rule;
        if (rs_rule_kind(rule) == RS_RULE_ROOT)
            return assemble(s, -1, count);
        if (rs_rule_kind(rule) != RS_RULE_SP && rs_rule_kind(rule) != RS_RULE_FP)
            return false;
        switch (rs_rule_apply(&s->unwinder, rule, &regs)) {
        case RS_STOP_NONE:
            break;
        case RS_STOP_ROOT:
            return assemble(s, -1, count);
        default:
            return false;
        }
    }
}

static struct rs_stack_memo *memo_of(struct rs_stack *s, uint64_t hash)
{
    return &s->memo[hash >> 52];
}
_Static_assert(RS_STACK_MEMO == 1 << 12, "memo_of() takes 12 bits");

/* The node of the kept stack. A part that could not be announced is left out: it is not *WHOLE then. */
static uint32_t node_of_kept(struct rs_stack *s, bool *whole)
{
    struct rs_stack_memo *memo = memo_of(s, s->hash);
    uint32_t parent;

    *whole = true;
    if (memo->hash == s->hash && memo->depth == s->depth)
        return memo->node;
    parent = s->valid_nodes ? s->node[s->valid_nodes - 1] : 0;
    for (uint32_t i = s->valid_nodes; i < s->depth; i++) {
        uint32_t node = node_of(s, parent, s->pc[i]);

        *whole = node != 0;
        if (!node)
            return parent;
        s->node[i] = parent = node;
        s->valid_nodes = i + 1;
    }
    *memo = (struct rs_stack_memo){.hash = s->hash, .depth = s->depth, .node = parent};
    return parent;
}

/* ---- known stacks ---- */

/* A key says what is known of a stack: at first its pc and sp, then one return address more at a time. */
static uint64_t first_key(uint64_t pc, uint64_t sp)
{
    return pc * 0x9e3779b97f4a7c15u + sp * 0x94d049bb133111ebu;
}

static uint64_t next_key(uint64_t key, uint64_t pc)
{
    return (key ^ pc) * 0xbf58476d1ce4e5b9u;
}

static struct rs_stack_shape *shape_of(struct rs_stack *s, uint64_t key)
{
    return &s->shape[key >> 54];
}
_Static_assert(RS_STACK_SHAPES == 1 << 10, "shape_of() takes 10 bits");

static bool is_of(const struct rs_stack_shape *shape, uint64_t key, uint64_t sp)
{
    return shape->sp == sp && shape->key == (uint32_t)key;
}

/* The sum of all that decides the walk from PC, SP and FP, if its shape is SHAPE, and of where it lies. */
static inline uint64_t sum_up(struct rs_stack *s, const struct rs_stack_shape *shape, uint64_t pc, uint64_t fp)
{
    const uint64_t *at = return_at(s, shape->join), *c = &coefficients[FRONT + shape->join];
    uint64_t sum = shape->hash + s->places[shape->join] + pc * coefficients[0];

    for (uint32_t first = 0; first < shape->words; first += SHAPE_BLOCK)
#pragma GCC unroll 4
        for (uint32_t i = first; i < first + SHAPE_BLOCK; i++)
            sum += load(shape->sp + shape->at[i] * sizeof(uint64_t)) * coefficients[i + 1];
    if (shape->needs_fp)
        sum += fp * coefficients[FRONT - 1];
    for (int left = shape->join; left >= 0; left -= RS_STACK_BLOCK, at -= RS_STACK_BLOCK, c -= RS_STACK_BLOCK)
#pragma GCC unroll 8
        for (int i = 0; i < RS_STACK_BLOCK; i++)
            sum += load(at[-i]) * c[-i];
    for (uint32_t i = 0; i < s->checked_count && s->checked[i] <= shape->join; i++)
        sum += load(s->fp_at[s->checked[i]]) * coefficient(s->checked[i]) * FP_WORD;
    return sum;
}
_Static_assert(RS_STACK_SHAPE_WORDS + 2 <= FRONT, "sum_up() has a coefficient for each");
_Static_assert(RS_STACK_SHAPE_WORDS % SHAPE_BLOCK == 0, "whole blocks");

/* The node of the stack that begins with PC, SP and FP, if such words have been seen; else 0. */
static inline uint32_t node_of_known(struct rs_stack *s, uint64_t pc, uint64_t sp, uint64_t fp)
{
    const struct rs_stack_shape *shape;
    const struct rs_stack_memo *memo;
    uint64_t key = first_key(pc, sp), sum;

    for (uint32_t forks = 0;; forks++) {
        shape = shape_of(s, key);
        if (!is_of(shape, key, sp))
            return 0;
        if (!shape->is_fork)
            break;
        if (forks == FORKS) /* it leads to itself */
            return 0;
        key = next_key(key, load(sp + shape->at[0] * sizeof(uint64_t)));
    }
    if (shape->join >= s->depth)
        return 0;
    sum = sum_up(s, shape, pc, fp);
    memo = memo_of(s, sum);
    return memo->hash == sum && !memo->depth ? memo->node : 0;
}

/* Whether AT can be told in a shape, and goes into it. */
static bool add_word(struct rs_stack_shape *shape, uint64_t at, uint64_t kind)
{
    uint64_t up = (at - shape->sp) / sizeof(uint64_t);

    if (shape->words == RS_STACK_SHAPE_WORDS || up > UINT16_MAX || at % sizeof(uint64_t))
        return false;
    shape->at[shape->words++] = (uint16_t)up;
    shape->hash = (shape->hash + up + kind) * 0xbf58476d1ce4e5b9u;
    return true;
}

/* Whether both begin alike, as far as both go. */
static bool agree(const struct rs_stack_shape *a, const struct rs_stack_shape *b)
{
    for (uint32_t i = 0; i < a->words && i < b->words; i++)
        if (a->at[i] != b->at[i])
            return false;
    return true;
}

/*
 * Puts SHAPE, of the kept stack, where it will be found. Where stacks that begin alike have had another one the entry
 * becomes a fork: the next return address, which lies at the same place in both, decides.
 */
static void put_shape(struct rs_stack *s, struct rs_stack_shape *shape)
{
    uint32_t top = s->depth - 1;
    uint64_t key = first_key(s->pc[top], shape->sp);
    struct rs_stack_shape *entry = shape_of(s, key);

    for (uint32_t i = top; i > 0 && top - i < FORKS && is_of(entry, key, shape->sp); i--) {
        struct rs_stack_shape fork = {.sp = shape->sp, .key = (uint32_t)key, .is_fork = true};

        if (!entry->is_fork && agree(entry, shape))
            break;
        add_word(&fork, *return_at(s, i), 0);
        if (!entry->is_fork || entry->at[0] != fork.at[0])
            *entry = fork;
        key = next_key(key, s->pc[i - 1]);
        entry = shape_of(s, key);
    }
    shape->key = (uint32_t)key;
    *entry = *shape;
}

/*
 * The kept stack, whose node is NODE, will be known by its words: those beyond the first KNOWN frames, which others
 * have in common with it, become a shape, as far as they fit.
 */
static void keep_words(struct rs_stack *s, uint32_t known, uint32_t node)
{
    uint32_t top = s->depth - 1, i = top;
    struct rs_stack_shape shape = {.sp = s->sp[top], .needs_fp = s->needs_fp[top]};
    uint64_t sum;

    if (shape.sp % sizeof(uint64_t))
        return;
    for (; i > 0 && i >= known && shape.words + 2 <= RS_STACK_SHAPE_WORDS; i--) {
        if (!add_word(&shape, *return_at(s, i), 0))
            return;
        if (s->fp_at[i] && s->needs_fp[i - 1] && !add_word(&shape, s->fp_at[i], FP_WORD))
            return;
    }
    shape.join = (uint16_t)i;
    /* Whole blocks are summed up: the rest is something that the walk depends on, as often as it takes. */
    if (shape.words == 0 && (i == 0 || !add_word(&shape, *return_at(s, i), 0)))
        return;
    for (i = shape.words; i < RS_STACK_SHAPE_WORDS; i++)
        shape.at[i] = shape.at[0];
    shape.hash = (shape.hash + shape.sp) * 0x94d049bb133111ebu + shape.join + shape.needs_fp * FP_WORD;
    put_shape(s, &shape);
    sum = sum_up(s, &shape, s->pc[top], s->fp[top]);
    *memo_of(s, sum) = (struct rs_stack_memo){.hash = sum, .node = node};
}

/* ---- stacks to nodes ---- */

void rs_stack_reset(struct rs_stack *s)
{
    s->generation = __atomic_load_n(&rs_unwind_generation, __ATOMIC_ACQUIRE);
    rs_rule_cache_init(s->unwinder.cache, RS_STACK_RULE_BITS);
    forget_stack(s);
    memset(s->memo, 0, sizeof(s->memo));
    memset(s->shape, 0, sizeof(s->shape));
    s->module_count = 0;
}

/* Code may have been unmapped: what we know of pcs may be of other code now. */
static inline void check_generation(struct rs_stack *s)
{
    if (__builtin_expect(s->generation != __atomic_load_n(&rs_unwind_generation, __ATOMIC_ACQUIRE), 0))
        rs_stack_reset(s);
}

uint32_t rs_stack_intern(struct rs_stack *s, const uint64_t *pcs, unsigned count, bool complete)
{
    uint32_t depth = count + (complete ? 0 : MEMO_TRUNCATED), node = 0, next;
    struct rs_stack_memo *memo;
    uint64_t hash = 0;

    check_generation(s);
    for (unsigned i = 0; i < count; i++)
        hash += pcs[count - 1 - i] * coefficient(i % RS_STACK_FRAMES);
    memo = memo_of(s, hash);
    if (memo->hash == hash && memo->depth == depth)
        return memo->node;
    if (!complete)
        node = node_of(s, 0, RS_ADDRESS_TRUNCATED);
    for (unsigned i = count; i-- > 0; node = next) {
        next = node_of(s, node, pcs[i]);
        if (!next)
            return node;
    }
    *memo = (struct rs_stack_memo){.hash = hash, .depth = depth, .node = node};
    return node;
}

static bool no_syscalls(void)
{
    return atomic_load_explicit(&rs_channel_no_syscalls, memory_order_relaxed);
}

/*
 * Walks without keeping anything. Words beside the stack may be asked of the kernel here (behind a signal frame the
 * walk may change stacks); follow() keeps addresses and must not.
 */
static uint32_t node_of_walk(struct rs_stack *s, const struct rs_regs *regs)
{
    enum rs_stop why;
    unsigned count;

    s->unwinder.read = no_syscalls() ? NULL : rs_unwind_read_self;
    count = rs_unwind(&s->unwinder, regs, s->new_pc, RS_STACK_FRAMES, &why);
    s->unwinder.read = NULL;
    forget_stack(s);
    if (why != RS_STOP_ROOT)
        s->truncated++;
    return rs_stack_intern(s, s->new_pc, count, why == RS_STOP_ROOT);
}

/*
 * A stack that is not the thread's own as far as we know: a coroutine's, a signal stack. It may end anywhere, so it is
 * not touched: the kernel copies as much of it as there is.
 */
static uint32_t node_of_copy(struct rs_stack *s, const struct rs_regs *regs)
{
    uint32_t node;
    long got;

    if (!s->snapshot)
        s->snapshot = rs_channel_memory(SNAPSHOT_BYTES);
    got = s->snapshot ? rs_stack_copy(s->snapshot, regs->sp, SNAPSHOT_BYTES) : 0;
    if (got <= 0) {
        s->no_stack++;
        return 0;
    }
    rs_unwinder_stack(&s->unwinder, regs->sp, regs->sp + (uint64_t)got, (uintptr_t)s->snapshot - regs->sp);
    node = node_of_walk(s, regs);
    rs_unwinder_stack(&s->unwinder, s->low, s->high, 0);
    return node;
}

static void set_bounds(struct rs_stack *s, uint64_t low, uint64_t high)
{
    s->low = low;
    s->high = high;
    rs_unwinder_stack(&s->unwinder, low, high, 0);
}

/* SP lies outside [low, high): the stack has grown, or it is another one. True if it may be read directly now. */
static bool extend_bounds(struct rs_stack *s, uint64_t sp)
{
    enum { STEP = 16 * 1024 };
    uint64_t low, high;

    if (s->low_exact || sp >= s->low)
        return false;
    if (s->low - sp <= STEP) {
        set_bounds(s, sp & ~(uint64_t)15, s->high);
        return true;
    }
    s->low_exact = true;
    if (no_syscalls() || !rs_stack_bounds(s->high - 8, &low, &high) || sp < low)
        return false;
    set_bounds(s, low, s->high);
    return true;
}

static __attribute__((noinline)) uint32_t node_of_new(struct rs_stack *s, uint64_t pc, uint64_t sp, uint64_t fp)
{
    struct rs_regs regs = {.pc = pc, .sp = sp, .fp = fp};
    uint32_t known, node;
    bool whole;

    if (__builtin_expect(!follow(s, regs, &known), 0))
        return node_of_walk(s, &regs);
    node = node_of_kept(s, &whole);
    if (whole)
        keep_words(s, known, node);
    return node;
}

/* The same for a stack that may not be read directly. */
static __attribute__((noinline)) uint32_t node_elsewhere(struct rs_stack *s, uint64_t pc, uint64_t sp, uint64_t fp)
{
    return node_of_copy(s, &(struct rs_regs){.pc = pc, .sp = sp, .fp = fp});
}

uint32_t rs_stack_node(struct rs_stack *s, uint64_t pc, uint64_t sp, uint64_t fp)
{
    uint32_t node;

    check_generation(s);
    if (__builtin_expect(sp - s->low >= s->high - s->low, 0) && !extend_bounds(s, sp))
        return node_elsewhere(s, pc, sp, fp);
    node = node_of_known(s, pc, sp, fp);
    return __builtin_expect(node != 0, 1) ? node : node_of_new(s, pc, sp, fp);
}

void rs_stack_init(struct rs_stack *s, struct rs_nodes *nodes, const struct rs_stack_sink *sink, bool is_main)
{
    uint64_t low = 0, high = 0;

    if (!__atomic_load_n(&coefficients[0], __ATOMIC_ACQUIRE))
        fill_coefficients();
    for (int i = 0; i < RS_STACK_BLOCK; i++)
        s->ra_at[i] = (uintptr_t)&s->zero;
    s->nodes = nodes;
    current_table(nodes); /* while memory may still be asked for */
    s->sink = *sink;
    s->unwinder.cache = (struct rs_rule_cache *)s->rules;
    rs_rule_cache_init(s->unwinder.cache, RS_STACK_RULE_BITS);
    s->generation = __atomic_load_n(&rs_unwind_generation, __ATOMIC_ACQUIRE);
    if (!rs_stack_near_end(is_main, &low, &high))
        s->low_exact = !no_syscalls() && rs_stack_bounds((uintptr_t)__builtin_frame_address(0), &low, &high);
    set_bounds(s, low, high);
}

void rs_stack_release(struct rs_stack *s)
{
    rs_channel_memory_release(s->snapshot, SNAPSHOT_BYTES);
    s->snapshot = NULL;
}
