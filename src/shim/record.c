/* SPDX-License-Identifier: MIT */
#include "shim/record.h"

#include <pthread.h>
#include <rustscope.h>
#include <stdatomic.h>
#include <string.h>

#include "core/clock.h"
#include "core/stack.h"
#include "core/syscall_linux.h"
#include "shim/notes.h"

enum {
    RECENT_SLOTS = 1024,
    ALLOC_BYTES = 12, /* of a packed record */
    FREE_BYTES = 8,
    FIFO_TICK_EVENTS = 64, /* without a shared tick the clock is read every so many events */
    FLUSH_TICKS = 25,      /* listen mode: a frame is written at least every 250 ms of activity */
};

/* The state of this process image. In memory that a forked child finds zeroed, which is its first state. */
struct rs_image {
    struct rs_nodes nodes;
    _Atomic uint32_t attached; /* threads, ever */
    _Atomic uint32_t blocks_lock;
    struct rs_thread *free_blocks;
    _Alignas(64) _Atomic uint32_t sequence[RS_SEQUENCE_COUNTERS];
};

struct rs_thread {
    uint32_t ready;      /* 0 also in a forked child */
    bool is_shared;      /* the image has, or had, another thread */
    uint64_t busy_sp;    /* of the hook's caller, while a hook runs */
    uint32_t tick;       /* of the window */
    uint32_t window;     /* records from this offset of the frame on may still change */
    uint32_t frame_seq;  /* frame for which `last` counts */
    uint64_t last;       /* address that the next packed record counts from */
    uint64_t last_block; /* of the latest allocation */
    uint64_t told;       /* bad stacks that the counts page knows of */
    uint32_t fifo_events, frame_tick;
    uint32_t unsent_allocations, unsent_frees; /* FIFO mode: what found no room */
    uint64_t unsent_bytes;
    struct rs_stream stream;
    struct rs_counts_page *counts; /* in the slab, or no_counts */
    struct rs_image *image;
    struct rs_thread *next_free;
    uint64_t recent[RECENT_SLOTS];
    struct rs_counts_page no_counts;
    struct rs_stack stack;
};

static __thread struct rs_thread *self __attribute__((tls_model("initial-exec")));
__thread uint32_t rs_nested __attribute__((tls_model("initial-exec")));
static __thread uint32_t attaching __attribute__((tls_model("initial-exec")));
/* What this thread has allocated, for librustscope's scopes; two additions a block. */
static __thread struct rustscope_allocations allocated __attribute__((tls_model("initial-exec")));

static _Atomic(struct rs_image *) image_memory;
static pthread_key_t exit_key;
static _Atomic uint32_t exit_key_state; /* 0, 1 being made, 2 there */

/* ---- threads ---- */

static struct rs_image *get_image(void)
{
    struct rs_image *image = atomic_load_explicit(&image_memory, memory_order_acquire), *none = NULL;

    if (image)
        return image;
    image = rs_channel_memory(sizeof(*image));
    if (image && !atomic_compare_exchange_strong(&image_memory, &none, image)) {
        rs_channel_memory_release(image, sizeof(*image));
        image = none;
    }
    return image;
}

struct rs_nodes *rs_record_nodes(void)
{
    struct rs_image *image = get_image();

    return image ? &image->nodes : NULL;
}

/* Never blocks: whoever does not get the list maps, or keeps, a block more. */
static bool lock_blocks(struct rs_image *image)
{
    uint32_t open = 0;

    return atomic_compare_exchange_strong(&image->blocks_lock, &open, 1);
}

static struct rs_thread *take_block(struct rs_image *image)
{
    struct rs_thread *t = NULL;

    if (lock_blocks(image)) {
        t = image->free_blocks;
        if (t)
            image->free_blocks = t->next_free;
        atomic_store(&image->blocks_lock, 0);
    }
    return t ? t : rs_channel_memory(sizeof(struct rs_thread));
}

static void give_block(struct rs_image *image, struct rs_thread *t)
{
    if (!lock_blocks(image))
        return;
    t->next_free = image->free_blocks;
    image->free_blocks = t;
    atomic_store(&image->blocks_lock, 0);
}

static void publish_counters(struct rs_thread *t)
{
    atomic_store_explicit(&t->counts->no_stack, t->stack.no_stack, memory_order_relaxed);
    atomic_store_explicit(&t->counts->truncated, t->stack.truncated, memory_order_relaxed);
    t->told = t->stack.no_stack + t->stack.truncated;
}

