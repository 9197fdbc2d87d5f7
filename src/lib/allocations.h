/* SPDX-License-Identifier: MIT */
#pragma once

#include <rustscope.h>

/*
 * Where this thread's allocations are counted: in the shim, which exports
 *
 *     const struct rustscope_allocations *rustscope_shim_allocations(void);   the calling thread's, valid until it ends
 *
 * or in the thread's own counter, which rustscope_count_allocation() feeds. One of the two, for good: a program under
 * the shim that also has a TrackingAllocator counts each block once.
 */
const struct rustscope_allocations *rs_allocations_of_thread(void);
