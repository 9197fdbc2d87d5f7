/* SPDX-License-Identifier: MIT */
#include "lib/timeline.h"

#include <errno.h>
#include <rustscope.h>
#include <stdatomic.h>

#include "core/json.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/lock.h"
#include "lib/os.h"
#include "lib/registry.h"
#include "lib/state.h"

/* One finished call. All fields are relaxed atomics; `ticket` is stored last. */
struct event {
    uint64_t ticket; /* from 1 */
    uint64_t start_ticks, end_ticks;
    uint32_t site, tid;
};

struct ring {
    uint64_t size;
    atomic_ullong taken;
    struct event events[];
};

static _Atomic(struct ring *) current; /* kept when the timeline is off, so that it can be written */
static atomic_bool active;
static struct rs_lock lock;

bool rs_timeline_active(void)
{
    return atomic_load_explicit(&active, memory_order_relaxed);
}

void rs_timeline_add(uint32_t site, uint32_t tid, uint64_t start_ticks, uint64_t end_ticks)
{
    struct ring *ring = atomic_load_explicit(&current, memory_order_acquire);
    uint64_t ticket = atomic_fetch_add_explicit(&ring->taken, 1, memory_order_relaxed) + 1;
    struct event *e = &ring->events[(ticket - 1) % ring->size];

    RS_STORE_(e->ticket, 0);
    RS_WRITE_FENCE_();
    RS_STORE_(e->start_ticks, start_ticks);
    RS_STORE_(e->end_ticks, end_ticks);
    RS_STORE_(e->site, site);
    RS_STORE_(e->tid, tid);
    __atomic_store_n(&e->ticket, ticket, __ATOMIC_RELEASE);
}

void rs_timeline_forked(void)
{
    rs_lock_reset(&lock);
    atomic_store_explicit(&active, false, memory_order_relaxed);
    atomic_store_explicit(&current, NULL, memory_order_relaxed);
}

static void forget(struct ring *ring)
{
    atomic_store_explicit(&ring->taken, 0, memory_order_relaxed);
    for (uint64_t i = 0; i < ring->size; i++)
        RS_STORE_(ring->events[i].ticket, 0);
}

void rs_timeline_forget(void)
{
    struct ring *ring;

    rs_lock_take(&lock);
    ring = atomic_load_explicit(&current, memory_order_relaxed);
    if (ring)
        forget(ring);
    rs_lock_drop(&lock);
}

int rustscope_timeline_enable(size_t max_events)
{
    struct ring *ring;
    int rc = 0;

    rs_init();
    rs_lock_take(&lock);
    ring = atomic_load_explicit(&current, memory_order_relaxed);
    /*
     * A ring that gets too small is left mapped: a writer may be in it, and there is no telling when it has gone. One
     * that is large enough starts anew.
     */
    if (max_events && (!ring || max_events > ring->size)) {
        ring = max_events > (SIZE_MAX - sizeof(*ring)) / sizeof(struct event)
                   ? NULL
                   : rs_os_map(sizeof(*ring) + max_events * sizeof(struct event), false);
        rc = ring ? 0 : -ENOMEM;
        if (ring) {
            ring->size = max_events;
            atomic_store_explicit(&current, ring, memory_order_release);
        }
    } else if (max_events) {
        forget(ring);
    }
    if (!rc)
        atomic_store_explicit(&active, max_events > 0, memory_order_relaxed);
    rs_lock_drop(&lock);
    rs_settings_changed();
    return rc;
}

static bool read_event(const struct ring *ring, uint64_t i, struct event *out)
{
    const struct event *e = &ring->events[i];

    out->ticket = __atomic_load_n(&e->ticket, __ATOMIC_ACQUIRE);
    out->start_ticks = RS_LOAD_(e->start_ticks);
    out->end_ticks = RS_LOAD_(e->end_ticks);
    out->site = RS_LOAD_(e->site);
    out->tid = RS_LOAD_(e->tid);
    return out->ticket && RS_LOAD_(e->ticket) == out->ticket && out->site;
}

