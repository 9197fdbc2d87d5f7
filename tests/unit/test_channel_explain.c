/* SPDX-License-Identifier: MIT */
#include "collect/channel/explain.h"

#include <string.h>

#include "suite.h"

enum { MB = 1000000 };

static char sentence[512];

static const char *bypass(struct shim_allocator found, bool hooks_operators, struct explain_memory memory)
{
    sentence[0] = '\0';
    return explain_bypass(&found, hooks_operators, &memory, sentence, sizeof(sentence));
}

START_TEST(a_program_whose_malloc_is_seen_needs_no_sentence)
{
    ck_assert_ptr_null(bypass((struct shim_allocator){0}, false,
                              (struct explain_memory){.allocations = 5, .heap_peak = 90 * MB, .anon_peak = 100 * MB}));
    ck_assert_str_eq(sentence, "");
}
END_TEST

START_TEST(memory_that_the_program_maps_itself_is_accounted_for)
{
    const struct explain_memory memory = {
        .allocations = 5, .heap_peak = 1 * MB, .outside_peak = 60 * MB, .anon_peak = 70 * MB};

    ck_assert(explain_is_suspicious(&memory));
    ck_assert_ptr_null(bypass((struct shim_allocator){0}, false, memory));
}
END_TEST

START_TEST(memory_that_nobody_accounts_for_is_said_with_both_figures)
{
    const struct explain_memory memory = {.allocations = 5, .heap_peak = 1500000, .anon_peak = 70 * MB};

    ck_assert_str_eq(bypass((struct shim_allocator){0}, false, memory), "an allocator of its own bypasses malloc");
    ck_assert_ptr_nonnull(strstr(sentence, "70 MB were taken, but only 1.5 MB"));
}
END_TEST

START_TEST(a_linked_allocator_is_named_although_the_program_maps_memory)
{
    const struct explain_memory memory = {
        .allocations = 5, .heap_peak = 1 * MB, .outside_peak = 60 * MB, .anon_peak = 70 * MB};

    ck_assert_ptr_nonnull(bypass((struct shim_allocator){.name = "mimalloc", .linked_in = true}, false, memory));
    ck_assert_ptr_nonnull(strstr(sentence, "mimalloc that is linked into the program"));
}
END_TEST

START_TEST(small_programs_are_not_suspicious)
{
    ck_assert(!explain_is_suspicious(&(struct explain_memory){.anon_peak = 15999999}));
    ck_assert(explain_is_suspicious(&(struct explain_memory){.anon_peak = 16000000}));
    ck_assert(!explain_is_suspicious(&(struct explain_memory){.heap_peak = 8000000, .anon_peak = 16000000}));
}
END_TEST

START_TEST(malloc_in_the_programs_own_file_matters_only_when_nothing_was_recorded)
{
    const struct shim_allocator own = {.name = "jemalloc", .is_malloc = true};

    ck_assert_str_eq(bypass(own, false, (struct explain_memory){.anon_peak = MB}),
                     "malloc is in the program's own file");
    ck_assert_ptr_nonnull(strstr(sentence, "(jemalloc)"));
    ck_assert_ptr_null(bypass(own, false, (struct explain_memory){.allocations = 1, .anon_peak = MB}));
    bypass((struct shim_allocator){.is_malloc = true}, false, (struct explain_memory){0});
    ck_assert_ptr_nonnull(strstr(sentence, "(its own)"));
}
END_TEST

START_TEST(operators_of_another_allocator_matter_only_without_the_second_shim)
{
    const struct shim_allocator takes_new = {.name = "tcmalloc", .takes_new = true};

    ck_assert_ptr_nonnull(bypass(takes_new, false, (struct explain_memory){.allocations = 1}));
    ck_assert_ptr_nonnull(strstr(sentence, "operator new is that of tcmalloc"));
    ck_assert_ptr_null(bypass(takes_new, true, (struct explain_memory){.allocations = 1}));
}
END_TEST

/* The warnings of LOSSES, joined by line breaks. */
static const char *warned(struct explain_losses losses)
{
    static char all[4096];
    struct session *s = session_new(0, 0);

    all[0] = '\0';
    explain_losses(s, &losses);
    for (size_t i = 0; i < s->diagnostics.warning_count; i++) {
        strncat(all, strings_get(&s->strings, s->diagnostics.warnings[i]), sizeof(all) - strlen(all) - 2);
        strcat(all, "\n"); /* NOLINT: bounded by the line above */
    }
    session_free(s);
    return all;
}

START_TEST(nothing_lost_is_nothing_said)
{
    ck_assert_str_eq(warned((struct explain_losses){.unknown_frees = 99}), "");
}
END_TEST

START_TEST(totals_are_called_complete_only_where_they_are)
{
    ck_assert_ptr_nonnull(strstr(warned((struct explain_losses){.dropped = 7}), "7 allocation events were dropped"));
    ck_assert_ptr_nonnull(strstr(warned((struct explain_losses){.dropped = 7}), "; totals are complete"));
    ck_assert_ptr_null(
        strstr(warned((struct explain_losses){.dropped = 7, .blind_ns = 12000000000}), "totals are complete"));
    ck_assert_ptr_nonnull(strstr(warned((struct explain_losses){.blind_ns = 12000000000}), "was stopped for 12 s"));
}
END_TEST

START_TEST(frees_of_unknown_blocks_are_explained_unless_events_were_dropped)
{
    ck_assert_ptr_nonnull(strstr(warned((struct explain_losses){.unknown_frees = 100}), "100 blocks were freed"));
    ck_assert_ptr_null(
        strstr(warned((struct explain_losses){.unknown_frees = 100, .dropped = 1}), "blocks were freed"));
    ck_assert_ptr_nonnull(strstr(warned((struct explain_losses){.uncertain = 3}), "3 blocks are not called leaks"));
}
END_TEST

SUITE("channel_explain", a_program_whose_malloc_is_seen_needs_no_sentence,
      memory_that_the_program_maps_itself_is_accounted_for, memory_that_nobody_accounts_for_is_said_with_both_figures,
      a_linked_allocator_is_named_although_the_program_maps_memory, small_programs_are_not_suspicious,
      malloc_in_the_programs_own_file_matters_only_when_nothing_was_recorded,
      operators_of_another_allocator_matter_only_without_the_second_shim, nothing_lost_is_nothing_said,
      totals_are_called_complete_only_where_they_are, frees_of_unknown_blocks_are_explained_unless_events_were_dropped)
