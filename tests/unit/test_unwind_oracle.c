/* SPDX-License-Identifier: MIT */
/*
 * Every row of the unwind information of well-known objects (a sample of the FDEs of big ones) against elfutils' libdw:
 * the CFA and every register of the full row, and the 32-bit rule. One wrong rule fails. Objects that are not installed
 * are skipped, said on stderr.
 */
#include "core/cfi.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"

enum { MAX_FDES = 40000, MAX_ROWS_PER_FDE = 400 };

/* ck_assert() notes every passed check in a file: 600,000 rows of 20 checks would be a minute of system calls. */
#define EXPECT(condition, ...)                                                                                         \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            ck_abort_msg(__VA_ARGS__);                                                                                 \
    } while (0)

struct tally {
    unsigned long fdes, rows, fast, slow, root;
};

/* What a row says about one register, in a form that both sides can be brought into. */
struct said {
    enum rs_cfi_how how;
    int64_t value; /* meaningless for expressions */
};

static struct said libdw_about(Dwarf_Frame *frame, unsigned reg)
{
    Dwarf_Op memory[3], *ops;
    size_t n;

    EXPECT(dwarf_frame_register(frame, (int)reg, memory, &ops, &n) == 0, "register %u: %s", reg, dwarf_errmsg(-1));
    if (n == 0)
        return (struct said){ops == NULL ? RS_HOW_SAME : RS_HOW_UNDEFINED, 0};
    if (n == 1 && ops[0].atom == DW_OP_regx)
        return (struct said){RS_HOW_REGISTER, (int64_t)ops[0].number};
    if (ops[0].atom == DW_OP_call_frame_cfa && ops == memory) {
        bool is_value = ops[n - 1].atom == DW_OP_stack_value;
        int64_t offset = n > 1 && ops[1].atom == DW_OP_plus_uconst ? (int64_t)ops[1].number : 0;

        return (struct said){is_value ? RS_HOW_VAL_OFFSET : RS_HOW_OFFSET, offset};
    }
    return (struct said){ops[n - 1].atom == DW_OP_stack_value ? RS_HOW_VAL_EXPR : RS_HOW_EXPR, 0};
}

/* A register that the CFI does not mention: libdw tells an ABI default, by a table that calls rbx undefined. */
static bool default_of(unsigned reg, struct said libdw)
{
    if (reg == RS_REG_SP)
        return libdw.how == RS_HOW_VAL_OFFSET && libdw.value == 0;
    return libdw.how == RS_HOW_SAME || libdw.how == RS_HOW_UNDEFINED;
}

static bool same(const struct rs_cfi_row *row, unsigned reg, struct said libdw)
{
    if (row->how[reg] == RS_HOW_UNSET)
        return default_of(reg, libdw);
    if (row->how[reg] != libdw.how)
        return false;
    return libdw.how == RS_HOW_EXPR || libdw.how == RS_HOW_VAL_EXPR || row->value[reg] == libdw.value;
}

static bool breg(const Dwarf_Op *op, unsigned *reg, int64_t *offset)
{
    if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31) {
        *reg = op->atom - DW_OP_breg0;
        *offset = (int64_t)op->number;
        return true;
    }
    *reg = (unsigned)op->number;
    *offset = (int64_t)op->number2;
    return op->atom == DW_OP_bregx;
}

