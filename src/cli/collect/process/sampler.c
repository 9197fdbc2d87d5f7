/* SPDX-License-Identifier: MIT */
#include "collect/process/sampler.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "collect/process/proctable.h"
#include "collect/process/watched.h"
#include "core/clock.h"

/*
 * What is read how often. Every tick: each process's CPU clock, and statm of those whose clock moved (memory grows only
 * by running). Every 100 ms, again only of those that ran: stat (children's CPU, exec), descriptors, I/O, threads, new
 * children. A table of all processes (proctable.h) comes from a thread of its own once a second, for children that
 * were missed. Tried and dropped: stat's utime (10 ms ticks), a scan of /proc at full rate.
 */
static const uint64_t MS = 1000000;
static const uint64_t SLOW_NS = 100 * MS;
static const uint64_t SLOW_BUDGET_NS = 6 * MS / 5; /* of each 100 ms */
static const uint64_t GAP_NS = 1000 * MS;
enum { PROCESSES_PER_TICK = 40 }; /* beyond it each one is read every second, third, … tick */

enum { MOST_DAEMONS = 1000 }; /* that are looked for when the program has ended */

/* Descendants that no look at a parent's list of children has shown. */
static void apply_proctable(struct sampler *sampler, uint64_t now_ns)
{
    struct proctable_entry *entries;
    size_t count = proctable_take(sampler->table, &entries);

    for (size_t i = 0; sampler->options.follow && i < count; i++)
        if (!watched_find(sampler, entries[i].pid) && watched_find(sampler, entries[i].ppid))
            sampler_watch(sampler, entries[i].pid, SAMPLER_FORKED, now_ns, NULL);
    free(entries);
}

/* One process, every 100 ms. Watching a child may move sampler->watched, hence the index. */
static void slow_pass_one(struct sampler *sampler, size_t at, uint64_t now_ns)
{
    struct watched *w = &sampler->watched[at];
    struct process *p;
    struct os_stat stat;

    if (!watched_read_inherited(sampler, at, &stat, now_ns))
        return;
    if (stat.image_id && w->image_id && stat.image_id != w->image_id)
        watched_new_image(sampler, w, &stat, now_ns);
    if (!stat.ended)
        w->image_id = stat.image_id;
    sampler->switches += threads_read(sampler, w, &stat);
    if (stat.ended) { /* it has closed everything, so nothing was read */
        w->open_fds = -1;
        return;
    }
    w->threads = stat.threads;
    w->open_fds = os_process_fds(w->os);
    if (w->thread_count != stat.threads || (w->thread_count > 1 && w->thread_count <= THREADS_PER_PASS))
        threads_list(sampler, w, now_ns);
    p = &sampler->session->processes[w->index];
    if (p->thread_peak < w->threads)
        p->thread_peak = w->threads;
    if (!sampler->options.follow)
        return;
    /* Each thread has a list of the children that it forked; the process table finds those beyond the bound. */
    for (size_t i = 0; i < sampler->watched[at].thread_count && i < THREADS_PER_PASS; i++)
        watched_find_children(sampler, at, sampler->watched[at].thread[i].tid, now_ns);
}

/* Those that ran, in turn, for as long as a pass may take: a large tree is seen less often, not at a higher price. */
static void slow_pass_some(struct sampler *sampler, uint64_t now_ns)
{
    const size_t count = sampler->count;

    for (size_t visited = 0; visited < count; visited++) {
        size_t at = sampler->slow_cursor++ % count;

        if (!sampler->watched[at].alive || !sampler->watched[at].ran)
            continue;
        sampler->watched[at].ran = false;
        slow_pass_one(sampler, at, now_ns);
        if (rs_clock_mono_ns() - now_ns > SLOW_BUDGET_NS)
            break;
    }
}

