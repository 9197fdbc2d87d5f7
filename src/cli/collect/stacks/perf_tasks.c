/* SPDX-License-Identifier: MIT */
#include "collect/stacks/perf_tasks.h"

#include <stdlib.h>

#include "base/alloc.h"

static size_t bucket_of(uint32_t id)
{
    return id % PERF_TASK_BUCKETS; /* ids are handed out in sequence: nothing spreads better */
}

struct perf_process *perf_tasks_find_process(const struct perf_tasks *tasks, uint32_t pid)
{
    struct perf_process *process = tasks->processes[bucket_of(pid)];

    while (process && process->pid != pid)
        process = process->next;
    return process;
}

struct perf_thread *perf_tasks_find_thread(const struct perf_tasks *tasks, uint32_t tid)
{
    struct perf_thread *thread = tasks->threads[bucket_of(tid)];

    while (thread && thread->tid != tid)
        thread = thread->next;
    return thread;
}

struct perf_process *perf_tasks_add_process(struct perf_tasks *tasks, uint32_t pid)
{
    struct perf_process *process = xcalloc(1, sizeof(*process));

    process->pid = process->space.pid = pid;
    process->session_index = -1;
    process->next = tasks->processes[bucket_of(pid)];
    tasks->processes[bucket_of(pid)] = process;
    return process;
}

static void free_thread(struct perf_thread *thread)
{
    free(thread->outer.bytes);
    free(thread);
}

static void remove_process(struct perf_tasks *tasks, struct perf_process *process)
{
    struct perf_process **link = &tasks->processes[bucket_of(process->pid)];

    while (*link != process)
        link = &(*link)->next;
    *link = process->next;
    maps_space_release(&process->space);
    free(process);
}

struct perf_thread *perf_tasks_thread(struct perf_tasks *tasks, struct perf_process *process, uint32_t tid)
{
    struct perf_thread *thread = perf_tasks_find_thread(tasks, tid);

    if (thread && thread->process != process) { /* the id was used before and its end got lost */
        perf_tasks_exit(tasks, tid);
        thread = NULL;
    }
    if (!thread) {
        thread = xcalloc(1, sizeof(*thread));
        thread->tid = tid;
        thread->process = process;
        thread->session_process = -1;
        thread->next = tasks->threads[bucket_of(tid)];
        tasks->threads[bucket_of(tid)] = thread;
        process->thread_count++;
    }
    return thread;
}

bool perf_tasks_exit(struct perf_tasks *tasks, uint32_t tid)
{
    struct perf_thread **link = &tasks->threads[bucket_of(tid)], *thread;

    while (*link && (*link)->tid != tid)
        link = &(*link)->next;
    thread = *link;
    if (!thread)
        return false;
    *link = thread->next;
    if (--thread->process->thread_count) {
        free_thread(thread);
        return false;
    }
    remove_process(tasks, thread->process);
    free_thread(thread);
    return true;
}

void perf_tasks_release(struct perf_tasks *tasks)
{
    for (size_t i = 0; i < PERF_TASK_BUCKETS; i++) {
        while (tasks->threads[i]) {
            struct perf_thread *thread = tasks->threads[i];

            tasks->threads[i] = thread->next;
            free_thread(thread);
        }
        while (tasks->processes[i])
            remove_process(tasks, tasks->processes[i]);
    }
}
