/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a program under RustScope sends to the CLI: the bytes, nothing else. channel.h sends them, the CLI's
 * collect/channel/ reads them.
 *
 * A session has one directory with a FIFO (its path is RUSTSCOPE_ALLOC_PIPE) and, beside it, PATH.slab: a file of
 * 4 KiB pages on tmpfs that every process of the session maps. Data moves in frames. A frame is a 64-byte header and
 * the records of one stream (one source in one thread of one process image), at most RS_FRAME_BYTES together. With a
 * slab a frame is filled where it lies, in a page of the slab, and the CLI picks records up as they are published: no
 * system call, nothing to lose when the process dies. Without one (`rustscope listen`, a chroot, no room) the same
 * frame is filled in private memory and written to the FIFO in one piece; write(2) of up to PIPE_BUF never interleaves.
 *
 * A record is a whole number of 32-bit words. Its first word tells its kind in two bits: the two that make up nearly
 * all traffic (RS_WORD_ALLOC, RS_WORD_FREE) are packed into three and two words; every other record is an
 * RS_WORD_RECORD with an 8-bit kind and its own length, so that a reader skips what it does not know. Numbers are in
 * host byte order: both ends are on one machine.
 *
 * Everything here is untrusted when read.
 */
#include <stdatomic.h>
#include <stdint.h>

#define RS_WIRE_VERSION      2
#define RS_FRAME_MAGIC       0x31465352u /* "RSF1" */
#define RS_SLAB_MAGIC        0x31535352u /* "RSS1" */
#define RS_FRAME_BYTES       4096u
#define RS_TICK_NS           10000000u /* a tick is CLOCK_MONOTONIC in units of 10 ms, modulo 2^32 */
#define RS_DEAD_TICKS        1000u     /* 10 s without a new tick: to writers the CLI is gone, and hooks only pass on */
#define RS_SEQUENCE_COUNTERS (256u * RS_SEQUENCE_GROUP)
#define RS_SEQUENCE_GROUP    64u

/* Who fills a stream. Each has its own streams, so a signal handler never meets a half-written record of a hook. */
enum rs_source {
    RS_SOURCE_SHIM = 1,  /* allocations */
    RS_SOURCE_LIB = 2,   /* librustscope: scopes, marks, counters, benchmarks, tasks */
    RS_SOURCE_TIMER = 3, /* CPU samples taken by the shim's timer */
};

struct rs_frame_header {
    uint32_t magic;
    uint16_t version;
    uint8_t source;  /* enum rs_source */
    uint8_t flags;   /* RS_FRAME_… */
    uint64_t image;  /* random, of this process image: new after fork and exec; never 0 */
    uint32_t thread; /* serial of the thread inside the image, from 1 */
    uint32_t tid;    /* as gettid() says, in the process's own pid namespace; 0 unknown */
    uint32_t seq;    /* of this frame in its stream, from 1 */
    uint32_t tick;   /* of the first record; later ones follow from RS_RECORD_TICK */
    uint64_t clock_ns;
    uint64_t base; /* address from which the first packed record counts */
    uint32_t lost; /* events of this stream that were dropped before this frame (running total) */
    /*
     * Bytes of the frame, header included. In a slab the owner moves both with release stores: records below `closed`
     * never change again; those between `closed` and `written` may still get their "freed" bit while the owner is in
     * the same tick (see channel.h: who may read them when). On the FIFO both are equal.
     */
    _Atomic uint32_t closed;
    _Atomic uint32_t written;
    /* Nonzero while the owner is inside a hook. The CLI reads past `closed` only when it is 0. */
    _Atomic uint32_t busy;
};
_Static_assert(sizeof(struct rs_frame_header) == 64, "wire format");

/*
 * The head of PATH.slab: page 0 and the page states after it. `tick` is written by the CLI alone. `free_pages`,
 * `hint`, `highest` and `backed` are advice that a broken writer can spoil without harming anybody but this session.
 */
