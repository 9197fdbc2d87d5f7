/* SPDX-License-Identifier: MIT */
/*
 * DWARF expressions in unwind information. A value is a number, or, when no registers are given, "register + number":
 * so the same evaluator answers for a live frame and finds out that a PLT's expression is a plain rsp + 8 or + 16.
 */
#include "core/cfi.h"

enum {
    OP_ADDR = 0x03,
    OP_DEREF = 0x06,
    OP_CONST1U = 0x08,
    OP_CONST1S = 0x09,
    OP_CONST2U = 0x0a,
    OP_CONST2S = 0x0b,
    OP_CONST4U = 0x0c,
    OP_CONST4S = 0x0d,
    OP_CONST8U = 0x0e,
    OP_CONST8S = 0x0f,
    OP_CONSTU = 0x10,
    OP_CONSTS = 0x11,
    OP_DUP = 0x12,
    OP_DROP = 0x13,
    OP_OVER = 0x14,
    OP_PICK = 0x15,
    OP_SWAP = 0x16,
    OP_ROT = 0x17,
    OP_ABS = 0x19,
    OP_AND = 0x1a,
    OP_DIV = 0x1b,
    OP_MINUS = 0x1c,
    OP_MOD = 0x1d,
    OP_MUL = 0x1e,
    OP_NEG = 0x1f,
    OP_NOT = 0x20,
    OP_OR = 0x21,
    OP_PLUS = 0x22,
    OP_PLUS_UCONST = 0x23,
    OP_SHL = 0x24,
    OP_SHR = 0x25,
    OP_SHRA = 0x26,
    OP_XOR = 0x27,
    OP_BRA = 0x28,
    OP_EQ = 0x29,
    OP_GE = 0x2a,
    OP_GT = 0x2b,
    OP_LE = 0x2c,
    OP_LT = 0x2d,
    OP_NE = 0x2e,
    OP_SKIP = 0x2f,
    OP_LIT0 = 0x30,
    OP_LIT31 = 0x4f,
    OP_BREG0 = 0x70,
    OP_BREG31 = 0x8f,
    OP_BREGX = 0x92,
    OP_DEREF_SIZE = 0x94,
    OP_NOP = 0x96
};

/* Real ones use 3 - 10 operations on 3 values. */
enum { DEPTH = 16, MAX_OPS = 200, NUMBER = 0xff };

struct value {
    uint64_t number;
    uint8_t reg; /* NUMBER, or the register that NUMBER is relative to */
};

struct evaluation {
    struct rs_cursor code;
    const uint8_t *begin;
    const struct rs_full_regs *regs; /* NULL: registers stay symbols, memory is unknown */
    const struct rs_unwinder *u;
    uint64_t pc;
    struct value stack[DEPTH];
    unsigned depth;
    enum rs_stop stop;
};

static void fail(struct evaluation *e, enum rs_stop why)
{
    if (e->stop == RS_STOP_NONE)
        e->stop = why;
}

static void push(struct evaluation *e, struct value v)
{
    if (e->depth == DEPTH)
        fail(e, RS_STOP_EXPR);
    else
        e->stack[e->depth++] = v;
}

static void push_number(struct evaluation *e, uint64_t number)
{
    push(e, (struct value){number, NUMBER});
}

static struct value pop(struct evaluation *e)
{
    if (e->depth == 0) {
        fail(e, RS_STOP_EXPR);
        return (struct value){0, NUMBER};
    }
    return e->stack[--e->depth];
}

/* Pop what must be a number. */
static uint64_t pop_number(struct evaluation *e)
{
    struct value v = pop(e);

    if (v.reg != NUMBER)
        fail(e, RS_STOP_EXPR);
    return v.number;
}

static void pick(struct evaluation *e, uint64_t below)
{
    if (below >= e->depth)
        fail(e, RS_STOP_EXPR);
    else
        push(e, e->stack[e->depth - 1 - below]);
}

static void push_register(struct evaluation *e, uint64_t reg, int64_t offset)
{
    if (reg == RS_REG_PC)
        push_number(e, e->pc + (uint64_t)offset);
    else if (reg >= RS_REGS)
        fail(e, RS_STOP_REG);
    else if (!e->regs)
        push(e, (struct value){(uint64_t)offset, (uint8_t)reg});
    else if (e->regs->known >> reg & 1)
        push_number(e, e->regs->reg[reg] + (uint64_t)offset);
    else
        fail(e, RS_STOP_REG);
}

