/* SPDX-License-Identifier: MIT */
/* What scopes promise in one thread. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib_test.h"

static __attribute__((noinline)) void leaf(void)
{
    RS_PROFILE_FUNC();
}

START_TEST(calls_are_counted_exactly)
{
    struct rustscope_function f;

    rustscope_reset();
    for (int i = 0; i < 12345; i++)
        leaf();
    f = figures_of("leaf");
    ck_assert_uint_eq(f.calls, 12345);
    ck_assert_uint_eq(f.timed_calls, 12345);
    ck_assert_str_eq(strrchr(f.file, '/'), "/test_lib_scopes.c");
    ck_assert_uint_gt(f.line, 0);
    ck_assert_uint_eq(f.max_depth, 1);
}
END_TEST

START_TEST(figures_are_in_order)
{
    struct rustscope_function f;

    rustscope_reset();
    for (uint64_t i = 0; i < 200; i++) {
        RS_PROFILE("ordered");
        spin_ns(1000 + 100 * i);
    }
    f = figures_of("ordered");
    ck_assert_double_gt(f.min_ns, 900);
    ck_assert_double_le(f.min_ns, f.p50_ns);
    ck_assert_double_le(f.p50_ns, f.p95_ns);
    ck_assert_double_le(f.p95_ns, f.p99_ns);
    ck_assert_double_le(f.p99_ns, f.max_ns);
    ck_assert_double_le(f.self_ns, f.total_ns);
    ck_assert_double_eq_tol(f.mean_ns * 200, f.total_ns, 1);
    ck_assert_double_gt(f.p50_ns, 10000);
    ck_assert_double_lt(f.min_ns, 10000);
}
END_TEST

START_TEST(self_is_total_without_the_scopes_inside)
{
    struct rustscope_function outer, inner;

    rustscope_reset();
    for (int i = 0; i < 5; i++) {
        RS_PROFILE("outer");
        spin_ns(2000000);
        RS_PROFILE_BLOCK("inner") {
            spin_ns(6000000);
        }
    }
    outer = figures_of("outer");
    inner = figures_of("inner");
    ck_assert_double_ge(outer.total_ns, 5 * 8e6);
    ck_assert_double_ge(inner.self_ns, 5 * 6e6);
    ck_assert_double_eq_tol(outer.self_ns + inner.total_ns, outer.total_ns, 1000);
    ck_assert_uint_eq(paths_of("inner", 1).calls, 5);
    ck_assert_uint_eq(paths_of("inner", 0).calls, 0);
}
END_TEST

static __attribute__((noinline)) unsigned recurse(unsigned depth)
{
    RS_PROFILE_FUNC();
    spin_ns(10000);
    return depth > 1 ? recurse(depth - 1) + 1 : 1;
}

START_TEST(recursion_has_its_depth_and_counts_once)
{
    struct rustscope_function f;
    uint64_t begin, took;

    rustscope_reset();
    begin = now_ns();
    ck_assert_uint_eq(recurse(7), 7);
    ck_assert_uint_eq(recurse(3), 3);
    took = now_ns() - begin;
    f = figures_of("recurse");
    ck_assert_uint_eq(f.calls, 10);
    ck_assert_uint_eq(f.max_depth, 7);
    ck_assert_double_ge(f.total_ns, 10 * 10000);
    ck_assert_double_le(f.total_ns, (double)took * 1.001 + 100);
    ck_assert_double_eq_tol(f.self_ns, f.total_ns, f.total_ns * 0.001);
    ck_assert_uint_eq(paths_of("recurse", ~0u).paths, 2);
}
END_TEST

static unsigned odd(unsigned n);
static __attribute__((noinline)) unsigned even(unsigned n)
{
    RS_PROFILE_FUNC();
    return n ? odd(n - 1) : 1;
}

static __attribute__((noinline)) unsigned odd(unsigned n)
{
    RS_PROFILE_FUNC();
    return n ? even(n - 1) : 0;
}

START_TEST(deep_mutual_recursion_keeps_the_tree_small)
{
    rustscope_reset();
    for (unsigned n = 0; n < 500; n++)
        ck_assert_uint_eq(even(n), n % 2 == 0);
    ck_assert_uint_eq(figures_of("even").calls + figures_of("odd").calls, 500 * 501 / 2);
    ck_assert_uint_le(paths_of("even", ~0u).paths, 2);
    ck_assert_uint_eq(figures_of("even").max_depth, 250);
    ck_assert_double_le(figures_of("odd").total_ns, figures_of("even").total_ns);
}
END_TEST

START_TEST(reset_forgets_and_goes_on)
{
    rustscope_reset();
    for (int i = 0; i < 100; i++)
        leaf();
    rustscope_reset();
    ck_assert_uint_eq(figures_of("leaf").calls, 0);
    for (int i = 0; i < 7; i++)
        leaf();
    ck_assert_uint_eq(figures_of("leaf").calls, 7);
    RS_PROFILE("open at the reset");
    spin_ns(1000000);
    rustscope_reset();
    RS_PROFILE_BLOCK("after the reset") {
    }
    ck_assert_uint_eq(figures_of("open at the reset").calls, 0);
    ck_assert_uint_eq(figures_of("after the reset").calls, 1);
}
END_TEST

START_TEST(conditional_scopes_count_when_the_condition_holds)
{
    rustscope_reset();
    for (int i = 0; i < 100; i++) {
        RS_PROFILE_IF(i % 4 == 0, "conditional");
    }
    ck_assert_uint_eq(figures_of("conditional").calls, 25);
}
END_TEST

static int classify(int i)
{
    RS_PROFILE_BLOCK("early return") {
        if (i % 2)
            return 1;
    }
    return 0;
}

START_TEST(blocks_end_by_break_continue_and_return)
{
    int ones = 0;

    rustscope_reset();
    for (int i = 0; i < 10; i++)
        ones += classify(i);
    for (int i = 0; i < 10; i++) {
        RS_PROFILE_BLOCK("broken out of") {
            if (i == 3)
                break; /* leaves the block, not the loop */
        }
        RS_PROFILE("continued");
        if (i % 2)
            continue;
    }
    ck_assert_int_eq(ones, 5);
    ck_assert_uint_eq(figures_of("early return").calls, 10);
    ck_assert_uint_eq(figures_of("broken out of").calls, 10);
    ck_assert_uint_eq(figures_of("continued").calls, 10);
    ck_assert_uint_eq(paths_of("continued", 0).paths, 1);
}
END_TEST

