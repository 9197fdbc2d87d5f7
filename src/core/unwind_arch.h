/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The 32-bit rule of the two architectures, and the registers by their DWARF numbers.
 *
 * Low 4 bits: enum rs_rule_kind. For RS_RULE_SP and RS_RULE_FP the rest says where things lie:
 *
 *   x86_64    bits 4-11   fp slot: the caller's rbp is at CFA - 8 * slot; 0: rbp still holds it
 *             bits 12-31  CFA offset / 8 from the base register; the return address is at CFA - 8
 *   aarch64   bits 4-5    where the return address is (enum rs_ra_place)
 *             bits 6-17   slot: CFA - 8 * slot
 *             bits 18-31  CFA offset / 16
 *
 * Two equal rules of these two kinds transform (sp, fp, memory) alike: that is what lets a whole previous stack be
 * reused after comparing words. Every other kind must be walked.
 */
#include <stdbool.h>
#include <stdint.h>

enum rs_rule_kind {
    RS_RULE_NONE,     /* an empty cache entry; never the answer of a lookup */
    RS_RULE_SP,       /* CFA = sp + offset */
    RS_RULE_FP,       /* CFA = fp + offset */
    RS_RULE_ROOT,     /* the return address is undefined: the outermost frame */
    RS_RULE_SLOW,     /* decode the whole row at each use */
    RS_RULE_FP_CHAIN, /* no unwind information: CFA = fp + 16 if that is credible */
    RS_RULE_BAD       /* corrupt unwind information */
};

static inline enum rs_rule_kind rs_rule_kind(uint32_t rule)
{
    return (enum rs_rule_kind)(rule & 15);
}

#if defined(__aarch64__)

enum { RS_REG_FP = 29, RS_REG_RA = 30, RS_REG_SP = 31, RS_REG_PC = 32, RS_REGS = 35 };
/* Register 34 of the DWARF table is RA_SIGN_STATE. */
enum { RS_REG_RA_SIGN = 34 };

enum { RS_RA_MAY_BE_IN_LR = 1 };

enum rs_ra_place {
    RS_RA_IN_LR,  /* a leaf: x30 holds it, x29 is untouched */
    RS_RA_PAIR,   /* x29 at CFA - 8 * slot, x30 above it: the frame record */
    RS_RA_ALONE   /* x30 at CFA - 8 * slot, x29 is untouched */
};

/* Signed return addresses carry their signature above the 48 bits of a user address. */
static inline uint64_t rs_strip_pc(uint64_t pc)
{
    return pc & 0x0000ffffffffffffu;
}

static inline uint64_t rs_rule_cfa_offset(uint32_t rule)
{
    return (uint64_t)(rule >> 18) << 4;
}

static inline uint64_t rs_rule_slot(uint32_t rule)
{
    return (uint64_t)(rule >> 6 & 0xfff) << 3;
}

static inline enum rs_ra_place rs_rule_ra_place(uint32_t rule)
{
    return (enum rs_ra_place)(rule >> 4 & 3);
}

/* Address of the word that holds the return address; 0: it is in lr. */
static inline uint64_t rs_rule_ra_at(uint32_t rule, uint64_t cfa)
{
    enum rs_ra_place place = rs_rule_ra_place(rule);

    return place == RS_RA_IN_LR ? 0 : cfa - rs_rule_slot(rule) + (place == RS_RA_PAIR ? 8 : 0);
}

/* Address of the word that holds the caller's fp; 0: fp still does. */
static inline uint64_t rs_rule_fp_at(uint32_t rule, uint64_t cfa)
{
    return rs_rule_ra_place(rule) == RS_RA_PAIR ? cfa - rs_rule_slot(rule) : 0;
}

#else

enum { RS_RA_MAY_BE_IN_LR = 0 };

enum { RS_REG_FP = 6, RS_REG_SP = 7, RS_REG_RA = 16, RS_REG_PC = 16, RS_REGS = 17 };

static inline uint64_t rs_strip_pc(uint64_t pc)
{
    return pc;
}

static inline uint64_t rs_rule_cfa_offset(uint32_t rule)
{
    return rule >> 9 & ~(uint64_t)7;
}

/* Bytes below the CFA where the caller's rbp lies; 0: not saved. */
static inline uint64_t rs_rule_slot(uint32_t rule)
{
    return rule >> 1 & 0x7f8;
}

/* Address of the word that holds the return address. */
static inline uint64_t rs_rule_ra_at(uint32_t rule, uint64_t cfa)
{
    (void)rule;
    return cfa - 8;
}

/* Address of the word that holds the caller's fp; 0: fp still does. */
static inline uint64_t rs_rule_fp_at(uint32_t rule, uint64_t cfa)
{
    uint64_t slot = rs_rule_slot(rule);

    return slot ? cfa - slot : 0;
}

#endif
