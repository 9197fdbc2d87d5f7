/* SPDX-License-Identifier: MIT */
/*
 * Corrupt unwind information. The first byte picks what the rest is: an ELF file, a bare .eh_frame, a .debug_frame.
 * Every function that it describes is looked up and walked from, on a stack made of the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "core/cfi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REFS = 64, FRAMES = 40, BASE = 0x400000 };

struct input {
    const uint8_t *data;
    size_t size;
    struct rs_unwind_module module;
};

/* Memory outside the stack: any word of the input, or none. */
static bool read_word(void *ctx, uint64_t address, uint64_t *word)
{
    const struct input *in = ctx;

    if (in->size < 8 || address % 3 == 0)
        return false;
    memcpy(word, in->data + address % (in->size - 7), sizeof(*word));
    return true;
}

static const struct rs_unwind_module *find(void *ctx, uint64_t pc, struct rs_unwind_module *scratch)
{
    struct input *in = ctx;

    (void)scratch;
    return pc % 5 == 0 ? NULL : &in->module;
}

static void walk(struct input *in, uint64_t pc, uint64_t sp)
{
    static _Alignas(64) char memory[RS_RULE_CACHE_BYTES(4)];
    struct rs_unwinder u = {.cache = (void *)memory, .find = find, .read = read_word, .ctx = in};
    struct rs_full_regs full = {.known = ((uint64_t)1 << RS_REGS) - 1};
    struct rs_regs regs = {.pc = pc, .sp = sp, .fp = sp + 64, .exact = true, .full = &full};
    uint64_t pcs[FRAMES];
    enum rs_stop why;
    unsigned n;

    for (unsigned i = 0; i < RS_REGS; i++)
        full.reg[i] = sp + 8 * i;
    memset(memory, 0, sizeof(memory));
    rs_rule_cache_init(u.cache, 4);
    rs_unwinder_stack(&u, sp, sp + in->size, (uintptr_t)in->data - sp);
    n = rs_unwind(&u, &regs, pcs, FRAMES, &why);
    if (n == 0 || n > FRAMES || why == RS_STOP_NONE || why >= RS_STOP_KINDS || (why == RS_STOP_MAX) != (n == FRAMES))
        abort();
    while (rs_unwind_step(&u, &regs) == RS_STOP_NONE && n-- > 0)
        ;
}

static void look(struct input *in, uint64_t pc)
{
    struct rs_cfi_row row;

    if (rs_cfi_row_at(&in->module, pc, &row) == RS_CFI_OK && row.ra_reg >= RS_REGS)
        abort();
    if (rs_rule_decode(&in->module, pc + 1) == RS_RULE_NONE)
        abort();
    walk(in, pc, 0x7ffd00001000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {.data = data + 1, .size = size - 1};
    struct rs_fde_ref refs[REFS];
    struct rs_unwind_module *m = &in.module;
    struct rs_cfi_section section;
    size_t n;

    if (size < 1)
        return 0;
    section = (struct rs_cfi_section){in.data, in.size, BASE};
    if (data[0] % 3 == 0) {
        uint64_t bias;

        rs_unwind_module_elf(m, in.data, in.size, 0, UINT64_MAX, 0);
        rs_elf_bias(in.data, in.size, BASE, 0x1000, &bias);
    } else {
        *m = (struct rs_unwind_module){.end = UINT64_MAX};
        *(data[0] % 3 == 1 ? &m->eh : &m->debug) = section;
    }
    look(&in, BASE);
    for (size_t i = 0; i < m->table.len / 8 && i < REFS; i++) {
        int32_t start;

        memcpy(&start, m->table.bytes + 8 * i, sizeof(start));
        look(&in, m->table_base + (uint64_t)(int64_t)start + 5);
    }
    n = rs_unwind_index(m, refs, REFS);
    for (size_t i = 0; i < n && i < REFS; i++)
        for (uint64_t into = 0; into < 64; into += 13)
            look(&in, refs[i].start + into);
    return 0;
}