/* "rsp + n" of a PLT's expression at PC by a little evaluator of its own; false if it is another one. */
static bool plt_value(const Dwarf_Op *ops, size_t n, uint64_t pc, int64_t *offset)
{
    int64_t stack[8], base;
    unsigned depth = 0, reg;

    if (n < 2 || !breg(&ops[0], &reg, &base) || reg != RS_REG_SP)
        return false;
    stack[depth++] = base; /* relative to sp; only added to */
    for (size_t i = 1; i < n; i++) {
        int64_t a, b;

        if (depth >= 7)
            return false;
        if (ops[i].atom >= DW_OP_lit0 && ops[i].atom <= DW_OP_lit31) {
            stack[depth++] = ops[i].atom - DW_OP_lit0;
            continue;
        }
        if (breg(&ops[i], &reg, &a)) {
            if (reg != 16)
                return false;
            stack[depth++] = (int64_t)pc + a;
            continue;
        }
        if (depth < 2)
            return false;
        b = stack[--depth];
        a = stack[--depth];
        if (depth == 0 && ops[i].atom != DW_OP_plus)
            return false;
        switch (ops[i].atom) {
        case DW_OP_and:
            stack[depth++] = a & b;
            break;
        case DW_OP_ge:
            stack[depth++] = a >= b;
            break;
        case DW_OP_shl:
            stack[depth++] = a << b;
            break;
        case DW_OP_plus:
            stack[depth++] = a + b;
            break;
        default:
            return false;
        }
    }
    *offset = stack[0];
    return depth == 1;
}

/* The rule must say what libdw says, or refuse to be fast. */
static void check_rule(const char *path, uint64_t pc, uint32_t rule, Dwarf_Frame *frame, struct tally *tally)
{
    Dwarf_Op *ops;
    size_t n;
    unsigned reg;
    int64_t offset;
    struct said ra = libdw_about(frame, RS_REG_RA), fp = libdw_about(frame, RS_REG_FP);

    if (rs_rule_kind(rule) == RS_RULE_ROOT) {
        tally->root++;
        EXPECT(ra.how == RS_HOW_UNDEFINED, "%s %#lx: not the outermost frame", path, pc);
        return;
    }
    if (rs_rule_kind(rule) == RS_RULE_SLOW) {
        tally->slow++;
        return;
    }
    tally->fast++;
    EXPECT(rule != RS_RULE_NONE && rs_rule_kind(rule) <= RS_RULE_FP, "%s %#lx: rule %#x", path, pc, rule);
    EXPECT(dwarf_frame_cfa(frame, &ops, &n) == 0, "%s %#lx: %s", path, pc, dwarf_errmsg(-1));
    if (!(n == 1 && breg(&ops[0], &reg, &offset))) {
        EXPECT(plt_value(ops, n, pc, &offset), "%s %#lx: expression taken for a rule", path, pc);
        reg = RS_REG_SP;
    }
    EXPECT(reg == (rs_rule_kind(rule) == RS_RULE_SP ? RS_REG_SP : RS_REG_FP) &&
               offset == (int64_t)rs_rule_cfa_offset(rule),
           "%s %#lx: CFA is reg %u + %ld, rule %#x", path, pc, reg, offset, rule);
    /* Places relative to a CFA of 1 << 32. */
    uint64_t cfa = (uint64_t)1 << 32, ra_at = rs_rule_ra_at(rule, cfa), fp_at = rs_rule_fp_at(rule, cfa);

    EXPECT(ra_at ? ra.how == RS_HOW_OFFSET && cfa + (uint64_t)ra.value == ra_at : ra.how == RS_HOW_SAME,
           "%s %#lx: return address, rule %#x", path, pc, rule);
    EXPECT(fp_at ? fp.how == RS_HOW_OFFSET && cfa + (uint64_t)fp.value == fp_at : fp.how == RS_HOW_SAME,
           "%s %#lx: frame pointer, rule %#x", path, pc, rule);
}

static void check_row(const char *path, const struct rs_unwind_module *m, uint64_t pc, Dwarf_Frame *frame,
                      struct tally *tally)
{
    struct rs_cfi_row row;
    Dwarf_Op *ops;
    size_t n;
    unsigned reg;
    int64_t offset;
    bool signal_frame;
    int ra = dwarf_frame_info(frame, NULL, NULL, &signal_frame);

