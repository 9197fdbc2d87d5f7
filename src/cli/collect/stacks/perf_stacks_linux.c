/* SPDX-License-Identifier: MIT */
#include "collect/stacks/perf_stacks.h"

#include <asm/perf_regs.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/proc_parse.h"
#include "base/proc_view.h"
#include "core/clock.h"
#include "symbol/symbol.h"

enum { RULE_CACHE_BITS = 12, FRAME_SLOTS = 16384, CACHE_LINE = 64 };
/* How much is read beyond a dump at a time, and how often. */
enum { STITCH_WINDOW_BYTES = 64 << 10, STITCH_WINDOWS = 8, OUTER_MAX_BYTES = 512 << 10 };
/* How much of the dump must be unchanged for that: wanted, at least, at most. */
enum { STITCH_PROOF_BYTES = 512, STITCH_PROOF_MIN_BYTES = 256, STITCH_PROOF_MAX_BYTES = 2048 };
/* Maps are read again for pcs that nothing covers, but not more often than this. */
enum { REREAD_INTERVAL_NS = 200000000 };
enum { SLEEPER_STACK_BYTES = 32 << 10 };
/* A process runs on between sample and drain: nothing is read for a sample that is older than this. */
#define STITCH_MAX_AGE_NS UINT64_C(200000000)

/* pc -> frame of the call tree, direct-mapped: saves the two lookups behind it for nearly every frame. */
struct perf_frame_slot {
    uint64_t key; /* the unwinder's address | space << 48 */
    uint32_t frame;
};

/*
 * What one walk needs to reach beyond its dump: windows of the live process's stacks. Usually one, behind the dump; a
 * walk that leaves a signal stack, or a stack that a runtime switched to, needs one on each.
 */
struct perf_stitch {
    const struct perf_record *sample;
    struct perf_process *process;
    uint64_t proof_lo, proof_hi; /* of the dump */
    uint64_t asked;              /* the first address of the walk that could not be read; 0 none */
    bool found_hole;             /* a pc that nothing maps */
    bool used;
    unsigned window_count;
    struct perf_window {
        uint64_t lo, hi;
        const uint8_t *bytes;
    } windows[STITCH_WINDOWS];
    uint8_t live[STITCH_WINDOWS][STITCH_WINDOW_BYTES];
};

void perf_stacks_init(struct perf_stacks *stacks, struct session *session, struct maps *maps, uint64_t regs_mask)
{
    size_t bytes = RS_RULE_CACHE_BYTES(RULE_CACHE_BITS);

    *stacks = (struct perf_stacks){
        .session = session,
        .maps = maps,
        .regs_mask = regs_mask,
        .frames = xcalloc(FRAME_SLOTS, sizeof(*stacks->frames)),
        .stitch = xmalloc(sizeof(*stacks->stitch)),
        .kernel_module = -1,
    };
    stacks->cache_block = xcalloc(1, bytes + CACHE_LINE);
    stacks->cache = (void *)(((uintptr_t)stacks->cache_block + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1));
    rs_rule_cache_init(stacks->cache, RULE_CACHE_BITS);
}

void perf_stacks_release(struct perf_stacks *stacks)
{
    free(stacks->cache_block);
    free(stacks->frames);
    free(stacks->stitch);
    *stacks = (struct perf_stacks){0};
}

/* Space ids have started over: what was cached under them means something else now. */
static void check_generation(struct perf_stacks *stacks)
{
    if (stacks->space_generation == stacks->maps->space_generation)
        return;
    stacks->space_generation = stacks->maps->space_generation;
    rs_rule_cache_init(stacks->cache, RULE_CACHE_BITS);
    memset(stacks->frames, 0, FRAME_SLOTS * sizeof(*stacks->frames));
}

/* ---- what the unwinder asks for ---- */

/* The unwinder's way to a word outside the dump: of a stack, or of the code. */
static bool read_word(void *ctx, uint64_t address, uint64_t *word)
{
    struct perf_stitch *stitch = ctx;

    for (unsigned i = 0; i < stitch->window_count; i++) {
        const struct perf_window *window = &stitch->windows[i];

        if (address < window->lo || address + 8 > window->hi)
            continue;
        memcpy(word, window->bytes + (address - window->lo), 8);
        stitch->used = true;
        return true;
    }
    if (maps_read_code(&stitch->process->space, address, word))
        return true;
    stitch->asked = address;
    return false;
}

