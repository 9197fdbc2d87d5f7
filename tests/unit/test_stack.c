/* SPDX-License-Identifier: MIT */
/*
 * rs_stack_node() takes every short cut it can; rs_unwind() takes none. A program that calls itself at random asks
 * both, at each step: the node's path has to be the walk, frame by frame.
 */
#include "core/stack.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "core/unwind.h"
#include "core/wire.h"
#include "suite.h"

enum {
    NODES = 1 << 20,
    MODULES = 1 << 16,
    ROUNDS = 3000,
    PROGRAMS = 40,
    DEEP = 700,
    PCS = 24,
    WORDS = 48,
    CHANGES = 1000000
};

#define APART __attribute__((noinline, noclone, no_sanitize("address")))

static struct {
    uint32_t parent, module;
    uint64_t address;
} node_table[NODES];
static uint64_t bias[MODULES];
static bool full; /* nobody can be told of a node */

static struct rs_stack *stack;
static struct rs_nodes nodes;
static struct rs_unwinder oracle;
static _Alignas(64) char oracle_cache[RS_RULE_CACHE_BYTES(12)];
static uint64_t seed;
static long asked;

static bool keep_node(void *ctx, uint32_t node, uint32_t parent, uint32_t module, uint64_t address)
{
    (void)ctx;
    if (full)
        return false;
    ck_assert_uint_lt(node, NODES);
    node_table[node].parent = parent;
    node_table[node].module = module;
    node_table[node].address = address;
    return true;
}

static bool keep_module(void *ctx, const struct rs_stack_module *module, const char *path)
{
    (void)ctx, (void)path;
    ck_assert_uint_lt(module->id, MODULES);
    bias[module->id] = module->bias;
    return true;
}

static void begin(void)
{
    uint64_t low, high;

    asked = 0;
    full = false;
    memset(&nodes, 0, sizeof(nodes));
    stack = mmap(NULL, sizeof(*stack), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(stack != MAP_FAILED);
    rs_stack_init(stack, &nodes, &(struct rs_stack_sink){keep_node, keep_module, NULL}, true);
    oracle = (struct rs_unwinder){.cache = (struct rs_rule_cache *)oracle_cache};
    rs_rule_cache_init(oracle.cache, 12);
    ck_assert(rs_stack_bounds((uintptr_t)__builtin_frame_address(0), &low, &high));
    rs_unwinder_stack(&oracle, low, high, 0);
}

static uint32_t draw(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 20) % below;
}

static uint64_t some_pcs[PCS]; /* whose rules can be kept, and whose frames are small */
static unsigned some_count;

static void collect_pc(uint64_t pc)
{
    uint32_t rule = rs_rule_of(&oracle, pc);

    if (some_count == PCS || rs_rule_cfa_offset(rule) > 96 ||
        (rs_rule_kind(rule) != RS_RULE_SP && rs_rule_kind(rule) != RS_RULE_FP))
        return;
    for (unsigned i = 0; i < some_count; i++)
        if (some_pcs[i] == pc)
            return;
    some_pcs[some_count++] = pc;
}

static void compare(uint32_t node, uint64_t pc, uint64_t sp, uint64_t fp)
{
    static uint64_t pcs[4096];
    enum rs_stop why;
    unsigned count = rs_unwind(&oracle, &(struct rs_regs){.pc = pc, .sp = sp, .fp = fp}, pcs, 4096, &why);

    for (unsigned i = 0; i < count; i++, node = node_table[node].parent) {
        uint64_t address = node_table[node].address + bias[node_table[node].module];

        if (i == RS_STACK_FRAMES)
            break;
        loop_assert_msg(node && address == pcs[i], "ask %ld, frame %u of %u: %lx, but it is %lx", asked, i, count,
                        (unsigned long)address, (unsigned long)pcs[i]);
        collect_pc(pcs[i]);
    }
    if (why == RS_STOP_ROOT && count <= RS_STACK_FRAMES)
        loop_assert_msg(node == 0, "ask %ld: there are frames beyond the root", asked);
    else
        loop_assert_msg(node_table[node].address == RS_ADDRESS_TRUNCATED, "ask %ld: it is not said to be cut", asked);
}

