/* SPDX-License-Identifier: MIT */
#include "symbol/symbol.h"

#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"

/* This program is its own test object. */
int a_named_function(int x);
__attribute__((noinline)) int a_named_function(int x)
{
    __asm__ volatile("");
    return x + 1;
}

static int take_first(struct dl_phdr_info *info, size_t size, void *ctx)
{
    (void)size;
    *(uint64_t *)ctx = info->dlpi_addr;
    return 1;
}

static uint64_t own_addr(const void *code)
{
    uint64_t bias = 0;

    dl_iterate_phdr(take_first, &bias);
    return (uint64_t)(uintptr_t)code - bias;
}

START_TEST(a_function_of_this_program_has_name_file_and_line)
{
    struct symbols *symbols = symbols_new(&(struct symbols_options){0});
    struct symbol_module *module =
        symbols_open(symbols, &(struct symbol_source){.path = "/proc/self/exe", .fd = -1}, NULL);
    const struct symbol_frame *frames;

    ck_assert_int_eq(a_named_function(1), 2);
    ck_assert_ptr_nonnull(module);
    ck_assert_int_eq(symbol_module_kind(module), SYMBOLS_FROM_DWARF);
    ck_assert_uint_eq(symbol_resolve(module, own_addr((const void *)(uintptr_t)a_named_function), &frames), 1);
    ck_assert_str_eq(frames[0].name, "a_named_function");
    ck_assert(strstr(frames[0].file, "test_symbol.c"));
    ck_assert_uint_ge(frames[0].line, 13);
    ck_assert_uint_le(frames[0].line, 17);
    ck_assert(!frames[0].inlined);
    symbols_free(symbols);
}
END_TEST

START_TEST(addresses_outside_every_function_are_called_after_the_module)
{
    struct symbols *symbols = symbols_new(&(struct symbols_options){0});
    struct symbol_module *module =
        symbols_open(symbols, &(struct symbol_source){.path = "/proc/self/exe", .fd = -1}, NULL);
    const struct symbol_frame *frames;
    const uint64_t nowhere[] = {0, 1, 0x40, UINT64_MAX, UINT64_MAX - 1, (uint64_t)1 << 47};

    for (size_t i = 0; i < sizeof(nowhere) / sizeof(*nowhere); i++) {
        char wanted[64];

        snprintf(wanted, sizeof(wanted), "exe+0x%llx", (unsigned long long)nowhere[i]);
        ck_assert_uint_eq(symbol_resolve(module, nowhere[i], &frames), 1);
        ck_assert(frames[0].unnamed);
        ck_assert_str_eq(frames[0].name, wanted);
    }
    ck_assert_uint_eq(symbols_stats(symbols).unknown, sizeof(nowhere) / sizeof(*nowhere));
    symbols_free(symbols);
}
END_TEST

START_TEST(a_file_with_another_build_id_is_refused)
{
    struct symbols *symbols = symbols_new(&(struct symbols_options){0});
    struct rs_err err = {{0}};
    struct symbol_source source = {.path = "/proc/self/exe", .fd = -1, .build_id = "00ff00ff00ff00ff"};

    ck_assert_ptr_null(symbols_open(symbols, &source, &err));
    ck_assert(strstr(err.text, "another build-id"));
    symbols_free(symbols);
}
END_TEST

START_TEST(what_is_no_elf_file_is_refused_with_a_sentence)
{
    struct symbols *symbols = symbols_new(&(struct symbols_options){0});
    static const char *const paths[] = {"/proc/self/cmdline", "/", "/dev/zero", "/nonexistent", "[anon]", ""};

    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        struct rs_err err = {{0}};

        ck_assert_ptr_null(symbols_open(symbols, &(struct symbol_source){.path = paths[i], .fd = -1}, &err));
        ck_assert(err.text[0]);
    }
    symbols_free(symbols);
}
END_TEST

START_TEST(the_callers_descriptor_comes_first_and_stays_open)
{
    struct symbols *symbols = symbols_new(&(struct symbols_options){0});
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct symbol_module *module =
        symbols_open(symbols, &(struct symbol_source){.path = "/gone/app (deleted)", .fd = fd}, NULL);

    ck_assert_ptr_nonnull(module);
    symbols_free(symbols);
    ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(the_vdso_has_symbols)
{
    struct symbols *symbols = symbols_new(&(struct symbols_options){0});
    struct symbol_module *module = symbols_open(symbols, &(struct symbol_source){.path = "[vdso]", .fd = -1}, NULL);

    ck_assert_ptr_nonnull(module);
    ck_assert_int_eq(symbol_module_kind(module), SYMBOLS_FROM_DYNSYM);
    symbols_free(symbols);
}
END_TEST

START_TEST(a_finished_module_opens_again)
{
    struct symbols *symbols = symbols_new(&(struct symbols_options){0});
    struct symbol_module *module =
        symbols_open(symbols, &(struct symbol_source){.path = "/proc/self/exe", .fd = -1}, NULL);
    const struct symbol_frame *frames;
    uint64_t addr = own_addr((const void *)(uintptr_t)a_named_function);
    const char *name;

    ck_assert_uint_eq(symbol_resolve(module, addr, &frames), 1);
    name = frames[0].name;
    symbol_module_finish(module);
    ck_assert_str_eq(name, "a_named_function");
    ck_assert_uint_eq(symbol_resolve(module, addr, &frames), 1);
    ck_assert_str_eq(frames[0].name, "a_named_function");
    symbols_free(symbols);
}
END_TEST

/* After Ctrl-C the debug information is not read any more, names still come. */
START_TEST(a_stop_leaves_the_symbol_table)
{
    volatile sig_atomic_t stop = 1;
    struct symbols *symbols = symbols_new(&(struct symbols_options){.stop = &stop});
    struct symbol_module *module =
        symbols_open(symbols, &(struct symbol_source){.path = "/proc/self/exe", .fd = -1}, NULL);
    const struct symbol_frame *frames;

    ck_assert_uint_eq(symbol_resolve(module, own_addr((const void *)(uintptr_t)a_named_function), &frames), 1);
    ck_assert_str_eq(frames[0].name, "a_named_function");
    ck_assert_str_eq(frames[0].file, "");
    ck_assert_uint_eq(symbols_stats(symbols).units_read, 0);
    symbols_free(symbols);
}
END_TEST

SUITE("symbol", a_function_of_this_program_has_name_file_and_line, addresses_outside_every_function_are_called_after_the_module,
      a_file_with_another_build_id_is_refused, what_is_no_elf_file_is_refused_with_a_sentence,
      the_callers_descriptor_comes_first_and_stays_open, the_vdso_has_symbols, a_finished_module_opens_again,
      a_stop_leaves_the_symbol_table)
