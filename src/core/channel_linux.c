/* SPDX-License-Identifier: MIT */
#include "core/channel.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/syscall_linux.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum {
    FIFO_FLUSH_NS = 250000000, /* listen mode: how long a record may wait for the next one */
    HELLO_TEXT_MAX = 3072,
    SLAB_PAGES_MAX = 1 << 20,
    BACKED_STEP = 64, /* pages that a writer gives memory at a time */
};

static _Atomic uint32_t no_tick = 1; /* *rs_channel_tick before the first look; then 0: there is no channel */
static _Atomic uint32_t own_tick;    /* *rs_channel_tick in FIFO mode: moved by rs_channel_check() */
_Atomic uint32_t *rs_channel_tick = &no_tick;
_Atomic uint32_t rs_channel_stale;
_Atomic bool rs_channel_no_syscalls;

/*
 * What survives a fork. The slab stays mapped in the child; `channel` points to memory that the child finds wiped.
 * Written by whoever opens the channel, under channel->opening.
 */
static struct {
    _Atomic(struct rs_channel *) channel;
    _Atomic bool refused; /* no pipe, not ours, broken: never look again */
    struct rs_slab_header *slab;
    size_t slab_bytes;
    int fd; /* of the FIFO, without a slab; 0: none */
    uint64_t fifo_dev, fifo_ino;
    uint64_t last_image;
} process;

extern char **environ;

static const char *find_env(const char *name)
{
    size_t len = strlen(name);

    for (char **e = environ; e && *e; e++)
        if (!strncmp(*e, name, len) && (*e)[len] == '=')
            return *e + len + 1;
    return NULL;
}

void *rs_channel_memory(size_t len)
{
    long at;

    if (atomic_load_explicit(&rs_channel_no_syscalls, memory_order_relaxed))
        return NULL;
    at = rs_sys_mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (rs_sys_failed(at))
        return NULL;
    rs_sys_madvise((void *)at, len, MADV_WIPEONFORK);
    return (void *)at;
}

void rs_channel_memory_release(void *memory, size_t len)
{
    if (memory && !atomic_load_explicit(&rs_channel_no_syscalls, memory_order_relaxed))
        rs_sys_munmap(memory, len);
}

/* ---- opening ---- */

static bool slab_is_sane(const struct rs_slab_header *slab, size_t bytes)
{
    uint64_t states_end = RS_SLAB_STATES_OFFSET + (uint64_t)slab->page_count * sizeof(uint32_t);

    return slab->magic == RS_SLAB_MAGIC && slab->version == RS_WIRE_VERSION && slab->page_count &&
           slab->page_count <= SLAB_PAGES_MAX && states_end <= (uint64_t)slab->first_page * RS_FRAME_BYTES &&
           ((uint64_t)slab->first_page + slab->page_count) * RS_FRAME_BYTES <= bytes;
}

static struct rs_slab_header *map_slab(const char *pipe_path)
{
    struct rs_slab_header *slab = NULL;
    char path[PATH_MAX];
    size_t len = strlen(pipe_path);
    struct stat st;
    long fd, at;

    if (len + sizeof(".slab") > sizeof(path))
        return NULL;
    memcpy(path, pipe_path, len);
    memcpy(path + len, ".slab", sizeof(".slab"));
    fd = rs_sys_open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    if (!rs_sys_fstat((int)fd, &st) && S_ISREG(st.st_mode) && st.st_size > (off_t)RS_SLAB_STATES_OFFSET) {
        at = rs_sys_mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, (int)fd, 0);
        if (!rs_sys_failed(at)) {
            slab = (struct rs_slab_header *)at;
            process.slab_bytes = (size_t)st.st_size;
            if (!slab_is_sane(slab, process.slab_bytes)) {
                rs_sys_munmap(slab, process.slab_bytes);
                slab = NULL;
            }
        }
    }
    rs_sys_close((int)fd);
    return slab;
}

