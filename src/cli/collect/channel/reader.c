/* SPDX-License-Identifier: MIT */
#include "collect/channel/reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/proc_parse.h"
#include "base/proc_view.h"
#include "core/clock.h"

enum {
    /*
     * Events decoded ahead of their application, so that the table's lines are on the way. As many as a core has misses
     * under way: of 256 the first lines had left the nearest cache again, 17 instead of 22 M events/s.
     */
    BATCH = 16,
    NODE_AHEAD_MAX = 1 << 16, /* how far ids may run ahead of what has been seen */
    OUTSIDE_RANGES_MAX = 1 << 16,
    IDLE_TICKS = 2, /* records of a tick are final when the clock is this far past it and the thread is in no hook */
    TEXT_MAX = 4096,
    BUSY_FRAMES = 256,
    GROW_EVERY = 64, /* pages read between two looks at how many are free */
};

struct stream {
    struct image *image;
    uint32_t image_index;
    uint32_t thread; /* serial */
    uint32_t thread_index;
    uint32_t source;
    uint32_t seq;  /* of the frame read last */
    uint32_t tick; /* of the next record */
    uint32_t time; /* for the heap */
    uint64_t clock_ns;
    uint32_t lost;
};

enum page_kind { PAGE_NONE, PAGE_FRAME, PAGE_COUNTS };

struct page_state {
    struct stream *stream;
    struct rs_counts_page *counts; /* as it was when we looked last */
    uint64_t last;                 /* address that the next packed record counts from */
    uint32_t consumed, limit;
    uint32_t seq;
    enum page_kind kind;
    bool begun;
};

struct event {
    uint64_t address, size;
    uint32_t number, site;
    uint32_t flags; /* RS_ALLOC_… */
    bool is_free;
};

/* ---- images, threads, nodes ---- */

static uint64_t own_pid_namespace(void)
{
    struct stat st;

    return stat("/proc/self/ns/pid", &st) ? 0 : st.st_ino;
}

void reader_init(struct reader *r, struct slab *slab)
{
    memset(r, 0, sizeof(*r));
    r->slab = slab;
    r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    r->pid_ns = own_pid_namespace();
    r->peak_mark = 1;
    r->page_states = xcalloc(slab->page_count + 1, sizeof(*r->page_states));
    r->pending = xcalloc(slab->page_count + 1, sizeof(*r->pending));
}

static void image_release(struct image *image)
{
    for (size_t i = 0; i < image->module_count; i++)
        free(image->modules[i].path);
    if (image->pidfd >= 0)
        close(image->pidfd);
    heap_release(&image->heap);
    free(image->exe);
    free(image->argv);
    free(image->nodes);
    free(image->modules);
    free(image->threads);
    free(image->leaks);
    free(image->outside);
    free(image->cells);
    free(image->dirty);
    free(image);
}

void reader_release(struct reader *r)
{
    for (size_t i = 0; i < r->image_count; i++)
        image_release(r->images[i]);
    for (size_t i = 0; i < r->stream_count; i++)
        free(r->streams[i]);
    for (uint32_t i = 0; i < r->slab->page_count; i++)
        free(r->page_states[i].counts);
    if (r->epoll_fd >= 0)
        close(r->epoll_fd);
    free(r->images);
    free(r->streams);
    free(r->stream_slots);
    free(r->page_states);
    free(r->pending);
    free(r->rows);
    free(r->levels);
    free(r->records);
    memset(r, 0, sizeof(*r));
}

static void define_node(struct image *image, uint32_t node, uint32_t parent, uint32_t module, uint64_t address)
{
    image->nodes[node].parent = parent;
    image->nodes[node].module = module;
    image->nodes[node].address = address;
    image->nodes[node].defined = true;
}

/* Makes nodes up to NODE exist; false when that is more than anybody needs. */
static bool reach_node(struct reader *r, struct image *image, uint32_t node)
{
    if (node < image->node_count)
        return true;
    if (node > image->node_count + NODE_AHEAD_MAX ||
        r->nodes_total + (node + 1 - image->node_count) > READER_NODES_MAX) {
        r->folded_nodes++;
        return false;
    }
    GROW(image->nodes, node + 1, image->node_cap);
    r->nodes_total += node + 1 - image->node_count;
    while (image->node_count <= node)
        image->nodes[image->node_count++] =
            (struct image_node){.session_node = READER_UNRESOLVED, .site = HEAP_NO_SITE};
    return true;
}

static struct image *find_image(struct reader *r, uint64_t id, uint32_t *index)
{
    struct image *image;

    for (size_t i = r->image_count; i-- > 0;)
        if (r->images[i]->id == id) {
            *index = (uint32_t)i;
            return r->images[i];
        }
    if (r->image_count == READER_IMAGES_MAX)
        return NULL;
    image = xcalloc(1, sizeof(*image));
    image->id = id;
    image->pidfd = -1;
    image->process = -1;
    image->start_ns = rs_clock_mono_ns();
    /* It may have begun while we were away, and we only read of it now. */
    image->heap.lossy = r->blind_ticks != 0;
    image->heap.lossy_time = r->blind_time;
    reach_node(r, image, 0);
    define_node(image, 0, 0, 0, 0);
    GROW(r->images, r->image_count + 1, r->image_cap);
    *index = (uint32_t)r->image_count;
    r->images[r->image_count++] = image;
    return image;
}

static uint32_t thread_index(struct image *image, uint32_t serial, uint32_t tid)
{
    for (size_t i = image->thread_count; i-- > 0;)
        if (image->threads[i].serial == serial)
            return (uint32_t)i;
    GROW(image->threads, image->thread_count + 1, image->thread_cap);
    image->threads[image->thread_count] = (struct image_thread){.serial = serial, .tid = tid};
    return (uint32_t)image->thread_count++;
}