/* What a hook does: its caller's registers. (A frame of its own, for the caller's frame pointer.) */
static APART uint32_t ask(void)
{
    uint64_t pc = (uintptr_t)__builtin_extract_return_addr(__builtin_return_address(0));
    uint64_t sp = (uintptr_t)__builtin_dwarf_cfa(), fp = *(uint64_t *)__builtin_frame_address(0);
    uint32_t node = rs_stack_node(stack, pc, sp, fp);

    asked++;
    if (!full)
        compare(node, pc, sp, fp);
    return node;
}

/* ---- functions of all shapes ---- */

typedef void step_fn(int depth);
static void step(int depth);

#define AFTER_CALL() __asm__ volatile("" : : : "memory")

static APART void plain(int depth)
{
    step(depth);
    AFTER_CALL();
}

/* Two places in one function: another pc, the same rule. */
static APART void two_sites(int depth)
{
    if (draw(2))
        step(depth);
    else
        step(depth - 1);
    AFTER_CALL();
}

/* Much of it is what earlier calls have left: return addresses that are none any more. */
static APART void big_frame(int depth)
{
    volatile char left[1500];

    left[draw(1500)] = 1;
    step(depth);
    seed += (uint64_t)left[0] & 0x100; /* nothing */
}

/* Its size is known at run time only: the CFA is fp's. */
static APART void any_size(int depth)
{
    volatile char *some = __builtin_alloca(16 + 16 * draw(40));

    some[3] = 1;
    step(depth);
    AFTER_CALL();
}

static APART __attribute__((optimize("no-omit-frame-pointer"))) void with_fp(int depth)
{
    step(depth);
    AFTER_CALL();
}

/* fp is a register like any other here. */
static APART __attribute__((optimize("omit-frame-pointer"))) void busy_registers(int depth)
{
    volatile int in[6] = {depth, 1, 2, 3, 4, 5};
    int a = in[0], b = in[1], c = in[2], d = in[3], e = in[4], f = in[5];

    step(depth);
    in[0] = a ^ b ^ c ^ d ^ e ^ f;
    step(depth - 2);
    in[1] = a + b + c + d + e + f;
}

static APART void wrapper_2(void)
{
    ask();
    AFTER_CALL();
}

static APART void wrapper_1(void)
{
    wrapper_2();
    AFTER_CALL();
}

static step_fn *const shapes[] = {plain, plain, two_sites, big_frame, any_size, with_fp, busy_registers};

static APART void step(int depth)
{
    for (uint32_t i = draw(3); i-- > 0;)
        if (draw(2))
            ask();
        else
            wrapper_1();
    for (uint32_t i = depth > 0 ? 1 + draw(2) : 0; i-- > 0;)
        shapes[draw(sizeof(shapes) / sizeof(*shapes))](depth - 1);
}

/* One of the random programs, each of which does the same every time. */
static APART void run(int round)
{
    seed = 88172645463325252u * (1 + (uint64_t)round * round % PROGRAMS);
    step(4 + (int)draw(6));
    AFTER_CALL();
}

static APART void ask_twice(void)
{
    ask();
    AFTER_CALL();
    ask();
    AFTER_CALL();
}

/* ---- tests ---- */

START_TEST(a_node_is_what_a_walk_would_find)
{
    begin();
    for (int round = 0; round < ROUNDS; round++)
        run(round);
    ck_assert_int_gt(asked, 40 * ROUNDS);
}
END_TEST

START_TEST(a_node_is_right_after_code_was_unmapped)
{
    begin();
    for (int round = 0; round < ROUNDS / 10; round++) {
        run(round);
        rs_unwind_invalidate();
    }
}
END_TEST

