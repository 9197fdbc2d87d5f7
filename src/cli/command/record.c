/* SPDX-License-Identifier: MIT */
#include "command/commands.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/proc_view.h"
#include "collect/channel/channel.h"
#include "collect/channel/scopes.h"
#include "collect/process/sampler.h"
#include "collect/stacks/stacks.h"
#include "command/conclude.h"
#include "core/clock.h"
#include "core/path.h"
#include "core/wire.h"
#include "file/checkpoint.h"
#include "file/session_file.h"
#include "run/host.h"
#include "run/record_options.h"
#include "run/stopper.h"
#include "session/session.h"
#include "system/launch.h"
#include "system/loop.h"
#include "tui/plain.h"
#include "tui/tui.h"

enum { CHANNEL_POLL_NS = 50000000 };

/* One recording, from the command line to the exit status. */
struct recording {
    struct record_options options;
    struct launch_state launch_state;
    struct session *session;
    struct loop *loop;
    struct sampler *sampler;
    struct stacks *stacks;
    struct stopper *stopper;
    struct scopes *scopes;
    struct channel *channel; /* NULL: nothing is recorded from inside the program */
    struct checkpoint *checkpoint;
    struct launched child; /* attached: only pid and pidfd */
    int signal_fd;
    struct loop_watch *tick_timer;
    struct tui *tui; /* NULL without a live screen */
    struct plain plain;
    bool exited;
    int wait_status;
    struct rusage usage;
};

static double to_ns(double seconds)
{
    return seconds * 1e9;
}

static uint64_t to_us(const struct timeval *tv)
{
    return (uint64_t)tv->tv_sec * 1000000u + (uint64_t)tv->tv_usec;
}

static int64_t unix_ms_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* -- set-up ----------------------------------------------------------------------------------------------------- */

/* Signals come through a descriptor; those that were ignored when we started (nohup) stay so. */
static void take_signals(struct recording *r)
{
    const int taken[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction action;
    sigset_t mask;

    sigemptyset(&mask);
    for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
        if (!sigaction(taken[i], NULL, &action) && action.sa_handler != SIG_IGN)
            sigaddset(&mask, taken[i]);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error of write() */
    r->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (r->signal_fd < 0)
        die(125, "cannot receive signals: %s", strerror(errno));
}

/* Many processes mean many descriptors; the program gets its own limit back before exec. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void describe_session(struct recording *r)
{
    const struct record_options *o = &r->options;
    struct session_meta *meta = &r->session->meta;
    struct strings *strings = &r->session->strings;
    char cwd[4096];

    host_describe(r->session);
    meta->rate_hz = o->rate_hz;
    meta->stack_rate_hz = o->no_stacks ? 0 : o->stack_rate_hz;
    meta->redacted = o->redact;
    meta->name = strings_add_str(strings, o->name);
    if (getcwd(cwd, sizeof(cwd))) {
        meta->cwd = strings_add_str(strings, cwd);
        meta->project = strings_add_str(strings, rs_path_base(cwd));
    }
    if (o->argc) {
        meta->argc = o->redact ? 1 : (size_t)o->argc;
        meta->argv = xcalloc(meta->argc, sizeof(*meta->argv));
        for (size_t i = 0; i < meta->argc; i++)
            meta->argv[i] = strings_add_str(strings, o->argv[i]);
        meta->target_binary = strings_add_str(strings, o->argv[0]);
    }
    meta->tags = xcalloc(o->tag_count, sizeof(*meta->tags));
    for (size_t i = 0; i < o->tag_count; i++)
        meta->tags[meta->tag_count++] = strings_add_str(strings, o->tags[i]);
    meta->labels = xcalloc(o->label_count, sizeof(*meta->labels));
    for (size_t i = 0; i < o->label_count; i++) {
        const char *equals = strchr(o->labels[i], '=');
        string_id key = strings_add(strings, o->labels[i], (size_t)(equals - o->labels[i]));
        size_t at = 0;

        while (at < meta->label_count && meta->labels[at].key != key)
            at++; /* the last value of a key wins */
        meta->labels[at] = (struct session_label){key, strings_add_str(strings, equals + 1)};
        meta->label_count += at == meta->label_count;
    }
}

/* -- the loop's callbacks ---------------------------------------------------------------------------------------- */

static void on_tick(void *ctx, uint64_t expirations)
{
    struct recording *r = ctx;
    uint64_t now_ns = rs_clock_mono_ns();

    sampler_tick(r->sampler, now_ns, expirations);
    stacks_tick(r->stacks, now_ns);
}

static void on_channel(void *ctx, uint64_t expirations)
{
    struct recording *r = ctx;

    (void)expirations;
    channel_poll(r->channel);
}

