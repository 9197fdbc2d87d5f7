/* SPDX-License-Identifier: MIT */
#include "collect/channel/channel.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "collect/channel/claims.h"
#include "collect/channel/reader.h"
#include "collect/channel/shim_check.h"
#include "collect/channel/slab.h"
#include "collect/modules/maps.h"
#include "core/clock.h"
#include "core/path.h"

enum {
    SLAB_BYTES = 64 << 20,
    BUSY_MS =
        1, /* between looks while data comes: the writer never wakes us, being woken costs it more than the rest */
    IDLE_MS = 10, /* one tick */
    LEAKS_MAX = 1000,
    STACK_MAX = 2048,
    SINKS = 4,
    UNKNOWN_FREES_WORTH = 100, /* a sentence */
};

struct sink {
    unsigned first, last;
    channel_record_fn fn;
    void *ctx;
};

struct channel {
    struct session *session;
    struct channel_options options;
    struct slab slab;
    struct maps maps;
    struct sink sinks[SINKS];
    size_t sink_count;
    char *env[4];
    char shim_link[2][128];
    bool hooks_operators;        /* librustscope_shim_cxx.so is preloaded, too */
    const struct image *current; /* of the record that a sink is given */

    pthread_t thread;
    bool running;
    _Atomic bool stop;
    /* Held by the thread during a pass, by the loop while it takes results. */
    pthread_mutex_t lock;
    struct reader reader;

    uint64_t level_ns;     /* up to here levels are in the session */
    string_id root_reason; /* why the program could not carry the shim; 0: it can */
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
    maps_init(&ch->maps, session);
    reader_init(&ch->reader, &ch->slab);
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
    for (size_t i = 0; i < sizeof(ch->shim_link) / sizeof(*ch->shim_link); i++)
        if (ch->shim_link[i][0])
            unlink(ch->shim_link[i]);
    slab_close(&ch->slab);
    maps_release(&ch->maps);
    for (size_t i = 0; i < sizeof(ch->env) / sizeof(*ch->env); i++)
        free(ch->env[i]);
    pthread_mutex_destroy(&ch->lock);
    free(ch);
}

/* LD_PRELOAD is split at blanks and colons: a path that has some goes by another name. */
static const char *preloadable(struct channel *ch, const char *shim, unsigned which)
{
    char *link = ch->shim_link[which];

    if (!strpbrk(shim, " :"))
        return shim;
    snprintf(link, sizeof(ch->shim_link[which]), "%s/shim%u.so", ch->slab.dir, which);
    if (symlink(shim, link)) {
        link[0] = '\0';
        return NULL;
    }
    return link;
}

/* What comes before the user's own preloads: both shims where SHIM alone would miss PROGRAM's operator new. */
static char *preloads(struct channel *ch, const char *program, const char *shim)
{
    const char *user = getenv("LD_PRELOAD"), *operators = NULL;
    char path[4096];

    if (ch->options.allocations && shim_check_operators(program, user) && shim_find_operators(shim, path, sizeof(path)))
        operators = preloadable(ch, path, 1);
    ch->hooks_operators = operators != NULL;
    shim = preloadable(ch, shim, 0);
    if (!shim)
        return NULL;
    return xasprintf("LD_PRELOAD=%s%s%s%s%s", shim, operators ? ":" : "", operators ? operators : "",
                     user && *user ? ":" : "", user ? user : "");
}

char *const *channel_env(struct channel *ch, const char *program)
{
    const char *asan = getenv("ASAN_OPTIONS");
    const char *reason = shim_check_program(program);
    struct session *s = ch->session;
    char path[4096];
    size_t n = 0;

    ch->env[n++] = xasprintf("RUSTSCOPE_ALLOC_PIPE=%s", ch->slab.fifo);
    if (!ch->options.allocations && !ch->options.timer_hz)
        return ch->env;
    if (reason) {
        ch->root_reason = strings_add_str(&s->strings, reason);
        session_warn(s, "%s is %s: its allocations are not recorded (it runs unchanged)", program, reason);
    } else if (!shim_find(path, sizeof(path)) || !(ch->env[n] = preloads(ch, program, path))) {
        ch->root_reason = strings_add_str(&s->strings, "librustscope_shim.so was not found");
        session_warn(s, "librustscope_shim.so was not found beside rustscope: allocations are not recorded "
                        "(RUSTSCOPE_SHIM=PATH names it)");
    } else {
        n++;
        /* A child may be built with AddressSanitizer, which refuses to start behind a preload. The user's word is last.
         */
        ch->env[n++] =
            xasprintf("ASAN_OPTIONS=verify_asan_link_order=0%s%s", asan && *asan ? ":" : "", asan ? asan : "");
    }
    return ch->env;
}

