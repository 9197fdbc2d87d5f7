/* SPDX-License-Identifier: MIT */
#include "collect/channel/environment.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collect/channel/shim_check.h"
#include "suite.h"

static char folder[] = "/tmp/rustscope-environment-XXXXXX", shim[256], spaced[256];
static struct environment env;

static void set_up(void)
{
    char path[sizeof(folder) + 16];

    unsetenv("LD_PRELOAD");
    unsetenv("ASAN_OPTIONS");
    setenv("RUSTSCOPE_SHIM", shim, 1);
    if (*shim) /* made by the test before, with CK_FORK=no */
        return;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(shim, sizeof(shim), "%s/shim.so", folder);
    snprintf(path, sizeof(path), "%s/with blank", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(spaced, sizeof(spaced), "%s/shim.so", path);
    fclose(fopen(shim, "w"));
    fclose(fopen(spaced, "w"));
    setenv("RUSTSCOPE_SHIM", shim, 1);
}

static void make(bool with_shim)
{
    if (!*shim)
        set_up();
    environment_make(&env, &(struct environment_options){.fifo = "/run/x/fifo",
                                                         .folder = folder,
                                                         .program = "/bin/true",
                                                         .shim = with_shim,
                                                         .operators = with_shim});
}

/* The value of NAME, NULL when it is not there. */
static const char *value(const char *name)
{
    for (size_t i = 0; env.variables[i]; i++)
        if (!strncmp(env.variables[i], name, strlen(name)) && env.variables[i][strlen(name)] == '=')
            return env.variables[i] + strlen(name) + 1;
    return NULL;
}

START_TEST(without_the_shim_only_the_channel_is_named)
{
    make(false);
    ck_assert_str_eq(value("RUSTSCOPE_ALLOC_PIPE"), "/run/x/fifo");
    ck_assert_ptr_null(env.variables[1]);
    ck_assert_ptr_null(env.no_shim);
    environment_release(&env);
}
END_TEST

START_TEST(the_shim_comes_before_the_users_own_preloads)
{
    set_up();
    setenv("LD_PRELOAD", "/lib/mine.so", 1);
    make(true);
    ck_assert_int_eq(strncmp(value("LD_PRELOAD"), shim, strlen(shim)), 0);
    ck_assert_str_eq(value("LD_PRELOAD") + strlen(shim), ":/lib/mine.so");
    environment_release(&env);
}
END_TEST

START_TEST(the_users_word_to_address_sanitizer_is_last)
{
    set_up();
    make(true);
    ck_assert_str_eq(value("ASAN_OPTIONS"), "verify_asan_link_order=0");
    environment_release(&env);
    setenv("ASAN_OPTIONS", "verify_asan_link_order=1", 1);
    make(true);
    ck_assert_str_eq(value("ASAN_OPTIONS"), "verify_asan_link_order=0:verify_asan_link_order=1");
    environment_release(&env);
}
END_TEST

START_TEST(a_path_that_the_loader_would_split_goes_by_a_link_that_ends_with_the_environment)
{
    char target[256] = "";
    const char *link;

    set_up();
    setenv("RUSTSCOPE_SHIM", spaced, 1);
    make(true);
    link = value("LD_PRELOAD");
    ck_assert_ptr_null(strchr(link, ' '));
    ck_assert_int_gt(readlink(link, target, sizeof(target) - 1), 0);
    ck_assert_str_eq(target, spaced);
    snprintf(target, sizeof(target), "%s", link);
    environment_release(&env);
    ck_assert_int_ne(access(target, F_OK), 0);
}
END_TEST

START_TEST(a_shim_that_is_not_there_is_told_apart_from_a_program_that_cannot_carry_one)
{
    set_up();
    setenv("RUSTSCOPE_SHIM", "/nowhere/shim.so", 1);
    make(true);
    ck_assert(env.shim_missing);
    ck_assert_ptr_nonnull(env.no_shim);
    ck_assert_ptr_null(value("LD_PRELOAD"));
    environment_release(&env);
}
END_TEST

SUITE("channel_environment", without_the_shim_only_the_channel_is_named, the_shim_comes_before_the_users_own_preloads,
      the_users_word_to_address_sanitizer_is_last,
      a_path_that_the_loader_would_split_goes_by_a_link_that_ends_with_the_environment,
      a_shim_that_is_not_there_is_told_apart_from_a_program_that_cannot_carry_one)
