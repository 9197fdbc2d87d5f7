/* SPDX-License-Identifier: MIT */
#include "analyze/layers.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/path.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

enum object_kind {
    OBJECT_PROGRAM, /* the user's */
    OBJECT_DEPENDENCY,
    OBJECT_STD,
    OBJECT_RUNTIME,
    OBJECT_ALLOCATOR,
    OBJECT_PROFILER,
    OBJECT_KERNEL,
    OBJECT_JIT,
    OBJECT_BUILD_TOOL, /* what cargo runs before it runs the program */
};

static const enum layer layer_of_object[] = {
    [OBJECT_PROGRAM] = LAYER_USER,    [OBJECT_DEPENDENCY] = LAYER_DEP,  [OBJECT_STD] = LAYER_STD,
    [OBJECT_RUNTIME] = LAYER_RUNTIME, [OBJECT_ALLOCATOR] = LAYER_ALLOC, [OBJECT_PROFILER] = LAYER_PROFILER,
    [OBJECT_KERNEL] = LAYER_KERNEL,   [OBJECT_JIT] = LAYER_USER,        [OBJECT_BUILD_TOOL] = LAYER_DEP,
};

struct object {
    enum object_kind kind;
    char *crate_name; /* what a Rust crate in it would be called: `my-app` is my_app */
    string_id name;
};

struct layer_rules {
    struct session *session;
    struct object *objects; /* by module */
    size_t object_count;
};

/* ---- small text ---- */

static bool starts_with(const char *text, const char *start)
{
    return !strncmp(text, start, strlen(start));
}

static bool contains_any(const char *text, const char *const *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strstr(text, parts[i]))
            return true;
    return false;
}

/* An entry ending in `*` stands for every name that starts so. */
static bool matches_any(const char *name, size_t len, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t entry = strlen(list[i]);
        bool open = list[i][entry - 1] == '*';

        if (open ? len >= entry - 1 && !memcmp(name, list[i], entry - 1) : len == entry && !memcmp(name, list[i], len))
            return true;
    }
    return false;
}

#define MATCHES(name, len, list) matches_any(name, len, list, COUNT(list))

/* ---- names that say it whatever object they are in ---- */

static const char *const allocator_functions[] = {
    "malloc",
    "free",
    "calloc",
    "realloc",
    "reallocarray",
    "memalign",
    "posix_memalign",
    "aligned_alloc",
    "valloc",
    "pvalloc",
    "cfree",
    "malloc_usable_size",
    "malloc_trim",
    "malloc@plt",
    "free@plt",
    "calloc@plt",
    "realloc@plt",
    "__libc_malloc*",
    "__libc_free*",
    "__libc_calloc*",
    "__libc_realloc*",
    "__libc_memalign*",
    "_int_malloc",
    "_int_free*",
    "_int_realloc",
    "_int_memalign",
    "_mid_memalign*",
    "malloc_consolidate",
    "unlink_chunk*",
    "sysmalloc*",
    "systrim*",
    "tcache_*",
    "arena_get*",
    "get_free_list",
    "ptmalloc_*",
    "heap_trim*",
    "grow_heap*",
    "new_heap*",
    "alloc_perturb",
    "free_perturb",
    "checked_request2size",
    "malloc_hook_ini",
    "realloc_hook_ini",
    "operator new*",
    "operator delete*",
    "__rust_alloc*",
    "__rust_dealloc*",
    "__rust_realloc*",
    "__rdl_*",
    "__rg_*",
    "_rjem_*",
    "je_*",
    "mi_malloc*",
    "mi_free*",
    "mi_calloc*",
    "mi_realloc*",
    "mi_new*",
    "_mi_*",
    "tc_malloc*",
    "tc_free*",
    "tc_new*",
    "tc_delete*",
    "tcmalloc::*",
    "arena_malloc*",
    "arena_dalloc*",
};