START_TEST(a_measured_expression_has_its_value)
{
    int value;

    rustscope_reset();
    value = RS_PROFILE_VALUE("expression", recurse(3) + 4);
    ck_assert_int_eq(value, 7);
    ck_assert_uint_eq(figures_of("expression").calls, 1);
    ck_assert_uint_eq(paths_of("recurse", 1).calls, 1);
}
END_TEST

static void sometimes_slow(unsigned ms)
{
    RS_PROFILE("sometimes slow");
    spin_ns(ms ? ms * UINT64_C(1000000) : 20000);
}

START_TEST(an_outlier_fires_after_the_warm_up_and_not_before)
{
    rustscope_reset();
    for (int i = 0; i < 9; i++)
        sometimes_slow(0);
    sometimes_slow(50); /* the tenth call: nothing is known yet */
    ck_assert_uint_eq(figures_of("sometimes slow").outlier_count, 0);

    rustscope_reset();
    for (int i = 0; i < 20; i++)
        sometimes_slow(0);
    ck_assert_uint_le(figures_of("sometimes slow").outlier_count, 3); /* the machine's own */
    rustscope_reset();
    for (int i = 0; i < 20; i++)
        sometimes_slow(0);
    sometimes_slow(50);
    ck_assert_uint_ge(figures_of("sometimes slow").outlier_count, 1);
    ck_assert_double_ge(figures_of("sometimes slow").max_ns, 50e6);
}
END_TEST

