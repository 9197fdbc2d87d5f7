/* SPDX-License-Identifier: MIT */
#include "base/words.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Copies what a quote at *AT encloses to OUT and moves *AT behind it. Returns the new end of OUT; NULL: it is open. */
static char *take_quoted(const char **at, char *out)
{
    char quote = *(*at)++;

    while (**at && **at != quote) {
        if (quote == '"' && **at == '\\' && (*at)[1] && strchr("\"\\$`", (*at)[1]))
            ++*at;
        *out++ = *(*at)++;
    }
    if (!**at)
        return NULL;
    ++*at;
    return out;
}

/* One word at *AT, into OUT. Returns its end; NULL: a quote is open or a backslash is last. */
static char *take_word(const char **at, char *out)
{
    while (out && **at && !isspace((unsigned char)**at)) {
        if (**at == '\'' || **at == '"') {
            out = take_quoted(at, out);
        } else {
            if (**at == '\\' && !*++*at)
                return NULL;
            *out++ = *(*at)++;
        }
    }
    return out;
}

int words_split(const char *text, char ***words, struct rs_err *err)
{
    char *word = xmalloc(strlen(text) + 1);
    size_t count = 0, cap = 0;

    *words = NULL;
    for (const char *at = text;;) {
        char *end;

        while (isspace((unsigned char)*at))
            at++;
        GROW(*words, count + 2, cap);
        (*words)[count] = (*words)[count + 1] = NULL;
        if (!*at)
            break;
        end = take_word(&at, word);
        if (!end) {
            words_free(*words);
            *words = NULL;
            free(word);
            return rs_err_set(err, -EINVAL, "a quote is not closed in: %.200s", text);
        }
        (*words)[count++] = xmemdup0(word, (size_t)(end - word));
    }
    free(word);
    return (int)count;
}

void words_free(char **words)
{
    for (char **word = words; word && *word; word++)
        free(*word);
    free(words);
}

static bool is_plain(const char *word)
{
    return *word &&
           word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%^{}")] == '\0';
}

char *words_join(char *const *words)
{
    size_t bytes = 1;
    char *joined, *out;

    for (char *const *word = words; *word; word++)
        bytes += 4 * strlen(*word) + 3;
    joined = out = xmalloc(bytes);
    for (char *const *word = words; *word; word++) {
        if (word != words)
            *out++ = ' ';
        if (is_plain(*word)) {
            out = stpcpy(out, *word);
            continue;
        }
        *out++ = '\'';
        for (const char *c = *word; *c; c++)
            if (*c == '\'')
                out = stpcpy(out, "'\\''");
            else
                *out++ = *c;
        *out++ = '\'';
    }
    *out = '\0';
    return joined;
}

char *words_fill_in(const char *text, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value), bytes = strlen(text) + 1;
    char *filled, *out;

    for (const char *at = text; (at = strchr(at, '{')); at++)
        bytes += value_len;
    filled = out = xmalloc(bytes);
    while (*text) {
        if (*text == '{' && !strncmp(text + 1, name, name_len) && text[1 + name_len] == '}') {
            out = stpcpy(out, value);
            text += name_len + 2;
        } else {
            *out++ = *text++;
        }
    }
    *out = '\0';
    return filled;
}