static const char *const startup_functions[] = {
    "_start",
    "__libc_start_main*",
    "__libc_start_call_main*",
    "__libc_csu_init",
    "start_thread",
    "__clone*",
    "clone",
    "clone3",
    "thread_start",
    "_dl_*",
    "__libc_init_first",
    "call_init*",
    "_init",
    "_fini",
    "__do_global_*",
    "frame_dummy",
    "register_tm_clones",
    "deregister_tm_clones",
    "__run_exit_handlers*",
    "exit",
    "_exit",
    "_Exit",
    "__cxa_*",
    "_Unwind_*",
    "__gxx_personality_*",
    "__gcc_personality_*",
    "rust_eh_personality*",
    "__libc_main*",
    "__pthread_*",
    "_rtld_*",
    "GOMP_*",
    "gomp_*",
    "__kmpc_*",
    "__kmp_*",
};

/* What a compiler calls for arithmetic that the machine does not have, out of libgcc.a or compiler-rt. */
static const char *const compiler_functions[] = {
    "__absv*",  "__addv*",     "__ashl*",   "__ashr*",  "__lshr*",  "__bid*",    "__clz*",   "__ctz*",
    "__cmpti*", "__ucmpti*",   "__div*",    "__udiv*",  "__mod*",   "__umod*",   "__mul*",   "__neg*",
    "__subv*",  "__popcount*", "__powi*",   "__float*", "__fix*",   "__extend*", "__trunc*", "__addtf*",
    "__subtf*", "__unord*",    "__parity*", "__ffs*",   "__bswap*",
};

static const char *const cxx_std[] = {"std::*", "__gnu_cxx::*", "void std::*", "__cxxabiv1::*"};

/* ---- Rust ---- */

static const char *const rust_std_crates[] = {
    "std",         "core",       "alloc",  "proc_macro",        "test",   "panic_unwind",
    "panic_abort", "std_detect", "unwind", "compiler_builtins", "rustc*", "__rustc",
};

static const char *const rust_runtime_crates[] = {
    "tokio",     "tokio_util",     "tokio_stream",    "rayon",           "rayon_core", "futures*",
    "async_std", "async_executor", "async_task",      "async_io",        "smol",       "mio",
    "polling",   "glommio",        "crossbeam_deque", "crossbeam_epoch", "actix_rt",   "monoio",
};

static const char *const rust_startup[] = {
    "std::rt::*",        "std::sys::backtrace::__rust_*", "std::sys_common::backtrace::__rust_*",
    "std::panicking::*", "std::panic::catch_unwind*",     "std::thread::*",
    "std::sys::thread*", "std::sys::pal::unix::thread*",  "core::panicking::*",
};

static const char *const rust_alloc[] = {
    "alloc::alloc::*",        "std::alloc::*",        "__rustc::__rust_*",  "__rustc::__rdl_*",    "__rustc::__rg_*",
    "<alloc::alloc::Global*", "<std::alloc::System*", "std::sys::alloc::*", "<std::sys::alloc::*",
};

static const char *const dependency_folders[] = {"/.cargo/registry/", "/.cargo/git/", "/cargo/registry/",
                                                 "/registry/src/", "/git/checkouts/"};
static const char *const toolchain_folders[] = {"/rustc/", "/rust/deps/", "/lib/rustlib/src/"};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* A path's first word when more follows: `core::fmt::…`, not `u32` or the parameter `T`. */
static const char *path_head(const char *at, const char *end, size_t *len)
{
    const char *word = at;

    while (at < end && is_word(*at))
        at++;
    *len = at > word && end - at > 2 && at[0] == ':' && at[1] == ':' ? (size_t)(at - word) : 0;
    return word;
}

/* References, pointers and `dyn` in front of a type. */
static const char *skip_sigils(const char *at, const char *end)
{
    static const char *const words[] = {"mut ", "const ", "dyn ", "'static "};
    bool moved = true;

    while (moved && at < end) {
        moved = false;
        for (size_t i = 0; i < COUNT(words); i++)
            if (starts_with(at, words[i])) {
                at += strlen(words[i]);
                moved = true;
            }
        while (at < end && strchr("&*([<", *at)) {
            at++;
            moved = true;
        }
    }
    return at;
}

