/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "analyze/spikes.h"
#include "collect/process/os_process.h"
#include "collect/process/reaped.h"
#include "collect/process/sampler.h"
#include "session/session.h"

/*
 * The sampler from inside: what it keeps of every process under watch. sampler.c says what is read when; watched.c who
 * is watched, and as whose child; threads.c and episodes.c are the threads of a process and the spikes.
 */

struct watched_thread {
    pid_t tid;
    uint32_t index; /* in the session */
    int handle;     /* os_thread_open()'s */
    uint64_t run_ns, switches;
    unsigned passes; /* in which it ran */
    bool seen;
};

struct watched {
    pid_t pid;
    int32_t parent; /* in sampler->watched, -1 */
    uint32_t index; /* in the session */
    bool alive;
    bool early; /* it ran before measuring began: what it had used by then is not ours */
    struct os_process *os;

    uint64_t cpu_ns;
    struct reaped children;  /* CPU, ns */
    uint64_t children_at_ns; /* when that was read last, CLOCK_MONOTONIC */
    struct watched_tails {
        uint32_t process; /* in the session */
        uint32_t count;
    } tails;    /* watched children that have gone since, whose last moments nobody read */
    bool ran;   /* since the last slow pass */
    bool ended; /* a zombie, which has been read for the last time */
    uint64_t anon_bytes, rss_bytes;
    uint64_t image_id;
    unsigned threads;
    int64_t open_fds;
    struct reaped io[2]; /* bytes read and written */

    struct watched_thread *thread;
    size_t thread_count, thread_cap, thread_cursor;
    bool threads_listed; /* at least once */

    struct memory_spike spike;
    int32_t event; /* the open episode, -1 */
};

struct sampler {
    struct session *session;
    struct sampler_options options;
    struct proctable *table;
    bool memory_known; /* at least one reading of a process's memory */
    struct watched *watched;
    size_t count, cap, alive;
    size_t kept_threads; /* with a handle of their own */
    uint64_t last_ns, last_slow_ns;
    uint64_t early;                  /* processes that began before this (os_stat.start) are; 0: none can be */
    uint64_t io[2], switches;        /* since the last slow pass */
    bool io_known;                   /* at least one process's I/O can be read */
    size_t fast_cursor, slow_cursor; /* whose turn it is */
    int64_t suspended_ns;
    uint64_t cpu_total_ns; /* of everything, since the start */
    uint64_t cpu_tick_ns;  /* of it, used since the last tick */
    struct cpu_spike cpu_spike;
    int32_t cpu_event;
    int32_t short_lived; /* the record of children that nobody saw, -1 */
    struct sampler_now now;
};

enum { THREADS_PER_PASS = 64 }; /* of one process and 100 ms: about 1 % of a core at worst */

/* -- watched.c -- */

/* The process with PID that lives, NULL. Valid until the next one is watched. */
struct watched *watched_find(struct sampler *sampler, pid_t pid);
/* It has gone: its figures are closed and its descriptors given back. */
void watched_end(struct sampler *sampler, struct watched *w, uint64_t now_ns);
void watched_close(struct sampler *sampler, struct watched *w);
/* Reads its memory into W. */
enum os_reading watched_read_memory(struct watched *w);
/* Another program runs in it now. */
void watched_new_image(struct sampler *sampler, struct watched *w, const struct os_stat *stat, uint64_t now_ns);
/* The session's record INDEX is what runs in it now. */
void watched_move_to(struct sampler *sampler, struct watched *w, uint32_t index, uint64_t now_ns);
/* Watches the children that thread TID of process AT forked. May move sampler->watched. */
void watched_find_children(struct sampler *sampler, size_t at, pid_t tid, uint64_t now_ns);
/* CPU time that process INDEX of the session used since the last tick. */
void watched_add_cpu(struct sampler *sampler, uint32_t index, uint64_t ns);
/*
 * Reads what AT's waited-for children used, into STAT together with the rest, and its I/O. What no watched process
 * accounts for is added. False when it has gone.
 */
bool watched_read_inherited(struct sampler *sampler, size_t at, struct os_stat *stat, uint64_t now_ns);
/* The root's children used CHILDREN_NS in all: the sum is closed with it. */
void watched_close_cpu(struct sampler *sampler, uint64_t used_ns, uint64_t now_ns);

/* -- threads.c -- */

void threads_list(struct sampler *sampler, struct watched *w, uint64_t now_ns);
/* Reads CPU and name of some threads, in turn. Returns the context switches that they made. */
uint64_t threads_read(struct sampler *sampler, struct watched *w, const struct os_stat *stat);
/* The same after an exec: of the threads only the main one has a past. */
void threads_exec(struct sampler *sampler, struct watched *w, uint64_t now_ns);
void threads_forget(struct sampler *sampler, struct watched *w);
/* At the end: what coarse readings of threads left out. */
void threads_close_sums(struct session *s);

/* -- episodes.c -- */

void episodes_update_memory(struct sampler *sampler, struct watched *w, uint64_t now_ns);
void episodes_end_memory(struct sampler *sampler, struct watched *w);
void episodes_update_cpu(struct sampler *sampler, uint64_t now_ns);
void episodes_end_cpu(struct sampler *sampler);
/* Nothing was read between FROM_NS and TO_NS: a mark, and no episode reaches over it. */
void episodes_note_gap(struct sampler *sampler, uint64_t from_ns, uint64_t to_ns, const char *why);
