/* SPDX-License-Identifier: MIT */
#include "collect/perf_stacks.h"

#include <asm/perf_regs.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "core/clock.h"

enum { RULE_CACHE_BITS = 12, FRAME_SLOTS = 16384, CACHE_LINE = 64 };
/* How much of a stack is read beyond its dump, and how often maps are read again for pcs that nothing covers. */
enum { STITCH_MAX_BYTES = 256 << 10, REREAD_INTERVAL_NS = 200000000 };
/* A process runs on between sample and drain: nothing is read for a sample that is older than this. */
#define STITCH_MAX_AGE_NS UINT64_C(200000000)

/* pc -> frame of the call tree, direct-mapped: saves the two lookups behind it for nearly every frame. */
struct perf_frame_slot {
    uint64_t key; /* the unwinder's address | space << 48 */
    uint32_t frame;
};

/* What one walk needs to reach beyond its dump. */
struct perf_stitch {
    const struct perf_record *sample;
    struct perf_process *process;
    struct maps *maps;
    uint64_t sp;
    bool tried, used, found_hole;
    uint64_t lo, hi;
    uint8_t bytes[PERF_RECORD_MAX_BYTES + STITCH_MAX_BYTES];
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

/* ---- beyond the dump ---- */

/* Reads the stack from the middle of the dump outward; keeps what lies behind the dump if the rest is as it was. */
static void read_beyond(struct perf_stitch *stitch)
{
    const struct perf_record *sample = stitch->sample;
    size_t known = sample->sample.stack_bytes / 2;
    uint64_t end = stitch->sp + sample->sample.stack_bytes;
    struct iovec local = {.iov_base = stitch->bytes, .iov_len = known + STITCH_MAX_BYTES};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)(end - known), .iov_len = local.iov_len};
    ssize_t got;

    stitch->tried = true;
    if (rs_clock_mono_ns() - sample->time_ns > STITCH_MAX_AGE_NS)
        return;
    got = process_vm_readv((pid_t)sample->tid, &local, 1, &remote, 1, 0);
    if (got <= (ssize_t)known ||
        memcmp(stitch->bytes, sample->sample.stack + sample->sample.stack_bytes - known, known))
        return;
    stitch->lo = end - known;
    stitch->hi = stitch->lo + ((uint64_t)got & ~UINT64_C(7));
}

/* The unwinder's way to a word outside the dump: of the stack, or of the code. */
static bool read_word(void *ctx, uint64_t address, uint64_t *word)
{
    struct perf_stitch *stitch = ctx;
    const struct perf_record *sample = stitch->sample;
    bool cut_off = sample->sample.stack_bytes == sample->sample.stack_asked && sample->sample.stack_bytes;

    if (!stitch->tried && cut_off && address >= stitch->sp + sample->sample.stack_bytes &&
        address < stitch->sp + sample->sample.stack_bytes + STITCH_MAX_BYTES)
        read_beyond(stitch);
    if (address < stitch->lo || address + 8 > stitch->hi)
        return maps_read_code(&stitch->process->space, address, word);
    memcpy(word, stitch->bytes + (address - stitch->lo), 8);
    stitch->used = true;
    return true;
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

/* Walks the user stack. Returns the number of pcs, innermost first. */
static unsigned walk(struct perf_stacks *stacks, struct perf_process *process, const struct perf_record *sample,
                     uint64_t *pcs, enum rs_stop *why)
{
    struct perf_stitch *stitch = stacks->stitch;
    struct rs_full_regs full;
    struct rs_regs regs;
    struct rs_unwinder unwinder;

    read_regs(stacks, sample, &full, &regs);
    stitch->sample = sample;
    stitch->process = process;
    stitch->maps = stacks->maps;
    stitch->sp = regs.sp;
    stitch->tried = stitch->used = stitch->found_hole = false;
    stitch->lo = stitch->hi = 0;
    unwinder = (struct rs_unwinder){
        .cache = stacks->cache,
        .find = find_module,
        .read = read_word,
        .ctx = stitch,
        .space = process->space.id,
    };
    rs_unwinder_stack(&unwinder, regs.sp, regs.sp + sample->sample.stack_bytes,
                      (uintptr_t)sample->sample.stack - regs.sp);
    return rs_unwind(&unwinder, &regs, pcs, PERF_MAX_FRAMES, why);
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

static int32_t named_child(struct perf_stacks *stacks, int32_t parent, const char *name, enum layer layer)
{
    struct session *session = stacks->session;
    uint32_t frame = calltree_named_frame(&session->tree, strings_add_str(&session->strings, name), layer);

    return calltree_child(&session->tree, parent, frame);
}

static int32_t add_user_frames(struct perf_stacks *stacks, struct perf_process *process,
                               const struct perf_record *sample, int32_t node)
{
    uint64_t pcs[PERF_MAX_FRAMES];
    enum rs_stop why = RS_STOP_NONE;
    unsigned count = walk(stacks, process, sample, pcs, &why);

    if (stacks->stitch->found_hole && why != RS_STOP_ROOT && reread_maps(stacks, process, sample->time_ns))
        count = walk(stacks, process, sample, pcs, &why);
    stacks->walks++;
    stacks->stops[why]++;
    if (why == RS_STOP_ROOT) {
        stacks->complete++;
        stacks->stitched += stacks->stitch->used;
    } else {
        stacks->truncated++;
        stacks->cut_off += why == RS_STOP_READ && sample->sample.stack_bytes == sample->sample.stack_asked;
        node = named_child(stacks, node, "[truncated]", LAYER_UNKNOWN);
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
    return calltree_frame(&session->tree, (uint32_t)stacks->kernel_module, address);
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

int32_t perf_stacks_node(struct perf_stacks *stacks, struct perf_process *process, const struct perf_record *sample)
{
    int32_t node = CALLTREE_NO_NODE;

    check_generation(stacks);
    if (sample->sample.regs_abi == PERF_SAMPLE_REGS_ABI_64)
        node = add_user_frames(stacks, process, sample, node);
    else if (sample->sample.regs_abi == PERF_SAMPLE_REGS_ABI_32)
        node = named_child(stacks, node, "[32-bit code]", LAYER_UNKNOWN);
    node = add_kernel_frames(stacks, sample, node);
    return node == CALLTREE_NO_NODE ? named_child(stacks, node, "[unknown]", LAYER_UNKNOWN) : node;
}
