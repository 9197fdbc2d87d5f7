/* SPDX-License-Identifier: MIT */
#include "analyze/symbolize.h"

#include <link.h>
#include <string.h>
#include <unistd.h>

#include "analyze/functions.h"
#include "suite.h"

/* This program is its own test object: `leaf` is inlined into `middle`, which is inlined into `outer`. */
static volatile int sink;

/* Its own pc: an address inside three functions at once. */
static inline __attribute__((always_inline)) const void *leaf(void)
{
    const void *pc;

#ifdef __x86_64__
    __asm__ volatile("lea 0(%%rip), %0" : "=r"(pc));
#else
    __asm__ volatile("adr %0, ." : "=r"(pc));
#endif
    sink++;
    return pc;
}

static inline __attribute__((always_inline)) const void *middle(void)
{
    sink++;
    return leaf();
}

const void *outer(void);
__attribute__((noinline)) const void *outer(void)
{
    sink++;
    return middle();
}

static int take_first(struct dl_phdr_info *info, size_t size, void *ctx)
{
    (void)size;
    *(uint64_t *)ctx = info->dlpi_addr;
    return 1;
}

static uint64_t own_addr(const void *code)
{
    uint64_t bias = 0;

    dl_iterate_phdr(take_first, &bias);
    return (uint64_t)(uintptr_t)code - bias;
}

static const uint64_t MS = 1000000;
static const struct symbolize_options options = {.no_cache = true};
static struct session *s;
static char self[4096];

static uint32_t add_module(const char *path)
{
    return calltree_module(&s->tree, strings_add_str(&s->strings, path), 0, NULL);
}

static void set_up(void)
{
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

    ck_assert_int_gt(len, 0);
    s = session_new(0, 1000);
}

static const struct frame *frame_of(int32_t node)
{
    return &s->tree.frames[s->tree.nodes[node].frame];
}

static const char *func_of(int32_t node)
{
    return strings_get(&s->strings, frame_of(node)->func);
}

static void sample(int32_t node, int64_t us)
{
    const int64_t values[ROWS_MAX_VALUES] = {us, 1};

    rows_add(&s->cpu_rows, 0, (uint32_t)node, 0, values);
}

/* main, outer (raw, at the inlined place) and a callee of it in a module that cannot be read. */
static void build_raw(int32_t *inner, int32_t *callee)
{
    uint32_t module = add_module(self), gone = add_module("/nowhere/libgone.so");
    int32_t root = calltree_child(&s->tree, CALLTREE_NO_NODE,
                                  calltree_frame(&s->tree, module, own_addr((const void *)(uintptr_t)build_raw)));

    *inner = calltree_child(&s->tree, root, calltree_frame(&s->tree, module, own_addr(outer())));
    *callee = calltree_child(&s->tree, *inner, calltree_frame(&s->tree, gone, 0x1234));
    sample(*inner, 600);
    sample(*callee, 400);
}

static void check_expanded(int32_t callee)
{
    int32_t node = callee;

    ck_assert_str_eq(func_of(node), "libgone.so+0x1234");
    node = s->tree.nodes[node].parent;
    ck_assert_str_eq(func_of(node), "leaf");
    ck_assert(frame_of(node)->inlined);
    ck_assert_uint_eq(frame_of(node)->inline_depth, 2);
    node = s->tree.nodes[node].parent;
    ck_assert_str_eq(func_of(node), "middle");
    ck_assert(frame_of(node)->inlined);
    node = s->tree.nodes[node].parent;
    ck_assert_str_eq(func_of(node), "outer");
    ck_assert(!frame_of(node)->inlined);
    ck_assert_int_eq(frame_of(node)->layer, LAYER_USER);
    ck_assert(strstr(strings_get(&s->strings, frame_of(node)->file), "test_symbolize.c"));
    node = s->tree.nodes[node].parent;
    ck_assert_str_eq(func_of(node), "build_raw");
    ck_assert_int_eq(s->tree.nodes[node].parent, CALLTREE_NO_NODE);
    ck_assert_uint_eq(s->tree.node_count, 5);
}