/* The end of the bracket that opens at AT (a `<`), and where ` as ` stands in it on its own level. */
static const char *bracket_end(const char *at, const char **as)
{
    int depth = 0;

    *as = NULL;
    for (; *at; at++) {
        if (*at == '<' || *at == '(' || *at == '[')
            depth++;
        else if (*at == '>' && at[-1] == '-')
            continue; /* fn() -> T */
        else if ((*at == '>' || *at == ')' || *at == ']') && --depth == 0)
            break;
        else if (depth == 1 && !*as && starts_with(at, " as "))
            *as = at + 4;
    }
    return at;
}

static bool is_std_crate(const char *crate, size_t len)
{
    return !len || MATCHES(crate, len, rust_std_crates);
}

const char *rust_crate_of(const char *name, size_t *len)
{
    const char *end, *as, *type, *trait;
    size_t type_len, trait_len = 0;

    if (name[0] != '<')
        return path_head(name, name + strlen(name), len);
    end = bracket_end(name, &as);
    type = path_head(skip_sigils(name + 1, end), end, &type_len);
    trait = as ? path_head(as, end, &trait_len) : type;
    /* An impl lies in the crate of its type or of its trait; the standard library implements for nobody else. */
    if (trait_len && is_std_crate(type, type_len) && !is_std_crate(trait, trait_len)) {
        *len = trait_len;
        return trait;
    }
    if (!type_len && trait_len) {
        *len = trait_len;
        return trait;
    }
    *len = type_len;
    return type;
}

static enum layer rust_layer(const struct object *object, const struct symbol_frame *frame, const char *crate,
                             size_t len)
{
    size_t name_len = strlen(frame->name);

    if (len == 9 && !memcmp(crate, "rustscope", 9))
        return LAYER_PROFILER;
    if (MATCHES(frame->name, name_len, rust_alloc))
        return LAYER_ALLOC;
    if (MATCHES(frame->name, name_len, rust_startup))
        return LAYER_RUNTIME;
    if (is_std_crate(crate, len))
        return LAYER_STD;
    if (MATCHES(crate, len, rust_runtime_crates))
        return LAYER_RUNTIME;
    if (contains_any(frame->file, toolchain_folders, COUNT(toolchain_folders)))
        return LAYER_STD; /* hashbrown and others that std is built with */
    if (object->kind == OBJECT_BUILD_TOOL)
        return LAYER_DEP;
    if (contains_any(frame->file, dependency_folders, COUNT(dependency_folders)))
        return LAYER_DEP;
    if (frame->file[0])
        return LAYER_USER;
    return strlen(object->crate_name) == len && !memcmp(object->crate_name, crate, len) ? LAYER_USER : LAYER_DEP;
}

static struct layer_verdict rust_verdict(const struct layer_rules *rules, const struct object *object,
                                         const struct symbol_frame *frame)
{
    struct layer_verdict verdict;
    const char *crate;
    size_t len;

    crate = rust_crate_of(frame->name, &len);
    if (!len) {
        crate = "core"; /* impls of the language itself: <&T as …> */
        len = 4;
    }
    verdict.crate = strings_add(&rules->session->strings, crate, len);
    verdict.layer = rust_layer(object, frame, crate, len);
    return verdict;
}

/* ---- C, C++ and everything else ---- */

/* librustscope in the program itself: its header, its public names, and the folder that its build says it lay in. */
static bool is_profiler_function(const struct symbol_frame *frame)
{
    return starts_with(frame->linkage, "rustscope_") || !strcmp(rs_path_base(frame->file), "rustscope.h") ||
           starts_with(frame->file, "/usr/src/rustscope/");
}

static enum layer native_layer(const struct object *object, const struct symbol_frame *frame)
{
    size_t len = strlen(frame->name);
    bool replaceable = object->kind == OBJECT_PROGRAM || object->kind == OBJECT_STD || object->kind == OBJECT_RUNTIME ||
                       object->kind == OBJECT_DEPENDENCY;

