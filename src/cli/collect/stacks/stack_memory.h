/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/*
 * How big a stack dump a program needs, remembered from one run to the next by the build-id of its executable: the size
 * cannot be changed once events are open. A program whose stacks did not fit gets twice as much next time, up to what
 * the kernel can copy. PROGRAM is a path, or a name to look for in PATH; NULL and scripts are not remembered.
 */
uint32_t stack_memory_recall(const char *program, uint32_t fallback_bytes);

/* SHORT_DUMPS of SAMPLES dumps of USED_BYTES ended before their stack did. */
void stack_memory_remember(const char *program, uint32_t used_bytes, uint64_t short_dumps, uint64_t samples);