START_TEST(sigma_and_warm_up_can_be_set)
{
    rustscope_set_outlier_sigma(1e12);
    rustscope_reset();
    for (int i = 0; i < 20; i++)
        sometimes_slow(0);
    sometimes_slow(50);
    ck_assert_uint_eq(figures_of("sometimes slow").outlier_count, 0);
    rustscope_set_outlier_sigma(3);
    rustscope_set_outlier_warmup(30);
    rustscope_reset();
    for (int i = 0; i < 20; i++)
        sometimes_slow(0);
    sometimes_slow(50);
    ck_assert_uint_eq(figures_of("sometimes slow").outlier_count, 0);
    rustscope_set_outlier_warmup(10);
}
END_TEST

struct told {
    unsigned times;
    uint64_t took_ns, budget_ns;
    char name[32];
};

static void tell(const char *name, uint64_t took_ns, uint64_t budget_ns, void *ctx)
{
    struct told *t = ctx;

    RS_PROFILE("inside the callback");
    t->times++;
    t->took_ns = took_ns;
    t->budget_ns = budget_ns;
    snprintf(t->name, sizeof(t->name), "%s", name);
}

static void budgeted(unsigned ms)
{
    RS_PROFILE("budgeted");
    if (ms)
        spin_ns(ms * UINT64_C(1000000));
}

START_TEST(budget_violations_are_counted_and_told)
{
    struct told told = {0};

    rustscope_reset();
    budgeted(0); /* known before its budget is */
    ck_assert_int_eq(rustscope_set_budget("budgeted", 5000000, tell, &told), 0);
    for (int i = 0; i < 100; i++)
        budgeted(0);
    ck_assert_uint_eq(told.times, 0);
    budgeted(20);
    budgeted(10);
    ck_assert_uint_eq(told.times, 2);
    ck_assert_str_eq(told.name, "budgeted");
    ck_assert_uint_ge(told.took_ns, 10000000);
    ck_assert_uint_eq(told.budget_ns, 5000000);
    ck_assert_uint_eq(figures_of("budgeted").budget_violations, 2);
    ck_assert_double_eq_tol((double)figures_of("budgeted").budget_ns, 5e6, 5e3);
    ck_assert_uint_eq(paths_of("inside the callback", 0).calls, 2);
    ck_assert_int_eq(rustscope_set_budget("budgeted", 0, NULL, NULL), 0);
    budgeted(10);
    ck_assert_uint_eq(told.times, 2);
}
END_TEST

START_TEST(pause_stops_and_resume_goes_on)
{
    rustscope_reset();
    leaf();
    rustscope_pause();
    for (int i = 0; i < 10; i++)
        leaf();
    rustscope_resume();
    leaf();
    ck_assert_uint_eq(figures_of("leaf").calls, 2);
    RS_PROFILE_BLOCK("paused inside") {
        rustscope_pause();
    }
    rustscope_resume();
    ck_assert_uint_eq(figures_of("paused inside").calls, 1);
}
END_TEST

START_TEST(counting_and_sampling_count_exactly)
{
    struct rustscope_function f;

    rustscope_reset();
    for (int i = 0; i < 100000; i++) {
        RS_PROFILE_MODE("counted", RUSTSCOPE_COUNT);
        RS_PROFILE_MODE("sampled", RUSTSCOPE_SAMPLED);
    }
    f = figures_of("counted");
    ck_assert_uint_eq(f.calls, 100000);
    ck_assert_uint_eq(f.timed_calls, 0);
    f = figures_of("sampled");
    ck_assert_uint_eq(f.calls, 100000);
    /* 1 in 64 at random: 1562 on average and 32 to begin with; the standard deviation is about 23 */
    ck_assert_uint_gt(f.timed_calls, 1400);
    ck_assert_uint_lt(f.timed_calls, 1800);
}
END_TEST

