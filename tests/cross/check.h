/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * As much of libcheck's interface as the suites of src/core use, for machines that Debian has a compiler but no libcheck
 * for: tests run one after another in one process, and the first assertion that fails ends it.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name;
    void (*fn)(int);
} TTest;

#define START_TEST(test)                                                                                               \
    static void test##_fn(int _i);                                                                                     \
    static const TTest test##_test = {#test, test##_fn}, *const test = &test##_test;                                   \
    static void test##_fn(int _i __attribute__((unused)))                                                              \
    {
#define END_TEST }

#define ck_abort_msg(...)                                                                                              \
    do {                                                                                                               \
        printf("%s:%d: ", __FILE__, __LINE__);                                                                         \
        printf(__VA_ARGS__);                                                                                           \
        putchar('\n');                                                                                                 \
        exit(EXIT_FAILURE);                                                                                            \
    } while (0)
#define ck_assert_msg(condition, ...)                                                                                  \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            ck_abort_msg(__VA_ARGS__);                                                                                 \
    } while (0)
#define ck_assert(condition) ck_assert_msg(condition, "%s", #condition)
#define CK_COMPARE_(type, format, a, op, b)                                                                            \
    do {                                                                                                               \
        type a_ = (a), b_ = (b);                                                                                       \
        ck_assert_msg(a_ op b_, "%s %s %s: " format " and " format, #a, #op, #b, a_, b_);                              \
    } while (0)
#define ck_assert_int_eq(a, b) CK_COMPARE_(intmax_t, "%jd", a, ==, b)
#define ck_assert_int_ne(a, b) CK_COMPARE_(intmax_t, "%jd", a, !=, b)
#define ck_assert_int_gt(a, b) CK_COMPARE_(intmax_t, "%jd", a, >, b)
#define ck_assert_int_ge(a, b) CK_COMPARE_(intmax_t, "%jd", a, >=, b)
#define ck_assert_int_lt(a, b) CK_COMPARE_(intmax_t, "%jd", a, <, b)
#define ck_assert_int_le(a, b) CK_COMPARE_(intmax_t, "%jd", a, <=, b)
#define ck_assert_uint_eq(a, b) CK_COMPARE_(uintmax_t, "%ju", a, ==, b)
#define ck_assert_uint_ne(a, b) CK_COMPARE_(uintmax_t, "%ju", a, !=, b)
#define ck_assert_uint_gt(a, b) CK_COMPARE_(uintmax_t, "%ju", a, >, b)
#define ck_assert_uint_ge(a, b) CK_COMPARE_(uintmax_t, "%ju", a, >=, b)
#define ck_assert_uint_lt(a, b) CK_COMPARE_(uintmax_t, "%ju", a, <, b)
#define ck_assert_uint_le(a, b) CK_COMPARE_(uintmax_t, "%ju", a, <=, b)
#define ck_assert_double_eq(a, b) CK_COMPARE_(double, "%.17g", a, ==, b)
#define ck_assert_double_gt(a, b) CK_COMPARE_(double, "%.17g", a, >, b)
#define ck_assert_double_ge(a, b) CK_COMPARE_(double, "%.17g", a, >=, b)
#define ck_assert_double_lt(a, b) CK_COMPARE_(double, "%.17g", a, <, b)
#define ck_assert_double_le(a, b) CK_COMPARE_(double, "%.17g", a, <=, b)
#define ck_assert_double_eq_tol(a, b, tolerance) ck_assert(fabs((double)(a) - (double)(b)) < (tolerance))
#define ck_assert_double_nan(a) ck_assert(isnan(a))
#define ck_assert_ptr_null(a) ck_assert((a) == NULL)
#define ck_assert_ptr_nonnull(a) ck_assert((a) != NULL)
#define ck_assert_ptr_eq(a, b) ck_assert((const void *)(a) == (const void *)(b))
#define ck_assert_str_eq(a, b)                                                                                         \
    do {                                                                                                               \
        const char *a_ = (a), *b_ = (b);                                                                               \
        ck_assert_msg(!strcmp(a_, b_), "%s == %s: \"%s\" and \"%s\"", #a, #b, a_, b_);                                 \
    } while (0)
#define ck_assert_str_ne(a, b) ck_assert(strcmp(a, b) != 0)
#define ck_assert_mem_eq(a, b, len) ck_assert(!memcmp(a, b, len))

/* What SUITE of suite.h calls. */
typedef struct {
    const TTest *tests[256];
    int count;
} TCase;
typedef TCase Suite;
typedef TCase SRunner;
enum { CK_NORMAL };

static inline TCase *tcase_create(const char *name)
{
    (void)name;
    return calloc(1, sizeof(TCase));
}

static inline Suite *suite_create(const char *name)
{
    printf("Running suite(s): %s\n", name);
    return NULL;
}

static TCase *the_case_;

static inline void tcase_set_timeout(TCase *tcase, double seconds)
{
    (void)seconds;
    the_case_ = tcase;
}

static inline void tcase_add_test(TCase *tcase, const TTest *test)
{
    if (tcase->count < 256)
        tcase->tests[tcase->count++] = test;
}

static inline void suite_add_tcase(Suite *suite, TCase *tcase)
{
    (void)suite;
    (void)tcase;
}

static inline SRunner *srunner_create(Suite *suite)
{
    (void)suite;
    return the_case_;
}

static inline void srunner_run_all(SRunner *runner, int mode)
{
    (void)mode;
    for (int i = 0; i < runner->count; i++) {
        printf("%s\n", runner->tests[i]->name);
        fflush(stdout);
        runner->tests[i]->fn(0);
    }
    printf("100%%: Checks: %d, Failures: 0, Errors: 0\n", runner->count);
}

static inline int srunner_ntests_failed(SRunner *runner)
{
    (void)runner;
    return 0;
}

static inline void srunner_free(SRunner *runner)
{
    free(runner);
}