static void on_end(void *ctx)
{
    struct recording *r = ctx;

    loop_stop(r->loop);
}

/* The program has ended; its CPU clock can be read until it is reaped. */
static void on_exit_of_program(void *ctx, uint32_t events)
{
    struct recording *r = ctx;

    (void)events;
    if (r->tick_timer)
        sampler_tick(r->sampler, rs_clock_mono_ns(), 1);
    if (!r->options.pid)
        r->exited = wait4(r->child.pid, &r->wait_status, 0, &r->usage) == r->child.pid;
    loop_stop(r->loop);
}

static void on_signal(void *ctx, uint32_t events)
{
    struct recording *r = ctx;
    struct signalfd_siginfo info;

    (void)events;
    while (read(r->signal_fd, &info, sizeof(info)) == sizeof(info))
        stopper_signal(r->stopper, (int)info.ssi_signo, info.ssi_code == SI_KERNEL);
}

static void on_duration_over(void *ctx, uint64_t expirations)
{
    struct recording *r = ctx;

    (void)expirations;
    stopper_duration_over(r->stopper);
}

/* -- the live screen --------------------------------------------------------------------------------------------- */

static void on_spike(void *ctx, uint32_t event, bool ended)
{
    struct recording *r = ctx;

    if (r->tui && !ended)
        tui_flash(r->tui, event);
    else if (!r->tui && ended && !r->options.quiet)
        plain_event(&r->plain, r->session, event);
}

static void on_typed_interrupt(void *ctx)
{
    struct recording *r = ctx;

    stopper_signal(r->stopper, SIGINT, true);
}

static void on_typed_quit(void *ctx)
{
    struct recording *r = ctx;

    stopper_quit(r->stopper);
}

static void on_aside(void *ctx, bool aside)
{
    struct recording *r = ctx;

    stopper_set_screen(r->stopper, !aside);
}

static void open_tui(struct recording *r)
{
    const struct tui_options options = {.loop = r->loop,
                                        .session = r->session,
                                        .hot_cpu_pct = r->options.spike_cpu_pct,
                                        .launch = !r->options.pid,
                                        .on_interrupt = on_typed_interrupt,
                                        .on_quit = on_typed_quit,
                                        .on_aside = on_aside,
                                        .ctx = r};
    struct rs_err err;

    if (r->options.no_tui || !tui_possible())
        return;
    r->tui = tui_new(&options, &err);
    if (!r->tui && !r->options.quiet)
        warn("no live screen: %s", err.text);
}

static void close_tui(struct recording *r)
{
    tui_free(r->tui);
    r->tui = NULL;
}

/* The clock starts here: at exec, at attach, or when --delay is over. */
static void start_measuring(struct recording *r, enum sampler_origin origin)
{
    struct rs_err err;
    uint64_t now_ns = rs_clock_mono_ns();

    r->session->start_mono_ns = now_ns;
    r->session->start_unix_ms = unix_ms_now();
    sampler_restart(r->sampler, now_ns);
    /* A program that has ended already is a session without readings, not an error. */
    if (sampler_watch(r->sampler, r->child.pid, origin, now_ns, &err) < 0 && proc_view() != PROC_VIEW_OWN)
        session_warn(r->session, "No process metrics: /proc %s (mount -t proc proc /proc)",
                     proc_view() == PROC_VIEW_NONE ? "is not mounted here" : "shows another pid namespace than ours");
    stacks_start(r->stacks);
    r->tick_timer = loop_add_timer(r->loop, session_reading_ns(r->session), session_reading_ns(r->session), on_tick, r);
    r->checkpoint = checkpoint_new(r->loop, r->session, r->options.output);
    if (r->options.duration_sec > 0)
        loop_add_timer(r->loop, (uint64_t)to_ns(r->options.duration_sec), 0, on_duration_over, r);
}

static void on_delay_over(void *ctx, uint64_t expirations)
{
    struct recording *r = ctx;

    (void)expirations;
    start_measuring(r, SAMPLER_ATTACHED);
    channel_start(r->channel);
}

/* -- start and end ----------------------------------------------------------------------------------------------- */

static int attach(struct recording *r, struct rs_err *err)
{
    pid_t pid = r->options.pid;

    if (pid == getpid())
        return rs_err_set(err, -EINVAL, "process %d is rustscope itself", (int)pid);
    r->child = (struct launched){.pid = pid, .gate_fd = -1, .error_fd = -1};
    r->child.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (r->child.pidfd < 0)
        return rs_err_set(err, -errno, "there is no process %d", (int)pid);
    if (kill(pid, 0) < 0 && errno == EPERM)
        return rs_err_set(err, -EPERM, "process %d belongs to another user: run rustscope as that user or with sudo",
                          (int)pid);
    return 0;
}

