/* SPDX-License-Identifier: MIT */
#include "lib/context.h"

#include <string.h>

#include "lib/clock.h"
#include "lib/os.h"
#include "lib/registry.h"
#include "lib/scope.h"
#include "lib/state.h"
#include "lib/timeline.h"

_Static_assert(sizeof(struct rustscope_node) <= 5120, "5 KiB a node are promised");
_Static_assert(sizeof(struct rustscope_thread) <= 64, "a dlopened library has little static TLS");
_Static_assert(sizeof(struct rustscope_slot) == 32, "two to a cache line");

enum {
    NODES_PER_PIECE = 8,
    PIECE_BYTES = NODES_PER_PIECE * 5120,
    FIRST_SLOTS = 64,
    FIRST_EDGES = 128,
};

RS_TLS_ struct rustscope_thread RS_THREAD_;

static struct rs_lock lock;
static _Atomic(struct rs_context *) all;
static struct rs_context *free_list; /* under the lock, as the two below */
static uint32_t context_count, sweep_at = 64;
static atomic_uint forks;

/* ---- contexts ---- */

/*
 * A thread that ran scopes in its last TLS destructors, after ours had its turns, never gives its context back. When
 * contexts have doubled in number, look for owners that are gone.
 */
static void sweep(void)
{
    if (context_count < sweep_at)
        return;
    for (struct rs_context *c = atomic_load_explicit(&all, memory_order_relaxed); c; c = c->next) {
        if (c->in_use && !rs_os_thread_alive(c->tid)) {
            c->in_use = false;
            c->next_free = free_list;
            free_list = c;
        }
    }
    sweep_at = 2 * context_count;
}

static struct rustscope_node *new_node(struct rs_context *c, uint32_t flags)
{
    struct rustscope_node *node = rs_context_alloc(c, sizeof(*node));

    if (!node)
        return NULL;
    node->min_ticks = UINT64_MAX;
    node->high_ticks = UINT64_MAX;
    node->budget_ticks = UINT64_MAX;
    node->look_at = rs_outlier_warmup();
    node->sp = UINTPTR_MAX;
    node->flags = flags | atomic_load_explicit(&forks, memory_order_relaxed) << RS_NODE_FORKS_SHIFT;
    return node;
}

static struct rs_context *new_context(void)
{
    struct rs_context *c = rs_os_map(sizeof(*c), false);

    if (!c)
        return NULL;
    c->root = new_node(c, RS_NODE_ROOT);
    if (!c->root)
        return NULL;
    c->random = (uint64_t)(uintptr_t)c * 0x9e3779b97f4a7c15u | 1;
    atomic_store_explicit(&c->reset_seen, rs_resets(), memory_order_relaxed);
    c->settings_seen = rs_settings();
    return c;
}

static struct rs_context *take(void)
{
    uint32_t tid = rs_os_tid();
    struct rs_context *c;

    rs_lock_take(&lock);
    if (!free_list)
        sweep();
    c = free_list;
    if (c) {
        free_list = c->next_free;
        c->in_use = true;
        c->tid = tid;
    }
    rs_lock_drop(&lock);
    if (c)
        return c;
    c = new_context();
    if (!c)
        return NULL;
    rs_lock_take(&lock);
    c->in_use = true;
    c->tid = tid;
    c->next = atomic_load_explicit(&all, memory_order_relaxed);
    context_count++;
    atomic_store_explicit(&all, c, memory_order_release);
    rs_lock_drop(&lock);
    return c;
}

struct rs_context *rs_context_get(void)
{
    struct rustscope_thread *t = &RS_THREAD_;
    struct rs_context *c = t->context;

    if (c)
        return c;
    c = take();
    if (!c)
        return NULL;
    t->context = c;
    t->slots = c->slots;
    t->cur = c->root;
    t->child_ticks = 0;
    t->skip = 1;
    rs_thread_end_expect(c);
    return c;
}

void rs_context_put(struct rs_context *c)
{
    struct rustscope_thread *t = &RS_THREAD_;
    uint32_t before = rs_busy_begin();

    t->context = NULL;
    t->slots = NULL;
    t->cur = NULL;
    rs_lock_take(&lock);
    if (c->in_use) {
        c->in_use = false;
        c->next_free = free_list;
        free_list = c;
    }
    rs_lock_drop(&lock);
    (void)before;
    rs_busy_end(0); /* a later destructor with a scope starts again from nothing */
}

struct rs_context *rs_context_first(void)
{
    return atomic_load_explicit(&all, memory_order_acquire);
}

uint32_t rs_context_forks(void)
{
    return atomic_load_explicit(&forks, memory_order_relaxed);
}

