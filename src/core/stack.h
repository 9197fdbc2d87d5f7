/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * From a thread's registers to a call-tree node, for whoever takes a stack millions of times a second.
 *
 * Two successive allocations of a thread share most of their stack, so the previous walk is kept, outermost frame
 * first, with the address of every word it read. The next walk finds the frame whose sp it meets, loads all those words
 * again and compares: unwinding is a function of pc, sp, fp and the words read, so equal words give an equal stack.
 * This is exact, not a guess. A frame whose return address changed but whose rule did not (another call in the same
 * function) keeps the shape of everything outside it and costs one rule lookup. FINDINGS: 164 ns a stack of 17 frames
 * by walking, 69 ns so.
 *
 * Still dearer than the words are the branches that depend on them. What a walk reads lies in few shapes, however, and
 * a stack is known by its words alone. So the common case takes none of these steps: *shapes* of the innermost frames,
 * found by sp and as many of their pcs as it takes, tell where their return addresses lie and which frame of the kept
 * stack they end at; all these words and their places are summed up into one number, and a memo of such sums gives the
 * node. A shape is but a guess: a wrong one finds nothing. A memo is made of a walk, with all that the walk depended on
 * in the sum.
 *
 * The stack's hash, sum of pc[i] * c[i] with i counted from the outermost frame, changes only by the frames that
 * changed; a memo of hash and depth gives the node at once. Otherwise the chain of (parent, pc) is looked up in the
 * process's node table from the outermost changed frame on. New nodes are announced through a callback.
 *
 * The table is shared by all threads and lock-free: a slot is claimed by compare and swap, a reader that meets a
 * claimed slot waits for it a bounded time. Two nodes for one (parent, pc) are possible and harmless, the CLI joins
 * them.
 *
 * All memory is zeroed memory of the caller's (rs_channel_memory(): a forked child starts empty). Nothing here
 * allocates from malloc, changes errno or blocks. One rs_stack serves one thread outside signal handlers.
 */
#include "core/unwind.h"

enum {
    RS_STACK_FRAMES = 512, /* deeper stacks end in a node for "truncated" */
    RS_STACK_MEMO = 4096,
    RS_STACK_SHAPES = 1024,
    RS_STACK_SHAPE_WORDS = 16,
    RS_STACK_BLOCK = 8, /* words are summed up so many at a time */
    RS_STACK_MODULES = 32,
    RS_STACK_RULE_BITS = 10,
    RS_NODE_BYTES_MOST =
        128, /* of all tables, a node: up to 4 slots of 16 bytes, and the tables before, as much again */
};

/* The nodes of one process image. All zero is an empty table. */
struct rs_nodes {
    _Atomic(struct rs_node_table *) table;
    _Atomic uint32_t count; /* ids given out */
    _Atomic uint32_t growing;
    _Atomic uint32_t modules; /* ids given out */
};

struct rs_stack_module {
    uint64_t start, end, bias;
    uint32_t id;
};

/*
 * Announces a node or a module before its first use. ADDRESS is module-relative (module id 0: absolute). PATH may be
 * NULL. Both return false when they could not: the node is then not used. They run while a slot of the table is
 * claimed, so they must be short.
 */
struct rs_stack_sink {
    bool (*node)(void *ctx, uint32_t node, uint32_t parent, uint32_t module, uint64_t address);
    bool (*module)(void *ctx, const struct rs_stack_module *module, const char *path);
    void *ctx;
};

/*
 * Where the words lie that a walk from SP reads, up to and without the return address of the kept stack's frame JOIN;
 * that frame's pc may be another one. In words from SP.
 */
struct rs_stack_shape {
    _Alignas(64) uint64_t sp; /* 0: free */
    uint64_t hash;            /* of the rest */
    uint32_t key;
    uint16_t join;
    uint8_t words;     /* of at[] */
    bool needs_fp : 1; /* the walk depends on fp at SP */
    bool is_fork : 1;  /* none: at[0] is the place of the return address that the next key is made with */
    uint16_t at[RS_STACK_SHAPE_WORDS];
};
_Static_assert(sizeof(struct rs_stack_shape) <= 64, "one cache line");

