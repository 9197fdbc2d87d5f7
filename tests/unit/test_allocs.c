/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <unistd.h>

#include "analyze/allocs.h"
#include "base/alloc.h"
#include "suite.h"

START_TEST(suppression_patterns_are_leaksanitizers)
{
    ck_assert(allocs_pattern_matches("foo", "a_foo_b"));
    ck_assert(allocs_pattern_matches("^foo", "foobar"));
    ck_assert(!allocs_pattern_matches("^foo", "a_foo"));
    ck_assert(allocs_pattern_matches("foo$", "a_foo"));
    ck_assert(!allocs_pattern_matches("foo$", "foo_b"));
    ck_assert(allocs_pattern_matches("^foo$", "foo"));
    ck_assert(!allocs_pattern_matches("^foo$", "foofoo"));
    ck_assert(allocs_pattern_matches("f*o$", "f_and_foo"));
    ck_assert(allocs_pattern_matches("a*b*c", "xxaybzc!"));
    ck_assert(!allocs_pattern_matches("a*b*c", "xxaybz"));
    ck_assert(allocs_pattern_matches("*", ""));
}
END_TEST

static int32_t path(struct session *s, int32_t parent, const char *name)
{
    return calltree_child(&s->tree, parent,
                          calltree_named_frame(&s->tree, strings_add_str(&s->strings, name), LAYER_USER));
}

START_TEST(a_spike_names_the_paths_that_grew_in_its_time)
{
    struct session *s = session_new(0, 0);
    int32_t root = path(s, CALLTREE_NO_NODE, "main"), grow = path(s, root, "grow"), pass = path(s, root, "pass");
    struct session_event *event;
    uint32_t index;

    s->allocations.measured = true;
    rows_add(&s->alloc_rows, 50000000, (uint32_t)pass, 0, (int64_t[]){900, 9, 900});
    rows_add(&s->alloc_rows, 1050000000, (uint32_t)grow, 0, (int64_t[]){500, 5, 500});
    rows_add(&s->alloc_rows, 1150000000, (uint32_t)grow, 1, (int64_t[]){100, 1, 100});
    rows_add(&s->alloc_rows, 1150000000, (uint32_t)pass, 0, (int64_t[]){0, 0, -900});
    index = session_add_event(s, EVENT_MEMORY_SPIKE, 1000000000, -1);
    event = &s->events[index];
    event->end_ns = 1200000000;
    allocs_analyze(s);
    ck_assert_uint_eq(event->allocation_count, 1);
    ck_assert_int_eq(event->allocations[0].bytes, 600);
    ck_assert_str_eq(strings_get(&s->strings, event->allocations[0].path), "grow ← main");
    session_free(s);
}
END_TEST

START_TEST(what_is_freed_after_the_peak_does_not_hide_the_growth)
{
    struct session *s = session_new(0, 0);
    int32_t root = path(s, CALLTREE_NO_NODE, "main"), grow = path(s, root, "grow"), keep = path(s, root, "keep");
    struct session_event *event;
    uint32_t index;

    s->allocations.measured = true;
    rows_add(&s->alloc_rows, 50000000, (uint32_t)grow, 0, (int64_t[]){12000, 12, 12000});
    rows_add(&s->alloc_rows, 950000000, (uint32_t)grow, 0, (int64_t[]){0, 0, -12000});
    rows_add(&s->alloc_rows, 950000000, (uint32_t)keep, 0, (int64_t[]){64, 1, 64});
    index = session_add_event(s, EVENT_MEMORY_SPIKE, 0, -1);
    event = &s->events[index];
    event->end_ns = 901000000; /* the peak; the program gave everything back in the same bucket */
    allocs_analyze(s);
    ck_assert_uint_eq(event->allocation_count, 2);
    ck_assert_int_eq(event->allocations[0].node, grow);
    ck_assert_int_eq(event->allocations[0].bytes, 11880);
    ck_assert_int_eq(event->allocations[1].bytes, 64);
    session_free(s);
}
END_TEST

START_TEST(a_spike_of_one_process_names_no_other_ones_paths)
{
    struct session *s = session_new(0, 0);
    int32_t root = path(s, CALLTREE_NO_NODE, "main"), mine = path(s, root, "mine"), other = path(s, root, "other");
    uint32_t first = session_add_process(s, 10, -1, 0), second = session_add_process(s, 11, 0, 0);
    uint32_t thread = session_thread(s, first, 10, 0), other_thread = session_thread(s, second, 11, 0);
    struct session_event *event;
    uint32_t index;

    s->allocations.measured = true;
    rows_add(&s->alloc_rows, 50000000, (uint32_t)mine, thread, (int64_t[]){100, 1, 100});
    rows_add(&s->alloc_rows, 50000000, (uint32_t)other, other_thread, (int64_t[]){900, 9, 900});
    index = session_add_event(s, EVENT_MEMORY_SPIKE, 0, (int32_t)first);
    event = &s->events[index];
    event->end_ns = 200000000;
    allocs_analyze(s);
    ck_assert_uint_eq(event->allocation_count, 1);
    ck_assert_int_eq(event->allocations[0].node, mine);
    session_free(s);
}
END_TEST

START_TEST(known_and_named_leaks_are_set_apart)
{
    struct session *s = session_new(0, 0);
    int32_t root = path(s, CALLTREE_NO_NODE, "main");
    char file[] = "/tmp/suppressXXXXXX";
    int fd = mkstemp(file);

    dprintf(fd, "# comment\nrace:mine\nleak:^named$\n");
    close(fd);
    s->allocations.measured = true;
    s->allocations.suppress_file = strings_add_str(&s->strings, file);
    s->allocations.leaks = xcalloc(3, sizeof(*s->allocations.leaks));
    s->allocations.leak_count = 3;
    s->allocations.leaked_bytes = 111;
    s->allocations.leaked_count = 6;
    for (uint64_t i = 0, bytes = 1; i < 3; i++, bytes *= 10)
        s->allocations.leaks[i] = (struct leak){.bytes = bytes, .count = i + 1};
    s->allocations.leaks[0].node = path(s, path(s, root, "mine"), "malloc");
    s->allocations.leaks[1].node = path(s, path(s, root, "named"), "malloc");
    s->allocations.leaks[2].node = path(s, path(s, root, "_dl_allocate_tls"), "calloc");
    allocs_analyze(s);
    ck_assert(!s->allocations.leaks[0].suppressed);
    ck_assert(s->allocations.leaks[1].suppressed);
    ck_assert(s->allocations.leaks[2].suppressed);
    ck_assert_uint_eq(s->allocations.leaked_bytes, 1);
    ck_assert_uint_eq(s->allocations.leaked_count, 1);
    allocs_analyze(s); /* a session is analysed again when its symbols are read again */
    ck_assert_uint_eq(s->allocations.leaked_bytes, 1);
    unlink(file);
    session_free(s);
}
END_TEST

SUITE("allocs", suppression_patterns_are_leaksanitizers, a_spike_names_the_paths_that_grew_in_its_time,
      what_is_freed_after_the_peak_does_not_hide_the_growth, a_spike_of_one_process_names_no_other_ones_paths,
      known_and_named_leaks_are_set_apart)
