/* SPDX-License-Identifier: MIT */
#include "collect/modules/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"

static struct session *session;
static struct maps maps;

static void begin(void)
{
    session = session_new(0, 0);
    maps_init(&maps, session);
}

static void end(struct address_space *space)
{
    maps_space_release(space);
    maps_release(&maps);
    session_free(session);
}

static void add(struct address_space *space, uint64_t start, uint64_t stop, uint64_t pgoff, const char *path)
{
    struct maps_range range = {.start = start, .end = stop, .pgoff = pgoff, .exec = true, .path = path};

    maps_add(&maps, space, &range);
}

/* "start-end:path" of every mapping, in pages of 0x1000. */
static const char *listing(const struct address_space *space)
{
    static char text[512];
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < space->count; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%llx-%llx:%s", i ? " " : "",
                               (unsigned long long)space->mappings[i].start >> 12,
                               (unsigned long long)space->mappings[i].end >> 12, space->mappings[i].object->path);
    return text;
}

START_TEST(a_line_of_proc_maps_is_parsed)
{
    const char *line = "7f0c8000-7f0c9000 r-xp 00026000 fe:01 1234567                    /usr/lib/libc.so.6\nnext";
    struct maps_range range;
    char path[256];

    ck_assert_int_eq(maps_parse_line(line, strlen(line), &range, path, sizeof(path)), (int)(strlen(line) - 4));
    ck_assert_uint_eq(range.start, 0x7f0c8000);
    ck_assert_uint_eq(range.end, 0x7f0c9000);
    ck_assert_uint_eq(range.pgoff, 0x26000);
    ck_assert_uint_eq(range.major, 0xfe);
    ck_assert_uint_eq(range.inode, 1234567);
    ck_assert(range.exec);
    ck_assert_str_eq(range.path, "/usr/lib/libc.so.6");
}
END_TEST

START_TEST(odd_names_of_mapped_files_are_kept)
{
    static const struct {
        const char *line, *path;
    } cases[] = {
        {"1000-2000 r-xp 0 00:00 5 /tmp/a b  c (deleted)", "/tmp/a b  c (deleted)"},
        {"1000-2000 r-xp 0 00:00 5 /tmp/line\\012break", "/tmp/line\nbreak"},
        {"1000-2000 r-xp 0 00:00 0", ""},
        {"1000-2000 r-xp 0 00:00 0 ", ""},
        {"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]", "[vsyscall]"},
    };
    struct maps_range range;
    char path[256];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ck_assert_int_gt(maps_parse_line(cases[i].line, strlen(cases[i].line), &range, path, sizeof(path)), 0);
        ck_assert_str_eq(range.path, cases[i].path);
    }
}
END_TEST

START_TEST(lines_that_are_none_are_refused)
{
    static const char *const lines[] = {"", "\n", "garbage", "2000-1000 r-xp 0 00:00 0", "1000-2000 rx", "1000"};
    struct maps_range range;
    char path[16];

    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
        ck_assert_int_eq(maps_parse_line(lines[i], strlen(lines[i]), &range, path, sizeof(path)), -EINVAL);
}
END_TEST

START_TEST(a_long_name_is_cut_and_not_overrun)
{
    char line[600] = "1000-2000 r-xp 0 00:00 5 /", path[16];
    struct maps_range range;

    memset(line + strlen(line), 'x', 500);
    ck_assert_int_gt(maps_parse_line(line, strlen(line), &range, path, sizeof(path)), 0);
    ck_assert_uint_eq(strlen(path), 15);
}
END_TEST