struct rs_slab_header {
    uint32_t magic;
    uint32_t version;
    uint32_t page_count;      /* of data pages; states[] has as many */
    uint32_t first_page;      /* data page 0 starts at first_page * RS_FRAME_BYTES */
    uint64_t session;         /* random */
    uint32_t flags;           /* RS_SLAB_… */
    uint32_t root_pid;        /* the program's, as the CLI sees it */
    uint32_t timer_period_us; /* of the CPU timer; 0 means no timer */
    uint32_t reserved0[7];
    _Alignas(64) _Atomic uint32_t tick; /* never 0 */
    uint32_t reserved1[15];
    _Alignas(64) _Atomic int32_t free_pages;
    _Atomic uint32_t hint;      /* no page below it was free a moment ago */
    _Atomic uint32_t highest;   /* no page from it on was ever taken */
    _Atomic uint64_t no_room;   /* frames that found no page */
    _Atomic uint32_t backed;    /* pages below it have memory, or somebody is about to give it to them */
    _Atomic uint32_t no_memory; /* a writer could not: the file system is full, or the kernel is older than 5.14 */
    uint32_t reserved2[8];
};
_Static_assert(sizeof(struct rs_slab_header) == 192, "wire format");
#define RS_SLAB_STATES_OFFSET 4096u

#define RS_SLAB_ALLOC     1u /* record allocations */
#define RS_SLAB_NO_FOLLOW 2u /* only the process root_pid */

/*
 * states[i] of a data page. FREE -> OWNED by a writer (compare and swap), -> FULL by the same, -> FREE by the CLI.
 * UNBACKED pages have no memory yet: touching one could be a SIGBUS. Who needs pages takes the next ones by moving
 * `backed`, gives them memory (the CLI by fallocate(), a writer that finds no page by MADV_POPULATE_WRITE, which fails
 * where a touch would kill), and makes them FREE.
 */
enum { RS_PAGE_FREE = 0, RS_PAGE_OWNED = 1, RS_PAGE_FULL = 2, RS_PAGE_UNBACKED = 3 };

/*
 * Pages kept for definitions when the slab is full of events: an event whose stack is known can wait for better
 * times as a counter, a stack that nobody was told about cannot.
 */
#define RS_PAGES_RESERVED 64

/* The first word of each record, bits 0-1. */
enum rs_word { RS_WORD_NONE = 0, RS_WORD_ALLOC = 1, RS_WORD_FREE = 2, RS_WORD_RECORD = 3 };

/*
 * RS_WORD_ALLOC, three words: a block was allocated.
 *   word 0: kind 2 | freed 1 | temporary 1 | size 12 (bytes, < 4096) | node bits 0-15
 *   word 1: node bits 16-23 | delta 24 (signed; address = last address of the frame + 8 * delta)
 *   word 2: number
 * "Freed" means that the same thread freed it before anybody could see it: no RS_WORD_FREE follows.
 *
 * RS_WORD_FREE, two words:
 *   word 0: kind 2 | temporary 1 | delta 29 (signed, as above)
 *   word 1: number
 *
 * The number orders the events of one address whatever way they come: it is drawn from counter
 * rs_sequence_slot(address) of the process, after the real malloc and before the real free, and compared modulo 2^32.
 * Of two events of one address the higher number is the later one; where they lie minutes apart time tells, since a
 * counter may come half round in an hour.
 */
#define RS_ALLOC_FREED     4u
#define RS_ALLOC_TEMPORARY 8u
#define RS_FREE_TEMPORARY  4u
#define RS_PACKED_SIZE_MAX 4095u
#define RS_PACKED_NODE_MAX 0xffffffu

/*
 * 64 counters, four cache lines, for a megabyte of addresses: threads mostly have arenas of their own, and so counters
 * that stay with their processor.
 */
static inline uint32_t rs_sequence_slot(uint64_t address)
{
    return (uint32_t)((address >> 20) * 0x9e3779b97f4a7c15u >> 56) * RS_SEQUENCE_GROUP +
           (uint32_t)(address >> 4) % RS_SEQUENCE_GROUP;
}