static size_t stream_hash(uint64_t image, uint32_t thread, uint32_t source)
{
    return (size_t)((image ^ ((uint64_t)thread << 8 | source)) * 0x9e3779b97f4a7c15u >> 24);
}

static void index_stream(struct reader *r, size_t index)
{
    const struct stream *s = r->streams[index];
    size_t i = stream_hash(s->image->id, s->thread, s->source) & (r->stream_slot_count - 1);

    while (r->stream_slots[i])
        i = (i + 1) & (r->stream_slot_count - 1);
    r->stream_slots[i] = (uint32_t)index + 1;
}

static struct stream *find_stream(struct reader *r, const struct rs_frame_header *frame)
{
    struct stream *s;
    size_t i;

    if (r->stream_count * 2 >= r->stream_slot_count) {
        r->stream_slot_count = r->stream_slot_count ? r->stream_slot_count * 2 : 256;
        free(r->stream_slots);
        r->stream_slots = xcalloc(r->stream_slot_count, sizeof(*r->stream_slots));
        for (size_t k = 0; k < r->stream_count; k++)
            index_stream(r, k);
    }
    i = stream_hash(frame->image, frame->thread, frame->source) & (r->stream_slot_count - 1);
    for (; r->stream_slots[i]; i = (i + 1) & (r->stream_slot_count - 1)) {
        s = r->streams[r->stream_slots[i] - 1];
        if (s->image->id == frame->image && s->thread == frame->thread && s->source == frame->source)
            return s;
    }
    if (r->stream_count == READER_THREADS_MAX)
        return NULL;
    s = xcalloc(1, sizeof(*s));
    s->image = find_image(r, frame->image, &s->image_index);
    if (!s->image) {
        free(s);
        return NULL;
    }
    s->thread = frame->thread;
    s->source = frame->source;
    s->thread_index = frame->thread ? thread_index(s->image, frame->thread, frame->tid) : 0;
    GROW(r->streams, r->stream_count + 1, r->stream_cap);
    r->streams[r->stream_count++] = s;
    index_stream(r, r->stream_count - 1);
    return s;
}

static uint32_t site_of(struct reader *r, struct image *image, uint32_t node)
{
    if (!reach_node(r, image, node))
        node = 0;
    if (image->nodes[node].site == HEAP_NO_SITE) {
        image->nodes[node].site = heap_add_site(&image->heap, node);
        if (image->nodes[node].site == HEAP_NO_SITE)
            return site_of(r, image, 0);
    }
    return image->nodes[node].site;
}

/* ---- rows: what happened in each 100 ms ---- */

static void push_row(struct reader *r, uint32_t image, const struct row_cell *cell)
{
    if (r->row_count == READER_ROWS_MAX) /* nobody takes them: the totals still know */
        return;
    GROW(r->rows, r->row_count + 1, r->row_cap);
    r->rows[r->row_count++] = (struct reader_row){.image = image,
                                                  .site = cell->site,
                                                  .thread = cell->thread,
                                                  .tick = r->done_tick,
                                                  .bytes = cell->bytes,
                                                  .count = cell->count,
                                                  .net_bytes = cell->net_bytes};
}

static struct row_cell *cell_of(struct reader *r, const struct stream *s, uint32_t site)
{
    struct image *image = s->image;
    uint32_t i = (site * 0x9e3779b1u ^ s->thread_index * 0x85ebca6bu) >> 22;
    struct row_cell *cell;

    if (!image->cells) {
        image->cells = xcalloc(ROW_CELLS, sizeof(*image->cells));
        image->dirty = xcalloc(ROW_CELLS, sizeof(*image->dirty));
        for (uint32_t k = 0; k < ROW_CELLS; k++)
            image->cells[k].site = HEAP_NO_SITE;
    }
    cell = &image->cells[i];
    if (__builtin_expect(cell->site != site || cell->thread != s->thread_index, 0)) {
        if (cell->site != HEAP_NO_SITE)
            push_row(r, s->image_index, cell);
        else
            image->dirty[image->dirty_count++] = (uint16_t)i;
        *cell = (struct row_cell){.site = site, .thread = s->thread_index};
    }
    return cell;
}
_Static_assert(ROW_CELLS == 1 << 10, "cell_of() takes 10 bits");

static void flush_cells(struct reader *r, uint32_t image_index)
{
    struct image *image = r->images[image_index];

    for (size_t i = 0; i < image->dirty_count; i++) {
        push_row(r, image_index, &image->cells[image->dirty[i]]);
        image->cells[image->dirty[i]].site = HEAP_NO_SITE;
    }
    image->dirty_count = 0;
}

static void push_level(struct reader *r, uint32_t image, uint64_t live, uint64_t peak, uint64_t alloc)
{
    GROW(r->levels, r->level_count + 1, r->level_cap);
    r->levels[r->level_count++] = (struct reader_level){
        .tick = r->done_tick, .image = image, .live_bytes = live, .live_peak_bytes = peak, .alloc_bytes = alloc};
}

static void note_level(struct reader *r)
{
    if (r->live_bytes > r->peak_bytes) {
        r->peak_bytes = r->live_bytes;
        r->peak_tick = r->done_tick;
        r->peak_mark++;
    }
    if (r->live_bytes > r->interval_peak_bytes)
        r->interval_peak_bytes = r->live_bytes;
    for (size_t i = 0; i < r->image_count; i++)
        if (r->images[i]->heap.live_bytes > r->images[i]->peak_bytes)
            r->images[i]->peak_bytes = r->images[i]->heap.live_bytes;
}