START_TEST(sampling_estimates_total_and_self)
{
    struct rustscope_function outer, inner;

    rustscope_reset();
    for (int i = 0; i < 2000; i++) {
        RS_PROFILE_MODE("sampled outer", RUSTSCOPE_SAMPLED);
        spin_ns(4000);
        {
            RS_PROFILE_MODE("sampled inner", RUSTSCOPE_SAMPLED);
            spin_ns(8000);
        }
    }
    outer = figures_of("sampled outer");
    inner = figures_of("sampled inner");
    /* Two figures of the same loop; preemption may hit either, so the bounds are wide. */
    ck_assert_double_ge(outer.total_ns, 2000 * 11500.0);
    ck_assert_double_ge(inner.total_ns, 2000 * 7900.0);
    ck_assert_double_le(outer.self_ns, outer.total_ns);
}
END_TEST

START_TEST(precise_tells_short_bodies_from_nothing)
{
    rustscope_reset();
    for (int i = 0; i < 10000; i++) {
        {
            RS_PROFILE_MODE("precise nothing", RUSTSCOPE_PRECISE);
        }
        {
            RS_PROFILE_MODE("precise something", RUSTSCOPE_PRECISE);
            for (int k = 0; k < 200; k++)
                __asm__ volatile("" ::: "memory");
        }
    }
    ck_assert_double_lt(figures_of("precise nothing").p50_ns, 15);
    ck_assert_double_gt(figures_of("precise something").p50_ns, figures_of("precise nothing").p50_ns + 20);
}
END_TEST

START_TEST(a_site_finds_its_way_from_many_parents)
{
    RS_SITE(parent_a, "parent");
    RS_SITE(parent_b, "parent");
    RS_SITE(parent_c, "parent");
    RS_SITE(parent_d, "parent");
    struct rustscope_site *parents[] = {&parent_a, &parent_b, &parent_c, &parent_d};

    rustscope_reset();
    for (int i = 0; i < 1000; i++) {
        struct rustscope_frame frame;

        rustscope_enter(&frame, parents[i % 4]);
        leaf();
        rustscope_leave(&frame);
    }
    ck_assert_uint_eq(paths_of("leaf", 1).paths, 4);
    ck_assert_uint_eq(paths_of("leaf", 1).calls, 1000);
    ck_assert_uint_eq(figures_of("parent").calls, 1000); /* one name in one file is one function */
}
END_TEST

struct inner_count {
    uint64_t calls;
    unsigned paths;
};

static void count_inner(const struct rustscope_function *path, unsigned depth, void *ctx)
{
    struct inner_count *c = ctx;

    (void)depth;
    if (strncmp(path->name, "inner ", 6))
        return;
    c->calls += path->calls;
    c->paths++;
}

START_TEST(call_paths_are_bounded)
{
    enum { WIDE = 80 };
    static struct rustscope_site outer[WIDE], inner[WIDE];
    static char names[2 * WIDE][16];
    struct rustscope_info info = {.size = sizeof(info)};
    struct rustscope_snapshot *s;
    struct inner_count inner_count = {0, 0};

    rustscope_reset();
    for (int i = 0; i < 2 * WIDE; i++) {
        snprintf(names[i], sizeof(names[i]), "%s %d", i < WIDE ? "wide" : "inner", i % WIDE);
        (i < WIDE ? outer : inner)[i % WIDE] = (struct rustscope_site){.name = names[i], .line = (uint32_t)i};
    }
    for (int a = 0; a < WIDE; a++) {
        for (int b = 0; b < WIDE; b++) {
            struct rustscope_frame frames[2];

            rustscope_enter(&frames[0], &outer[a]);
            rustscope_enter(&frames[1], &inner[b]);
            rustscope_leave(&frames[1]);
            rustscope_leave(&frames[0]);
        }
    }
    s = rustscope_collect();
    rustscope_foreach_path(s, count_inner, &inner_count);
    rustscope_snapshot_free(s);
    ck_assert_uint_eq(inner_count.calls, WIDE * WIDE);
    ck_assert_uint_lt(inner_count.paths, 4300);
    ck_assert_int_eq(rustscope_get_info(&info), 0);
    ck_assert_uint_gt(info.folded_paths, 0);
}
END_TEST

