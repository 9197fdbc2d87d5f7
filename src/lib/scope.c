/* SPDX-License-Identifier: MIT */
/*
 * The ways through a scope that the header does not inline: a place's first use under its parent, changed settings, modes
 * other than the default, and a closer look at calls that are out of the ordinary.
 */
#include <rustscope.h>
#include <errno.h>

#include "lib/allocations.h"
#include "lib/clock.h"
#include "lib/context.h"
#include "lib/link.h"
#include "lib/registry.h"
#include "lib/scope.h"
#include "lib/state.h"
#include "lib/timeline.h"

enum {
    LOOK_AGAIN_CALLS = 64, /* how long the outlier thresholds may lag behind the mean */
    OFFSET_ROUNDS = 1001,
    SPILL_CALLS_LOG2 = 30, /* 32-bit buckets are emptied into 64-bit ones after so many calls */
};

uint32_t RS_STATE_ = 2;
uint64_t RS_DUE_ = UINT64_MAX;

static atomic_ullong skipped_without_context;

uint64_t rs_scopes_skipped_without_context(void)
{
    return atomic_load_explicit(&skipped_without_context, memory_order_relaxed);
}

static void count_skipped(void)
{
    struct rs_context *c = RS_THREAD_.context;

    atomic_fetch_add_explicit(c ? &c->skipped : &skipped_without_context, 1, memory_order_relaxed);
}

/* ---- begin ---- */

/*
 * The scope that is really open. Scopes that a longjmp left are below the caller's frame, or where its frame is now; a
 * handler on the alternate stack may be anywhere and is taken at its word.
 */
static struct rustscope_node *still_open(struct rs_context *c, uintptr_t frame, uintptr_t sp)
{
    struct rustscope_thread *t = &RS_THREAD_;
    struct rustscope_node *cur = t->cur;

    if (!cur || cur->flags >> RS_NODE_FORKS_SHIFT != (rs_context_forks() & 0xffffff))
        cur = c->root;
    if ((cur->sp < sp || cur->frame == frame) && !rs_os_on_signal_stack()) {
        while (cur != c->root && (cur->sp < sp || cur->frame == frame)) {
            cur->open = 0;
            cur = cur->parent;
        }
        t->child_ticks = 0;
    }
    t->cur = cur;
    return cur;
}

static void open_frame(struct rustscope_frame *frame, struct rustscope_node *node, uint32_t how, uintptr_t sp)
{
    struct rustscope_thread *t = &RS_THREAD_;

    frame->how = how;
    frame->node = node;
    frame->cur = t->cur;
    frame->child_ticks = t->child_ticks;
    frame->alloc_bytes = t->allocated->bytes;
    frame->saved_sp = node->sp;
    frame->open = node->open;
    if (node->flags & RS_NODE_RECURSIVE) {
        node->open++;
        if (node->open > node->max_open)
            RS_STORE_(node->max_open, node->open);
    }
    node->sp = sp;
    node->frame = (uintptr_t)frame;
    t->cur = node;
    if (!(how & RUSTSCOPE_HOW_UNTIMED))
        t->child_ticks = 0;
}

static uint64_t random_bits(struct rs_context *c)
{
    uint64_t x = c->random; /* xorshift64* */

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    c->random = x;
    return x * 0x2545f4914f6cdd1du >> 32;
}

/* Uniform from 1 to 2N-1, so N on average: a fixed distance would beat with loops in the program. */
static uint32_t next_skip(struct rs_context *c)
{
    uint64_t spread = 2 * (uint64_t)rs_sampled_period() - 1;

    return 1 + (uint32_t)(random_bits(c) * spread >> 32);
}

static bool leave_untimed(const struct rustscope_node *node)
{
    struct rustscope_thread *t = &RS_THREAD_;

    if (rs_node_mode(node) == RUSTSCOPE_COUNT)
        return true;
    if (rs_node_mode(node) != RUSTSCOPE_SAMPLED || node->begun < RS_SAMPLED_WARMUP)
        return false;
    if (node->how != RUSTSCOPE_HOW_SAMPLED && --t->skip) /* the inline path has counted down already */
        return true;
    t->skip = next_skip(t->context);
    return false;
}

static bool is_fenced(const struct rustscope_node *node)
{
    return rs_node_mode(node) == RUSTSCOPE_PRECISE || rs_node_mode(node) == RUSTSCOPE_SAMPLED;
}

