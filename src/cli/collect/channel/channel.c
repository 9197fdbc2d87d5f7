/* SPDX-License-Identifier: MIT */
#include "collect/channel/channel.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <unistd.h>

#include "base/alloc.h"
#include "collect/channel/carry.h"
#include "collect/channel/environment.h"
#include "collect/channel/explain.h"
#include "collect/channel/reader.h"
#include "collect/channel/shim_check.h"
#include "collect/channel/slab.h"
#include "collect/channel/statistics.h"
#include "core/clock.h"

enum {
    SLAB_BYTES = 64 << 20,
    BUSY_MS = 1, /* between looks while data comes: the writer never wakes us, which would cost it more than the rest */
    IDLE_MS = 10, /* one tick */
};

struct channel {
    struct session *session;
    struct channel_options options;
    struct slab slab;
    struct environment environment;

    pthread_t thread;
    bool running;
    _Atomic bool stop;
    /* Held by the thread during a pass, by the loop while it takes results. */
    pthread_mutex_t lock;
    struct reader reader;
    struct carry carry;
    struct statistics statistics;
};

/* ---- the thread ---- */

static void *read_loop(void *arg)
{
    struct channel *ch = arg;
    int quiet = 0;

    while (!atomic_load(&ch->stop)) {
        uint64_t got;

        pthread_mutex_lock(&ch->lock);
        got = reader_pass(&ch->reader, rs_clock_mono_ns(), false);
        pthread_mutex_unlock(&ch->lock);
        quiet = got ? 0 : quiet + 1;
        reader_wait(&ch->reader, quiet < 20 ? BUSY_MS : IDLE_MS);
    }
    return NULL;
}

static int start_thread(struct channel *ch, struct rs_err *err)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&ch->thread, NULL, read_loop, ch);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc)
        return rs_err_set(err, -rc, "cannot start a thread: %s", strerror(rc));
    ch->running = true;
    return 0;
}

static void stop_thread(struct channel *ch)
{
    if (!ch->running)
        return;
    atomic_store(&ch->stop, true);
    pthread_join(ch->thread, NULL);
    ch->running = false;
}

int channel_open(struct channel **out, struct session *session, const struct channel_options *options,
                 struct rs_err *err)
{
    struct channel *ch = xcalloc(1, sizeof(*ch));
    uint32_t flags = (options->allocations ? RS_SLAB_ALLOC : 0) | (options->follow ? 0 : RS_SLAB_NO_FOLLOW);
    int rc = slab_open(&ch->slab, SLAB_BYTES, flags, options->fifo, err);

    *out = NULL;
    if (rc) {
        free(ch);
        return rc;
    }
    ch->session = session;
    ch->options = *options;
    if (ch->slab.header && options->timer_hz)
        ch->slab.header->timer_period_us = 1000000 / options->timer_hz;
    pthread_mutex_init(&ch->lock, NULL);
    reader_init(&ch->reader, &ch->slab);
    carry_init(&ch->carry, session, options->sampler, &ch->reader);
    slab_publish_tick(&ch->slab, rs_clock_mono_ns());
    rc = start_thread(ch, err);
    if (rc)
        channel_close(ch);
    else
        *out = ch;
    return rc;
}

void channel_close(struct channel *ch)
{
    if (!ch)
        return;
    stop_thread(ch);
    reader_release(&ch->reader);
    environment_release(&ch->environment);
    slab_close(&ch->slab);
    carry_release(&ch->carry);
    statistics_release(&ch->statistics);
    pthread_mutex_destroy(&ch->lock);
    free(ch);
}

char *const *channel_env(struct channel *ch, const char *program)
{
    const struct environment_options options = {.fifo = ch->slab.fifo,
                                                .folder = ch->slab.dir,
                                                .program = program,
                                                .shim = ch->options.allocations || ch->options.timer_hz,
                                                .operators = ch->options.allocations};
    struct environment *env = &ch->environment;

    environment_make(env, &options);
    if (env->shim_missing)
        session_warn(ch->session, "librustscope_shim.so was not found beside rustscope: allocations are not recorded "
                                  "(RUSTSCOPE_SHIM=PATH names it)");
    else if (env->no_shim)
        session_warn(ch->session, "%s is %s: its allocations are not recorded (it runs unchanged)", program,
                     env->no_shim);
    return env->variables;
}

const char *channel_word(const struct channel *ch)
{
    return ch->environment.variables[0];
}

void channel_set_root(struct channel *ch, pid_t pid)
{
    if (ch->slab.header)
        ch->slab.header->root_pid = (uint32_t)pid;
}

void channel_on_record(struct channel *ch, unsigned first, unsigned last, channel_record_fn fn, void *ctx)
{
    carry_on_record(&ch->carry, first, last, fn, ctx);
}

int32_t channel_session_node(struct channel *ch, uint32_t node)
{
    return carry_current_node(&ch->carry, node);
}

void channel_poll(struct channel *ch)
{
    if (!ch)
        return;
    pthread_mutex_lock(&ch->lock);
    carry_over(&ch->carry);
    statistics_settle(&ch->statistics, &ch->carry);
    pthread_mutex_unlock(&ch->lock);
}

