/* SPDX-License-Identifier: MIT */
/*
 * Unwinds one and the same stack by one METHOD, again and again, and prints "ns_per_frame frames". bench/unwind.py
 * builds it (once with libunwind, which takes over backtrace(), and once without) and runs the methods interleaved.
 *
 *     unwind_bench METHOD DEPTH
 *
 * The stack is DEPTH calls through 64 functions of 64 frame sizes, no frame pointers, ended by main's callers. The
 * loops are hot: what is measured is the warm unwinder.
 */
#include <dlfcn.h>
#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unwind.h>

#include "core/unwind.h"

#ifdef WITH_LIBUNWIND
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#endif
#ifdef WITH_LIBDW
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <unistd.h>
#endif

enum { MAX = 256, ROUNDS = 7 };

static const char *method;
static double best_ns = 1e9;
static unsigned frames;
static volatile unsigned sink;
static void *pcs[MAX];

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- ours ---- */

static _Alignas(64) char cache_memory[RS_RULE_CACHE_BYTES(9)];
static struct rs_unwinder unwinder = {.cache = (void *)cache_memory};
static struct rs_regs start;
static char snapshot[1 << 16];

static void prepare_ours(uint64_t sp)
{
    uint64_t lo, hi;

    rs_rule_cache_init(unwinder.cache, 9);
    rs_stack_bounds(sp, &lo, &hi);
    if (strcmp(method, "snapshot") == 0 || strcmp(method, "libdw") == 0) {
        size_t len = hi - sp < sizeof(snapshot) ? hi - sp : sizeof(snapshot);

        memcpy(snapshot, (void *)sp, len);
        rs_unwinder_stack(&unwinder, sp, sp + len, (uintptr_t)snapshot - sp);
    } else {
        rs_unwinder_stack(&unwinder, sp, hi, 0);
    }
}

static unsigned by_rustscope(void)
{
    enum rs_stop why;

    return rs_unwind(&unwinder, &start, (uint64_t *)pcs, MAX, &why);
}

/* Each walk with a cache that knows nothing: what the first stack of a program costs. */
static unsigned by_rustscope_cold(void)
{
    rs_rule_cache_init(unwinder.cache, 9);
    return by_rustscope();
}

/* ---- the peers ---- */

static unsigned by_backtrace(void)
{
    return (unsigned)backtrace(pcs, MAX);
}

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *arg)
{
    unsigned *n = arg;

    pcs[*n] = (void *)_Unwind_GetIP(context);
    return ++*n == MAX ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static unsigned by_libgcc(void)
{
    unsigned n = 0;

    _Unwind_Backtrace(on_frame, &n);
    return n;
}

#ifdef WITH_LIBUNWIND
static unsigned by_libunwind(void)
{
    return (unsigned)unw_backtrace(pcs, MAX);
}

static unsigned by_libunwind_steps(void)
{
    unw_context_t context;
    unw_cursor_t cursor;
    unw_word_t ip;
    unsigned n = 0;

    unw_getcontext(&context);
    unw_init_local(&cursor, &context);
    do {
        unw_get_reg(&cursor, UNW_REG_IP, &ip);
        pcs[n++] = (void *)ip;
    } while (n < MAX && unw_step(&cursor) > 0);
    return n;
}
#endif

#ifdef WITH_LIBDW
/* libdw's rules, applied to the snapshot: CFA, return address, rbp. Modules are looked up as libdwfl does it. */
static Dwfl *dwfl;

static uint64_t word_at(uint64_t address)
{
    uint64_t word = 0;

    if (rs_on_stack(&unwinder, address))
        memcpy(&word, (char *)(address + unwinder.stack_delta), sizeof(word));
    return word;
}

static bool libdw_step(uint64_t *pc, uint64_t *sp, uint64_t *fp)
{
    Dwfl_Module *module = dwfl_addrmodule(dwfl, *pc - 1);
    Dwarf_Addr bias;
    Dwarf_CFI *cfi = module ? dwfl_module_eh_cfi(module, &bias) : NULL;
    Dwarf_Op memory[3], *ops;
    Dwarf_Frame *frame;
    uint64_t cfa;
    size_t n;

    if (!cfi || dwarf_cfi_addrframe(cfi, *pc - 1 - bias, &frame) != 0)
        return false;
    if (dwarf_frame_cfa(frame, &ops, &n) != 0 || n != 1) {
        free(frame);
        return false;
    }
    cfa = ops[0].atom == DW_OP_breg7 ? *sp + ops[0].number : ops[0].atom == DW_OP_breg6 ? *fp + ops[0].number :
          (ops[0].number == 7 ? *sp : *fp) + ops[0].number2;
    if (dwarf_frame_register(frame, 16, memory, &ops, &n) != 0 || n != 2) {
        free(frame);
        return false;
    }
    *pc = word_at(cfa + ops[1].number);
    if (dwarf_frame_register(frame, 6, memory, &ops, &n) == 0 && n == 2)
        *fp = word_at(cfa + ops[1].number);
    *sp = cfa;
    free(frame);
    return *pc != 0;
}

static unsigned by_libdw(void)
{
    uint64_t pc = start.pc + 1, sp = start.sp, fp = start.fp;
    unsigned n = 0;

    do
        pcs[n++] = (void *)pc;
    while (n < MAX && libdw_step(&pc, &sp, &fp));
    return n;
}

static int no_debuginfo(Dwfl_Module *m, void **data, const char *name, Dwarf_Addr base, const char *file,
                        const char *link, GElf_Word crc, char **found)
{
    (void)m, (void)data, (void)name, (void)base, (void)file, (void)link, (void)crc, (void)found;
    return -1;
}

static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_linux_proc_find_elf, .find_debuginfo = no_debuginfo};

