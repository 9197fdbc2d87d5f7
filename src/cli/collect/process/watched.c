/* SPDX-License-Identifier: MIT */
#include "collect/process/watched.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum {
    ARGV_BYTES = 128 * 1024, /* of a command line that is kept */
    MOST_CHILDREN = 1024,    /* of one thread and look; the process table finds those beyond */
};

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
}

void watched_end(struct sampler *sampler, struct watched *w, uint64_t now_ns)
{
    struct session *s = sampler->session;

    if (!w->alive)
        return;
    episodes_end_memory(sampler, w);
    if (w->parent >= 0)
        sampler->watched[w->parent].counted_children_ns += w->cpu_ns + w->children_ns;
    if (!s->processes[w->index].end_ns)
        s->processes[w->index].end_ns = session_at(s, now_ns);
    for (size_t i = 0; i < w->thread_count; i++)
        s->threads[w->thread[i].index].end_ns = session_at(s, now_ns);
    watched_close(sampler, w);
    w->alive = false;
    sampler->alive--;
}

enum os_reading watched_read_memory(struct watched *w)
{
    return w->os ? os_process_memory(w->os, &w->anon_bytes, &w->rss_bytes) : OS_UNKNOWN; /* closed at the end */
}

int32_t sampler_watch(struct sampler *sampler, pid_t pid, enum sampler_origin origin, uint64_t now_ns,
                      struct rs_err *err)
{
    struct session *s = sampler->session;
    struct watched *known = watched_find(sampler, pid);
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
    known = origin == SAMPLER_FORKED ? watched_find(sampler, stat.parent) : NULL;
    if (known)
        w.parent = (int32_t)(known - sampler->watched);
    w.index = session_add_process(s, pid, known ? (int32_t)known->index : -1, session_at(s, now_ns));
    describe_image(s, &w, &stat);
    w.image = stat.image;
    w.children_ns = origin == SAMPLER_ATTACHED ? stat.children_ns : 0;
    w.threads = stat.threads;
    if (origin == SAMPLER_ATTACHED)
        os_process_cpu(w.os, &w.cpu_ns);
    if (origin == SAMPLER_LAUNCHED)
        memory_spike_update(&w.spike, now_ns, 0, sampler->options.spike_mem_bytes);
    if (origin == SAMPLER_FORKED && os_process_cpu(w.os, &w.cpu_ns))
        watched_add_cpu(sampler, w.index, w.cpu_ns); /* it may be gone before the next tick */
    GROW(sampler->watched, sampler->count + 1, sampler->cap);
    sampler->watched[sampler->count++] = w;
    sampler->alive++;
    return (int32_t)w.index;
}

void watched_new_image(struct sampler *sampler, struct watched *w, const struct os_stat *stat, uint64_t now_ns)
{
    struct session *s = sampler->session;

    episodes_end_memory(sampler, w);
    memory_spike_reset(&w->spike);
    memory_spike_update(&w->spike, now_ns, 0, sampler->options.spike_mem_bytes);
    w->index = session_exec_process(s, w->index, session_at(s, now_ns));
    w->image = stat->image;
    threads_forget(sampler, w);
    describe_image(s, w, stat);
}

/*
 * CPU of children that came and went between two looks: what the system added to the parent's children time, less what
 * was counted for those that were seen.
 */
void watched_add_unseen_children(struct sampler *sampler, struct watched *w, uint64_t children_ns, uint64_t now_ns)
{
    struct session *s = sampler->session;
    uint64_t grown = children_ns > w->children_ns ? children_ns - w->children_ns : 0;
    uint64_t known = grown < w->counted_children_ns ? grown : w->counted_children_ns;

    w->children_ns += grown;
    w->counted_children_ns -= known;
    grown -= known;
    if (!grown || !sampler->options.follow)
        return;
    if (sampler->short_lived < 0) {
        sampler->short_lived =
            (int32_t)session_add_process(s, 0, (int32_t)sampler->watched[0].index, session_at(s, now_ns));
        s->processes[sampler->short_lived].name = strings_add_str(&s->strings, "[short-lived processes]");
    }
    watched_add_cpu(sampler, (uint32_t)sampler->short_lived, grown);
}

void watched_find_children(struct sampler *sampler, size_t at, pid_t tid, uint64_t now_ns)
{
    pid_t children[MOST_CHILDREN];
    size_t count = os_process_children(sampler->watched[at].os, tid, children, MOST_CHILDREN);

    for (size_t i = 0; i < count; i++)
        if (!watched_find(sampler, children[i]))
            sampler_watch(sampler, children[i], SAMPLER_FORKED, now_ns, NULL);
}
