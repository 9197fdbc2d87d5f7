/* SPDX-License-Identifier: MIT */
#pragma once

/* What every hook begins with. CALLER() is for the hook itself, never for a function that it calls. */
#include <stdint.h>

#include "shim/record.h"

#define HOOK __attribute__((visibility("default")))
#define RECORDED __attribute__((noinline))

#if defined(__x86_64__)
#define CALLER_FP_TO(fp) __asm__ volatile("mov %%rbp, %0" : "=r"(fp))
#elif defined(__aarch64__)
#define CALLER_FP_TO(fp) __asm__ volatile("mov %0, x29" : "=r"(fp))
#endif

#define CALLER_PC (uintptr_t)__builtin_extract_return_addr(__builtin_return_address(0))
#define CALLER_SP (uintptr_t)__builtin_dwarf_cfa()
#define CALLER_FP                                                                                                      \
    __extension__({                                                                                                    \
        uint64_t fp_;                                                                                                  \
        CALLER_FP_TO(fp_);                                                                                             \
        fp_;                                                                                                           \
    })

/* The last three arguments of the function that does a hook's work: in registers, so that the hook ends in a jump. */
#define CALLER() CALLER_PC, CALLER_SP, CALLER_FP
#define CALLER_PARAMS uint64_t pc, uint64_t sp, uint64_t fp
#define CALLER_ARGS   pc, sp, fp