/* Every record up to and of TICK has been applied. */
static void close_tick(struct reader *r, uint32_t tick)
{
    uint32_t before = r->done_tick;

    if ((int32_t)(tick - before) <= 0 && before)
        return;
    note_level(r);
    if (r->any && tick / READER_LEVEL_TICKS != before / READER_LEVEL_TICKS) {
        for (uint32_t i = 0; i < r->image_count; i++) {
            flush_cells(r, i);
            if (!r->images[i]->finished && r->images[i]->heap.allocations)
                push_level(r, i, r->images[i]->heap.live_bytes, r->images[i]->peak_bytes, 0);
        }
        push_level(r, READER_ALL, r->live_bytes, r->interval_peak_bytes, r->interval_alloc_bytes);
        r->interval_alloc_bytes = 0;
        r->interval_peak_bytes = r->live_bytes;
    }
    r->done_tick = tick;
}

/* ---- applying events ---- */

static void apply_freed_at_once(struct reader *r, const struct stream *s, const struct event *e)
{
    struct row_cell *cell = cell_of(r, s, e->site);

    heap_count(&s->image->heap, e->site, 1, e->size, true, e->flags & RS_ALLOC_TEMPORARY);
    s->image->heap.by_size[rs_size_class(e->size)]++;
    cell->bytes += (int64_t)e->size;
    cell->count++;
    r->interval_alloc_bytes += e->size;
}

static void apply_event(struct reader *r, const struct stream *s, const struct event *e)
{
    struct heap *heap = &s->image->heap;
    struct heap_change change;
    struct row_cell *cell;

    if (e->is_free) {
        change = heap_free(heap, e->address, e->number, e->flags & RS_FREE_TEMPORARY, s->time, r->peak_mark);
        r->live_bytes -= change.freed_bytes;
    } else if (e->flags & RS_ALLOC_FREED) {
        apply_freed_at_once(r, s, e);
        return;
    } else {
        change = heap_alloc(heap, e->address, e->number, e->site, e->size, s->time, r->peak_mark);
        r->live_bytes += e->size - change.freed_bytes;
        cell = cell_of(r, s, e->site);
        cell->bytes += (int64_t)e->size;
        cell->net_bytes += (int64_t)e->size;
        cell->count++;
        r->interval_alloc_bytes += e->size;
    }
    if (change.freed_site != HEAP_NO_SITE)
        cell_of(r, s, change.freed_site)->net_bytes -= (int64_t)change.freed_bytes;
}

static void apply_batch(struct reader *r, const struct stream *s, const struct event *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        apply_event(r, s, &events[i]);
    r->events += count;
}

static void mark_lossy(const struct stream *s)
{
    struct heap *heap = &s->image->heap;

    if (!heap->lossy || (int32_t)(s->time - heap->lossy_time) > 0)
        heap->lossy_time = s->time;
    heap->lossy = true;
}

/* ---- records ---- */

/* The host's pid of the process that calls itself PID in its own namespace: the last number of its NSpid line. */
static uint32_t host_pid(uint32_t pid, uint64_t pid_ns)
{
    char path[64], text[8192];
    struct dirent *entry;
    struct stat st;
    uint32_t found = 0;
    DIR *proc = proc_view() == PROC_VIEW_OWN ? opendir("/proc") : NULL;

    while (proc && !found && (entry = readdir(proc))) {
        unsigned long host = strtoul(entry->d_name, NULL, 10);
        int innermost;

        snprintf(path, sizeof(path), "/proc/%lu/ns/pid", host);
        if (!host || stat(path, &st) || st.st_ino != pid_ns)
            continue;
        if (!proc_status_innermost_pid(text, proc_read((pid_t)host, "status", text, sizeof(text)), &innermost) &&
            innermost == (int)pid)
            found = (uint32_t)host;
    }
    if (proc)
        closedir(proc);
    return found;
}

static void watch_process(struct reader *r, struct image *image, uint32_t index)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};

    image->pidfd = image->pid ? (int)syscall(SYS_pidfd_open, image->pid, 0) : -1;
    if (image->pidfd < 0) {
        image->ended = image->pid != 0; /* gone already */
        return;
    }
    epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, image->pidfd, &event);
}

/* An image of the same process that was there before has been replaced by exec. */
static void end_predecessors(struct reader *r, const struct image *image)
{
    for (size_t i = 0; i < r->image_count; i++) {
        struct image *other = r->images[i];

        if (other != image && other->pid == image->pid && other->start_ticks == image->start_ticks && !other->ended &&
            other->start_ns < image->start_ns && other->has_shim == image->has_shim && other->id != image->parent_id)
            other->ended = true;
    }
}

static void take_hello(struct reader *r, struct stream *s, const char *bytes, size_t len)
{
    struct image *image = s->image;
    struct rs_record_hello hello;

    if (len < sizeof(hello) || image->greeted)
        return;
    memcpy(&hello, bytes, sizeof(hello));
    if ((uint64_t)hello.exe_bytes + hello.argv_bytes > len - sizeof(hello))
        return;
    image->greeted = true;
    image->has_shim = s->source == RS_SOURCE_SHIM;
    image->has_lib = s->source == RS_SOURCE_LIB;
    image->ns_pid = hello.pid;
    image->ppid = hello.ppid;
    image->pid_ns = hello.pid_ns;
    image->pid = !hello.pid_ns || hello.pid_ns == r->pid_ns ? hello.pid : host_pid(hello.pid, hello.pid_ns);
    image->start_ticks = hello.start_ticks;
    image->parent_id = hello.parent_image;
    image->start_ns = hello.clock_ns < rs_clock_mono_ns() ? hello.clock_ns : rs_clock_mono_ns();
    image->exe = xmemdup0(bytes + sizeof(hello), hello.exe_bytes);
    image->argv = xmemdup0(bytes + sizeof(hello) + hello.exe_bytes, hello.argv_bytes);
    image->argv_bytes = hello.argv_bytes;
    if (image->pid) {
        watch_process(r, image, s->image_index);
        end_predecessors(r, image);
    }
}