struct rs_stack {
    /* set by rs_stack_init() */
    struct rs_nodes *nodes;
    struct rs_stack_sink sink;
    struct rs_unwinder unwinder;
    uint32_t generation;

    /* the previous stack; frame 0 is the outermost */
    uint32_t depth;
    uint32_t valid_nodes; /* node[0 .. valid_nodes) belong to it */
    uint64_t hash;

    uint64_t low, high; /* the stack that may be read directly; anything else is copied by the kernel first */
    bool low_exact;     /* low is where the mapping starts, not just as deep as we have been */
    void *snapshot;     /* for stacks elsewhere (coroutines, signal stacks) */

    uint64_t no_stack, truncated; /* counters */

    struct rs_stack_module module[RS_STACK_MODULES];
    uint32_t module_count;

    uint64_t pc[RS_STACK_FRAMES]; /* an address in the sense of unwind.h */
    uint64_t sp[RS_STACK_FRAMES]; /* at the frame's entry into the walk: its callee's CFA */
    uint64_t fp[RS_STACK_FRAMES]; /* likewise; only kept true where needs_fp */
    /*
     * The address of the word that holds pc[i - 1] is ra_at[RS_STACK_BLOCK + i]. Where there is none it is that of
     * ZERO, and so are those in front: whole blocks can be read.
     */
    uint64_t ra_at[RS_STACK_BLOCK + RS_STACK_FRAMES];
    uint64_t zero;
    uint64_t places[RS_STACK_FRAMES]; /* hash of where the words read from frame i outward lie */
    uint64_t fp_at[RS_STACK_FRAMES];  /* address of the word that holds fp[i - 1]; 0: the frame leaves fp alone */
    uint32_t rule[RS_STACK_FRAMES];
    uint32_t node[RS_STACK_FRAMES];
    bool needs_fp[RS_STACK_FRAMES];    /* fp at the frame's entry decides where outer frames lie */
    uint16_t checked[RS_STACK_FRAMES]; /* frames whose fp_at must be compared: their caller needs fp */
    uint32_t checked_count;

    /* scratch of a walk, innermost frame first */
    uint64_t new_pc[RS_STACK_FRAMES], new_sp[RS_STACK_FRAMES], new_fp[RS_STACK_FRAMES];
    uint32_t new_rule[RS_STACK_FRAMES];

    char path[2048]; /* of a module, where it must be made */

    struct rs_stack_memo {
        uint64_t hash;
        uint32_t depth, node; /* depth 0: HASH is a sum of words and places, not of pcs */
    } memo[RS_STACK_MEMO];

    _Alignas(64) struct rs_stack_shape shape[RS_STACK_SHAPES];

    _Alignas(64) char rules[RS_RULE_CACHE_BYTES(RS_STACK_RULE_BITS)];
};

/* S is zeroed. IS_MAIN: the process's first thread. */
void rs_stack_init(struct rs_stack *s, struct rs_nodes *nodes, const struct rs_stack_sink *sink, bool is_main);
void rs_stack_release(struct rs_stack *s);

/* Forget all but the counters: what is kept may be half written, by a call that was left by longjmp. */
void rs_stack_reset(struct rs_stack *s);

/*
 * The node of the stack that begins with the return address PC, and sp and fp as they are there. 0 when
 * nothing is known of it (counted in no_stack). Where the walk or the depth ends early the outermost frame is
 * RS_ADDRESS_TRUNCATED (counted in truncated).
 */
uint32_t rs_stack_node(struct rs_stack *s, uint64_t pc, uint64_t sp, uint64_t fp);

/*
 * The node of COUNT addresses, innermost first as rs_unwind() gives them, for stacks walked elsewhere. COMPLETE: the
 * last one is the root. Uses S for its module cache and sink only.
 */
uint32_t rs_stack_intern(struct rs_stack *s, const uint64_t *pcs, unsigned count, bool complete);
