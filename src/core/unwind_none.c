/* SPDX-License-Identifier: MIT */
/* No ELF on this system: modules are never found, stacks never bounded. */
#include <errno.h>

#include "core/unwind.h"

int rs_unwind_module_elf(struct rs_unwind_module *m, const void *file, size_t len, uint64_t start, uint64_t end,
                         uint64_t bias)
{
    (void)file, (void)len;
    *m = (struct rs_unwind_module){.start = start, .end = end, .bias = bias};
    return -ENOEXEC;
}

bool rs_elf_bias(const void *file, size_t len, uint64_t start, uint64_t offset, uint64_t *bias)
{
    (void)file, (void)len, (void)start, (void)offset, (void)bias;
    return false;
}

const struct rs_unwind_module *rs_unwind_find_local(void *ctx, uint64_t pc, struct rs_unwind_module *scratch)
{
    (void)ctx, (void)pc, (void)scratch;
    return NULL;
}

bool rs_unwind_read_self(void *ctx, uint64_t address, uint64_t *word)
{
    (void)ctx, (void)address, (void)word;
    return false;
}

bool rs_stack_bounds(uint64_t sp, uint64_t *lo, uint64_t *hi)
{
    (void)sp, (void)lo, (void)hi;
    return false;
}
