/* SPDX-License-Identifier: MIT */
#include "collect/stacks/stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/alloc.h"
#include "collect/stacks/coverage.h"
#include "collect/stacks/perf.h"
#include "core/clock.h"
#include "core/unwind.h"
#include "core/wire.h"

enum { SILENT_PERIODS = 5 };                /* of CPU time that are enough to tell whether the timer works */
static const double WORKING_COVERAGE = 0.1; /* of the CPU time, and less: it does not */
enum { BUSY_MACHINE_NICE = -10 };           /* takes privileges; without, nothing changes */

struct stacks {
    struct session *session;
    struct sampler *sampler;
    struct stacks_options options;
    enum stack_backend backend;
    bool started;
    struct perf *perf;        /* STACKS_PERF_EVENT, once it is open */
    unsigned timer_hz;        /* STACKS_TIMER */
    struct rs_err refusal;    /* why it is not perf_event */
    struct coverage coverage; /* of the timer's samples */
    uint64_t stops[RS_STOP_KINDS];
};

int stacks_check_rate(unsigned rate_hz, struct rs_err *err)
{
    unsigned most = perf_max_rate();

    if (rate_hz <= most)
        return 0;
    return rs_err_set(err, -EINVAL,
                      "-F %u is more than this kernel allows (%u): sudo sysctl kernel.perf_event_max_sample_rate=%u",
                      rate_hz, most, rate_hz);
}

/* -- choosing ---------------------------------------------------------------------------------------------------- */

/* CPU timers expire at the kernel's ticks: CONFIG_HZ, which the coarse clock tells. */
static unsigned kernel_hz(void)
{
    struct timespec tick;

    if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) != 0 || tick.tv_nsec <= 0)
        return 100;
    return (unsigned)(1000000000 / tick.tv_nsec);
}

static void choose(struct stacks *stacks)
{
    const struct stacks_options *options = &stacks->options;
    struct rs_err err;

    if (perf_probe(&err) == 0) {
        stacks->backend = STACKS_PERF_EVENT;
        return;
    }
    if (options->attach) {
        session_warn(stacks->session, "a process that runs already has no call stacks here: %s", err.text);
        return;
    }
    stacks->backend = STACKS_TIMER;
    stacks->timer_hz = options->rate_hz < kernel_hz() ? options->rate_hz : kernel_hz();
    stacks->refusal = err;
    if (options->cycles)
        session_warn(stacks->session, "sampling by cycles needs perf_event");
    if (options->off_cpu)
        session_warn(stacks->session, "off-CPU stacks need perf_event: %s", err.text);
}

struct stacks *stacks_new(struct session *session, const struct stacks_options *options, struct sampler *sampler)
{
    struct stacks *stacks = xcalloc(1, sizeof(*stacks));

    stacks->session = session;
    stacks->sampler = sampler;
    stacks->options = *options;
    choose(stacks);
    session->diagnostics.stack_backend = stacks->backend;
    if (stacks->timer_hz)
        session->meta.stack_rate_hz = stacks->timer_hz;
    return stacks;
}

void stacks_free(struct stacks *stacks)
{
    if (!stacks)
        return;
    perf_free(stacks->perf);
    coverage_release(&stacks->coverage);
    free(stacks);
}

unsigned stacks_timer_hz(const struct stacks *stacks)
{
    return stacks ? stacks->timer_hz : 0;
}

/* -- perf_event -------------------------------------------------------------------------------------------------- */

static void forked(void *ctx, pid_t parent, pid_t pid, uint64_t mono_ns)
{
    struct stacks *stacks = ctx;

    if (stacks->started)
        sampler_forked(stacks->sampler, parent, pid, mono_ns);
}

static void execed(void *ctx, pid_t pid, uint64_t mono_ns)
{
    struct stacks *stacks = ctx;

    if (stacks->started)
        sampler_execed(stacks->sampler, pid, mono_ns);
}

void stacks_open(struct stacks *stacks, pid_t pid)
{
    const struct stacks_options *options;
    struct perf_options perf;
    struct rs_err err;

    if (!stacks || stacks->backend != STACKS_PERF_EVENT)
        return;
    options = &stacks->options;
    perf = (struct perf_options){
        .rate_hz = options->rate_hz,
        .stack_bytes = options->stack_bytes,
        .program = options->program,
        .follow = options->follow,
        .off_cpu = options->off_cpu,
        .cycles = options->cycles,
        .listener = {.ctx = stacks, .forked = forked, .execed = execed},
    };
    /* What drains the rings must not wait behind what fills them. The program was forked before and keeps its own. */
    setpriority(PRIO_PROCESS, 0, BUSY_MACHINE_NICE);
    if (perf_open(&stacks->perf, stacks->session, &perf, pid, options->attach, &err) == 0)
        return;
    stacks->backend = stacks->session->diagnostics.stack_backend = STACKS_NONE;
    session_warn(stacks->session, "no call stacks: %s", err.text);
}

static void on_ring(void *ctx)
{
    stacks_tick(ctx, rs_clock_mono_ns());
}

void stacks_watch(struct stacks *stacks, struct loop *loop)
{
    if (stacks && stacks->perf)
        loop_add_fd(loop, perf_fd(stacks->perf), on_ring, stacks);
}

