/* SPDX-License-Identifier: MIT */
#include "collect/process/watched.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/clock.h"

enum {
    ARGV_BYTES = 128 * 1024, /* of a command line that is kept */
    MOST_CHILDREN = 1024,    /* of one thread and look; the process table finds those beyond */
    MOST_ANCESTORS = 16,     /* between a process and a watched one that are looked at */
    TAIL_READINGS = 2,       /* a process that has gone was read last so long before, at most */
};
static const uint64_t CHILDREN_SLACK_NS = 20000000; /* user's and system's time, each to a clock tick of 10 ms */

struct watched *watched_find(struct sampler *sampler, pid_t pid)
{
    for (size_t i = sampler->count; i-- > 0;)
        if (sampler->watched[i].alive && sampler->watched[i].pid == pid)
            return &sampler->watched[i];
    return NULL;
}

void watched_close(struct sampler *sampler, struct watched *w)
{
    os_process_close(w->os);
    w->os = NULL;
    threads_forget(sampler, w);
    free(w->thread);
    w->thread = NULL;
    w->thread_cap = 0;
}

/* The arguments as the program has them now: any bytes, each ended by a NUL. */
static void set_argv(struct session *s, const struct watched *w)
{
    struct process *p = &s->processes[w->index];
    size_t cap = 0;
    char *buf = xmalloc(ARGV_BYTES);
    size_t n = os_process_argv(w->os, buf, ARGV_BYTES);

    p->argc = 0;
    for (size_t at = 0; at < n;) {
        size_t len = strnlen(buf + at, n - at);

        if (p->argc && s->meta.redacted)
            break;
        GROW(p->argv, p->argc + 1, cap);
        p->argv[p->argc++] = strings_add(&s->strings, buf + at, len);
        at += len + 1;
    }
    free(buf);
}

/* What an image is: its file, its name, its arguments. */
static void describe_image(struct session *s, const struct watched *w, const struct os_stat *stat)
{
    struct process *p = &s->processes[w->index];
    char path[4096];
    size_t n = os_process_exe(w->os, path, sizeof(path));

    if (n)
        p->exe = strings_add(&s->strings, path, n);
    p->name = strings_add_str(&s->strings, stat->name);
    set_argv(s, w);
}

void watched_add_cpu(struct sampler *sampler, uint32_t index, uint64_t ns)
{
    sampler->session->processes[index].cpu_ns += ns;
    sampler->cpu_total_ns += ns;
    sampler->cpu_tick_ns += ns;
}

/* CPU that process INDEX used some time since SINCE_NS, part of it before the last tick. */
static void add_past_cpu(struct sampler *sampler, uint32_t index, uint64_t ns, uint64_t since_ns, uint64_t now_ns)
{
    struct session *s = sampler->session;
    uint64_t before = 0;

    if (since_ns < s->start_mono_ns)
        since_ns = s->start_mono_ns;
    if (since_ns < sampler->last_ns && now_ns > since_ns) {
        before = (uint64_t)((double)ns * (double)(sampler->last_ns - since_ns) / (double)(now_ns - since_ns));
        session_add_cpu(s, session_at(s, since_ns), session_at(s, sampler->last_ns), before);
    }
    s->processes[index].cpu_ns += ns;
    sampler->cpu_total_ns += ns;
    sampler->cpu_tick_ns += ns - before;
    cpu_spike_add_past(&sampler->cpu_spike, since_ns, now_ns, ns);
}

/*
 * What W's children used that no watched process accounts for: the last moments of those that were watched, when it is
 * little enough for that, else children that came and went between two looks.
 */
static void add_unseen(struct sampler *sampler, struct watched *w, uint64_t ns, uint64_t now_ns)
{
    struct session *s = sampler->session;
    uint32_t index = w->tails.process;

    if (!ns || !sampler->options.follow)
        return;
    if (ns > w->tails.count * TAIL_READINGS * session_reading_ns(s)) {
        if (sampler->short_lived < 0) {
            sampler->short_lived =
                (int32_t)session_add_process(s, 0, (int32_t)sampler->watched[0].index, session_at(s, now_ns));
            s->processes[sampler->short_lived].name = strings_add_str(&s->strings, "[short-lived processes]");
        }
        index = (uint32_t)sampler->short_lived;
    }
    add_past_cpu(sampler, index, ns, w->children_at_ns, now_ns);
}