START_TEST(a_new_mapping_replaces_what_it_covers)
{
    struct address_space space = {.pid = 1};

    begin();
    add(&space, 0x10000, 0x20000, 0, "/nowhere/a");
    add(&space, 0x30000, 0x40000, 0, "/nowhere/b");
    ck_assert_str_eq(listing(&space), "10-20:/nowhere/a 30-40:/nowhere/b");
    add(&space, 0x14000, 0x18000, 0, "/nowhere/c"); /* inside */
    ck_assert_str_eq(listing(&space), "10-14:/nowhere/a 14-18:/nowhere/c 18-20:/nowhere/a 30-40:/nowhere/b");
    add(&space, 0x1c000, 0x34000, 0, "/nowhere/d"); /* the end of one and the start of another */
    ck_assert_str_eq(listing(&space),
                     "10-14:/nowhere/a 14-18:/nowhere/c 18-1c:/nowhere/a 1c-34:/nowhere/d 34-40:/nowhere/b");
    add(&space, 0x0, 0x100000, 0, "/nowhere/e"); /* all of it */
    ck_assert_str_eq(listing(&space), "0-100:/nowhere/e");
    end(&space);
}
END_TEST

START_TEST(an_address_belongs_to_the_mapping_around_it)
{
    struct address_space space = {.pid = 1};

    begin();
    add(&space, 0x10000, 0x20000, 0x5000, "/nowhere/a");
    ck_assert_ptr_null(maps_find(&space, 0xffff));
    ck_assert_ptr_nonnull(maps_find(&space, 0x10000));
    ck_assert_ptr_nonnull(maps_find(&space, 0x1ffff));
    ck_assert_ptr_null(maps_find(&space, 0x20000));
    /* A file that cannot be read: the offset in the file stands for the address. */
    ck_assert_uint_eq(maps_find(&space, 0x10000)->bias, 0x10000 - 0x5000);
    end(&space);
}
END_TEST

START_TEST(the_space_gets_a_new_id_only_when_something_is_replaced)
{
    struct address_space space = {.pid = 1}, child = {.pid = 2};
    uint16_t id;

    begin();
    add(&space, 0x10000, 0x20000, 0, "/nowhere/a");
    id = space.id;
    ck_assert_uint_ne(id, 0);
    add(&space, 0x30000, 0x40000, 0, "/nowhere/b");
    add(&space, 0x30000, 0x40000, 0, "/nowhere/b");
    ck_assert_uint_eq(space.id, id);
    maps_fork(&maps, &child, &space);
    ck_assert_uint_eq(child.id, id);
    add(&child, 0x30000, 0x40000, 0, "/nowhere/c");
    ck_assert_uint_ne(child.id, id);
    ck_assert_str_eq(listing(&space), "10-20:/nowhere/a 30-40:/nowhere/b");
    ck_assert_str_eq(listing(&child), "10-20:/nowhere/a 30-40:/nowhere/c");
    maps_exec(&maps, &space);
    ck_assert_uint_eq(space.count, 0);
    ck_assert_uint_ne(space.id, id);
    maps_space_release(&child);
    end(&space);
}
END_TEST

START_TEST(ids_that_start_over_are_announced)
{
    struct address_space space = {.pid = 1};

    begin();
    for (unsigned i = 0; i < 70000; i++) {
        maps_exec(&maps, &space);
        ck_assert_uint_ne(space.id, 0);
    }
    ck_assert_uint_eq(maps.space_generation, 1);
    end(&space);
}
END_TEST

START_TEST(code_without_a_file_belongs_to_its_process)
{
    struct address_space space = {.pid = 7}, child = {.pid = 8};

    begin();
    add(&space, 0x10000, 0x20000, 0, "//anon");
    add(&space, 0x20000, 0x30000, 0, "//anon"); /* grows the one before */
    ck_assert_str_eq(listing(&space), "10-30:[anon:7]");
    ck_assert_uint_eq(space.mappings[0].bias, 0);
    maps_fork(&maps, &child, &space);
    ck_assert_str_eq(listing(&child), "10-30:[anon:8]");
    maps_space_release(&child);
    end(&space);
}
END_TEST

