/* SPDX-License-Identifier: MIT */
#include "analyze/layers.h"

#include <string.h>

#include "base/alloc.h"
#include "suite.h"

static struct session *s;
static struct layer_rules *rules;
enum { APP, LIBC, LIBSTDCXX, SHIM, KERNEL, ANON, LIBFOO, OWN_LIB, LD_SO, JEMALLOC, VDSO };

static void set_up(void)
{
    static const char *const paths[] = {
        [APP] = "/home/me/work/my-app",
        [LIBC] = "/usr/lib/x86_64-linux-gnu/libc.so.6",
        [LIBSTDCXX] = "/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30",
        [SHIM] = "/opt/rustscope/librustscope_shim.so",
        [KERNEL] = "[kernel]",
        [ANON] = "[anon:17]",
        [LIBFOO] = "/usr/lib/x86_64-linux-gnu/libfoo.so.2",
        [OWN_LIB] = "/home/me/work/build/libmine.so",
        [LD_SO] = "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
        [JEMALLOC] = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2",
        [VDSO] = "[vdso]",
    };

    s = session_new(0, 0);
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        const char *slash = strrchr(paths[i], '/');
        uint32_t module = calltree_module(&s->tree, strings_add_str(&s->strings, paths[i]), 0, NULL);

        s->tree.modules[module].name = strings_add_str(&s->strings, slash ? slash + 1 : paths[i]);
    }
    rules = layer_rules_new(s);
}

static void tear_down(void)
{
    layer_rules_free(rules);
    session_free(s);
}

static void check_rust(const char *name, const char *file, const char *crate, enum layer layer)
{
    struct symbol_frame frame = {.name = name, .linkage = "_RNx", .file = file, .language = LANGUAGE_RUST};
    struct layer_verdict verdict = layer_of(rules, APP, &frame);

    ck_assert_msg(!strcmp(strings_get(&s->strings, verdict.crate), crate), "%s: %s", name,
                  strings_get(&s->strings, verdict.crate));
    ck_assert_msg(verdict.layer == layer, "%s: %s", name, rs_word(WORDS_LAYER, verdict.layer));
}

static void check_native(uint32_t module, const char *name, const char *file, enum layer layer)
{
    enum symbol_language language = strchr(name, ':') || strchr(name, '(') ? LANGUAGE_CXX : LANGUAGE_C;
    struct symbol_frame frame = {.name = name, .linkage = name, .file = file, .language = language};
    struct layer_verdict verdict = layer_of(rules, module, &frame);

    ck_assert_msg(verdict.layer == layer, "%s: %s", name, rs_word(WORDS_LAYER, verdict.layer));
    ck_assert_uint_eq(verdict.crate, s->tree.modules[module].name);
}

#define RUSTC    "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/ptr/mod.rs"
#define REGISTRY "/home/me/.cargo/registry/src/index.crates.io-6f17d22bba15001f/serde-1.0.1/src/lib.rs"

START_TEST(rust_crates_come_from_the_path)
{
    set_up();
    check_rust("my_app::parse::line", "/home/me/work/src/parse.rs", "my_app", LAYER_USER);
    check_rust("my_app::main::{{closure}}", "", "my_app", LAYER_USER);
    check_rust("helpers::go", "/home/me/work/helpers/src/lib.rs", "helpers", LAYER_USER);
    check_rust("serde::de::from_str", REGISTRY, "serde", LAYER_DEP);
    check_rust("serde::de::from_str", "", "serde", LAYER_DEP);
    check_rust("core::ptr::drop_in_place<my_app::Rec>", RUSTC, "core", LAYER_STD);
    check_rust("hashbrown::raw::RawTable<T>::insert", "/rust/deps/hashbrown-0.15.2/src/raw/mod.rs", "hashbrown",
               LAYER_STD);
    check_rust("hashbrown::raw::RawTable<T>::insert", REGISTRY, "hashbrown", LAYER_DEP);
    check_rust("tokio::runtime::task::poll", REGISTRY, "tokio", LAYER_RUNTIME);
    check_rust("rayon_core::registry::WorkerThread::wait_until", REGISTRY, "rayon_core", LAYER_RUNTIME);
    check_rust("futures_util::future::map", REGISTRY, "futures_util", LAYER_RUNTIME);
    check_rust("std::rt::lang_start", RUSTC, "std", LAYER_RUNTIME);
    check_rust("std::sys::backtrace::__rust_begin_short_backtrace", RUSTC, "std", LAYER_RUNTIME);
    check_rust("alloc::alloc::alloc", RUSTC, "alloc", LAYER_ALLOC);
    check_rust("__rustc::__rdl_alloc", RUSTC, "__rustc", LAYER_ALLOC);
    check_rust("rustscope::scope::Guard::drop", REGISTRY, "rustscope", LAYER_PROFILER);
    tear_down();
}
END_TEST