void rs_context_forked(void)
{
    struct rustscope_thread *t = &RS_THREAD_;

    rs_lock_reset(&lock);
    atomic_store_explicit(&all, NULL, memory_order_relaxed);
    free_list = NULL;
    context_count = 0;
    sweep_at = 64;
    atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
    t->context = NULL;
    t->slots = NULL;
    t->cur = NULL;
    t->child_ticks = 0;
    t->state = 0;
}

void *rs_context_alloc(struct rs_context *c, size_t bytes)
{
    void *at;

    bytes = (bytes + 63) & ~(size_t)63;
    if (bytes > PIECE_BYTES)
        return rs_os_map(bytes, false);
    if (bytes > c->memory_left) {
        c->memory = rs_os_map(PIECE_BYTES, true);
        c->memory_left = c->memory ? PIECE_BYTES : 0;
        if (!c->memory)
            return NULL;
    }
    at = c->memory;
    c->memory += bytes;
    c->memory_left -= bytes;
    return at;
}

/* ---- finding nodes ---- */

/*
 * The tables that grow are never unmapped: a handler that grows one may have cut into code that is reading the old one.
 * Doubling makes that less than the table itself.
 */
static bool grow_slots(struct rs_context *c, uint32_t site)
{
    uint32_t count = c->slots ? c->slots->count : 0, wanted = count ? count : FIRST_SLOTS;
    struct rustscope_slots *slots;

    while (wanted <= site)
        wanted *= 2;
    if (wanted == count)
        return true;
    slots = rs_context_alloc(c, offsetof(struct rustscope_slots, slot) + wanted * sizeof(struct rustscope_slot));
    if (!slots)
        return false;
    if (count)
        memcpy(slots->slot, c->slots->slot, count * sizeof(struct rustscope_slot));
    slots->count = wanted;
    c->slots = slots;
    RS_THREAD_.slots = slots;
    return true;
}

static struct rs_edge *find_edge(const struct rs_context *c, const struct rustscope_node *under, uint32_t site)
{
    uint64_t hash = ((uint64_t)(uintptr_t)under >> 6) * 0x9e3779b97f4a7c15u + site * 0xc2b2ae3d27d4eb4fu;
    uint32_t mask = c->edge_capacity - 1, at = (uint32_t)(hash >> 32) & mask;

    while (c->edges[at].node && (c->edges[at].under != under || c->edges[at].site != site))
        at = (at + 1) & mask;
    return &c->edges[at];
}

static bool grow_edges(struct rs_context *c)
{
    struct rs_edge *old = c->edges;
    uint32_t old_capacity = c->edge_capacity, capacity = old_capacity ? 2 * old_capacity : FIRST_EDGES;
    struct rs_edge *edges;

    if (c->edge_count * 2 < old_capacity)
        return true;
    edges = rs_context_alloc(c, capacity * sizeof(*edges));
    if (!edges)
        return false;
    c->edges = edges;
    c->edge_capacity = capacity;
    for (uint32_t i = 0; i < old_capacity; i++)
        if (old[i].node)
            *find_edge(c, old[i].under, old[i].site) = old[i];
    return true;
}

static void set_mode(struct rustscope_node *node)
{
    enum rustscope_mode mode = (enum rustscope_mode)rs_registry_site_entry(node->site)->mode;
    uint32_t flags = node->flags & ~(3u << RS_NODE_MODE_SHIFT), how = 0;

    if (mode == RUSTSCOPE_DEFAULT)
        mode = rs_process_mode();
    if (flags & RS_NODE_RECURSIVE || mode == RUSTSCOPE_PRECISE || rs_clock_slow || rs_timeline_active())
        how = RUSTSCOPE_HOW_OTHER;
    if (mode == RUSTSCOPE_COUNT && !(flags & RS_NODE_RECURSIVE))
        how = RUSTSCOPE_HOW_COUNT;
    if (mode == RUSTSCOPE_PRECISE || mode == RUSTSCOPE_SAMPLED)
        rs_precise_offset_measure();
    if (mode == RUSTSCOPE_SAMPLED)
        how = how || node->begun < RS_SAMPLED_WARMUP ? RUSTSCOPE_HOW_OTHER : RUSTSCOPE_HOW_SAMPLED;
    node->flags = flags | (uint32_t)mode << RS_NODE_MODE_SHIFT;
    node->how = how;
}