/* Its parent, or who is the nearest one left, inherits what it used. Its children have that one for a parent now. */
static void hand_up(struct sampler *sampler, const struct watched *w)
{
    const int32_t at = (int32_t)(w - sampler->watched);
    struct watched *parent;

    for (size_t i = 0; i < sampler->count; i++)
        if (sampler->watched[i].alive && sampler->watched[i].parent == at)
            sampler->watched[i].parent = w->parent;
    if (w->parent < 0)
        return;
    parent = &sampler->watched[w->parent];
    reaped_hand_up(&parent->children, w->cpu_ns, &w->children);
    for (int i = 0; i < 2; i++)
        reaped_hand_up(&parent->io[i], 0, &w->io[i]);
    parent->tails.process = w->index;
    parent->tails.count += 1 + w->tails.count;
    parent->ran = true;
}

void watched_end(struct sampler *sampler, struct watched *w, uint64_t now_ns)
{
    struct session *s = sampler->session;

    if (!w->alive)
        return;
    episodes_end_memory(sampler, w);
    if (!s->processes[w->index].end_ns)
        s->processes[w->index].end_ns = session_at(s, now_ns);
    for (size_t i = 0; i < w->thread_count; i++)
        s->threads[w->thread[i].index].end_ns = session_at(s, now_ns);
    watched_close(sampler, w);
    w->alive = false;
    sampler->alive--;
    hand_up(sampler, w);
}

enum os_reading watched_read_memory(struct watched *w)
{
    return w->os ? os_process_memory(w->os, &w->anon_bytes, &w->rss_bytes) : OS_UNKNOWN; /* closed at the end */
}

static bool descends(const struct sampler *sampler, const struct watched *w, int32_t from)
{
    while (w->parent >= 0 && w->parent != from)
        w = &sampler->watched[w->parent];
    return w->parent == from;
}

static bool end_gone_descendants(struct sampler *sampler, size_t at, uint64_t now_ns)
{
    bool any = false;

    for (size_t i = 0; i < sampler->count; i++) {
        struct watched *w = &sampler->watched[i];

        if (!w->alive || !descends(sampler, w, (int32_t)at) || watched_read_memory(w) != OS_GONE)
            continue;
        watched_end(sampler, w, now_ns);
        any = true;
    }
    return any;
}

bool watched_read_inherited(struct sampler *sampler, size_t at, struct os_stat *stat, uint64_t now_ns)
{
    struct watched *w = &sampler->watched[at];
    uint64_t io[2];
    bool io_known;

    /* A reading counts when all that had gone before it is known to have. */
    do {
        if (!os_process_stat(w->os, stat))
            return false;
        io_known = os_process_io(w->os, &io[0], &io[1]);
        if (stat->children_ns <= w->children.read + w->children.counted &&
            (!io_known || (io[0] <= w->io[0].read + w->io[0].counted && io[1] <= w->io[1].read + w->io[1].counted)))
            break;
    } while (end_gone_descendants(sampler, at, now_ns));

    add_unseen(sampler, w, reaped_read(&w->children, stat->children_ns, CHILDREN_SLACK_NS), now_ns);
    w->children_at_ns = now_ns;
    w->tails.count = 0;
    for (int i = 0; io_known && i < 2; i++)
        sampler->io[i] += reaped_read(&w->io[i], io[i], 0);
    sampler->io_known |= io_known;
    return true;
}

void watched_close_cpu(struct sampler *sampler, uint64_t used_ns, uint64_t now_ns)
{
    struct watched *root = &sampler->watched[0];
    uint64_t known_ns = root->cpu_ns + root->children.read + root->children.counted;

    root->tails.process = root->tails.count ? root->tails.process : root->index;
    root->tails.count++; /* its own last moments */
    if (used_ns > known_ns)
        add_unseen(sampler, root, used_ns - known_ns, now_ns);
    root->children.counted += used_ns > known_ns ? used_ns - known_ns : 0;
}

