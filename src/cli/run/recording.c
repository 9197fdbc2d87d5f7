/* SPDX-License-Identifier: MIT */
#include "run/recording.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/proc_view.h"
#include "collect/channel/channel.h"
#include "collect/channel/scopes.h"
#include "collect/process/os_process.h"
#include "collect/process/sampler.h"
#include "collect/stacks/stacks.h"
#include "core/clock.h"
#include "core/path.h"
#include "core/wire.h"
#include "file/checkpoint.h"
#include "file/session_file.h"
#include "run/host.h"
#include "run/stopper.h"
#include "system/loop.h"
#include "tui/tui.h"

enum { CHANNEL_POLL_NS = 50000000 };

struct recording {
    struct recording_options hooks;
    const struct record_options *options;
    struct session *session;
    struct loop *loop;
    struct sampler *sampler; /* NULL when listening: nothing but the FIFO connects the programs with us */
    struct stacks *stacks;
    struct stopper *stopper;
    struct scopes *scopes;
    struct channel *channel; /* NULL: nothing is recorded from inside the program */
    struct checkpoint *checkpoint;
    struct launched child;      /* attached: the pid alone */
    struct loop_watch *program; /* the end of it; NULL when listening */
    struct loop_watch *tick_timer;
    struct tui *tui;       /* NULL without a live screen */
    int failed_status;     /* of recording_start() */
    struct host_load load; /* when measuring began */
    bool exited;
    unsigned left; /* descendants that ran when it had, or run now */
    bool waiting;  /* it has, and what it started runs on (--wait-all) */
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

static void describe_program(struct recording *r)
{
    const struct record_options *o = r->options;
    struct session_meta *meta = &r->session->meta;
    struct strings *strings = &r->session->strings;

    if (r->hooks.fifo) {
        meta->target_binary = strings_add_str(strings, r->hooks.fifo);
        return;
    }
    meta->rate_hz = o->rate_hz;
    meta->stack_rate_hz = o->no_stacks ? 0 : o->stack_rate_hz;
    if (!o->argc)
        return;
    meta->argc = o->redact ? 1 : (size_t)o->argc;
    meta->argv = xcalloc(meta->argc, sizeof(*meta->argv));
    for (size_t i = 0; i < meta->argc; i++)
        meta->argv[i] = strings_add_str(strings, o->argv[i]);
    meta->target_binary = strings_add_str(strings, o->argv[0]);
}

static void add_tags_and_labels(struct session *s, const struct record_options *o)
{
    struct session_meta *meta = &s->meta;

    meta->tags = xcalloc(o->tag_count, sizeof(*meta->tags));
    for (size_t i = 0; i < o->tag_count; i++)
        meta->tags[meta->tag_count++] = strings_add_str(&s->strings, o->tags[i]);
    meta->labels = xcalloc(o->label_count, sizeof(*meta->labels));
    for (size_t i = 0; i < o->label_count; i++) {
        const char *equals = strchr(o->labels[i], '=');
        string_id key = strings_add(&s->strings, o->labels[i], (size_t)(equals - o->labels[i]));
        size_t at = 0;

        while (at < meta->label_count && meta->labels[at].key != key)
            at++; /* the last value of a key wins */
        meta->labels[at] = (struct session_label){key, strings_add_str(&s->strings, equals + 1)};
        meta->label_count += at == meta->label_count;
    }
}

static void describe_session(struct recording *r)
{
    const struct record_options *o = r->options;
    struct session_meta *meta = &r->session->meta;
    struct strings *strings = &r->session->strings;
    char cwd[4096];

    host_describe(r->session);
    meta->redacted = o->redact;
    meta->name = strings_add_str(strings, o->name ? o->name : r->hooks.fifo ? "listen" : NULL);
    if (getcwd(cwd, sizeof(cwd))) {
        meta->cwd = strings_add_str(strings, cwd);
        meta->project = strings_add_str(strings, rs_path_base(cwd));
    }
    r->session->allocations.suppress_file = strings_add_str(strings, o->suppress_file);
    describe_program(r);
    add_tags_and_labels(r->session, o);
}

/* -- the loop's callbacks ---------------------------------------------------------------------------------------- */

static unsigned daemons_running(struct recording *r, uint64_t now_ns)
{
    unsigned known = sampler_descendants_running(r->sampler);

    return known || !r->channel ? known : sampler_find_daemons(r->sampler, channel_word(r->channel), now_ns);
}

static void on_tick(void *ctx, uint64_t expirations)
{
    struct recording *r = ctx;
    uint64_t now_ns = rs_clock_mono_ns();

    sampler_tick(r->sampler, now_ns, expirations);
    stacks_tick(r->stacks, now_ns);
    if (!r->waiting)
        return;
    r->left = daemons_running(r, now_ns);
    if (!r->left)
        loop_stop(r->loop);
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

static bool is_ended_by_itself(const struct recording *r)
{
    enum stop_reason reason = stopper_reason(r->stopper, r->wait_status);

    return reason == STOP_EXIT || reason == STOP_SIGNAL;
}

/* It has been waited for. Who it leaves behind is told by those who saw it fork, and by its environment. */
static void close_program(struct recording *r)
{
    uint64_t now_ns = rs_clock_mono_ns();

    stacks_settle(r->stacks, now_ns);
    channel_poll(r->channel);
    sampler_program_ended(r->sampler, now_ns, r->wait_status, r->options->delay_sec > 0 ? NULL : &r->usage);
    r->left = daemons_running(r, now_ns);
}

/* The program has ended; its CPU clock can be read until it is reaped. */
static void on_exit_of_program(void *ctx)
{
    struct recording *r = ctx;

    if (r->tick_timer)
        sampler_tick(r->sampler, rs_clock_mono_ns(), 1);
    if (!r->options->pid)
        r->exited = wait4(r->child.pid, &r->wait_status, 0, &r->usage) == r->child.pid;
    if (r->exited && r->tick_timer)
        close_program(r);
    r->waiting = r->exited && r->options->wait_all && is_ended_by_itself(r) && r->left;
    if (!r->waiting)
        loop_stop(r->loop);
}

static void on_signal(void *ctx, int signo, bool from_kernel)
{
    struct recording *r = ctx;

    if (r->waiting) /* there is no program any more that it could be meant for */
        loop_stop(r->loop);
    else
        stopper_signal(r->stopper, signo, from_kernel);
}

static void on_duration_over(void *ctx, uint64_t expirations)
{
    struct recording *r = ctx;

    (void)expirations;
    if (r->waiting)
        loop_stop(r->loop);
    else
        stopper_duration_over(r->stopper);
}

/* -- the live screen --------------------------------------------------------------------------------------------- */

static void on_spike(void *ctx, uint32_t event, bool ended)
{
    struct recording *r = ctx;

    if (r->tui && !ended)
        tui_flash(r->tui, event);
    else if (!r->tui && ended && r->hooks.on_event)
        r->hooks.on_event(r->hooks.ctx, r->session, event);
}

static void on_typed_interrupt(void *ctx)
{
    struct recording *r = ctx;

    on_signal(r, SIGINT, true);
}

static void on_typed_quit(void *ctx)
{
    struct recording *r = ctx;

    if (r->waiting)
        loop_stop(r->loop);
    else
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
                                        .hot_cpu_pct = r->options->spike_cpu_pct,
                                        .launch = !r->options->pid,
                                        .on_interrupt = on_typed_interrupt,
                                        .on_quit = on_typed_quit,
                                        .on_aside = on_aside,
                                        .ctx = r};
    struct rs_err err, notice;

    if (r->options->no_tui || r->hooks.fifo || !tui_possible())
        return;
    r->tui = tui_new(&options, &err);
    if (r->tui || !r->hooks.on_notice)
        return;
    rs_err_set(&notice, 0, "no live screen: %.500s", err.text);
    r->hooks.on_notice(r->hooks.ctx, notice.text);
}

static void close_tui(struct recording *r)
{
    tui_free(r->tui);
    r->tui = NULL;
}

static void watch_processes(struct recording *r, enum sampler_origin origin, uint64_t now_ns)
{
    uint64_t period_ns = session_reading_ns(r->session);

    sampler_restart(r->sampler, now_ns);
    /* A program that has ended already is a session without readings, not an error. */
    if (sampler_watch(r->sampler, r->child.pid, origin, now_ns, NULL) < 0 && proc_view() != PROC_VIEW_OWN)
        session_warn(r->session, "No process metrics: /proc %s (mount -t proc proc /proc)",
                     proc_view() == PROC_VIEW_NONE ? "is not mounted here" : "shows another pid namespace than ours");
    stacks_start(r->stacks);
    r->tick_timer = loop_add_timer(r->loop, period_ns, period_ns, on_tick, r);
    r->checkpoint = checkpoint_new(r->loop, r->session, r->options->output);
}

/* The clock starts here: at exec, at attach, or when --delay is over. */
static void start_measuring(struct recording *r, enum sampler_origin origin)
{
    uint64_t now_ns = rs_clock_mono_ns();

    r->session->start_mono_ns = now_ns;
    r->session->start_unix_ms = unix_ms_now();
    r->load = host_load_now();
    if (r->sampler)
        watch_processes(r, origin, now_ns);
    if (r->options->duration_sec > 0)
        loop_add_timer(r->loop, (uint64_t)to_ns(r->options->duration_sec), 0, on_duration_over, r);
}

static void on_delay_over(void *ctx, uint64_t expirations)
{
    struct recording *r = ctx;

    (void)expirations;
    start_measuring(r, SAMPLER_ATTACHED);
    channel_start(r->channel);
}

/* -- start and end ----------------------------------------------------------------------------------------------- */

static int watch_program(struct recording *r, struct rs_err *err)
{
    return loop_add_process(r->loop, r->child.pid, on_exit_of_program, r, &r->program, err);
}

static int attach(struct recording *r, struct rs_err *err)
{
    pid_t pid = r->options->pid;
    int rc;

    r->failed_status = 1;
    if (pid == getpid())
        return rs_err_set(err, -EINVAL, "process %d is rustscope itself", (int)pid);
    r->child = (struct launched){.pid = pid, .gate_fd = -1, .error_fd = -1};
    rc = watch_program(r, err);
    if (rc)
        return rc;
    if (kill(pid, 0) < 0 && errno == EPERM)
        return rs_err_set(err, -EPERM, "process %d belongs to another user: run rustscope as that user or with sudo",
                          (int)pid);
    stacks_open(r->stacks, pid);
    return 0;
}

static void on_timer_sample(void *ctx, const struct channel_origin *origin, const void *record, size_t bytes)
{
    struct recording *r = ctx;
    struct rs_wire_sample sample;

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

static int open_channel(struct recording *r, struct rs_err *err)
{
    const struct channel_options options = {.allocations = !r->options->no_alloc,
                                            .follow = !r->options->no_follow,
                                            .timer_hz = stacks_timer_hz(r->stacks),
                                            .fifo = r->hooks.fifo,
                                            .sampler = r->sampler};
    int rc = channel_open(&r->channel, r->session, &options, err);

    if (rc)
        return rc;
    channel_on_record(r->channel, RS_RECORD_TIMER_FIRST, RS_RECORD_TIMER_LAST, on_timer_sample, r);
    r->scopes = scopes_new(r->session);
    channel_on_record(r->channel, RS_RECORD_LIB_FIRST, RS_RECORD_LIB_LAST, on_scopes, r);
    return 0;
}

static int launch(struct recording *r, struct rs_err *err)
{
    struct launch_options options = {.argv = r->options->argv, .stdio = {-1, -1, -1}, .state = r->hooks.launch};
    struct rs_err why;
    int rc;

    if (r->hooks.stdio)
        memcpy(options.stdio, r->hooks.stdio, sizeof(options.stdio));
    if (r->tui)
        tui_prepare_launch(r->tui, &options);
    /* A recording goes on without the program's side channel. */
    if (open_channel(r, &why))
        session_warn(r->session, "Nothing is recorded from inside the program: %s", why.text);
    options.env = r->channel ? channel_env(r->channel, options.argv[0]) : NULL;
    r->failed_status = 125;
    rc = launch_fork(&r->child, &options, err);
    if (rc)
        return rc;
    rc = watch_program(r, err);
    if (rc) {
        launch_abandon(&r->child);
        return rc;
    }
    if (r->channel)
        channel_set_root(r->channel, r->child.pid);
    stacks_open(r->stacks, r->child.pid);
    rc = launch_go(&r->child, options.argv[0], err);
    r->failed_status = rc ? launch_exit_status(rc) : 0;
    return rc;
}

static void watch(struct recording *r)
{
    const struct stopper_options stop = {.pid = r->child.pid,
                                         .program = r->program,
                                         .ours = !r->options->pid && !r->hooks.fifo,
                                         .listen = r->hooks.fifo != NULL,
                                         .keep = r->options->keep,
                                         .screen = r->tui != NULL,
                                         .stdin_is_terminal = isatty(STDIN_FILENO),
                                         .on_end = on_end,
                                         .ctx = r};

    r->stopper = stopper_new(r->loop, &stop);
    stacks_watch(r->stacks, r->loop);
    if (r->channel)
        loop_add_timer(r->loop, CHANNEL_POLL_NS, CHANNEL_POLL_NS, on_channel, r);
    if (r->options->delay_sec > 0)
        loop_add_timer(r->loop, (uint64_t)to_ns(r->options->delay_sec), 0, on_delay_over, r);
    else
        start_measuring(r, r->options->pid ? SAMPLER_ATTACHED : SAMPLER_LAUNCHED);
    if (r->tui)
        tui_start(r->tui, r->child.pid);
}

int recording_start(struct recording *r, struct rs_err *err)
{
    int rc;

    if (r->hooks.fifo) {
        r->failed_status = 1;
        rc = open_channel(r, err);
    } else {
        rc = r->options->pid ? attach(r, err) : launch(r, err);
        r->session->meta.pid = r->child.pid;
    }
    if (rc) {
        close_tui(r);
        return rc;
    }
    r->failed_status = 0;
    watch(r);
    return 0;
}

int recording_run(struct recording *r, struct rs_err *err)
{
    return loop_run(r->loop, err);
}

static void describe_end(struct recording *r)
{
    struct session_meta *meta = &r->session->meta;
    const struct diagnostics *d = &r->session->diagnostics;

    meta->stop_reason = stopper_reason(r->stopper, r->wait_status);
    if (r->exited && WIFEXITED(r->wait_status))
        meta->exit_code = WEXITSTATUS(r->wait_status);
    if (r->exited && WIFSIGNALED(r->wait_status))
        meta->exit_signal = WTERMSIG(r->wait_status);
    if (r->left)
        session_warn(r->session,
                     "%u process%s that the program started still ran when %s ended: what they did later is not here "
                     "(--wait-all records until the last one has ended, rustscope --pid PID follows one)",
                     r->left, r->left == 1 ? "" : "es", r->waiting ? "the recording" : "it");
    if (d->ticks_missed >= 10 && d->ticks_missed * 20 > d->ticks)
        session_warn(
            r->session,
            "%.0f %% of the readings of CPU and memory were missed: rustscope did not get a processor %u times a "
            "second, or was stopped; what was read has its real times",
            100.0 * (double)d->ticks_missed / (double)(d->ticks + d->ticks_missed), r->options->rate_hz);
    if (r->tick_timer && r->exited && r->session->duration_ns < session_reading_ns(r->session))
        session_warn(r->session,
                     "The program ended before the first reading was due (after %.1f ms): memory, threads and "
                     "descriptors were not read",
                     (double)session_reading_ns(r->session) / 1e6);
    if (!r->tick_timer)
        session_warn(r->session, "The program ended before --delay was over: nothing was measured");
}

/* What the programs of a FIFO lack, compared with one that was launched. */
static void finish_listening(struct recording *r)
{
    r->session->meta.stop_reason = stopper_reason(r->stopper, 0);
    r->session->duration_ns = session_at(r->session, rs_clock_mono_ns());
    channel_finish(r->channel);
    scopes_finish(r->scopes);
    session_warn(r->session, "Collected through a FIFO alone: a program that was killed may lack its last 250 ms");
}

void recording_finish(struct recording *r)
{
    close_tui(r);
    if (r->hooks.fifo) {
        finish_listening(r);
        return;
    }
    describe_end(r);
    sampler_finish(r->sampler, rs_clock_mono_ns());
    if (r->load.machine.all_ticks)
        host_describe_load(r->session, &r->load);
    channel_finish(r->channel);
    if (r->scopes)
        scopes_finish(r->scopes);
    stacks_finish(r->stacks, rs_clock_mono_ns(), to_us(&r->usage.ru_stime));
}

struct session *recording_session(const struct recording *r)
{
    return r->session;
}

int recording_exit_status(const struct recording *r)
{
    if (r->failed_status)
        return r->failed_status;
    if (r->session->meta.stop_reason == STOP_DURATION || !r->exited)
        return 0;
    return WIFSIGNALED(r->wait_status) ? 128 + WTERMSIG(r->wait_status) : WEXITSTATUS(r->wait_status);
}

void recording_free(struct recording *r, bool saved)
{
    if (!r)
        return;
    close_tui(r);
    checkpoint_free(r->checkpoint, saved);
    stopper_free(r->stopper);
    stacks_free(r->stacks);
    channel_close(r->channel);
    scopes_free(r->scopes);
    sampler_free(r->sampler);
    loop_free(r->loop);
    session_free(r->session);
    free(r);
}

static void open_sources(struct recording *r)
{
    const struct record_options *o = r->options;
    const struct sampler_options sampling = {.rate_hz = o->rate_hz,
                                             .spike_cpu_pct = o->spike_cpu_pct,
                                             .spike_mem_bytes = (uint64_t)(o->spike_mem_mb * 1e6),
                                             .follow = !o->no_follow,
                                             .on_event = on_spike,
                                             .ctx = r};
    const struct stacks_options stacks = {.rate_hz = o->stack_rate_hz,
                                          .stack_bytes = o->stack_bytes,
                                          .program = o->argc ? o->argv[0] : NULL,
                                          .attach = o->pid != 0,
                                          .delayed = o->delay_sec > 0,
                                          .follow = !o->no_follow,
                                          .off_cpu = o->off_cpu,
                                          .cycles = o->cycles};

    if (r->hooks.fifo)
        return;
    r->sampler = sampler_new(r->session, &sampling);
    if (!o->no_stacks)
        r->stacks = stacks_new(r->session, &stacks, r->sampler);
}

/* Figures come with the kernel's times; beside another clock's none of them would be right. */
static int check_clock(struct rs_err *err)
{
    const char *preload = getenv("LD_PRELOAD");

    if (os_clock_is_true())
        return 0;
    return rs_err_set(err, -EINVAL,
                      "a preloaded library changes the clock of rustscope itself (LD_PRELOAD=%s): let it change the "
                      "program's alone: rustscope -- faketime ... PROGRAM",
                      preload ? preload : "");
}

int recording_new(struct recording **out, const struct recording_options *options, struct rs_err *err)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct recording *r = xcalloc(1, sizeof(*r));
    int rc;

    *out = NULL;
    r->hooks = *options;
    r->options = options->record;
    r->child = (struct launched){.pid = -1, .gate_fd = -1, .error_fd = -1};
    rc = check_clock(err);
    if (!rc)
        rc = session_check_output(r->options->output, err);
    if (!rc)
        rc = loop_new(&r->loop, err);
    /* Before the sources make their threads, which must not take the signals. */
    if (!rc)
        rc = loop_add_signals(r->loop, signals, sizeof(signals) / sizeof(*signals), on_signal, r, err);
    if (rc) {
        recording_free(r, false);
        return rc;
    }
    r->session = session_new(rs_clock_mono_ns(), unix_ms_now());
    describe_session(r);
    open_sources(r);
    open_tui(r);
    *out = r;
    return 0;
}
