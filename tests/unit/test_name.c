/* SPDX-License-Identifier: MIT */
#include "text/name.h"

#include <locale.h>
#include <string.h>

#include "suite.h"

static void check(const char *name, int cols, const char *expected)
{
    char out[512];

    name_short(out, sizeof(out), name, cols, CHARSET_UTF8);
    ck_assert_msg(!strcmp(out, expected), "%s became %s, not %s", name, out, expected);
}

START_TEST(arguments_parameters_and_versions_go)
{
    check("main", 40, "main");
    check("svc::price(std::vector<double, std::allocator<double> > const&)", 60, "svc::price");
    check("std::map<int, std::string>::operator[](int&&)", 60, "std::map<…>::operator[]");
    check("std::operator<< <std::char_traits<char> >(std::ostream&)", 60, "std::operator<< <…>");
    check("a::b::operator()(int) const", 60, "a::b::operator()");
    check("std::__cxx11::basic_string<char, std::allocator<char> >::append(char const*)", 60, "std::string::append");
    check("main::{lambda(int)#1}::operator()(int) const", 60, "main::{lambda#1}::operator()");
    check("(anonymous namespace)::f(int)", 60, "(anonymous)::f");
    check("fmod@@GLIBC_2.38", 60, "fmod");
    check("fmod@plt", 60, "fmod");
    check("f[abi:cxx11](int)", 60, "f");
}
END_TEST

START_TEST(rust_paths_keep_the_type_and_the_method)
{
    check("<alloc::vec::Vec<T,A> as core::ops::drop::Drop>::drop", 60, "alloc::vec::Vec<…>::drop");
    check("<F as app::Handler>::call", 60, "F::call");
    check("core::ptr::drop_in_place::<app::Cart>", 60, "core::ptr::drop_in_place::<…>");
    check("app::run::{{closure}}", 60, "app::run::{{closure}}");
    check("<fn(u8) -> u16 as app::Go>::go", 60, "fn -> u16::go");
}
END_TEST

START_TEST(namespaces_go_before_a_name_is_cut)
{
    check("core::iter::traits::iterator::Iterator::fold<A, B>", 30, "…::iterator::Iterator::fold<…>");
    check("core::iter::traits::iterator::Iterator::fold", 18, "…::Iterator::fold");
    check("core::iter::traits::iterator::Iterator::fold", 3, "…::fold");
    check("a_function_of_c_with_a_long_name", 10, "a_function_of_c_with_a_long_name");
}
END_TEST

START_TEST(anything_may_be_called_anything)
{
    static const char *const odd[] = {"",          "<",  ">",    "<<<<",       "a<",        "<a",          "<a as ",
                                      "((",        "))", "::",   "a::",        "@",         "a<b>c>d",     "operator",
                                      "operator<", "[",  "{{{{", "<a as b<c>", "\xff\xfe<", "[unsampled]", "a->b"};
    char out[64], tiny[4];

    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
        for (int cols = 0; cols < 8; cols++) {
            name_short(out, sizeof(out), odd[i], cols, CHARSET_ASCII);
            name_short(tiny, sizeof(tiny), odd[i], cols, CHARSET_UTF8);
            ck_assert_uint_lt(strlen(tiny), sizeof(tiny));
        }
    check("[unsampled]", 40, "[unsampled]");
}
END_TEST

static void set_up_locale(void) __attribute__((constructor));
static void set_up_locale(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
}

SUITE("name", arguments_parameters_and_versions_go, rust_paths_keep_the_type_and_the_method,
      namespaces_go_before_a_name_is_cut, anything_may_be_called_anything)
