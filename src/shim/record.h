/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the hooks note down. One thread block per thread: its stream, the stack it had last, and a small table of the
 * allocations that are still in the current frame.
 *
 * An allocation that its own thread frees while the record is in the current frame and the current tick needs no event:
 * the record gets its "freed" bit, or, being the last one, is taken back and only counted. Everything the CLI has seen
 * is left alone, see RS_ALLOC_FREED and rs_frame_header.closed.
 *
 * Memory: about 220 KiB of address space a thread, of which a typical thread touches 60 to 150, and two pages of the
 * slab; the node table starts at 64 KiB and doubles (16 bytes a node, at most half full).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/channel.h"
#include "core/stack.h"
#include "core/unwind.h"

/* Not zero while a function of the family runs that may call others of it: their calls are not events. */
extern __thread uint32_t rs_nested __attribute__((tls_model("initial-exec")));

/*
 * PC, SP and FP say who called the hook: where it returns to, and the two registers as they are there. All of these
 * stay in registers: to read three words as soon as they have been stored costs as much as a walk.
 */

/* BLOCK was allocated. Call it after the real function; it may be NULL. Keeps errno. */
void rs_record_alloc(const void *block, size_t size, uint64_t pc, uint64_t sp, uint64_t fp);

/* BLOCK is about to be freed. Call it before the real function. */
void rs_record_free(const void *block, uint64_t sp);

/*
 * For realloc: draw the number of the free before the real function, note it afterwards, when it is known that the
 * block has moved or gone.
 */
uint32_t rs_record_draw(const void *block);
void rs_record_free_drawn(const void *block, uint32_t number, uint64_t sp);

/* The call-tree nodes of this process image, for all that sends stacks. NULL when there is no memory. */
struct rs_nodes *rs_record_nodes(void);

/* Write a definition into S, not published yet. False when there is no room. */
bool rs_record_node(struct rs_stream *s, uint32_t node, uint32_t parent, uint32_t module, uint64_t address);
bool rs_record_module(struct rs_stream *s, const struct rs_stack_module *module, const char *path);

/* Address space taken (or given back: BYTES < 0) outside malloc. */
void rs_record_outside(enum rs_outside kind, const void *address, int64_t bytes, uint64_t pc, uint64_t sp, uint64_t fp);