START_TEST(allocated_bytes_are_charged_to_the_scope)
{
    rustscope_reset();
    RS_PROFILE_BLOCK("allocates") {
        rustscope_count_allocation(1000);
        RS_PROFILE_BLOCK("allocates inside") {
            rustscope_count_allocation(500);
        }
    }
    rustscope_count_allocation(5000);
    ck_assert_uint_eq(figures_of("allocates").alloc_bytes, 1500);
    ck_assert_uint_eq(figures_of("allocates inside").alloc_bytes, 500);
    ck_assert_uint_ge(rustscope_allocated().bytes, 6500);
}
END_TEST

static jmp_buf back;

static __attribute__((noinline, noreturn)) void jumps(int deep)
{
    RS_PROFILE("left by longjmp");
    if (deep)
        jumps(deep - 1);
    longjmp(back, 1);
}

static __attribute__((noinline)) void round_of_jumps(void)
{
    if (!setjmp(back))
        jumps(0);
    leaf();
}

START_TEST(longjmp_leaves_scopes_behind_without_harm)
{
    struct rustscope_function f;

    rustscope_reset();
    for (int i = 0; i < 1000; i++)
        round_of_jumps();
    /* Not ended, so not counted; what follows is not inside it. */
    ck_assert_uint_eq(figures_of("left by longjmp").calls, 0);
    ck_assert_uint_eq(paths_of("leaf", 0).calls + paths_of("leaf", 1).calls, 1000);
    {
        RS_PROFILE("around the jump");
        if (!setjmp(back))
            jumps(3);
    }
    leaf();
    ck_assert_uint_eq(figures_of("around the jump").calls, 1);
    ck_assert_uint_eq(paths_of("leaf", 0).paths, 1);
    f = figures_of("around the jump");
    ck_assert_double_le(f.self_ns, f.total_ns);
}
END_TEST

START_TEST(an_error_loop_around_longjmp_keeps_its_paths)
{
    volatile int i;

    rustscope_reset();
    RS_PROFILE("server loop");
    for (i = 0; i < 500; i++) {
        if (!setjmp(back)) {
            RS_PROFILE_BLOCK("request") {
                leaf();
                if (i % 10 == 0)
                    jumps(2);
            }
        }
    }
    ck_assert_uint_eq(figures_of("request").calls, 450);
    ck_assert_uint_eq(paths_of("request", 1).calls, 450);
    ck_assert_uint_eq(paths_of("leaf", 2).calls, 500);
}
END_TEST

static void on_signal(int sig)
{
    RS_PROFILE("handler");
    leaf();
    (void)sig;
}

START_TEST(handlers_may_have_scopes)
{
    struct sigaction action = {.sa_handler = on_signal};

    rustscope_reset();
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 100; i++) {
        RS_PROFILE("interrupted");
        raise(SIGUSR1);
    }
    ck_assert_uint_eq(figures_of("handler").calls, 100);
    ck_assert_uint_eq(paths_of("leaf", 2).calls, 100);
    ck_assert_uint_eq(figures_of("interrupted").calls, 100);
}
END_TEST

START_TEST(handlers_on_their_own_stack_nest_like_others)
{
    static char stack[65536];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};

    rustscope_reset();
    ck_assert_int_eq(sigaltstack(&alternate, NULL), 0);
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 100; i++) {
        RS_PROFILE("interrupted");
        raise(SIGUSR1);
        leaf();
    }
    ck_assert_uint_eq(paths_of("handler", 1).calls, 100);
    ck_assert_uint_eq(paths_of("leaf", 1).calls, 100);
    alternate.ss_flags = SS_DISABLE;
    sigaltstack(&alternate, NULL);
}
END_TEST

