/* SPDX-License-Identifier: MIT */
#include "core/unwind.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "suite.h"

enum { MAX = 256 };

static _Alignas(64) char cache_memory[RS_RULE_CACHE_BYTES(9)];
static uint64_t ours[MAX];
static unsigned our_count;
static enum rs_stop our_stop;
static void *theirs[MAX];
static int their_count;

static struct rs_unwinder unwinder_at(uint64_t sp)
{
    struct rs_unwinder u = {.cache = (struct rs_rule_cache *)cache_memory, .read = rs_unwind_read_self};
    uint64_t lo, hi;

    memset(cache_memory, 0, sizeof(cache_memory));
    rs_rule_cache_init(u.cache, 9);
    ck_assert(rs_stack_bounds(sp, &lo, &hi));
    ck_assert(sp >= lo && sp < hi);
    rs_unwinder_stack(&u, sp, hi, 0);
    return u;
}

static struct rs_regs regs_of(const ucontext_t *uc)
{
#if defined(__aarch64__)
    return (struct rs_regs){.pc = uc->uc_mcontext.pc,
                            .sp = uc->uc_mcontext.sp,
                            .fp = uc->uc_mcontext.regs[29],
                            .lr = uc->uc_mcontext.regs[30],
                            .exact = true};
#else
    const greg_t *reg = uc->uc_mcontext.gregs;

    return (struct rs_regs){
        .pc = (uint64_t)reg[REG_RIP], .sp = (uint64_t)reg[REG_RSP], .fp = (uint64_t)reg[REG_RBP], .exact = true};
#endif
}

__attribute__((noinline)) static int take_both(void)
{
    struct rs_unwinder u;
    struct rs_regs regs;
    ucontext_t uc;

    their_count = backtrace(theirs, MAX);
    getcontext(&uc);
    regs = regs_of(&uc);
    u = unwinder_at(regs.sp);
    our_count = rs_unwind(&u, &regs, ours, MAX, &our_stop);
    return our_count > 0;
}

static int by_qsort(const void *a, const void *b)
{
    (void)a, (void)b;
    return their_count ? 0 : take_both() - 1;
}

__attribute__((noinline)) static int deep(int depth)
{
    int numbers[2] = {2, 1}, result;

    if (depth == 0) {
        qsort(numbers, 2, sizeof(*numbers), by_qsort);
        return numbers[0];
    }
    result = deep(depth - 1);
    __asm__ volatile("" : "+r"(result));
    return result + depth;
}

/* INTERRUPTED: how many frames are exact, that is stored plus one, in our list. */
static void check_same_frames(unsigned interrupted)
{
    unsigned plus_one = 0;

    ck_assert_int_gt(their_count, 4);
    ck_assert_uint_eq(our_count, their_count);
    for (int i = 1; i < their_count; i++) /* frame 0 is two places in one function */
        if (ours[i] == (uintptr_t)theirs[i] + 1)
            plus_one++;
        else
            ck_assert_uint_eq(ours[i], (uintptr_t)theirs[i]);
    ck_assert_uint_eq(plus_one, interrupted);
    ck_assert_int_eq(our_stop, RS_STOP_ROOT);
}

START_TEST(own_stack_through_libc_equals_backtrace)
{
    their_count = 0;
    deep(20);
    check_same_frames(0);
}
END_TEST

static void *in_thread(void *arg)
{
    (void)arg;
    their_count = 0;
    deep(3);
    return NULL;
}

START_TEST(a_thread_ends_at_its_root)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, in_thread, NULL), 0);
    pthread_join(thread, NULL);
    check_same_frames(0);
}
END_TEST

static void on_signal(int signo)
{
    (void)signo;
    take_both();
}

START_TEST(a_signal_frame_is_stepped_through)
{
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    check_same_frames(1);
}
END_TEST

START_TEST(a_walk_by_steps_gives_the_same_frames)
{
    ucontext_t uc;
    struct rs_regs regs = (getcontext(&uc), regs_of(&uc));
    struct rs_unwinder u = unwinder_at(regs.sp);
    enum rs_stop stop;
    unsigned n = rs_unwind(&u, &regs, ours, MAX, &stop), steps = 0;

    ck_assert_uint_gt(n, 1);
    do {
        ck_assert_uint_eq(rs_regs_address(&regs), ours[steps]);
        steps++;
        our_stop = rs_unwind_step(&u, &regs);
    } while (our_stop == RS_STOP_NONE);
    ck_assert_int_eq(our_stop, stop);
    ck_assert_uint_eq(steps, n);
    ck_assert_uint_eq(u.stops[stop], 1);
}
END_TEST

START_TEST(too_deep_is_cut_and_said)
{
    ucontext_t uc;
    struct rs_regs regs = (getcontext(&uc), regs_of(&uc));
    struct rs_unwinder u = unwinder_at(regs.sp);
    enum rs_stop stop;

    ck_assert_uint_eq(rs_unwind(&u, &regs, ours, 2, &stop), 2);
    ck_assert_int_eq(stop, RS_STOP_MAX);
    ck_assert_uint_eq(rs_unwind(&u, &regs, ours, 0, &stop), 0);
    ck_assert_int_eq(stop, RS_STOP_MAX);
}
END_TEST

START_TEST(stop_reasons_have_names)
{
    ck_assert_str_eq(rs_stop_name(RS_STOP_ROOT), "root");
    for (unsigned i = 0; i < RS_STOP_KINDS; i++)
        ck_assert_str_ne(rs_stop_name((enum rs_stop)i), "unknown");
    ck_assert_str_eq(rs_stop_name(RS_STOP_KINDS), "unknown");
}
END_TEST

SUITE("unwind", own_stack_through_libc_equals_backtrace, a_thread_ends_at_its_root, a_signal_frame_is_stepped_through,
      a_walk_by_steps_gives_the_same_frames, too_deep_is_cut_and_said, stop_reasons_have_names)