/*
 * open() takes the lowest free number, which a program may count on (close(0); open(…)): ours moves to a random place
 * below RLIMIT_NOFILE.
 */
static int move_descriptor_up(int fd, uint64_t random)
{
    struct rlimit limit = {.rlim_cur = 1024};
    long moved;

    rs_syscall6(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0, 0);
    if (limit.rlim_cur > 65536)
        limit.rlim_cur = 65536;
    if (limit.rlim_cur < 64)
        return fd;
    moved = rs_sys_fcntl(fd, F_DUPFD_CLOEXEC, (long)(limit.rlim_cur - 32 - random % (limit.rlim_cur / 4)));
    if (moved < 0)
        return fd;
    rs_sys_close(fd);
    return (int)moved;
}

/* The descriptor may have been closed by the program and its number given to a file of its own. */
static bool fifo_is_ours(void)
{
    struct stat st;

    return process.fd > 0 && !rs_sys_fstat(process.fd, &st) && st.st_dev == process.fifo_dev &&
           st.st_ino == process.fifo_ino;
}

static bool open_fifo(const char *path, uint64_t random)
{
    struct stat st;
    long fd;

    if (fifo_is_ours())
        return true;
    process.fd = 0;
    fd = path ? rs_sys_open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY) : -ENOENT;
    if (fd < 0)
        return false;
    if (rs_sys_fstat((int)fd, &st) || !S_ISFIFO(st.st_mode)) {
        rs_sys_close((int)fd);
        return false;
    }
    process.fd = move_descriptor_up((int)fd, random);
    process.fifo_dev = st.st_dev;
    process.fifo_ino = st.st_ino;
    return true;
}

static uint64_t random_id(void)
{
    uint64_t id = 0;

    if (rs_syscall3(SYS_getrandom, (long)&id, sizeof(id), GRND_NONBLOCK) != sizeof(id) || !id)
        id = (rs_clock_mono_ns() ^ (uint64_t)(uintptr_t)&id ^ (uint64_t)rs_syscall3(SYS_getpid, 0, 0, 0) << 40) *
                 0x9e3779b97f4a7c15u |
             1;
    return id;
}

static size_t read_file(const char *path, char *buf, size_t cap)
{
    long fd = rs_sys_open(path, O_RDONLY | O_CLOEXEC), n = 0;

    if (fd >= 0) {
        n = rs_sys_read((int)fd, buf, cap);
        rs_sys_close((int)fd);
    }
    return n > 0 ? (size_t)n : 0;
}

