/* SPDX-License-Identifier: MIT */
#include "collect/channel/carry.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "collect/channel/claims.h"
#include "core/clock.h"
#include "core/path.h"

enum { STACK_MAX = 2048 };

void carry_init(struct carry *c, struct session *session, struct sampler *sampler, struct reader *reader)
{
    *c = (struct carry){.session = session, .sampler = sampler, .reader = reader};
    c->frames = xcalloc(CARRY_FRAMES, sizeof(*c->frames));
    maps_init(&c->maps, session);
}

void carry_release(struct carry *c)
{
    maps_release(&c->maps);
    free(c->frames);
}

void carry_on_record(struct carry *c, unsigned first, unsigned last, channel_record_fn fn, void *ctx)
{
    if (c->sink_count < CARRY_SINKS)
        c->sinks[c->sink_count++] = (struct carry_sink){first, last, fn, ctx};
}

/* ---- processes ---- */

static void set_command_line(struct session *s, struct process *p, const struct image *image)
{
    size_t argc = 0;

    if (image->exe && *image->exe)
        p->exe = strings_add_str(&s->strings, image->exe);
    if (p->argc || !image->argv_bytes)
        return;
    for (size_t at = 0; at < image->argv_bytes; at += strlen(image->argv + at) + 1)
        argc++;
    if (s->meta.redacted)
        argc = 1;
    p->argv = xcalloc(argc, sizeof(*p->argv));
    for (size_t at = 0; p->argc < argc; at += strlen(image->argv + at) + 1)
        p->argv[p->argc++] = strings_add_str(&s->strings, image->argv + at);
    if (!p->name)
        p->name = strings_add_str(&s->strings, rs_path_base(image->argv));
}

static void announce(struct carry *c, struct image *image)
{
    struct session *s = c->session;

    image->announced = true;
    image->process = claim_record(s, c->sampler, c->reader->images, c->reader->image_count, image);
    set_command_line(s, &s->processes[image->process], image);
    if (image->has_shim)
        s->processes[image->process].shim = SHIM_LOADED;
}

static void announce_new(struct carry *c)
{
    for (size_t i = 0; i < c->reader->image_count; i++)
        if (c->reader->images[i]->greeted && !c->reader->images[i]->announced)
            announce(c, c->reader->images[i]);
}

static uint32_t session_thread_of(struct carry *c, struct image *image, uint32_t index)
{
    struct image_thread *t = &image->threads[index];

    if (!t->known) {
        t->session_thread =
            session_thread(c->session, (uint32_t)image->process, (int)t->tid, session_at(c->session, image->start_ns));
        t->known = true;
    }
    return t->session_thread;
}

/* ---- nodes ---- */

/* The frame of module-relative ADDRESS, as perf's stacks would have it: both come from the same maps. */
static uint32_t frame_of(struct carry *c, struct image *image, uint32_t module, uint64_t address)
{
    struct image_module *m = module && module < image->module_count ? &image->modules[module] : NULL;
    const char *path = m && m->path ? m->path : "";
    struct address_space space = {.pid = image->pid};
    struct maps_range range = {.exec = true};
    uint32_t frame;

    if (m && m->end > m->start) {
        if (!*path)
            path = image->exe ? image->exe : "";
        if (!strncmp(path, "linux-vdso", 10))
            path = "[vdso]";
        range.start = m->start;
        range.end = m->end;
        range.path = path;
        maps_add(&c->maps, &space, &range);
        address += m->bias;
    }
    frame = maps_frame(&c->maps, &space, address - 1);
    maps_space_release(&space);
    return frame;
}

/* frame_of(), which asks the maps once for each place in the program and not for each call path. */
static uint32_t frame_of_node(struct carry *c, struct image *image, const struct image_node *node)
{
    uint64_t hash = (image->id ^ node->address ^ (uint64_t)node->module << 48) * 0x9e3779b97f4a7c15u;
    struct carry_frame *entry = &c->frames[hash >> 32 & (CARRY_FRAMES - 1)];

    if (entry->known && entry->image == image->id && entry->address == node->address && entry->module == node->module)
        return entry->frame;
    *entry = (struct carry_frame){.image = image->id,
                                  .address = node->address,
                                  .module = node->module,
                                  .frame = frame_of(c, image, node->module, node->address),
                                  /* A module whose definition is still to come will have another frame. */
                                  .known = !node->module ||
                                           (node->module < image->module_count && image->modules[node->module].path)};
    return entry->frame;
}

