/* SPDX-License-Identifier: MIT */
#pragma once

#include <rustscope.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/scopes.h"
#include "lib/lock.h"

/*
 * A thread's statistics: nodes, the tables that find them, and what a thread in a slow path needs.
 *
 * A context outlives its thread: when the thread ends, the next new thread goes on where it stopped. So nothing is
 * merged at thread exit (10,000 short threads cost 10,000 list operations), a short thread's calls meet a warmed-up
 * mean, and there are as many contexts as threads ever lived at once. Readers add up all contexts, in use or not.
 *
 * A forked child drops all contexts without touching them: it starts from zero, and scopes that were open in the parent
 * end in memory that nobody reads any more.
 */
enum {
    RS_NODES_MAX = 4096, /* call paths of a thread; beyond, calls count for the path of their site alone */
    RS_SAMPLED_WARMUP = 32, /* timed calls before a SAMPLED path leaves some out */
    RS_SAMPLED_DEFAULT = 64,
};

/* rustscope_node.flags */
enum {
    RS_NODE_ROOT = 1,
    RS_NODE_RECURSIVE = 2, /* inside another node of its site; deeper recursion re-enters it, so it counts open frames */
    RS_NODE_MODE_SHIFT = 4, /* two bits: enum rustscope_mode in force */
    RS_NODE_FORKS_SHIFT = 8, /* the rest: which process made it */
};

/* Beside a node that is a task's, or has billions of calls. */
struct rs_extra {
    uint64_t *spilled; /* RUSTSCOPE_HISTOGRAM_BUCKETS counts taken out of the node's 32-bit ones */
    struct rs_scope_task task; /* relaxed atomics, written by the owner alone */
};

struct rs_edge {
    struct rustscope_node *under;
    struct rustscope_node *node;
    uint32_t site;
};

struct rs_context {
    struct rs_context *next; /* of all, immutable once published */
    struct rs_context *next_free;
    bool in_use; /* under the contexts' lock, as tid */
    uint32_t tid;
    atomic_uint reset_seen; /* resets that the owner has carried out; a reader ignores nodes that are behind */
    uint32_t settings_seen;
    _Atomic(struct rustscope_node *) nodes; /* linked by next; published by the owner */
    struct rustscope_node *root;
    uint32_t node_count;
    struct rs_edge *edges; /* (cur, site) -> node: open addressing, a power of two, at most half full */
    uint32_t edge_count, edge_capacity;
    struct rustscope_slots *slots;
    char *memory; /* what is left of the last piece */
    size_t memory_left;
    uint64_t random;
    atomic_ullong skipped, folded; /* written by the owner */
    char *sentence; /* of the thread's last rustscope_assert_perf() */
};

/* The calling thread's context, taken or made; NULL without memory. The thread is busy. */
struct rs_context *rs_context_get(void);
/* Gives back the thread's context; called at its end. */
void rs_context_put(struct rs_context *c);
/* All contexts, linked by next. */
struct rs_context *rs_context_first(void);
/* In a forked child: this thread is new and the only one. */
void rs_context_forked(void);
/* Which process made a node: changes with each fork. */
uint32_t rs_context_forks(void);

/* Zeroed memory that lives as long as the context, or NULL. The owner is busy. */
void *rs_context_alloc(struct rs_context *c, size_t bytes);

/* The node of SITE under CUR, made at the first time. NULL without memory. The owner is busy. */
struct rustscope_node *rs_context_node(struct rs_context *c, struct rustscope_node *cur, uint32_t site);
/* The node's extra part, made at the first time; NULL without memory. The owner is busy. */
struct rs_extra *rs_context_extra(struct rs_context *c, struct rustscope_node *node);

/* Carries out resets and settings that changed since. The owner is busy. */
void rs_context_catch_up(struct rs_context *c);

/* Keeps loads before it before loads after it. ThreadSanitizer has no fences. */
#if defined(__x86_64__)
#define RS_READ_FENCE_() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#elif defined(__SANITIZE_THREAD__)
#define RS_READ_FENCE_() ((void)0)
#else
#define RS_READ_FENCE_() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#endif

static inline void rs_store_worst(struct rustscope_worst *to, struct rustscope_worst w)
{
    RS_STORE_(to->end_ticks, w.end_ticks);
    RS_STORE_(to->ticks, w.ticks);
    rustscope_store_double(&to->sigmas, w.sigmas);
}

static inline enum rustscope_mode rs_node_mode(const struct rustscope_node *node)
{
    return (enum rustscope_mode)(node->flags >> RS_NODE_MODE_SHIFT & 3);
}

/*
 * A consistent copy of the node's figures, while its owner goes on. Its buckets are added to HISTOGRAM (may be NULL); they
 * are read one by one and may be a few calls ahead.
 */
void rs_node_read(const struct rustscope_node *node, struct rs_scope_stats *stats,
                  struct rustscope_worst worst[RUSTSCOPE_WORST_KEPT], uint64_t *histogram);
void rs_extra_read_task(const struct rs_extra *extra, struct rs_scope_task *out);