/* What was read since the last slow pass, into the session. */
static void put_slow(struct sampler *sampler, uint64_t now_ns)
{
    struct session *s = sampler->session;
    uint64_t from = session_at(s, sampler->last_slow_ns), to = session_at(s, now_ns), threads = 0;
    int64_t fds = 0;
    bool fds_known = false;

    for (size_t i = 0; i < sampler->count; i++) {
        const struct watched *w = &sampler->watched[i];

        if (!w->alive)
            continue;
        threads += w->threads;
        fds += w->open_fds > 0 ? w->open_fds : 0;
        fds_known |= w->open_fds >= 0;
    }
    if (threads) /* none: who was alive has ended before it could be read */
        session_put_metric(s, METRIC_THREADS, from, to, (double)threads);
    if (fds_known)
        session_put_metric(s, METRIC_OPEN_FDS, from, to, (double)fds);
    if (sampler->io_known) {
        session_put_metric(s, METRIC_READ_BYTES, from, to, (double)sampler->io[0]);
        session_put_metric(s, METRIC_WRITE_BYTES, from, to, (double)sampler->io[1]);
    }
    session_put_metric(s, METRIC_CONTEXT_SWITCHES, from, to, (double)sampler->switches);
    sampler->now.threads = (unsigned)threads;
    sampler->now.open_fds = fds_known ? fds : -1;
    if (to > from) {
        sampler->now.read_bytes_per_sec = (double)sampler->io[0] * 1e9 / (double)(to - from);
        sampler->now.write_bytes_per_sec = (double)sampler->io[1] * 1e9 / (double)(to - from);
    }
    sampler->io[0] = sampler->io[1] = sampler->switches = 0;
    sampler->last_slow_ns = now_ns;
}

static void tick_one(struct sampler *sampler, size_t at, uint64_t now_ns, bool slow)
{
    struct watched *w = &sampler->watched[at];
    struct session *s = sampler->session;
    struct process *p;
    int64_t values[3] = {0, 0, 0};
    enum os_reading memory;
    uint64_t cpu_ns;

    if (!os_process_cpu(w->os, &cpu_ns)) {
        watched_end(sampler, w, now_ns);
        return;
    }
    if (cpu_ns == w->cpu_ns && !slow && w->rss_bytes)
        return;
    /* A CPU clock goes by pid: what it says is believed once the descriptor says that it is still this process's. */
    memory = watched_read_memory(w);
    if (memory == OS_GONE) {
        watched_end(sampler, w, now_ns);
        return;
    }
    if (cpu_ns > w->cpu_ns) {
        values[PROCESS_ROW_CPU_NS] = (int64_t)(cpu_ns - w->cpu_ns);
        watched_add_cpu(sampler, w->index, cpu_ns - w->cpu_ns);
        w->cpu_ns = cpu_ns;
        w->ran = true;
    }
    if (memory == OS_UNKNOWN && !w->ended) { /* a zombie: soon there is nothing left to read */
        w->ended = true;
        slow_pass_one(sampler, at, now_ns);
        w = &sampler->watched[at];
    }
    if (memory == OS_READ)
        episodes_update_memory(sampler, w, now_ns);
    sampler->memory_known |= memory == OS_READ;
    p = &s->processes[w->index];
    if (p->anon_peak_bytes < w->anon_bytes)
        p->anon_peak_bytes = w->anon_bytes;
    if (p->rss_peak_bytes < w->rss_bytes)
        p->rss_peak_bytes = w->rss_bytes;
    values[PROCESS_ROW_ANON_BYTES] = (int64_t)w->anon_bytes;
    rows_add(&s->process_rows, session_at(s, now_ns), w->index, 0, values);
}

/* All of them, or in a large tree as many as a tick can bear, in turn. */
static void tick_some(struct sampler *sampler, uint64_t now_ns, bool slow)
{
    const size_t count = sampler->count;
    size_t todo = PROCESSES_PER_TICK;

    for (size_t visited = 0; visited < count && todo; visited++) {
        size_t at = sampler->fast_cursor++ % count;

        if (!sampler->watched[at].alive)
            continue;
        tick_one(sampler, at, now_ns, slow);
        todo--;
    }
}