int32_t carry_node(struct carry *c, struct image *image, uint32_t node)
{
    uint32_t chain[STACK_MAX], depth = 0;
    int32_t at = CALLTREE_NO_NODE;

    if (!node)
        return session_named_child(c->session, CALLTREE_NO_NODE, "[no stack]", LAYER_UNKNOWN);
    while (node && depth < STACK_MAX) {
        if (node >= image->node_count || !image->nodes[node].defined)
            return session_named_child(c->session, CALLTREE_NO_NODE, "[unknown stack]", LAYER_UNKNOWN);
        if (image->nodes[node].session_node != READER_UNRESOLVED) {
            at = image->nodes[node].session_node;
            break;
        }
        chain[depth++] = node;
        node = image->nodes[node].parent;
    }
    while (depth-- > 0) {
        struct image_node *n = &image->nodes[chain[depth]];

        if (!n->module && n->address == RS_ADDRESS_TRUNCATED)
            at = session_named_child(c->session, at, "[truncated]", LAYER_UNKNOWN);
        else
            at = calltree_child(&c->session->tree, at, frame_of_node(c, image, n));
        n->session_node = at;
    }
    return at;
}

int32_t carry_current_node(struct carry *c, uint32_t node)
{
    struct image *image = (struct image *)(uintptr_t)c->current;

    return image && node && node < image->node_count ? carry_node(c, image, node) : CALLTREE_NO_NODE;
}

/* ---- carrying over ---- */

uint64_t carry_tick_ns(uint32_t tick)
{
    uint64_t now = rs_clock_mono_ns() / RS_TICK_NS;

    /* Signed: a tick that has only just begun may lie ahead of this thread's clock. */
    return (now - (uint64_t)(int64_t)(int32_t)((uint32_t)now - tick)) * RS_TICK_NS;
}

static void take_rows(struct carry *c)
{
    struct session *s = c->session;

    for (size_t i = 0; i < c->reader->row_count; i++) {
        const struct reader_row *row = &c->reader->rows[i];
        struct image *image = c->reader->images[row->image];
        const int64_t values[3] = {row->bytes, row->count, row->net_bytes};
        uint32_t thread = ROWS_NO_KEY2;
        int32_t node;

        if (image->process >= 0 && row->thread < image->thread_count)
            thread = session_thread_of(c, image, row->thread);
        node = carry_node(c, image, image->heap.sites[row->site].node);
        if (node >= 0)
            rows_add(&s->alloc_rows, session_at(s, carry_tick_ns(row->tick)), (uint32_t)node, thread, values);
    }
    c->reader->row_count = 0;
}

static void take_levels(struct carry *c)
{
    struct session *s = c->session;

    for (size_t i = 0; i < c->reader->level_count; i++) {
        const struct reader_level *level = &c->reader->levels[i];
        uint64_t to = session_at(s, carry_tick_ns(level->tick + 1));

        if (level->image != READER_ALL) {
            const int64_t values[3] = {0, 0, (int64_t)level->live_bytes};

            if (c->reader->images[level->image]->process >= 0)
                rows_add(&s->process_rows, to ? to - 1 : 0, (uint32_t)c->reader->images[level->image]->process, 0,
                         values);
            continue;
        }
        if (to <= c->level_ns)
            continue;
        session_put_metric(s, METRIC_HEAP_BYTES, c->level_ns, to, (double)level->live_bytes);
        session_put_metric(s, METRIC_ALLOC_BYTES, c->level_ns, to, (double)level->alloc_bytes);
        series_put_span(&s->samples, SAMPLES_HEAP_PEAK_BYTES, c->level_ns, to, (double)level->live_peak_bytes);
        c->level_ns = to;
    }
    c->reader->level_count = 0;
}

static void take_records(struct carry *c)
{
    size_t at = 0;

    while (at + sizeof(struct reader_record) <= c->reader->records_len) {
        struct reader_record head;
        struct channel_origin origin;
        struct image *image;
        uint32_t word;

        memcpy(&head, c->reader->records + at, sizeof(head));
        at += sizeof(head);
        image = c->reader->images[head.image];
        memcpy(&word, c->reader->records + at, sizeof(word));
        if (image->process >= 0 && head.thread < image->thread_count) {
            origin = (struct channel_origin){.process = image->process,
                                             .thread = session_thread_of(c, image, head.thread),
                                             .clock_ns = head.clock_ns};
            c->current = image;
            for (size_t i = 0; i < c->sink_count; i++)
                if (RS_RECORD_KIND(word) >= c->sinks[i].first && RS_RECORD_KIND(word) <= c->sinks[i].last)
                    c->sinks[i].fn(c->sinks[i].ctx, &origin, c->reader->records + at, head.bytes);
            c->current = NULL;
        }
        at += head.bytes;
    }
    c->reader->records_len = 0;
}

void carry_over(struct carry *c)
{
    announce_new(c);
    take_records(c);
    take_rows(c);
    take_levels(c);
}
