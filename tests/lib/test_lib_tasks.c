/* SPDX-License-Identifier: MIT */
/* Tasks: polled, suspended, moved between threads, dropped. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib_test.h"

struct task_figures {
    double started, completed, cancelled, polls, busy_ns, idle_ns, scheduled_ns, first_poll_delay_ns, max_poll_ns;
};

static double member(const char *object, const char *key)
{
    char quoted[64];
    const char *at;

    snprintf(quoted, sizeof(quoted), "\"%s\":", key);
    at = strstr(object, quoted);
    ck_assert_ptr_nonnull(at);
    return strtod(at + strlen(quoted), NULL);
}

/* The entry of async_tasks[] called NAME, from a report written now. */
static struct task_figures task_called(const char *name)
{
    static char text[1 << 20];
    char path[] = "/tmp/rs-tasks-XXXXXX", quoted[64];
    int fd = mkstemp(path);
    FILE *file;
    const char *tasks, *o;

    close(fd);
    ck_assert_int_eq(rustscope_write_json(path), 0);
    file = fopen(path, "r");
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    unlink(path);
    snprintf(quoted, sizeof(quoted), "{\"name\":\"%s\"", name);
    tasks = strstr(text, "\"async_tasks\"");
    o = strstr(tasks, quoted);
    ck_assert_ptr_nonnull(o);
    return (struct task_figures){member(o, "started"),      member(o, "completed"),
                                 member(o, "cancelled"),    member(o, "polls"),
                                 member(o, "busy_ns"),      member(o, "idle_ns"),
                                 member(o, "scheduled_ns"), member(o, "first_poll_delay_ns"),
                                 member(o, "max_poll_ns")};
}

START_TEST(time_goes_to_busy_idle_and_scheduled)
{
    struct rustscope_task task;
    struct task_figures f;
    uint64_t begin, life;

    rustscope_reset();
    begin = now_ns();
    RS_TASK_BEGIN(task, "three polls");
    spin_ns(1000000); /* not polled yet */
    for (int i = 0; i < 3; i++) {
        rustscope_task_poll_enter(&task);
        spin_ns(2000000);
        rustscope_task_poll_exit(&task, i == 2);
        if (i == 2)
            break;
        spin_ns(4000000);
        rustscope_task_wake(&task);
        spin_ns(3000000);
    }
    rustscope_task_end(&task, 0);
    life = now_ns() - begin;
    f = task_called("three polls");
    ck_assert_double_eq(f.started, 1);
    ck_assert_double_eq(f.completed, 1);
    ck_assert_double_eq(f.cancelled, 0);
    ck_assert_double_eq(f.polls, 3);
    ck_assert_double_ge(f.first_poll_delay_ns, 1e6);
    ck_assert_double_ge(f.busy_ns, 6e6);
    ck_assert_double_ge(f.idle_ns, 7.9e6);
    ck_assert_double_ge(f.scheduled_ns, 5.9e6);
    ck_assert_double_ge(f.max_poll_ns, 2e6);
    ck_assert_double_le(f.first_poll_delay_ns + f.busy_ns + f.idle_ns + f.scheduled_ns, (double)life * 1.001);
    ck_assert_double_ge(f.first_poll_delay_ns + f.busy_ns + f.idle_ns + f.scheduled_ns, (double)life * 0.9);
    ck_assert_uint_eq(figures_of("three polls").calls, 3);
}
END_TEST

START_TEST(without_wakes_waiting_is_idle)
{
    struct rustscope_task task;
    struct task_figures f;

    rustscope_reset();
    RS_TASK_BEGIN(task, "never woken");
    for (int i = 0; i < 2; i++) {
        rustscope_task_poll_enter(&task);
        rustscope_task_poll_exit(&task, 0);
        spin_ns(2000000);
    }
    rustscope_task_end(&task, 1);
    f = task_called("never woken");
    ck_assert_double_ge(f.idle_ns, 2e6);
    ck_assert_double_eq(f.scheduled_ns, 0);
    ck_assert_double_eq(f.cancelled, 1);
    ck_assert_double_eq(f.completed, 0);
}
END_TEST

START_TEST(a_wake_during_the_poll_counts_from_its_end)
{
    struct rustscope_task task;
    struct task_figures f;

    rustscope_reset();
    RS_TASK_BEGIN(task, "wakes itself");
    for (int i = 0; i < 2; i++) {
        rustscope_task_poll_enter(&task);
        rustscope_task_wake(&task);
        spin_ns(1000000);
        rustscope_task_poll_exit(&task, 0);
        spin_ns(2000000);
    }
    rustscope_task_end(&task, 0);
    f = task_called("wakes itself");
    ck_assert_double_ge(f.scheduled_ns, 2e6);
    ck_assert_double_le(f.idle_ns, 1e5);
}
END_TEST