static void take_module(struct image *image, const char *bytes, size_t len)
{
    struct rs_record_module record;
    struct image_module *m;

    if (len < sizeof(record))
        return;
    memcpy(&record, bytes, sizeof(record));
    if (!record.module || record.module > READER_MODULES_MAX ||
        (uint64_t)record.build_id_bytes + record.path_bytes > len - sizeof(record) || record.path_bytes > TEXT_MAX)
        return;
    GROW(image->modules, record.module + 1, image->module_cap);
    while (image->module_count <= record.module)
        image->modules[image->module_count++] = (struct image_module){0};
    m = &image->modules[record.module];
    if (m->path)
        return; /* said already */
    m->start = record.start;
    m->end = record.end;
    m->bias = record.bias;
    m->path = xmemdup0(bytes + sizeof(record) + record.build_id_bytes, record.path_bytes);
}

static void take_node(struct reader *r, struct image *image, const char *bytes, size_t len)
{
    struct rs_record_node record;

    if (len < sizeof(record))
        return;
    memcpy(&record, bytes, sizeof(record));
    /* A parent is made before its child: that rules out cycles. */
    if (record.parent >= record.node || !reach_node(r, image, record.node) || image->nodes[record.node].defined)
        return;
    define_node(image, record.node, record.parent, record.module, record.address);
}

/* [start, end) is mapped anew (ADD) or no more. Ranges stay sorted and apart; what is cut in the middle becomes two. */
static void change_outside(struct image *image, uint64_t start, uint64_t end, bool add_range)
{
    struct range *ranges;
    size_t i = 0, k;

    if (end <= start)
        return;
    GROW(image->outside, image->outside_count + 2, image->outside_cap);
    ranges = image->outside;
    while (i < image->outside_count && ranges[i].end <= start)
        i++;
    while (i < image->outside_count && ranges[i].start < end) {
        struct range old = ranges[i];
        uint64_t from = old.start > start ? old.start : start, to = old.end < end ? old.end : end;

        image->outside_bytes -= to - from;
        memmove(&ranges[i], &ranges[i + 1], (image->outside_count - i - 1) * sizeof(*ranges));
        image->outside_count--;
        for (k = 0; k < 2; k++) {
            struct range rest = k ? (struct range){end, old.end} : (struct range){old.start, start};

            if (rest.start >= rest.end || image->outside_count == OUTSIDE_RANGES_MAX)
                continue;
            GROW(image->outside, image->outside_count + 2, image->outside_cap);
            ranges = image->outside;
            memmove(&ranges[i + 1], &ranges[i], (image->outside_count - i) * sizeof(*ranges));
            ranges[i++] = rest;
            image->outside_count++;
        }
    }
    if (!add_range || image->outside_count == OUTSIDE_RANGES_MAX)
        return;
    for (i = 0; i < image->outside_count && ranges[i].start < start; i++)
        ;
    memmove(&ranges[i + 1], &ranges[i], (image->outside_count - i) * sizeof(*ranges));
    ranges[i] = (struct range){start, end};
    image->outside_count++;
    image->outside_bytes += end - start;
    if (image->outside_bytes > image->outside_peak_bytes)
        image->outside_peak_bytes = image->outside_bytes;
}

static void take_outside(struct reader *r, struct image *image, const char *bytes, size_t len)
{
    struct rs_record_outside record;
    uint64_t size, before = image->outside_bytes;

    if (len < sizeof(record))
        return;
    memcpy(&record, bytes, sizeof(record));
    size = record.bytes < 0 ? -(uint64_t)record.bytes : (uint64_t)record.bytes;
    if (size > UINT64_MAX - record.address - 4096)
        return;
    size = (size + 4095) & ~(uint64_t)4095;
    if (record.kind == RS_OUTSIDE_BRK && record.bytes < 0)
        change_outside(image, record.address - size, record.address, false);
    else
        change_outside(image, record.address, record.address + size, record.bytes > 0);
    r->outside_bytes += image->outside_bytes - before;
    if (r->outside_bytes > r->outside_peak_bytes)
        r->outside_peak_bytes = r->outside_bytes;
}

static void take_counts(struct stream *s, const char *bytes, size_t len)
{
    struct rs_record_counts record;
    struct heap *heap = &s->image->heap;

    if (len < sizeof(record))
        return;
    memcpy(&record, bytes, sizeof(record));
    heap->allocations += record.allocations;
    heap->bytes += record.bytes;
    heap->frees += record.frees;
    s->image->dropped_allocations += record.allocations;
    s->image->lost_frees += record.frees;
    if (record.frees)
        mark_lossy(s);
}

static void keep_record(struct reader *r, const struct stream *s, const char *bytes, size_t len)
{
    struct reader_record head = {
        .image = s->image_index, .thread = s->thread_index, .clock_ns = s->clock_ns, .bytes = (uint32_t)len};

    if (r->records_len + sizeof(head) + len > READER_RECORDS_MAX) {
        r->records_dropped++;
        return;
    }
    GROW(r->records, r->records_len + sizeof(head) + len, r->records_cap);
    memcpy(r->records + r->records_len, &head, sizeof(head));
    memcpy(r->records + r->records_len + sizeof(head), bytes, len);
    r->records_len += sizeof(head) + len;
}

static void take_record(struct reader *r, struct stream *s, unsigned kind, const char *bytes, size_t len)
{
    switch (kind) {
    case RS_RECORD_HELLO:
        take_hello(r, s, bytes, len);
        break;
    case RS_RECORD_MODULE:
        take_module(s->image, bytes, len);
        break;
    case RS_RECORD_NODE:
        take_node(r, s->image, bytes, len);
        break;
    case RS_RECORD_COUNTS:
        take_counts(s, bytes, len);
        break;
    case RS_RECORD_OUTSIDE:
        take_outside(r, s->image, bytes, len);
        break;
    case RS_RECORD_THREAD:
    case RS_RECORD_THREAD_END:
        break;
    default:
        if (kind >= RS_RECORD_LIB_FIRST && kind <= RS_RECORD_TIMER_LAST)
            keep_record(r, s, bytes, len);
    }
}