/* What it used before it came under watch: none of ours when it ran before measuring began, else all of it. */
static void take_start(struct sampler *sampler, struct watched *w, enum sampler_origin origin,
                       const struct os_stat *stat, uint64_t now_ns)
{
    uint64_t io[2], real_now_ns = rs_clock_mono_ns(), age_ns;

    w->early = origin == SAMPLER_ATTACHED || stat->start < sampler->early;
    w->children_at_ns = now_ns;
    if (origin == SAMPLER_LAUNCHED) {
        w->children_at_ns = sampler->session->start_mono_ns;
        memory_spike_update(&w->spike, now_ns, 0, sampler->options.spike_mem_bytes);
        return;
    }
    os_process_cpu(w->os, &w->cpu_ns);
    if (w->early) {
        w->children.read = stat->children_ns;
        if (os_process_io(w->os, &io[0], &io[1])) {
            w->io[0].read = io[0];
            w->io[1].read = io[1];
        }
        return;
    }
    age_ns = os_age_ns(stat->start);
    if (age_ns < real_now_ns && real_now_ns - age_ns < now_ns)
        w->children_at_ns = real_now_ns - age_ns;
    add_past_cpu(sampler, w->index, w->cpu_ns, w->children_at_ns,
                 real_now_ns); /* it may be gone before the next tick */
}

/* Descendants that ran before measuring began: all of them now, since those that end soon would be inherited whole. */
static void watch_early_children(struct sampler *sampler, size_t at, uint64_t now_ns)
{
    threads_list(sampler, &sampler->watched[at], now_ns);
    for (size_t i = 0; sampler->options.follow && i < sampler->watched[at].thread_count; i++)
        watched_find_children(sampler, at, sampler->watched[at].thread[i].tid, now_ns);
}

/* The record of PARENT, which may have gone; -1. */
static int32_t parent_record(const struct sampler *sampler, pid_t parent, uint64_t now_ns)
{
    const struct session *s = sampler->session;

    return parent > 0 ? session_find_process(s, parent, session_at(s, now_ns)) : -1;
}

/* The record of a process that others have met already; else a new one. */
static uint32_t record_of(struct session *s, pid_t pid, int32_t parent, const struct os_stat *stat, uint64_t now_ns)
{
    int32_t index = session_find_started(s, pid, stat->start);

    if (index < 0)
        index = (int32_t)session_add_process(s, pid, parent, session_at(s, now_ns));
    else if (s->processes[index].parent < 0)
        s->processes[index].parent = parent;
    s->processes[index].started = stat->start;
    return (uint32_t)index;
}

/* A slot that nobody uses; the first is the program's for good. */
static struct watched *take_slot(struct sampler *sampler)
{
    if (sampler->alive < sampler->count)
        for (size_t i = 1; i < sampler->count; i++)
            if (!sampler->watched[i].alive)
                return &sampler->watched[i];
    GROW(sampler->watched, sampler->count + 1, sampler->cap);
    return &sampler->watched[sampler->count++];
}

static bool is_ours(struct sampler *sampler, pid_t pid, uint64_t now_ns, unsigned depth);

/* PARENT: who is known to have forked it, 0 when the system is to say. */
static int32_t watch(struct sampler *sampler, pid_t pid, pid_t parent, enum sampler_origin origin, uint64_t now_ns,
                     struct rs_err *err)
{
    struct watched *known = watched_find(sampler, pid), *slot;
    struct watched w = {.pid = pid, .parent = -1, .event = -1, .alive = true, .open_fds = -1, .ran = true};
    struct os_stat stat;