void RS_ABI_(rustscope_begin_other)(struct rustscope_frame *frame, struct rustscope_node *node, uintptr_t sp)
{
    if (leave_untimed(node)) {
        open_frame(frame, node, RUSTSCOPE_HOW_OTHER | RUSTSCOPE_HOW_UNTIMED, sp);
        return;
    }
    open_frame(frame, node, RUSTSCOPE_HOW_OTHER, sp);
    frame->start_ticks = is_fenced(node) ? rs_clock_fenced_begin() : rs_clock_ticks();
}

static bool thread_is_ready(uint32_t *state)
{
    struct rustscope_thread *t = &RS_THREAD_;
    struct rs_context *c;

    rs_init();
    *state = RS_LOAD_(RS_STATE_);
    if (*state & RUSTSCOPE_STATE_OFF)
        return false;
    if (!t->allocated)
        t->allocated = rs_allocations_of_thread();
    c = rs_context_get();
    if (!c)
        return false;
    rs_context_catch_up(c);
    return true;
}

/* The node of SITE under what is open now, for a thread in whatever state; NULL when there is none to be had. */
static struct rustscope_node *find_node(struct rustscope_site *site, uintptr_t frame, uintptr_t sp, bool top)
{
    struct rustscope_thread *t = &RS_THREAD_;
    struct rustscope_node *node = NULL;
    struct rs_context *c;
    uint32_t state, id;
    int saved_errno = errno;

    rs_busy_begin();
    if (thread_is_ready(&state)) {
        id = RS_LOAD_(site->id);
        c = t->context;
        if (!id)
            id = rs_registry_site(site);
        node = rs_context_node(c, top ? c->root : still_open(c, frame, sp), id);
        if (!node)
            atomic_fetch_add_explicit(&c->skipped, 1, memory_order_relaxed);
        rs_busy_end(state);
    } else {
        rs_busy_end(0);
    }
    errno = saved_errno;
    return node;
}

uint32_t rustscope_register_site(struct rustscope_site *site)
{
    int saved_errno = errno;
    uint32_t id = 0;

    /* In a signal handler that cut into a look-up nothing is registered. */
    if (RS_THREAD_.state != RS_STATE_BUSY) {
        rs_init();
        id = rs_registry_site(site);
    }
    errno = saved_errno;
    return id;
}

void RS_ABI_(rustscope_begin_slow)(struct rustscope_frame *frame, struct rustscope_site *site, uintptr_t sp)
{
    struct rustscope_node *node;

    frame->node = NULL;
    if (RS_THREAD_.state == RS_STATE_BUSY) {
        count_skipped();
        return;
    }
    node = find_node(site, (uintptr_t)frame, sp, false);
    if (!node)
        return;
    if (!node->how) {
        open_frame(frame, node, 0, sp);
        frame->start_ticks = rustscope_ticks();
    } else if (node->how == RUSTSCOPE_HOW_COUNT || (node->how == RUSTSCOPE_HOW_SAMPLED && --RS_THREAD_.skip)) {
        open_frame(frame, node, RUSTSCOPE_HOW_UNTIMED, sp);
    } else {
        RS_ABI_(rustscope_begin_other)(frame, node, sp);
    }
}

void rustscope_enter(struct rustscope_frame *frame, struct rustscope_site *site)
{
    /* The caller's stack pointer: scopes of callers that use the inline path are compared with it. */
    rustscope_scope_begin_at(frame, site, (uintptr_t)__builtin_dwarf_cfa());
}

/* ---- end ---- */

static void end_of_sampled_warmup(struct rustscope_node *node)
{
    if (rs_node_mode(node) == RUSTSCOPE_SAMPLED && node->begun == RS_SAMPLED_WARMUP &&
        !(node->flags & RS_NODE_RECURSIVE) && !rs_clock_slow && !rs_timeline_active())
        node->how = RUSTSCOPE_HOW_SAMPLED;
}

static atomic_ullong precise_offset;
static atomic_bool precise_offset_known;

uint64_t rs_precise_offset(void)
{
    return atomic_load_explicit(&precise_offset, memory_order_relaxed);
}

static uint64_t net_ticks(const struct rustscope_node *node, uint64_t gross)
{
    uint64_t offset;

    if (!is_fenced(node))
        return gross;
    offset = rs_precise_offset();
    return gross > offset ? gross - offset : 0;
}