    if (object->kind == OBJECT_KERNEL || object->kind == OBJECT_PROFILER)
        return layer_of_object[object->kind];
    if (object->kind == OBJECT_JIT)
        return frame->unnamed                                                                 ? LAYER_UNKNOWN
               : starts_with(frame->name, "Builtin:") || starts_with(frame->name, "Bytecode") ? LAYER_RUNTIME
                                                                                              : LAYER_USER;
    if (is_profiler_function(frame))
        return LAYER_PROFILER;
    if (replaceable && MATCHES(frame->name, len, allocator_functions))
        return LAYER_ALLOC;
    /* A program may well have a function `clone` or `exit` of its own; its startup code has no source file. */
    if (replaceable && (object->kind != OBJECT_PROGRAM || !frame->file[0] || strstr(frame->file, "/sysdeps/")) &&
        (MATCHES(frame->name, len, startup_functions) || MATCHES(frame->name, len, compiler_functions)))
        return LAYER_RUNTIME;
    if (frame->language == LANGUAGE_CXX && MATCHES(frame->name, len, cxx_std))
        return LAYER_STD;
    if (contains_any(frame->file, toolchain_folders, COUNT(toolchain_folders)))
        return LAYER_STD;
    if (contains_any(frame->file, dependency_folders, COUNT(dependency_folders)))
        return LAYER_DEP;
    if (object->kind == OBJECT_PROGRAM && starts_with(frame->file, "/usr/include/"))
        return starts_with(frame->file, "/usr/include/c++/") || strstr(frame->file, "-linux-gnu/bits/") ? LAYER_STD
                                                                                                        : LAYER_DEP;
    return layer_of_object[object->kind];
}

struct layer_verdict layer_of(const struct layer_rules *rules, uint32_t module, const struct symbol_frame *frame)
{
    const struct object *object = &rules->objects[module];

    if (frame->language == LANGUAGE_RUST && object->kind != OBJECT_PROFILER && object->kind != OBJECT_KERNEL)
        return rust_verdict(rules, object, frame);
    return (struct layer_verdict){object->name, native_layer(object, frame)};
}

/* ---- objects ---- */

static const struct {
    const char *start; /* of the file's name */
    enum object_kind kind;
} known_objects[] = {
    {"librustscope_shim", OBJECT_PROFILER},
    {"librustscope.", OBJECT_PROFILER},
    {"libc.so", OBJECT_STD},
    {"libc-", OBJECT_STD},
    {"libm.so", OBJECT_STD},
    {"libm-", OBJECT_STD},
    {"libmvec", OBJECT_STD},
    {"libstdc++", OBJECT_STD},
    {"libc++", OBJECT_STD},
    {"libstd-", OBJECT_STD},
    {"ld-linux", OBJECT_RUNTIME},
    {"ld-musl", OBJECT_RUNTIME},
    {"ld-2", OBJECT_RUNTIME},
    {"ld.so", OBJECT_RUNTIME},
    {"libpthread", OBJECT_RUNTIME},
    {"libdl.", OBJECT_RUNTIME},
    {"libdl-", OBJECT_RUNTIME},
    {"librt.", OBJECT_RUNTIME},
    {"libgcc_s", OBJECT_RUNTIME},
    {"libgomp", OBJECT_RUNTIME},
    {"libomp", OBJECT_RUNTIME},
    {"libiomp", OBJECT_RUNTIME},
    {"libtbb.", OBJECT_RUNTIME},
    {"libatomic", OBJECT_RUNTIME},
    {"libpython", OBJECT_RUNTIME},
    {"libjvm", OBJECT_RUNTIME},
    {"libasan", OBJECT_RUNTIME},
    {"libtsan", OBJECT_RUNTIME},
    {"libubsan", OBJECT_RUNTIME},
    {"libjemalloc", OBJECT_ALLOCATOR},
    {"libtcmalloc", OBJECT_ALLOCATOR},
    {"libmimalloc", OBJECT_ALLOCATOR},
    {"libhoard", OBJECT_ALLOCATOR},
    {"libsnmalloc", OBJECT_ALLOCATOR},
    {"librpmalloc", OBJECT_ALLOCATOR},
    {"[vdso]", OBJECT_STD},
    {"[kernel]", OBJECT_KERNEL},
    {"[anon", OBJECT_JIT},
};

