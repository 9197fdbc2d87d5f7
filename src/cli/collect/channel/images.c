/* SPDX-License-Identifier: MIT */
#include "collect/channel/images.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/proc_parse.h"
#include "base/proc_view.h"
#include "collect/channel/reader.h"
#include "core/clock.h"
#include "core/stack.h"

enum {
    NODE_AHEAD_MAX = 1 << 16, /* how far ids may run ahead of what has been seen */
    TEXT_MAX = 4096,
};

/* ---- images ---- */

static void release_tables(struct reader *r, struct image *image)
{
    for (size_t i = 0; i < image->module_count; i++)
        free(image->modules[i].path);
    heap_release(&image->heap);
    free(image->nodes);
    free(image->modules);
    free(image->threads);
    free(image->leaks);
    free(image->outside);
    free(image->cells);
    free(image->dirty);
    r->nodes_total -= image->node_count;
}

void image_release(struct reader *r, struct image *image)
{
    exits_forget(r->exits, image->exit_handle);
    release_tables(r, image);
    free(image->exe);
    free(image->argv);
    free(image);
}

uint64_t image_shim_bytes(const struct image *image)
{
    return image->settled ? image->shim_bytes : (uint64_t)image->node_count * RS_NODE_BYTES_MOST;
}

void image_settle(struct reader *r, struct image *image)
{
    uint64_t allocations = image->heap.allocations;

    image->shim_bytes = image_shim_bytes(image);

    release_tables(r, image);
    image->heap.allocations = allocations;
    image->nodes = NULL;
    image->modules = NULL;
    image->threads = NULL;
    image->leaks = NULL;
    image->outside = NULL;
    image->cells = NULL;
    image->dirty = NULL;
    image->node_count = image->node_cap = image->module_count = image->module_cap = 0;
    image->thread_count = image->thread_cap = image->outside_count = image->outside_cap = image->dirty_count = 0;
    image->settled = true;
}

static void image_define_node(struct image *image, uint32_t node, uint32_t parent, uint32_t module, uint64_t address)
{
    image->nodes[node].parent = parent;
    image->nodes[node].module = module;
    image->nodes[node].address = address;
    image->nodes[node].defined = true;
}

bool image_reach_node(struct reader *r, struct image *image, uint32_t node)
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

/* Where the image of ID stands in the slots, or would stand. */
static size_t image_slot(const struct reader *r, uint64_t id)
{
    size_t i = (size_t)(id * 0x9e3779b97f4a7c15u >> 24) & (r->image_slot_count - 1);

    while (r->image_slots[i] && r->images[r->image_slots[i] - 1]->id != id)
        i = (i + 1) & (r->image_slot_count - 1);
    return i;
}

static void grow_image_slots(struct reader *r)
{
    r->image_slot_count = r->image_slot_count ? r->image_slot_count * 2 : 256;
    free(r->image_slots);
    r->image_slots = xcalloc(r->image_slot_count, sizeof(*r->image_slots));
    for (size_t i = 0; i < r->image_count; i++)
        r->image_slots[image_slot(r, r->images[i]->id)] = (uint32_t)i + 1;
}

static struct image *image_find(struct reader *r, uint64_t id, uint32_t *index)
{
    struct image *image;
    size_t slot;

    if (r->image_count * 2 >= r->image_slot_count)
        grow_image_slots(r);
    slot = image_slot(r, id);
    if (r->image_slots[slot]) {
        *index = r->image_slots[slot] - 1;
        return r->images[*index];
    }
    /* Each image has a root node; without room for that there is none for the image. */
    if (r->image_count == READER_IMAGES_MAX || r->nodes_total == READER_NODES_MAX) {
        r->images_refused++;
        return NULL;
    }
    image = xcalloc(1, sizeof(*image));
    image->id = id;
    image->exit_handle = -1;
    image->process = -1;
    image->start_ns = rs_clock_mono_ns();
    /* It may have begun while we were away, and we only read of it now. */
    image->heap.lossy = r->blind_ticks != 0;
    image->heap.lossy_time = r->blind_time;
    image_reach_node(r, image, 0);
    image_define_node(image, 0, 0, 0, 0);
    GROW(r->images, r->image_count + 1, r->image_cap);
    GROW(r->open, r->open_count + 1, r->open_cap);
    *index = (uint32_t)r->image_count;
    r->image_slots[slot] = *index + 1;
    r->open[r->open_count++] = *index;
    r->images[r->image_count++] = image;
    return image;
}