void stacks_start(struct stacks *stacks)
{
    if (!stacks)
        return;
    stacks->started = true;
    /*
     * A program that was launched is sampled from its exec on, a moment before measuring starts. One that runs already
     * used CPU time while its threads were being opened, which is in no measurement.
     */
    if (stacks->perf)
        perf_start(stacks->perf,
                   stacks->options.delayed || stacks->options.attach ? stacks->session->start_mono_ns : 0);
}

void stacks_tick(struct stacks *stacks, uint64_t now_ns)
{
    if (stacks && stacks->perf)
        perf_drain(stacks->perf, now_ns);
}

void stacks_settle(struct stacks *stacks, uint64_t now_ns)
{
    if (stacks && stacks->perf)
        perf_settle(stacks->perf, now_ns);
}

/* -- the timer in the program ------------------------------------------------------------------------------------ */

void stacks_timer_sample(struct stacks *stacks, uint32_t process, uint32_t thread, int32_t node, const void *record,
                         size_t bytes)
{
    struct rs_wire_sample sample;
    struct session *s;
    int64_t values[CPU_ROW_SAMPLES + 1];
    uint64_t us;

    if (!stacks || !stacks->started || bytes < sizeof(sample))
        return;
    memcpy(&sample, record, sizeof(sample));
    s = stacks->session;
    us = (uint64_t)sample.periods * sample.period_us;
    if (us > UINT64_C(1000000000)) /* what a program says is not trusted: a sample of 1,000 s is ignored */
        return;
    if (node == CALLTREE_NO_NODE)
        node = session_named_child(s, node, "[unknown]", LAYER_UNKNOWN);
    values[CPU_ROW_WEIGHT_US] = (int64_t)us;
    values[CPU_ROW_SAMPLES] = 1;
    rows_add(&s->cpu_rows, session_at(s, sample.clock_ns), (uint32_t)node, thread, values);
    coverage_add(&stacks->coverage, process, us);
    s->diagnostics.stack_samples++;
    s->diagnostics.stacks_truncated += sample.stop != RS_STOP_ROOT;
    stacks->stops[sample.stop < RS_STOP_KINDS ? sample.stop : RS_STOP_NONE]++;
}

/* CPU time of processes that carry the shim, which sets the timer, and why the program itself may not. */
static uint64_t timed_cpu_ns(const struct session *s, const char **why_not)
{
    uint64_t ns = 0;

    *why_not = s->process_count && s->processes[0].shim != SHIM_LOADED && s->processes[0].shim_reason
                   ? strings_get(&s->strings, s->processes[0].shim_reason)
                   : NULL;
    for (size_t i = 0; i < s->process_count; i++)
        ns += s->processes[i].shim == SHIM_LOADED ? s->processes[i].cpu_ns : 0;
    return ns;
}

/* Known at the end only: whether the timer in the program worked. */
static void explain_timer(const struct stacks *stacks, double covered)
{
    struct session *s = stacks->session;
    const char *why_not;
    uint64_t timed_ns = timed_cpu_ns(s, &why_not);

    if (stacks->coverage.samples && covered >= WORKING_COVERAGE)
        session_warn(s,
                     "stacks are sampled by a timer inside the program, %u times a second of CPU time, without kernel "
                     "frames: %s",
                     stacks->timer_hz, stacks->refusal.text);
    else if (why_not)
        session_warn(s, "no call stacks: a timer inside the program cannot be set (%s), and %s", why_not,
                     stacks->refusal.text);
    else if (timed_ns * stacks->timer_hz > SILENT_PERIODS * UINT64_C(1000000000))
        session_warn(
            s,
            "no call stacks: the timer inside the program brought %llu samples in %.1f s of CPU time; the program "
            "handles all real-time signals itself, as Go's runtime does, or makes threads without "
            "pthread_create(); and %s",
            (unsigned long long)stacks->coverage.samples, (double)timed_ns / 1e9, stacks->refusal.text);
    else
        session_warn(
            s,
            "no call stacks: too little CPU time for the timer inside the program (%u samples a second of it), "
            "and %s",
            stacks->timer_hz, stacks->refusal.text);
}

static void finish_timer(struct stacks *stacks)
{
    double covered = coverage_finish(&stacks->coverage, stacks->session, 0);

    explain_timer(stacks, covered);

    for (int why = 0; why < RS_STOP_KINDS; why++)
        if (stacks->stops[why])
            session_count_stop(stacks->session, rs_stop_name((enum rs_stop)why), stacks->stops[why]);
    if (!stacks->coverage.samples)
        stacks->session->diagnostics.stack_backend = STACKS_NONE;
    else if (covered >= WORKING_COVERAGE && covered < 0.9)
        session_warn(stacks->session, "samples cover %.0f %% of the CPU time", 100 * covered);
}

void stacks_finish(struct stacks *stacks, uint64_t now_ns, uint64_t kernel_us)
{
    if (stacks && stacks->perf)
        perf_finish(stacks->perf, now_ns, kernel_us);
    else if (stacks && stacks->timer_hz)
        finish_timer(stacks);
}
