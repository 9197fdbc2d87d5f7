/* SPDX-License-Identifier: MIT */
/* Each test ends a child that notes the signals which it catches; the clock is real: two seconds between two steps. */
#include "run/stopper.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "suite.h"
#include "system/loop.h"

static const uint64_t MS = 1000000;

static struct {
    struct loop *loop;
    struct loop_watch *watch;
    struct stopper *stopper;
    pid_t pid;
    int notes[2]; /* what the child caught, a byte each */
    bool ended_early, program_ended;
} t;

static void note(int signo)
{
    char byte = (char)signo;

    if (write(t.notes[1], &byte, 1) != 1)
        _exit(9);
}

/* A child that CATCHES SIGINT and SIGTERM and lives on, or that ends at the first. */
static void start_child(bool catches)
{
    struct timespec nap = {0, 1000000};
    char ready;

    ck_assert_int_eq(pipe(t.notes), 0);
    t.pid = fork();
    if (!t.pid) {
        /* libcheck has handlers of its own, which a child inherits. */
        signal(SIGINT, catches ? note : SIG_DFL);
        signal(SIGTERM, catches ? note : SIG_DFL);
        if (write(t.notes[1], "r", 1) != 1)
            _exit(9);
        for (;;)
            nanosleep(&nap, NULL);
    }
    ck_assert_int_eq(read(t.notes[0], &ready, 1), 1);
}

static void on_end(void *ctx)
{
    (void)ctx;
    t.ended_early = true;
    loop_stop(t.loop);
}

static void on_program_ended(void *ctx)
{
    (void)ctx;
    t.program_ended = true;
    loop_stop(t.loop);
}

static void set_up(bool catches, const struct stopper_options *wanted)
{
    struct stopper_options options = *wanted;
    struct rs_err err;

    memset(&t, 0, sizeof(t));
    start_child(catches);
    ck_assert_int_eq(loop_new(&t.loop, &err), 0);
    ck_assert_int_eq(loop_add_process(t.loop, t.pid, on_program_ended, NULL, &t.watch, &err), 0);
    options.pid = t.pid;
    options.program = t.watch;
    options.on_end = on_end;
    t.stopper = stopper_new(t.loop, &options);
}

static void pause_over(void *ctx, uint64_t expirations)
{
    (void)ctx, (void)expirations;
    loop_stop(t.loop);
}

/* Runs until the program or the session ends, or for MOST_MS. Returns how long it was, in ms. */
static unsigned run(unsigned most_ms)
{
    uint64_t began = rs_clock_mono_ns();
    struct loop_watch *pause = loop_add_timer(t.loop, most_ms * MS, 0, pause_over, NULL);
    struct rs_err err;

    ck_assert_int_eq(loop_run(t.loop, &err), 0);
    loop_remove(t.loop, pause);
    return (unsigned)((rs_clock_mono_ns() - began) / MS);
}

/* Ends all; returns the child's status, and what it caught in CAUGHT. */
static int tear_down(char caught[16])
{
    ssize_t n;
    int status;

    memset(caught, 0, 16);
    kill(t.pid, SIGKILL);
    waitpid(t.pid, &status, 0);
    close(t.notes[1]);
    n = read(t.notes[0], caught, 15);
    ck_assert_int_ge(n, 0);
    close(t.notes[0]);
    stopper_free(t.stopper);
    loop_free(t.loop);
    return status;
}

static const struct stopper_options ours = {.ours = true};

START_TEST(a_signal_that_was_sent_to_us_is_passed_on_once)
{
    char caught[16];

    set_up(true, &ours);
    stopper_signal(t.stopper, SIGTERM, false);
    run(200);
    ck_assert(stopper_interrupted(t.stopper));
    ck_assert_int_eq(stopper_reason(t.stopper, 0), STOP_INTERRUPT);
    tear_down(caught);
    ck_assert_int_eq(caught[0], SIGTERM);
    ck_assert_int_eq(caught[1], 0);
}
END_TEST

START_TEST(a_signal_of_the_terminal_is_not_sent_again)
{
    char caught[16];

    set_up(true, &ours);
    stopper_signal(t.stopper, SIGINT, true);
    run(200);
    ck_assert(!t.program_ended);
    tear_down(caught);
    ck_assert_int_eq(caught[0], 0);
}
END_TEST

START_TEST(a_program_that_catches_all_gets_the_next_signal_after_two_seconds_and_is_killed_after_four)
{
    char caught[16];
    unsigned ms;
    int status;

    set_up(true, &ours);
    stopper_signal(t.stopper, SIGINT, false);
    ms = run(6000);
    ck_assert(t.program_ended && !t.ended_early);
    ck_assert_uint_ge(ms, 3990);
    status = tear_down(caught);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert_int_eq(caught[0], SIGINT);
    ck_assert_int_eq(caught[1], SIGTERM);
}
END_TEST

START_TEST(a_second_signal_skips_the_waiting)
{
    char caught[16];
    unsigned ms;

    set_up(true, &ours);
    stopper_signal(t.stopper, SIGINT, false);
    run(100);
    stopper_signal(t.stopper, SIGINT, false); /* SIGTERM */
    run(100);
    stopper_signal(t.stopper, SIGINT, false); /* SIGKILL */
    ms = run(1500);
    ck_assert(t.program_ended);
    ck_assert_uint_lt(ms, 1500);
    tear_down(caught);
    ck_assert_int_eq(caught[1], SIGTERM);
}
END_TEST

