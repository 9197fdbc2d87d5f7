/* SPDX-License-Identifier: MIT */
#include "symbol/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "suite.h"

static char dir[64];

static void make_dir(void)
{
    strcpy(dir, "/tmp/rustscope-cache-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
    DIR *stream = opendir(dir);
    struct dirent *entry;

    while ((entry = readdir(stream)))
        unlinkat(dirfd(stream), entry->d_name, 0);
    closedir(stream);
    rmdir(dir);
}

static struct symbol_frame frame(const char *name, uint32_t line)
{
    return (struct symbol_frame){
        .name = name, .linkage = "_Zx", .file = "/src/a b.c", .line = line, .language = LANGUAGE_CXX};
}

static void add(struct answers *answers, uint64_t lo, uint64_t hi, const char *name, uint32_t line)
{
    struct symbol_frame frames[2] = {frame(name, line), frame("outer", 7)};

    frames[0].inlined = true;
    answers_add(answers, lo, hi, frames, 2);
}

static void check_answer(const struct answers *answers, uint64_t addr, const char *name, uint32_t line)
{
    const struct answer_range *range = answers_find(answers, addr);
    const struct symbol_frame *frames;

    ck_assert_ptr_nonnull(range);
    ck_assert_uint_eq(range->count, 2);
    frames = &answers->frames[range->first];
    ck_assert_str_eq(frames[0].name, name);
    ck_assert_str_eq(frames[0].linkage, "_Zx");
    ck_assert_str_eq(frames[0].file, "/src/a b.c");
    ck_assert_uint_eq(frames[0].line, line);
    ck_assert_int_eq(frames[0].language, LANGUAGE_CXX);
    ck_assert(frames[0].inlined && !frames[1].inlined);
    ck_assert_str_eq(frames[1].name, "outer");
}

START_TEST(what_was_written_is_read_back)
{
    struct answers added = {0}, got;

    make_dir();
    add(&added, 0x2000, 0x2010, "b", 2);
    add(&added, 0x1000, 0x1800, "a", 1);
    add(&added, 0x1000, 0x1800, "a", 1); /* a second address of the same range */
    ck_assert_int_eq(cache_write(dir, "x", 42, &added), 0);
    ck_assert(cache_read(dir, "x", 42, &got));
    ck_assert_uint_eq(got.range_count, 2);
    check_answer(&got, 0x1000, "a", 1);
    check_answer(&got, 0x17ff, "a", 1);
    check_answer(&got, 0x200f, "b", 2);
    ck_assert_ptr_null(answers_find(&got, 0x1800));
    ck_assert_ptr_null(answers_find(&got, 0xfff));
    ck_assert_ptr_null(answers_find(&got, 0x2010));
    answers_release(&got);
    answers_release(&added);
    remove_dir();
}
END_TEST

START_TEST(a_second_run_adds_to_the_first)
{
    struct answers first = {0}, second = {0}, got;

    make_dir();
    add(&first, 0x1000, 0x1100, "old", 1);
    add(&first, 0x3000, 0x3100, "kept", 1);
    add(&second, 0x1000, 0x1080, "new", 9);
    add(&second, 0x2000, 0x2100, "more", 1);
    ck_assert_int_eq(cache_write(dir, "x", 42, &first), 0);
    ck_assert_int_eq(cache_write(dir, "x", 42, &second), 0);
    ck_assert(cache_read(dir, "x", 42, &got));
    check_answer(&got, 0x1000, "new", 9);
    check_answer(&got, 0x2000, "more", 1);
    check_answer(&got, 0x3000, "kept", 1);
    answers_release(&got);
    answers_release(&first);
    answers_release(&second);
    remove_dir();
}
END_TEST

START_TEST(a_file_of_another_module_or_user_mode_counts_as_none)
{
    struct answers added = {0}, got;
    char path[128];

    make_dir();
    snprintf(path, sizeof(path), "%s/x", dir);
    add(&added, 0x1000, 0x1100, "a", 1);
    ck_assert_int_eq(cache_write(dir, "x", 42, &added), 0);
    ck_assert(!cache_read(dir, "x", 43, &got));
    ck_assert(!cache_read(dir, "y", 42, &got));
    ck_assert_int_eq(chmod(path, 0666), 0);
    ck_assert(!cache_read(dir, "x", 42, &got));
    ck_assert_int_eq(chmod(path, 0600), 0);
    ck_assert(cache_read(dir, "x", 42, &got));
    answers_release(&got);
    answers_release(&added);
    remove_dir();
}
END_TEST

static unsigned char *read_bytes(const char *name, size_t *len)
{
    unsigned char *bytes = xmalloc(65536);
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_RDONLY);
    *len = (size_t)read(fd, bytes, 65536);
    close(fd);
    return bytes;
}

/* Every truncation and every flipped byte: refused, or (never here, thanks to the checksum) read without harm. */
START_TEST(damaged_files_are_ignored)
{
    struct answers added = {0}, got;
    unsigned char *bytes;
    size_t len;

    make_dir();
    add(&added, 0x1000, 0x1100, "a", 1);
    add(&added, 0x2000, 0x2100, "b", 2);
    ck_assert_int_eq(cache_write(dir, "x", 42, &added), 0);
    bytes = read_bytes("x", &len);
    ck_assert(cache_parse(bytes, len, 42, &got));
    answers_release(&got);
    for (size_t cut = 0; cut < len; cut++) {
        unsigned char *copy = xmalloc(cut ? cut : 1);

        memcpy(copy, bytes, cut);
        ck_assert(!cache_parse(copy, cut, 42, &got));
        free(copy);
    }
    for (size_t at = 0; at < len; at++) {
        bytes[at] ^= 0x41;
        ck_assert(!cache_parse(bytes, len, 42, &got));
        bytes[at] ^= 0x41;
    }
    free(bytes);
    answers_release(&added);
    remove_dir();
}
END_TEST

START_TEST(two_runs_that_write_at_once_leave_a_whole_file)
{
    struct answers got;
    int status;

    make_dir();
    for (int child = 0; child < 4; child++)
        if (!fork()) {
            struct answers added = {0};

            for (int round = 0; round < 50; round++) {
                add(&added, (uint64_t)(round + 1) << 16 | (uint64_t)child << 8,
                    ((uint64_t)(round + 1) << 16 | (uint64_t)child << 8) + 0x10, "n", (uint32_t)child);
                cache_write(dir, "x", 42, &added);
                if (cache_read(dir, "x", 42, &got))
                    answers_release(&got);
                else
                    _exit(1);
            }
            _exit(0);
        }
    for (int child = 0; child < 4; child++) {
        wait(&status);
        ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
    }
    ck_assert(cache_read(dir, "x", 42, &got));
    answers_release(&got);
    remove_dir();
}
END_TEST

START_TEST(a_directory_that_cannot_be_written_is_no_failure)
{
    struct answers added = {0};

    add(&added, 0x1000, 0x1100, "a", 1);
    ck_assert_int_eq(cache_write("/nonexistent", "x", 42, &added), -ENOENT);
    answers_release(&added);
}
END_TEST

SUITE("symbol_cache", what_was_written_is_read_back, a_second_run_adds_to_the_first,
      a_file_of_another_module_or_user_mode_counts_as_none, damaged_files_are_ignored,
      two_runs_that_write_at_once_leave_a_whole_file, a_directory_that_cannot_be_written_is_no_failure)