uint64_t RS_ABI_(rustscope_end_other)(struct rustscope_frame *frame)
{
    struct rustscope_thread *t = &RS_THREAD_;
    struct rustscope_node *node = frame->node;
    uint64_t end = 0, gross, net = 0;

    if (frame->how & RUSTSCOPE_HOW_UNTIMED) {
        RS_STORE_(node->untimed, node->untimed + 1);
    } else {
        end = is_fenced(node) ? rs_clock_fenced_end() : rs_clock_ticks();
        gross = end - frame->start_ticks;
        gross = (int64_t)gross < 0 ? 0 : gross;
        net = net_ticks(node, gross);
        rustscope_record(node, net, t->child_ticks, t->allocated->bytes - frame->alloc_bytes, end);
        /* The whole of it is the parent's child time: what was subtracted is not the parent's own work either. */
        t->child_ticks = frame->child_ticks + gross;
        end_of_sampled_warmup(node);
        if (rs_timeline_active() && t->context)
            rs_timeline_add(node->site, t->context->tid, end - gross, end);
    }
    if (node->flags & RS_NODE_RECURSIVE) {
        node->open = frame->open;
        node->sp = frame->saved_sp;
        node->frame = 0;
    }
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    t->cur = frame->cur;
    RS_ABI_(rustscope_ended)(node, net, end);
    return net;
}

/* The mean of what is not an interrupt, rounded: the clock moves in steps, only a mean tells what lies between them. */
static uint64_t usual_of(const struct rs_median *m)
{
    uint64_t limit = 2 * rs_median_of(m), sum = 0, total = 0;

    for (uint64_t value = 0; value <= limit && value < 255; value++) {
        sum += value * m->counts[value];
        total += m->counts[value];
    }
    return total ? (sum + total / 2) / total : 0;
}

void rs_precise_offset_measure(void)
{
    struct rs_median gross = {.total = 0};
    struct rustscope_node *node;
    struct rustscope_frame frame;

    if (atomic_exchange_explicit(&precise_offset_known, true, memory_order_relaxed))
        return;
    node = rs_os_map(sizeof(*node), true);
    if (!node)
        return;
    node->min_ticks = node->high_ticks = node->look_at = node->budget_ticks = UINT64_MAX;
    node->flags = RUSTSCOPE_PRECISE << RS_NODE_MODE_SHIFT;
    /* A real scope and nothing in it: the calls around the readings are part of what every scope shows. */
    for (int i = 0; i < OFFSET_ROUNDS; i++) {
        RS_ABI_(rustscope_begin_other)(&frame, node, rustscope_stack_pointer());
        __asm__ volatile("" ::: "memory");
        rustscope_scope_end(&frame);
        rs_median_add(&gross, node->pending_ticks);
    }
    rs_os_unmap(node, sizeof(*node));
    atomic_store_explicit(&precise_offset, usual_of(&gross), memory_order_relaxed);
}

void rustscope_leave(struct rustscope_frame *frame)
{
    rustscope_scope_end(frame);
}

/* ---- a closer look: inside rustscope_record(), the figures of this call still to be added to the mean ---- */

static void spill(struct rustscope_node *node)
{
    uint32_t before = rs_busy_begin();
    struct rs_context *c = RS_THREAD_.context;
    struct rs_extra *extra = c ? rs_context_extra(c, node) : NULL;

    if (extra && !extra->spilled)
        __atomic_store_n(&extra->spilled, rs_os_map(sizeof(uint64_t) * RUSTSCOPE_HISTOGRAM_BUCKETS, false),
                         __ATOMIC_RELAXED);
    for (int i = 0; extra && extra->spilled && i < RUSTSCOPE_HISTOGRAM_BUCKETS; i++) {
        RS_STORE_(extra->spilled[i], extra->spilled[i] + node->histogram[i]);
        RS_STORE_(node->histogram[i], 0);
    }
    rs_busy_end(before);
}

static double deviation(const struct rustscope_node *node, uint64_t values)
{
    double variance = values > 1 ? node->m2_ticks / (double)(values - 1) : 0;
    double floor = (double)rs_clock_resolution_ticks() / 2;

    /* A place that always takes the same step of the clock has no outlier one step away. */
    return variance > floor * floor ? __builtin_sqrt(variance) : floor;
}