/* SIZE bytes at the address on top, zero-extended: the low bytes of one aligned-or-not word, as DW_OP_deref_size says. */
static void deref(struct evaluation *e, uint64_t size)
{
    uint64_t address = pop_number(e), word = 0;

    if (e->stop)
        return;
    if (!e->u || size == 0 || size > 8) {
        fail(e, RS_STOP_EXPR);
        return;
    }
    if (!rs_read_word(e->u, address, &word))
        fail(e, RS_STOP_READ);
    push_number(e, size == 8 ? word : word & (((uint64_t)1 << 8 * size) - 1));
}

static void plus(struct evaluation *e, bool minus)
{
    struct value b = pop(e), a = pop(e);

    if (minus) {
        if (b.reg != NUMBER)
            fail(e, RS_STOP_EXPR);
        b.number = 0 - b.number;
    } else if (a.reg != NUMBER && b.reg != NUMBER) {
        fail(e, RS_STOP_EXPR);
    }
    push(e, (struct value){a.number + b.number, a.reg != NUMBER ? a.reg : b.reg});
}

static uint64_t shift(uint8_t op, uint64_t a, uint64_t by)
{
    if (op == OP_SHRA)
        return (uint64_t)((int64_t)a >> (by > 63 ? 63 : by));
    if (by > 63)
        return 0;
    return op == OP_SHL ? a << by : a >> by;
}

static void binary(struct evaluation *e, uint8_t op)
{
    uint64_t b = pop_number(e), a = pop_number(e);
    int64_t sb = (int64_t)b, sa = (int64_t)a;

    switch (op) {
    case OP_AND:
        return push_number(e, a & b);
    case OP_OR:
        return push_number(e, a | b);
    case OP_XOR:
        return push_number(e, a ^ b);
    case OP_MUL:
        return push_number(e, a * b);
    case OP_DIV: /* signed; the one quotient that overflows traps on x86 */
        if (b == 0 || (sb == -1 && sa == INT64_MIN))
            return fail(e, RS_STOP_EXPR);
        return push_number(e, (uint64_t)(sa / sb));
    case OP_MOD:
        return b ? push_number(e, a % b) : fail(e, RS_STOP_EXPR);
    case OP_SHL:
    case OP_SHR:
    case OP_SHRA:
        return push_number(e, shift(op, a, b));
    case OP_EQ:
        return push_number(e, a == b);
    case OP_NE:
        return push_number(e, a != b);
    case OP_GE:
        return push_number(e, sa >= sb);
    case OP_GT:
        return push_number(e, sa > sb);
    case OP_LE:
        return push_number(e, sa <= sb);
    default: /* OP_LT */
        return push_number(e, sa < sb);
    }
}

static void unary(struct evaluation *e, uint8_t op)
{
    uint64_t a = pop_number(e);

    if (op == OP_NOT)
        push_number(e, ~a);
    else
        push_number(e, op == OP_ABS && (int64_t)a >= 0 ? a : 0 - a);
}

static void rotate(struct evaluation *e)
{
    struct value top = pop(e), second = pop(e), third = pop(e);

    push(e, top);
    push(e, third);
    push(e, second);
}

static void swap(struct evaluation *e)
{
    struct value top = pop(e), second = pop(e);

    push(e, top);
    push(e, second);
}

static void jump(struct evaluation *e, int16_t by)
{
    int64_t target = e->code.at - e->begin + by;

    if (target < 0 || target > e->code.end - e->begin)
        fail(e, RS_STOP_EXPR);
    else
        e->code.at = e->begin + target;
}

