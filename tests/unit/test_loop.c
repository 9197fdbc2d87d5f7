/* SPDX-License-Identifier: MIT */
#include "system/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "suite.h"

static const uint64_t MS = 1000000;

static struct {
    struct loop *loop;
    struct loop_watch *watch, *other;
    int fd, calls, signals[8];
    bool from_kernel;
    uint64_t expirations;
} t;

static void set_up(void)
{
    struct rs_err err;

    memset(&t, 0, sizeof(t));
    ck_assert_int_eq(loop_new(&t.loop, &err), 0);
}

/* Runs; a loop that nothing stops is stopped after a second, and that is a failure. */
static void too_long(void *ctx, uint64_t expirations)
{
    (void)ctx, (void)expirations;
    ck_abort_msg("nothing stopped the loop");
}

static void run(void)
{
    struct rs_err err;
    struct loop_watch *guard = loop_add_timer(t.loop, 5000 * MS, 0, too_long, NULL);

    ck_assert_int_eq(loop_run(t.loop, &err), 0);
    loop_remove(t.loop, guard);
}

static void stop(void *ctx, uint64_t expirations)
{
    (void)ctx;
    t.expirations = expirations;
    t.calls++;
    loop_stop(t.loop);
}

static pid_t child(int status)
{
    pid_t pid = fork();

    if (!pid)
        _exit(status);
    return pid;
}

START_TEST(a_timer_fires_after_its_delay_and_not_before)
{
    uint64_t began;

    set_up();
    began = rs_clock_mono_ns();
    loop_add_timer(t.loop, 20 * MS, 0, stop, NULL);
    run();
    ck_assert_uint_ge(rs_clock_mono_ns() - began, 20 * MS);
    ck_assert_uint_eq(t.expirations, 1);
    loop_free(t.loop);
}
END_TEST

static void sleep_once(void *ctx, uint64_t expirations)
{
    const struct timespec nap = {0, 35 * 1000000};

    (void)ctx;
    t.expirations = expirations;
    if (t.calls++)
        loop_stop(t.loop);
    else
        nanosleep(&nap, NULL);
}

START_TEST(a_timer_that_is_late_says_how_many_periods_went_by)
{
    set_up();
    loop_add_timer(t.loop, 10 * MS, 10 * MS, sleep_once, NULL);
    run();
    ck_assert_int_eq(t.calls, 2);
    ck_assert_uint_ge(t.expirations, 3);
    loop_free(t.loop);
}
END_TEST

static void count(void *ctx, uint64_t expirations)
{
    (void)expirations;
    ++*(int *)ctx;
}

START_TEST(a_timer_of_no_period_fires_once)
{
    int once = 0;

    set_up();
    loop_add_timer(t.loop, 0, 0, count, &once);
    loop_add_timer(t.loop, 30 * MS, 0, stop, NULL);
    run();
    ck_assert_int_eq(once, 1);
    loop_free(t.loop);
}
END_TEST

static void read_all(void *ctx)
{
    char byte;

    (void)ctx;
    t.calls++;
    if (read(t.fd, &byte, 1) <= 0)
        loop_stop(t.loop);
}

START_TEST(a_descriptor_is_told_readable_until_its_end)
{
    int fds[2];

    set_up();
    ck_assert_int_eq(pipe(fds), 0);
    t.fd = fds[0];
    loop_add_fd(t.loop, fds[0], read_all, NULL);
    ck_assert_int_eq(write(fds[1], "ab", 2), 2);
    close(fds[1]);
    run();
    ck_assert_int_eq(t.calls, 3); /* two bytes and the end */
    loop_free(t.loop);
    close(fds[0]);
}
END_TEST

static void remove_other(void *ctx)
{
    (void)ctx;
    t.calls++;
    loop_remove(t.loop, t.other);
    loop_remove(t.loop, t.watch);
}

static void never(void *ctx)
{
    (void)ctx;
    ck_abort_msg("a removed watch was called");
}

START_TEST(a_watch_that_was_removed_in_the_same_round_is_not_called)
{
    int fds[2], fds2[2];

    set_up();
    ck_assert_int_eq(pipe(fds) | pipe(fds2), 0);
    t.watch = loop_add_fd(t.loop, fds[0], remove_other, NULL);
    t.other = loop_add_fd(t.loop, fds2[0], never, NULL);
    ck_assert_int_eq(write(fds[1], "a", 1) + write(fds2[1], "a", 1), 2);
    loop_add_timer(t.loop, 20 * MS, 0, stop, NULL);
    run();
    ck_assert_int_eq(t.calls, 2);
    loop_free(t.loop);
}
END_TEST

START_TEST(a_descriptor_that_cannot_be_watched_is_an_error_of_running)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct rs_err err;

    set_up();
    ck_assert_int_ge(fd, 0);
    t.watch = loop_add_fd(t.loop, fd, never, NULL);
    ck_assert_ptr_nonnull(t.watch);
    ck_assert_int_eq(loop_run(t.loop, &err), -EPERM);
    ck_assert_ptr_nonnull(strstr(err.text, "cannot watch a descriptor"));
    loop_remove(t.loop, t.watch);
    loop_free(t.loop);
    close(fd);
}
END_TEST