/* Field 22 of /proc/self/stat, counted behind the last ')' because the second field may hold anything. */
static uint64_t start_ticks(void)
{
    char text[1024];
    size_t len = read_file("/proc/self/stat", text, sizeof(text) - 1);
    uint64_t value = 0;
    char *at;

    text[len] = '\0';
    at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    for (at = at ? at + 1 : text + len; *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    return value;
}

/* "pid:[4026531836]" */
static uint64_t pid_namespace(void)
{
    char text[64];
    long len = rs_sys_readlink("/proc/self/ns/pid", text, sizeof(text));
    uint64_t value = 0;

    for (long i = 0; i < len; i++)
        if (text[i] >= '0' && text[i] <= '9')
            value = value * 10 + (uint64_t)(text[i] - '0');
    return value;
}

static bool say_hello(struct rs_channel *ch, enum rs_source source, uint64_t parent_image)
{
    struct rs_wire_hello hello = {.pid = (uint32_t)rs_syscall3(SYS_getpid, 0, 0, 0),
                                  .ppid = (uint32_t)rs_syscall3(SYS_getppid, 0, 0, 0),
                                  .start_ticks = start_ticks(),
                                  .pid_ns = pid_namespace(),
                                  .parent_image = parent_image,
                                  .clock_ns = rs_clock_mono_ns()};
    struct rs_stream s = {0};
    char text[HELLO_TEXT_MAX];
    long exe = rs_sys_readlink("/proc/self/exe", text, sizeof(text) / 2);
    uint32_t bytes;
    char *to;

    hello.exe_bytes = exe > 0 ? (uint32_t)exe : 0;
    hello.argv_bytes =
        (uint32_t)read_file("/proc/self/cmdline", text + hello.exe_bytes, sizeof(text) - hello.exe_bytes);
    bytes = (uint32_t)sizeof(hello) + hello.exe_bytes + hello.argv_bytes;
    hello.word = RS_RECORD(RS_RECORD_HELLO, bytes);

    s.channel = ch;
    s.source = source;
    s.frame = &s.none;
    to = rs_stream_reserve(&s, bytes, true);
    if (!to)
        return false;
    memcpy(to, &hello, sizeof(hello));
    memcpy(to + sizeof(hello), text, hello.exe_bytes + hello.argv_bytes);
    rs_stream_commit(&s);
    rs_stream_flush(&s);
    rs_stream_close(&s);
    return true;
}

static void set_idle(void)
{
    atomic_store(&no_tick, 0);
    atomic_store(&rs_channel_stale, 0);
    rs_channel_tick = &no_tick;
}

static bool connect_channel(struct rs_channel *ch, enum rs_source source)
{
    const char *path = find_env("RUSTSCOPE_ALLOC_PIPE");
    uint64_t id = random_id();

    if (!process.slab) {
        if (!path || path[0] != '/')
            return false;
        process.slab = map_slab(path);
    }
    ch->slab = process.slab;
    if (ch->slab) {
        ch->flags = ch->slab->flags;
        ch->page_count = ch->slab->page_count;
        ch->states = (_Atomic uint32_t *)((char *)ch->slab + RS_SLAB_STATES_OFFSET);
        ch->pages = (char *)ch->slab + (size_t)ch->slab->first_page * RS_FRAME_BYTES;
        if ((ch->flags & RS_SLAB_NO_FOLLOW) && ch->slab->root_pid != (uint32_t)rs_syscall3(SYS_getpid, 0, 0, 0))
            return false;
    } else if (!open_fifo(path, id)) {
        return false;
    } else {
        ch->flags = RS_SLAB_ALLOC;
        atomic_store(&own_tick, (uint32_t)(rs_clock_mono_ns() / RS_TICK_NS) | 1);
    }
    ch->image = id;
    if (!say_hello(ch, source, process.last_image)) {
        ch->image = 0;
        return false;
    }
    process.last_image = id;
    return true;
}

/*
 * A sanitizer brings an allocator that knows every block, and a shim that recorded in front of it would be in its way.
 * The shim is in such a program when one that carries it has started it: then its hooks only pass on.
 */
extern void __asan_init(void) __attribute__((weak));
extern void __hwasan_init(void) __attribute__((weak));
extern void __lsan_init(void) __attribute__((weak));
extern void __msan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));

static bool has_sanitizer(void)
{
    return __asan_init || __hwasan_init || __lsan_init || __msan_init || __tsan_init;
}

struct rs_channel *rs_channel_get(enum rs_source source)
{
    struct rs_channel *ch = atomic_load_explicit(&process.channel, memory_order_acquire), *none = NULL;
    uint32_t closed = 0;

    if (ch && __atomic_load_n(&ch->image, __ATOMIC_ACQUIRE) && atomic_load(&ch->opening) == 2)
        return ch;
    if (atomic_load_explicit(&process.refused, memory_order_relaxed))
        return NULL;
    if (source != RS_SOURCE_LIB && has_sanitizer()) {
        atomic_store(&process.refused, true);
        set_idle();
        return NULL;
    }
    if (!ch) {
        ch = rs_channel_memory(sizeof(*ch));
        if (!ch)
            return NULL;
        if (!atomic_compare_exchange_strong(&process.channel, &none, ch)) {
            rs_channel_memory_release(ch, sizeof(*ch));
            ch = none;
        }
    }
    if (!atomic_compare_exchange_strong(&ch->opening, &closed, 1))
        return NULL;
    if (!connect_channel(ch, source)) {
        atomic_store(&process.refused, true);
        set_idle();
        atomic_store(&ch->opening, 0);
        return NULL;
    }
    atomic_store(&rs_channel_stale, 0);
    rs_channel_tick = ch->slab ? &ch->slab->tick : &own_tick;
    atomic_store(&ch->opening, 2);
    return ch;
}