static const char *const system_folders[] = {"/usr/lib*", "/lib*",   "/usr/local/lib*", "/nix/store/*",
                                             "/opt/*",    "/snap/*", "/gnu/store/*",    "/usr/libexec/*"};

static const char *const build_tools[] = {
    "cargo",
    "cargo-*",
    "rustup",
    "rustc",
    "rustdoc",
    "clippy-driver",
    "librustc_driver*",
    "libLLVM*",
    "rust-lld",
    "ld.*",
    "ld",
    "lld",
    "ld64*",
    "mold",
    "collect2",
    "cc1*",
    "as",
    "ar",
    "cc",
    "c++",
    "gcc*",
    "g++*",
    "clang*",
    "build-script-*",
    "build_script_*",
};

/* `rustscope -- cargo run` is meant to profile the program, so what cargo builds it with is not the user's code. */
static bool is_run_by_cargo(const struct session *s)
{
    const char *name = s->meta.argc ? rs_path_base(strings_get(&s->strings, s->meta.argv[0])) : "";

    return !strcmp(name, "cargo") || starts_with(name, "cargo-");
}

/* `libserde_derive-0123456789abcdef.so`: a procedural macro, which runs inside of rustc. */
static bool is_procedural_macro(const char *name)
{
    const char *dash = strrchr(name, '-');

    return starts_with(name, "lib") && dash && strspn(dash + 1, "0123456789abcdef") == 16 && !strcmp(dash + 17, ".so");
}

static bool is_build_tool(const char *name)
{
    return MATCHES(name, strlen(name), build_tools) || strstr(name, "-linux-gnu-") || is_procedural_macro(name);
}

static bool is_program(const struct session *s, string_id path)
{
    for (size_t i = 0; i < s->process_count; i++)
        if (s->processes[i].exe == path && path)
            return true;
    return false;
}

static enum object_kind kind_of(const struct session *s, const struct module *module)
{
    const char *path = strings_get(&s->strings, module->path), *name = rs_path_base(path);

    for (size_t i = 0; i < COUNT(known_objects); i++)
        if (starts_with(name, known_objects[i].start))
            return known_objects[i].kind;
    if (is_run_by_cargo(s) && is_build_tool(name))
        return OBJECT_BUILD_TOOL;
    if (is_program(s, module->path) || !strstr(name, ".so"))
        return OBJECT_PROGRAM;
    return MATCHES(path, strlen(path), system_folders) ? OBJECT_DEPENDENCY : OBJECT_PROGRAM;
}

/* `libfoo-bar.so.1` and `foo_bar-0123456789abcdef` (cargo's tests) may both hold the crate foo_bar. */
static char *crate_name_of(const char *file)
{
    size_t len = strcspn(file, ".");
    char *name, *dash;

    if (starts_with(file, "lib") && strstr(file, ".so")) {
        file += 3;
        len -= 3;
    }
    name = xmemdup0(file, len);
    dash = strrchr(name, '-');
    if (dash && strlen(dash + 1) == 16 && strspn(dash + 1, "0123456789abcdef") == 16)
        *dash = '\0';
    for (char *at = name; *at; at++)
        if (*at == '-')
            *at = '_';
    return name;
}

struct layer_rules *layer_rules_new(struct session *session)
{
    struct layer_rules *rules = xcalloc(1, sizeof(*rules));

    rules->session = session;
    rules->object_count = session->tree.module_count;
    rules->objects = xcalloc(rules->object_count + 1, sizeof(*rules->objects));
    for (size_t i = 0; i < rules->object_count; i++) {
        const struct module *module = &session->tree.modules[i];
        const char *name = rs_path_base(strings_get(&session->strings, module->path));

        rules->objects[i] = (struct object){
            .kind = kind_of(session, module),
            .crate_name = crate_name_of(name),
            .name = module->name ? module->name : strings_add_str(&session->strings, name),
        };
    }
    return rules;
}

void layer_rules_free(struct layer_rules *rules)
{
    if (!rules)
        return;
    for (size_t i = 0; i < rules->object_count; i++)
        free(rules->objects[i].crate_name);
    free(rules->objects);
    free(rules);
}