/* The monotonic clock stands still in a suspended machine: nothing measured goes wrong, but the gap is worth a mark. */
static bool was_suspended(struct sampler *sampler)
{
    int64_t before = sampler->suspended_ns;

    sampler->suspended_ns = os_suspended_ns();
    return sampler->suspended_ns - before > (int64_t)(100 * MS);
}

/*
 * What was used since the last tick. Clocks are read a moment before or after the session's: over much less than a
 * reading's time that would be no rate, so there it is shared with the time before. A program that ends before the
 * first reading is due has a CPU time and no course.
 */
static void put_cpu(struct sampler *sampler, uint64_t now_ns)
{
    struct session *s = sampler->session;
    const uint64_t from = session_at(s, sampler->last_ns), to = session_at(s, now_ns);
    const uint64_t reading_ns = session_reading_ns(s), used_ns = sampler->cpu_tick_ns;

    if (to <= from || to < reading_ns)
        return;
    sampler->cpu_tick_ns = 0;
    if (to - from >= reading_ns / 2)
        session_put_metric(s, METRIC_CPU_PCT, from, to, 100.0 * (double)used_ns / (double)(to - from));
    else
        session_add_cpu(s, to - reading_ns, to, used_ns);
}

/* What all of them had when they were read last; nothing once the last one has ended. */
static void put_memory(struct sampler *sampler, uint64_t now_ns)
{
    struct session *s = sampler->session;
    const uint64_t from = session_at(s, sampler->last_ns), to = session_at(s, now_ns);
    uint64_t anon = 0, rss = 0;

    for (size_t i = 0; i < sampler->count; i++) {
        anon += sampler->watched[i].alive ? sampler->watched[i].anon_bytes : 0;
        rss += sampler->watched[i].alive ? sampler->watched[i].rss_bytes : 0;
    }
    sampler->now.anon_bytes = anon;
    sampler->now.rss_bytes = rss;
    if (to <= from || !sampler->memory_known)
        return;
    session_put_metric(s, METRIC_ANON_BYTES, from, to, (double)anon);
    session_put_metric(s, METRIC_RSS_BYTES, from, to, (double)rss);
}

void sampler_tick(struct sampler *sampler, uint64_t now_ns, uint64_t expirations)
{
    struct session *s = sampler->session;
    bool slow = now_ns - sampler->last_slow_ns >= SLOW_NS;

    s->diagnostics.ticks++;
    s->diagnostics.ticks_missed += expirations > 1 ? expirations - 1 : 0;
    if (!sampler->count) { /* /proc shows nothing: that is unknown, not zero */
        s->duration_ns = session_at(s, now_ns);
        sampler->last_ns = now_ns;
        return;
    }
    if (slow && was_suspended(sampler))
        episodes_note_gap(sampler, sampler->last_ns, now_ns, "the machine was suspended");
    else if (now_ns - sampler->last_ns > GAP_NS)
        episodes_note_gap(sampler, sampler->last_ns, now_ns, "rustscope was stopped or not scheduled");

    tick_some(sampler, now_ns, slow);
    if (slow) {
        slow_pass_some(sampler, now_ns);
        put_slow(sampler, now_ns);
        apply_proctable(sampler, now_ns);
    }
    put_cpu(sampler, now_ns);
    put_memory(sampler, now_ns);
    episodes_update_cpu(sampler, now_ns);
    s->duration_ns = session_at(s, now_ns);
    sampler->now.cpu_pct = sampler->cpu_spike.window_pct;
    sampler->now.processes = (unsigned)sampler->alive;
    sampler->last_ns = now_ns;
}

struct sampler *sampler_new(struct session *session, const struct sampler_options *options)
{
    struct sampler *sampler = xcalloc(1, sizeof(*sampler));

    sampler->session = session;
    sampler->options = *options;
    sampler->last_ns = sampler->last_slow_ns = session->start_mono_ns;
    sampler->suspended_ns = os_suspended_ns();
    sampler->cpu_event = sampler->short_lived = -1;
    sampler->now.cpu_pct = NAN;
    sampler->now.open_fds = -1;
    sampler->table = proctable_new();
    return sampler;
}