uint32_t rs_channel_new_thread(struct rs_channel *channel)
{
    return atomic_fetch_add(&channel->threads, 1) + 1;
}

void rs_channel_check(struct rs_channel *ch)
{
    uint32_t now = (uint32_t)(rs_clock_mono_ns() / RS_TICK_NS);
    uint32_t tick;

    if (!ch->slab) {
        atomic_store_explicit(&own_tick, now ? now : 1, memory_order_relaxed);
        return;
    }
    tick = atomic_load_explicit(&ch->slab->tick, memory_order_relaxed);
    if (now - tick > RS_DEAD_TICKS && now - tick < UINT32_MAX / 2)
        atomic_store(&rs_channel_stale, tick);
}

/* ---- frames ---- */

static char *page_at(const struct rs_channel *ch, uint32_t page)
{
    return ch->pages + (size_t)page * RS_FRAME_BYTES;
}

/*
 * The slab has room and the CLI has not come to give it memory, as on a machine whose processors are all busy: done
 * here, or events would be lost for want of a few microseconds. True: there are new pages.
 */
static bool back_pages(struct rs_channel *ch)
{
    struct rs_slab_header *slab = ch->slab;
    uint32_t from = atomic_load_explicit(&slab->backed, memory_order_relaxed), to;

    if (atomic_load_explicit(&slab->no_memory, memory_order_relaxed) ||
        atomic_load_explicit(&rs_channel_no_syscalls, memory_order_relaxed))
        return false;
    do {
        if (from >= ch->page_count)
            return false;
        to = ch->page_count - from > BACKED_STEP ? from + BACKED_STEP : ch->page_count;
    } while (
        !atomic_compare_exchange_weak_explicit(&slab->backed, &from, to, memory_order_relaxed, memory_order_relaxed));
    if (rs_sys_failed(rs_sys_madvise(page_at(ch, from), (size_t)(to - from) * RS_FRAME_BYTES, MADV_POPULATE_WRITE))) {
        atomic_store_explicit(&slab->no_memory, 1, memory_order_relaxed);
        return false;
    }
    for (uint32_t i = from; i < to; i++) {
        uint32_t unbacked = RS_PAGE_UNBACKED;

        atomic_compare_exchange_strong_explicit(&ch->states[i], &unbacked, RS_PAGE_FREE, memory_order_release,
                                                memory_order_relaxed);
    }
    atomic_store_explicit(&slab->hint, from, memory_order_relaxed);
    atomic_fetch_add_explicit(&slab->free_pages, (int32_t)(to - from), memory_order_relaxed);
    return true;
}

/*
 * Low numbers first, so that a session touches no more of the slab than it needs and the caches keep it. Returns the
 * page, or UINT32_MAX.
 */
static uint32_t take_free_page(struct rs_channel *ch, bool definition)
{
    struct rs_slab_header *slab = ch->slab;
    uint32_t start, page, seen;

    if (atomic_fetch_sub_explicit(&slab->free_pages, 1, memory_order_relaxed) <= (definition ? 0 : RS_PAGES_RESERVED))
        goto none;
    start = atomic_load_explicit(&slab->hint, memory_order_relaxed);
    if (start >= ch->page_count)
        start = 0;
    page = start;
    do {
        uint32_t state = RS_PAGE_FREE;

        if (atomic_load_explicit(&ch->states[page], memory_order_relaxed) == RS_PAGE_FREE &&
            atomic_compare_exchange_strong_explicit(&ch->states[page], &state, RS_PAGE_OWNED, memory_order_acquire,
                                                    memory_order_relaxed)) {
            atomic_store_explicit(&slab->hint, page + 1, memory_order_relaxed);
            seen = atomic_load_explicit(&slab->highest, memory_order_relaxed);
            while (seen <= page && !atomic_compare_exchange_weak(&slab->highest, &seen, page + 1))
                ;
            return page;
        }
        page = page + 1 == ch->page_count ? 0 : page + 1;
    } while (page != start);
none:
    atomic_fetch_add_explicit(&slab->free_pages, 1, memory_order_relaxed);
    return UINT32_MAX;
}

