/* SPDX-License-Identifier: MIT */
#include "lib/link.h"

#include <errno.h>
#include <rustscope.h>
#include <stdatomic.h>
#include <string.h>

#include "core/channel.h"
#include "core/clock.h"
#include "core/scopes_wire.h"
#include "lib/clock.h"
#include "lib/lock.h"
#include "lib/os.h"
#include "lib/registry.h"
#include "lib/snapshot.h"
#include "lib/state.h"

enum {
    INTERVAL_NS = 1000000000,
    TEXT_MAX = 1024, /* of a name or a path on the wire */
};

/* What the CLI has been told of a path. */
struct told {
    uint64_t calls, timed;
    uint64_t polls, tasks;
};

/* Of the figures; written by the holder of the lock alone. */
static struct {
    struct rs_lock lock;
    struct rs_channel *channel;
    struct rs_stream stream;
    uint64_t image; /* that the counts below are of; another one has been told nothing */
    uint32_t sites, paths;
    uint32_t resets, session_serial, session_clears;
    struct told *told; /* RS_PATHS_MAX of them, mapped when needed */
    char *scratch;     /* paths and histograms of a round */
    size_t scratch_bytes;
    uint64_t interval_ticks;
} out;

static struct {
    struct rs_lock lock;
    struct rs_stream stream;
} marks;

static atomic_bool wanted; /* there is a pipe */

static bool opened(struct rs_stream *stream, struct rs_channel *channel)
{
    if (!stream->frame)
        rs_stream_open(stream, channel, RS_SOURCE_LIB, rs_channel_new_thread(channel), rs_os_tid());
    return stream->frame != NULL;
}

/* ---- what is sent ---- */

static uint32_t text_bytes(const char *text)
{
    size_t len = text ? strlen(text) : 0;

    return (uint32_t)(len < TEXT_MAX ? len : TEXT_MAX);
}

static void *reserve(uint32_t bytes, bool definition)
{
    void *at = rs_stream_reserve(&out.stream, bytes, definition);

    if (at)
        memset(at, 0, (bytes + 3u) & ~3u);
    return at;
}

static bool send_site(uint32_t id)
{
    const struct rs_site_entry *e = rs_registry_site_entry(id);
    uint32_t name = text_bytes(e->name), file = text_bytes(e->file);
    struct rs_wire_site *r = reserve(sizeof(*r) + name + file, true);

    if (!r)
        return false;
    *r = (struct rs_wire_site){RS_RECORD(RS_RECORD_SITE, sizeof(*r) + name + file), id, e->line, e->flags, name, file};
    memcpy(r + 1, e->name, name);
    if (file)
        memcpy((char *)(r + 1) + name, e->file, file);
    rs_stream_commit(&out.stream);
    return true;
}

static bool send_path(uint32_t id)
{
    const struct rs_path_entry *e = rs_registry_path_entry(id);
    struct rs_wire_path *r = reserve(sizeof(*r), true);

    if (!r)
        return false;
    *r = (struct rs_wire_path){RS_RECORD(RS_RECORD_PATH, sizeof(*r)), id, e->parent, e->site};
    rs_stream_commit(&out.stream);
    return true;
}

/* True when all sites and paths up to COUNTs are known to the CLI. */
static bool send_definitions(uint32_t path_count, uint32_t site_count)
{
    for (; out.sites < site_count; out.sites++)
        if (!send_site(out.sites))
            return false;
    for (; out.paths < path_count; out.paths++)
        if (!send_path(out.paths))
            return false;
    return true;
}

static bool send_stats(uint32_t path, const struct rs_scope_path *p)
{
    struct rs_wire_path_stats *r = reserve(sizeof(*r), false);

    if (!r)
        return false;
    r->word = RS_RECORD(RS_RECORD_PATH_STATS, sizeof(*r));
    r->path = path;
    memcpy(&r->stats, &p->stats, sizeof(r->stats));
    rs_stream_commit(&out.stream);
    return true;
}