static const struct rs_unwind_module *find_module(void *ctx, uint64_t pc, struct rs_unwind_module *scratch)
{
    struct perf_stitch *stitch = ctx;
    struct mapping *mapping = maps_find(&stitch->process->space, pc);

    if (!mapping) {
        stitch->found_hole = true;
        return NULL;
    }
    return maps_unwind_module(mapping, scratch);
}

/* ---- the user part ---- */

#if defined(__x86_64__)
/* perf's numbers of the registers, by their DWARF numbers. */
static const uint8_t perf_reg[RS_REGS] = {
    PERF_REG_X86_AX,  PERF_REG_X86_DX,  PERF_REG_X86_CX,  PERF_REG_X86_BX,  PERF_REG_X86_SI,  PERF_REG_X86_DI,
    PERF_REG_X86_BP,  PERF_REG_X86_SP,  PERF_REG_X86_R8,  PERF_REG_X86_R9,  PERF_REG_X86_R10, PERF_REG_X86_R11,
    PERF_REG_X86_R12, PERF_REG_X86_R13, PERF_REG_X86_R14, PERF_REG_X86_R15, PERF_REG_X86_IP,
};
enum { REG_COUNT = RS_REGS };
#else
/* x0-x30 and sp have the same numbers; perf's 32 is the pc. */
static const uint8_t perf_reg[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
                                   17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32};
enum { REG_COUNT = sizeof(perf_reg) };
#endif

/* The sample's registers, by DWARF number. */
static void read_regs(const struct perf_stacks *stacks, const struct perf_record *sample, struct rs_full_regs *full,
                      struct rs_regs *regs)
{
    uint64_t by_number[64] = {0};
    size_t n = 0;

    for (unsigned bit = 0; bit < 64; bit++)
        if (stacks->regs_mask >> bit & 1)
            by_number[bit] = sample->sample.regs[n++];
    memset(full, 0, sizeof(*full));
    for (unsigned reg = 0; reg < REG_COUNT; reg++) {
        if (sample->sample.only_sp_pc && reg != RS_REG_SP && reg != RS_REG_PC)
            continue;
        full->reg[reg] = by_number[perf_reg[reg]];
        full->known |= 1ull << reg;
    }
    *regs = (struct rs_regs){
        .pc = full->reg[RS_REG_PC],
        .sp = full->reg[RS_REG_SP],
        .fp = full->reg[RS_REG_FP],
        .lr = full->reg[RS_REG_RA],
        .exact = true,
        .full = full,
    };
}

static void begin_walk(struct perf_stacks *stacks, struct perf_process *process, const struct perf_record *sample,
                       const struct rs_regs *regs, struct rs_unwinder *unwinder)
{
    struct perf_stitch *stitch = stacks->stitch;

    stitch->asked = 0;
    stitch->used = stitch->found_hole = false;
    *unwinder = (struct rs_unwinder){
        .cache = stacks->cache,
        .find = find_module,
        .read = read_word,
        .ctx = stitch,
        .space = process->space.id,
    };
    rs_unwinder_stack(unwinder, regs->sp, regs->sp + sample->sample.stack_bytes,
                      (uintptr_t)sample->sample.stack - regs->sp);
}

/* ---- beyond the dump ---- */

/*
 * Which bytes of the dump prove that the outward frames still stand: those of the frame at which the walk stopped, and
 * of as many before it as make up enough. Frames further in come and go meanwhile, and prove nothing.
 */
static void choose_proof(struct perf_stacks *stacks, struct perf_process *process, const struct perf_record *sample,
                         struct rs_regs regs)
{
    struct perf_stitch *stitch = stacks->stitch;
    uint64_t sp[PERF_MAX_FRAMES], dump_end = regs.sp + sample->sample.stack_bytes;
    struct rs_unwinder unwinder;
    unsigned count = 0;

