/* SPDX-License-Identifier: MIT */
/* tgt_alloc_plugins' libraries: of one shape, so that one takes the other's address. */
#include <stdlib.h>

void *PLUGIN_NAME(size_t size);
void *plugin_allocate(size_t size);
void plugin_release(void *block);

__attribute__((noinline)) void *PLUGIN_NAME(size_t size)
{
    void *volatile block = malloc(size);

    return block;
}

void *plugin_allocate(size_t size)
{
    void *volatile block = PLUGIN_NAME(size);

    return block;
}

void plugin_release(void *block)
{
    free(block);
}