static bool send_histogram(uint32_t path, const uint64_t *histogram)
{
    enum { PER_RECORD = (RS_FRAME_BYTES - 64 - sizeof(struct rs_wire_path_histogram)) / sizeof(struct rs_wire_bucket) };
    uint32_t at = 0;

    while (at < RUSTSCOPE_HISTOGRAM_BUCKETS) {
        struct rs_wire_bucket buckets[64];
        uint32_t n = 0, bytes;
        struct rs_wire_path_histogram *r;

        for (; at < RUSTSCOPE_HISTOGRAM_BUCKETS && n < 64 && n < PER_RECORD; at++)
            if (histogram[at])
                buckets[n++] = (struct rs_wire_bucket){at, (uint32_t)histogram[at], (uint32_t)(histogram[at] >> 32)};
        if (!n)
            break;
        bytes = (uint32_t)(sizeof(*r) + n * sizeof(*buckets));
        r = reserve(bytes, false);
        if (!r)
            return false;
        r->word = RS_RECORD(RS_RECORD_PATH_HISTOGRAM, bytes);
        r->path = path;
        memcpy(r + 1, buckets, n * sizeof(*buckets));
        rs_stream_commit(&out.stream);
    }
    return true;
}

static bool send_worst(uint32_t path, const struct rustscope_worst *worst)
{
    struct rs_wire_path_worst *r = reserve(sizeof(*r), false);

    if (!r)
        return false;
    r->word = RS_RECORD(RS_RECORD_PATH_WORST, sizeof(*r));
    r->path = path;
    memcpy(r->worst, worst, sizeof(r->worst));
    rs_stream_commit(&out.stream);
    return true;
}

static bool send_task(uint32_t path, const struct rs_scope_task *task)
{
    struct rs_wire_path_task *r = reserve(sizeof(*r), false);

    if (!r)
        return false;
    r->word = RS_RECORD(RS_RECORD_PATH_TASK, sizeof(*r));
    r->path = path;
    memcpy(&r->task, task, sizeof(r->task));
    rs_stream_commit(&out.stream);
    return true;
}

static void send_changed(uint32_t path, const struct rs_scope_path *p)
{
    struct told *told = &out.told[path];
    struct told now = {p->stats.calls, p->stats.timed, p->task.polls,
                       p->task.started + p->task.completed + p->task.cancelled};

    if (!memcmp(told, &now, sizeof(now)))
        return;
    if (!send_stats(path, p) || !send_histogram(path, p->histogram))
        return;
    if (p->stats.outliers && !send_worst(path, p->worst))
        return;
    if ((now.polls || now.tasks) && !send_task(path, &p->task))
        return;
    *told = now;
}

static void send_clock(void)
{
    struct rustscope_info info = {.size = sizeof(info)};
    struct rs_wire_scopes_clock *r;
    struct rs_scope_clock now;

    rustscope_get_info(&info);
    now = rs_clock_now();
    r = reserve(sizeof(*r), false);
    if (!r)
        return;
    r->word = RS_RECORD(RS_RECORD_SCOPES_CLOCK, sizeof(*r));
    r->clock = rs_clock_slow                ? RS_WIRE_CLOCK_GETTIME
               : !strcmp(info.clock, "tsc") ? RS_WIRE_CLOCK_TSC
                                            : RS_WIRE_CLOCK_CNTVCT;
    r->mode = rs_process_mode();
    r->threads = (uint32_t)info.threads;
    r->ns_per_tick = now.ns_per_tick;
    r->ticks = now.ticks;
    r->mono_ns = rs_clock_mono_ns_of(now.ticks, now.ns_per_tick);
    r->resolution_ns = info.resolution_ns;
    r->overhead_ns = info.overhead_ns;
    r->inside_ns = info.inside_ns;
    r->precise_offset_ns = info.precise_offset_ns;
    r->skipped = info.skipped;
    r->folded_paths = info.folded_paths;
    rs_stream_commit(&out.stream);
}

static bool send_text(enum rs_wire_text what, const char *key, const char *value)
{
    uint32_t key_len = text_bytes(key), value_len = text_bytes(value);
    struct rs_wire_session_text *r = reserve(sizeof(*r) + key_len + value_len, true);

    if (!r)
        return false;
    *r = (struct rs_wire_session_text){RS_RECORD(RS_RECORD_SESSION_TEXT, sizeof(*r) + key_len + value_len), what,
                                       key_len, value_len};
    if (key_len)
        memcpy(r + 1, key, key_len);
    if (value_len)
        memcpy((char *)(r + 1) + key_len, value, value_len);
    rs_stream_commit(&out.stream);
    return true;
}

