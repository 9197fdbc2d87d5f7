/* SPDX-License-Identifier: MIT */
#include "text/name.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 2048 };

static bool begins(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

/* Behind the bracket that closes the one TEXT begins with; the end of TEXT when nothing closes it. */
static const char *behind_bracket(const char *text)
{
    int depth = 0;

    for (const char *p = text; *p; p++) {
        if (strchr("<([{", *p))
            depth++;
        else if (strchr(")]}", *p) || (*p == '>' && p > text && p[-1] != '-' && p[-1] != '='))
            depth--;
        if (!depth)
            return p + 1;
    }
    return text + strlen(text);
}

/* The operator's own signs, which are not brackets: `operator<<`, `operator->`, `operator()`. */
static size_t operator_len(const char *text)
{
    static const char *const signs[] = {"operator<=>", "operator<<=", "operator>>=", "operator<<", "operator>>",
                                        "operator<=",  "operator>=",  "operator->*", "operator->", "operator()",
                                        "operator[]",  "operator<",   "operator>"};

    for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++)
        if (begins(text, signs[i]))
            return strlen(signs[i]);
    return 0;
}

struct buffer {
    char *out;
    size_t len, cap;
};

static void put(struct buffer *b, const char *text, size_t len)
{
    if (len > b->cap - 1 - b->len)
        len = b->cap - 1 - b->len;
    memcpy(b->out + b->len, text, len);
    b->len += len;
    b->out[b->len] = '\0';
}

static void condense(struct buffer *b, const char *name, size_t len, const char *dots);

/* `<X as Trait>` and `<X>` that begin a path are X. Returns what follows. */
static const char *put_self_type(struct buffer *b, const char *p, const char *dots)
{
    const char *end = behind_bracket(p), *last = end[-1] == '>' ? end - 1 : end, *as = NULL;

    for (const char *at = p + 1; at < last && !as;) {
        if (begins(at, " as "))
            as = at;
        else
            at = *at == '<' || *at == '(' || *at == '[' || *at == '{' ? behind_bracket(at) : at + 1;
    }
    condense(b, p + 1, (size_t)((as ? as : last) - p - 1), dots);
    return end;
}

static void condense(struct buffer *b, const char *name, size_t len, const char *dots)
{
    static const struct {
        const char *from, *to;
    } spellings[] = {{"std::__cxx11::basic_string<", "std::string"},
                     {"std::basic_string<", "std::string"},
                     {"std::__1::basic_string<", "std::string"},
                     {"__cxx11::", ""},
                     {"__1::", ""},
                     {"(anonymous namespace)", "(anonymous)"}};
    char text[NAME_MAX_BYTES];
    bool at_start = true;

    snprintf(text, sizeof(text), "%.*s", (int)len, name);
    for (const char *p = text; *p;) {
        size_t own = operator_len(p), i = 0;

        while (i < sizeof(spellings) / sizeof(*spellings) && !begins(p, spellings[i].from))
            i++;
        if (i < sizeof(spellings) / sizeof(*spellings)) {
            size_t from = strlen(spellings[i].from);

            put(b, spellings[i].to, strlen(spellings[i].to));
            p = spellings[i].from[from - 1] == '<' ? behind_bracket(p + from - 1) : p + from;
        } else if (own) {
            put(b, p, own);
            p += own;
        } else if (*p == '<' && at_start) {
            p = put_self_type(b, p, dots);
        } else if (*p == '<') {
            put(b, dots, strlen(dots));
            p = behind_bracket(p);
        } else if (*p == '(' && !at_start) {
            p = behind_bracket(p);
            p += begins(p, " const") ? 6 : 0;
        } else if (*p == '@' && !at_start) {
            break; /* fmod@@GLIBC_2.38, fmod@plt: a symbol's version, the linker's stub for it */
        } else if (begins(p, "[abi:")) {
            p = behind_bracket(p);
        } else {
            put(b, p++, 1);
            at_start = false;
            continue;
        }
        at_start = false;
    }
}

/* Behind the first `::` of NAME that stands in no bracket; NULL when there is none. */
static const char *next_part(const char *name)
{
    for (const char *p = name; *p;) {
        if (p > name && begins(p, "::"))
            return p + 2;
        p = *p == '<' || *p == '(' || *p == '[' || *p == '{' ? behind_bracket(p) : p + 1;
    }
    return NULL;
}

int name_short(char *out, size_t cap, const char *name, int cols, enum charset charset)
{
    const char *dots = charset == CHARSET_UTF8 ? "…" : "..", *rest, *next;
    char arguments[8], whole[NAME_MAX_BYTES] = "";
    struct buffer b = {whole, 0, sizeof(whole)};

    snprintf(arguments, sizeof(arguments), "<%s>", dots);
    condense(&b, name, strlen(name), arguments);
    rest = *whole ? whole : name;
    snprintf(out, cap, "%s", rest);
    while (fmt_cols(out, charset) > cols && (next = next_part(rest))) {
        rest = next;
        snprintf(out, cap, "%s::%s", dots, rest);
    }
    return fmt_cols(out, charset);
}
