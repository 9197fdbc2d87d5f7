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

/* Called in a signal handler, too: asserts nothing, since an assertion allocates. Without bounds nothing is walked. */
static struct rs_unwinder unwinder_at(uint64_t sp)
{
    struct rs_unwinder u = {.cache = (struct rs_rule_cache *)cache_memory, .read = rs_unwind_read_self};
    uint64_t lo, hi;

    memset(cache_memory, 0, sizeof(cache_memory));
    rs_rule_cache_init(u.cache, 9);
    if (rs_stack_bounds(sp, &lo, &hi) && sp >= lo && sp < hi)
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
    /* A sanitizer's backtrace() has a frame of its own first. */
    unsigned extra = (unsigned)their_count - our_count;

    ck_assert_int_gt(their_count, 4);
    ck_assert_uint_le(extra, 1);
    for (unsigned i = 1; i < our_count; i++) /* frame 0 is two places in one function */
        if (ours[i] == (uintptr_t)theirs[i + extra] + 1)
            plus_one++;
        else
            ck_assert_uint_eq(ours[i], (uintptr_t)theirs[i + extra]);
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

/* ---- made-up code: one module, one CIE and FDE by hand ---- */

enum { CODE = 0x10000, CODE_BYTES = 0x100, STACK = 0x7fff0000 };

static uint8_t section[256];
static struct rs_unwind_module made;

/* A module whose .eh_frame describes [CODE, CODE + CODE_BYTES) by PROGRAM, on top of "CFA = sp + 8, pc at CFA - 8". */
static void make_module(const uint8_t *program, size_t len)
{
    static const uint8_t cie[] = {/* id */ 0, 0, 0, 0, /* version */ 1, /* "" */ 0, /* code, data align */ 1, 0x78,
                                  /* pc */ RS_REG_RA, /* def_cfa sp, 8 */ 0x0c, RS_REG_SP, 8,
                                  /* offset pc at CFA - 8 */ 0x80 | RS_REG_RA, 1};
    uint32_t cie_len = sizeof(cie), fde_len = (uint32_t)(4 + 16 + len), back;
    uint64_t start = CODE, bytes = CODE_BYTES;
    uint8_t *at = section;

    memset(section, 0, sizeof(section));
    memcpy(at, &cie_len, 4);
    memcpy(at + 4, cie, sizeof(cie));
    at += 4 + sizeof(cie);
    back = (uint32_t)(at + 4 - section);
    memcpy(at, &fde_len, 4);
    memcpy(at + 4, &back, 4);
    memcpy(at + 8, &start, 8);
    memcpy(at + 16, &bytes, 8);
    if (len)
        memcpy(at + 24, program, len);
    made = (struct rs_unwind_module){.end = UINT64_MAX, .eh = {section, sizeof(section), 0x20000}};
}

static const struct rs_unwind_module *find_made(void *ctx, uint64_t pc, struct rs_unwind_module *scratch)
{
    (void)ctx, (void)pc, (void)scratch;
    return &made;
}

/* Walk from CODE + 4, on WORDS as the stack at STACK. */
static unsigned walk_made(const uint64_t *words, size_t count, uint64_t fp, const struct rs_full_regs *full)
{
    struct rs_unwinder u = {.cache = (struct rs_rule_cache *)cache_memory, .find = find_made};
    struct rs_regs regs = {.pc = CODE + 4, .sp = STACK, .fp = fp, .exact = true, .full = full};

    memset(cache_memory, 0, sizeof(cache_memory));
    rs_rule_cache_init(u.cache, 9);
    rs_unwinder_stack(&u, STACK, STACK + 8 * count, (uintptr_t)words - STACK);
    return rs_unwind(&u, &regs, ours, MAX, &our_stop);
}

START_TEST(a_cfa_that_does_not_grow_ends_the_walk)
{
    static const uint8_t by_fp[] = {/* def_cfa fp, 16 */ 0x0c, RS_REG_FP, 16};
    const uint64_t words[] = {1, CODE + 9, CODE + 9, 0};

    make_module(by_fp, sizeof(by_fp));
    ck_assert_uint_eq(walk_made(words, 4, STACK - 32, NULL), 1);
    ck_assert_int_eq(our_stop, RS_STOP_LOOP);
    /* The first frame is fine, and leaves an fp that leads back. */
    ck_assert_uint_eq(walk_made(words, 4, STACK, NULL), 2);
    ck_assert_int_eq(our_stop, RS_STOP_LOOP);
}
END_TEST

START_TEST(the_end_of_a_dump_is_said)
{
    const uint64_t words[] = {CODE + 9, CODE + 9};

    make_module(NULL, 0);
    ck_assert_uint_eq(walk_made(words, 2, 0, NULL), 3);
    ck_assert_int_eq(our_stop, RS_STOP_READ);
}
END_TEST

START_TEST(a_realigned_frame_is_found_by_its_expression)
{
    /* CFA = *(fp - 8), fp saved at fp: what gcc writes for DRAP. */
    static const uint8_t drap[] = {0x0f, 3, 0x70 + RS_REG_FP, 0x78, 0x06, 0x10, RS_REG_FP, 2, 0x70 + RS_REG_FP, 0};
    const uint64_t words[] = {STACK + 40, STACK + 0x500, 3, 4, 0, 6};

    make_module(drap, sizeof(drap));
    ck_assert_uint_eq(walk_made(words, 6, STACK + 8, NULL), 1);
    ck_assert_int_eq(our_stop, RS_STOP_ROOT);
}
END_TEST

START_TEST(a_register_that_is_not_known_ends_the_walk)
{
    static const uint8_t by_rax[] = {/* def_cfa reg 0, 16 */ 0x0c, 0, 16};
    const uint64_t words[] = {7, 0};
    struct rs_full_regs full = {.known = 1, .reg = {STACK}};

    make_module(by_rax, sizeof(by_rax));
    ck_assert_uint_eq(walk_made(words, 2, 0, NULL), 1);
    ck_assert_int_eq(our_stop, RS_STOP_REG);
    ck_assert_uint_eq(walk_made(words, 2, 0, &full), 1);
    ck_assert_int_eq(our_stop, RS_STOP_ROOT);
}
END_TEST

START_TEST(nonsense_in_an_expression_ends_the_walk)
{
    static const uint8_t endless[] = {0x0f, 3, 0x2f, 0xfd, 0xff};  /* skip -3 */
    static const uint8_t empty[] = {0x0f, 1, 0x13};                /* drop */
    static const uint8_t too_long[] = {0x0f, 0xff, 0xff, 3, 0x30}; /* a block beyond the section */
    const uint64_t words[] = {0};

    make_module(endless, sizeof(endless));
    ck_assert_uint_eq(walk_made(words, 1, 0, NULL), 1);
    ck_assert_int_eq(our_stop, RS_STOP_EXPR);
    make_module(empty, sizeof(empty));
    walk_made(words, 1, 0, NULL);
    ck_assert_int_eq(our_stop, RS_STOP_EXPR);
    make_module(too_long, sizeof(too_long));
    walk_made(words, 1, 0, NULL);
    ck_assert_int_eq(our_stop, RS_STOP_BAD_CFI);
}
END_TEST

START_TEST(unmapped_code_empties_the_cache)
{
    struct rs_rule_cache *cache = (struct rs_rule_cache *)cache_memory;

    memset(cache_memory, 0, sizeof(cache_memory));
    rs_rule_cache_init(cache, 9);
    cache->set[3].key[0] = 77;
    rs_rule_cache_check(cache);
    ck_assert_uint_eq(cache->set[3].key[0], 77);
    rs_unwind_invalidate();
    rs_rule_cache_check(cache);
    ck_assert_uint_eq(cache->set[3].key[0], 0);
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

SUITE("unwind", own_stack_through_libc_equals_backtrace, a_thread_ends_at_its_root,
      a_signal_frame_is_stepped_through, a_walk_by_steps_gives_the_same_frames, too_deep_is_cut_and_said,
      a_cfa_that_does_not_grow_ends_the_walk, the_end_of_a_dump_is_said, a_realigned_frame_is_found_by_its_expression,
      a_register_that_is_not_known_ends_the_walk, nonsense_in_an_expression_ends_the_walk,
      unmapped_code_empties_the_cache, stop_reasons_have_names)
