/* SPDX-License-Identifier: MIT */
#pragma once

#include <rustscope.h>
#include <stdatomic.h>

#include "lib/os.h"

/*
 * A lock held for a few lookups at the first use of a place, never across a call into anybody else's code.
 *
 * A signal handler must not wait for a lock that the code it cut into holds: while a thread holds one, its state says
 * RS_STATE_BUSY, which sends each scope begun there to the slow path, and that skips it.
 *
 * A forked child overwrites the lock, since its holder may not exist there; what locks protect is published by single
 * stores and therefore whole at any moment. A pthread mutex would need an atfork handler that waits, inside fork().
 */
#define RS_STATE_BUSY UINT32_MAX /* odd, so no value of rustscope_state that means "on" */

struct rs_lock {
    atomic_int held;
    uint32_t state_before; /* of the holder */
};

static inline uint32_t rs_busy_begin(void)
{
    uint32_t before = RS_THREAD_.state;

    RS_THREAD_.state = RS_STATE_BUSY;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return before;
}

static inline void rs_busy_end(uint32_t before)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    RS_THREAD_.state = before;
}

static inline void rs_lock_take(struct rs_lock *lock)
{
    uint32_t before = rs_busy_begin();

    for (unsigned tries = 1; atomic_exchange_explicit(&lock->held, 1, memory_order_acquire); tries++)
        if (tries % 64 == 0)
            rs_os_yield();
    lock->state_before = before;
}

static inline void rs_lock_drop(struct rs_lock *lock)
{
    uint32_t before = lock->state_before;

    atomic_store_explicit(&lock->held, 0, memory_order_release);
    rs_busy_end(before);
}

static inline void rs_lock_reset(struct rs_lock *lock)
{
    atomic_store_explicit(&lock->held, 0, memory_order_relaxed);
}
