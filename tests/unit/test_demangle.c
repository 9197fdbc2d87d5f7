/* SPDX-License-Identifier: MIT */
#include "symbol/demangle.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "suite.h"

static char out[DEMANGLE_MAX + 8];
static enum symbol_language language;

static void check_name(const char *linkage, const char *wanted, enum symbol_language wanted_language)
{
    ck_assert_uint_eq(demangle(linkage, out, &language), strlen(out));
    ck_assert_str_eq(out, wanted);
    ck_assert_int_eq(language, wanted_language);
}

START_TEST(names_of_every_language_become_readable)
{
    check_name("main", "main", LANGUAGE_C);
    check_name("_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int, std::allocator<int> >::push_back(int const&)",
               LANGUAGE_CXX);
    check_name("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt", LANGUAGE_RUST);
    check_name("_RNvMNtCs1234_7mycrate3fooNtB2_3Bar3baz", "<mycrate::foo::Bar>::baz", LANGUAGE_RUST);
}
END_TEST

START_TEST(suffixes_of_the_optimiser_go_and_plt_stays)
{
    check_name("_ZN4core3ptr4read17h0123456789abcdefE.llvm.16", "core::ptr::read", LANGUAGE_RUST);
    check_name("_Z3foov.cold", "foo()", LANGUAGE_CXX);
    check_name("work.cold", "work", LANGUAGE_C);
    check_name("unlink_chunk.constprop.0", "unlink_chunk", LANGUAGE_C);
    check_name("_Z3foov.part.0.isra.1", "foo()", LANGUAGE_CXX);
    check_name(".part.0", ".part.0", LANGUAGE_C);
    check_name("memcpy@plt", "memcpy@plt", LANGUAGE_C);
    check_name("_ZdlPvm@plt", "operator delete(void*, unsigned long)@plt", LANGUAGE_CXX);
    check_name("@plt", "@plt", LANGUAGE_C);
}
END_TEST

START_TEST(what_only_looks_mangled_is_kept)
{
    check_name("_Zgarbage", "_Zgarbage", LANGUAGE_CXX);
    check_name("_R", "_R", LANGUAGE_CXX);
    check_name("", "", LANGUAGE_C);
}
END_TEST

/* A tuple of two back references to the tuple before, thirty times: 2^30 units when printed. */
START_TEST(a_name_that_explodes_is_cut_visibly)
{
    char name[1024] = "_RINvC1a1fTuuE";
    size_t last = strlen(name) - 2 - 4;

    for (int i = 0; i < 30; i++) {
        static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        size_t at = strlen(name), value = last - 1;
        char reference[8];

        if (value < 62)
            snprintf(reference, sizeof(reference), "B%c_", digits[value]);
        else
            snprintf(reference, sizeof(reference), "B%c%c_", digits[value / 62], digits[value % 62]);
        last = at - 2;
        snprintf(name + at, sizeof(name) - at, "T%s%sE", reference, reference);
    }
    strcat(name, "E");
    ck_assert_uint_le(demangle(name, out, &language), DEMANGLE_MAX + 3);
    ck_assert_uint_gt(strlen(out), DEMANGLE_MAX - 8);
    ck_assert_str_eq(out + strlen(out) - 3, "…");
}
END_TEST

START_TEST(long_names_of_templates_become_readable)
{
    char name[8192] = "_ZN4shop4sellI";
    char expected[8192] = "shop::sell<";

    /* Beyond what libiberty takes with its limits on. */
    for (int i = 0; i < 200; i++) {
        strcat(name, "N4shop7LongestE");
        strcat(expected, i ? ", shop::Longest" : "shop::Longest");
    }
    strcat(name, "EEvv");
    strcat(expected, ">()");
    ck_assert_uint_gt(strlen(name), 2048);
    demangle(name, out, &language);
    ck_assert_str_eq(out, expected);
    ck_assert_int_eq(language, LANGUAGE_CXX);
}
END_TEST

START_TEST(megabyte_names_neither_crash_nor_hang)
{
    static const char *const starts[] = {"_Z", "_ZN", "_RNvC", "x", "_Z1fI", "_RT"};
    static const char fill[] = "PIT1aN_";
    size_t size = 1024 * 1024;

    for (size_t s = 0; s < sizeof(starts) / sizeof(*starts); s++)
        for (size_t f = 0; f + 1 < sizeof(fill); f++)
            for (size_t len = 500; len <= size; len *= 8) {
                char *name = xmalloc(len + 1);

                memset(name, fill[f], len);
                memcpy(name, starts[s], strlen(starts[s]));
                name[len] = '\0';
                ck_assert_uint_le(demangle(name, out, &language), DEMANGLE_MAX + 3);
                ck_assert_uint_gt(strlen(out), 0);
                free(name);
            }
}
END_TEST

SUITE("demangle", names_of_every_language_become_readable, suffixes_of_the_optimiser_go_and_plt_stays,
      what_only_looks_mangled_is_kept, a_name_that_explodes_is_cut_visibly, long_names_of_templates_become_readable,
      megabyte_names_neither_crash_nor_hang)