static void on_timer_sample(void *ctx, const struct channel_origin *origin, const void *record, size_t bytes)
{
    struct recording *r = ctx;
    struct rs_record_sample sample;

    if (bytes < sizeof(sample))
        return;
    memcpy(&sample, record, sizeof(sample));
    stacks_timer_sample(r->stacks, (uint32_t)origin->process, origin->thread,
                        channel_session_node(r->channel, sample.node), record, bytes);
}

static void on_scopes(void *ctx, const struct channel_origin *origin, const void *record, size_t bytes)
{
    struct recording *r = ctx;

    scopes_record(r->scopes, origin->process, record, bytes);
}

/* The program's side channel: allocations, scopes. A recording goes on without it. */
static void open_channel(struct recording *r)
{
    const struct channel_options options = {.allocations = !r->options.no_alloc,
                                            .follow = !r->options.no_follow,
                                            .timer_hz = stacks_timer_hz(r->stacks),
                                            .sampler = r->sampler};
    struct rs_err err;

    r->session->allocations.suppress_file = strings_add_str(&r->session->strings, r->options.suppress_file);
    if (channel_open(&r->channel, r->session, &options, &err)) {
        session_warn(r->session, "Nothing is recorded from inside the program: %s", err.text);
        return;
    }
    channel_on_record(r->channel, RS_RECORD_TIMER_FIRST, RS_RECORD_TIMER_LAST, on_timer_sample, r);
    r->scopes = scopes_new(r->session);
    channel_on_record(r->channel, RS_RECORD_LIB_FIRST, RS_RECORD_LIB_LAST, on_scopes, r);
}

/* Starts or attaches. Returns 0, or the exit status after saying why not. */
static int start(struct recording *r)
{
    struct launch_options launch = {.argv = r->options.argv, .stdio = {-1, -1, -1}, .state = &r->launch_state};
    struct rs_err err;
    int rc;

    if (r->options.pid) {
        rc = attach(r, &err);
        if (rc)
            die(1, "%s", err.text);
        stacks_open(r->stacks, r->child.pid);
    } else {
        if (r->tui)
            tui_prepare_launch(r->tui, &launch);
        open_channel(r);
        launch.env = r->channel ? channel_env(r->channel, r->options.argv[0]) : NULL;
        rc = launch_fork(&r->child, &launch, &err);
        if (rc)
            die(125, "%s", err.text);
        if (r->channel)
            channel_set_root(r->channel, r->child.pid);
        stacks_open(r->stacks, r->child.pid);
        rc = launch_go(&r->child, r->options.argv[0], &err);
        if (rc) {
            close_tui(r);
            warn("%s", err.text);
            return launch_exit_status(rc);
        }
    }
    r->session->meta.pid = r->child.pid;
    return 0;
}

static void watch(struct recording *r)
{
    const struct stopper_options stop = {.pid = r->child.pid,
                                         .pidfd = r->child.pidfd,
                                         .ours = !r->options.pid,
                                         .keep = r->options.keep,
                                         .screen = r->tui != NULL,
                                         .stdin_is_terminal = isatty(STDIN_FILENO),
                                         .on_end = on_end,
                                         .ctx = r};

    r->stopper = stopper_new(r->loop, &stop);
    loop_add_fd(r->loop, r->child.pidfd, EPOLLIN, on_exit_of_program, r);
    loop_add_fd(r->loop, r->signal_fd, EPOLLIN, on_signal, r);
    stacks_watch(r->stacks, r->loop);
    if (r->channel)
        loop_add_timer(r->loop, CHANNEL_POLL_NS, CHANNEL_POLL_NS, on_channel, r);
    if (r->options.delay_sec > 0)
        loop_add_timer(r->loop, (uint64_t)to_ns(r->options.delay_sec), 0, on_delay_over, r);
    else
        start_measuring(r, r->options.pid ? SAMPLER_ATTACHED : SAMPLER_LAUNCHED);
    if (r->tui)
        tui_start(r->tui, r->child.pid);
}