static void set_thresholds(struct rustscope_node *node, uint64_t count)
{
    double reach = rs_outlier_sigma() * deviation(node, count), low = node->mean_ticks - reach;
    double high = node->mean_ticks + reach;
    uint64_t warmup = rs_outlier_warmup(), budget = node->budget_ticks;

    node->low_ticks = 0;
    node->high_ticks = UINT64_MAX;
    node->look_at = warmup;
    if (count >= warmup) {
        node->low_ticks = low > 0 ? (uint64_t)low : 0;
        node->high_ticks = high < 9e18 ? (uint64_t)high : UINT64_MAX;
        node->look_at = count < 2 * LOOK_AGAIN_CALLS ? count + count / 4 + 1 : count + LOOK_AGAIN_CALLS;
    }
    if (budget < node->high_ticks)
        node->high_ticks = budget;
}

static void check_outlier(struct rustscope_node *node, const struct rustscope_worst *this_call, uint64_t before)
{
    double spread = deviation(node, before);
    struct rustscope_worst w = *this_call, *mildest = node->worst;

    w.sigmas = __builtin_fabs((double)w.ticks - node->mean_ticks) / spread;
    if (before < rs_outlier_warmup() || before < 2 || w.sigmas <= rs_outlier_sigma())
        return;
    RS_STORE_(node->outliers, node->outliers + 1);
    for (int i = 1; i < RUSTSCOPE_WORST_KEPT; i++)
        if (node->worst[i].sigmas < mildest->sigmas)
            mildest = &node->worst[i];
    if (w.sigmas > mildest->sigmas)
        rs_store_worst(mildest, w);
}

void RS_ABI_(rustscope_look)(struct rustscope_node *node, uint64_t ticks, uint64_t end_ticks)
{
    uint64_t count = node->begun, before = count - 1;
    struct rustscope_worst this_call = {end_ticks, ticks, 0};
    double off_mean = (double)ticks - node->mean_ticks, mean = node->mean_ticks + off_mean / (double)count;

    check_outlier(node, &this_call, before);
    if (ticks > node->budget_ticks) {
        RS_STORE_(node->violations, node->violations + 1);
        if (ticks > node->worst_violation.ticks)
            rs_store_worst(&node->worst_violation, this_call);
    }
    rustscope_store_double(&node->m2_ticks, node->m2_ticks + off_mean * ((double)ticks - mean));
    rustscope_store_double(&node->mean_ticks, mean);
    if (count >> SPILL_CALLS_LOG2 && count >> SPILL_CALLS_LOG2 != (count - LOOK_AGAIN_CALLS) >> SPILL_CALLS_LOG2)
        spill(node);
    set_thresholds(node, count);
}

void RS_ABI_(rustscope_ended)(struct rustscope_node *node, uint64_t ticks, uint64_t end_ticks)
{
    struct rs_budget budget;

    if (end_ticks >= RS_LOAD_(RS_DUE_))
        rs_link_due();
    if (ticks > node->budget_ticks &&
        rs_registry_budget(rs_registry_site_entry(node->site)->name, &budget) && budget.callback)
        budget.callback(budget.name, (uint64_t)((double)ticks * rs_clock_ns_per_tick()), budget.ns, budget.ctx);
}

/* ---- handles ---- */

struct rustscope_handle rustscope_handle_begin(struct rustscope_site *site)
{
    struct rustscope_handle handle = {NULL, 0};

    rs_init();
    if (RS_LOAD_(RS_STATE_) & RUSTSCOPE_STATE_OFF)
        return handle;
    handle.site = site;
    handle.start_ticks = rs_clock_ticks();
    return handle;
}

void rustscope_handle_end(struct rustscope_handle *handle)
{
    uint64_t end = rs_clock_ticks(), ticks = end - handle->start_ticks;
    struct rustscope_node *node = handle->site ? rs_top_node(handle->site) : NULL;
    uint32_t before;

    handle->site = NULL;
    if (!node)
        return;
    ticks = (int64_t)ticks < 0 ? 0 : ticks;
    /* Unlike a scope, which a handler finds open, this node could be met half-written: busy keeps handlers out. */
    before = rs_busy_begin();
    rustscope_record(node, ticks, 0, 0, end);
    rs_busy_end(before);
    RS_ABI_(rustscope_ended)(node, ticks, end);
}

struct rustscope_node *rs_top_node(struct rustscope_site *site)
{
    if (RS_THREAD_.state == RS_STATE_BUSY) {
        count_skipped();
        return NULL;
    }
    return find_node(site, 0, 0, true);
}
