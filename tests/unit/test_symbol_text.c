/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"
#include "symbol/jit.h"
#include "symbol/kallsyms.h"
#include "symbol/symbol_table.h"

static struct symbol_table table;
static uint64_t lo, hi;

static const char *name_at(uint64_t addr)
{
    const struct table_symbol *symbol = symbol_table_find(&table, addr, &lo, &hi);

    if (symbol)
        ck_assert(lo <= addr && addr < hi);
    return symbol ? symbol->name : "";
}

static void add(uint64_t addr, uint64_t end, const char *name, uint32_t rank, bool sized)
{
    symbol_table_add(&table,
                     &(struct table_symbol){.addr = addr, .end = end, .name = name, .rank = rank, .sized = sized});
}

START_TEST(the_innermost_symbol_answers_and_its_range_ends_at_the_next)
{
    add(0x1000, 0x2000, "outer", 0, true);
    add(0x1100, 0x1200, "inner", 0, true);
    add(0x3000, 0x9000, "unsized", 0, false);
    add(0x4000, 0x4100, "next", 0, true);
    symbol_table_finish(&table);
    ck_assert_str_eq(name_at(0x1000), "outer");
    ck_assert_uint_eq(hi, 0x1100);
    ck_assert_str_eq(name_at(0x1150), "inner");
    ck_assert_str_eq(name_at(0x1300), "outer");
    ck_assert_uint_eq(lo, 0x1200);
    ck_assert_str_eq(name_at(0x2000), "");
    ck_assert_str_eq(name_at(0x3fff), "unsized");
    ck_assert_str_eq(name_at(0x40ff), "next");
    ck_assert_str_eq(name_at(0x4100), "");
    ck_assert_str_eq(name_at(0), "");
    symbol_table_release(&table);
}
END_TEST

START_TEST(of_several_names_the_plain_one_wins_unless_outranked)
{
    add(0x1000, 0x1100, "__libc_free", 2, true);
    add(0x1000, 0x1100, "cfree", 2, true);
    add(0x1000, 0x1100, "free", 2, true);
    add(0x1000, 0x1100, "a", 1, true);
    symbol_table_finish(&table);
    ck_assert_str_eq(name_at(0x1000), "free");
    symbol_table_release(&table);
}
END_TEST

START_TEST(an_empty_table_knows_nothing)
{
    symbol_table_finish(&table);
    ck_assert_str_eq(name_at(0x1000), "");
    symbol_table_release(&table);
}
END_TEST

START_TEST(kallsyms_names_kernel_functions)
{
    static const char text[] = "ffffffff81000000 T _stext\n"
                               "ffffffff81000000 T _text\n"
                               "ffffffff81000100 t do_one\n"
                               "ffffffff81000200 D some_data\n"
                               "ffffffffc0401000 t nf_hook\t[nf_tables]\n"
                               "rubbish\n\nffffffffc0402000 t last";

    ck_assert_uint_eq(kallsyms_parse(&table, text, sizeof(text) - 1), 5);
    symbol_table_finish(&table);
    ck_assert_str_eq(name_at(0xffffffff81000000), "_text");
    ck_assert_str_eq(name_at(0xffffffff81000180), "do_one");
    ck_assert_str_eq(name_at(0xffffffffc0401010), "nf_hook");
    ck_assert_str_eq(name_at(0xffffffffc0402fff), "last");
    symbol_table_release(&table);
}
END_TEST

/* kptr_restrict: all addresses read as zero, and no name may come of that. */
START_TEST(hidden_kernel_addresses_give_no_names)
{
    static const char text[] = "0000000000000000 T _text\n0000000000000000 t do_one\n";

    ck_assert_uint_eq(kallsyms_parse(&table, text, sizeof(text) - 1), 0);
    symbol_table_finish(&table);
    ck_assert_str_eq(name_at(0), "");
    symbol_table_release(&table);
}
END_TEST

START_TEST(perf_maps_are_read_line_by_line_and_the_last_entry_wins)
{
    static const char text[] = "1000 100 LazyCompile:*go /a b.js:1\n"
                               "0x2000 0x80 hex\r\n"
                               "zzz 10 no address\n"
                               "3000 0 empty\n"
                               "ffffffffffffff00 200 wraps\n"
                               "4000 10\n"
                               "12345678901234567890 1 too long\n"
                               "1000 40 newer\n"
                               "5000 10 no line feed";

    ck_assert_uint_eq(jit_parse_map(&table, text, sizeof(text) - 1), 4);
    symbol_table_finish(&table);
    ck_assert_str_eq(name_at(0x1010), "newer");
    ck_assert_str_eq(name_at(0x2010), "hex");
    ck_assert_str_eq(name_at(0x500f), "no line feed");
    ck_assert_str_eq(name_at(0x3000), "");
    symbol_table_release(&table);
}
END_TEST