    if (known && watched_read_memory(known) != OS_GONE)
        return (int32_t)known->index;
    if (known) /* its pid has been given to another process already */
        watched_end(sampler, known, now_ns);
    w.os = os_process_open(pid, err);
    if (!w.os)
        return -ESRCH;
    if (!os_process_stat(w.os, &stat)) {
        os_process_close(w.os);
        return rs_err_set(err, -ESRCH, "process %d has just ended", (int)pid);
    }
    known = NULL;
    if (origin == SAMPLER_FORKED && is_ours(sampler, stat.parent, now_ns, MOST_ANCESTORS))
        known = watched_find(sampler, stat.parent);
    if (known)
        w.parent = (int32_t)(known - sampler->watched);
    w.index = record_of(sampler->session, pid, known ? (int32_t)known->index : parent_record(sampler, parent, now_ns),
                        &stat, now_ns);
    describe_image(sampler->session, &w, &stat);
    w.image_id = stat.image_id;
    w.threads = stat.threads;
    if (origin == SAMPLER_ATTACHED)
        sampler->early = os_start_now();
    take_start(sampler, &w, origin, &stat, now_ns);
    slot = take_slot(sampler);
    *slot = w;
    sampler->alive++;
    if (w.early)
        watch_early_children(sampler, (size_t)(slot - sampler->watched), now_ns);
    return (int32_t)w.index;
}

/* Whether PID is watched, or a descendant of one that is: then it is watched from now on. */
static bool is_ours(struct sampler *sampler, pid_t pid, uint64_t now_ns, unsigned depth)
{
    struct os_process *os;
    struct os_stat stat;
    bool ours;

    if (watched_find(sampler, pid))
        return true;
    os = pid > 1 && depth ? os_process_open(pid, NULL) : NULL;
    ours = os && os_process_stat(os, &stat) && is_ours(sampler, stat.parent, now_ns, depth - 1);
    os_process_close(os);
    return ours && watch(sampler, pid, 0, SAMPLER_FORKED, now_ns, NULL) >= 0;
}

int32_t sampler_watch(struct sampler *sampler, pid_t pid, enum sampler_origin origin, uint64_t now_ns,
                      struct rs_err *err)
{
    return watch(sampler, pid, 0, origin, now_ns, err);
}

void sampler_forked(struct sampler *sampler, pid_t parent, pid_t pid, uint64_t mono_ns)
{
    struct session *s = sampler->session;
    struct watched *w;
    uint32_t index;

    if (!sampler->options.follow || watch(sampler, pid, parent, SAMPLER_FORKED, mono_ns, NULL) >= 0 ||
        session_find_process(s, pid, session_at(s, mono_ns)) >= 0)
        return;
    /* It came and went. What it used is among what its parent inherits. */
    index = session_add_process(s, pid, parent_record(sampler, parent, mono_ns), session_at(s, mono_ns));
    s->processes[index].end_ns = session_at(s, rs_clock_mono_ns());
    w = watched_find(sampler, parent);
    if (!w)
        return;
    s->processes[index].name = s->processes[w->index].name;
    w->tails.process = index;
    w->tails.count++;
}

void watched_move_to(struct sampler *sampler, struct watched *w, uint32_t index, uint64_t now_ns)
{
    episodes_end_memory(sampler, w);
    memory_spike_reset(&w->spike);
    memory_spike_update(&w->spike, now_ns, 0, sampler->options.spike_mem_bytes);
    w->index = index;
    if (w->os)
        threads_exec(sampler, w, now_ns);
}

void watched_new_image(struct sampler *sampler, struct watched *w, const struct os_stat *stat, uint64_t now_ns)
{
    struct session *s = sampler->session;

    watched_move_to(sampler, w, session_exec_process(s, w->index, session_at(s, now_ns)), now_ns);
    w->image_id = stat->image_id;
    describe_image(s, w, stat);
}

void watched_find_children(struct sampler *sampler, size_t at, pid_t tid, uint64_t now_ns)
{
    pid_t children[MOST_CHILDREN];
    size_t count = os_process_children(sampler->watched[at].os, tid, children, MOST_CHILDREN);

    for (size_t i = 0; i < count; i++)
        if (!watched_find(sampler, children[i]))
            sampler_watch(sampler, children[i], SAMPLER_FORKED, now_ns, NULL);
}
