/* SPDX-License-Identifier: MIT */
#include "collect/process/sampler.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "collect/process/os_process.h"
#include "core/clock.h"
#include "session/session.h"
#include "session/totals.h"
#include "suite.h"

/*
 * The sampler on children of this test, which run in steps: each byte through the pipe makes one go on. Time is real
 * (CPU clocks are), the loop's ticks are the test's.
 */
struct world {
    struct session *session;
    struct sampler *sampler;
    pid_t program;
    double usage_ms; /* of the program and all it waited for, by the system */
    int go;          /* a byte: one step */
    int done;        /* a byte: the step has been made */
};

static void burn_ms(double ms)
{
    struct timespec now;
    double until = -1;

    do {
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        if (until < 0)
            until = (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6 + ms;
    } while ((double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6 < until);
}

static void step(const struct world *w)
{
    char byte = 0;

    ck_assert_int_eq(write(w->go, &byte, 1), 1);
    ck_assert_int_eq(read(w->done, &byte, 1), 1);
}

/* In the child: SAY that a step is made, then wait for the next. */
static void pause_at(int go, int done)
{
    char byte = 0;

    if (write(done, &byte, 1) != 1 || read(go, &byte, 1) != 1)
        _exit(1);
}

static struct world start(void (*program)(int go, int done), bool follow)
{
    const struct sampler_options options = {
        .rate_hz = 100, .spike_cpu_pct = 80, .spike_mem_bytes = 5000000, .follow = follow};
    struct world w = {.program = -1};
    int go[2], done[2];
    char byte;

    ck_assert_int_eq(pipe(go), 0);
    ck_assert_int_eq(pipe(done), 0);
    w.program = fork();
    if (w.program == 0) {
        close(go[1]);
        close(done[0]);
        pause_at(go[0], done[1]);
        program(go[0], done[1]);
        _exit(0);
    }
    close(go[0]);
    close(done[1]);
    w.go = go[1];
    w.done = done[0];
    ck_assert_int_eq(read(w.done, &byte, 1), 1);
    w.session = session_new(rs_clock_mono_ns(), 0);
    w.session->meta.rate_hz = 100;
    w.sampler = sampler_new(w.session, &options);
    return w;
}

static void tick(const struct world *w)
{
    usleep(12000);
    sampler_tick(w->sampler, rs_clock_mono_ns(), 1);
}

static void slow_tick(const struct world *w)
{
    usleep(110000);
    sampler_tick(w->sampler, rs_clock_mono_ns(), 1);
}

static double cpu_ms(const struct world *w)
{
    struct totals totals;

    totals_compute(w->session, &totals);
    return (double)totals.cpu_ns / 1e6;
}

/* The program has been told to end: as record does it. */
static void finish(struct world *w)
{
    struct rusage usage;
    siginfo_t info;
    int status;
    char byte = 0;

    ck_assert_int_eq(write(w->go, &byte, 1), 1);
    close(w->go);
    waitid(P_PID, (id_t)w->program, &info, WEXITED | WNOWAIT);
    sampler_tick(w->sampler, rs_clock_mono_ns(), 1);
    ck_assert_int_eq(wait4(w->program, &status, 0, &usage), w->program);
    w->usage_ms = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
                  (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
    sampler_program_ended(w->sampler, rs_clock_mono_ns(), status, &usage);
    sampler_finish(w->sampler, rs_clock_mono_ns());
}

static void release(struct world *w)
{
    close(w->done);
    sampler_free(w->sampler);
    session_free(w->session);
}

static void burns_twice(int go, int done)
{
    burn_ms(60);
    pause_at(go, done);
    burn_ms(40);
}

START_TEST(a_programs_time_is_its_rusage)
{
    struct world w = start(burns_twice, true);

    ck_assert_int_eq(sampler_watch(w.sampler, w.program, SAMPLER_LAUNCHED, rs_clock_mono_ns(), NULL), 0);
    step(&w);
    tick(&w);
    finish(&w);
    ck_assert(w.usage_ms >= 99);
    ck_assert_double_eq_tol(cpu_ms(&w), w.usage_ms, 1);
    ck_assert_uint_eq(w.session->process_count, 1);
    ck_assert(w.session->processes[0].exit_known && w.session->processes[0].exit_status == 0);
    release(&w);
}
END_TEST

START_TEST(what_ran_before_attaching_does_not_count)
{
    struct world w = start(burns_twice, true);

    step(&w);
    ck_assert_int_eq(sampler_watch(w.sampler, w.program, SAMPLER_ATTACHED, rs_clock_mono_ns(), NULL), 0);
    tick(&w);
    ck_assert(cpu_ms(&w) < 5);
    kill(w.program, SIGKILL);
    waitpid(w.program, NULL, 0);
    sampler_finish(w.sampler, rs_clock_mono_ns());
    release(&w);
    close(w.go);
}
END_TEST

/* A child burned 80 ms, and its own child 120, before the first pause; they end after it and are waited for. */
static void has_burned_children(int go, int done)
{
    int hold[2], burned[2];
    char byte = 0;
    pid_t child;

    if (pipe(hold) || pipe(burned))
        _exit(1);
    child = fork();
    if (child == 0) {
        pid_t grandchild = fork();

        close(hold[1]);
        if (grandchild == 0) {
            burn_ms(120);
            _exit(0);
        }
        waitpid(grandchild, NULL, 0);
        burn_ms(80);
        _exit(write(burned[1], &byte, 1) != 1 || read(hold[0], &byte, 1) != 0);
    }
    if (read(burned[0], &byte, 1) != 1)
        _exit(1);
    pause_at(go, done);
    close(hold[1]);
    waitpid(child, NULL, 0);
    pause_at(go, done);
}

START_TEST(what_children_used_before_attaching_does_not_count_when_they_are_reaped)
{
    struct world w = start(has_burned_children, true);

    step(&w);
    ck_assert_int_ge(sampler_watch(w.sampler, w.program, SAMPLER_ATTACHED, rs_clock_mono_ns(), NULL), 0);
    ck_assert_uint_eq(w.session->process_count, 2); /* the child, too: at once */
    slow_tick(&w);
    step(&w);
    slow_tick(&w);
    slow_tick(&w);
    ck_assert_msg(cpu_ms(&w) < 15, "%f ms", cpu_ms(&w));
    sampler_finish(w.sampler, rs_clock_mono_ns());
    release(&w);
    kill(w.program, SIGKILL);
    waitpid(w.program, NULL, 0);
    close(w.go);
}
END_TEST

/* Three levels of processes; all but the program itself end between two looks. */
static void three_levels(int go, int done)
{
    for (int i = 0; i < 3; i++) {
        pid_t middle = fork();

        if (middle == 0) {
            pid_t leaf = fork();

            if (leaf == 0) {
                pause_at(go, done);
                burn_ms(50);
                pause_at(go, done);
                _exit(0);
            }
            waitpid(leaf, NULL, 0);
            _exit(0);
        }
        waitpid(middle, NULL, 0);
        pause_at(go, done);
    }
}

START_TEST(three_levels_of_processes_count_once)
{
    struct world w = start(three_levels, true);

    ck_assert_int_eq(sampler_watch(w.sampler, w.program, SAMPLER_LAUNCHED, rs_clock_mono_ns(), NULL), 0);
    for (int i = 0; i < 3; i++) {
        step(&w); /* the leaf is there */
        slow_tick(&w);
        slow_tick(&w); /* the middle has been found, then the leaf */
        step(&w);      /* it has burned */
        tick(&w);
        step(&w); /* leaf and middle have gone */
        slow_tick(&w);
    }
    finish(&w);
    ck_assert_uint_ge(w.session->process_count, 7);
    ck_assert(w.usage_ms >= 149);
    ck_assert_double_eq_tol(cpu_ms(&w), w.usage_ms, 1);
    release(&w);
}
END_TEST

static void short_children(int go, int done)
{
    (void)go, (void)done;
    for (int i = 0; i < 10; i++) {
        pid_t child = fork();

        if (child == 0) {
            burn_ms(10);
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
}

START_TEST(children_that_nobody_saw_are_an_entry_of_their_own)
{
    struct world w = start(short_children, true);

    ck_assert_int_eq(sampler_watch(w.sampler, w.program, SAMPLER_LAUNCHED, rs_clock_mono_ns(), NULL), 0);
    finish(&w);
    ck_assert(w.usage_ms >= 99);
    ck_assert_double_eq_tol(cpu_ms(&w), w.usage_ms, 1);
    ck_assert_uint_eq(w.session->process_count, 2);
    ck_assert_int_eq(w.session->processes[1].pid, 0);
    release(&w);
}
END_TEST

START_TEST(a_process_that_others_have_met_is_not_met_again)
{
    struct world w = start(burns_twice, true);
    uint32_t record = session_add_process(w.session, w.program, -1, 0);

    struct os_process *os = os_process_open(w.program, NULL);
    struct os_stat stat;

    ck_assert(os && os_process_stat(os, &stat));
    os_process_close(os);
    w.session->processes[record].started = stat.start;
    ck_assert_int_eq(sampler_watch(w.sampler, w.program, SAMPLER_FORKED, rs_clock_mono_ns(), NULL), (int)record);
    ck_assert_uint_eq(w.session->process_count, 1);
    kill(w.program, SIGKILL);
    waitpid(w.program, NULL, 0);
    sampler_finish(w.sampler, rs_clock_mono_ns());
    release(&w);
    close(w.go);
}
END_TEST

START_TEST(a_process_that_has_gone_is_one_sentence)
{
    struct world w = start(burns_twice, true);
    struct rs_err err;
    pid_t gone = fork();

    if (gone == 0)
        _exit(0);
    waitpid(gone, NULL, 0);
    ck_assert_int_eq(sampler_watch(w.sampler, gone, SAMPLER_ATTACHED, rs_clock_mono_ns(), &err), -ESRCH);
    ck_assert(strlen(err.text) > 10 && !strchr(err.text, '\n'));
    /* Told by one who saw it fork, it gets a record. */
    ck_assert_int_eq(sampler_watch(w.sampler, w.program, SAMPLER_LAUNCHED, rs_clock_mono_ns(), NULL), 0);
    sampler_forked(w.sampler, w.program, gone, rs_clock_mono_ns());
    ck_assert_uint_eq(w.session->process_count, 2);
    ck_assert_int_eq(w.session->processes[1].parent, 0);
    kill(w.program, SIGKILL);
    waitpid(w.program, NULL, 0);
    sampler_finish(w.sampler, rs_clock_mono_ns());
    release(&w);
    close(w.go);
}
END_TEST

SUITE("sampler", a_programs_time_is_its_rusage, what_ran_before_attaching_does_not_count,
      what_children_used_before_attaching_does_not_count_when_they_are_reaped, three_levels_of_processes_count_once,
      children_that_nobody_saw_are_an_entry_of_their_own, a_process_that_others_have_met_is_not_met_again,
      a_process_that_has_gone_is_one_sentence)