    stitch->proof_lo = stitch->proof_hi = 0;
    begin_walk(stacks, process, sample, &regs, &unwinder);
    do
        sp[count++] = regs.sp;
    while (count < PERF_MAX_FRAMES && rs_unwind_step(&unwinder, &regs) == RS_STOP_NONE);
    do /* behind a signal frame the walk is on another stack already */
        count--;
    while (count && sp[count] - sp[0] >= sample->sample.stack_bytes);
    stitch->proof_hi = sp[count] + STITCH_PROOF_BYTES < dump_end ? sp[count] + STITCH_PROOF_BYTES : dump_end;
    while (count && stitch->proof_hi - sp[count] < STITCH_PROOF_BYTES)
        count--;
    stitch->proof_lo =
        sp[count] + STITCH_PROOF_MAX_BYTES < stitch->proof_hi ? stitch->proof_hi - STITCH_PROOF_MAX_BYTES : sp[count];
}

static const uint8_t *proof_of(const struct perf_stitch *stitch, const struct rs_regs *regs)
{
    return stitch->sample->sample.stack + (stitch->proof_lo - regs->sp);
}

/* The window that the thread's last whole dump gives. */
static bool add_remembered_window(struct perf_stitch *stitch, const struct perf_outer *outer,
                                  const struct rs_regs *regs)
{
    uint64_t dump_end = regs->sp + stitch->sample->sample.stack_bytes;

    if (stitch->asked < dump_end || stitch->asked >= outer->hi || stitch->proof_lo < outer->lo ||
        stitch->proof_hi > outer->hi || dump_end < outer->lo ||
        memcmp(proof_of(stitch, regs), outer->bytes + (stitch->proof_lo - outer->lo),
               stitch->proof_hi - stitch->proof_lo) != 0)
        return false;
    stitch->windows[stitch->window_count++] =
        (struct perf_window){dump_end, outer->hi, outer->bytes + (dump_end - outer->lo)};
    return true;
}

/* A window of the live process, read together with the proof. */
static bool add_live_window(struct perf_stitch *stitch, const struct rs_regs *regs)
{
    const struct perf_record *sample = stitch->sample;
    uint64_t dump_end = regs->sp + sample->sample.stack_bytes;
    uint64_t start = stitch->asked - dump_end < STITCH_WINDOW_BYTES / 2 ? dump_end : stitch->asked;
    uint8_t *bytes = stitch->live[stitch->window_count], proof[STITCH_PROOF_MAX_BYTES];
    size_t proof_bytes = stitch->proof_hi - stitch->proof_lo;
    struct iovec local[] = {{proof, proof_bytes}, {bytes, STITCH_WINDOW_BYTES}};
    struct iovec remote[] = {{(void *)(uintptr_t)stitch->proof_lo, proof_bytes},
                             {(void *)(uintptr_t)start, STITCH_WINDOW_BYTES}};
    ssize_t got;

    if (rs_clock_mono_ns() - sample->time_ns > STITCH_MAX_AGE_NS)
        return false;
    got = process_vm_readv((pid_t)sample->tid, local, 2, remote, 2, 0);
    if (got < (ssize_t)proof_bytes + 8 || memcmp(proof, proof_of(stitch, regs), proof_bytes) != 0)
        return false;
    got -= (ssize_t)proof_bytes;
    if (start + (uint64_t)got < stitch->asked + 8)
        return false;
    stitch->windows[stitch->window_count++] =
        (struct perf_window){start, start + ((uint64_t)got & ~UINT64_C(7)), bytes};
    return true;
}

static bool add_window(struct perf_stacks *stacks, struct perf_thread *thread, const struct perf_record *sample,
                       const struct rs_regs *regs)
{
    struct perf_stitch *stitch = stacks->stitch;

    if (!stitch->window_count) {
        choose_proof(stacks, thread->process, sample, *regs);
        if (stitch->proof_hi - stitch->proof_lo < STITCH_PROOF_MIN_BYTES)
            return false;
        if (add_remembered_window(stitch, &thread->outer, regs))
            return true;
    }
    return add_live_window(stitch, regs);
}

/*
 * Keeps the dump, and the window behind it, for the thread's next one. Only of stacks that may outgrow a dump: copying
 * all would cost as much as everything else here.
 */