START_TEST(rust_impls_lie_with_their_type_or_their_trait)
{
    set_up();
    check_rust("<my_app::Rec as core::clone::Clone>::clone", "/home/me/work/src/main.rs", "my_app", LAYER_USER);
    check_rust("<my_app::Rec>::new", "", "my_app", LAYER_USER);
    check_rust("<alloc::vec::Vec<my_app::Rec> as core::ops::drop::Drop>::drop", RUSTC, "alloc", LAYER_STD);
    check_rust("<alloc::string::String as my_app::Shout>::shout", "/home/me/work/src/main.rs", "my_app", LAYER_USER);
    check_rust("<&mut W as core::fmt::Write>::write_str", RUSTC, "core", LAYER_STD);
    check_rust("<T as alloc::string::ToString>::to_string", RUSTC, "alloc", LAYER_STD);
    check_rust("<u32 as core::fmt::Display>::fmt", RUSTC, "core", LAYER_STD);
    check_rust("<[T] as alloc::slice::Join>::join", RUSTC, "alloc", LAYER_STD);
    check_rust("<dyn my_app::Shape as core::fmt::Debug>::fmt", "/home/me/work/src/main.rs", "my_app", LAYER_USER);
    check_rust("<fn(A) -> B as my_app::Call>::call", "/home/me/work/src/main.rs", "my_app", LAYER_USER);
    check_rust("core::str::<impl str>::find", RUSTC, "core", LAYER_STD);
    check_rust("<(), my_app", "", "core", LAYER_STD); /* broken text: no crash, no user */
    check_rust("<", "", "core", LAYER_STD);
    tear_down();
}
END_TEST

START_TEST(native_code_goes_by_its_object)
{
    set_up();
    check_native(APP, "work", "/home/me/work/a.c", LAYER_USER);
    check_native(APP, "work", "", LAYER_USER);
    check_native(OWN_LIB, "helper", "", LAYER_USER);
    check_native(LIBFOO, "foo_parse", "", LAYER_DEP);
    check_native(LIBC, "memcpy", "", LAYER_STD);
    check_native(VDSO, "__vdso_clock_gettime", "", LAYER_STD);
    check_native(LD_SO, "do_lookup_x", "", LAYER_RUNTIME);
    check_native(JEMALLOC, "je_whatever_it_is", "", LAYER_ALLOC);
    check_native(KERNEL, "vfs_read", "", LAYER_KERNEL);
    check_native(SHIM, "malloc", "", LAYER_PROFILER);
    check_native(SHIM, "memcpy", "", LAYER_PROFILER);
    check_native(ANON, "LazyCompile:*go /x.js:1", "", LAYER_USER);
    check_native(ANON, "Builtin:ArrayMap", "", LAYER_RUNTIME);
    tear_down();
}
END_TEST

