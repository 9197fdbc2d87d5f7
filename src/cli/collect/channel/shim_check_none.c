/* SPDX-License-Identifier: MIT */
#include "collect/channel/shim_check.h"

#include <stddef.h>

/* There is no shim on this system. */

const char *shim_check_program(const char *program)
{
    (void)program;
    return "a program of a system that has no shim";
}

const char *shim_check_file(const char *path)
{
    return shim_check_program(path);
}

void shim_check_allocator(const char *path, const char *preloaded, bool deep, struct shim_allocator *found)
{
    (void)path, (void)preloaded, (void)deep;
    *found = (struct shim_allocator){.name = NULL};
}

bool shim_check_operators(const char *program, const char *preloaded)
{
    (void)program, (void)preloaded;
    return false;
}

bool shim_find(char *path, size_t size)
{
    (void)path, (void)size;
    return false;
}

bool shim_find_operators(const char *shim, char *path, size_t size)
{
    (void)shim, (void)path, (void)size;
    return false;
}
