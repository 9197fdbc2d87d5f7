/* SPDX-License-Identifier: MIT */
#include "core/stack_local.h"

/* Nothing is known here of the thread's stack or of the modules around it. */

bool rs_stack_near_end(bool is_main, uint64_t *low, uint64_t *high)
{
    (void)is_main, (void)low, (void)high;
    return false;
}

long rs_stack_copy(void *to, uint64_t address, size_t len)
{
    (void)to, (void)address, (void)len;
    return 0;
}

const char *rs_stack_module_path(uint64_t address, char *path, size_t size)
{
    (void)address, (void)path, (void)size;
    return NULL;
}