static void prepare_libdw(void)
{
    dwfl = dwfl_begin(&callbacks);
    dwfl_linux_proc_report(dwfl, getpid());
    dwfl_report_end(dwfl, NULL, NULL);
}
#endif

/* ---- measuring ---- */

static const struct {
    const char *name;
    unsigned (*walk)(void);
} methods[] = {
    {"live", by_rustscope},
    {"snapshot", by_rustscope},
    {"cold", by_rustscope_cold},
    {"backtrace", by_backtrace},
    {"libgcc", by_libgcc},
#ifdef WITH_LIBUNWIND
    {"libunwind", by_libunwind},
    {"libunwind_steps", by_libunwind_steps},
#endif
#ifdef WITH_LIBDW
    {"libdw", by_libdw},
#endif
};

__attribute__((noinline)) static void measure(void)
{
    unsigned (*walk)(void) = NULL;
    ucontext_t uc;

    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
        if (strcmp(methods[i].name, method) == 0)
            walk = methods[i].walk;
    if (!walk)
        exit(2);
    getcontext(&uc);
    start = (struct rs_regs){.pc = (uint64_t)uc.uc_mcontext.gregs[REG_RIP],
                             .sp = (uint64_t)uc.uc_mcontext.gregs[REG_RSP],
                             .fp = (uint64_t)uc.uc_mcontext.gregs[REG_RBP],
                             .exact = true};
    prepare_ours(start.sp);
#ifdef WITH_LIBDW
    prepare_libdw();
#endif
    for (int i = 0; i < 200; i++)
        frames = walk();
    for (int round = 0; round < ROUNDS; round++) {
        unsigned walks = 0;
        double begin = now_ns(), end;

        do {
            for (int i = 0; i < 50; i++)
                sink += walk();
            walks += 50;
            end = now_ns();
        } while (end - begin < 15e6);
        if ((end - begin) / walks < best_ns)
            best_ns = (end - begin) / walks;
    }
}

typedef unsigned (*call_fn)(unsigned depth);
static call_fn volatile functions[64];

#define FUNCTION(n)                                                                                                    \
    __attribute__((noinline)) static unsigned f##n(unsigned depth)                                                     \
    {                                                                                                                  \
        volatile char room[8 + 24 * (n)];                                                                              \
        room[0] = (char)depth;                                                                                         \
        if (depth == 0)                                                                                                \
            measure();                                                                                                 \
        else                                                                                                           \
            sink += functions[(depth * 37) % 64](depth - 1);                                                           \
        return (unsigned)room[0] + depth;                                                                              \
    }
#define EIGHT(M, a) M(a##0) M(a##1) M(a##2) M(a##3) M(a##4) M(a##5) M(a##6) M(a##7)
EIGHT(FUNCTION, 1) EIGHT(FUNCTION, 2) EIGHT(FUNCTION, 3) EIGHT(FUNCTION, 4)
EIGHT(FUNCTION, 5) EIGHT(FUNCTION, 6) EIGHT(FUNCTION, 7) EIGHT(FUNCTION, 8)
#define NAME(n) f##n,
static const call_fn all[64] = {EIGHT(NAME, 1) EIGHT(NAME, 2) EIGHT(NAME, 3) EIGHT(NAME, 4)
                                EIGHT(NAME, 5) EIGHT(NAME, 6) EIGHT(NAME, 7) EIGHT(NAME, 8)};

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    method = argv[1];
    for (int i = 0; i < 64; i++)
        functions[i] = all[i];
    sink += functions[5]((unsigned)atoi(argv[2]));
    printf("%.2f %u\n", best_ns / frames, frames);
    return 0;
}
