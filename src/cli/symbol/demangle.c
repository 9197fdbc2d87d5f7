/* SPDX-License-Identifier: MIT */
#include "symbol/demangle.h"

#include <libiberty/demangle.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/*
 * Substitutions let a short mangled name stand for an exponentially long one, and libiberty prints until it is done.
 * The callback therefore leaves by longjmp when the output is full: the C++ printer keeps its state on the stack, so
 * nothing leaks; the Rust one may lose the buffer of one punycode identifier.
 */
enum {
    LONGEST_INPUT = 64 * 1024,
    LONGEST_LIMITED = 1024,      /* of C++ names that libiberty takes with its limits on */
    LONGEST_CXX = 16 * 1024,     /* without them: its recursion is as deep as names can nest, */
    DEEP_STACK_BYTES = 256 << 20 /* which is some 10,000 levels of 2 to 3 KiB; pages never touched cost nothing */
};

struct sink {
    jmp_buf full;
    char *out;
    size_t len;
};

static void collect(const char *bytes, size_t len, void *ctx)
{
    struct sink *sink = ctx;
    size_t room = DEMANGLE_MAX - sink->len;

    memcpy(sink->out + sink->len, bytes, len < room ? len : room);
    sink->len += len < room ? len : room;
    if (len > room)
        longjmp(sink->full, 1);
}

/* Cuts OUT at LEN, on a character's border, and says so with an ellipsis. */
static size_t cut(char *out, size_t len)
{
    while (len && ((unsigned char)out[len] & 0xc0) == 0x80)
        len--;
    memcpy(out + len, "…", sizeof("…"));
    return len + sizeof("…") - 1;
}

static size_t copy_raw(const char *name, char *out)
{
    size_t len = strnlen(name, DEMANGLE_MAX + 1);

    if (len <= DEMANGLE_MAX) {
        memcpy(out, name, len + 1);
        return len;
    }
    memcpy(out, name, DEMANGLE_MAX + 1);
    return cut(out, DEMANGLE_MAX);
}

typedef int (*demangler_fn)(const char *mangled, int options, demangle_callbackref callback, void *ctx);

/* 0 when DEMANGLER does not know the name. */
static size_t try_demangler(demangler_fn demangler, const char *mangled, int options, char *out)
{
    struct sink sink = {.out = out}; /* nothing in it is changed here, so it survives the longjmp */

    if (setjmp(sink.full))
        return cut(sink.out, DEMANGLE_MAX - 1);
    if (!demangler(mangled, options, collect, &sink))
        return 0;
    sink.out[sink.len] = '\0';
    return sink.len;
}

enum { CXX_OPTIONS = DMGL_PARAMS | DMGL_ANSI | DMGL_RET_DROP };

struct long_name {
    const char *mangled;
    char *out;
    size_t len;
};

static void *demangle_long_name(void *ctx)
{
    struct long_name *name = ctx;

    name->len =
        try_demangler(cplus_demangle_v3_callback, name->mangled, CXX_OPTIONS | DMGL_NO_RECURSE_LIMIT, name->out);
    return NULL;
}

/* On a stack of its own, for as long as it takes. */
static size_t try_long_cxx(const char *mangled, char *out)
{
    struct long_name name = {.mangled = mangled, .out = out};
    pthread_attr_t attr;
    pthread_t thread;

    if (pthread_attr_init(&attr))
        return 0;
    if (!pthread_attr_setstacksize(&attr, DEEP_STACK_BYTES) &&
        !pthread_create(&thread, &attr, demangle_long_name, &name))
        pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
    return name.len;
}

static size_t try_cxx(const char *mangled, size_t len, char *out)
{
    if (len <= LONGEST_LIMITED)
        return try_demangler(cplus_demangle_v3_callback, mangled, CXX_OPTIONS, out);
    return len <= LONGEST_CXX ? try_long_cxx(mangled, out) : 0;
}

/* The length of NAME without what the optimiser appends to copies and parts of a function. */
static size_t without_suffix(const char *name, size_t len)
{
    static const char *const suffixes[] = {".llvm.", ".cold", ".isra.", ".part.", ".constprop.", ".lto_priv."};

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
        const char *found = memmem(name, len, suffixes[i], strlen(suffixes[i]));

        if (found && found != name)
            len = (size_t)(found - name);
    }
    return len;
}

static bool is_mangled(const char *name)
{
    return name[0] == '_' && (name[1] == 'Z' || name[1] == 'R' || !strncmp(name, "__Z", 3) || !strncmp(name, "__R", 3));
}

static const char plt[] = "@plt";

/* `_Zfoo@plt`, as the symbol table calls the stubs of other modules' functions. */
static bool is_plt_stub(const char *name, size_t len)
{
    return len >= sizeof(plt) && !memcmp(name + len - sizeof(plt) + 1, plt, sizeof(plt) - 1);
}

static size_t demangle_stub(const char *name, size_t len, char *out, enum symbol_language *language)
{
    char *function = xmemdup0(name, len - sizeof(plt) + 1);

    len = demangle(function, out, language);
    free(function);
    if (len > DEMANGLE_MAX - sizeof(plt))
        return len;
    memcpy(out + len, plt, sizeof(plt));
    return len + sizeof(plt) - 1;
}

size_t demangle(const char *linkage, char *out, enum symbol_language *language)
{
    size_t len = strnlen(linkage, LONGEST_INPUT + 1), found;
    char mangled[LONGEST_INPUT + 1];

    *language = LANGUAGE_C;
    if (len > LONGEST_INPUT)
        return copy_raw(linkage, out);
    if (is_plt_stub(linkage, len))
        return demangle_stub(linkage, len, out, language);
    len = without_suffix(linkage, len);
    memcpy(mangled, linkage, len);
    mangled[len] = '\0';
    if (!is_mangled(mangled))
        return copy_raw(mangled, out);
    found = try_demangler(rust_demangle_callback, mangled, DMGL_NO_OPTS, out);
    if (found) {
        *language = LANGUAGE_RUST;
        return found;
    }
    *language = LANGUAGE_CXX;
    found = try_cxx(mangled, len, out);
    return found ? found : copy_raw(linkage, out);
}