const char *channel_word(const struct channel *ch)
{
    return ch->env[0];
}

void channel_set_root(struct channel *ch, pid_t pid)
{
    if (ch->slab.header)
        ch->slab.header->root_pid = (uint32_t)pid;
}

void channel_on_record(struct channel *ch, unsigned first, unsigned last, channel_record_fn fn, void *ctx)
{
    if (ch->sink_count < SINKS)
        ch->sinks[ch->sink_count++] = (struct sink){first, last, fn, ctx};
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

static void announce(struct channel *ch, struct image *image)
{
    struct session *s = ch->session;

    image->announced = true;
    image->process =
        claim_record(s, ch->options.sampler, ch->reader.images, ch->reader.image_count, image);
    set_command_line(s, &s->processes[image->process], image);
    if (image->has_shim)
        s->processes[image->process].shim = SHIM_LOADED;
}

static void announce_new(struct channel *ch)
{
    for (size_t i = 0; i < ch->reader.image_count; i++)
        if (ch->reader.images[i]->greeted && !ch->reader.images[i]->announced)
            announce(ch, ch->reader.images[i]);
}

static uint32_t session_thread_of(struct channel *ch, struct image *image, uint32_t index)
{
    struct image_thread *t = &image->threads[index];

    if (!t->known) {
        t->session_thread = session_thread(ch->session, (uint32_t)image->process, (int)t->tid,
                                           session_at(ch->session, image->start_ns));
        t->known = true;
    }
    return t->session_thread;
}

/* ---- nodes ---- */

/* The frame of module-relative ADDRESS, as perf's stacks would have it: both come from the same maps. */
static uint32_t frame_of(struct channel *ch, struct image *image, uint32_t module, uint64_t address)
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
        maps_add(&ch->maps, &space, &range);
        address += m->bias;
    }
    frame = maps_frame(&ch->maps, &space, address - 1);
    maps_space_release(&space);
    return frame;
}

/*
 * The session's node. Ancestors come first; a node whose definition has not come yet is called unknown for now and
 * asked for again next time.
 */
static int32_t session_node_of(struct channel *ch, struct image *image, uint32_t node)
{
    uint32_t chain[STACK_MAX], depth = 0;
    int32_t at = CALLTREE_NO_NODE;

    if (!node)
        return session_named_child(ch->session, CALLTREE_NO_NODE, "[no stack]", LAYER_UNKNOWN);
    while (node && depth < STACK_MAX) {
        if (node >= image->node_count || !image->nodes[node].defined)
            return session_named_child(ch->session, CALLTREE_NO_NODE, "[unknown stack]", LAYER_UNKNOWN);
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
            at = session_named_child(ch->session, at, "[truncated]", LAYER_UNKNOWN);
        else
            at = calltree_child(&ch->session->tree, at, frame_of(ch, image, n->module, n->address));
        n->session_node = at;
    }
    return at;
}

int32_t channel_session_node(struct channel *ch, uint32_t node)
{
    struct image *image = (struct image *)(uintptr_t)ch->current;

    return image && node && node < image->node_count ? session_node_of(ch, image, node) : CALLTREE_NO_NODE;
}

/* ---- carrying over ---- */

/* When TICK began: ticks are CLOCK_MONOTONIC / 10 ms modulo 2^32. */
static uint64_t tick_ns(const struct channel *ch, uint32_t tick)
{
    uint64_t now = rs_clock_mono_ns() / RS_TICK_NS;

    (void)ch;
    /* Signed: a tick that has only just begun may lie ahead of this thread's clock. */
    return (now - (uint64_t)(int64_t)(int32_t)((uint32_t)now - tick)) * RS_TICK_NS;
}

