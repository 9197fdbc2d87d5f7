/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One `check` suite a module. A test file defines its START_TESTs and ends with
 *
 *     SUITE("json", test_one, test_two)
 *
 * which makes main().
 */
#include <check.h>
#include <stdlib.h>

/* ck_assert notes its place for the parent process each time; in loops of millions this one is a plain comparison. */
#define loop_assert_msg(condition, ...)                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            ck_abort_msg(__VA_ARGS__);                                                                                 \
    } while (0)

#define SUITE(name, ...)                                                                                               \
    int main(void)                                                                                                     \
    {                                                                                                                  \
        const TTest *const tests[] = {__VA_ARGS__};                                                                    \
        Suite *suite = suite_create(name);                                                                             \
        TCase *tcase = tcase_create(name);                                                                             \
        SRunner *runner;                                                                                               \
        int failed;                                                                                                    \
                                                                                                                       \
        tcase_set_timeout(tcase, 60);                                                                                  \
        for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)                                                    \
            tcase_add_test(tcase, tests[i]);                                                                           \
        suite_add_tcase(suite, tcase);                                                                                 \
        runner = srunner_create(suite);                                                                                \
        srunner_run_all(runner, CK_NORMAL);                                                                            \
        failed = srunner_ntests_failed(runner);                                                                        \
        srunner_free(runner);                                                                                          \
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                                                   \
    }
