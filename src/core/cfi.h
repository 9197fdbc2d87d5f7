/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * DWARF call frame information: from a module's .eh_frame or .debug_frame to the row of one pc, and from a row to a
 * 32-bit rule. Reads nothing outside the module's sections, however corrupt they are. Allocates nothing.
 */
#include <stdint.h>

#include "core/unwind.h"

/* How a register of the caller is found. RS_REG_UNSET: the CFI does not mention it; what the ABI says holds. */
enum rs_cfi_how {
    RS_HOW_UNSET,
    RS_HOW_UNDEFINED,
    RS_HOW_SAME,
    RS_HOW_OFFSET,     /* at CFA + value */
    RS_HOW_VAL_OFFSET, /* is CFA + value */
    RS_HOW_REGISTER,   /* in register number value */
    RS_HOW_EXPR,       /* at the address that the expression at section offset value gives (CFA pushed first) */
    RS_HOW_VAL_EXPR    /* is what that expression gives */
};

struct rs_cfi_row {
    const struct rs_cfi_section *section; /* expressions are offsets into it: a ULEB128 length, then the operations */
    uint8_t how[RS_REGS];
    uint8_t cfa_how; /* RS_HOW_UNDEFINED, RS_HOW_VAL_OFFSET (cfa_reg + cfa_value) or RS_HOW_VAL_EXPR */
    uint8_t cfa_reg;
    uint8_t ra_reg;
    bool signal_frame;
    int32_t cfa_value;
    int32_t value[RS_REGS];
};

enum rs_cfi_status { RS_CFI_OK, RS_CFI_ABSENT, RS_CFI_CORRUPT };

/*
 * The row in force at PC (an exact address in the process, inside M). RS_CFI_ABSENT: no FDE covers it.
 */
enum rs_cfi_status rs_cfi_row_at(const struct rs_unwind_module *m, uint64_t pc, struct rs_cfi_row *row);

/* The rule that says the same as ROW at PC, or RS_RULE_SLOW. */
uint32_t rs_cfi_row_rule(const struct rs_cfi_row *row, uint64_t pc);

/*
 * Evaluate the expression at OFFSET of ROW's section on a stack that holds INITIAL, if not NULL. Registers are taken
 * from REGS (RS_STOP_REG if unknown), memory through U. Stores the top of the stack into *VALUE.
 */
enum rs_stop rs_cfi_expr(const struct rs_cfi_row *row, int32_t offset, const uint64_t *initial,
                         const struct rs_full_regs *regs, const struct rs_unwinder *u, uint64_t *value);

/*
 * The same expression without memory and registers other than PC: if it is "register + constant", store both. That is
 * so for every PLT: rsp + 8 + 8 * ((rip & 15) >= 11).
 */
bool rs_cfi_expr_linear(const struct rs_cfi_row *row, int32_t offset, uint64_t pc, uint8_t *reg, int64_t *constant);

/* ---- reading bytes; shared with the ELF reader ---- */

/* Reads forward; past END, or on a malformed number, it is BAD and yields 0 from then on. */
struct rs_cursor {
    const uint8_t *at, *end;
    bool bad;
};

uint64_t rs_cursor_uint(struct rs_cursor *c, unsigned bytes); /* little endian */
uint64_t rs_cursor_uleb(struct rs_cursor *c);
int64_t rs_cursor_sleb(struct rs_cursor *c);
void rs_cursor_skip(struct rs_cursor *c, uint64_t bytes);

/*
 * Pointer in the DW_EH_PE encoding ENC. ADDR is the address of c->at in the process, for pc-relative ones; DATA the
 * base of data-relative ones; absolute ones get ABS_BIAS. An omitted pointer, or an encoding that needs more than this
 * (text- or function-relative, aligned), is bad. Indirection is ignored: only personalities have it.
 */
uint64_t rs_cursor_pointer(struct rs_cursor *c, uint8_t enc, uint64_t addr, uint64_t data, uint64_t abs_bias);