static void send_texts(void)
{
    uint32_t serial = rs_session_serial(), clears = rs_session_clears();
    bool all = true;

    if (serial == out.session_serial)
        return;
    if (clears != out.session_clears) {
        if (!send_text(RS_WIRE_TEXTS_CLEARED, NULL, NULL))
            return;
        out.session_clears = clears;
    }
    if (rs_session_name())
        all = send_text(RS_WIRE_SESSION_NAME, NULL, rs_session_name());
    for (uint32_t i = 0; all && i < rs_tag_count(); i++)
        all = send_text(RS_WIRE_TAG, NULL, rs_tag(i));
    for (uint32_t i = 0; all && i < rs_label_count(); i++)
        all = send_text(RS_WIRE_LABEL, rs_label(i).key, rs_label(i).value);
    if (all)
        out.session_serial = serial;
}

/* False without room: another try next time. */
static bool send_reset(void)
{
    struct rs_wire_scopes_reset *r;
    uint32_t resets = rs_resets();

    if (resets == out.resets)
        return true;
    r = reserve(sizeof(*r), true);
    if (!r)
        return false;
    r->word = RS_RECORD(RS_RECORD_SCOPES_RESET, sizeof(*r));
    rs_stream_commit(&out.stream);
    memset(out.told, 0, sizeof(*out.told) * RS_PATHS_MAX);
    out.resets = resets;
    return true;
}

/* ---- when ---- */

static bool has_scratch(uint32_t path_count)
{
    size_t bytes = path_count * (sizeof(struct rs_scope_path) + sizeof(uint64_t) * RUSTSCOPE_HISTOGRAM_BUCKETS);

    if (!out.told)
        out.told = rs_os_map(sizeof(*out.told) * RS_PATHS_MAX, false);
    if (out.scratch_bytes < bytes) {
        rs_os_unmap(out.scratch, out.scratch_bytes);
        out.scratch_bytes = 2 * bytes;
        out.scratch = rs_os_map(out.scratch_bytes, false);
        if (!out.scratch)
            out.scratch_bytes = 0;
    }
    if (!out.told || !out.scratch)
        return false;
    memset(out.scratch, 0, bytes);
    return true;
}

static void send_all(void)
{
    uint32_t path_count = rs_registry_path_count(), site_count = rs_registry_site_count();
    struct rs_scope_path *paths;

    send_texts();
    if (path_count < 2 || !has_scratch(path_count) || !send_definitions(path_count, site_count) || !send_reset())
        return;
    paths = (struct rs_scope_path *)out.scratch;
    rs_snapshot_add_up(paths, path_count, (uint64_t *)(paths + path_count));
    for (uint32_t i = 1; i < path_count; i++)
        send_changed(i, &paths[i]);
    send_clock();
}

static void send(void)
{
    out.channel = rs_channel_get(RS_SOURCE_LIB);
    if (!out.channel)
        return;
    rs_channel_check(out.channel);
    if (!rs_channel_active())
        return;
    if (out.image != out.channel->image) {
        out.sites = out.paths = 1;
        out.session_serial = 0;
        out.session_clears = rs_session_clears(); /* nothing has been told here */
        out.resets = rs_resets();
        out.image = out.channel->image;
        if (out.told)
            memset(out.told, 0, sizeof(*out.told) * RS_PATHS_MAX);
    }
    if (opened(&out.stream, out.channel)) {
        send_all();
        rs_stream_flush(&out.stream);
    }
}

static void set_due(void)
{
    if (!out.interval_ticks)
        out.interval_ticks = (uint64_t)(INTERVAL_NS / rs_clock_ns_per_tick());
    RS_STORE_(RS_DUE_, rs_clock_ticks() + out.interval_ticks);
}

/* The counter's rate is not known yet, or asking would spin: something between 0.2 and 1 s. */
static void set_first_due(void)
{
    RS_STORE_(RS_DUE_, rs_clock_ticks() + rs_clock_rough_rate());
}

void rs_link_init(void)
{
    if (!rs_channel_get(RS_SOURCE_LIB))
        return;
    atomic_store_explicit(&wanted, true, memory_order_relaxed);
    set_first_due();
}

void rs_link_due(void)
{
    int saved_errno = errno;

    /* Not on a stack of a few kilobytes, nor inside of what is being read; the next scope will be along. */
    if (RS_THREAD_.state == RS_STATE_BUSY || rs_os_on_signal_stack())
        return;
    rs_lock_take(&out.lock);
    if (rs_clock_ticks() >= RS_LOAD_(RS_DUE_)) {
        send();
        set_due();
    }
    rs_lock_drop(&out.lock);
    errno = saved_errno;
}