static uint32_t take_page(struct rs_channel *ch, bool definition)
{
    uint32_t page = take_free_page(ch, definition);

    while (page == UINT32_MAX && back_pages(ch))
        page = take_free_page(ch, definition);
    return page;
}

void *rs_channel_take_page(struct rs_channel *ch)
{
    uint32_t page = ch->slab ? take_page(ch, true) : UINT32_MAX;

    return page == UINT32_MAX ? NULL : memset(page_at(ch, page), 0, RS_FRAME_BYTES);
}

void rs_channel_give_page(struct rs_channel *ch, void *page)
{
    size_t index = (size_t)((char *)page - ch->pages) / RS_FRAME_BYTES;

    atomic_store_explicit(&ch->states[index], RS_PAGE_FULL, memory_order_release);
}

static void begin_frame(struct rs_stream *s, struct rs_frame_header *frame)
{
    const struct rs_channel *ch = s->channel;
    uint32_t tick = atomic_load_explicit(rs_channel_tick, memory_order_relaxed);

    frame->version = RS_WIRE_VERSION;
    frame->source = (uint8_t)s->source;
    frame->flags = 0;
    frame->image = ch->image;
    frame->thread = s->thread;
    frame->tid = s->tid;
    frame->seq = ++s->seq;
    frame->tick = tick;
    frame->clock_ns = rs_clock_mono_ns();
    frame->base = 0;
    frame->lost = s->lost;
    atomic_store_explicit(&frame->closed, (uint32_t)sizeof(*frame), memory_order_relaxed);
    atomic_store_explicit(&frame->written, (uint32_t)sizeof(*frame), memory_order_relaxed);
    atomic_store_explicit(&frame->busy, atomic_load_explicit(&s->frame->busy, memory_order_relaxed),
                          memory_order_relaxed);
    __atomic_store_n(&frame->magic, RS_FRAME_MAGIC, __ATOMIC_RELEASE);
    s->tick = tick;
    s->frame = frame;
    s->at = sizeof(*frame);
    s->limit = RS_FRAME_BYTES;
}

/* Closes the frame in the slab for good: the CLI frees the page once it has read it. */
static void release_page(struct rs_stream *s)
{
    struct rs_frame_header *frame = s->frame;

    if (frame == &s->none || frame == s->private_frame)
        return;
    atomic_store_explicit(&frame->written, s->at, memory_order_release);
    atomic_store_explicit(&frame->closed, s->at, memory_order_release);
    s->none.busy = atomic_load_explicit(&frame->busy, memory_order_relaxed);
    s->frame = &s->none;
    s->limit = 0;
    atomic_store_explicit(&s->channel->states[s->page], RS_PAGE_FULL, memory_order_release);
}

/* Writes the private frame. False: not now (full pipe) or not at all; the frame stays as it is. */
static bool write_frame(struct rs_stream *s)
{
    struct rs_frame_header *frame = s->private_frame;
    long n = -EINTR;

    if (atomic_load_explicit(&rs_channel_no_syscalls, memory_order_relaxed) ||
        !open_fifo(find_env("RUSTSCOPE_ALLOC_PIPE"), random_id()))
        return false;
    atomic_store_explicit(&frame->written, s->at, memory_order_relaxed);
    atomic_store_explicit(&frame->closed, s->at, memory_order_relaxed);
    for (int attempt = 0; attempt < 8 && n == -EINTR; attempt++)
        n = rs_sys_write(process.fd, frame, s->at);
    return n == (long)s->at;
}