static void on_signal(void *ctx, int signo, bool from_kernel)
{
    (void)ctx;
    t.signals[t.calls++] = signo;
    t.from_kernel |= from_kernel;
    if (signo == SIGTERM)
        loop_stop(t.loop);
}

START_TEST(signals_come_through_the_loop_and_ignored_ones_stay_ignored)
{
    static const int taken[] = {SIGUSR1, SIGUSR2, SIGTERM};
    struct rs_err err;

    set_up();
    signal(SIGUSR2, SIG_IGN);
    signal(SIGUSR1, SIG_DFL);
    ck_assert_int_eq(loop_add_signals(t.loop, taken, 3, on_signal, NULL, &err), 0);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR2);
    kill(getpid(), SIGTERM);
    run();
    ck_assert_int_eq(t.calls, 2);
    ck_assert_int_eq(t.signals[0] + t.signals[1], SIGUSR1 + SIGTERM);
    ck_assert(!t.from_kernel);
    loop_free(t.loop);
    /* Blocked for good: one that comes late must not end the process. */
    kill(getpid(), SIGUSR1);
}
END_TEST

static void on_ended(void *ctx)
{
    (void)ctx;
    t.calls++;
}

START_TEST(the_end_of_a_process_is_told_once_and_leaves_it_to_be_reaped)
{
    struct rs_err err;
    int status;
    pid_t pid;

    set_up();
    pid = child(7);
    ck_assert_int_eq(loop_add_process(t.loop, pid, on_ended, NULL, &t.watch, &err), 0);
    loop_add_timer(t.loop, 200 * MS, 0, stop, NULL);
    run();
    ck_assert_int_eq(t.calls, 2); /* the end and the timer */
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(WEXITSTATUS(status), 7);
    ck_assert_int_eq(loop_signal_process(t.watch, SIGTERM), -ESRCH);
    loop_free(t.loop);
}
END_TEST

static void stop_now(void *ctx)
{
    (void)ctx;
    loop_stop(t.loop);
}

START_TEST(a_signal_reaches_the_watched_process)
{
    struct rs_err err;
    int status;
    pid_t pid;

    set_up();
    pid = fork();
    if (!pid)
        for (;;)
            pause();
    ck_assert_int_eq(loop_add_process(t.loop, pid, stop_now, NULL, &t.watch, &err), 0);
    ck_assert_int_eq(loop_signal_process(t.watch, SIGKILL), 0);
    run();
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    loop_free(t.loop);
}
END_TEST

START_TEST(a_process_that_is_not_there_is_refused_with_a_sentence)
{
    struct rs_err err;
    pid_t pid;

    set_up();
    pid = child(0);
    waitpid(pid, NULL, 0);
    ck_assert_int_eq(loop_add_process(t.loop, pid, never, NULL, &t.watch, &err), -ESRCH);
    ck_assert_ptr_null(t.watch);
    ck_assert_ptr_nonnull(strstr(err.text, "there is no process"));
    loop_free(t.loop);
}
END_TEST

START_TEST(without_a_free_descriptor_there_is_a_sentence_and_no_loop)
{
    struct rlimit limit;
    struct rs_err err;
    int first;

    getrlimit(RLIMIT_NOFILE, &limit);
    first = dup(0);
    ck_assert_int_ge(first, 0);
    close(first);
    limit.rlim_cur = (rlim_t)first;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(loop_new(&t.loop, &err), -EMFILE);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    ck_assert_ptr_null(t.loop);
    ck_assert_ptr_nonnull(strstr(err.text, "cannot create an event loop"));
    loop_free(NULL);
}
END_TEST

START_TEST(as_many_descriptors_are_open_after_a_loop_as_before)
{
    static const int taken[] = {SIGUSR1};
    struct rs_err err;
    int before = dup(0), after;
    pid_t pid;

    close(before);
    for (int i = 0; i < 3; i++) {
        set_up();
        pid = child(0);
        ck_assert_int_eq(loop_add_signals(t.loop, taken, 1, on_signal, NULL, &err), 0);
        ck_assert_int_eq(loop_add_process(t.loop, pid, on_ended, NULL, &t.watch, &err), 0);
        if (i == 1)
            loop_remove(t.loop, t.watch);
        loop_free(t.loop);
        waitpid(pid, NULL, 0);
    }
    after = dup(0);
    close(after);
    ck_assert_int_eq(after, before);
}
END_TEST

SUITE("loop", a_timer_fires_after_its_delay_and_not_before, a_timer_that_is_late_says_how_many_periods_went_by,
      a_timer_of_no_period_fires_once, a_descriptor_is_told_readable_until_its_end,
      a_watch_that_was_removed_in_the_same_round_is_not_called,
      a_descriptor_that_cannot_be_watched_is_an_error_of_running,
      signals_come_through_the_loop_and_ignored_ones_stay_ignored,
      the_end_of_a_process_is_told_once_and_leaves_it_to_be_reaped, a_signal_reaches_the_watched_process,
      a_process_that_is_not_there_is_refused_with_a_sentence, without_a_free_descriptor_there_is_a_sentence_and_no_loop,
      as_many_descriptors_are_open_after_a_loop_as_before)
