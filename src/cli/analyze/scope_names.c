/* SPDX-License-Identifier: MIT */
#include "analyze/scope_names.h"

#include <stddef.h>
#include <string.h>

static bool is_one_of(char c, const char *what)
{
    return c && strchr(what, c);
}

/* Behind the generic argument that TEXT begins with: at the comma or bracket that ends it, or at END. */
static const char *after_argument(const char *text, char end)
{
    int depth = 0;

    for (const char *p = text; *p; p++) {
        bool arrow = *p == '>' && p > text && p[-1] == '-';

        if (!depth && !arrow && (*p == end || is_one_of(*p, ",>)")))
            return p;
        depth += is_one_of(*p, "<([") ? 1 : is_one_of(*p, ">)]") && !arrow ? -1 : 0;
    }
    return text + strlen(text);
}

bool rust_name_is_of(const char *name, const char *symbol)
{
    for (const char *start = name; *name; name++) {
        if (*name == '_' && name > start && is_one_of(name[-1], "<, (&") && is_one_of(name[1], ",>) ")) {
            symbol = after_argument(symbol, name[1]);
            continue;
        }
        if (*name == ' ' && name > start && name[-1] == ',' && *symbol != ' ')
            continue; /* symbols have no space there */
        if (*name != *symbol)
            return false;
        symbol++;
    }
    return !*symbol;
}

/* Behind NAME at the start of SYMBOL; NULL when it does not begin so. Compilers and demanglers differ in one word. */
static const char *behind_cpp_name(const char *name, const char *symbol)
{
    static const char compilers[] = "{anonymous}", demanglers[] = "(anonymous namespace)";

    while (*name) {
        if (!strncmp(name, compilers, sizeof(compilers) - 1) && !strncmp(symbol, demanglers, sizeof(demanglers) - 1)) {
            name += sizeof(compilers) - 1;
            symbol += sizeof(demanglers) - 1;
        } else if (*name++ != *symbol++) {
            return NULL;
        }
    }
    return symbol;
}

bool cpp_name_is_of(const char *name, const char *symbol)
{
    int depth = 0;

    for (const char *at = symbol; *at && *name; at++) {
        const char *rest = depth || (at > symbol && !is_one_of(at[-1], " *&")) ? NULL : behind_cpp_name(name, at);

        if (rest && *rest == '<') {
            rest = after_argument(rest + 1, '>');
            rest = *rest ? rest + 1 : rest;
        }
        if (rest && *rest == '(')
            return true;
        depth += is_one_of(*at, "<([{") ? 1 : is_one_of(*at, ">)]}") ? -1 : 0;
    }
    return false;
}