/* ---- threads and streams ---- */

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

struct stream *image_stream(struct reader *r, const struct rs_frame_header *frame)
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
            return s->image->settled ? NULL : s;
    }
    if (r->stream_count == READER_THREADS_MAX)
        return NULL;
    s = xcalloc(1, sizeof(*s));
    s->image = image_find(r, frame->image, &s->image_index);
    if (!s->image || s->image->settled) {
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

void image_mark_lossy(const struct stream *s)
{
    struct heap *heap = &s->image->heap;

    if (!heap->lossy || (int32_t)(s->time - heap->lossy_time) > 0)
        heap->lossy_time = s->time;
    heap->lossy = true;
}

/* ---- sites ---- */

uint32_t image_add_site(struct reader *r, struct image *image, uint32_t node)
{
    if (!image_reach_node(r, image, node))
        node = 0;
    if (image->nodes[node].site == HEAP_NO_SITE) {
        image->nodes[node].site = heap_add_site(&image->heap, node);
        if (image->nodes[node].site == HEAP_NO_SITE)
            return image_add_site(r, image, 0);
    }
    return image->nodes[node].site;
}

/* ---- what an image says of itself ---- */

/* The host's pid of the process that calls itself PID in its own namespace: the last number of its NSpid line. */
static uint32_t host_pid(uint32_t pid, uint64_t pid_ns)
{
    char path[64], text[8192];
    struct dirent *entry;
    struct stat st;
    uint32_t found = 0;
    DIR *proc = proc_view() == PROC_VIEW_OWN ? opendir(proc_path(path, sizeof(path), ".")) : NULL;

    while (proc && !found && (entry = readdir(proc))) {
        unsigned long host = strtoul(entry->d_name, NULL, 10);
        int innermost;

        if (!host || stat(proc_path(path, sizeof(path), "%lu/ns/pid", host), &st) || st.st_ino != pid_ns)
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
    if (!image->pid)
        return;
    image->exit_handle = exits_watch(r->exits, (pid_t)image->pid, index);
    image->ended |= image->exit_handle < 0; /* gone already */
}

/* An image of the same process that was there before has been replaced by exec. */
static void end_predecessors(struct reader *r, const struct image *image)
{
    for (size_t i = 0; i < r->open_count; i++) {
        struct image *other = r->images[r->open[i]];

        if (other != image && other->pid == image->pid && other->start_ticks == image->start_ticks && !other->ended &&
            other->start_ns < image->start_ns && other->has_shim == image->has_shim && other->id != image->parent_id)
            other->ended = true;
    }
}

void image_take_hello(struct reader *r, struct stream *s, const char *bytes, size_t len)
{
    struct image *image = s->image;
    struct rs_wire_hello hello;

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

void image_take_module(struct image *image, const char *bytes, size_t len)
{
    struct rs_wire_module record;
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

void image_take_node(struct reader *r, struct image *image, const char *bytes, size_t len)
{
    struct rs_wire_node record;

    if (len < sizeof(record))
        return;
    memcpy(&record, bytes, sizeof(record));
    /* A parent is made before its child: that rules out cycles. */
    if (record.parent >= record.node || !image_reach_node(r, image, record.node) || image->nodes[record.node].defined)
        return;
    image_define_node(image, record.node, record.parent, record.module, record.address);
}