static bool next_private_frame(struct rs_stream *s)
{
    if (!s->private_frame) {
        s->private_frame = rs_channel_memory(RS_FRAME_BYTES);
        if (!s->private_frame)
            return false;
    } else if (s->frame == s->private_frame && s->at > sizeof(*s->frame) && !write_frame(s)) {
        return false;
    }
    begin_frame(s, s->private_frame);
    return true;
}

bool rs_stream_next_frame(struct rs_stream *s, bool definition)
{
    struct rs_channel *ch = s->channel;
    uint32_t page;

    rs_channel_check(ch);
    if (!ch->slab)
        return next_private_frame(s);
    release_page(s);
    page = take_page(ch, definition);
    if (page == UINT32_MAX) {
        atomic_fetch_add_explicit(&ch->slab->no_room, 1, memory_order_relaxed);
        return false;
    }
    s->page = page;
    begin_frame(s, (struct rs_frame_header *)page_at(ch, page));
    return true;
}

void rs_stream_open(struct rs_stream *s, struct rs_channel *channel, enum rs_source source, uint32_t thread,
                    uint32_t tid)
{
    struct rs_wire_thread *record;

    memset(s, 0, sizeof(*s));
    s->frame = &s->none;
    s->source = source;
    s->thread = thread;
    s->tid = tid;
    s->channel = channel;
    record = rs_stream_reserve(s, sizeof(*record), true);
    if (!record)
        return;
    *record = (struct rs_wire_thread){.word = RS_RECORD(RS_RECORD_THREAD, sizeof(*record)), .tid = tid};
    rs_stream_commit(s);
}

void *rs_stream_reserve(struct rs_stream *s, uint32_t bytes, bool definition)
{
    uint32_t rounded = (bytes + 3) & ~3u;
    uint32_t tick, need;
    char *to;

    if (bytes > RS_RECORD_BYTES_MAX - sizeof(struct rs_wire_tick)) {
        s->lost++;
        return NULL;
    }
    tick = atomic_load_explicit(rs_channel_tick, memory_order_relaxed);
    need = rounded + (tick != s->tick ? (uint32_t)sizeof(struct rs_wire_tick) : 0);
    if (s->at + need > s->limit) {
        if (!rs_stream_next_frame(s, definition)) {
            s->lost++;
            return NULL;
        }
        tick = s->tick;
    }
    to = (char *)s->frame + s->at;
    if (tick != s->tick) {
        *(struct rs_wire_tick *)(void *)to =
            (struct rs_wire_tick){.word = RS_RECORD(RS_RECORD_TICK, sizeof(struct rs_wire_tick)), .tick = tick};
        s->tick = tick;
        s->at += sizeof(struct rs_wire_tick);
        to += sizeof(struct rs_wire_tick);
    }
    if (rounded != bytes)
        memset(to + rounded - 4, 0, 4);
    s->at += rounded;
    return to;
}

void rs_stream_commit(struct rs_stream *s)
{
    rs_stream_publish(s);
    atomic_store_explicit(&s->frame->closed, s->at, memory_order_release);
    if (!s->channel->slab && rs_clock_mono_ns() - s->frame->clock_ns > FIFO_FLUSH_NS)
        rs_stream_flush(s);
}

void rs_stream_flush(struct rs_stream *s)
{
    if (s->frame == s->private_frame && s->private_frame && s->at > sizeof(*s->frame) && write_frame(s))
        begin_frame(s, s->private_frame);
}

void rs_stream_close(struct rs_stream *s)
{
    if (!s->channel)
        return;
    if (s->channel->slab)
        release_page(s);
    else
        rs_stream_flush(s);
    rs_channel_memory_release(s->private_frame, RS_FRAME_BYTES);
    memset(s, 0, sizeof(*s));
}