void sampler_free(struct sampler *sampler)
{
    if (!sampler)
        return;
    for (size_t i = 0; i < sampler->count; i++)
        watched_close(sampler, &sampler->watched[i]);
    free(sampler->watched);
    proctable_free(sampler->table);
    free(sampler);
}

void sampler_execed(struct sampler *sampler, pid_t pid, uint64_t mono_ns)
{
    struct watched *w = watched_find(sampler, pid);
    struct os_stat stat;

    /* A zombie has no image any more. */
    if (w && w->os && os_process_stat(w->os, &stat) && stat.image_id && stat.image_id != w->image_id)
        watched_new_image(sampler, w, &stat, mono_ns);
}

void sampler_is_now(struct sampler *sampler, pid_t pid, uint32_t index)
{
    struct watched *w = watched_find(sampler, pid);

    if (w && sampler->session->processes[index].exec_count > sampler->session->processes[w->index].exec_count)
        watched_move_to(sampler, w, index, rs_clock_mono_ns());
}

unsigned sampler_descendants_running(const struct sampler *sampler)
{
    unsigned count = 0;

    for (size_t i = 1; i < sampler->count; i++)
        count += sampler->watched[i].alive && !sampler->watched[i].ended;
    return count;
}

static uint64_t usage_ns(const struct rusage *usage)
{
    return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1000u;
}

/*
 * All there is to read once more, whatever it costs. The program comes last, and not at all when it has been waited
 * for: what its children hand up has to find it.
 */
static void read_all(struct sampler *sampler, uint64_t now_ns, bool program_too)
{
    for (size_t at = sampler->count; at-- > (program_too ? 0 : 1);)
        if (sampler->watched[at].alive)
            tick_one(sampler, at, now_ns, true);
    for (size_t at = sampler->count; at-- > (program_too ? 0 : 1);)
        if (sampler->watched[at].alive && sampler->watched[at].ran)
            slow_pass_one(sampler, at, now_ns);
}

unsigned sampler_find_daemons(struct sampler *sampler, const char *word, uint64_t now_ns)
{
    pid_t pids[MOST_DAEMONS];
    size_t count = 0;

    if (sampler->count && sampler->options.follow)
        count =
            os_processes_with(word, sampler->session->processes[sampler->watched[0].index].started, pids, MOST_DAEMONS);
    for (size_t i = 0; i < count; i++)
        if (!watched_find(sampler, pids[i]))
            sampler_watch(sampler, pids[i], SAMPLER_FORKED, now_ns, NULL);
    return sampler_descendants_running(sampler);
}

void sampler_program_ended(struct sampler *sampler, uint64_t now_ns, int status, const struct rusage *usage)
{
    struct session *s = sampler->session;
    struct process *program;

    if (!sampler->count)
        return;
    apply_proctable(sampler, now_ns);
    read_all(sampler, now_ns, false);
    if (usage)
        watched_close_cpu(sampler, usage_ns(usage), now_ns);
    program = &s->processes[sampler->watched[0].index];
    program->exit_status = status;
    program->exit_known = true;
    program->end_ns = session_at(s, now_ns);
    watched_end(sampler, &sampler->watched[0], now_ns);
}

void sampler_finish(struct sampler *sampler, uint64_t now_ns)
{
    struct session *s = sampler->session;

    apply_proctable(sampler, now_ns);
    read_all(sampler, now_ns, true);
    put_slow(sampler, now_ns);
    put_cpu(sampler, now_ns);
    if (sampler->alive)
        put_memory(sampler, now_ns);
    for (size_t i = 0; i < sampler->count; i++) {
        episodes_end_memory(sampler, &sampler->watched[i]);
        watched_close(sampler, &sampler->watched[i]);
    }
    session_settle_cpu(s);
    episodes_end_cpu(sampler);
    threads_close_sums(s);
    s->duration_ns = session_at(s, now_ns);
}

void sampler_restart(struct sampler *sampler, uint64_t now_ns)
{
    sampler->last_ns = sampler->last_slow_ns = now_ns;
}

void sampler_now(const struct sampler *sampler, struct sampler_now *now)
{
    *now = sampler->now;
}