    EXPECT(rs_cfi_row_at(m, pc, &row) == RS_CFI_OK, "%s %#lx: no row", path, pc);
    EXPECT(row.ra_reg == ra && row.signal_frame == signal_frame, "%s %#lx: return address or signal", path, pc);
    EXPECT(dwarf_frame_cfa(frame, &ops, &n) == 0, "%s %#lx: %s", path, pc, dwarf_errmsg(-1));
    if (n == 1 && breg(&ops[0], &reg, &offset) && row.cfa_how != RS_HOW_VAL_EXPR)
        EXPECT(row.cfa_how == RS_HOW_VAL_OFFSET && row.cfa_reg == reg && row.cfa_value == offset,
               "%s %#lx: CFA reg %u + %ld, ours reg %u + %d", path, pc, reg, offset, row.cfa_reg, row.cfa_value);
    else if (n == 0)
        EXPECT(row.cfa_how == RS_HOW_UNDEFINED, "%s %#lx: CFA undefined", path, pc);
    else
        EXPECT(row.cfa_how == RS_HOW_VAL_EXPR, "%s %#lx: CFA is an expression", path, pc);
    for (reg = 0; reg < RS_REGS; reg++) {
        struct said libdw = libdw_about(frame, reg);

        EXPECT(same(&row, reg, libdw), "%s %#lx reg %u: %d %d, libdw %d %ld", path, pc, reg, row.how[reg],
               row.value[reg], libdw.how, libdw.value);
    }
    tally->rows++;
    check_rule(path, pc, rs_rule_decode(m, pc + 1), frame, tally);
}

/* All rows of the function at START, row after row as libdw bounds them. */
static void check_function(const char *path, const struct rs_unwind_module *m, Dwarf_CFI *cfi, uint64_t start,
                           uint64_t end, struct tally *tally)
{
    uint64_t pc = start;

    for (unsigned rows = 0; pc < end && rows < MAX_ROWS_PER_FDE; rows++) {
        Dwarf_Frame *frame;
        Dwarf_Addr row_start, row_end;

        EXPECT(dwarf_cfi_addrframe(cfi, pc, &frame) == 0, "%s %#lx: %s", path, pc, dwarf_errmsg(-1));
        dwarf_frame_info(frame, &row_start, &row_end, NULL);
        check_row(path, m, pc, frame, tally);
        if (row_end - 1 > pc)
            check_row(path, m, row_end - 1, frame, tally);
        free(frame);
        pc = row_end;
    }
    tally->fdes++;
}

/* Where libdw says that nothing is known, we must not know anything either. */
static void check_gap(const char *path, const struct rs_unwind_module *m, Dwarf_CFI *cfi, uint64_t pc)
{
    struct rs_cfi_row row;
    Dwarf_Frame *frame;

    if (dwarf_cfi_addrframe(cfi, pc, &frame) == 0) {
        free(frame);
        return;
    }
    EXPECT(rs_cfi_row_at(m, pc, &row) == RS_CFI_ABSENT, "%s %#lx: a row in a gap", path, pc);
}

static int by_start(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return x[0] < y[0] ? -1 : x[0] > y[0];
}

/* The FDEs' ranges, found by libdw's own parser; {start, end} pairs. */
static size_t list_fdes(Elf *elf, uint64_t (**list)[2])
{
    size_t names, n = 0, room = 0;
    Elf_Scn *scn = NULL;

    *list = NULL;
    elf_getshdrstrndx(elf, &names);
    while ((scn = elf_nextscn(elf, scn))) {
        GElf_Shdr sh;
        Dwarf_Off at = 0, next;
        Dwarf_CFI_Entry entry;
        Elf_Data *data;

        gelf_getshdr(scn, &sh);
        if (strcmp(elf_strptr(elf, names, sh.sh_name), ".eh_frame") != 0 || sh.sh_type == SHT_NOBITS)
            continue;
        data = elf_getdata(scn, NULL);
        for (; dwarf_next_cfi((unsigned char *)elf_getident(elf, NULL), data, true, at, &next, &entry) == 0;
             at = next) {
            int32_t words[2];

            if (entry.CIE_id == DW_CIE_ID_64)
                continue;
            /* pc-relative, four bytes: what all compilers of today write */
            memcpy(words, entry.fde.start, sizeof(words));
            if (n == room)
                ck_assert_ptr_nonnull(*list = realloc(*list, (room = room * 2 + 1024) * sizeof(**list)));
            (*list)[n][0] = sh.sh_addr + (uint64_t)(entry.fde.start - (uint8_t *)data->d_buf) + (uint64_t)words[0];
            (*list)[n][1] = (*list)[n][0] + (uint32_t)words[1];
            n++;
        }
    }
    qsort(*list, n, sizeof(**list), by_start);
    return n;
}