START_TEST(a_node_is_right_after_all_was_forgotten)
{
    begin();
    for (int round = 0; round < ROUNDS / 10; round++) {
        run(round);
        rs_stack_reset(stack);
    }
}
END_TEST

static APART void ask_around(void)
{
    wrapper_1();
    ask_twice();
    wrapper_1();
    ask();
    AFTER_CALL();
}

/* What is kept is of the last stack that was walked, so a known one has left it alone. */
START_TEST(a_stack_that_was_seen_is_not_walked_again)
{
    uint64_t kept = 0;

    begin();
    for (int i = 0; i < 20; i++) {
        ask_around();
        if (i == 3)
            kept = stack->pc[stack->depth - 1] ^= 1 << 20;
        ck_assert(i < 3 || stack->pc[stack->depth - 1] == kept);
    }
}
END_TEST

/*
 * A stack of words that come and go: return addresses of real code, saved frame pointers, the end. Few at each place,
 * so that a stack comes back, and much of what was one is left where it is none any more.
 */
START_TEST(a_node_is_a_function_of_the_words_of_the_stack)
{
    static uint64_t may_be[WORDS][4];
    char *pages = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t *word = (uint64_t *)(void *)(pages + 4096) - WORDS;
    const uint64_t low = (uintptr_t)word, high = (uintptr_t)(word + WORDS);

    ck_assert(pages != MAP_FAILED && !mprotect(pages + 4096, 4096, PROT_NONE)); /* nothing to read behind the stack */
    begin();
    for (int round = 0; round < PROGRAMS; round++)
        run(round);
    ck_assert_uint_ge(some_count, 8);
    stack->low = low;
    stack->high = high;
    stack->low_exact = true;
    rs_unwinder_stack(&stack->unwinder, low, high, 0);
    rs_unwinder_stack(&oracle, low, high, 0);
    oracle.read = rs_unwind_read_self;
    for (int i = 0; i < WORDS; i++)
        for (int j = 0; j < 4; j++)
            may_be[i][j] = draw(3)   ? some_pcs[draw(some_count)]
                           : draw(4) ? low + 8 * (uint64_t)(i + 2 + (int)draw(8)) /* may be outside */
                                     : 0;
    for (int change = 0; change < CHANGES; change++) {
        uint64_t pc = some_pcs[draw(4)], sp = low + 16 * draw(3), fp = sp + 16 + 8 * draw(3);
        uint32_t at = draw(WORDS);

        word[at] = may_be[at][draw(4)];
        if (change % 50000 == 0) /* other code, for other shapes */
            for (int i = 0; i < 4; i++)
                may_be[draw(WORDS)][draw(4)] = some_pcs[draw(some_count)];
        asked++;
        compare(rs_stack_node(stack, pc, sp, fp), pc, sp, fp);
    }
}
END_TEST

static APART void deeper(int depth)
{
    if (depth > 0)
        deeper(depth - 1);
    else
        ask();
    if (depth % 100 == 0)
        ask();
    AFTER_CALL();
}

START_TEST(a_stack_deeper_than_is_kept_is_cut)
{
    begin();
    for (int i = 0; i < 3; i++)
        deeper(DEEP);
    ck_assert_uint_ge(stack->truncated, 3);
}
END_TEST

/* The outer frames are known, the inner ones cannot be told of: the next time they are. */
START_TEST(a_stack_that_was_cut_for_want_of_room_is_whole_the_next_time)
{
    volatile int times = 4; /* lest the loop be unrolled, and each call be another */

    begin();
    ask();
    for (int i = 0; i < times; i++) {
        full = i < 3;
        wrapper_1();
    }
}
END_TEST

SUITE("stack", a_node_is_what_a_walk_would_find, a_node_is_a_function_of_the_words_of_the_stack,
      a_node_is_right_after_code_was_unmapped, a_node_is_right_after_all_was_forgotten,
      a_stack_that_was_seen_is_not_walked_again, a_stack_deeper_than_is_kept_is_cut,
      a_stack_that_was_cut_for_want_of_room_is_whole_the_next_time)