static void take_rows(struct channel *ch)
{
    struct session *s = ch->session;

    for (size_t i = 0; i < ch->reader.row_count; i++) {
        const struct reader_row *row = &ch->reader.rows[i];
        struct image *image = ch->reader.images[row->image];
        const int64_t values[3] = {row->bytes, row->count, row->net_bytes};
        uint32_t thread = ROWS_NO_KEY2;
        int32_t node;

        if (image->process >= 0 && row->thread < image->thread_count)
            thread = session_thread_of(ch, image, row->thread);
        node = session_node_of(ch, image, image->heap.sites[row->site].node);
        if (node >= 0)
            rows_add(&s->alloc_rows, session_at(s, tick_ns(ch, row->tick)), (uint32_t)node, thread, values);
    }
    ch->reader.row_count = 0;
}

static void take_levels(struct channel *ch)
{
    struct session *s = ch->session;

    for (size_t i = 0; i < ch->reader.level_count; i++) {
        const struct reader_level *level = &ch->reader.levels[i];
        uint64_t to = session_at(s, tick_ns(ch, level->tick + 1));

        if (level->image != READER_ALL) {
            const int64_t values[3] = {0, 0, (int64_t)level->live_bytes};

            if (ch->reader.images[level->image]->process >= 0)
                rows_add(&s->process_rows, to ? to - 1 : 0, (uint32_t)ch->reader.images[level->image]->process, 0,
                         values);
            continue;
        }
        if (to <= ch->level_ns)
            continue;
        session_put_metric(s, METRIC_HEAP_BYTES, ch->level_ns, to, (double)level->live_bytes);
        session_put_metric(s, METRIC_ALLOC_BYTES, ch->level_ns, to, (double)level->alloc_bytes);
        series_put_span(&s->samples, SAMPLES_HEAP_PEAK_BYTES, ch->level_ns, to, (double)level->live_peak_bytes);
        ch->level_ns = to;
    }
    ch->reader.level_count = 0;
}

static void take_records(struct channel *ch)
{
    size_t at = 0;

    while (at + sizeof(struct reader_record) <= ch->reader.records_len) {
        struct reader_record head;
        struct channel_origin origin;
        struct image *image;
        uint32_t word;

        memcpy(&head, ch->reader.records + at, sizeof(head));
        at += sizeof(head);
        image = ch->reader.images[head.image];
        memcpy(&word, ch->reader.records + at, sizeof(word));
        if (image->process >= 0 && head.thread < image->thread_count) {
            origin = (struct channel_origin){.process = image->process,
                                             .thread = session_thread_of(ch, image, head.thread),
                                             .clock_ns = head.clock_ns};
            ch->current = image;
            for (size_t i = 0; i < ch->sink_count; i++)
                if (RS_RECORD_KIND(word) >= ch->sinks[i].first && RS_RECORD_KIND(word) <= ch->sinks[i].last)
                    ch->sinks[i].fn(ch->sinks[i].ctx, &origin, ch->reader.records + at, head.bytes);
            ch->current = NULL;
        }
        at += head.bytes;
    }
    ch->reader.records_len = 0;
}

static void carry_over(struct channel *ch)
{
    announce_new(ch);
    take_records(ch);
    take_rows(ch);
    take_levels(ch);
}

void channel_poll(struct channel *ch)
{
    if (!ch)
        return;
    pthread_mutex_lock(&ch->lock);
    carry_over(ch);
    pthread_mutex_unlock(&ch->lock);
}

void channel_start(struct channel *ch)
{
    if (!ch)
        return;
    pthread_mutex_lock(&ch->lock);
    reader_restart(&ch->reader);
    ch->level_ns = 0;
    pthread_mutex_unlock(&ch->lock);
}

/* ---- the end ---- */

/* Statistics of one session node, from however many images and sites end in it. */
struct merged {
    struct alloc_stats stats;
    uint64_t lifetimes[HEAP_LIFETIMES];
};