/*
 * RS_WORD_RECORD: word 0 is kind 2 | unused 6 | record kind 8 | words 16 (of the whole record, this word included).
 * The structs below begin with it and are multiples of 4 bytes; text that follows one is not NUL-terminated and is
 * padded with zeros to a whole word. 64-bit fields are aligned to 4 bytes only: readers copy, writers use the packed
 * struct.
 */
#define RS_RECORD(kind, bytes) (RS_WORD_RECORD | (uint32_t)(kind) << 8 | (((uint32_t)(bytes) + 3) / 4) << 16)
#define RS_RECORD_KIND(word)   ((word) >> 8 & 0xff)
#define RS_RECORD_WORDS(word)  ((word) >> 16)
#define RS_RECORD_BYTES_MAX    (RS_FRAME_BYTES - (uint32_t)sizeof(struct rs_frame_header))

enum rs_record {
    RS_RECORD_HELLO = 1,
    RS_RECORD_MODULE = 2,
    RS_RECORD_NODE = 3,
    RS_RECORD_ALLOC = 4,
    RS_RECORD_FREE = 5,
    RS_RECORD_TICK = 6,
    RS_RECORD_COUNTS = 7,
    RS_RECORD_THREAD = 8,
    RS_RECORD_THREAD_END = 9,
    RS_RECORD_OUTSIDE = 10,
    RS_RECORD_LIB_FIRST = 32, /* 32-63 are librustscope's */
    RS_RECORD_LIB_LAST = 63,
    RS_RECORD_TIMER_FIRST = 64, /* 64-79 are the CPU timer's */
    RS_RECORD_SAMPLE = 64,
    RS_RECORD_TIMER_LAST = 79,
};

/* First record of an image. Text: exe path, then the command line with NULs between the arguments. */
struct rs_wire_hello {
    uint32_t word;
    uint32_t pid, ppid;
    uint32_t exe_bytes, argv_bytes;
    uint64_t start_ticks;  /* field 22 of /proc/self/stat, clock ticks since boot; 0 unknown */
    uint64_t pid_ns;       /* inode of /proc/self/ns/pid; 0 unknown */
    uint64_t parent_image; /* after fork: the image it was forked from */
    uint64_t clock_ns;
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct rs_wire_hello) == 52, "wire format");

/* A module of which frames will speak. Text: build-id bytes, then the path. Addresses are of this process. */
struct rs_wire_module {
    uint32_t word;
    uint32_t module; /* id inside the image, from 1 */
    uint64_t start, end;
    uint64_t bias; /* run-time address less the ELF file's p_vaddr */
    uint32_t build_id_bytes, path_bytes;
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct rs_wire_module) == 40, "wire format");

/*
 * A call-tree node. `parent` 0 is the root. `address` is module-relative (run-time pc less the module's bias) and a
 * return address, or a plain pc for module 0: code that belongs to no file. Ids may be used before they are defined
 * (another thread's frame comes first).
 */
struct rs_wire_node {
    uint32_t word;
    uint32_t node, parent;
    uint32_t module;
    uint64_t address;
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct rs_wire_node) == 24, "wire format");
#define RS_ADDRESS_TRUNCATED UINT64_MAX /* with module 0: the stack went on, we did not */

/* What does not fit the packed forms. */
struct rs_wire_alloc {
    uint32_t word;
    uint32_t node;
    uint32_t number;
    uint32_t flags; /* RS_ALLOC_FREED, RS_ALLOC_TEMPORARY */
    uint64_t address, size;
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct rs_wire_alloc) == 32, "wire format");

struct rs_wire_free {
    uint32_t word;
    uint32_t number;
    uint64_t address;
    uint32_t flags; /* RS_FREE_TEMPORARY */
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct rs_wire_free) == 20, "wire format");

/* Records from here on belong to this tick. */
struct rs_wire_tick {
    uint32_t word;
    uint32_t tick;
};
_Static_assert(sizeof(struct rs_wire_tick) == 8, "wire format");