void channel_start(struct channel *ch)
{
    if (!ch)
        return;
    pthread_mutex_lock(&ch->lock);
    reader_restart(&ch->reader);
    statistics_restart(&ch->statistics, ch->session);
    ch->carry.level_ns = 0;
    pthread_mutex_unlock(&ch->lock);
}

/* ---- the end ---- */

/* Processes that never said hello: why not, if that can be told. */
static void explain_silent(struct channel *ch)
{
    struct session *s = ch->session;

    for (size_t i = 0; i < s->process_count; i++) {
        struct process *p = &s->processes[i];
        const char *reason = NULL;

        /* pid 0 stands for children that nobody saw. */
        if (p->shim == SHIM_LOADED || !ch->options.allocations || !p->pid)
            continue;
        p->shim = SHIM_NOT_LOADED;
        if (i == 0 && ch->environment.no_shim)
            reason = ch->environment.no_shim;
        else if (!ch->options.follow && i)
            reason = "--no-follow";
        else if (p->exe)
            reason = shim_check_file(strings_get(&s->strings, p->exe));
        if (reason)
            p->shim_reason = strings_add_str(&s->strings, reason);
    }
}

static void explain_bypassed(struct channel *ch)
{
    struct session *s = ch->session;
    const char *preloaded = getenv("LD_PRELOAD");
    struct shim_allocator found = {0};
    string_id looked_at = 0;
    char sentence[512];

    /* Memory that we lost track of is not the program's fault. */
    if (ch->reader.images_refused || ch->reader.folded_nodes || s->diagnostics.events_dropped)
        return;
    for (size_t i = 0; i < ch->reader.image_count; i++) {
        const struct image *image = ch->reader.images[i];
        struct process *p = image->process >= 0 && image->has_shim ? &s->processes[image->process] : NULL;
        struct explain_memory memory = {.allocations = image->heap.allocations,
                                        .heap_peak = image->peak_bytes,
                                        .outside_peak = image->outside_peak_bytes};
        const char *reason;

        if (!p || !ch->options.allocations || !p->exe)
            continue;
        /* The shim's tables are ours, not the program's. */
        memory.anon_peak = p->anon_peak_bytes - MIN(p->anon_peak_bytes, image_shim_bytes(image));
        /* Many processes of one program come one after the other. */
        if (p->exe != looked_at || explain_is_suspicious(&memory))
            shim_check_allocator(strings_get(&s->strings, p->exe), preloaded, explain_is_suspicious(&memory), &found);
        looked_at = p->exe;
        reason = explain_bypass(&found, ch->environment.hooks_operators, &memory, sentence, sizeof(sentence));
        if (!reason)
            continue;
        p->shim_reason = strings_add_str(&s->strings, reason);
        session_warn(s, "%s: %s", p->name ? strings_get(&s->strings, p->name) : "A process", sentence);
    }
}

static void count_losses(struct channel *ch)
{
    const struct reader *r = &ch->reader;
    struct session *s = ch->session;
    struct explain_losses losses = {.dropped = s->diagnostics.events_dropped,
                                    .blind_ns = r->blind_ticks * RS_TICK_NS,
                                    .uncertain = ch->statistics.uncertain,
                                    .unknown_frees = s->diagnostics.unknown_frees,
                                    .images = r->images_refused,
                                    .nodes = r->folded_nodes};
    uint64_t skipped = 0, truncated = 0, no_stack = 0, ranges = 0;

    for (size_t i = 0; i < r->image_count; i++) {
        const struct image *image = r->images[i];

        skipped += image->skipped;
        truncated += image->truncated;
        no_stack += image->no_stack;
        ranges += image->outside_folded;
    }
    explain_losses(s, &losses);
    session_count_folded(s, "allocations_in_signal_handlers", skipped);
    session_count_folded(s, "allocation_stacks_truncated", truncated);
    session_count_folded(s, "allocations_without_stack", no_stack);
    session_count_folded(s, "mapped_ranges", ranges);
    session_count_folded(s, "channel_garbage", r->garbage_frames + r->garbage_records);
    session_count_folded(s, "channel_nodes", r->folded_nodes);
    session_count_folded(s, "channel_records", r->records_dropped);
    session_count_folded(s, "channel_rows", r->rows_dropped);
}

void channel_finish(struct channel *ch)
{
    if (!ch)
        return;
    stop_thread(ch);
    reader_wait(&ch->reader, 0);
    reader_pass(&ch->reader, rs_clock_mono_ns(), false);
    reader_pass(&ch->reader, rs_clock_mono_ns(), true);
    reader_finish(&ch->reader, rs_clock_mono_ns());
    carry_over(&ch->carry);
    statistics_conclude(&ch->statistics, &ch->carry, ch->options.allocations);
    explain_silent(ch);
    explain_bypassed(ch);
    count_losses(ch);
    maps_publish_open_paths(&ch->carry.maps);
}
