/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/session_words.h"
#include "session/strings.h"

/*
 * Modules, frames and nodes: the one call tree that sampled CPU time, waits and allocations share.
 *
 * A source describes a stack as raw frames, outermost first: an address relative to its module (an ELF virtual address:
 * pc less load bias), or a named frame for what has no code ([unsampled], a kernel function). Two equal stacks end in
 * the same node. Symbolisation (analyze/symbolize.h) later gives raw frames their names and puts inlined frames between
 * them; the address stays, so that it can be done again.
 *
 * Indices are stable: nothing is ever removed while a session is recorded. Owned by the event loop's thread.
 */
enum { CALLTREE_NO_MODULE = -1, CALLTREE_NO_NODE = -1 };

struct module {
    string_id path;
    string_id name;      /* the file's base name, or [vdso], [kernel], [anon] */
    string_id build_id;  /* lower-case hex, 0 when there is none */
    string_id arch;      /* x86_64, aarch64 */
    string_id open_path; /* where this session can read the file (/proc/PID/map_files/…); 0: PATH. Not in the JSON */
    enum module_symbols symbols;
};

struct frame {
    int32_t object;        /* into the tree's modules; CALLTREE_NO_MODULE for named frames */
    uint32_t inline_depth; /* 0: the physical frame; n: n-th inlined frame at that address, counted from the outside */
    uint64_t addr;         /* module-relative */
    string_id func;        /* 0: unknown */
    string_id crate;
    string_id file;
    uint32_t line;
    enum layer layer;
    bool inlined;
};

struct node {
    int32_t parent; /* CALLTREE_NO_NODE for outermost frames; always less than the node's own index */
    uint32_t frame;
};

/* An index over an array's elements by hash; see calltree.c. */
struct calltree_index {
    uint32_t *slots; /* element + 1 */
    size_t slot_count;
};

struct calltree {
    struct module *modules;
    size_t module_count, module_cap;
    struct frame *frames;
    size_t frame_count, frame_cap;
    struct node *nodes;
    size_t node_count, node_cap;
    size_t node_limit;
    uint64_t folded; /* stacks cut short at the node limit */
    struct calltree_index module_index, frame_index, node_index;
};

void calltree_init(struct calltree *tree, size_t node_limit);
void calltree_release(struct calltree *tree);

/* The module with this path and build-id, added when it is new. Fill in name, arch and open_path of a new one. */
uint32_t calltree_module(struct calltree *tree, string_id path, string_id build_id, bool *is_new);

/* The raw frame of module-relative address ADDR. For a return address pass it less 1, so that it lies in the call. */
uint32_t calltree_frame(struct calltree *tree, uint32_t module, uint64_t addr);

/* The INLINE_DEPTH-th inlined frame at ADDR (from 1). Made by symbolisation. */
uint32_t calltree_inlined_frame(struct calltree *tree, uint32_t module, uint64_t addr, uint32_t inline_depth);

/* A frame without an address: a kernel function or a bracketed explanation like [unsampled]. */
uint32_t calltree_named_frame(struct calltree *tree, string_id func, enum layer layer);

/*
 * The child of PARENT (CALLTREE_NO_NODE: an outermost frame) for FRAME, added when it is new. At the node limit PARENT
 * itself is returned and counted in `folded` (for an outermost frame: node 0).
 */
int32_t calltree_child(struct calltree *tree, int32_t parent, uint32_t frame);