static void check_image(const char *path, const void *image, size_t len)
{
    struct rs_unwind_module m;
    struct tally tally = {0};
    uint64_t(*fdes)[2];
    Elf *elf = elf_memory((char *)image, len);
    Dwarf_CFI *cfi = dwarf_getcfi_elf(elf);
    size_t n = list_fdes(elf, &fdes), every = n / MAX_FDES + 1;

    ck_assert_int_eq(rs_unwind_module_elf(&m, image, len, 0, UINT64_MAX, 0), 0);
    ck_assert_uint_gt(m.table.len, 0);
    ck_assert_ptr_nonnull(cfi);
    for (size_t i = 0; i < n; i += every) {
        if (fdes[i][0] == fdes[i][1])
            continue;
        check_function(path, &m, cfi, fdes[i][0], fdes[i][1], &tally);
        check_gap(path, &m, cfi, fdes[i][1]);
    }
    fprintf(stderr, "%s: %lu of %zu FDEs, %lu rows: %lu fast, %lu slow, %lu root\n", path, tally.fdes, n, tally.rows,
            tally.fast, tally.slow, tally.root);
    ck_assert_uint_gt(tally.rows, 0);
    dwarf_cfi_end(cfi);
    elf_end(elf);
    free(fdes);
}

static void check_file(const char *pattern)
{
    glob_t found;
    struct stat st;
    void *image;
    int fd;

    elf_version(EV_CURRENT);
    if (glob(pattern, 0, NULL, &found) != 0) {
        fprintf(stderr, "%s: skipped, not installed\n", pattern);
        return;
    }
    fd = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    /* private and writable: libelf converts in place where it must */
    image = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    ck_assert_ptr_ne(image, MAP_FAILED);
    close(fd);
    check_image(found.gl_pathv[0], image, (size_t)st.st_size);
    munmap(image, (size_t)st.st_size);
    globfree(&found);
}

#define LIB "/usr/lib/*-linux-gnu/"

START_TEST(libc)
{
    check_file(LIB "libc.so.6");
}
END_TEST

START_TEST(dynamic_loader)
{
    check_file(LIB "ld-linux-*.so.*");
}
END_TEST

START_TEST(libstdcxx)
{
    check_file(LIB "libstdc++.so.6");
}
END_TEST

START_TEST(libcrypto_with_its_assembly)
{
    check_file(LIB "libcrypto.so.3");
}
END_TEST

START_TEST(libllvm)
{
    check_file(LIB "libLLVM-14.so.1");
}
END_TEST

START_TEST(node)
{
    check_file("/usr/bin/node");
}
END_TEST

START_TEST(rust_compiler)
{
    char pattern[512];

    snprintf(pattern, sizeof(pattern), "%s/.rustup/toolchains/*/lib/librustc_driver-*.so",
             getenv("HOME") ? getenv("HOME") : "");
    check_file(pattern);
}
END_TEST

START_TEST(cargo)
{
    char pattern[512];

    snprintf(pattern, sizeof(pattern), "%s/.rustup/toolchains/*/bin/cargo", getenv("HOME") ? getenv("HOME") : "");
    check_file(pattern);
}
END_TEST

START_TEST(this_program)
{
    check_file("/proc/self/exe");
}
END_TEST

START_TEST(vdso)
{
    const uint8_t *mapped = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
    Elf64_Ehdr header;

    if (!mapped) {
        fprintf(stderr, "vDSO: skipped, there is none\n");
        return;
    }
    elf_version(EV_CURRENT);
    memcpy(&header, mapped, sizeof(header));
    check_image("[vdso]", mapped, header.e_shoff + (size_t)header.e_shnum * header.e_shentsize);
}
END_TEST

SUITE("unwind_oracle", libc, dynamic_loader, libstdcxx, libcrypto_with_its_assembly, libllvm, node, rust_compiler,
      cargo, this_program, vdso)