static void describe_end(struct recording *r)
{
    struct session_meta *meta = &r->session->meta;
    unsigned left = sampler_descendants_running(r->sampler);
    const struct diagnostics *d = &r->session->diagnostics;

    meta->stop_reason = stopper_reason(r->stopper, r->wait_status);
    if (r->exited && WIFEXITED(r->wait_status))
        meta->exit_code = WEXITSTATUS(r->wait_status);
    if (r->exited && WIFSIGNALED(r->wait_status))
        meta->exit_signal = WTERMSIG(r->wait_status);
    if (r->exited && left)
        session_warn(r->session,
                     "%u process%s that the program started still ran when it ended: what they did later is not here "
                     "(rustscope --pid PID follows one)",
                     left, left == 1 ? "" : "es");
    if (d->ticks_missed >= 10 && d->ticks_missed * 20 > d->ticks)
        session_warn(
            r->session,
            "%.0f %% of the readings of CPU and memory were missed: rustscope did not get a processor %u times a "
            "second, or was stopped; what was read has its real times",
            100.0 * (double)d->ticks_missed / (double)(d->ticks + d->ticks_missed), r->options.rate_hz);
    if (r->tick_timer && r->exited && r->session->duration_ns < session_reading_ns(r->session))
        session_warn(r->session,
                     "The program ended before the first reading was due (after %.1f ms): memory, threads and "
                     "descriptors were not read",
                     (double)session_reading_ns(r->session) / 1e6);
    if (!r->tick_timer)
        session_warn(r->session, "The program ended before --delay was over: nothing was measured");
}

/* The program's own status; a report that could not be written turns success into 1. */
static int exit_status(const struct recording *r, int conclude_rc)
{
    int status = 0;

    if (r->session->meta.stop_reason != STOP_DURATION && r->exited)
        status = WIFSIGNALED(r->wait_status) ? 128 + WTERMSIG(r->wait_status) : WEXITSTATUS(r->wait_status);
    return status ? status : conclude_rc ? 1 : 0;
}

static int finish(struct recording *r)
{
    struct rs_err err;
    int rc;

    close_tui(r);
    describe_end(r);
    sampler_finish(r->sampler, rs_clock_mono_ns(), r->exited ? &r->wait_status : NULL,
                   r->exited && !r->options.delay_sec ? &r->usage : NULL);
    channel_finish(r->channel);
    if (r->scopes)
        scopes_finish(r->scopes);
    stacks_finish(r->stacks, rs_clock_mono_ns(), to_us(&r->usage.ru_stime));
    rc = conclude(r->session, r->options.output,
                  (r->options.quiet ? CONCLUDE_QUIET : 0) | (r->options.debuginfod ? CONCLUDE_DEBUGINFOD : 0), &err);
    if (rc)
        warn("%s", err.text);
    checkpoint_free(r->checkpoint, !rc);
    return exit_status(r, rc);
}

static void release(struct recording *r)
{
    stopper_free(r->stopper);
    stacks_free(r->stacks);
    channel_close(r->channel);
    scopes_free(r->scopes);
    sampler_free(r->sampler);
    loop_free(r->loop);
    session_free(r->session);
    record_options_release(&r->options);
    if (r->child.pidfd >= 0)
        close(r->child.pidfd);
    close(r->signal_fd);
}

static void set_up(struct recording *r)
{
    const struct sampler_options sampling = {.rate_hz = r->options.rate_hz,
                                             .spike_cpu_pct = r->options.spike_cpu_pct,
                                             .spike_mem_bytes = (uint64_t)(r->options.spike_mem_mb * 1e6),
                                             .follow = !r->options.no_follow,
                                             .on_event = on_spike,
                                             .ctx = r};
    const struct stacks_options stacks = {.rate_hz = r->options.stack_rate_hz,
                                          .stack_bytes = r->options.stack_bytes,
                                          .program = r->options.argc ? r->options.argv[0] : NULL,
                                          .attach = r->options.pid != 0,
                                          .delayed = r->options.delay_sec > 0,
                                          .follow = !r->options.no_follow,
                                          .off_cpu = r->options.off_cpu,
                                          .cycles = r->options.cycles};
    struct rs_err err;

    launch_state_save(&r->launch_state);
    take_signals(r);
    raise_descriptor_limit();
    if (session_check_output(r->options.output, &err))
        die(125, "%s", err.text);
    r->session = session_new(rs_clock_mono_ns(), unix_ms_now());
    describe_session(r);
    r->loop = loop_new();
    r->sampler = sampler_new(r->session, &sampling);
    if (!r->options.no_stacks)
        r->stacks = stacks_new(r->session, &stacks, r->sampler);
}

int cmd_record(int argc, char **argv)
{
    struct recording r = {.signal_fd = -1, .child = {.pid = -1, .pidfd = -1}};
    struct rs_err err;
    int status;

    if (record_options_parse(&r.options, argc, argv, &err))
        die(2, "%s", err.text);
    if (r.options.help) {
        record_options_help();
        return 0;
    }
    if (r.options.version) {
        puts("rustscope " RUSTSCOPE_VERSION);
        return 0;
    }
    if (!r.options.no_stacks && stacks_check_rate(r.options.stack_rate_hz, &err))
        die(2, "%s", err.text);
    set_up(&r);
    open_tui(&r);
    status = start(&r);
    if (!status) {
        watch(&r);
        loop_run(r.loop);
        status = finish(&r);
    }
    release(&r);
    return status;
}
