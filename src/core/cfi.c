/* SPDX-License-Identifier: MIT */
/*
 * One pc's row is decoded from scratch each time: find its FDE by the search table, run the CIE's program and then
 * the FDE's until the location passes pc. That is 0.1 - 0.4 µs, paid once per pc and cache, and needs no memory.
 *
 * Every read goes through a cursor that knows the end of the section; lengths, offsets and counts are never trusted.
 * Work is bounded by the size of the section, since every operation consumes a byte.
 */
#include "core/cfi.h"

#include <string.h>

/* ---- cursor ---- */

uint64_t rs_cursor_uint(struct rs_cursor *c, unsigned bytes)
{
    uint64_t value = 0;

    if (c->bad || (size_t)(c->end - c->at) < bytes) {
        c->bad = true;
        return 0;
    }
    memcpy(&value, c->at, bytes); /* both architectures are little endian */
    c->at += bytes;
    return value;
}

uint64_t rs_cursor_uleb(struct rs_cursor *c)
{
    uint64_t value = 0, byte;
    unsigned shift = 0;

    do {
        byte = rs_cursor_uint(c, 1);
        if (shift < 64)
            value |= (byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    return value;
}

int64_t rs_cursor_sleb(struct rs_cursor *c)
{
    uint64_t value = 0, byte;
    unsigned shift = 0;

    do {
        byte = rs_cursor_uint(c, 1);
        if (shift < 64)
            value |= (byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    if (shift < 64 && byte & 0x40)
        value |= ~(uint64_t)0 << shift;
    return (int64_t)value;
}

void rs_cursor_skip(struct rs_cursor *c, uint64_t bytes)
{
    if (c->bad || (uint64_t)(c->end - c->at) < bytes)
        c->bad = true;
    else
        c->at += bytes;
}

/* DW_EH_PE_*: the low nibble is the format, the next three bits what it is relative to, the top bit indirection. */
enum {
    PE_ABSPTR = 0,
    PE_ULEB128 = 1,
    PE_UDATA2 = 2,
    PE_UDATA4 = 3,
    PE_UDATA8 = 4,
    PE_SLEB128 = 9,
    PE_SDATA2 = 10,
    PE_SDATA4 = 11,
    PE_SDATA8 = 12,
    PE_PCREL = 0x10,
    PE_DATAREL = 0x30,
    PE_OMIT = 0xff
};

static uint64_t pointer_value(struct rs_cursor *c, uint8_t format)
{
    switch (format) {
    case PE_ABSPTR:
    case PE_UDATA8:
    case PE_SDATA8:
        return rs_cursor_uint(c, 8);
    case PE_UDATA2:
        return rs_cursor_uint(c, 2);
    case PE_UDATA4:
        return rs_cursor_uint(c, 4);
    case PE_SDATA2:
        return (uint64_t)(int16_t)rs_cursor_uint(c, 2);
    case PE_SDATA4:
        return (uint64_t)(int32_t)rs_cursor_uint(c, 4);
    case PE_ULEB128:
        return rs_cursor_uleb(c);
    case PE_SLEB128:
        return (uint64_t)rs_cursor_sleb(c);
    default:
        c->bad = true;
        return 0;
    }
}

uint64_t rs_cursor_pointer(struct rs_cursor *c, uint8_t enc, uint64_t addr, uint64_t data, uint64_t abs_bias)
{
    uint64_t value;

    if (enc == PE_OMIT) {
        c->bad = true;
        return 0;
    }
    value = pointer_value(c, enc & 0x0f);
    switch (enc & 0x70) {
    case 0:
        return value + abs_bias;
    case PE_PCREL:
        return value + addr;
    case PE_DATAREL:
        return value + data;
    default:
        c->bad = true;
        return 0;
    }
}

/* ---- entries ---- */

struct cie {
    uint64_t code_align;
    int64_t data_align;
    uint64_t ra_reg;
    uint8_t fde_enc;
    uint8_t address_size;
    bool augmented; /* 'z': FDEs carry augmentation data of a stated length */
    bool signal_frame;
    struct rs_cursor program;
};

struct fde {
    uint64_t start, end; /* addresses in the process */
    uint64_t next;       /* section offset of the entry behind it */
    const struct rs_cfi_section *section;
    struct cie cie;
    struct rs_cursor program;
};

enum entry_kind { ENTRY_FDE, ENTRY_CIE, ENTRY_END, ENTRY_BAD };

static uint64_t address_of(const struct rs_cfi_section *s, const uint8_t *at)
{
    return s->addr + (uint64_t)(at - s->bytes);
}

/*
 * Open the entry at OFFSET: *BODY spans what follows the length, *ID is the CIE id or pointer that comes first, *ID_AT
 * its section offset. DEBUG tells .debug_frame from .eh_frame.
 */
static enum entry_kind entry_open(const struct rs_cfi_section *s, uint64_t offset, bool debug, struct rs_cursor *body,
                                  uint64_t *id, uint64_t *id_at)
{
    unsigned width = 4;
    uint64_t length, cie_id = debug ? 0xffffffffu : 0;

    if (offset >= s->len)
        return ENTRY_END;
    *body = (struct rs_cursor){.at = s->bytes + offset, .end = s->bytes + s->len};
    length = rs_cursor_uint(body, 4);
    if (length == 0xffffffffu) {
        length = rs_cursor_uint(body, 8);
        width = debug ? 8 : 4; /* the id of a 64-bit .eh_frame entry has 4 bytes all the same */
        cie_id = debug ? UINT64_MAX : 0;
    }
    if (body->bad)
        return ENTRY_BAD;
    if (length == 0)
        return debug ? ENTRY_BAD : ENTRY_END;
    if (length > (uint64_t)(body->end - body->at))
        return ENTRY_BAD;
    body->end = body->at + length;
    *id_at = (uint64_t)(body->at - s->bytes);
    *id = rs_cursor_uint(body, width);
    if (body->bad)
        return ENTRY_BAD;
    return *id == cie_id ? ENTRY_CIE : ENTRY_FDE;
}

/* The augmentation letters behind 'z', up to the instructions. */
static void cie_augmentation(struct cie *cie, const char *letters, struct rs_cursor *c)
{
    for (; *letters && !c->bad; letters++) {
        uint8_t enc;

        switch (*letters) {
        case 'R':
            cie->fde_enc = (uint8_t)rs_cursor_uint(c, 1);
            break;
        case 'P':
            enc = (uint8_t)rs_cursor_uint(c, 1);
            pointer_value(c, enc & 0x0f);
            break;
        case 'L':
            rs_cursor_uint(c, 1);
            break;
        case 'S':
            cie->signal_frame = true;
            break;
        case 'B': /* aarch64: signed with the B key; stripping is the same */
        case 'G': /* aarch64: tagged stack */
            break;
        default:
            return; /* unknown letters: 'z' says where they end */
        }
    }
}

static bool cie_parse(const struct rs_cfi_section *s, uint64_t offset, bool debug, struct cie *cie)
{
    struct rs_cursor c;
    uint64_t id, id_at;
    const char *letters;
    uint8_t version;

    if (entry_open(s, offset, debug, &c, &id, &id_at) != ENTRY_CIE)
        return false;
    *cie = (struct cie){.fde_enc = PE_ABSPTR, .address_size = 8};
    version = (uint8_t)rs_cursor_uint(&c, 1);
    if (version != 1 && version != 3 && version != 4)
        return false;
    letters = (const char *)c.at;
    while (rs_cursor_uint(&c, 1))
        ;
    if (c.bad)
        return false;
    if (version == 4) {
        cie->address_size = (uint8_t)rs_cursor_uint(&c, 1);
        if (cie->address_size != 8 || rs_cursor_uint(&c, 1) != 0) /* no segments */
            return false;
    }
    if (letters[0] == 'e' && letters[1] == 'h') { /* gcc 2: a pointer to its exception table */
        rs_cursor_skip(&c, 8);
        letters += 2;
    }
    cie->code_align = rs_cursor_uleb(&c);
    cie->data_align = rs_cursor_sleb(&c);
    cie->ra_reg = version == 1 ? rs_cursor_uint(&c, 1) : rs_cursor_uleb(&c);
    if (*letters == 'z') {
        uint64_t length = rs_cursor_uleb(&c);
        struct rs_cursor data = c;

        rs_cursor_skip(&c, length);
        if (c.bad)
            return false;
        data.end = c.at;
        cie->augmented = true;
        cie_augmentation(cie, letters + 1, &data);
        if (data.bad)
            return false;
    } else if (*letters) {
        return false; /* no length: what follows cannot be known */
    }
    cie->program = c;
    return !c.bad && cie->ra_reg < RS_REGS;
}

/* Parse the entry at OFFSET; f->next is set for all but ENTRY_BAD and ENTRY_END. */
static enum entry_kind fde_parse(const struct rs_unwind_module *m, const struct rs_cfi_section *s, uint64_t offset,
                                 struct fde *f)
{
    bool debug = s == &m->debug;
    struct rs_cursor c;
    uint64_t id, id_at, length;
    enum entry_kind kind = entry_open(s, offset, debug, &c, &id, &id_at);

    if (kind == ENTRY_END || kind == ENTRY_BAD)
        return kind;
    f->next = (uint64_t)(c.end - s->bytes);
    if (kind == ENTRY_CIE)
        return kind;
    /* .eh_frame says how far back the CIE is, .debug_frame where. */
    if (!debug && id > id_at)
        return ENTRY_BAD;
    if (!cie_parse(s, debug ? id : id_at - id, debug, &f->cie))
        return ENTRY_BAD;
    f->start = rs_cursor_pointer(&c, f->cie.fde_enc, address_of(s, c.at), m->table_base,
                                 debug ? m->bias : m->abs_bias);
    length = pointer_value(&c, f->cie.fde_enc & 0x0f);
    if (f->cie.augmented)
        rs_cursor_skip(&c, rs_cursor_uleb(&c));
    f->end = f->start + length;
    f->section = s;
    f->program = c;
    return c.bad || f->end < f->start ? ENTRY_BAD : ENTRY_FDE;
}

/* ---- finding the FDE ---- */

static int32_t table_word(const struct rs_cfi_section *table, size_t index)
{
    int32_t word;

    memcpy(&word, table->bytes + 4 * index, sizeof(word));
    return word;
}

static enum rs_cfi_status find_by_table(const struct rs_unwind_module *m, uint64_t pc, struct fde *f)
{
    size_t lo = 0, hi = m->table.len / 8;
    int64_t relative = (int64_t)(pc - m->table_base);
    uint64_t address;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (table_word(&m->table, 2 * mid) <= relative)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == 0)
        return RS_CFI_ABSENT;
    address = m->table_base + (uint64_t)(int64_t)table_word(&m->table, 2 * lo - 1);
    if (address - m->eh.addr >= m->eh.len || fde_parse(m, &m->eh, address - m->eh.addr, f) != ENTRY_FDE)
        return RS_CFI_CORRUPT;
    return pc - f->start < f->end - f->start ? RS_CFI_OK : RS_CFI_ABSENT;
}

static enum rs_cfi_status find_by_index(const struct rs_unwind_module *m, uint64_t pc, struct fde *f)
{
    size_t lo = 0, hi = m->index_count;
    const struct rs_fde_ref *ref;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (m->index[mid].start <= pc)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == 0)
        return RS_CFI_ABSENT;
    ref = &m->index[lo - 1];
    if (fde_parse(m, ref->in_debug ? &m->debug : &m->eh, ref->offset, f) != ENTRY_FDE)
        return RS_CFI_CORRUPT;
    return pc - f->start < f->end - f->start ? RS_CFI_OK : RS_CFI_ABSENT;
}

static enum rs_cfi_status find_by_scan(const struct rs_unwind_module *m, const struct rs_cfi_section *s, uint64_t pc,
                                       struct fde *f)
{
    for (uint64_t offset = 0;; offset = f->next)
        switch (fde_parse(m, s, offset, f)) {
        case ENTRY_FDE:
            if (pc - f->start < f->end - f->start)
                return RS_CFI_OK;
            break;
        case ENTRY_CIE:
            break;
        case ENTRY_END:
            return RS_CFI_ABSENT;
        case ENTRY_BAD:
            return RS_CFI_CORRUPT;
        }
}

static enum rs_cfi_status find_fde(const struct rs_unwind_module *m, uint64_t pc, struct fde *f)
{
    enum rs_cfi_status status = RS_CFI_ABSENT;

    if (m->table.len)
        status = find_by_table(m, pc, f);
    if (status == RS_CFI_ABSENT && m->index)
        return find_by_index(m, pc, f);
    if (status == RS_CFI_ABSENT && m->eh.len && !m->table.len)
        status = find_by_scan(m, &m->eh, pc, f);
    if (status == RS_CFI_ABSENT && m->debug.len)
        status = find_by_scan(m, &m->debug, pc, f);
    return status;
}

/* ---- running the program ---- */

enum {
    CFA_ADVANCE_LOC = 0x40,
    CFA_OFFSET = 0x80,
    CFA_RESTORE = 0xc0,
    CFA_NOP = 0x00,
    CFA_SET_LOC = 0x01,
    CFA_ADVANCE_LOC1 = 0x02,
    CFA_ADVANCE_LOC2 = 0x03,
    CFA_ADVANCE_LOC4 = 0x04,
    CFA_OFFSET_EXTENDED = 0x05,
    CFA_RESTORE_EXTENDED = 0x06,
    CFA_UNDEFINED = 0x07,
    CFA_SAME_VALUE = 0x08,
    CFA_REGISTER = 0x09,
    CFA_REMEMBER_STATE = 0x0a,
    CFA_RESTORE_STATE = 0x0b,
    CFA_DEF_CFA = 0x0c,
    CFA_DEF_CFA_REGISTER = 0x0d,
    CFA_DEF_CFA_OFFSET = 0x0e,
    CFA_DEF_CFA_EXPRESSION = 0x0f,
    CFA_EXPRESSION = 0x10,
    CFA_OFFSET_EXTENDED_SF = 0x11,
    CFA_DEF_CFA_SF = 0x12,
    CFA_DEF_CFA_OFFSET_SF = 0x13,
    CFA_VAL_OFFSET = 0x14,
    CFA_VAL_OFFSET_SF = 0x15,
    CFA_VAL_EXPRESSION = 0x16,
    CFA_AARCH64_NEGATE_RA_STATE_WITH_PC = 0x2c,
    CFA_AARCH64_NEGATE_RA_STATE = 0x2d, /* elsewhere DW_CFA_GNU_window_save (SPARC) */
    CFA_GNU_ARGS_SIZE = 0x2e,
    CFA_GNU_NEGATIVE_OFFSET_EXTENDED = 0x2f
};

/* Compilers nest DW_CFA_remember_state once; the room is taken from the stack of a signal handler. */
enum { STATES = 4 };

struct machine {
    const struct cie *cie;
    const struct rs_cfi_section *section;
    struct rs_cfi_row *row;
    const struct rs_cfi_row *initial; /* after the CIE's program; NULL while that one runs */
    struct rs_cfi_row state[STATES];
    unsigned states;
    uint64_t loc;
    bool bad;
};

static void set_rule(struct machine *m, uint64_t reg, enum rs_cfi_how how, int64_t value)
{
    if (reg >= RS_REGS)
        return; /* vector and other registers that no walk needs */
    if (value != (int32_t)value)
        m->bad = true;
    m->row->how[reg] = (uint8_t)how;
    m->row->value[reg] = (int32_t)value;
}

static void restore_rule(struct machine *m, uint64_t reg)
{
    if (reg >= RS_REGS)
        return;
    m->row->how[reg] = m->initial ? m->initial->how[reg] : RS_HOW_UNSET;
    m->row->value[reg] = m->initial ? m->initial->value[reg] : 0;
}

static void set_cfa(struct machine *m, uint64_t reg, int64_t offset)
{
    if (reg >= RS_REGS || offset != (int32_t)offset)
        m->bad = true;
    m->row->cfa_how = RS_HOW_VAL_OFFSET;
    m->row->cfa_reg = (uint8_t)reg;
    m->row->cfa_value = (int32_t)offset;
}

/* DW_CFA_def_cfa_register and _offset change half of a register + offset rule: there must be one. */
static void change_cfa(struct machine *m, uint64_t reg, int64_t offset)
{
    if (m->row->cfa_how != RS_HOW_VAL_OFFSET)
        m->bad = true;
    set_cfa(m, reg, offset);
}

/* Skip the block at C and return its section offset. */
static int64_t block(struct machine *m, struct rs_cursor *c)
{
    int64_t offset = c->at - m->section->bytes;

    rs_cursor_skip(c, rs_cursor_uleb(c));
    return offset;
}

/* DW_OP-free factored offsets: the product may be anything in a corrupt section, so it must not overflow as signed. */
static int64_t scaled(const struct machine *m, int64_t factored)
{
    return (int64_t)((uint64_t)factored * (uint64_t)m->cie->data_align);
}

static void remember_state(struct machine *m)
{
    if (m->states == STATES)
        m->bad = true;
    else
        m->state[m->states++] = *m->row;
}

static void restore_state(struct machine *m)
{
    if (m->states == 0)
        m->bad = true;
    else
        *m->row = m->state[--m->states];
}

static void negate_ra_state(struct machine *m)
{
#if defined(__aarch64__)
    m->row->value[RS_REG_RA_SIGN] ^= 1;
#else
    m->bad = true;
#endif
}

/* An operation whose number fills the byte. Kept in one switch: it is the table of the standard. */
static void run_extended(struct machine *m, uint8_t op, struct rs_cursor *c)
{
    uint64_t reg;

    switch (op) {
    case CFA_NOP:
        break;
    case CFA_OFFSET_EXTENDED:
        reg = rs_cursor_uleb(c);
        set_rule(m, reg, RS_HOW_OFFSET, scaled(m, (int64_t)rs_cursor_uleb(c)));
        break;
    case CFA_OFFSET_EXTENDED_SF:
        reg = rs_cursor_uleb(c);
        set_rule(m, reg, RS_HOW_OFFSET, scaled(m, rs_cursor_sleb(c)));
        break;
    case CFA_GNU_NEGATIVE_OFFSET_EXTENDED:
        reg = rs_cursor_uleb(c);
        set_rule(m, reg, RS_HOW_OFFSET, scaled(m, (int64_t)(0 - rs_cursor_uleb(c))));
        break;
    case CFA_VAL_OFFSET:
        reg = rs_cursor_uleb(c);
        set_rule(m, reg, RS_HOW_VAL_OFFSET, scaled(m, (int64_t)rs_cursor_uleb(c)));
        break;
    case CFA_VAL_OFFSET_SF:
        reg = rs_cursor_uleb(c);
        set_rule(m, reg, RS_HOW_VAL_OFFSET, scaled(m, rs_cursor_sleb(c)));
        break;
    case CFA_RESTORE_EXTENDED:
        restore_rule(m, rs_cursor_uleb(c));
        break;
    case CFA_UNDEFINED:
        set_rule(m, rs_cursor_uleb(c), RS_HOW_UNDEFINED, 0);
        break;
    case CFA_SAME_VALUE:
        set_rule(m, rs_cursor_uleb(c), RS_HOW_SAME, 0);
        break;
    case CFA_REGISTER:
        reg = rs_cursor_uleb(c);
        set_rule(m, reg, RS_HOW_REGISTER, (int64_t)rs_cursor_uleb(c));
        break;
    case CFA_EXPRESSION:
        reg = rs_cursor_uleb(c);
        set_rule(m, reg, RS_HOW_EXPR, block(m, c));
        break;
    case CFA_VAL_EXPRESSION:
        reg = rs_cursor_uleb(c);
        set_rule(m, reg, RS_HOW_VAL_EXPR, block(m, c));
        break;
    case CFA_REMEMBER_STATE:
        remember_state(m);
        break;
    case CFA_RESTORE_STATE:
        restore_state(m);
        break;
    case CFA_DEF_CFA:
        reg = rs_cursor_uleb(c);
        set_cfa(m, reg, (int64_t)rs_cursor_uleb(c));
        break;
    case CFA_DEF_CFA_SF:
        reg = rs_cursor_uleb(c);
        set_cfa(m, reg, scaled(m, rs_cursor_sleb(c)));
        break;
    case CFA_DEF_CFA_REGISTER:
        change_cfa(m, rs_cursor_uleb(c), m->row->cfa_value);
        break;
    case CFA_DEF_CFA_OFFSET:
        change_cfa(m, m->row->cfa_reg, (int64_t)rs_cursor_uleb(c));
        break;
    case CFA_DEF_CFA_OFFSET_SF:
        change_cfa(m, m->row->cfa_reg, scaled(m, rs_cursor_sleb(c)));
        break;
    case CFA_DEF_CFA_EXPRESSION: {
        int64_t offset = block(m, c);

        if (offset != (int32_t)offset)
            m->bad = true;
        m->row->cfa_how = RS_HOW_VAL_EXPR;
        m->row->cfa_value = (int32_t)offset;
        break;
    }
    case CFA_AARCH64_NEGATE_RA_STATE:
    case CFA_AARCH64_NEGATE_RA_STATE_WITH_PC:
        negate_ra_state(m);
        break;
    case CFA_GNU_ARGS_SIZE: /* for exceptions only */
        rs_cursor_uleb(c);
        break;
    default:
        m->bad = true;
    }
}

/* Run PROGRAM until the location passes PC. */
static bool run(struct machine *m, struct rs_cursor program, uint64_t pc)
{
    struct rs_cursor *c = &program;

    while (c->at < c->end && !c->bad && !m->bad) {
        uint8_t op = (uint8_t)rs_cursor_uint(c, 1), low = op & 0x3f;
        uint64_t loc = m->loc;

        switch (op & 0xc0) {
        case CFA_ADVANCE_LOC:
            loc += low * m->cie->code_align;
            break;
        case CFA_OFFSET:
            set_rule(m, low, RS_HOW_OFFSET, scaled(m, (int64_t)rs_cursor_uleb(c)));
            break;
        case CFA_RESTORE:
            restore_rule(m, low);
            break;
        default:
            switch (op) {
            case CFA_ADVANCE_LOC1:
                loc += rs_cursor_uint(c, 1) * m->cie->code_align;
                break;
            case CFA_ADVANCE_LOC2:
                loc += rs_cursor_uint(c, 2) * m->cie->code_align;
                break;
            case CFA_ADVANCE_LOC4:
                loc += rs_cursor_uint(c, 4) * m->cie->code_align;
                break;
            case CFA_SET_LOC: /* no compiler for these architectures emits it */
                m->bad = true;
                break;
            default:
                run_extended(m, op, c);
            }
        }
        if (loc > pc)
            return !c->bad;
        m->loc = loc;
    }
    return !c->bad && !m->bad;
}

enum rs_cfi_status rs_cfi_row_at(const struct rs_unwind_module *m, uint64_t pc, struct rs_cfi_row *row)
{
    struct fde f;
    struct machine machine;
    struct rs_cfi_row initial;
    enum rs_cfi_status status = find_fde(m, pc, &f);

    if (status != RS_CFI_OK)
        return status;
    memset(row, 0, sizeof(*row));
    row->cfa_how = RS_HOW_UNDEFINED;
    row->section = f.section;
    row->ra_reg = (uint8_t)f.cie.ra_reg;
    row->signal_frame = f.cie.signal_frame;
    machine.cie = &f.cie;
    machine.section = row->section;
    machine.row = row;
    machine.initial = NULL;
    machine.states = 0;
    machine.loc = f.start;
    machine.bad = false;
    if (!run(&machine, f.cie.program, UINT64_MAX))
        return RS_CFI_CORRUPT;
    initial = *row;
    machine.initial = &initial;
    machine.loc = f.start;
    if (!run(&machine, f.program, pc))
        return RS_CFI_CORRUPT;
    return row->cfa_how == RS_HOW_UNDEFINED && row->how[row->ra_reg] != RS_HOW_UNDEFINED ? RS_CFI_CORRUPT : RS_CFI_OK;
}

/* ---- rules ---- */

static bool kept(const struct rs_cfi_row *row, unsigned reg)
{
    return row->how[reg] == RS_HOW_UNSET || row->how[reg] == RS_HOW_SAME;
}

#if defined(__aarch64__)

/* The part of the rule that says where pc and fp are; false if it cannot. */
static bool pack_registers(const struct rs_cfi_row *row, uint32_t *rule)
{
    enum rs_ra_place place;
    int32_t below;

    if (kept(row, RS_REG_RA)) {
        if (!kept(row, RS_REG_FP))
            return false;
        place = RS_RA_IN_LR;
        below = 0;
    } else {
        if (row->how[RS_REG_RA] != RS_HOW_OFFSET)
            return false;
        below = -row->value[RS_REG_RA];
        place = RS_RA_ALONE;
        if (!kept(row, RS_REG_FP)) {
            if (row->how[RS_REG_FP] != RS_HOW_OFFSET || row->value[RS_REG_FP] != row->value[RS_REG_RA] - 8)
                return false;
            place = RS_RA_PAIR;
            below += 8;
        }
    }
    if (below < 0 || below % 8 || below / 8 > 0xfff)
        return false;
    *rule |= (uint32_t)place << 4 | (uint32_t)(below / 8) << 6;
    return true;
}

static bool pack_cfa(int64_t offset, uint32_t *rule)
{
    if (offset < 0 || offset % 16 || offset / 16 > 0x3fff)
        return false;
    *rule |= (uint32_t)(offset / 16) << 18;
    return true;
}

#else

static bool pack_registers(const struct rs_cfi_row *row, uint32_t *rule)
{
    int32_t below = 0;

    if (row->how[RS_REG_RA] != RS_HOW_OFFSET || row->value[RS_REG_RA] != -8)
        return false;
    if (!kept(row, RS_REG_FP)) {
        below = -row->value[RS_REG_FP];
        if (row->how[RS_REG_FP] != RS_HOW_OFFSET || below <= 0 || below % 8 || below / 8 > 0xff)
            return false;
    }
    *rule |= (uint32_t)(below / 8) << 4;
    return true;
}

static bool pack_cfa(int64_t offset, uint32_t *rule)
{
    if (offset < 8 || offset % 8 || offset / 8 > 0xfffff)
        return false;
    *rule |= (uint32_t)(offset / 8) << 12;
    return true;
}

#endif

uint32_t rs_cfi_row_rule(const struct rs_cfi_row *row, uint64_t pc)
{
    uint32_t rule;
    uint8_t reg = row->cfa_reg;
    int64_t offset = row->cfa_value;

    if (row->how[row->ra_reg] == RS_HOW_UNDEFINED)
        return RS_RULE_ROOT;
    if (row->signal_frame || row->ra_reg != RS_REG_RA || !kept(row, RS_REG_SP))
        return RS_RULE_SLOW;
    if (row->cfa_how == RS_HOW_VAL_EXPR && !rs_cfi_expr_linear(row, row->cfa_value, pc, &reg, &offset))
        return RS_RULE_SLOW;
    if (reg != RS_REG_SP && reg != RS_REG_FP)
        return RS_RULE_SLOW;
    rule = reg == RS_REG_SP ? RS_RULE_SP : RS_RULE_FP;
    return pack_registers(row, &rule) && pack_cfa(offset, &rule) ? rule : RS_RULE_SLOW;
}

/* ---- index ---- */

/* Collect the FDEs of S into REFS behind N; returns the new count, which may exceed CAP. */
static size_t collect(const struct rs_unwind_module *m, const struct rs_cfi_section *s, struct rs_fde_ref *refs,
                      size_t n, size_t cap)
{
    struct fde f;

    if (!s->len)
        return n;
    for (uint64_t offset = 0;; offset = f.next)
        switch (fde_parse(m, s, offset, &f)) {
        case ENTRY_FDE:
            if (n < cap)
                refs[n] = (struct rs_fde_ref){f.start, offset, s == &m->debug};
            n++;
            break;
        case ENTRY_CIE:
            break;
        default:
            return n;
        }
}

static void sift(struct rs_fde_ref *refs, size_t root, size_t n)
{
    struct rs_fde_ref moving = refs[root];

    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && refs[child + 1].start > refs[child].start)
            child++;
        if (refs[child].start <= moving.start)
            break;
        refs[root] = refs[child];
    }
    refs[root] = moving;
}

/* Heap sort: qsort() may call malloc. */
static void sort_refs(struct rs_fde_ref *refs, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sift(refs, i, n);
    for (size_t end = n; end-- > 1;) {
        struct rs_fde_ref top = refs[0];

        refs[0] = refs[end];
        refs[end] = top;
        sift(refs, 0, end);
    }
}

size_t rs_unwind_index(struct rs_unwind_module *m, struct rs_fde_ref *refs, size_t cap)
{
    /* What the table covers it covers faster; the index is for the rest. */
    size_t n = m->table.len ? 0 : collect(m, &m->eh, refs, 0, cap);

    n = collect(m, &m->debug, refs, n, cap);
    if (n <= cap) {
        sort_refs(refs, n);
        m->index = refs;
        m->index_count = n;
    }
    return n;
}