static void set_budget(struct rustscope_node *node)
{
    struct rs_budget budget;
    uint64_t ticks = UINT64_MAX;

    if (rs_registry_budget(rs_registry_site_entry(node->site)->name, &budget))
        ticks = (uint64_t)((double)budget.ns / rs_clock_ns_per_tick());
    RS_STORE_(node->budget_ticks, ticks);
    /* The next call has both thresholds computed anew. */
    node->high_ticks = 0;
    node->look_at = 0;
}

static struct rustscope_node *make_node(struct rs_context *c, struct rustscope_node *parent, uint32_t site, uint32_t flags)
{
    struct rustscope_node *node = new_node(c, flags);

    if (!node)
        return NULL;
    node->parent = parent;
    node->site = site;
    node->path = rs_registry_path(parent->path, site);
    if (!node->path)
        return NULL;
    set_mode(node);
    set_budget(node);
    c->node_count++;
    node->next = atomic_load_explicit(&c->nodes, memory_order_relaxed);
    atomic_store_explicit(&c->nodes, node, memory_order_release);
    return node;
}

/*
 * Recursion: the first call of a site inside itself is a node of its own; any deeper one re-enters that node, so the tree
 * stays as deep as the program has sites, twice.
 */
static struct rustscope_node *new_or_folded(struct rs_context *c, struct rustscope_node *cur, uint32_t site)
{
    uint32_t flags = 0;

    for (struct rustscope_node *up = cur; up != c->root; up = up->parent) {
        if (up->site != site)
            continue;
        if (up->flags & RS_NODE_RECURSIVE)
            return up;
        flags = RS_NODE_RECURSIVE;
        break;
    }
    if (c->node_count >= RS_NODES_MAX && cur != c->root) {
        atomic_fetch_add_explicit(&c->folded, 1, memory_order_relaxed);
        return rs_context_node(c, c->root, site);
    }
    return make_node(c, cur, site, flags);
}

struct rustscope_node *rs_context_node(struct rs_context *c, struct rustscope_node *cur, uint32_t site)
{
    struct rustscope_node *node;
    struct rustscope_slot *slot;
    struct rs_edge *edge;

    if (!site || !grow_slots(c, site) || !grow_edges(c))
        return NULL;
    edge = find_edge(c, cur, site);
    if (!edge->node) {
        node = new_or_folded(c, cur, site);
        if (!node)
            return NULL;
        edge = find_edge(c, cur, site); /* folding may have added another edge */
        if (!edge->node) {
            *edge = (struct rs_edge){cur, node, site};
            c->edge_count++;
        }
    }
    slot = &c->slots->slot[site];
    if (slot->under[0] != cur) {
        slot->under[1] = slot->under[0];
        slot->node[1] = slot->node[0];
        slot->under[0] = cur;
        slot->node[0] = edge->node;
    }
    return edge->node;
}

struct rs_extra *rs_context_extra(struct rs_context *c, struct rustscope_node *node)
{
    if (!node->extra)
        __atomic_store_n(&node->extra, (struct rs_extra *)rs_context_alloc(c, sizeof(struct rs_extra)),
                         __ATOMIC_RELEASE);
    return node->extra;
}

/* ---- catching up ---- */

static void clear(struct rustscope_node *node)
{
    RS_STORE_(node->begun, UINT64_MAX); /* readers see a change under way */
    RS_WRITE_FENCE_();
    RS_STORE_(node->total_ticks, 0);
    RS_STORE_(node->self_ticks, 0);
    RS_STORE_(node->min_ticks, UINT64_MAX);
    RS_STORE_(node->max_ticks, 0);
    RS_STORE_(node->square_lo, 0);
    RS_STORE_(node->square_hi, 0);
    RS_STORE_(node->alloc_bytes, 0);
    RS_STORE_(node->pending_ticks, 0);
    RS_STORE_(node->untimed, 0);
    RS_STORE_(node->outliers, 0);
    RS_STORE_(node->violations, 0);
    RS_STORE_(node->max_open, node->open);
    rustscope_store_double(&node->mean_ticks, 0);
    rustscope_store_double(&node->m2_ticks, 0);
    rs_store_worst(&node->worst_violation, (struct rustscope_worst){0, 0, 0});
    for (int i = 0; i < RUSTSCOPE_WORST_KEPT; i++)
        rs_store_worst(&node->worst[i], (struct rustscope_worst){0, 0, 0});
    for (int i = 0; i < RUSTSCOPE_HISTOGRAM_BUCKETS; i++)
        RS_STORE_(node->histogram[i], 0);
    if (node->extra) {
        uint64_t *task = (uint64_t *)&node->extra->task;

        for (size_t i = 0; i < sizeof(node->extra->task) / sizeof(*task); i++)
            RS_STORE_(task[i], 0);
        for (int i = 0; node->extra->spilled && i < RUSTSCOPE_HISTOGRAM_BUCKETS; i++)
            RS_STORE_(node->extra->spilled[i], 0);
    }
    node->low_ticks = 0;
    node->high_ticks = 0;
    node->look_at = 0;
    __atomic_store_n(&node->done, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&node->begun, 0, __ATOMIC_RELEASE);
}