static uint64_t median_lifetime_us(const uint64_t *lifetimes)
{
    uint64_t total = 0, seen = 0;

    for (unsigned i = 0; i < HEAP_LIFETIMES; i++)
        total += lifetimes[i];
    for (unsigned i = 0; total && i < HEAP_LIFETIMES; i++) {
        seen += lifetimes[i];
        if (seen * 2 >= total)
            return i ? 1ull << (i - 1) : 0;
    }
    return 0;
}

static void merge_site(struct channel *ch, struct merged *to, const struct heap_site *site,
                       const struct leak_site *leak)
{
    struct allocations *a = &ch->session->allocations;

    to->stats.count += site->count;
    to->stats.bytes += site->bytes;
    to->stats.temporary += site->temporary;
    to->stats.leaked_bytes += leak->bytes;
    to->stats.leaked_count += leak->count;
    if (site->peak_mark == ch->reader.peak_mark)
        to->stats.peak_bytes += site->peak_bytes;
    for (unsigned i = 0; i < HEAP_LIFETIMES; i++) {
        to->lifetimes[i] += site->lifetimes[i];
        a->lifetimes[i] += site->lifetimes[i];
    }
}

static uint64_t heap_time_ns(uint32_t time)
{
    uint64_t now = rs_clock_mono_ns() >> HEAP_TIME_SHIFT;

    return (now - (uint32_t)((uint32_t)now - time)) << HEAP_TIME_SHIFT;
}

static void add_leak(struct channel *ch, const struct image *image, int32_t node, const struct leak_site *leak)
{
    struct session *s = ch->session;
    struct allocations *a = &s->allocations;

    a->leaked_bytes += leak->bytes;
    a->leaked_count += leak->count;
    a->leaks = xreallocarray(a->leaks, a->leak_count + 1, sizeof(*a->leaks));
    a->leaks[a->leak_count++] = (struct leak){.node = node,
                                              .process = image->process >= 0 ? (uint32_t)image->process : 0,
                                              .bytes = leak->bytes,
                                              .count = leak->count,
                                              .first_ns = session_at(s, heap_time_ns(leak->first_time)),
                                              .last_ns = session_at(s, heap_time_ns(leak->last_time))};
}

static void conclude_image(struct channel *ch, struct image *image, struct merged **merged, size_t *cap)
{
    struct session *s = ch->session;
    struct allocations *a = &s->allocations;
    struct diagnostics *d = &s->diagnostics;
    uint64_t leaked_bytes = 0, leaked_count = 0, unknown = heap_unknown_frees(&image->heap);

    for (size_t i = 0; i < image->heap.site_count; i++) {
        int32_t node = session_node_of(ch, image, image->heap.sites[i].node);

        if (node < 0)
            continue;
        if ((size_t)node >= *cap) {
            size_t old = *cap;

            GROW(*merged, (size_t)node + 1, *cap);
            memset(*merged + old, 0, (*cap - old) * sizeof(**merged));
        }
        merge_site(ch, &(*merged)[node], &image->heap.sites[i], &image->leaks[i]);
        leaked_bytes += image->leaks[i].bytes;
        leaked_count += image->leaks[i].count;
        if (image->leaks[i].count)
            add_leak(ch, image, node, &image->leaks[i]);
    }
    a->total_allocations += image->heap.allocations;
    a->total_deallocations += image->heap.frees;
    a->total_bytes += image->heap.bytes;
    a->temporary += image->heap.temporary;
    a->outside_left_bytes += image->outside_bytes;
    for (unsigned i = 0; i < ALLOC_SIZE_CLASSES; i++)
        a->by_size[i] += image->heap.by_size[i];
    d->events_dropped += image->dropped_allocations + image->lost_frees;
    *(image->parent_id ? &d->inherited_frees : &d->unknown_frees) += unknown;
    if (image->process >= 0 && image->has_shim) {
        struct process *p = &s->processes[image->process];

        p->allocations += image->heap.allocations;
        p->deallocations += image->heap.frees;
        p->alloc_bytes += image->heap.bytes;
        p->leaked_bytes += leaked_bytes;
        p->leaked_allocations += leaked_count;
        p->heap_peak_bytes = image->peak_bytes;
        p->outside_peak_bytes = image->outside_peak_bytes;
        if (image->ended && !p->end_ns)
            p->end_ns = session_at(s, image->end_ns);
    }
}