static void remember_outer(struct perf_outer *outer, const struct perf_stitch *stitch, const struct rs_regs *regs)
{
    const struct perf_record *sample = stitch->sample;
    uint64_t lo = regs->sp, end = lo + sample->sample.stack_bytes, hi = end;
    bool joined = stitch->window_count && stitch->windows[0].lo == end;

    if (sample->sample.stack_bytes < sample->sample.stack_asked / 2 ||
        (sample->sample.stack_bytes == sample->sample.stack_asked && !joined))
        return;
    if (joined)
        hi = stitch->windows[0].hi;
    if (hi - lo > OUTER_MAX_BYTES)
        return;
    if (hi - lo > outer->cap) {
        /* The window may lie in the buffer that moves. */
        bool own = joined && stitch->windows[0].bytes == outer->bytes + (end - outer->lo);
        uint64_t old_lo = outer->lo;

        outer->cap = (hi - lo) * 3 / 2;
        outer->bytes = xrealloc(outer->bytes, outer->cap);
        if (joined)
            memmove(outer->bytes + (end - lo), own ? outer->bytes + (end - old_lo) : stitch->windows[0].bytes,
                    hi - end);
    } else if (joined) {
        memmove(outer->bytes + (end - lo), stitch->windows[0].bytes, hi - end);
    }
    memcpy(outer->bytes, sample->sample.stack, end - lo);
    outer->lo = lo;
    outer->hi = hi;
}

/* Walks the user stack. Returns the number of pcs, innermost first. */
static unsigned walk(struct perf_stacks *stacks, struct perf_thread *thread, const struct perf_record *sample,
                     uint64_t *pcs, enum rs_stop *why)
{
    struct perf_stitch *stitch = stacks->stitch;
    struct rs_full_regs full;
    struct rs_regs regs;
    struct rs_unwinder unwinder;
    unsigned count;

    read_regs(stacks, sample, &full, &regs);
    stitch->sample = sample;
    stitch->process = thread->process;
    stitch->window_count = 0;
    do {
        begin_walk(stacks, thread->process, sample, &regs, &unwinder);
        count = rs_unwind(&unwinder, &regs, pcs, PERF_MAX_FRAMES, why);
    } while (*why == RS_STOP_READ && stitch->asked && count <= PERF_MAX_FRAMES / 2 &&
             stitch->window_count < STITCH_WINDOWS - 1 && sample->sample.stack_bytes &&
             add_window(stacks, thread, sample, &regs));
    if (*why == RS_STOP_ROOT)
        remember_outer(&thread->outer, stitch, &regs);
    return count;
}

/* An address that nothing maps: records were lost, or the code came by a way that perf does not report. */
static bool reread_maps(struct perf_stacks *stacks, struct perf_process *process, uint64_t now_ns)
{
    if (now_ns < process->reread_after_ns)
        return false;
    process->reread_after_ns = now_ns + REREAD_INTERVAL_NS;
    return maps_read_proc(stacks->maps, &process->space) > 0;
}

static uint32_t frame_of(struct perf_stacks *stacks, const struct perf_process *process, uint64_t address)
{
    uint64_t key = address | (uint64_t)process->space.id << 48;
    struct perf_frame_slot *slot = &stacks->frames[hash_u64(key) % FRAME_SLOTS];

    if (slot->key != key || !key) {
        uint32_t frame = maps_frame(stacks->maps, &process->space, address - 1);

        if (!maps_find(&process->space, address - 1))
            return frame; /* [unknown] today may be code tomorrow */
        *slot = (struct perf_frame_slot){key, frame};
    }
    return slot->frame;
}

static int32_t add_user_frames(struct perf_stacks *stacks, struct perf_thread *thread, const struct perf_record *sample,
                               int32_t node)
{
    struct perf_process *process = thread->process;
    uint64_t pcs[PERF_MAX_FRAMES];
    enum rs_stop why = RS_STOP_NONE;
    unsigned count = walk(stacks, thread, sample, pcs, &why);

    if (stacks->stitch->found_hole && why != RS_STOP_ROOT && reread_maps(stacks, process, sample->time_ns))
        count = walk(stacks, thread, sample, pcs, &why);
    stacks->walks++;
    stacks->stops[why]++;
    if (why == RS_STOP_ROOT) {
        stacks->complete++;
        stacks->stitched += stacks->stitch->used;
    } else {
        stacks->truncated++;
        stacks->cut_off += why == RS_STOP_READ && sample->sample.stack_bytes == sample->sample.stack_asked;
        node = session_named_child(stacks->session, node, "[truncated]", LAYER_UNKNOWN);
    }
    while (count)
        node = calltree_child(&stacks->session->tree, node, frame_of(stacks, process, pcs[--count]));
    return node;
}