/* ---- jitdump ---- */

static unsigned char dump[4096];
static size_t dump_len;

static void put(const void *bytes, size_t len)
{
    memcpy(dump + dump_len, bytes, len);
    dump_len += len;
}

static void put_u32(uint32_t value)
{
    put(&value, sizeof(value));
}

static void put_u64(uint64_t value)
{
    put(&value, sizeof(value));
}

static void put_header(void)
{
    dump_len = 0;
    put_u32(0x4a695444);
    put_u32(1);
    put_u32(40);
    put_u32(62);
    put_u32(0);
    put_u32(17);
    put_u64(0);
    put_u64(0);
}

static void put_load(uint64_t addr, uint64_t size, const char *name)
{
    put_u32(0);
    put_u32((uint32_t)(56 + strlen(name) + 1 + 4));
    put_u64(0);
    put_u32(17);
    put_u32(17);
    put_u64(addr);
    put_u64(addr);
    put_u64(size);
    put_u64(1);
    put(name, strlen(name) + 1);
    put_u32(0xcccccccc);
}

static void put_move(uint64_t from, uint64_t to, uint64_t size)
{
    put_u32(1);
    put_u32(16 + 8 + 40);
    put_u64(0);
    put_u32(17);
    put_u32(17);
    put_u64(to);
    put_u64(from);
    put_u64(to);
    put_u64(size);
    put_u64(1);
}

START_TEST(jitdumps_name_code_and_follow_its_moves)
{
    put_header();
    put_load(0x1000, 0x100, "compiled");
    put_load(0x2000, 0x100, "moving");
    put_move(0x2000, 0x3000, 0x100);
    ck_assert_uint_eq(jit_parse_dump(&table, dump, dump_len), 3);
    symbol_table_finish(&table);
    ck_assert_str_eq(name_at(0x1080), "compiled");
    ck_assert_str_eq(name_at(0x3080), "moving");
    symbol_table_release(&table);
}
END_TEST

/* Every truncation and every changed byte is survived; exact copies let the sanitizer see a byte too far. */
START_TEST(damaged_jitdumps_are_survived)
{
    put_header();
    put_load(0x1000, 0x100, "compiled");
    put_move(0x1000, 0x3000, 0x100);
    for (size_t len = 0; len <= dump_len; len++) {
        unsigned char *copy = malloc(len ? len : 1);

        memcpy(copy, dump, len);
        jit_parse_dump(&table, copy, len);
        free(copy);
    }
    for (size_t at = 0; at < dump_len; at++)
        for (int bit = 0; bit < 8; bit++) {
            dump[at] ^= (unsigned char)(1 << bit);
            jit_parse_dump(&table, dump, dump_len);
            dump[at] ^= (unsigned char)(1 << bit);
        }
    symbol_table_finish(&table);
    symbol_table_release(&table);
}
END_TEST

static void write_map(const char *path, mode_t mode)
{
    static const char text[] = "1000 100 jitted\n";
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);

    ck_assert_int_eq(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    fchmod(fd, mode);
    close(fd);
}

START_TEST(a_map_is_read_only_from_its_owner)
{
    /* A pid that cannot exist: the file is found by its path alone. */
    enum { NO_PID = 99999999 };
    char path[64];

    snprintf(path, sizeof(path), "/tmp/perf-%d.map", NO_PID);
    unlink(path);
    ck_assert_uint_eq(jit_load(&table, NO_PID, "/nonexistent"), 0);
    write_map(path, 0600);
    ck_assert_uint_eq(jit_load(&table, NO_PID, "/nonexistent"), 1);
    ck_assert_str_eq(name_at(0x1000), "jitted");
    symbol_table_release(&table);
    write_map(path, 0666);
    ck_assert_uint_eq(jit_load(&table, NO_PID, NULL), 0);
    if (!geteuid()) {
        write_map(path, 0600);
        ck_assert_int_eq(chown(path, 12345, 12345), 0);
        ck_assert_uint_eq(jit_load(&table, NO_PID, NULL), 0);
    }
    unlink(path);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    ck_assert_uint_eq(jit_load(&table, NO_PID, NULL), 0);
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0); /* must not hang */
    ck_assert_uint_eq(jit_load(&table, NO_PID, NULL), 0);
    unlink(path);
    symbol_table_release(&table);
}
END_TEST

SUITE("symbol_text", the_innermost_symbol_answers_and_its_range_ends_at_the_next,
      of_several_names_the_plain_one_wins_unless_outranked, an_empty_table_knows_nothing,
      kallsyms_names_kernel_functions, hidden_kernel_addresses_give_no_names,
      perf_maps_are_read_line_by_line_and_the_last_entry_wins, jitdumps_name_code_and_follow_its_moves,
      damaged_jitdumps_are_survived, a_map_is_read_only_from_its_owner)