static int64_t total_us(void)
{
    int64_t sum = 0;

    for (size_t i = 0; i < s->cpu_rows.count; i++)
        sum += s->cpu_rows.value[CPU_ROW_WEIGHT_US][i];
    return sum;
}

/* The node of the row with US. */
static int32_t node_of(int64_t us)
{
    for (size_t i = 0; i < s->cpu_rows.count; i++)
        if (s->cpu_rows.value[CPU_ROW_WEIGHT_US][i] == us)
            return (int32_t)s->cpu_rows.key[i];
    return -1;
}

START_TEST(inlined_functions_become_nodes_and_rows_follow)
{
    int32_t inner, callee;

    set_up();
    build_raw(&inner, &callee);
    symbolize(s, &options);
    check_expanded(node_of(400));
    ck_assert_str_eq(func_of(node_of(600)), "leaf");
    ck_assert_int_eq(total_us(), 1000);
    ck_assert_int_eq(s->tree.modules[0].symbols, MODULE_SYMBOLS_DWARF);
    ck_assert_uint_gt(strings_len(&s->strings, s->tree.modules[0].build_id), 0);
    ck_assert_int_eq(s->tree.modules[1].symbols, MODULE_SYMBOLS_UNKNOWN);
    ck_assert_uint_eq(s->diagnostics.unknown_symbols, 1);
    session_free(s);
}
END_TEST

START_TEST(doing_it_again_changes_nothing)
{
    int32_t inner, callee;

    set_up();
    build_raw(&inner, &callee);
    for (int again = 0; again < 3; again++) {
        symbolize(s, &options);
        check_expanded(node_of(400));
        ck_assert_int_eq(total_us(), 1000);
    }
    session_free(s);
}
END_TEST

/* On another machine, without the file: names and inlined frames stay as they were. */
START_TEST(without_the_file_an_earlier_result_stays)
{
    int32_t inner, callee;

    set_up();
    build_raw(&inner, &callee);
    symbolize(s, &options);
    s->tree.modules[0].path = strings_add_str(&s->strings, "/moved/away");
    symbolize(s, &options);
    check_expanded(node_of(400));
    ck_assert_int_eq(total_us(), 1000);
    session_free(s);
}
END_TEST

START_TEST(a_session_symbolised_without_the_file_is_upgraded_with_it)
{
    int32_t inner, callee;
    string_id path;

    set_up();
    build_raw(&inner, &callee);
    path = s->tree.modules[0].path;
    s->tree.modules[0].path = strings_add_str(&s->strings, "/not/here/yet");
    symbolize(s, &options);
    ck_assert_str_eq(func_of(s->tree.nodes[node_of(400)].parent) + strlen("yet"), strrchr(func_of(node_of(600)), '+'));
    ck_assert_uint_eq(s->diagnostics.unknown_symbols, 3);
    s->tree.modules[0].path = path;
    symbolize(s, &options);
    check_expanded(node_of(400));
    session_free(s);
}
END_TEST

