/* SPDX-License-Identifier: MIT */
#include "collect/channel/claims.h"

#include <string.h>

#include "core/path.h"

struct claim {
    struct session *s;
    struct image *const *images;
    size_t image_count;
    const struct image *image;
};

/* A pid is used again; its start tells. Who does not know it is believed. */
static bool is_of_process(const struct process *p, const struct image *image)
{
    return p->pid == (int)image->pid && (!p->started || !image->start_ticks || p->started == image->start_ticks);
}

/* A program may tell of itself by two ways, the shim's and the library's. */
static bool same_kind(const struct image *a, const struct image *b)
{
    return a->has_shim == b->has_shim;
}

static bool is_taken(const struct claim *c, size_t record)
{
    for (size_t i = 0; i < c->image_count; i++)
        if (c->images[i] != c->image && c->images[i]->process == (int32_t)record && same_kind(c->images[i], c->image))
            return true;
    return false;
}

/* The record of the image that this process was before; -1. */
static int32_t record_before(const struct claim *c)
{
    const struct process *all = c->s->processes;
    int32_t before = -1;

    for (size_t i = 0; i < c->image_count; i++) {
        int32_t record = c->images[i]->process;

        if (c->images[i] != c->image && c->images[i]->announced && record >= 0 && same_kind(c->images[i], c->image) &&
            is_of_process(&all[record], c->image) && (before < 0 || all[record].exec_count > all[before].exec_count))
            before = record;
    }
    return before;
}

/* File names alone: a container's paths are not ours, and a file may have been deleted since. */
static bool same_program(const char *a, const char *b)
{
    static const char deleted[] = " (deleted)";
    size_t a_len, b_len;

    a = rs_path_base(a);
    b = rs_path_base(b);
    a_len = strlen(a);
    b_len = strlen(b);
    if (a_len > sizeof(deleted) && !strcmp(a + a_len - (sizeof(deleted) - 1), deleted))
        a_len -= sizeof(deleted) - 1;
    if (b_len > sizeof(deleted) && !strcmp(b + b_len - (sizeof(deleted) - 1), deleted))
        b_len -= sizeof(deleted) - 1;
    return a_len == b_len && !memcmp(a, b, a_len);
}

/* The first record behind BEFORE that is free and has the image's program; -1. */
static int32_t find(const struct claim *c, int32_t before)
{
    const struct session *s = c->s;
    int32_t found = -1;

    for (size_t i = 0; i < s->process_count; i++) {
        const struct process *p = &s->processes[i];

        if (!is_of_process(p, c->image) || (before >= 0 && p->exec_count <= s->processes[before].exec_count) ||
            is_taken(c, i))
            continue;
        if (p->exe && c->image->exe && *c->image->exe && !same_program(strings_get(&s->strings, p->exe), c->image->exe))
            continue;
        if (found < 0 || p->exec_count < s->processes[found].exec_count)
            found = (int32_t)i;
    }
    return found;
}

/* Any record of the process, -1: it has none. */
static int32_t any_record(const struct claim *c)
{
    for (size_t i = c->s->process_count; i-- > 0;)
        if (is_of_process(&c->s->processes[i], c->image))
            return (int32_t)i;
    return -1;
}

/* A record in its place: right behind BEFORE, or before all others of the process. */
static int32_t insert(const struct claim *c, int32_t before, uint64_t at_ns)
{
    struct session *s = c->s;
    const uint32_t number = before < 0 ? 0 : s->processes[before].exec_count + 1;
    const int32_t parent = s->processes[any_record(c)].parent;
    uint32_t record;

    for (size_t i = 0; i < s->process_count; i++)
        if (is_of_process(&s->processes[i], c->image) && s->processes[i].exec_count >= number)
            s->processes[i].exec_count++;
    record = session_add_process(s, (int)c->image->pid, parent, at_ns);
    s->processes[record].exec_count = number;
    return (int32_t)record;
}

/* The record of the image that forked this one, when it has said so; -1. The system forgets a parent that has ended. */
static int32_t forked_by(const struct claim *c, int32_t record)
{
    for (size_t i = 0; c->image->parent_id && i < c->image_count; i++)
        if (c->images[i]->id == c->image->parent_id && c->images[i]->announced && c->images[i]->process != record)
            return c->images[i]->process;
    return -1;
}

int32_t claim_record(struct session *s, struct sampler *sampler, struct image *const *images, size_t count,
                     const struct image *image)
{
    const struct claim c = {s, images, count, image};
    const uint64_t at_ns = session_at(s, image->start_ns);
    const int32_t before = record_before(&c);
    int32_t record = find(&c, before);

    if (record < 0 && sampler && !image->ended) {
        if (any_record(&c) >= 0)
            sampler_execed(sampler, (pid_t)image->pid, image->start_ns);
        else
            sampler_forked(sampler, (pid_t)image->ppid, (pid_t)image->pid, image->start_ns);
        record = find(&c, before);
    }
    if (record < 0 && any_record(&c) >= 0) {
        record = insert(&c, before, at_ns);
        if (sampler)
            sampler_is_now(sampler, (pid_t)image->pid, (uint32_t)record);
    }
    if (record < 0)
        record =
            (int32_t)session_add_process(s, (int)image->pid, session_find_process(s, (int)image->ppid, at_ns), at_ns);
    if (!s->processes[record].started)
        s->processes[record].started = image->start_ticks;
    if (s->processes[record].parent < 0)
        s->processes[record].parent = forked_by(&c, record);
    if (before < 0)
        return record;
    if (!s->processes[before].end_ns)
        s->processes[before].end_ns = at_ns;
    if (s->processes[record].start_ns < at_ns)
        s->processes[record].start_ns = at_ns;
    return record;
}
