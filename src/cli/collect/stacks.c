/* SPDX-License-Identifier: MIT */
#include "collect/stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "collect/perf.h"
#include "core/clock.h"

enum { BUSY_MACHINE_NICE = -10 }; /* takes privileges; without, nothing changes */

struct stacks {
    struct session *session;
    struct sampler *sampler;
    struct perf *perf; /* NULL: not permitted */
    bool started;
    bool timer;
};

int stacks_check_rate(unsigned rate_hz, struct rs_err *err)
{
    unsigned most = perf_max_rate();

    if (rate_hz <= most)
        return 0;
    return rs_err_set(err, -EINVAL, "-F %u is more than this kernel allows (%u): sudo sysctl kernel.perf_event_max_sample_rate=%u",
                      rate_hz, most, rate_hz);
}

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

struct stacks *stacks_open(struct session *session, const struct record_options *options, pid_t pid,
                           struct sampler *sampler)
{
    struct stacks *stacks;
    struct perf_options perf;
    struct rs_err err;

    if (options->no_stacks)
        return NULL;
    stacks = xcalloc(1, sizeof(*stacks));
    stacks->session = session;
    stacks->sampler = sampler;
    perf = (struct perf_options){
        .rate_hz = options->stack_rate_hz,
        .stack_bytes = options->stack_bytes,
        .program = options->argc ? options->argv[0] : NULL,
        .follow = !options->no_follow,
        .off_cpu = options->off_cpu,
        .listener = {.ctx = stacks, .forked = forked, .execed = execed},
    };
    /* What drains the rings must not wait behind what fills them. The program was forked before and keeps its own. */
    setpriority(PRIO_PROCESS, 0, BUSY_MACHINE_NICE);
    if (perf_open(&stacks->perf, session, &perf, pid, options->pid != 0, &err) == 0) {
        perf_pause(stacks->perf, true);
    } else {
        session->diagnostics.stack_backend = STACKS_NONE;
        session_warn(session, "no call stacks: %s", err.text);
    }
    return stacks;
}

void stacks_free(struct stacks *stacks)
{
    if (!stacks)
        return;
    perf_free(stacks->perf);
    free(stacks);
}

bool stacks_want_timer(const struct stacks *stacks)
{
    return stacks && stacks->timer;
}

static void on_ring(void *ctx, uint32_t events)
{
    (void)events;
    stacks_tick(ctx, rs_clock_mono_ns());
}

void stacks_watch(struct stacks *stacks, struct loop *loop)
{
    if (stacks && stacks->perf)
        loop_add_fd(loop, perf_fd(stacks->perf), EPOLLIN, on_ring, stacks);
}

void stacks_start(struct stacks *stacks)
{
    if (!stacks || !stacks->perf)
        return;
    stacks->started = true;
    perf_pause(stacks->perf, false);
}

void stacks_tick(struct stacks *stacks, uint64_t now_ns)
{
    if (stacks && stacks->perf)
        perf_drain(stacks->perf, now_ns);
}

void stacks_finish(struct stacks *stacks, uint64_t now_ns, uint64_t kernel_us)
{
    if (stacks && stacks->perf)
        perf_finish(stacks->perf, now_ns, kernel_us);
}