/*
 * Runs among the thread's key destructors. Later destructors may allocate; they attach anew, and this runs again, as
 * often as libc goes round (4 times). What attaches after that keeps its block and pages till the process ends.
 */
static void thread_exit(void *block)
{
    struct rs_thread *t = block;
    struct rs_image *image = t->image;
    struct rs_channel *ch = t->stream.channel;
    uint32_t *word;

    if (t != self || !t->ready)
        return;
    attaching++;
    word = rs_stream_reserve(&t->stream, sizeof(*word), true);
    if (word) {
        *word = RS_RECORD(RS_RECORD_THREAD_END, sizeof(*word));
        rs_stream_commit(&t->stream);
    }
    publish_counters(t);
    rs_stream_close(&t->stream);
    if (t->counts != &t->no_counts)
        rs_channel_give_page(ch, t->counts);
    rs_stack_release(&t->stack);
    self = NULL;
    memset(t, 0, sizeof(*t));
    give_block(image, t);
    attaching--;
}

static void call_at_exit(struct rs_thread *t)
{
    uint32_t none = 0;

    if (atomic_compare_exchange_strong(&exit_key_state, &none, 1))
        atomic_store(&exit_key_state, pthread_key_create(&exit_key, thread_exit) ? 1 : 2);
    if (atomic_load(&exit_key_state) == 2)
        pthread_setspecific(exit_key, t);
}

bool rs_record_node(struct rs_stream *s, uint32_t node, uint32_t parent, uint32_t module, uint64_t address)
{
    struct rs_wire_node *r = rs_stream_reserve(s, sizeof(*r), true);

    if (!r)
        return false;
    *r = (struct rs_wire_node){.word = RS_RECORD(RS_RECORD_NODE, sizeof(*r)),
                               .node = node,
                               .parent = parent,
                               .module = module,
                               .address = address};
    return true;
}

bool rs_record_module(struct rs_stream *s, const struct rs_stack_module *module, const char *path)
{
    size_t path_bytes = path ? strnlen(path, 2048) : 0;
    struct rs_wire_module *r = rs_stream_reserve(s, (uint32_t)(sizeof(*r) + path_bytes), true);

    if (!r)
        return false;
    *r = (struct rs_wire_module){.word = RS_RECORD(RS_RECORD_MODULE, sizeof(*r) + path_bytes),
                                 .module = module->id,
                                 .start = module->start,
                                 .end = module->end,
                                 .bias = module->bias,
                                 .path_bytes = (uint32_t)path_bytes};
    if (path_bytes)
        memcpy(r + 1, path, path_bytes);
    return true;
}

static bool send_node(void *ctx, uint32_t node, uint32_t parent, uint32_t module, uint64_t address)
{
    struct rs_thread *t = ctx;

    if (!rs_record_node(&t->stream, node, parent, module, address))
        return false;
    rs_stream_publish(&t->stream);
    return true;
}

static bool send_module(void *ctx, const struct rs_stack_module *module, const char *path)
{
    struct rs_thread *t = ctx;

    if (!rs_record_module(&t->stream, module, path))
        return false;
    rs_stream_publish(&t->stream);
    return true;
}

static void take_counts_page(struct rs_thread *t, struct rs_channel *ch)
{
    struct rs_counts_page *page = rs_channel_take_page(ch);

    t->counts = page ? page : &t->no_counts;
    t->counts->version = RS_WIRE_VERSION;
    t->counts->image = ch->image;
    t->counts->thread = t->stream.thread;
    t->counts->tid = t->stream.tid;
    __atomic_store_n(&t->counts->magic, RS_COUNTS_MAGIC, __ATOMIC_RELEASE);
}

static struct rs_thread *attach(void)
{
    struct rs_image *image = get_image();
    struct rs_channel *ch;
    struct rs_thread *t = self;
    uint32_t tid;
    bool is_main;

