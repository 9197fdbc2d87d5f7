/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "collect/modules/maps.h"
#include "collect/stacks/perf_record.h"
#include "collect/stacks/perf_tasks.h"
#include "session/session.h"

/*
 * From one sample to a node of the call tree: the user part by the unwinder from the dump, the kernel part from the
 * callchain.
 *
 * A stack that goes on beyond its dump, or on another stack (from a signal stack, or where a runtime switched stacks),
 * is completed: from the thread's last whole dump, or from the live process. Either is believed only where it holds the
 * dump's bytes around the last frame that is known. Frames outward of that one cannot have changed while it did not
 * return, short of having been rebuilt to the same bytes.
 */
enum { PERF_MAX_FRAMES = 1024 };

struct perf_stacks {
    struct session *session;
    struct maps *maps;
    uint64_t regs_mask;
    struct rs_rule_cache *cache; /* aligned, in cache_block */
    void *cache_block;
    uint32_t space_generation; /* of maps, when the caches were last emptied */
    struct perf_frame_slot *frames;
    struct perf_stitch *stitch;
    int32_t kernel_module;

    uint64_t walks, complete, truncated, stitched;
    uint64_t cut_off; /* of truncated: the dump was too small */
    uint64_t stops[RS_STOP_KINDS];
};

void perf_stacks_init(struct perf_stacks *stacks, struct session *session, struct maps *maps, uint64_t regs_mask);
void perf_stacks_release(struct perf_stacks *stacks);

/* The node of the stack that SAMPLE of THREAD shows. */
int32_t perf_stacks_node(struct perf_stacks *stacks, struct perf_thread *thread, const struct perf_record *sample);

/*
 * The node of the stack on which THREAD sleeps right now, by looking at it from outside: for where the kernel gives no
 * stacks of context switches. Only sp and pc can be had, so that a stack with frames that need more is cut off.
 * CALLTREE_NO_NODE when it runs, or may not be looked at.
 */
int32_t perf_stacks_sleeping_node(struct perf_stacks *stacks, struct perf_thread *thread);