static void on_timer(int sig)
{
    static struct rustscope_site sites[64];
    static unsigned at;
    struct rustscope_frame frame;

    /* First uses all the time, at any instruction of the code below. */
    if (at < 64 && !sites[at].name)
        sites[at].name = "first use in a handler";
    sites[at % 64].line = at;
    rustscope_enter(&frame, &sites[at++ % 64]);
    leaf();
    rustscope_leave(&frame);
    (void)sig;
}

START_TEST(first_uses_in_a_handler_are_recorded_or_skipped_and_counted)
{
    struct sigaction action = {.sa_handler = on_timer};
    static struct rustscope_site sites[2000];
    static char names[2000][24];
    uint64_t calls = 0;
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    struct itimerspec often = {{0, 100000}, {0, 100000}}, never = {{0, 0}, {0, 0}};

    rustscope_reset();
    sigaction(SIGUSR2, &action, NULL);
    ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    timer_settime(timer, 0, &often, NULL);
    for (int i = 0; i < 2000; i++) {
        struct rustscope_frame frame;

        snprintf(names[i], sizeof(names[i]), "main's %d", i);
        sites[i].name = names[i];
        rustscope_enter(&frame, &sites[i]);
        rustscope_leave(&frame);
    }
    timer_settime(timer, 0, &never, NULL);
    timer_delete(timer);
    for (int i = 0; i < 2000; i += 100)
        calls += figures_of(names[i]).calls;
    ck_assert_uint_eq(calls, 20);
}
END_TEST

START_TEST(errno_is_left_alone)
{
    rustscope_reset();
    errno = 4711;
    {
        RS_SITE(site, "errno at first use");
        struct rustscope_frame frame;

        rustscope_enter(&frame, &site);
        rustscope_leave(&frame);
    }
    rustscope_mark("errno");
    rustscope_snapshot_free(rustscope_collect());
    ck_assert_int_eq(errno, 4711);
}
END_TEST