START_TEST(some_functions_are_known_wherever_they_are_linked)
{
    set_up();
    check_native(LIBC, "_int_malloc", "malloc.c", LAYER_ALLOC);
    check_native(LIBC, "free", "malloc.c", LAYER_ALLOC);
    check_native(LIBC, "freeaddrinfo", "", LAYER_STD);
    check_native(APP, "malloc", "", LAYER_ALLOC);
    check_native(APP, "malloc@plt", "", LAYER_ALLOC);
    check_native(LIBSTDCXX, "operator new(unsigned long)", "", LAYER_ALLOC);
    check_native(APP, "_start", "", LAYER_RUNTIME);
    check_native(LIBC, "__libc_start_call_main", "", LAYER_RUNTIME);
    check_native(LIBC, "start_thread", "", LAYER_RUNTIME);
    check_native(APP, "__floatuntidf", "", LAYER_RUNTIME);
    check_native(APP, "__udivti3", "", LAYER_RUNTIME);
    check_native(APP, "__divide", "/home/me/work/maze.c", LAYER_USER);
    check_native(APP, "exit", "/home/me/work/maze.c", LAYER_USER); /* the way out of a maze */
    check_native(APP, "std::vector<int>::push_back(int const&)", "/usr/include/c++/12/bits/stl_vector.h", LAYER_STD);
    check_native(APP, "boost::go()", "/usr/include/boost/go.hpp", LAYER_DEP);
    check_native(APP, "rustscope_scope_begin", "/usr/include/rustscope.h", LAYER_PROFILER);
    check_native(APP, "rs_context_get", "/usr/src/rustscope/lib/context.c", LAYER_PROFILER);
    check_native(APP, "rs_context_get", "/home/me/work/src/lib/context.c", LAYER_USER);
    tear_down();
}
END_TEST

/* The same modules in a session of COMMAND; the program's in the end. */
static void check_under(const char *command, enum layer tool, enum layer program)
{
    static const char *const tools[] = {"/root/.rustup/toolchains/stable/bin/rustc", "/usr/bin/x86_64-linux-gnu-gcc-12",
                                        "/opt/lib/librustc_driver-0123456789abcdef.so", "/usr/bin/ld.bfd",
                                        "/home/me/work/target/debug/deps/libserde_derive-0123456789abcdef.so"};
    uint32_t modules[5];
    struct symbol_frame frame = {
        .name = "cargo::ops::run", .linkage = "_RNx", .file = "src/cargo/ops.rs", .language = LANGUAGE_RUST};

    set_up();
    for (int i = 0; i < 5; i++)
        modules[i] = calltree_module(&s->tree, strings_add_str(&s->strings, tools[i]), 0, NULL);
    s->meta.argv = xcalloc(1, sizeof(*s->meta.argv));
    s->meta.argv[0] = strings_add_str(&s->strings, command);
    s->meta.argc = 1;
    layer_rules_free(rules);
    rules = layer_rules_new(s);
    for (int i = 0; i < 5; i++) {
        struct layer_verdict verdict = layer_of(rules, modules[i], &frame);

        ck_assert_msg(verdict.layer == tool, "%s under %s: %s", tools[i], command, rs_word(WORDS_LAYER, verdict.layer));
    }
    check_rust("my_app::main", "src/main.rs", "my_app", program);
    check_native(APP, "compute", "compute.c", program);
    tear_down();
}

START_TEST(under_cargo_the_tools_that_build_are_no_code_of_the_user)
{
    check_under("cargo", LAYER_DEP, LAYER_USER);
    check_under("/root/.cargo/bin/cargo", LAYER_DEP, LAYER_USER);
    check_under("rustc", LAYER_USER, LAYER_USER);
    check_under("./cargo-cult/run", LAYER_USER, LAYER_USER);
}
END_TEST

SUITE("layers", under_cargo_the_tools_that_build_are_no_code_of_the_user, rust_crates_come_from_the_path,
      rust_impls_lie_with_their_type_or_their_trait, native_code_goes_by_its_object,
      some_functions_are_known_wherever_they_are_linked)