/*
 * Allocations that no event tells, because it found no room. Without a slab only: with one they are in the thread's
 * counts page. Deltas since the last such record of the thread.
 */
struct rs_wire_counts {
    uint32_t word;
    uint32_t allocations;
    uint64_t bytes;
    uint32_t frees;
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct rs_wire_counts) == 20, "wire format");

/* Text: the thread's name, when it is known. */
struct rs_wire_thread {
    uint32_t word;
    uint32_t tid;
    uint32_t name_bytes;
};
_Static_assert(sizeof(struct rs_wire_thread) == 12, "wire format");

/* The thread is ending; nothing of it follows unless a later destructor allocates. */
struct rs_wire_thread_end {
    uint32_t word;
};

/* Address space taken or given back outside malloc by calls of the program itself. */
struct rs_wire_outside {
    uint32_t word;
    uint32_t node;
    uint32_t kind; /* enum rs_outside */
    uint32_t reserved;
    uint64_t address;
    int64_t bytes; /* growth; negative when given back */
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct rs_wire_outside) == 32, "wire format");
enum rs_outside { RS_OUTSIDE_MMAP = 1, RS_OUTSIDE_MUNMAP = 2, RS_OUTSIDE_MREMAP = 3, RS_OUTSIDE_BRK = 4 };

/*
 * A CPU sample of the thread whose stream it is in: it ran at NODE (0: the stack could not be walked) for PERIODS
 * periods of PERIOD_US, one and those that the timer could not deliver in time.
 */
struct rs_wire_sample {
    uint32_t word;
    uint32_t node;
    uint32_t periods;
    uint32_t period_us;
    uint32_t stop; /* enum rs_stop: why the walk ended */
    uint32_t reserved;
    uint64_t clock_ns;
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct rs_wire_sample) == 32, "wire format");

/*
 * A thread's second page in the slab: running totals of what never becomes an event. The CLI looks at it now and then
 * and when the thread or the process has ended, and takes the difference; nothing is ever sent or reset, so nothing can
 * be counted twice. Only the owner writes.
 *
 * An entry keeps its node for the thread's life. Entry 0 (node 0) takes what has no entry of its own.
 */
#define RS_COUNTS_MAGIC   0x31435352u /* "RSC1" */
#define RS_SIZE_CLASSES   5           /* up to 64, 512, 4096, 65536 bytes, more */
#define RS_COUNTS_ENTRIES 160u

struct rs_counts_entry {
    _Atomic uint32_t node;
    _Atomic uint32_t dropped;   /* allocations whose event found no room */
    _Atomic uint64_t temporary; /* allocations freed at once, whose events were taken back */
    _Atomic uint64_t bytes;     /* of both */
};
_Static_assert(sizeof(struct rs_counts_entry) == 24, "wire format");

struct rs_counts_page {
    uint32_t magic;
    uint16_t version;
    uint16_t reserved0;
    uint64_t image;
    uint32_t thread, tid;
    _Atomic uint64_t lost_frees;               /* frees whose event found no room */
    _Atomic uint64_t skipped;                  /* calls made inside a hook (a signal handler): not recorded at all */
    _Atomic uint64_t no_stack;                 /* recorded without a stack */
    _Atomic uint64_t truncated;                /* stacks that do not reach the root */
    _Atomic uint64_t by_size[RS_SIZE_CLASSES]; /* of the allocations in the entries */
    uint64_t reserved1[4];
    struct rs_counts_entry entry[RS_COUNTS_ENTRIES];
};
_Static_assert(sizeof(struct rs_counts_page) == 128 + 24 * RS_COUNTS_ENTRIES, "wire format");
_Static_assert(sizeof(struct rs_counts_page) <= RS_FRAME_BYTES, "wire format");

static inline unsigned rs_size_class(uint64_t bytes)
{
    return bytes <= 64 ? 0 : bytes <= 512 ? 1 : bytes <= 4096 ? 2 : bytes <= 65536 ? 3 : 4;
}