/* A long form of the two packed records. */
static bool take_long_event(struct reader *r, struct stream *s, unsigned kind, const char *bytes, size_t len,
                            struct event *e)
{
    struct rs_record_alloc alloc;
    struct rs_record_free free_;

    if (kind == RS_RECORD_ALLOC && len >= sizeof(alloc)) {
        memcpy(&alloc, bytes, sizeof(alloc));
        *e = (struct event){.address = alloc.address & ((1ull << 62) - 1),
                            .size = alloc.size < 1ull << 40 ? alloc.size : (1ull << 40) - 1,
                            .number = alloc.number,
                            .site = site_of(r, s->image, alloc.node),
                            .flags = alloc.flags};
        return true;
    }
    if (kind == RS_RECORD_FREE && len >= sizeof(free_)) {
        memcpy(&free_, bytes, sizeof(free_));
        *e = (struct event){.address = free_.address & ((1ull << 62) - 1),
                            .number = free_.number,
                            .flags = free_.flags,
                            .is_free = true};
        return true;
    }
    return false;
}

/* A tick of the past or the future is the one that we are in. */
static uint32_t sane_tick(const struct reader *r, uint32_t tick)
{
    if ((int32_t)(tick - r->done_tick) <= 0)
        return r->done_tick + 1;
    return (int32_t)(tick - r->tick) > 0 ? r->tick : tick;
}

static void set_time(struct stream *s, uint32_t tick, uint64_t clock_ns)
{
    if (!clock_ns) {
        /* The tick is CLOCK_MONOTONIC / 10 ms modulo 2^32; the clock of the frame has the upper part. */
        uint64_t base = s->clock_ns / RS_TICK_NS;

        clock_ns = (base + (uint32_t)(tick - (uint32_t)base)) * RS_TICK_NS;
        if ((int32_t)(tick - (uint32_t)base) <= 0)
            clock_ns = s->clock_ns;
    }
    s->clock_ns = clock_ns;
    s->time = (uint32_t)(clock_ns >> HEAP_TIME_SHIFT);
}

/*
 * Decodes records of one frame, LEN bytes, as far as UNTIL_TICK. Returns how many bytes are done. Records that cannot
 * be are skipped with the rest of the frame.
 */
static size_t decode(struct reader *r, struct stream *s, uint64_t *last, const char *bytes, size_t len,
                     uint32_t until_tick)
{
    struct event events[BATCH];
    size_t count = 0, at = 0;
    uint32_t word[3];

    while (at + 4 <= len) {
        size_t size;

        if (count == BATCH) {
            apply_batch(r, s, events, count);
            count = 0;
        }
        memcpy(word, bytes + at, 4);
        switch (word[0] & 3) {
        case RS_WORD_ALLOC:
            size = 12;
            if (at + size > len)
                goto garbage;
            memcpy(word, bytes + at, 12);
            *last += (uint64_t)((int64_t)((int32_t)word[1] >> 8) * 8);
            *last &= (1ull << 62) - 1;
            events[count++] = (struct event){.address = *last,
                                             .size = word[0] >> 4 & RS_PACKED_SIZE_MAX,
                                             .number = word[2],
                                             .site = site_of(r, s->image, word[0] >> 16 | (word[1] & 0xff) << 16),
                                             .flags = word[0]};
            heap_prefetch(&s->image->heap, *last);
            break;
        case RS_WORD_FREE:
            size = 8;
            if (at + size > len)
                goto garbage;
            memcpy(word, bytes + at, 8);
            *last += (uint64_t)((int64_t)((int32_t)word[0] >> 3) * 8);
            *last &= (1ull << 62) - 1;
            events[count++] = (struct event){.address = *last, .number = word[1], .flags = word[0], .is_free = true};
            heap_prefetch(&s->image->heap, *last);
            break;
        case RS_WORD_RECORD:
            size = (size_t)RS_RECORD_WORDS(word[0]) * 4;
            if (!size || at + size > len)
                goto garbage;
            if (take_long_event(r, s, RS_RECORD_KIND(word[0]), bytes + at, size, &events[count])) {
                count++;
                break;
            }
            if (RS_RECORD_KIND(word[0]) == RS_RECORD_TICK && size >= 8) {
                uint32_t tick;

                memcpy(&tick, bytes + at + 4, 4);
                tick = sane_tick(r, tick);
                if ((int32_t)(tick - s->tick) > 0) {
                    apply_batch(r, s, events, count);
                    count = 0;
                    s->tick = tick;
                    if ((int32_t)(tick - until_tick) > 0)
                        return at;
                    set_time(s, tick, 0);
                }
                break;
            }
            take_record(r, s, RS_RECORD_KIND(word[0]), bytes + at, size);
            break;
        default:
            goto garbage;
        }
        at += size;
    }
    apply_batch(r, s, events, count);
    return at;
garbage:
    apply_batch(r, s, events, count);
    r->garbage_records++;
    return len;
}

static bool frame_is_sane(const struct rs_frame_header *h)
{
    return h->magic == RS_FRAME_MAGIC && h->version == RS_WIRE_VERSION && h->image && h->source >= RS_SOURCE_SHIM &&
           h->source <= RS_SOURCE_TIMER;
}

static void begin_frame(struct reader *r, struct stream *s, const struct rs_frame_header *h)
{
    uint64_t now = rs_clock_mono_ns();

    s->seq = h->seq;
    s->tick = sane_tick(r, h->tick);
    set_time(s, 0, h->clock_ns && h->clock_ns <= now ? h->clock_ns : now);
    if (h->lost != s->lost) {
        s->lost = h->lost;
        mark_lossy(s);
    }
    r->frames++;
    r->any = true;
}