static int by_leaked_bytes(const void *a, const void *b)
{
    const struct leak *x = a, *y = b;

    return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : x->node < y->node ? -1 : x->node > y->node;
}

static void conclude_stats(struct channel *ch, const struct merged *merged, size_t count)
{
    struct allocations *a = &ch->session->allocations;
    size_t used = 0;

    for (size_t i = 0; i < count; i++)
        used += merged[i].stats.count > 0;
    a->stats = xcalloc(used, sizeof(*a->stats));
    for (size_t i = 0; i < count; i++) {
        if (!merged[i].stats.count)
            continue;
        a->stats[a->stats_count] = merged[i].stats;
        a->stats[a->stats_count].node = (int32_t)i;
        a->stats[a->stats_count++].lifetime_p50_us = median_lifetime_us(merged[i].lifetimes);
    }
    if (a->leak_count)
        qsort(a->leaks, a->leak_count, sizeof(*a->leaks), by_leaked_bytes);
    if (a->leak_count > LEAKS_MAX) {
        session_count_folded(ch->session, "leaks", a->leak_count - LEAKS_MAX);
        a->leak_count = LEAKS_MAX;
    }
}

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
        if (i == 0 && ch->root_reason) {
            p->shim_reason = ch->root_reason;
            continue;
        }
        if (!ch->options.follow && i)
            reason = "--no-follow";
        else if (p->exe)
            reason = shim_check_file(strings_get(&s->strings, p->exe));
        if (reason)
            p->shim_reason = strings_add_str(&s->strings, reason);
    }
}

/* Memory grew, and malloc's callers hold little of it. */
static bool is_suspicious(const struct image *image, const struct process *p)
{
    return p->anon_peak_bytes >= 16000000 && image->peak_bytes * 2 < p->anon_peak_bytes;
}

/* Why calls of a process are not seen, in a word for the process and a sentence for a person. NULL: they are. */
static const char *name_bypass(const struct shim_allocator *found, bool hooks_operators, const struct image *image,
                               const struct process *p, char *sentence, size_t size)
{
    const char *name = found->name ? found->name : "an allocator (jemalloc, tcmalloc, mimalloc…)";

    if (found->takes_new && !hooks_operators) {
        snprintf(sentence, size,
                 "operator new is that of %s, which does not call malloc: only malloc's own callers are recorded. Give "
                 "rustscope the program itself, not what starts it",
                 name);
        return "operator new of another allocator bypasses malloc";
    }
    if (found->is_malloc && !image->heap.allocations) {
        snprintf(
            sentence, size,
            "malloc is in the program's own file (%s), so no allocation comes past us. For a profile, link without "
            "it or against its shared library",
            found->name ? found->name : "its own");
        return "malloc is in the program's own file";
    }
    if (!is_suspicious(image, p) ||
        (!found->linked_in && image->peak_bytes + image->outside_peak_bytes > p->anon_peak_bytes / 8))
        return NULL;
    snprintf(sentence, size,
             "%.0f MB were taken, but only %.1f MB of them through malloc: %s that is linked into the program does not "
             "come past us",
             (double)p->anon_peak_bytes / 1e6, (double)image->peak_bytes / 1e6, name);
    return "an allocator of its own bypasses malloc";
}