/* Sorts by begin, longer first among equals, so that parents precede their children. Heapsort: no memory, no worst
 * case. */
static bool comes_after(const struct event *a, const struct event *b)
{
    return a->start_ticks != b->start_ticks ? a->start_ticks > b->start_ticks : a->end_ticks < b->end_ticks;
}

static void sift_down(struct event *e, size_t at, size_t count)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        struct event tmp = e[at];

        if (child + 1 < count && comes_after(&e[child + 1], &e[child]))
            child++;
        if (!comes_after(&e[child], &tmp))
            return;
        e[at] = e[child];
        e[child] = tmp;
    }
}

static void sort(struct event *e, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift_down(e, i, count);
    for (size_t i = count; i-- > 1;) {
        struct event tmp = e[0];

        e[0] = e[i];
        e[i] = tmp;
        sift_down(e, 0, i);
    }
}

static void write_event(struct rs_json *j, const struct event *e, double ns_per_tick, uint64_t origin)
{
    double start_us = (double)(int64_t)(e->start_ticks - origin) * ns_per_tick / 1000;

    rs_json_object_begin(j);
    rs_json_kv_str(j, "name", rs_registry_site_entry(e->site)->name);
    rs_json_kv_str(j, "ph", "X");
    rs_json_kv_double(j, "ts", start_us, 3);
    rs_json_kv_double(j, "dur", (double)(e->end_ticks - e->start_ticks) * ns_per_tick / 1000, 3);
    rs_json_kv_uint(j, "pid", rs_os_pid());
    rs_json_kv_uint(j, "tid", e->tid);
    rs_json_object_end(j);
}

static void write_events(struct rs_file *file, const struct event *events, size_t count,
                         enum rustscope_timeline_format format, uint64_t dropped)
{
    double ns_per_tick = rs_clock_ns_per_tick();
    uint64_t origin = count ? events[0].start_ticks : 0;
    struct rs_json *j = &file->json;

    if (format == RUSTSCOPE_TIMELINE_CHROME) {
        rs_json_object_begin(j);
        rs_json_kv_str(j, "displayTimeUnit", "ns");
        rs_json_key(j, "otherData");
        rs_json_object_begin(j);
        rs_json_kv_uint(j, "dropped", dropped);
        rs_json_object_end(j);
        rs_json_key(j, "traceEvents");
        rs_json_array_begin(j);
    }
    for (size_t i = 0; i < count; i++) {
        write_event(j, &events[i], ns_per_tick, origin);
        if (format == RUSTSCOPE_TIMELINE_NDJSON)
            rs_file_next_document(file);
        else
            rs_json_newline(j);
    }
    if (format == RUSTSCOPE_TIMELINE_CHROME) {
        rs_json_array_end(j);
        rs_json_object_end(j);
    }
}

int rustscope_timeline_write(const char *path, enum rustscope_timeline_format format, uint64_t *dropped)
{
    struct ring *ring = atomic_load_explicit(&current, memory_order_acquire);
    uint64_t taken = ring ? atomic_load_explicit(&ring->taken, memory_order_acquire) : 0;
    uint64_t kept = ring && taken > ring->size ? ring->size : taken;
    size_t count = 0, bytes = (kept + 1) * sizeof(struct event);
    struct event *events;
    struct rs_file file;
    int rc;

    if (!path || format > RUSTSCOPE_TIMELINE_NDJSON)
        return -EINVAL;
    events = rs_os_map(bytes, false);
    if (!events)
        return -ENOMEM;
    for (uint64_t i = 0; i < kept; i++)
        count += read_event(ring, i, &events[count]);
    sort(events, count);
    if (dropped)
        *dropped = taken - count;
    rc = rs_file_open(&file, path);
    if (!rc) {
        write_events(&file, events, count, format, taken - count);
        rc = rs_file_close(&file);
    }
    rs_os_unmap(events, bytes);
    return rc;
}
