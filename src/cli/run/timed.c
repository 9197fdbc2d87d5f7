/* SPDX-License-Identifier: MIT */
#include "run/timed.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "core/clock.h"
#include "system/loop.h"

static const uint64_t GRACE_NS = 2000000000;

/* What the child writes before exec; one page that both have. */
struct before_exec {
    uint64_t at_ns;
    uint64_t rss_bytes; /* an image of the kernel's that the program's peak starts from */
    bool own_group;
};

struct timed {
    struct loop *loop;
    const struct launch_state *state;
    struct before_exec *before;
    /* Of the run that is on. */
    struct loop_watch *program, *timer;
    pid_t pid;
    uint64_t ended_ns;
    bool timed_out, running;
    int signo;
};

static void kill_all(struct timed *t)
{
    if (t->before->own_group)
        kill(-t->pid, SIGKILL);
    loop_signal_process(t->program, SIGKILL);
}

static void on_ended(void *ctx)
{
    struct timed *t = ctx;

    t->ended_ns = rs_clock_mono_ns();
    loop_stop(t->loop);
}

static void on_timeout(void *ctx, uint64_t expirations)
{
    struct timed *t = ctx;

    (void)expirations;
    t->timed_out = true;
    kill_all(t);
}

static void on_grace_over(void *ctx, uint64_t expirations)
{
    (void)expirations;
    kill_all(ctx);
}

/* The program is asked to end, and made to when it does not, or at a second signal. */
static void on_signal(void *ctx, int signo, bool from_kernel)
{
    struct timed *t = ctx;

    if (!t->running || t->signo) {
        t->signo = signo;
        if (t->running)
            kill_all(t);
        return;
    }
    t->signo = signo;
    if (!from_kernel || t->before->own_group)
        loop_signal_process(t->program, signo);
    loop_remove(t->loop, t->timer);
    t->timer = loop_add_timer(t->loop, GRACE_NS, 0, on_grace_over, t);
}

int timed_new(struct timed **out, const struct launch_state *state, struct rs_err *err)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct timed *t = xcalloc(1, sizeof(*t));
    int rc;

    *out = NULL;
    t->state = state;
    t->before = mmap(NULL, sizeof(*t->before), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
    if (t->before == MAP_FAILED) {
        rc = rs_err_set(err, -errno, "cannot share a page with programs: %s", strerror(errno));
        free(t);
        return rc;
    }
    rc = loop_new(&t->loop, err);
    if (!rc)
        rc = loop_add_signals(t->loop, signals, sizeof(signals) / sizeof(*signals), on_signal, t, err);
    if (rc)
        timed_free(t);
    else
        *out = t;
    return rc;
}

void timed_free(struct timed *t)
{
    if (!t)
        return;
    loop_free(t->loop);
    munmap(t->before, sizeof(*t->before));
    free(t);
}

int timed_signal(const struct timed *t)
{
    return t->signo;
}

static void note_before_exec(void *ctx)
{
    struct before_exec *before = ctx;
    struct rusage usage;

    if (before->own_group)
        setpgid(0, 0);
    getrusage(RUSAGE_SELF, &usage);
    before->rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
    before->at_ns = rs_clock_mono_ns();
}

static double to_ns(const struct timeval *tv)
{
    return (double)tv->tv_sec * 1e9 + (double)tv->tv_usec * 1e3;
}

/* Reaps the child. What it used before exec, microseconds of our fork, is not told apart by the kernel. */
static void collect(struct timed *t, struct bench_run *run)
{
    struct rusage usage = {0};
    uint64_t peak;

    while (wait4(t->pid, &run->status, 0, &usage) < 0 && errno == EINTR)
        ;
    peak = (uint64_t)usage.ru_maxrss * 1024;
    run->wall_ns = (double)(t->ended_ns - t->before->at_ns);
    run->user_ns = to_ns(&usage.ru_utime);
    run->system_ns = to_ns(&usage.ru_stime);
    run->peak_rss_bytes = peak > t->before->rss_bytes ? peak : 0;
    run->minor_faults = (uint64_t)usage.ru_minflt;
    run->major_faults = (uint64_t)usage.ru_majflt;
    run->voluntary_switches = (uint64_t)usage.ru_nvcsw;
    run->involuntary_switches = (uint64_t)usage.ru_nivcsw;
    run->timed_out = t->timed_out;
}

static int start(struct timed *t, const struct timed_command *command, struct rs_err *err)
{
    const struct launch_options options = {.argv = command->argv,
                                           .env = command->env,
                                           .stdio = {command->stdio[0], command->stdio[1], command->stdio[2]},
                                           .before_exec = note_before_exec,
                                           .before_exec_ctx = t->before,
                                           .state = t->state};
    struct launched child;
    int rc;

    t->before->own_group = command->timeout_sec > 0;
    rc = launch_fork(&child, &options, err);
    if (rc)
        return rc;
    rc = loop_add_process(t->loop, child.pid, on_ended, t, &t->program, err);
    if (rc) {
        launch_abandon(&child);
        return rc;
    }
    t->pid = child.pid;
    rc = launch_go(&child, command->argv[0], err);
    if (rc)
        loop_remove(t->loop, t->program);
    return rc;
}

int timed_run(struct timed *t, const struct timed_command *command, struct bench_run *run, struct rs_err *err)
{
    int rc;

    *run = (struct bench_run){0};
    t->timed_out = false;
    t->timer = NULL;
    if (t->signo)
        return rs_err_set(err, -EINTR, "%s came", strsignal(t->signo));
    rc = start(t, command, err);
    if (rc)
        return rc;
    t->running = true;
    if (command->timeout_sec > 0)
        t->timer = loop_add_timer(t->loop, (uint64_t)(command->timeout_sec * 1e9), 0, on_timeout, t);
    rc = loop_run(t->loop, err);
    t->running = false;
    loop_remove(t->loop, t->timer);
    if (rc) { /* the loop failed: nobody would tell of the end */
        kill_all(t);
        t->ended_ns = rs_clock_mono_ns();
    }
    if (t->timed_out)
        kill_all(t); /* those that it had started */
    collect(t, run);
    loop_remove(t->loop, t->program);
    return rc ? rc : t->signo ? rs_err_set(err, -EINTR, "%s came", strsignal(t->signo)) : 0;
}