START_TEST(a_forked_child_starts_from_zero)
{
    int status;
    pid_t pid;

    rustscope_reset();
    for (int i = 0; i < 10; i++)
        leaf();
    {
        RS_PROFILE("open across fork");
        pid = fork();
        if (!pid) {
            leaf();
            leaf();
        }
    }
    if (!pid) {
        RS_PROFILE_BLOCK("child's") {
            leaf();
        }
        _exit(figures_of("leaf").calls == 3 && !figures_of("open across fork").calls &&
                      paths_of("leaf", 0).calls == 2 && figures_of("child's").calls == 1
                  ? 0
                  : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(figures_of("leaf").calls, 10);
    ck_assert_uint_eq(figures_of("open across fork").calls, 1);
}
END_TEST

START_TEST(handles_end_elsewhere)
{
    struct rustscope_handle handle, other;

    rustscope_reset();
    RS_BEGIN(handle, "callback to callback");
    RS_PROFILE_BLOCK("something between") {
        RS_BEGIN(other, "second");
        spin_ns(2000000);
        RS_END(handle);
    }
    RS_END(other);
    RS_END(other); /* only the first counts */
    ck_assert_uint_eq(figures_of("callback to callback").calls, 1);
    ck_assert_uint_eq(figures_of("second").calls, 1);
    ck_assert_uint_eq(paths_of("callback to callback", 0).calls, 1);
    ck_assert_double_ge(figures_of("callback to callback").total_ns, 2e6);
    ck_assert_double_ge(figures_of("something between").self_ns, 2e6);
}
END_TEST

START_TEST(assertions_answer_in_a_sentence)
{
    rustscope_reset();
    for (int i = 0; i < 100; i++)
        leaf();
    ck_assert_int_eq(rustscope_assert_perf("leaf", RUSTSCOPE_P50_NS, 1e6), 0);
    ck_assert_ptr_nonnull(strstr(rustscope_why(), "within the limit"));
    ck_assert_int_eq(rustscope_assert_perf("leaf", RUSTSCOPE_CALLS, 99), 1);
    ck_assert_str_eq(rustscope_why(), "the calls of \"leaf\" is 100, above the limit of 99 (100 calls)");
    ck_assert_int_eq(rustscope_assert_perf("no such thing", RUSTSCOPE_CALLS, 1), 1);
    ck_assert_str_eq(rustscope_why(), "nothing called \"no such thing\" was measured");
    RS_ASSERT_PERF("leaf", RUSTSCOPE_CALLS, 100);
}
END_TEST

START_TEST(a_failed_assertion_ends_the_program)
{
    int status, fds[2];
    char text[400] = "";
    pid_t pid;

    ck_assert_int_eq(pipe(fds), 0);
    pid = fork();
    if (!pid) {
        dup2(fds[1], 2);
        leaf();
        RS_ASSERT_PERF("leaf", RUSTSCOPE_CALLS, 0);
        _exit(0);
    }
    close(fds[1]);
    ck_assert_int_gt(read(fds[0], text, sizeof(text) - 1), 0);
    close(fds[0]);
    waitpid(pid, &status, 0);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGABRT);
    ck_assert_ptr_nonnull(strstr(text, "test_lib_scopes.c:"));
    ck_assert_ptr_nonnull(strstr(text, "the calls of \"leaf\" is 1, above the limit of 0"));
}
END_TEST

START_TEST(the_clock_is_described)
{
    struct rustscope_info info = {.size = sizeof(info)}, bad = {.size = 1};

    ck_assert_int_eq(rustscope_get_info(&info), 0);
    ck_assert_str_eq(info.mode, "default");
    ck_assert_double_gt(info.resolution_ns, 0);
    ck_assert_double_gt(info.overhead_ns, info.inside_ns);
    ck_assert_double_lt(info.overhead_ns, 2000);
    {
        RS_PROFILE_MODE("fenced", RUSTSCOPE_PRECISE);
    }
    ck_assert_int_eq(rustscope_get_info(&info), 0);
    ck_assert_double_gt(info.precise_offset_ns, 0);
    ck_assert_double_lt(info.precise_offset_ns, 500);
    ck_assert_uint_ge(info.threads, 0);
    ck_assert_int_eq(rustscope_get_info(&bad), -EINVAL);
}
END_TEST

START_TEST(the_timeline_is_off_until_asked_for_and_in_order)
{
    char path[] = "/tmp/rs-timeline-XXXXXX", line[512];
    double last = -1, ts;
    unsigned lines = 0;
    uint64_t dropped;
    FILE *file;
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    close(fd);
    rustscope_reset();
    leaf();
    ck_assert_int_eq(rustscope_timeline_write(path, RUSTSCOPE_TIMELINE_NDJSON, &dropped), 0);
    file = fopen(path, "r");
    ck_assert_ptr_null(fgets(line, sizeof(line), file));
    fclose(file);

    ck_assert_int_eq(rustscope_timeline_enable(100), 0);
    for (int i = 0; i < 60; i++) {
        RS_PROFILE("timeline parent");
        leaf();
    }
    ck_assert_int_eq(rustscope_timeline_enable(0), 0);
    leaf();
    ck_assert_int_eq(rustscope_timeline_write(path, RUSTSCOPE_TIMELINE_NDJSON, &dropped), 0);
    ck_assert_uint_eq(dropped, 20);
    file = fopen(path, "r");
    while (fgets(line, sizeof(line), file)) {
        ck_assert_int_eq(sscanf(strstr(line, "\"ts\":"), "\"ts\":%lf", &ts), 1);
        ck_assert_double_ge(ts, last);
        last = ts;
        lines++;
    }
    fclose(file);
    unlink(path);
    ck_assert_uint_eq(lines, 100);
    ck_assert_uint_eq(figures_of("leaf").calls, 62);
    ck_assert_int_eq(rustscope_timeline_write(NULL, RUSTSCOPE_TIMELINE_CHROME, NULL), -EINVAL);
    ck_assert_int_eq(rustscope_timeline_write("/nowhere/x", RUSTSCOPE_TIMELINE_CHROME, NULL), -ENOENT);
}
END_TEST

START_TEST(a_reset_forgets_the_timeline_too)
{
    char path[] = "/tmp/rs-timeline-XXXXXX", line[512];
    unsigned lines = 0;
    uint64_t dropped;
    FILE *file;
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(rustscope_timeline_enable(4), 0);
    for (int i = 0; i < 10; i++)
        leaf();
    rustscope_reset();
    {
        RS_PROFILE("after the reset");
    }
    ck_assert_int_eq(rustscope_timeline_write(path, RUSTSCOPE_TIMELINE_NDJSON, &dropped), 0);
    ck_assert_int_eq(rustscope_timeline_enable(0), 0);
    file = fopen(path, "r");
    while (fgets(line, sizeof(line), file)) {
        ck_assert_ptr_nonnull(strstr(line, "after the reset"));
        lines++;
    }
    fclose(file);
    unlink(path);
    ck_assert_uint_eq(lines, 1);
    ck_assert_uint_eq(dropped, 0);
}
END_TEST

START_TEST(unreasonable_arguments_are_refused)
{
    char tag[16];

    ck_assert_int_eq(rustscope_write_json(NULL), -EINVAL);
    ck_assert_int_eq(rustscope_write_json("/nowhere/x.json"), -ENOENT);
    ck_assert_int_eq(rustscope_set_budget(NULL, 1, NULL, NULL), -EINVAL);
    ck_assert_int_eq(rustscope_add_tag(NULL), -EINVAL);
    ck_assert_int_eq(rustscope_set_label("key", NULL), -EINVAL);
    for (int i = 0; i < 64; i++) {
        snprintf(tag, sizeof(tag), "tag %d", i);
        ck_assert_int_eq(rustscope_add_tag(tag), 0);
    }
    ck_assert_int_eq(rustscope_add_tag("tag 5"), 0);
    ck_assert_int_eq(rustscope_add_tag("one too many"), -ENOSPC);
    rustscope_clear_tags_and_labels();
    ck_assert_int_eq(rustscope_add_tag("one again"), 0);
    rustscope_snapshot_free(NULL);
    ck_assert_uint_eq(rustscope_foreach_function(NULL, NULL, NULL), 0);
}
END_TEST

SUITE("lib scopes", calls_are_counted_exactly, figures_are_in_order, self_is_total_without_the_scopes_inside,
      recursion_has_its_depth_and_counts_once, deep_mutual_recursion_keeps_the_tree_small, reset_forgets_and_goes_on,
      conditional_scopes_count_when_the_condition_holds, blocks_end_by_break_continue_and_return,
      a_measured_expression_has_its_value, an_outlier_fires_after_the_warm_up_and_not_before,
      sigma_and_warm_up_can_be_set, budget_violations_are_counted_and_told, pause_stops_and_resume_goes_on,
      counting_and_sampling_count_exactly, sampling_estimates_total_and_self, precise_tells_short_bodies_from_nothing,
      a_site_finds_its_way_from_many_parents, allocated_bytes_are_charged_to_the_scope,
      longjmp_leaves_scopes_behind_without_harm, an_error_loop_around_longjmp_keeps_its_paths, handlers_may_have_scopes,
      handlers_on_their_own_stack_nest_like_others, first_uses_in_a_handler_are_recorded_or_skipped_and_counted,
      errno_is_left_alone, a_forked_child_starts_from_zero, handles_end_elsewhere, assertions_answer_in_a_sentence,
      a_failed_assertion_ends_the_program, the_clock_is_described, the_timeline_is_off_until_asked_for_and_in_order, a_reset_forgets_the_timeline_too,
      unreasonable_arguments_are_refused,
      call_paths_are_bounded) /* last: without a fork per test, its thread has no room for paths any more */
