/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "collect/modules/maps.h"

/* The processes and threads that perf's records speak of, by pid and tid. */
struct perf_process {
    struct perf_process *next;
    uint32_t pid, parent_pid;
    char name[16];         /* comm */
    uint32_t thread_count; /* of its threads that are in the table */
    struct address_space space;
    int32_t session_index; /* valid in drain session_index_drain */
    uint64_t session_index_drain;
    uint64_t reread_after_ns; /* maps are read again for an unmapped pc no earlier than this */
};

/*
 * What is known of a thread's stack from its last deep dump: [lo, hi) of its addresses, to the stack's outer end. The
 * next dump may be too small, and still end in bytes that are here.
 */
struct perf_outer {
    uint64_t lo, hi;
    size_t cap;
    uint8_t *bytes;
};

struct perf_thread {
    struct perf_thread *next;
    uint32_t tid;
    struct perf_process *process;
    bool own_event;          /* opened for this very thread: what it inherited as well must not count twice */
    int32_t session_process; /* for which session_index holds; -1 */
    uint32_t session_index;
    uint64_t off_since_ns; /* switched off the CPU at; 0: it runs */
    int32_t off_node;
    struct perf_outer outer;
};

enum { PERF_TASK_BUCKETS = 4096 };

struct perf_tasks {
    struct perf_process *processes[PERF_TASK_BUCKETS];
    struct perf_thread *threads[PERF_TASK_BUCKETS];
};

void perf_tasks_release(struct perf_tasks *tasks);

/* NULL when it is not known. */
struct perf_process *perf_tasks_find_process(const struct perf_tasks *tasks, uint32_t pid);
struct perf_thread *perf_tasks_find_thread(const struct perf_tasks *tasks, uint32_t tid);

struct perf_process *perf_tasks_add_process(struct perf_tasks *tasks, uint32_t pid);
/* The thread TID, added or moved to PROCESS as needed. */
struct perf_thread *perf_tasks_thread(struct perf_tasks *tasks, struct perf_process *process, uint32_t tid);

/* Forgets the thread, and its process with its last thread. Returns true when the process went too. */
bool perf_tasks_exit(struct perf_tasks *tasks, uint32_t tid);