static void step(struct evaluation *e, uint8_t op)
{
    struct rs_cursor *c = &e->code;
    int16_t by;

    if (op >= OP_LIT0 && op <= OP_LIT31)
        return push_number(e, (uint64_t)(op - OP_LIT0));
    if (op >= OP_BREG0 && op <= OP_BREG31)
        return push_register(e, (uint64_t)(op - OP_BREG0), rs_cursor_sleb(c));
    switch (op) {
    case OP_NOP:
        return;
    case OP_ADDR: /* link-time: unwind information has no use for it */
        return fail(e, RS_STOP_EXPR);
    case OP_CONST1U:
        return push_number(e, rs_cursor_uint(c, 1));
    case OP_CONST1S:
        return push_number(e, (uint64_t)(int8_t)rs_cursor_uint(c, 1));
    case OP_CONST2U:
        return push_number(e, rs_cursor_uint(c, 2));
    case OP_CONST2S:
        return push_number(e, (uint64_t)(int16_t)rs_cursor_uint(c, 2));
    case OP_CONST4U:
        return push_number(e, rs_cursor_uint(c, 4));
    case OP_CONST4S:
        return push_number(e, (uint64_t)(int32_t)rs_cursor_uint(c, 4));
    case OP_CONST8U:
    case OP_CONST8S:
        return push_number(e, rs_cursor_uint(c, 8));
    case OP_CONSTU:
        return push_number(e, rs_cursor_uleb(c));
    case OP_CONSTS:
        return push_number(e, (uint64_t)rs_cursor_sleb(c));
    case OP_DUP:
        return pick(e, 0);
    case OP_OVER:
        return pick(e, 1);
    case OP_PICK:
        return pick(e, rs_cursor_uint(c, 1));
    case OP_DROP:
        pop(e);
        return;
    case OP_SWAP:
        return swap(e);
    case OP_ROT:
        return rotate(e);
    case OP_DEREF:
        return deref(e, 8);
    case OP_DEREF_SIZE:
        return deref(e, rs_cursor_uint(c, 1));
    case OP_ABS:
    case OP_NEG:
    case OP_NOT:
        return unary(e, op);
    case OP_PLUS:
        return plus(e, false);
    case OP_MINUS:
        return plus(e, true);
    case OP_PLUS_UCONST:
        push_number(e, rs_cursor_uleb(c));
        return plus(e, false);
    case OP_BRA:
        by = (int16_t)rs_cursor_uint(c, 2);
        return pop_number(e) ? jump(e, by) : (void)0;
    case OP_SKIP:
        return jump(e, (int16_t)rs_cursor_uint(c, 2));
    case OP_BREGX: {
        uint64_t reg = rs_cursor_uleb(c);

        return push_register(e, reg, rs_cursor_sleb(c));
    }
    case OP_AND:
    case OP_OR:
    case OP_XOR:
    case OP_MUL:
    case OP_DIV:
    case OP_MOD:
    case OP_SHL:
    case OP_SHR:
    case OP_SHRA:
    case OP_EQ:
    case OP_NE:
    case OP_GE:
    case OP_GT:
    case OP_LE:
    case OP_LT:
        return binary(e, op);
    default:
        fail(e, RS_STOP_EXPR);
    }
}

/* Run the block at OFFSET on e's stack; the result is left on top of it. */
static enum rs_stop run(struct evaluation *e, const struct rs_cfi_row *row, int32_t offset)
{
    struct rs_cursor *c = &e->code;
    uint64_t length;

    *c = (struct rs_cursor){row->section->bytes + offset, row->section->bytes + row->section->len, false};
    length = rs_cursor_uleb(c);
    if (c->bad || length > (uint64_t)(c->end - c->at))
        return RS_STOP_BAD_CFI;
    c->end = c->at + length;
    e->begin = c->at;
    for (unsigned ops = 0; c->at < c->end && !c->bad && !e->stop; ops++) {
        if (ops == MAX_OPS)
            return RS_STOP_EXPR;
        step(e, (uint8_t)rs_cursor_uint(c, 1));
    }
    if (c->bad)
        return RS_STOP_BAD_CFI;
    if (e->depth == 0)
        fail(e, RS_STOP_EXPR);
    return e->stop;
}

enum rs_stop rs_cfi_expr(const struct rs_cfi_row *row, int32_t offset, const uint64_t *initial,
                         const struct rs_full_regs *regs, const struct rs_unwinder *u, uint64_t *value)
{
    struct evaluation e = {.regs = regs, .u = u, .pc = regs->reg[RS_REG_PC]};
    enum rs_stop stop;

    if (initial)
        push_number(&e, *initial);
    stop = run(&e, row, offset);
    if (stop == RS_STOP_NONE)
        *value = e.stack[e.depth - 1].number;
    return stop;
}

bool rs_cfi_expr_linear(const struct rs_cfi_row *row, int32_t offset, uint64_t pc, uint8_t *reg, int64_t *constant)
{
    struct evaluation e = {.pc = pc};

    if (run(&e, row, offset) != RS_STOP_NONE || e.stack[e.depth - 1].reg == NUMBER)
        return false;
    *reg = e.stack[e.depth - 1].reg;
    *constant = (int64_t)e.stack[e.depth - 1].number;
    return true;
}