    if (attaching || !image)
        return NULL;
    attaching++;
    ch = rs_channel_get(RS_SOURCE_SHIM);
    if (!ch || !(ch->flags & RS_SLAB_ALLOC))
        goto out;
    if (!t)
        t = take_block(image);
    if (!t)
        goto out;
    tid = (uint32_t)rs_syscall3(SYS_gettid, 0, 0, 0);
    is_main = tid == (uint32_t)rs_syscall3(SYS_getpid, 0, 0, 0);
    t->image = image;
    t->is_shared = atomic_fetch_add(&image->attached, 1) > 0;
    rs_stream_open(&t->stream, ch, RS_SOURCE_SHIM, rs_channel_new_thread(ch), tid);
    take_counts_page(t, ch);
    rs_stack_init(&t->stack, &image->nodes, &(struct rs_stack_sink){send_node, send_module, t}, is_main);
    t->window = t->stream.at;
    t->ready = 1;
    self = t;
    call_at_exit(t);
out:
    attaching--;
    return t && t->ready ? t : NULL;
}

/* ---- entering and leaving a hook ---- */

static void set_busy(struct rs_thread *t, uint32_t busy)
{
    atomic_store_explicit(&t->stream.frame->busy, busy, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

/*
 * The frame's records become final: the CLI may be reading them. In a new tick, so that what is alive when a tick ends
 * is known to be, and in a new frame.
 */
static void close_window(struct rs_thread *t)
{
    struct rs_stream *s = &t->stream;

    atomic_store_explicit(&s->frame->written, s->at, memory_order_release);
    atomic_store_explicit(&s->frame->closed, s->at, memory_order_release);
    t->window = s->at;
}

static void send_unsent(struct rs_thread *t)
{
    struct rs_wire_counts *r = rs_stream_reserve(&t->stream, sizeof(*r), true);

    if (!r)
        return;
    *r = (struct rs_wire_counts){.word = RS_RECORD(RS_RECORD_COUNTS, sizeof(*r)),
                                 .allocations = t->unsent_allocations,
                                 .bytes = t->unsent_bytes,
                                 .frees = t->unsent_frees};
    t->unsent_allocations = t->unsent_frees = 0;
    t->unsent_bytes = 0;
    rs_stream_publish(&t->stream);
}

static __attribute__((noinline)) void new_tick(struct rs_thread *t)
{
    struct rs_stream *s = &t->stream;

    if (!s->channel->slab && s->tick - t->frame_tick > FLUSH_TICKS) {
        rs_stream_flush(s);
        t->frame_tick = s->tick;
    }
    if (t->unsent_allocations | t->unsent_frees)
        send_unsent(t);
    if (s->limit)
        rs_stream_reserve(s, 0, false); /* of nothing: writes the tick */
    t->tick = s->tick;
    close_window(t);
}

/*
 * A hook that was left by longjmp out of a signal handler never came back. It is gone when the stack is shallower than
 * it was in there.
 */
static bool abandoned(struct rs_thread *t, uint64_t sp)
{
    if (sp < t->busy_sp)
        return false;
    t->stream.at = atomic_load_explicit(&t->stream.frame->written, memory_order_relaxed);
    rs_stack_reset(&t->stack);
    return true;
}

/* This thread's block, busy; NULL: do nothing. */
static inline struct rs_thread *enter(uint64_t sp)
{
    struct rs_thread *t = self;

    if (__builtin_expect(rs_nested, 0))
        return NULL;
    if (__builtin_expect(!t || !t->ready, 0)) {
        t = attach();
        if (!t)
            return NULL;
    }
    if (__builtin_expect(atomic_load_explicit(&t->stream.frame->busy, memory_order_relaxed), 0) && !abandoned(t, sp)) {
        atomic_fetch_add_explicit(&t->counts->skipped, 1, memory_order_relaxed);
        return NULL;
    }
    set_busy(t, 1);
    t->busy_sp = sp;
    if (__builtin_expect(!t->stream.channel->slab, 0) && t->fifo_events++ % FIFO_TICK_EVENTS == 0)
        rs_channel_check(t->stream.channel);
    if (__builtin_expect(atomic_load_explicit(rs_channel_tick, memory_order_relaxed) != t->stream.tick, 0))
        new_tick(t);
    return t;
}

static inline void leave(struct rs_thread *t)
{
    /* A definition may have met a new tick in the middle of the hook. */
    if (__builtin_expect(t->tick != t->stream.tick, 0)) {
        t->tick = t->stream.tick;
        close_window(t);
    }
    set_busy(t, 0);
}

/* ---- numbers ---- */

/*
 * Alone in the process a plain add does; signal handlers cannot come in between one instruction. From the second thread
 * on the counters are shared.
 */
static inline uint32_t draw(struct rs_image *image, bool shared, uint64_t address)
{
    _Atomic uint32_t *counter = &image->sequence[rs_sequence_slot(address)];

#ifdef __x86_64__
    if (!shared) {
        uint32_t one = 1;

        __asm__ volatile("xaddl %0, %1" : "+r"(one), "+m"(*counter) : : "memory");
        return one;
    }
#else
    (void)shared;
#endif
    return atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static inline bool is_shared(struct rs_thread *t)
{
    if (__builtin_expect(!t->is_shared, 0))
        t->is_shared = atomic_load_explicit(&t->image->attached, memory_order_relaxed) > 1;
    return t->is_shared;
}

uint32_t rs_record_draw(const void *block)
{
    struct rs_image *image = get_image();

    return image && block ? draw(image, true, (uintptr_t)block) : 0;
}

/* ---- records ---- */

static void add(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by, memory_order_relaxed);
}

/* The entry of NODE in the counts page; the one of node 0 when there is no room, NULL if STRICT. */
static struct rs_counts_entry *counts_entry(struct rs_thread *t, uint32_t node, bool strict)
{
    struct rs_counts_entry *entries = t->counts->entry;
    uint32_t first = node * 0x9e3779b1u >> 24;
    uint32_t i = 1 + first % (RS_COUNTS_ENTRIES - 1);

    for (uint32_t probe = 0; probe < 8; probe++) {
        uint32_t held = atomic_load_explicit(&entries[i].node, memory_order_relaxed);

        if (held == node)
            return &entries[i];
        if (!held && node) {
            atomic_store_explicit(&entries[i].node, node, memory_order_release);
            return &entries[i];
        }
        i = i + 1 == RS_COUNTS_ENTRIES ? 1 : i + 1;
    }
    return strict ? NULL : &entries[0];
}

/* The event of an allocation found no room: totals know of it. */
static void count_dropped_alloc(struct rs_thread *t, uint32_t node, uint64_t size)
{
    struct rs_counts_entry *entry;

    if (!t->stream.channel->slab) {
        t->unsent_allocations++;
        t->unsent_bytes += size;
        return;
    }
    entry = counts_entry(t, node, false);
    atomic_store_explicit(&entry->dropped, atomic_load_explicit(&entry->dropped, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    add(&entry->bytes, size);
    add(&t->counts->by_size[rs_size_class(size)], 1);
}

static void count_dropped_free(struct rs_thread *t)
{
    if (!t->stream.channel->slab)
        t->unsent_frees++;
    else
        add(&t->counts->lost_frees, 1);
}

/* Room for a packed record about ADDRESS; the delta from the last one in *DELTA. */
static inline uint32_t *reserve_packed(struct rs_thread *t, uint32_t bytes, uint64_t address, int64_t *delta)
{
    struct rs_stream *s = &t->stream;

    if (__builtin_expect(s->at + bytes > s->limit, 0)) {
        if (!rs_stream_next_frame(s, false)) {
            s->lost++;
            return NULL;
        }
    }
    if (__builtin_expect(s->seq != t->frame_seq, 0)) {
        t->frame_seq = s->seq;
        t->window = sizeof(struct rs_frame_header);
        s->frame->base = address;
        t->last = address;
        if (!(s->seq & 255))
            memset(t->recent, 0, sizeof(t->recent));
    }
    *delta = (int64_t)(address - t->last) >> 3;
    return (uint32_t *)(void *)((char *)s->frame + s->at);
}

static inline void publish_packed(struct rs_thread *t, uint32_t bytes, uint64_t address)
{
    t->stream.at += bytes;
    t->last = address;
    rs_stream_publish(&t->stream);
}

static __attribute__((noinline)) bool send_long_alloc(struct rs_thread *t, uint64_t address, uint64_t size,
                                                      uint32_t node, uint32_t number)
{
    struct rs_wire_alloc *r = rs_stream_reserve(&t->stream, sizeof(*r), false);

    if (!r)
        return false;
    *r = (struct rs_wire_alloc){.word = RS_RECORD(RS_RECORD_ALLOC, sizeof(*r)),
                                .node = node,
                                .number = number,
                                .address = address,
                                .size = size};
    rs_stream_publish(&t->stream);
    return true;
}

static __attribute__((noinline)) bool send_long_free(struct rs_thread *t, uint64_t address, uint32_t number,
                                                     uint32_t flags)
{
    struct rs_wire_free *r = rs_stream_reserve(&t->stream, sizeof(*r), false);

    if (!r)
        return false;
    *r = (struct rs_wire_free){
        .word = RS_RECORD(RS_RECORD_FREE, sizeof(*r)), .number = number, .address = address, .flags = flags};
    rs_stream_publish(&t->stream);
    return true;
}

/*
 * recent[]: address / 8 in bits 19-63, the frame's number in bits 10-18, the record's word in the frame in bits 0-9.
 * Frame numbers come round after 512; the table is emptied every 256.
 */
static inline uint64_t *recent_slot(struct rs_thread *t, uint64_t address)
{
    return &t->recent[(address >> 4) * 0x9e3779b97f4a7c15u >> 54];
}

static inline uint64_t recent_entry(const struct rs_thread *t, uint64_t address, uint32_t offset)
{
    return address >> 3 << 19 | (uint64_t)(t->stream.seq & 511) << 10 | offset >> 2;
}

static inline void note_alloc(struct rs_thread *t, uint64_t address, uint64_t size, uint32_t node, uint32_t number)
{
    uint32_t *r;
    int64_t delta;

    t->last_block = address;
    if (__builtin_expect(size > RS_PACKED_SIZE_MAX || (address & 7) || address >> 48, 0)) {
        if (!send_long_alloc(t, address, size, node, number))
            count_dropped_alloc(t, node, size);
        return;
    }
    r = reserve_packed(t, ALLOC_BYTES, address, &delta);
    if (__builtin_expect(!r, 0)) {
        count_dropped_alloc(t, node, size);
        return;
    }
    if (__builtin_expect(delta < -(1 << 23) || delta >= 1 << 23, 0)) {
        if (!send_long_alloc(t, address, size, node, number))
            count_dropped_alloc(t, node, size);
        return;
    }
    r[0] = RS_WORD_ALLOC | (uint32_t)size << 4 | node << 16;
    r[1] = node >> 16 | (uint32_t)delta << 8;
    r[2] = number;
    *recent_slot(t, address) = recent_entry(t, address, t->stream.at);
    publish_packed(t, ALLOC_BYTES, address);
}

void rs_record_alloc(const void *block, size_t size, uint64_t pc, uint64_t sp, uint64_t fp)
{
    struct rs_thread *t = block ? enter(sp) : NULL;
    uint32_t node, number;

    if (!t)
        return;
    allocated.bytes += size;
    allocated.blocks++;
    number = draw(t->image, is_shared(t), (uintptr_t)block);
    node = rs_stack_node(&t->stack, pc, sp, fp);
    if (__builtin_expect(t->stack.no_stack + t->stack.truncated != t->told, 0))
        publish_counters(t);
    note_alloc(t, (uintptr_t)block, size, node, number);
    leave(t);
}

/* The last record is of a block that is being freed: it never happened, but it is counted. */
static inline bool take_back(struct rs_thread *t, uint64_t address, uint32_t offset, const uint32_t *r)
{
    struct rs_counts_entry *entry;
    uint32_t node = r[0] >> 16 | (r[1] & 0xff) << 16, size = r[0] >> 4 & RS_PACKED_SIZE_MAX;

    if (offset + ALLOC_BYTES != t->stream.at || t->counts == &t->no_counts)
        return false;
    entry = counts_entry(t, node, true);
    if (!entry)
        return false;
    t->stream.at = offset;
    rs_stream_publish(&t->stream);
    t->last = address - (uint64_t)((int64_t)((int32_t)r[1] >> 8) * 8);
    add(&entry->temporary, 1);
    add(&entry->bytes, size);
    add(&t->counts->by_size[rs_size_class(size)], 1);
    return true;
}

/*
 * True if the free of ADDRESS could be noted at its allocation. NEXT is the number that the free has or would get:
 * where there are other threads it must follow the allocation's. Otherwise the block in the record may be another one,
 * freed and allocated again elsewhere before it came back to us.
 */
static inline bool coalesce(struct rs_thread *t, uint64_t address, uint32_t next)
{
    uint64_t *slot = recent_slot(t, address);
    uint32_t offset = (uint32_t)(*slot & 1023) << 2;
    uint32_t *r;

    if (*slot != recent_entry(t, address, offset) || offset < t->window || t->stream.seq != t->frame_seq ||
        !t->stream.limit)
        return false;
    *slot = 0;
    r = (uint32_t *)(void *)((char *)t->stream.frame + offset);
    if (is_shared(t) && next != r[2] + 1)
        return false;
    if (!take_back(t, address, offset, r))
        r[0] |= RS_ALLOC_FREED | (address == t->last_block ? RS_ALLOC_TEMPORARY : 0);
    return true;
}

static inline void note_free(struct rs_thread *t, uint64_t address, uint32_t number)
{
    uint32_t flags = address == t->last_block ? RS_FREE_TEMPORARY : 0;
    int64_t delta;
    uint32_t *r;

    if (__builtin_expect((address & 7) || address >> 48, 0)) {
        if (!send_long_free(t, address, number, flags))
            count_dropped_free(t);
        return;
    }
    r = reserve_packed(t, FREE_BYTES, address, &delta);
    if (__builtin_expect(!r, 0)) {
        count_dropped_free(t);
        return;
    }
    if (__builtin_expect(delta < -(1 << 28) || delta >= 1 << 28, 0)) {
        if (!send_long_free(t, address, number, flags))
            count_dropped_free(t);
        return;
    }
    r[0] = RS_WORD_FREE | flags | (uint32_t)delta << 3;
    r[1] = number;
    publish_packed(t, FREE_BYTES, address);
}

void rs_record_free_drawn(const void *block, uint32_t number, uint64_t sp)
{
    struct rs_thread *t = enter(sp);

    if (!t)
        return;
    if (!coalesce(t, (uintptr_t)block, number))
        note_free(t, (uintptr_t)block, number);
    leave(t);
}

void rs_record_free(const void *block, uint64_t sp)
{
    struct rs_thread *t = enter(sp);

    if (!t)
        return;
    if (!coalesce(t, (uintptr_t)block,
                  atomic_load_explicit(&t->image->sequence[rs_sequence_slot((uintptr_t)block)], memory_order_relaxed)))
        note_free(t, (uintptr_t)block, draw(t->image, is_shared(t), (uintptr_t)block));
    leave(t);
}

void rs_record_outside(enum rs_outside kind, const void *address, int64_t bytes, uint64_t pc, uint64_t sp, uint64_t fp)
{
    struct rs_thread *t = enter(sp);
    struct rs_wire_outside *r;
    uint32_t node;

    if (!t)
        return;
    node = rs_stack_node(&t->stack, pc, sp, fp);
    r = rs_stream_reserve(&t->stream, sizeof(*r), false);
    if (r) {
        *r = (struct rs_wire_outside){.word = RS_RECORD(RS_RECORD_OUTSIDE, sizeof(*r)),
                                      .node = node,
                                      .kind = kind,
                                      .address = (uintptr_t)address,
                                      .bytes = bytes};
        rs_stream_publish(&t->stream);
    }
    leave(t);
}

/* ---- the process's beginning and end ---- */

/* Connects before main even if nothing allocates, so that the CLI knows of the process. */
__attribute__((constructor)) static void begin(void)
{
    if (rs_channel_active() && (!self || !self->ready))
        attach();
}

/* With a slab there is nothing to do at the end; a frame for the FIFO is still here. */
__attribute__((destructor)) static void end(void)
{
    struct rs_thread *t = self;

    if (t && t->ready && !t->stream.channel->slab) {
        close_window(t);
        rs_stream_flush(&t->stream);
    }
}

/* Found by librustscope by name (src/lib/allocations.h). The calling thread's, valid until it ends. */
RUSTSCOPE_API const struct rustscope_allocations *rustscope_shim_allocations(void);

const struct rustscope_allocations *rustscope_shim_allocations(void)
{
    return &allocated;
}

/* ---- for the C++ operators ---- */

void rustscope_shim_note_alloc(const void *block, size_t size, uint64_t pc, uint64_t sp, uint64_t fp)
{
    if (rs_channel_active())
        rs_record_alloc(block, size, pc, sp, fp);
}

void rustscope_shim_note_free(const void *block, uint64_t sp)
{
    if (rs_channel_active())
        rs_record_free(block, sp);
}

void rustscope_shim_quiet(int by)
{
    rs_nested += (uint32_t)by;
}