START_TEST(everything_that_names_a_node_follows)
{
    const int64_t wait[ROWS_MAX_VALUES] = {7, 1}, alloc[ROWS_MAX_VALUES] = {8, 1, 8};
    int32_t inner, callee, want;

    set_up();
    build_raw(&inner, &callee);
    rows_add(&s->offcpu_rows, 0, (uint32_t)callee, 0, wait);
    rows_add(&s->alloc_rows, 0, (uint32_t)callee, 0, alloc);
    s->allocations.stats = calloc(2, sizeof(*s->allocations.stats));
    s->allocations.stats[0] = (struct alloc_stats){.node = callee, .count = 1, .bytes = 8};
    s->allocations.stats[1] = (struct alloc_stats){.node = inner, .count = 2, .bytes = 9};
    s->allocations.stats_count = 2;
    s->allocations.leaks = calloc(1, sizeof(*s->allocations.leaks));
    s->allocations.leaks[0].node = callee;
    s->allocations.leak_count = 1;
    session_add_event(s, EVENT_MEMORY_SPIKE, 5 * MS, -1);
    s->events[0].allocations = calloc(1, sizeof(*s->events[0].allocations));
    s->events[0].allocations[0].node = callee;
    s->events[0].allocation_count = 1;
    symbolize(s, &options);
    want = node_of(400);
    ck_assert_int_ne(want, callee);
    ck_assert_uint_eq(s->offcpu_rows.key[0], (uint32_t)want);
    ck_assert_uint_eq(s->alloc_rows.key[0], (uint32_t)want);
    ck_assert_int_eq(s->allocations.leaks[0].node, want);
    ck_assert_int_eq(s->events[0].allocations[0].node, want);
    ck_assert_uint_eq(s->allocations.stats_count, 2);
    ck_assert_int_eq(s->allocations.stats[0].node, node_of(600));
    ck_assert_int_eq(s->allocations.stats[1].node, want);
    session_free(s);
}
END_TEST

START_TEST(kernel_and_jit_addresses_of_another_boot_are_not_looked_up)
{
    int32_t kernel, jit;

    set_up();
    kernel = calltree_child(&s->tree, -1, calltree_frame(&s->tree, add_module("[kernel]"), 0xffffffff81000100));
    jit = calltree_child(&s->tree, -1, calltree_frame(&s->tree, add_module("[anon:1]"), 0x1000));
    sample(kernel, 1);
    sample(jit, 2);
    symbolize(s, &options);
    ck_assert_str_eq(func_of(node_of(1)), "[kernel]");
    ck_assert_int_eq(frame_of(node_of(1))->layer, LAYER_KERNEL);
    ck_assert_str_eq(func_of(node_of(2)), "[anon]");
    session_free(s);
}
END_TEST

START_TEST(named_frames_and_totals_survive_the_node_limit)
{
    uint32_t module;
    int64_t sum = 0;

    set_up();
    module = add_module(self);
    s->tree.node_limit = 40;
    for (uint64_t i = 0; i < 40; i++) {
        sample(calltree_child(&s->tree, -1, calltree_frame(&s->tree, module, own_addr(outer()) + i % 4)), 10);
        sample(calltree_child(&s->tree, -1,
                              calltree_named_frame(&s->tree, strings_addf(&s->strings, "[%d]", (int)i), LAYER_KERNEL)),
               1);
        sum += 11;
    }
    symbolize(s, &options);
    ck_assert_uint_le(s->tree.node_count, 40);
    ck_assert_uint_gt(s->tree.folded, 0);
    ck_assert_int_eq(total_us(), sum);
    session_free(s);
}
END_TEST

START_TEST(live_names_come_in_place_and_once)
{
    struct live_names *names;
    int32_t inner, callee;

    set_up();
    build_raw(&inner, &callee);
    names = live_names_new(s);
    live_names_update(names, UINT64_MAX / 2);
    ck_assert_str_eq(func_of(inner), "outer");
    ck_assert_str_eq(func_of(callee), "");
    live_names_update(names, UINT64_MAX / 2);
    ck_assert_uint_eq(s->tree.node_count, 3);
    live_names_free(names);
    symbolize(s, &options);
    check_expanded(node_of(400));
    session_free(s);
}
END_TEST

SUITE("symbolize", inlined_functions_become_nodes_and_rows_follow, doing_it_again_changes_nothing,
      without_the_file_an_earlier_result_stays, a_session_symbolised_without_the_file_is_upgraded_with_it,
      everything_that_names_a_node_follows, kernel_and_jit_addresses_of_another_boot_are_not_looked_up,
      named_frames_and_totals_survive_the_node_limit, live_names_come_in_place_and_once)