/* The truth about a mapping is our own: a function's address less its bias is its value in the symbol table. */
START_TEST(our_own_maps_lead_to_our_own_code)
{
    struct address_space space = {.pid = (uint32_t)getpid()};
    uint64_t here = (uint64_t)(uintptr_t)&maps_find, there = (uint64_t)(uintptr_t)&snprintf;
    struct rs_unwind_module scratch;
    struct mapping *mapping;
    uint64_t word;
    uint32_t frame;

    begin();
    ck_assert_int_gt(maps_read_proc(&maps, &space), 2);
    mapping = maps_find(&space, here);
    ck_assert_ptr_nonnull(mapping);
    ck_assert_ptr_nonnull(mapping->object->image);
    ck_assert_ptr_ne(maps_unwind_module(mapping, &scratch), &scratch);
    ck_assert(maps_read_code(&space, here, &word));
    ck_assert_int_eq(memcmp(&word, (const void *)(uintptr_t)here, sizeof(word)), 0);
    frame = maps_frame(&maps, &space, here);
    ck_assert_uint_eq(session->tree.frames[frame].addr, here - mapping->bias);
    /* Position-independent, so that the bias is the first byte of the file in memory: an ELF header. */
    ck_assert_int_eq(memcmp((const void *)(uintptr_t)mapping->bias, "\177ELF", 4), 0);
    ck_assert_ptr_ne(maps_find(&space, there)->object, mapping->object);
    ck_assert_ptr_null(strstr(strings_get(&session->strings, session->tree.modules[0].name), "/"));
    end(&space);
}
END_TEST

static int copy_file(const char *from, const char *to)
{
    char command[512];

    snprintf(command, sizeof(command), "cp %s %s", from, to);
    return system(command);
}

START_TEST(a_deleted_file_is_read_while_its_process_lives_and_a_replaced_one_is_not_taken)
{
    struct address_space space = {.pid = (uint32_t)getpid()};
    char path[] = "/tmp/rustscope-maps-XXXXXX", gone[64];
    struct maps_range range = {.exec = true};
    struct stat st;
    void *map;
    int fd;

    begin();
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(copy_file("/proc/self/exe", path), 0);
    fstat(fd, &st);
    map = mmap(NULL, 0x1000, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    ck_assert_ptr_ne(map, MAP_FAILED);
    unlink(path);
    snprintf(gone, sizeof(gone), "%s (deleted)", path);
    range.start = (uintptr_t)map;
    range.end = range.start + 0x1000;
    range.inode = st.st_ino;
    range.path = gone;
    maps_add(&maps, &space, &range);
    if (geteuid() == 0) /* map_files needs CAP_CHECKPOINT_RESTORE */
        ck_assert_ptr_nonnull(space.mappings[0].object->image);

    /* Another file under the old path. */
    ck_assert_int_eq(copy_file("/proc/self/exe", path), 0);
    range.path = path;
    range.start += 0x10000000;
    range.end += 0x10000000;
    maps_add(&maps, &space, &range);
    ck_assert_ptr_null(maps_find(&space, range.start)->object->image);
    unlink(path);
    munmap(map, 0x1000);
    close(fd);
    end(&space);
}
END_TEST

START_TEST(a_path_that_leads_to_a_pipe_does_not_block)
{
    struct address_space space = {.pid = 1};
    char path[] = "/tmp/rustscope-fifo-XXXXXX";

    begin();
    ck_assert_int_ge(close(mkstemp(path)), 0);
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    add(&space, 0x1000, 0x2000, 0, path);
    ck_assert_ptr_null(space.mappings[0].object->image);
    unlink(path);
    end(&space);
}
END_TEST

SUITE("maps", a_line_of_proc_maps_is_parsed, odd_names_of_mapped_files_are_kept, lines_that_are_none_are_refused,
      a_long_name_is_cut_and_not_overrun, a_new_mapping_replaces_what_it_covers,
      an_address_belongs_to_the_mapping_around_it, the_space_gets_a_new_id_only_when_something_is_replaced,
      ids_that_start_over_are_announced, code_without_a_file_belongs_to_its_process, our_own_maps_lead_to_our_own_code,
      a_deleted_file_is_read_while_its_process_lives_and_a_replaced_one_is_not_taken,
      a_path_that_leads_to_a_pipe_does_not_block)