void reader_frame(struct reader *r, const void *frame, size_t bytes)
{
    struct rs_frame_header h;
    struct stream *s;
    uint64_t last;

    if (bytes < sizeof(h) || bytes > RS_FRAME_BYTES) {
        r->garbage_frames++;
        return;
    }
    memcpy(&h, frame, sizeof(h));
    s = frame_is_sane(&h) && h.written == bytes ? find_stream(r, &h) : NULL;
    if (!s || s->image->finished) {
        r->garbage_frames++;
        return;
    }
    if (h.thread && (int32_t)(h.seq - s->seq) <= 0 && s->seq)
        return; /* had it already */
    s->image->heap.late |= h.thread != 0;
    begin_frame(r, s, &h);
    s->tick = r->tick;
    last = h.base;
    decode(r, s, &last, (const char *)frame + sizeof(h), bytes - sizeof(h), r->tick);
}

/* ---- the FIFO ---- */

static size_t resync(const char *bytes, size_t len)
{
    const uint32_t magic = RS_FRAME_MAGIC;
    size_t at = 1;

    while (at + 4 <= len && memcmp(bytes + at, &magic, 4))
        at++;
    return at + 4 <= len ? at : len > 3 ? len - 3 : len;
}

/* Frames are written in one piece, but a read may end anywhere. */
static void read_fifo(struct reader *r)
{
    for (int rounds = 0; rounds < 64; rounds++) {
        ssize_t n = read(r->slab->fifo_fd, r->fifo_buf + r->fifo_len, sizeof(r->fifo_buf) - r->fifo_len);
        size_t at = 0;

        if (n <= 0)
            return;
        r->fifo_len += (size_t)n;
        while (r->fifo_len - at >= sizeof(struct rs_frame_header)) {
            struct rs_frame_header h;

            memcpy(&h, r->fifo_buf + at, sizeof(h));
            if (!frame_is_sane(&h) || h.written < sizeof(h) || h.written > RS_FRAME_BYTES) {
                r->garbage_frames++;
                at += resync(r->fifo_buf + at, r->fifo_len - at);
                continue;
            }
            if (h.written > r->fifo_len - at)
                break;
            reader_frame(r, r->fifo_buf + at, h.written);
            at += h.written;
        }
        memmove(r->fifo_buf, r->fifo_buf + at, r->fifo_len - at);
        r->fifo_len -= at;
    }
}

/* ---- the slab ---- */

