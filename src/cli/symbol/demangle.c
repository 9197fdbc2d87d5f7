/* SPDX-License-Identifier: MIT */
#include "symbol/demangle.h"

#include <libiberty/demangle.h>
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
enum { LONGEST_INPUT = 64 * 1024 };

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
    size_t len = strnlen(linkage, LONGEST_INPUT + 1);
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
    len = try_demangler(rust_demangle_callback, mangled, DMGL_NO_OPTS, out);
    if (len) {
        *language = LANGUAGE_RUST;
        return len;
    }
    *language = LANGUAGE_CXX;
    len = try_demangler(cplus_demangle_v3_callback, mangled, DMGL_PARAMS | DMGL_ANSI | DMGL_RET_DROP, out);
    return len ? len : copy_raw(linkage, out);
}