START_TEST(a_stopped_program_ends_with_the_session)
{
    char caught[16];

    set_up(false, &ours);
    kill(t.pid, SIGSTOP);
    stopper_signal(t.stopper, SIGTERM, false);
    run(3500); /* SIGTERM is seen at two seconds, and not only SIGKILL at four */
    ck_assert(t.program_ended);
    tear_down(caught);
}
END_TEST

START_TEST(ctrl_c_belongs_to_a_program_that_catches_it_and_two_end_the_session)
{
    struct stopper_options interactive = {.ours = true, .stdin_is_terminal = true};
    char caught[16];

    set_up(true, &interactive);
    stopper_signal(t.stopper, SIGINT, true);
    ck_assert(!stopper_interrupted(t.stopper));
    stopper_signal(t.stopper, SIGINT, true);
    ck_assert(stopper_interrupted(t.stopper));
    tear_down(caught);
}
END_TEST

START_TEST(ctrl_c_ends_a_program_that_does_not_catch_it_or_is_behind_the_screen)
{
    struct stopper_options plain = {.ours = true, .stdin_is_terminal = true};
    struct stopper_options screen = {.ours = true, .stdin_is_terminal = true, .screen = true};
    char caught[16];

    set_up(false, &plain);
    stopper_signal(t.stopper, SIGINT, true);
    ck_assert(stopper_interrupted(t.stopper));
    tear_down(caught);
    set_up(true, &screen);
    stopper_signal(t.stopper, SIGINT, true);
    ck_assert(stopper_interrupted(t.stopper));
    tear_down(caught);
    /* The screen stepped aside: the keyboard is the program's. */
    set_up(true, &screen);
    stopper_set_screen(t.stopper, false);
    stopper_signal(t.stopper, SIGINT, true);
    ck_assert(!stopper_interrupted(t.stopper));
    tear_down(caught);
}
END_TEST

START_TEST(an_attached_program_is_never_signalled)
{
    struct stopper_options attached = {.ours = false};
    char caught[16];

    for (int how = 0; how < 3; how++) {
        set_up(true, &attached);
        if (how == 0)
            stopper_signal(t.stopper, SIGTERM, false);
        else if (how == 1)
            stopper_quit(t.stopper);
        else
            stopper_duration_over(t.stopper);
        run(100);
        ck_assert(t.ended_early && !t.program_ended);
        ck_assert_int_eq(stopper_reason(t.stopper, 0), how == 2 ? STOP_DURATION : STOP_DETACHED);
        tear_down(caught);
        ck_assert_int_eq(caught[0], 0);
    }
}
END_TEST

START_TEST(at_the_end_of_the_duration_a_program_is_ended_or_kept)
{
    struct stopper_options kept = {.ours = true, .keep = true};
    char caught[16];

    set_up(true, &ours);
    stopper_duration_over(t.stopper);
    run(100);
    ck_assert(!t.ended_early);
    ck_assert_int_eq(stopper_reason(t.stopper, 0), STOP_DURATION);
    tear_down(caught);
    ck_assert_int_eq(caught[0], SIGINT);

    set_up(true, &kept);
    stopper_duration_over(t.stopper);
    run(100);
    ck_assert(t.ended_early && !t.program_ended);
    tear_down(caught);
    ck_assert_int_eq(caught[0], 0);
}
END_TEST

START_TEST(listening_is_interrupted_and_not_detached)
{
    const struct stopper_options options = {.listen = true, .on_end = on_end};
    struct rs_err err;

    memset(&t, 0, sizeof(t));
    ck_assert_int_eq(loop_new(&t.loop, &err), 0);
    t.stopper = stopper_new(t.loop, &options);
    stopper_signal(t.stopper, SIGINT, true);
    ck_assert(t.ended_early);
    ck_assert_int_eq(stopper_reason(t.stopper, 0), STOP_INTERRUPT);
    stopper_free(t.stopper);
    loop_free(t.loop);
}
END_TEST

START_TEST(without_a_request_the_reason_is_the_programs_own)
{
    char caught[16];

    set_up(false, &ours);
    ck_assert_int_eq(stopper_reason(t.stopper, 0), STOP_EXIT);
    ck_assert_int_eq(stopper_reason(t.stopper, SIGSEGV), STOP_SIGNAL);
    tear_down(caught);
}
END_TEST

SUITE("stopper", a_signal_that_was_sent_to_us_is_passed_on_once, a_signal_of_the_terminal_is_not_sent_again,
      a_program_that_catches_all_gets_the_next_signal_after_two_seconds_and_is_killed_after_four,
      a_second_signal_skips_the_waiting, a_stopped_program_ends_with_the_session,
      ctrl_c_belongs_to_a_program_that_catches_it_and_two_end_the_session,
      ctrl_c_ends_a_program_that_does_not_catch_it_or_is_behind_the_screen, an_attached_program_is_never_signalled,
      at_the_end_of_the_duration_a_program_is_ended_or_kept, listening_is_interrupted_and_not_detached,
      without_a_request_the_reason_is_the_programs_own)