/* ---- the kernel part ---- */

static uint32_t kernel_frame(struct perf_stacks *stacks, uint64_t address)
{
    struct session *session = stacks->session;

    if (stacks->kernel_module < 0) {
        string_id name = strings_add_str(&session->strings, "[kernel]");
        bool is_new;

        stacks->kernel_module = (int32_t)calltree_module(&session->tree, name, 0, &is_new);
        session->tree.modules[stacks->kernel_module].name = name;
    }
    return calltree_frame(&session->tree, (uint32_t)stacks->kernel_module, address & SYMBOL_KERNEL_ADDR_MASK);
}

static int32_t add_kernel_frames(struct perf_stacks *stacks, const struct perf_record *sample, int32_t node)
{
    const uint64_t *chain = sample->sample.chain;
    size_t count = sample->sample.chain_count, begin = 0, end;

    while (begin < count && chain[begin] != PERF_CONTEXT_KERNEL)
        begin++;
    end = begin = begin < count ? begin + 1 : count;
    while (end < count && chain[end] < PERF_CONTEXT_MAX) /* up to the next context marker */
        end++;
    if (begin == end)
        return sample->sample.in_kernel
                   ? calltree_child(&stacks->session->tree, node, kernel_frame(stacks, sample->sample.ip))
                   : node;
    for (size_t i = end; i-- > begin;)
        node = calltree_child(&stacks->session->tree, node, kernel_frame(stacks, i > begin ? chain[i] - 1 : chain[i]));
    return node;
}

int32_t perf_stacks_node(struct perf_stacks *stacks, struct perf_thread *thread, const struct perf_record *sample)
{
    int32_t node = CALLTREE_NO_NODE;

    check_generation(stacks);
    if (sample->sample.regs_abi == PERF_SAMPLE_REGS_ABI_64)
        node = add_user_frames(stacks, thread, sample, node);
    else if (sample->sample.regs_abi == PERF_SAMPLE_REGS_ABI_32)
        node = session_named_child(stacks->session, node, "[32-bit code]", LAYER_UNKNOWN);
    node = add_kernel_frames(stacks, sample, node);
    return node == CALLTREE_NO_NODE ? session_named_child(stacks->session, node, "[unknown]", LAYER_UNKNOWN) : node;
}

/* Where a thread that sleeps in the kernel left its stack. */
static bool read_sp_pc(const struct perf_thread *thread, uint64_t *sp, uint64_t *pc)
{
    char name[32], text[256];
    size_t len;

    snprintf(name, sizeof(name), "task/%u/syscall", thread->tid);
    len = proc_read((pid_t)thread->process->pid, name, text, sizeof(text));
    return !proc_syscall_parse(text, len, sp, pc) && *sp && *pc;
}

int32_t perf_stacks_sleeping_node(struct perf_stacks *stacks, struct perf_thread *thread)
{
    uint64_t sp, pc, regs[64] = {0};
    uint8_t *stack = stacks->stitch->live[STITCH_WINDOWS - 1]; /* stitching does not get that far here */
    struct perf_record look = {.kind = PERF_REC_SAMPLE, .pid = thread->process->pid, .tid = thread->tid};
    struct iovec local = {stack, SLEEPER_STACK_BYTES}, remote;
    ssize_t got;
    size_t n = 0;

    if (!read_sp_pc(thread, &sp, &pc))
        return CALLTREE_NO_NODE;
    remote = (struct iovec){(void *)(uintptr_t)sp, SLEEPER_STACK_BYTES};
    got = process_vm_readv((pid_t)thread->tid, &local, 1, &remote, 1, 0);
    if (got <= 0)
        return CALLTREE_NO_NODE;
    for (unsigned bit = 0; bit < 64; bit++)
        if (stacks->regs_mask >> bit & 1)
            regs[n++] = bit == perf_reg[RS_REG_SP] ? sp : bit == perf_reg[RS_REG_PC] ? pc : 0;
    look.time_ns = rs_clock_mono_ns();
    look.sample.regs_abi = PERF_SAMPLE_REGS_ABI_64;
    look.sample.regs = regs;
    look.sample.only_sp_pc = true;
    look.sample.stack = stack;
    look.sample.stack_bytes = look.sample.stack_asked = (size_t)got & ~(size_t)7;
    return perf_stacks_node(stacks, thread, &look);
}