void rs_context_catch_up(struct rs_context *c)
{
    uint32_t resets = rs_resets(), settings = rs_settings();
    bool reset = resets != atomic_load_explicit(&c->reset_seen, memory_order_relaxed);
    struct rustscope_node *node = atomic_load_explicit(&c->nodes, memory_order_relaxed);

    if (!reset && settings == c->settings_seen)
        return;
    for (; node; node = node->next) {
        if (reset)
            clear(node);
        set_mode(node);
        set_budget(node);
    }
    c->settings_seen = settings;
    atomic_store_explicit(&c->reset_seen, resets, memory_order_release);
}

/* ---- reading ---- */

static double load_double(const double *field)
{
    double value;

    __atomic_load(field, &value, __ATOMIC_RELAXED);
    return value;
}

static struct rustscope_worst load_worst(const struct rustscope_worst *w)
{
    return (struct rustscope_worst){RS_LOAD_(w->end_ticks), RS_LOAD_(w->ticks), load_double(&w->sigmas)};
}

/* The figures between two looks at the writer's counters; true when no call ended meanwhile. */
static bool try_read(const struct rustscope_node *node, struct rs_scope_stats *s,
                     struct rustscope_worst worst[RUSTSCOPE_WORST_KEPT], uint64_t *pending)
{
    uint64_t done = __atomic_load_n(&node->done, __ATOMIC_ACQUIRE);

    s->timed = done;
    s->calls = done + RS_LOAD_(node->untimed);
    s->total_ticks = RS_LOAD_(node->total_ticks);
    s->self_ticks = RS_LOAD_(node->self_ticks);
    s->square_lo = RS_LOAD_(node->square_lo);
    s->square_hi = RS_LOAD_(node->square_hi);
    s->min_ticks = RS_LOAD_(node->min_ticks);
    s->max_ticks = RS_LOAD_(node->max_ticks);
    s->mean_ticks = load_double(&node->mean_ticks);
    s->m2_ticks = load_double(&node->m2_ticks);
    s->alloc_bytes = RS_LOAD_(node->alloc_bytes);
    s->outliers = RS_LOAD_(node->outliers);
    s->violations = RS_LOAD_(node->violations);
    s->budget_ticks = RS_LOAD_(node->budget_ticks);
    s->worst_violation = load_worst(&node->worst_violation);
    s->max_open = RS_LOAD_(node->max_open);
    *pending = RS_LOAD_(node->pending_ticks);
    for (int i = 0; i < RUSTSCOPE_WORST_KEPT; i++)
        worst[i] = load_worst(&node->worst[i]);
    RS_READ_FENCE_();
    return RS_LOAD_(node->begun) == done;
}

void rs_node_read(const struct rustscope_node *node, struct rs_scope_stats *stats,
                  struct rustscope_worst worst[RUSTSCOPE_WORST_KEPT], uint64_t *histogram)
{
    uint64_t pending;
    const struct rs_extra *extra = __atomic_load_n(&node->extra, __ATOMIC_ACQUIRE);

    rs_scope_stats_init(stats);
    /* A writer is inside for 10 ns of a call; one that was preempted there is waited for, but not for ever. */
    for (int tries = 1; !try_read(node, stats, worst, &pending) && tries < 4096; tries++)
        if (tries % 64 == 0)
            rs_os_yield();
    if (!histogram)
        return;
    for (int i = 0; i < RUSTSCOPE_HISTOGRAM_BUCKETS; i++)
        histogram[i] += RS_LOAD_(node->histogram[i]);
    if (extra && RS_LOAD_(extra->spilled))
        for (int i = 0; i < RUSTSCOPE_HISTOGRAM_BUCKETS; i++)
            histogram[i] += RS_LOAD_(extra->spilled[i]);
    if (stats->timed)
        histogram[rustscope_bucket(pending)]++;
}

void rs_extra_read_task(const struct rs_extra *extra, struct rs_scope_task *out)
{
    const uint64_t *from = (const uint64_t *)&extra->task;
    uint64_t *to = (uint64_t *)out;

    for (size_t i = 0; i < sizeof(*out) / sizeof(*to); i++)
        to[i] = RS_LOAD_(from[i]);
}
