/* SPDX-License-Identifier: MIT */
#include "run/timed.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"
#include "system/launch.h"

static struct launch_state state;
static struct timed *timer;
static int nowhere;

static void set_up(void)
{
    struct rs_err err;
    sigset_t none;

    sigemptyset(&none); /* without a process a test, the one before has blocked some */
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGTERM, SIG_DFL); /* libcheck's own handler is none of the programs' */
    signal(SIGINT, SIG_DFL);
    launch_prepare(&state);
    ck_assert_int_eq(timed_new(&timer, &state, &err), 0);
    nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
}

static int run_sh(const char *script, double timeout_sec, struct bench_run *run, struct rs_err *err)
{
    char *const argv[] = {(char[]){"sh"}, (char[]){"-c"}, strdup(script), NULL};
    const struct timed_command command = {
        .argv = argv, .stdio = {nowhere, nowhere, nowhere}, .timeout_sec = timeout_sec};
    int rc = timed_run(timer, &command, run, err);

    free(argv[2]);
    return rc;
}

START_TEST(a_run_has_its_time_its_status_and_its_memory)
{
    struct bench_run run;
    struct rs_err err;

    set_up();
    ck_assert_int_eq(run_sh("sleep 0.1; exit 3", 0, &run, &err), 0);
    ck_assert_int_eq(WEXITSTATUS(run.status), 3);
    ck_assert_double_ge(run.wall_ns, 100e6);
    ck_assert_double_lt(run.wall_ns, 1000e6);
    ck_assert_double_lt(run.user_ns + run.system_ns, 90e6);
    ck_assert(!run.timed_out);
    timed_free(timer);
}
END_TEST

START_TEST(cpu_time_and_peak_memory_are_those_of_descendants_too)
{
    struct bench_run busy, large;
    struct rs_err err;

    set_up();
    ck_assert_int_eq(run_sh("(i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done)", 0, &busy, &err), 0);
    ck_assert_double_gt(busy.user_ns, 5e6);
    ck_assert_int_eq(run_sh("(head -c 50000000 /dev/zero | tail -c 50000000 >/dev/null); true", 0, &large, &err), 0);
    ck_assert_uint_gt(large.peak_rss_bytes, 50000000);
    ck_assert_uint_gt(large.minor_faults, 1000);
    timed_free(timer);
}
END_TEST

START_TEST(the_time_to_fork_is_not_in_the_figures)
{
    char *const argv[] = {(char[]){"true"}, NULL};
    const struct timed_command command = {.argv = argv, .stdio = {-1, -1, -1}};
    struct bench_run run;
    double best = 1e18;

    set_up();
    for (int i = 0; i < 30; i++) {
        ck_assert_int_eq(timed_run(timer, &command, &run, NULL), 0);
        best = run.wall_ns < best ? run.wall_ns : best;
    }
    ck_assert_double_lt(best, 20e6);
    ck_assert_double_gt(best, 50e3);
    timed_free(timer);
}
END_TEST

START_TEST(what_cannot_be_run_is_a_sentence)
{
    char *const missing[] = {(char[]){"/no/such/program"}, NULL}, *const folder[] = {(char[]){"/tmp"}, NULL};
    struct timed_command command = {.argv = missing, .stdio = {-1, -1, -1}};
    struct bench_run run;
    struct rs_err err;

    set_up();
    ck_assert_int_eq(timed_run(timer, &command, &run, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "no such file"));
    command.argv = folder;
    ck_assert_int_eq(timed_run(timer, &command, &run, &err), -EACCES);
    ck_assert_int_eq(run_sh("exit 0", 0, &run, &err), 0); /* and the next one runs */
    timed_free(timer);
}
END_TEST

START_TEST(a_program_that_hangs_is_killed_with_what_it_has_started)
{
    struct bench_run run;
    struct rs_err err;
    int fds[2];
    char byte;

    set_up();
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    {
        char *const argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char[]){"sleep 30 & sleep 30"}, NULL};
        const struct timed_command command = {.argv = argv, .stdio = {nowhere, fds[1], nowhere}, .timeout_sec = 0.2};

        ck_assert_int_eq(timed_run(timer, &command, &run, &err), 0);
    }
    ck_assert(run.timed_out && WIFSIGNALED(run.status) && WTERMSIG(run.status) == SIGKILL);
    ck_assert_double_lt(run.wall_ns, 5e9);
    close(fds[1]);
    ck_assert_int_eq(read(fds[0], &byte, 1), 0); /* nobody has the other end any more */
    timed_free(timer);
}
END_TEST

START_TEST(a_signal_to_us_ends_the_program_and_the_series)
{
    struct bench_run run;
    struct rs_err err;
    pid_t pid;

    set_up();
    pid = fork();
    if (!pid) {
        usleep(200000);
        kill(getppid(), SIGTERM);
        _exit(0);
    }
    ck_assert_int_eq(run_sh("exec sleep 30", 0, &run, &err), -EINTR);
    ck_assert_int_eq(timed_signal(timer), SIGTERM);
    ck_assert(WIFSIGNALED(run.status) && WTERMSIG(run.status) == SIGTERM);
    ck_assert_int_eq(run_sh("exit 0", 0, &run, &err), -EINTR);
    waitpid(pid, NULL, 0);
    timed_free(timer);
}
END_TEST

SUITE("timed", a_run_has_its_time_its_status_and_its_memory, cpu_time_and_peak_memory_are_those_of_descendants_too,
      the_time_to_fork_is_not_in_the_figures, what_cannot_be_run_is_a_sentence,
      a_program_that_hangs_is_killed_with_what_it_has_started, a_signal_to_us_ends_the_program_and_the_series)