void rs_link_finish(void)
{
    if (!atomic_load_explicit(&wanted, memory_order_relaxed) || RS_THREAD_.state == RS_STATE_BUSY)
        return;
    rs_lock_take(&out.lock);
    send();
    if (out.stream.frame)
        rs_stream_close(&out.stream);
    rs_lock_drop(&out.lock);
}

void rs_link_forked(void)
{
    rs_lock_reset(&out.lock);
    rs_lock_reset(&marks.lock);
    memset(&out.stream, 0, sizeof(out.stream));
    memset(&marks.stream, 0, sizeof(marks.stream));
    out.image = 0;
    /* The parent may have been in the middle of a round. */
    out.scratch = NULL;
    out.scratch_bytes = 0;
    out.told = NULL;
    if (atomic_load_explicit(&wanted, memory_order_relaxed))
        set_first_due();
}

void rs_link_mark(const char *name, bool is_counter, double value)
{
    uint32_t len = text_bytes(name);
    struct rs_wire_mark *r;
    struct rs_channel *channel;
    int saved_errno;

    if (__builtin_expect(!atomic_load_explicit(&wanted, memory_order_relaxed), 1))
        return;
    if (RS_THREAD_.state == RS_STATE_BUSY)
        return;
    saved_errno = errno;
    rs_lock_take(&marks.lock);
    channel = rs_channel_get(RS_SOURCE_LIB);
    if (channel && rs_channel_active() && opened(&marks.stream, channel)) {
        r = rs_stream_reserve(&marks.stream, sizeof(*r) + len, false);
        if (r) {
            memset(r, 0, (sizeof(*r) + len + 3) & ~3u);
            r->word = RS_RECORD(RS_RECORD_MARK, sizeof(*r) + len);
            r->is_counter = is_counter;
            r->mono_ns = rs_clock_mono_ns();
            r->value = value;
            r->name_bytes = len;
            if (len)
                memcpy(r + 1, name, len);
            rs_stream_commit(&marks.stream);
            rs_stream_flush(&marks.stream);
        }
    }
    rs_lock_drop(&marks.lock);
    errno = saved_errno;
}

static bool send_benchmark(uint32_t number, const char *name, const struct rs_bench_counts *counts)
{
    uint32_t len = text_bytes(name);
    struct rs_wire_benchmark *r = rs_stream_reserve(&marks.stream, sizeof(*r) + len, true);

    if (!r)
        return false;
    memset(r, 0, (sizeof(*r) + len + 3) & ~3u);
    r->word = RS_RECORD(RS_RECORD_BENCHMARK, sizeof(*r) + len);
    r->benchmark = number;
    r->counts = *counts;
    r->name_bytes = len;
    memcpy(r + 1, name, len);
    rs_stream_commit(&marks.stream);
    return true;
}

static bool send_samples(uint32_t number, const double *samples_ns, uint32_t count)
{
    enum { PER_RECORD = 256 };

    for (uint32_t first = 0; first < count; first += PER_RECORD) {
        uint32_t n = count - first < PER_RECORD ? count - first : PER_RECORD;
        struct rs_wire_benchmark_samples *r =
            rs_stream_reserve(&marks.stream, (uint32_t)(sizeof(*r) + n * sizeof(*samples_ns)), true);

        if (!r)
            return false;
        *r = (struct rs_wire_benchmark_samples){
            RS_RECORD(RS_RECORD_BENCHMARK_SAMPLES, sizeof(*r) + n * sizeof(*samples_ns)), number, first};
        memcpy(r + 1, samples_ns + first, n * sizeof(*samples_ns));
        rs_stream_commit(&marks.stream);
    }
    return true;
}

void rs_link_benchmark(const char *name, const struct rs_bench_counts *counts, const double *samples_ns)
{
    static uint32_t number;
    struct rs_channel *channel;

    if (!atomic_load_explicit(&wanted, memory_order_relaxed))
        return;
    rs_lock_take(&marks.lock);
    channel = rs_channel_get(RS_SOURCE_LIB);
    if (channel && rs_channel_active() && opened(&marks.stream, channel)) {
        number++;
        if (send_benchmark(number, name, counts))
            send_samples(number, samples_ns, counts->samples);
        rs_stream_flush(&marks.stream);
    }
    rs_lock_drop(&marks.lock);
}
