/* SPDX-License-Identifier: MIT */
#include "base/words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "suite.h"

static void splits(const char *text, const char *expected)
{
    char **words, joined[200] = "";
    int count = words_split(text, &words, NULL);

    ck_assert_int_ge(count, 0);
    for (int i = 0; i < count; i++)
        snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "[%s]", words[i]);
    ck_assert_ptr_null(words[count]);
    words_free(words);
    ck_assert_str_eq(joined, expected);
}

START_TEST(words_are_split_as_a_shell_does)
{
    splits("", "");
    splits("  a  b\t", "[a][b]");
    splits("a'b c'd \"e f\"", "[ab cd][e f]");
    splits("a\\ b \"\\\"\\$\\n\" ''", "[a b][\"$\\n][]");
    splits("'$HOME' *", "[$HOME][*]");
}
END_TEST

START_TEST(an_open_quote_is_refused_with_a_sentence)
{
    static const char *const open[] = {"'a", "\"a", "a\\", "a 'b\"c"};
    struct rs_err err;
    char **words;

    for (size_t i = 0; i < sizeof(open) / sizeof(*open); i++) {
        ck_assert_int_eq(words_split(open[i], &words, &err), -EINVAL);
        ck_assert_ptr_null(words);
        ck_assert_ptr_nonnull(strstr(err.text, "not closed"));
    }
}
END_TEST

START_TEST(what_is_joined_splits_into_the_same)
{
    char a[] = "it's", b[] = "", c[] = "a b\n\"c\" $x \\", d[] = "plain-1.0";
    char *const words[] = {a, b, c, d, NULL};
    char *joined = words_join(words), **again;

    ck_assert_int_eq(words_split(joined, &again, NULL), 4);
    for (int i = 0; i < 4; i++)
        ck_assert_str_eq(again[i], words[i]);
    ck_assert_ptr_nonnull(strstr(joined, " plain-1.0"));
    words_free(again);
    free(joined);
}
END_TEST

START_TEST(a_parameter_is_filled_in_wherever_it_stands)
{
    char *filled = words_fill_in("{n}{n} {m} {", "n", "long value");

    ck_assert_str_eq(filled, "long valuelong value {m} {");
    free(filled);
}
END_TEST

SUITE("words", words_are_split_as_a_shell_does, an_open_quote_is_refused_with_a_sentence,
      what_is_joined_splits_into_the_same, a_parameter_is_filled_in_wherever_it_stands)