static void explain_bypassed(struct channel *ch)
{
    struct session *s = ch->session;
    const char *preloaded = getenv("LD_PRELOAD");
    struct shim_allocator found = {0};
    string_id looked_at = 0;
    char sentence[512];

    for (size_t i = 0; i < ch->reader.image_count; i++) {
        const struct image *image = ch->reader.images[i];
        struct process *p = image->process >= 0 && image->has_shim ? &s->processes[image->process] : NULL;
        const char *reason;

        if (!p || !ch->options.allocations || !p->exe)
            continue;
        /* Many processes of one program come one after the other. */
        if (p->exe != looked_at || is_suspicious(image, p))
            shim_check_allocator(strings_get(&s->strings, p->exe), preloaded, is_suspicious(image, p), &found);
        looked_at = p->exe;
        reason = name_bypass(&found, ch->hooks_operators, image, p, sentence, sizeof(sentence));
        if (!reason)
            continue;
        p->shim_reason = strings_add_str(&s->strings, reason);
        session_warn(s, "%s: %s", p->name ? strings_get(&s->strings, p->name) : "A process", sentence);
    }
}

static void warn_about_losses(struct channel *ch)
{
    const struct reader *r = &ch->reader;
    struct session *s = ch->session;
    uint64_t dropped = s->diagnostics.events_dropped, skipped = 0, uncertain = 0, truncated = 0, no_stack = 0;

    for (size_t i = 0; i < r->image_count; i++) {
        const struct image *image = r->images[i];

        skipped += image->skipped;
        truncated += image->truncated;
        no_stack += image->no_stack;
        for (size_t k = 0; image->leaks && k < image->heap.site_count; k++)
            uncertain += image->leaks[k].uncertain_count;
    }
    if (r->blind_ticks)
        session_warn(
            s,
            "rustscope was stopped: for %.0f s programs took it for dead, and what they allocated and freed then "
            "is in no total",
            (double)r->blind_ticks * RS_TICK_NS / 1e9);
    if (dropped)
        session_warn(s, "%llu allocation events were dropped because rustscope could not keep up%s",
                     (unsigned long long)dropped, r->blind_ticks ? "" : "; totals are complete");
    if (uncertain)
        session_warn(s, "%llu blocks may be free, their events were dropped: they are not called leaks",
                     (unsigned long long)uncertain);
    if (!dropped && s->diagnostics.unknown_frees >= UNKNOWN_FREES_WORTH)
        session_warn(s,
                     "%llu blocks were freed that nobody was seen to allocate: a library that was opened with "
                     "RTLD_DEEPBIND or dlmopen(), or an allocator linked into the program, calls its malloc past us",
                     (unsigned long long)s->diagnostics.unknown_frees);
    session_count_folded(s, "allocations_in_signal_handlers", skipped);
    session_count_folded(s, "allocation_stacks_truncated", truncated);
    session_count_folded(s, "allocations_without_stack", no_stack);
    session_count_folded(s, "channel_garbage", r->garbage_frames + r->garbage_records);
    session_count_folded(s, "channel_nodes", r->folded_nodes);
    session_count_folded(s, "channel_records", r->records_dropped);
}

void channel_finish(struct channel *ch)
{
    struct session *s;
    struct allocations *a;
    struct merged *merged = NULL;
    size_t cap = 0;

    if (!ch)
        return;
    s = ch->session;
    a = &s->allocations;
    stop_thread(ch);
    reader_wait(&ch->reader, 0);
    reader_pass(&ch->reader, rs_clock_mono_ns(), false);
    reader_pass(&ch->reader, rs_clock_mono_ns(), true);
    reader_finish(&ch->reader, rs_clock_mono_ns());
    carry_over(ch);
    for (size_t i = 0; i < ch->reader.image_count; i++)
        conclude_image(ch, ch->reader.images[i], &merged, &cap);
    conclude_stats(ch, merged, cap);
    free(merged);
    for (size_t i = 0; i < ch->reader.image_count; i++)
        a->measured |= ch->reader.images[i]->has_shim && ch->options.allocations;
    if (a->measured)
        s->diagnostics.alloc_backend = ALLOCS_SHIM;
    a->peak_bytes = ch->reader.peak_bytes;
    a->outside_peak_bytes = ch->reader.outside_peak_bytes;
    a->peak_at_ns = ch->reader.peak_tick ? session_at(s, tick_ns(ch, ch->reader.peak_tick)) : 0;
    s->diagnostics.events_received = ch->reader.events;
    explain_silent(ch);
    explain_bypassed(ch);
    warn_about_losses(ch);
    maps_publish_open_paths(&ch->maps);
}
