/* SPDX-License-Identifier: MIT */
#include "collect/process/watched.h"

#include "base/alloc.h"

enum { KEPT_THREADS = 256 }; /* that have a handle of their own, of all processes */

static void forget_thread(struct sampler *sampler, struct watched_thread *t)
{
    sampler->kept_threads -= t->handle >= 0;
    os_thread_close(t->handle);
}

void threads_forget(struct sampler *sampler, struct watched *w)
{
    for (size_t i = 0; i < w->thread_count; i++)
        forget_thread(sampler, &w->thread[i]);
    w->thread_count = 0;
}

static void add_thread(struct sampler *sampler, struct watched *w, pid_t tid, uint64_t now_ns)
{
    struct watched_thread t = {.tid = tid, .handle = -1, .seen = true};
    const bool early = w->early && !w->threads_listed;

    t.index = session_thread(sampler->session, w->index, tid, session_at(sampler->session, now_ns));
    if (sampler->kept_threads < KEPT_THREADS) {
        t.handle = os_thread_open(w->os, tid);
        sampler->kept_threads += t.handle >= 0;
    }
    if (early) /* what it has done by now is in no measurement */
        os_thread_times(w->os, tid, t.handle, &t.run_ns, &t.switches);
    GROW(w->thread, w->thread_count + 1, w->thread_cap);
    w->thread[w->thread_count++] = t;
}

struct listing {
    struct sampler *sampler;
    struct watched *w;
    uint64_t now_ns;
    size_t known; /* threads that were there before */
};

/* Both lists are in order of tid, but for reuse; the search is short where it matters. */
static void see_thread(void *ctx, pid_t tid)
{
    const struct listing *listing = ctx;
    struct watched *w = listing->w;

    for (size_t i = 0; i < listing->known; i++)
        if (w->thread[i].tid == tid) {
            w->thread[i].seen = true;
            return;
        }
    add_thread(listing->sampler, w, tid, listing->now_ns);
}

void threads_list(struct sampler *sampler, struct watched *w, uint64_t now_ns)
{
    struct listing listing = {sampler, w, now_ns, w->thread_count};
    struct session *s = sampler->session;
    size_t kept = 0;

    for (size_t i = 0; i < listing.known; i++)
        w->thread[i].seen = false;
    if (!os_process_threads(w->os, see_thread, &listing))
        return;
    w->threads_listed = true;
    for (size_t i = 0; i < w->thread_count; i++) {
        if (w->thread[i].seen) {
            w->thread[kept++] = w->thread[i];
            continue;
        }
        s->threads[w->thread[i].index].end_ns = session_at(s, now_ns);
        forget_thread(sampler, &w->thread[i]);
    }
    w->thread_count = kept;
}

void threads_exec(struct sampler *sampler, struct watched *w, uint64_t now_ns)
{
    struct watched_thread main_thread = {0};

    for (size_t i = 0; i < w->thread_count; i++)
        if (w->thread[i].tid == w->pid)
            main_thread = w->thread[i];
    threads_forget(sampler, w);
    threads_list(sampler, w, now_ns);
    for (size_t i = 0; i < w->thread_count; i++)
        if (w->thread[i].tid == w->pid) {
            w->thread[i].run_ns = main_thread.run_ns;
            w->thread[i].switches = main_thread.switches;
        }
}

/* A thread takes its name when it begins, if ever; later it is looked at now and then. */
static bool name_is_due(const struct watched_thread *t)
{
    return t->passes <= 4 || t->passes % 8 == 0;
}

/* The main thread's name is the process's, in STAT. */
static void name_thread(struct session *s, const struct watched *w, const struct watched_thread *t,
                        const struct os_stat *stat)
{
    char name[64];

    if (t->tid == w->pid)
        s->threads[t->index].name = strings_add_str(&s->strings, stat->name);
    else if (name_is_due(t) && os_thread_name(w->os, t->tid, name, sizeof(name)))
        s->threads[t->index].name = strings_add_str(&s->strings, name);
}

uint64_t threads_read(struct sampler *sampler, struct watched *w, const struct os_stat *stat)
{
    struct session *s = sampler->session;
    size_t todo = w->thread_count < THREADS_PER_PASS ? w->thread_count : THREADS_PER_PASS;
    uint64_t all_switches = 0;

    for (; todo; todo--) {
        struct watched_thread *t;
        uint64_t run_ns, switches;

        if (w->thread_cursor >= w->thread_count)
            w->thread_cursor = 0;
        t = &w->thread[w->thread_cursor++];
        if (!os_thread_times(w->os, t->tid, t->handle, &run_ns, &switches))
            continue;
        if (run_ns > t->run_ns)
            s->threads[t->index].cpu_ns += run_ns - t->run_ns;
        if (switches > t->switches)
            all_switches += switches - t->switches;
        t->switches = switches;
        if (s->threads[t->index].name && run_ns == t->run_ns)
            continue;
        t->run_ns = run_ns;
        t->passes++;
        name_thread(s, w, t, stat);
    }
    return all_switches;
}

/* A process that only ever had one thread: what the thread's coarser readings missed is its own. */
void threads_close_sums(struct session *s)
{
    for (size_t i = 0; i < s->process_count; i++) {
        struct thread *only = NULL;
        size_t threads = 0;

        for (size_t t = 0; t < s->thread_count; t++)
            if (s->threads[t].process == i) {
                only = &s->threads[t];
                threads++;
            }
        if (threads == 1 && only->cpu_ns < s->processes[i].cpu_ns)
            only->cpu_ns = s->processes[i].cpu_ns;
        if (only && !only->name)
            only->name = s->processes[i].name;
    }
}
