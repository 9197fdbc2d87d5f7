/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The unwinder: from (pc, sp, fp) and readable memory to a list of return addresses.
 *
 * One code path serves the shim, inside the target (malloc hooks, signal handlers), and the CLI, on perf's stack
 * snapshots. The idea: what .eh_frame says about one pc nearly always fits into 32 bits ("the CFA is sp + 48, the
 * caller's fp lies 16 below it"). Such a *rule* is decoded on first need straight from the module's own .eh_frame by
 * the binary search table of .eh_frame_hdr, and kept in a small cache of the caller's, keyed by return address. No
 * table is built: a 150 MB binary costs nothing at first use, a miss costs 0.1 - 0.4 µs, a hit 4 - 8 ns a frame.
 * A table of all rows (1.5 × .eh_frame, 32 ms for librustc_driver) was tried in a prototype: it makes misses cheaper,
 * but misses are 0.3 - 5 % of the frames, and its memory and build time come first.
 *
 * What does not fit (expressions, signal frames, hand-written assembly) is RS_RULE_SLOW: the row is decoded again at
 * each use and evaluated with all its registers. A rule is never bent to fit: rather does a walk stop, with a reason.
 *
 * Addresses: a return address points behind the call; its caller's rule is the one of the byte before. A pc that was
 * interrupted (sample, signal frame) is exact. Both become one by a single convention, used for cache keys and for the
 * pcs that a walk returns: **address - 1 lies in the instruction that is executing**. An exact pc is therefore stored
 * plus one; whoever symbolises subtracts one from every pc, always.
 *
 * Nothing here allocates, locks, writes errno or calls a function that might; all of it may run in a signal handler.
 * One cache must not be used by a signal handler and by the code that it interrupts: give the handler its own.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/unwind_arch.h"

/* Why a walk ended. Names for the JSON: rs_stop_name(). */
enum rs_stop {
    RS_STOP_NONE,    /* it has not: one step was taken */
    RS_STOP_ROOT,    /* the outermost frame: the return address is undefined or 0. A complete stack. */
    RS_STOP_MAX,     /* max_pcs frames, and there were more */
    RS_STOP_READ,    /* a stack word could not be read: the dump ends here */
    RS_STOP_NO_CFI,  /* no unwind information, and no frame pointer chain worth believing */
    RS_STOP_LOOP,    /* the CFA did not grow */
    RS_STOP_BAD_CFI, /* unwind information that contradicts itself or leaves its section */
    RS_STOP_REG,     /* the rule needs a register that was not given or is not preserved by calls */
    RS_STOP_EXPR,    /* a DWARF operation that makes no sense in unwind information */
    RS_STOP_KINDS
};

/* "root", "max_frames", "unreadable", …: a stable word for WHY; "unknown" for anything else. */
const char *rs_stop_name(enum rs_stop why);

/*
 * The registers that a walk carries. fp is rbp or x29; lr (x30) means something on aarch64 in frame 0 only.
 * EXACT tells an interrupted pc (true) from a return address (false). FULL may point to all registers, for frame 0's
 * odd rules (a sample in hand-written assembly); NULL where they are unknown, as in a malloc hook.
 */
struct rs_regs {
    uint64_t pc, sp, fp, lr;
    bool exact;
    const struct rs_full_regs *full;
};

/* All registers by DWARF number (RS_REG_…); bit n of KNOWN tells whether reg[n] is worth anything. */
struct rs_full_regs {
    uint64_t reg[RS_REGS];
    uint64_t known;
};

/* ---- modules ---- */

/* Bytes of unwind information: readable here at BYTES, in the unwound process at ADDR. */
struct rs_cfi_section {
    const uint8_t *bytes;
    size_t len;
    uint64_t addr;
};

/* An entry of an index made by rs_unwind_index(): code from START on is described at OFFSET of the section. */
struct rs_fde_ref {
    uint64_t start;
    uint64_t offset : 63;
    uint64_t in_debug : 1;
};

/*
 * One mapped ELF object. All addresses are those of the unwound process. The bytes are borrowed: they must stay
 * readable as long as the module is used. Filled by rs_unwind_module_elf() or, for this process,
 * rs_unwind_find_local().
 */
struct rs_unwind_module {
    uint64_t start, end; /* the addresses that it covers */
    uint64_t entry;      /* where the kernel or the loader starts it; 0: unknown */
    uint64_t bias;       /* address in the process - address in the file's program headers */
    uint64_t abs_bias;   /* what absolute pointers inside .eh_frame lack: bias, or 0 where they were relocated */
    struct rs_cfi_section eh, debug; /* .eh_frame, .debug_frame; len 0 if absent */
    struct rs_cfi_section table;     /* the sorted pairs of .eh_frame_hdr, relative to table_base */
    uint64_t table_base;
    const struct rs_fde_ref *index; /* sorted, where there is no table; may be NULL: then FDEs are scanned for */
    size_t index_count;
};

/*
 * Describe the ELF file image FILE (LEN bytes: the whole file, mapped or read), loaded with BIAS so that it covers
 * [start, end). Borrows FILE. A compressed .debug_frame is not read: decompress it (libelf) and set m->debug.
 * Returns 0; -ENOEXEC if this is not an ELF file of this architecture; -ENODATA if it has no unwind information (the
 * module is still valid: frame pointers are tried then). Nothing outside FILE is read, however corrupt it is.
 */
int rs_unwind_module_elf(struct rs_unwind_module *m, const void *file, size_t len, uint64_t start, uint64_t end,
                         uint64_t bias);

/*
 * The load bias of the ELF file image FILE, one of whose executable mappings (in /proc/PID/maps or an MMAP2 record)
 * starts at address START with file offset OFFSET. False if no executable segment of the file is mapped like that.
 * Reads nothing outside FILE.
 */
bool rs_elf_bias(const void *file, size_t len, uint64_t start, uint64_t offset, uint64_t *bias);

/*
 * Sort the FDEs of a module that has no search table (.debug_frame, or linked without --eh-frame-hdr) into REFS, at
 * most CAP, and make the module use them; REFS is borrowed. Returns how many FDEs there are (more than CAP: the module
 * is left as it was; call again with room). Not needed for correctness: without, each miss scans the section.
 */
size_t rs_unwind_index(struct rs_unwind_module *m, struct rs_fde_ref *refs, size_t cap);

/*
 * Finds the module that covers PC: returns it, or NULL. May fill and return SCRATCH, which lives as long as the one
 * lookup. Called on cache misses and for slow rows only.
 */
typedef const struct rs_unwind_module *(*rs_find_module_fn)(void *ctx, uint64_t pc, struct rs_unwind_module *scratch);

/*
 * The rs_find_module_fn of this process: _dl_find_object where libc has it (glibc >= 2.35; lock-free), else a table
 * made from /proc/self/maps by raw system calls, at most every 10 ms. CTX is ignored.
 */
const struct rs_unwind_module *rs_unwind_find_local(void *ctx, uint64_t pc, struct rs_unwind_module *scratch);

/* The path in /proc/self/maps of what is mapped at ADDRESS, cut to SIZE with its NUL; false if there is none. */
bool rs_unwind_local_path(uint64_t address, char *path, size_t size);

/*
 * The rs_read_word_fn of this process for addresses that may not be mapped: process_vm_readv of ourselves, which fails
 * instead of faulting; about 0.3 µs. Not for processes that may be killed for a system call. CTX is ignored.
 */
bool rs_unwind_read_self(void *ctx, uint64_t address, uint64_t *word);

/*
 * The mapping [*LO, *HI) of this process that holds SP: a thread's stack, a coroutine's or a signal stack. For the main
 * thread's, which grows, *LO is only a bound that sp cannot fall below without another mapping in between. Opens and
 * closes a file by raw system calls (5 µs; 100 µs before Linux 6.11): ask once a stack. False if it cannot be told.
 */
bool rs_stack_bounds(uint64_t sp, uint64_t *lo, uint64_t *hi);

/* ---- rules ---- */

/*
 * The rule for the code at ADDRESS - 1 (see "Addresses" above), decoded from M; no cache is looked at. Never
 * RS_RULE_NONE. M may be NULL: RS_RULE_FP_CHAIN, the rule for code without unwind information.
 */
uint32_t rs_rule_decode(const struct rs_unwind_module *m, uint64_t address);

/*
 * A 2-way cache {address -> rule}, owned by the caller: RS_RULE_CACHE_BYTES(bits) of zeroed memory aligned to 64 hold
 * 2^bits sets (9: 1,024 entries, 16 KiB; 11 suits compilers better). Direct-mapped was 25 % misses in one run and
 * none in the next, by address-space luck.
 * All zero is a valid, empty cache once rs_rule_cache_init() has set its size.
 */
struct rs_rule_set {
    uint64_t key[2];
    uint32_t rule[2];
    uint32_t unused[2];
};

struct rs_rule_cache {
    uint32_t bits;
    uint32_t generation; /* of rs_unwind_generation, when the entries were made */
    uint64_t misses;     /* for statistics: how often rs_rule_miss() ran */
    uint64_t reserved[6];
    struct rs_rule_set set[];
};

#define RS_RULE_CACHE_BYTES(bits) (sizeof(struct rs_rule_cache) + (sizeof(struct rs_rule_set) << (bits)))

/* Make zeroed memory a cache of 2^BITS sets; also empties one. */
void rs_rule_cache_init(struct rs_rule_cache *cache, uint32_t bits);

/* Bumped when code is unmapped (dlclose): caches made before are emptied at their next rs_rule_cache_check(). */
#pragma GCC visibility push(hidden)
extern uint32_t rs_unwind_generation;
#pragma GCC visibility pop
void rs_unwind_invalidate(void);

/* Empty CACHE if code has been unmapped since. Once a walk is enough; rs_unwind() and rs_unwind_step() do it. */
static inline void rs_rule_cache_check(struct rs_rule_cache *cache)
{
    if (__builtin_expect(cache->generation != __atomic_load_n(&rs_unwind_generation, __ATOMIC_ACQUIRE), 0))
        rs_rule_cache_init(cache, cache->bits);
}

static inline size_t rs_rule_set_of(const struct rs_rule_cache *cache, uint64_t key)
{
    return (uint32_t)((uint32_t)(key ^ key >> 32) * 0x9e3779b1u) >> (32 - cache->bits);
}

/* ---- the walk ---- */

/* Reads the 8-byte word at ADDRESS of the unwound process into *WORD; false if it cannot. Must not block. */
typedef bool (*rs_read_word_fn)(void *ctx, uint64_t address, uint64_t *word);

/*
 * Where to walk; zeroed, then filled in. Words of the stack given by rs_unwinder_stack() are read directly; any other
 * address is asked of READ, or is unreadable where READ is NULL.
 * SPACE keeps processes apart that share one cache: a number < 2^16 that is used for one set of mappings only; 0 in the
 * target. stops[] counts walks by reason, guessed the frames found by frame pointer alone.
 */
struct rs_unwinder {
    uint64_t stack_lo, stack_span, stack_delta; /* set by rs_unwinder_stack() */
    struct rs_rule_cache *cache;
    rs_find_module_fn find; /* NULL: rs_unwind_find_local */
    rs_read_word_fn read;
    void *ctx; /* for find and read */
    uint64_t space;
    uint64_t stops[RS_STOP_KINDS];
    uint64_t guessed;
};

/*
 * Addresses [LO, HI) are the stack: all of it is mapped, and stays so during the walk, at address + DELTA here. In the
 * target: DELTA 0, LO = the sp to start from, HI the end of the mapping that holds it (rs_stack_bounds()); anything
 * below LO is garbage to a walk. A snapshot of LEN bytes from sp in BUF: sp, sp + LEN, (uintptr_t)BUF - sp.
 */
static inline void rs_unwinder_stack(struct rs_unwinder *u, uint64_t lo, uint64_t hi, uint64_t delta)
{
    u->stack_lo = lo;
    u->stack_span = hi >= lo + 8 ? hi - lo - 7 : 0;
    u->stack_delta = delta;
}

/*
 * Walk the stack described by START, innermost frame first, at most MAX_PCS frames. PCS[0] is START's own pc; see
 * "Addresses" above for what the values mean. Returns the number of PCS written and stores why it stopped in *WHY
 * (counted in u->stops as well). Allocates nothing and takes no lock; needs about 2 KiB of stack.
 */
unsigned rs_unwind(struct rs_unwinder *u, const struct rs_regs *start, uint64_t *pcs, unsigned max_pcs,
                   enum rs_stop *why);

/*
 * Replace REGS by its caller's: one frame outward. RS_STOP_NONE: done; else why there is no caller (REGS unchanged).
 * Afterwards regs->exact tells what regs->pc is (true behind a signal frame), regs->full is NULL, and regs->pc is what
 * the stack holds, not yet looked at: a caller that cannot be unwound in its turn is reported by the next step.
 */
enum rs_stop rs_unwind_step(struct rs_unwinder *u, struct rs_regs *regs);

/*
 * Apply a rule of kind RS_RULE_SP or RS_RULE_FP: the fast part of a step, for whoever builds on rules (the shim's reuse
 * of the previous stack). Afterwards regs->sp is the CFA. REGS is unchanged unless RS_STOP_NONE is returned.
 */
static inline enum rs_stop rs_rule_apply(const struct rs_unwinder *u, uint32_t rule, struct rs_regs *regs);

/* True if the 8 bytes at ADDRESS are on the stack that U reads directly. */
static inline bool rs_on_stack(const struct rs_unwinder *u, uint64_t address)
{
    return address - u->stack_lo < u->stack_span;
}

/* The word at ADDRESS; false if it is unreadable. */
static inline bool rs_read_word(const struct rs_unwinder *u, uint64_t address, uint64_t *word)
{
    if (__builtin_expect(rs_on_stack(u, address), 1)) {
        __builtin_memcpy(word, (const void *)(uintptr_t)(address + u->stack_delta), sizeof(*word));
        return true;
    }
    return u->read && u->read(u->ctx, address, word);
}

/* The address (key of the cache, value in pcs[]) for REGS. */
static inline uint64_t rs_regs_address(const struct rs_regs *regs)
{
    return regs->pc + regs->exact;
}

/* Decode the rule of ADDRESS and remember it; what rs_rule_of() calls on a miss. */
uint32_t rs_rule_miss(struct rs_unwinder *u, uint64_t address);

/* The rule of ADDRESS from u->cache, or decoded now. Never RS_RULE_NONE. Call rs_rule_cache_check() once before. */
static inline uint32_t rs_rule_of(struct rs_unwinder *u, uint64_t address)
{
    uint64_t key = address | u->space << 48;
    const struct rs_rule_set *set = &u->cache->set[rs_rule_set_of(u->cache, key)];

    if (__builtin_expect(set->key[0] == key, 1))
        return set->rule[0];
    if (__builtin_expect(set->key[1] == key, 1))
        return set->rule[1];
    return rs_rule_miss(u, address);
}

static inline enum rs_stop rs_rule_apply(const struct rs_unwinder *u, uint32_t rule, struct rs_regs *regs)
{
    uint64_t cfa, ra_at, fp_at, pc = regs->lr, fp = regs->fp;

    /* A branch, not a select: predicted, it takes fp or sp off the path from one return address to the next. */
    if (__builtin_expect_with_probability(rs_rule_kind(rule) == RS_RULE_SP, 1, 0.7))
        cfa = regs->sp + rs_rule_cfa_offset(rule);
    else
        cfa = fp + rs_rule_cfa_offset(rule);
    ra_at = rs_rule_ra_at(rule, cfa);
    fp_at = rs_rule_fp_at(rule, cfa);
    /* Only a leaf that keeps its return address in a register has a CFA equal to its sp, and only frame 0 is a leaf. */
    if (__builtin_expect(cfa <= regs->sp, 0) && (!RS_RA_MAY_BE_IN_LR || ra_at || cfa != regs->sp || !pc))
        return RS_STOP_LOOP;
    if (!RS_RA_MAY_BE_IN_LR || ra_at) {
        if (!rs_read_word(u, ra_at, &pc))
            return RS_STOP_READ;
    } else if (!pc) {
        return RS_STOP_REG;
    }
    /* A slot below sp has been popped: rows of an epilogue do not say so, and fp has its old value again. */
    if (fp_at >= regs->sp && !rs_read_word(u, fp_at, &fp))
        return RS_STOP_READ;
    pc = rs_strip_pc(pc);
    if (__builtin_expect(!pc, 0))
        return RS_STOP_ROOT;
    regs->pc = pc;
    regs->sp = cfa;
    regs->fp = fp;
    regs->lr = 0;
    regs->exact = false;
    regs->full = NULL;
    return RS_STOP_NONE;
}