static uint64_t take_difference(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

static void read_counts(struct reader *r, struct page_state *p, const struct rs_counts_page *page)
{
    struct rs_counts_page now, *before = p->counts;
    struct stream *s = p->stream;
    struct image *image = s->image;
    uint64_t lost;

    memcpy(&now, page, sizeof(now));
    for (uint32_t i = 0; i < RS_COUNTS_ENTRIES; i++) {
        uint64_t temporary = take_difference(now.entry[i].temporary, before->entry[i].temporary);
        uint64_t dropped = take_difference(now.entry[i].dropped, before->entry[i].dropped);
        uint64_t bytes = take_difference(now.entry[i].bytes, before->entry[i].bytes);
        struct row_cell *cell;
        uint32_t site;

        if (!temporary && !dropped && !bytes)
            continue;
        site = site_of(r, image, now.entry[i].node);
        heap_count(&image->heap, site, temporary, bytes, true, true);
        heap_count(&image->heap, site, dropped, 0, false, false);
        image->dropped_allocations += dropped;
        cell = cell_of(r, s, site);
        cell->bytes += (int64_t)bytes;
        cell->count += (int64_t)(temporary + dropped);
        r->interval_alloc_bytes += bytes;
        r->events += temporary;
    }
    for (unsigned i = 0; i < RS_SIZE_CLASSES; i++)
        image->heap.by_size[i] += take_difference(now.by_size[i], before->by_size[i]);
    lost = take_difference(now.lost_frees, before->lost_frees) + take_difference(now.skipped, before->skipped);
    if (lost) {
        s->clock_ns = rs_clock_mono_ns();
        s->time = (uint32_t)(s->clock_ns >> HEAP_TIME_SHIFT);
        mark_lossy(s);
    }
    image->heap.frees += take_difference(now.lost_frees, before->lost_frees);
    image->lost_frees += take_difference(now.lost_frees, before->lost_frees);
    image->skipped += take_difference(now.skipped, before->skipped);
    image->no_stack += take_difference(now.no_stack, before->no_stack);
    image->truncated += take_difference(now.truncated, before->truncated);
    *before = now;
}

/* First look at a page that a writer has taken. False while its header is not there yet. */
static bool begin_page(struct reader *r, struct page_state *p, uint32_t page)
{
    const struct rs_frame_header *shared = slab_page(r->slab, page);
    uint32_t magic = __atomic_load_n(&shared->magic, __ATOMIC_ACQUIRE);
    struct rs_frame_header h;

    if (magic == RS_COUNTS_MAGIC) {
        struct rs_counts_page counts;

        memcpy(&counts, shared, sizeof(counts));
        h = (struct rs_frame_header){.magic = RS_FRAME_MAGIC,
                                     .version = counts.version,
                                     .source = RS_SOURCE_SHIM,
                                     .image = counts.image,
                                     .thread = counts.thread,
                                     .tid = counts.tid};
    } else {
        memcpy(&h, shared, sizeof(h));
    }
    if (magic == 0)
        return false;
    if (!frame_is_sane(&h) || !(p->stream = find_stream(r, &h)) || p->stream->image->finished) {
        p->kind = PAGE_NONE;
        p->begun = true;
        r->garbage_frames++;
        return true;
    }
    p->begun = true;
    p->kind = magic == RS_COUNTS_MAGIC ? PAGE_COUNTS : PAGE_FRAME;
    p->consumed = sizeof(h);
    p->seq = h.seq;
    if (p->kind == PAGE_COUNTS)
        p->counts = xcalloc(1, sizeof(*p->counts));
    return true;
}

/*
 * How much of the page may be read now. Records behind `closed` may still get their "freed" bit, or be taken back, by
 * hooks that run in the tick they were written in. They are final when the clock is two ticks past that one and no hook
 * is running: the owner's next hook will see the new tick, and move `closed` before anything else. That it has not done
 * so while we looked is what the second look at `closed` is for.
 */
static uint32_t readable(const struct reader *r, const struct page_state *p, const struct rs_frame_header *h, bool all)
{
    uint32_t closed = atomic_load_explicit(&h->closed, memory_order_acquire);
    uint32_t tick = p->seq == p->stream->seq ? p->stream->tick : h->tick, written;

    if (all || p->stream->image->draining) {
        closed = atomic_load_explicit(&h->written, memory_order_acquire);
    } else if (closed == p->consumed && (int32_t)(r->tick - tick) >= IDLE_TICKS &&
               !atomic_load_explicit(&h->busy, memory_order_acquire)) {
        written = atomic_load_explicit(&h->written, memory_order_acquire);
        if (atomic_load_explicit(&h->closed, memory_order_acquire) == closed)
            closed = written;
    }
    return closed > RS_FRAME_BYTES ? RS_FRAME_BYTES : closed & ~3u;
}

static void finish_page(struct reader *r, uint32_t page)
{
    struct page_state *p = &r->page_states[page];

    free(p->counts);
    *p = (struct page_state){0};
    slab_free_page(r->slab, page);
}

/* Reads of PAGE what belongs to ticks up to TICK. True when all of it that was readable is done. */
static bool read_page(struct reader *r, uint32_t page, uint32_t tick)
{
    struct page_state *p = &r->page_states[page];
    const struct rs_frame_header *shared = slab_page(r->slab, page);
    struct stream *s = p->stream;
    char copy[RS_FRAME_BYTES];
    size_t len = p->limit - p->consumed;

    if (p->seq != s->seq) {
        struct rs_frame_header h;

        memcpy(&h, shared, sizeof(h));
        begin_frame(r, s, &h);
        s->seq = p->seq;
    }
    if (!p->last) /* set with the first packed record, which may come late */
        p->last = shared->base;
    if ((int32_t)(s->tick - tick) > 0)
        return false;
    memcpy(copy, (const char *)shared + p->consumed, len);
    p->consumed += (uint32_t)decode(r, s, &p->last, copy, len, tick);
    return p->consumed >= p->limit;
}

/* A page that its owner is done with, and so are we, is free for the next. */
static void finish_if_read(struct reader *r, uint32_t page)
{
    if (r->page_states[page].consumed >= readable(r, &r->page_states[page], slab_page(r->slab, page), true))
        finish_page(r, page);
}

static struct reader *sorting; /* qsort has no context; one reader thread sorts */

static int by_stream_and_seq(const void *a, const void *b)
{
    const struct page_state *x = &sorting->page_states[*(const uint32_t *)a];
    const struct page_state *y = &sorting->page_states[*(const uint32_t *)b];

    if (x->stream != y->stream)
        return x->stream < y->stream ? -1 : 1;
    return (int32_t)(x->seq - y->seq) < 0 ? -1 : x->seq != y->seq;
}

/*
 * Applies PENDING pages tick by tick. A stream's pages are read in order; the first that has to wait holds up the rest
 * of its stream.
 */
static void read_in_order(struct reader *r, uint32_t count)
{
    while (count) {
        uint32_t tick = r->tick, left = 0;
        struct stream *held = NULL;

        for (uint32_t i = 0; i < count; i++) {
            const struct page_state *p = &r->page_states[r->pending[i]];

            if (i == 0 || p->stream != r->page_states[r->pending[i - 1]].stream)
                if ((int32_t)(p->stream->tick - tick) < 0)
                    tick = p->stream->tick;
        }
        if ((int32_t)(tick - r->done_tick) <= 0)
            tick = r->done_tick + 1;
        if ((int32_t)(tick - r->tick) > 0)
            tick = r->tick;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t page = r->pending[i];
            struct stream *s = r->page_states[page].stream;

            if (s == held || !read_page(r, page, tick)) {
                held = s;
                r->pending[left++] = page;
            } else if (atomic_load_explicit(&r->slab->states[page], memory_order_relaxed) == RS_PAGE_FULL) {
                finish_if_read(r, page);
            }
            if (i % GROW_EVERY == GROW_EVERY - 1)
                slab_grow(r->slab, r->frames > BUSY_FRAMES);
        }
        if (left == count && tick == r->tick)
            return; /* nothing moved: a stream that lies about its ticks */
        if (left)
            close_tick(r, tick);
        count = left;
    }
}

static void read_slab(struct reader *r, bool final, bool look_at_counts)
{
    struct slab *slab = r->slab;
    uint32_t highest = atomic_load_explicit(&slab->header->highest, memory_order_relaxed), count = 0;

    if (highest > slab->page_count)
        highest = slab->page_count;
    /* Before the slab is full and the first event goes another way. */
    for (uint32_t i = 0; highest > slab->page_count / 2 && i < r->image_count; i++)
        r->images[i]->heap.late = true;
    for (uint32_t i = 0; i < highest; i++) {
        uint32_t state = atomic_load_explicit(&slab->states[i], memory_order_acquire);
        struct page_state *p = &r->page_states[i];

        if (state == RS_PAGE_FREE || state == RS_PAGE_UNBACKED || (!p->begun && !begin_page(r, p, i)))
            continue;
        if (p->kind == PAGE_FRAME) {
            p->limit = readable(r, p, slab_page(slab, i), final || state == RS_PAGE_FULL);
            if (p->limit > p->consumed)
                r->pending[count++] = i;
        }
    }
    sorting = r;
    qsort(r->pending, count, sizeof(*r->pending), by_stream_and_seq);
    read_in_order(r, count);
    for (uint32_t i = 0; i < highest; i++) {
        struct page_state *p = &r->page_states[i];
        uint32_t state;
        bool over;

        if (!p->begun)
            continue;
        state = atomic_load_explicit(&slab->states[i], memory_order_acquire);
        over = p->kind == PAGE_NONE || state == RS_PAGE_FULL || final || p->stream->image->draining;
        if (p->kind == PAGE_COUNTS && (over || look_at_counts))
            read_counts(r, p, (const struct rs_counts_page *)slab_page(slab, i));
        if (over && p->kind != PAGE_FRAME)
            finish_page(r, i);
        else if (over)
            finish_if_read(r, i);
    }
}