START_TEST(of_several_wakes_the_first_counts_and_it_may_be_told_later)
{
    struct rustscope_task task;
    struct task_figures f;
    uint64_t woken;

    rustscope_reset();
    RS_TASK_BEGIN(task, "woken twice");
    rustscope_task_poll_enter(&task);
    rustscope_task_poll_exit(&task, 0);
    spin_ns(1000000);
    rustscope_task_wake(&task);
    spin_ns(2000000);
    rustscope_task_wake(&task);
    spin_ns(1000000);
    rustscope_task_poll_enter(&task);
    rustscope_task_poll_exit(&task, 0);
    spin_ns(1000000);
    woken = rustscope_task_clock();
    spin_ns(2000000);
    rustscope_task_wake_at(&task, woken);
    rustscope_task_poll_enter(&task);
    rustscope_task_poll_exit(&task, 1);
    rustscope_task_end(&task, 0);
    f = task_called("woken twice");
    ck_assert_double_ge(f.scheduled_ns, 4.99e6);
    ck_assert_double_ge(f.idle_ns, 1.99e6);
    ck_assert_double_le(f.idle_ns, 3.5e6);
}
END_TEST

START_TEST(scopes_nest_under_the_task_and_not_across_polls)
{
    struct rustscope_task a, b;

    rustscope_reset();
    RS_TASK_BEGIN(a, "task a");
    RS_TASK_BEGIN(b, "task b");
    for (int i = 0; i < 10; i++) {
        RS_PROFILE("executor");
        rustscope_task_poll_enter(&a);
        RS_PROFILE_BLOCK("inside a") {
            rustscope_task_poll_enter(&b); /* a join: polled from within */
            RS_PROFILE_BLOCK("inside b") {
            }
            rustscope_task_poll_exit(&b, 0);
        }
        rustscope_task_poll_exit(&a, 0);
        RS_PROFILE("after the polls");
    }
    rustscope_task_end(&b, 0);
    rustscope_task_end(&a, 0);
    ck_assert_uint_eq(paths_of("inside a", 2).calls, 10);
    ck_assert_uint_eq(paths_of("inside b", 4).calls, 10);
    ck_assert_uint_eq(paths_of("after the polls", 1).calls, 10);
}
END_TEST

static void *poll_elsewhere(void *arg)
{
    struct rustscope_task *task = arg;

    rustscope_task_poll_enter(task);
    RS_PROFILE_BLOCK("in whatever thread") {
        spin_ns(1000000);
    }
    rustscope_task_poll_exit(task, 0);
    rustscope_task_wake(task);
    return NULL;
}

START_TEST(tasks_move_between_threads)
{
    struct rustscope_task task, moved;
    struct task_figures f;

    rustscope_reset();
    RS_TASK_BEGIN(task, "migrating");
    for (int i = 0; i < 4; i++) {
        pthread_t thread;

        moved = task; /* and in memory */
        pthread_create(&thread, NULL, poll_elsewhere, &moved);
        pthread_join(thread, NULL);
        task = moved;
    }
    rustscope_task_end(&task, 0);
    f = task_called("migrating");
    ck_assert_double_eq(f.polls, 4);
    ck_assert_double_eq(f.completed, 1);
    ck_assert_double_ge(f.busy_ns, 4e6);
    ck_assert_uint_eq(paths_of("in whatever thread", 1).calls, 4);
}
END_TEST

static int stop_waking;

static void *wake_often(void *task)
{
    while (!__atomic_load_n(&stop_waking, __ATOMIC_RELAXED))
        rustscope_task_wake(task);
    return NULL;
}

START_TEST(wakes_come_from_any_thread_at_any_time)
{
    struct rustscope_task task;
    struct task_figures f;
    pthread_t thread;

    rustscope_reset();
    RS_TASK_BEGIN(task, "woken from elsewhere");
    __atomic_store_n(&stop_waking, 0, __ATOMIC_RELAXED);
    pthread_create(&thread, NULL, wake_often, &task);
    for (int i = 0; i < 20000; i++) {
        rustscope_task_poll_enter(&task);
        rustscope_task_poll_exit(&task, 0);
    }
    __atomic_store_n(&stop_waking, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    rustscope_task_end(&task, 0);
    f = task_called("woken from elsewhere");
    ck_assert_double_eq(f.polls, 20000);
}
END_TEST

START_TEST(a_million_polls_and_unfinished_tasks_are_in_the_report)
{
    struct rustscope_task task;
    struct task_figures f;

    rustscope_reset();
    RS_TASK_BEGIN(task, "server loop");
    for (int i = 0; i < 1000000; i++) {
        rustscope_task_poll_enter(&task);
        rustscope_task_poll_exit(&task, 0);
    }
    f = task_called("server loop");
    ck_assert_double_eq(f.polls, 1000000);
    ck_assert_double_eq(f.started, 1);
    ck_assert_double_eq(f.completed + f.cancelled, 0);
}
END_TEST

START_TEST(switched_off_tasks_are_nothing)
{
    struct rustscope_task task;

    rustscope_reset();
    rustscope_pause();
    RS_TASK_BEGIN(task, "paused task");
    rustscope_task_poll_enter(&task);
    rustscope_resume();
    rustscope_task_wake(&task);
    rustscope_task_poll_exit(&task, 1);
    rustscope_task_end(&task, 0);
    rustscope_task_end(&task, 0);
    ck_assert_uint_eq(figures_of("paused task").calls, 0);
}
END_TEST

SUITE("lib tasks", time_goes_to_busy_idle_and_scheduled, without_wakes_waiting_is_idle,
      a_wake_during_the_poll_counts_from_its_end, of_several_wakes_the_first_counts_and_it_may_be_told_later, scopes_nest_under_the_task_and_not_across_polls,
      tasks_move_between_threads, wakes_come_from_any_thread_at_any_time,
      a_million_polls_and_unfinished_tasks_are_in_the_report, switched_off_tasks_are_nothing)