/* ---- ends ---- */

struct leak_walk {
    struct leak_site *sites;
};

static void add_leak(void *ctx, uint64_t address, uint64_t size, uint32_t site, uint32_t time, bool certain)
{
    struct leak_site *leak = &((struct leak_walk *)ctx)->sites[site];

    (void)address;
    if (!certain) {
        leak->uncertain_count++;
        return;
    }
    if (!leak->count || (int32_t)(time - leak->first_time) < 0)
        leak->first_time = time;
    if (!leak->count || (int32_t)(time - leak->last_time) > 0)
        leak->last_time = time;
    leak->bytes += size;
    leak->count++;
}

/* The process image is over and everything it sent is read: what lives is leaked, and its memory is gone. */
static void finish_image(struct reader *r, uint32_t index)
{
    struct image *image = r->images[index];
    struct heap *heap = &image->heap;
    struct leak_walk walk;

    walk.sites = image->leaks = xcalloc(heap->site_count + 1, sizeof(*image->leaks));
    heap_foreach(heap, add_leak, &walk);
    flush_cells(r, index);
    for (size_t i = 0; i < heap->site_count; i++)
        if (heap->sites[i].peak_mark != r->peak_mark) {
            heap->sites[i].peak_mark = r->peak_mark;
            heap->sites[i].peak_bytes = heap->sites[i].live_bytes;
        }
    r->live_bytes -= heap->live_bytes;
    r->outside_bytes -= image->outside_bytes;
    heap_forget_blocks(heap);
    image->end_ns = rs_clock_mono_ns();
    image->finished = true;
    if (image->pidfd >= 0)
        close(image->pidfd);
    image->pidfd = -1;
}

static void finish_ended(struct reader *r)
{
    for (uint32_t i = 0; i < r->image_count; i++)
        if (r->images[i]->draining && !r->images[i]->finished) {
            note_level(r);
            finish_image(r, i);
        }
}

void reader_wait(struct reader *r, int timeout_ms)
{
    struct epoll_event events[64];
    int n = epoll_wait(r->epoll_fd, events, 64, timeout_ms);

    for (int i = 0; i < n; i++) {
        struct image *image = r->images[events[i].data.u32];

        image->ended = true;
        epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, image->pidfd, NULL);
    }
}

/* After a pause that writers took for our end: what they freed meanwhile may still be in the tables. */
static void note_blindness(struct reader *r, uint32_t tick_before, uint64_t now_ns)
{
    uint32_t away = r->tick - tick_before;

    if (!tick_before || !r->slab->header || away <= RS_DEAD_TICKS)
        return;
    r->blind_ticks += away - RS_DEAD_TICKS;
    r->blind_time = (uint32_t)(now_ns >> HEAP_TIME_SHIFT);
    for (size_t i = 0; i < r->image_count; i++) {
        r->images[i]->heap.lossy = true;
        r->images[i]->heap.lossy_time = r->blind_time;
    }
}

uint64_t reader_pass(struct reader *r, uint64_t now_ns, bool final)
{
    uint64_t before = r->events + r->frames;
    uint32_t tick_before = r->tick;
    bool any_ended = final;

    r->tick = slab_publish_tick(r->slab, now_ns);
    note_blindness(r, tick_before, now_ns);
    if (!r->done_tick)
        r->done_tick = r->tick - 1;
    for (size_t i = 0; i < r->image_count; i++) {
        r->images[i]->draining = r->images[i]->ended;
        any_ended |= r->images[i]->ended && !r->images[i]->finished;
    }
    read_fifo(r);
    if (r->slab->header) {
        read_slab(r, final, r->tick / READER_LEVEL_TICKS != r->done_tick / READER_LEVEL_TICKS);
        slab_grow(r->slab, r->frames > BUSY_FRAMES);
    }
    close_tick(r, r->tick - 1);
    if (any_ended)
        finish_ended(r);
    return r->events + r->frames - before;
}

void reader_restart(struct reader *r)
{
    for (uint32_t i = 0; i < r->image_count; i++) {
        flush_cells(r, i);
        heap_restart(&r->images[i]->heap);
        r->images[i]->peak_bytes = r->images[i]->heap.live_bytes;
        r->images[i]->outside_peak_bytes = r->images[i]->outside_bytes;
        r->images[i]->dropped_allocations = r->images[i]->lost_frees = 0;
    }
    r->row_count = r->level_count = r->records_len = 0;
    r->peak_bytes = r->interval_alloc_bytes = 0;
    r->interval_peak_bytes = r->live_bytes;
    r->outside_peak_bytes = r->outside_bytes;
    r->peak_mark++;
    r->events = 0;
}

void reader_finish(struct reader *r, uint64_t now_ns)
{
    (void)now_ns;
    note_level(r);
    for (uint32_t i = 0; i < r->image_count; i++)
        if (!r->images[i]->finished)
            finish_image(r, i);
    r->done_tick++;
    push_level(r, READER_ALL, 0, r->interval_peak_bytes, r->interval_alloc_bytes);
    r->interval_alloc_bytes = 0;
}
