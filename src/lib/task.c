/* SPDX-License-Identifier: MIT */
/*
 * Tasks: work that is polled, suspended and resumed, perhaps in another thread. The state is the caller's; the figures go
 * at once to the node that the polling thread has for the task, so an unfinished task is in the report up to its last
 * poll, and a task that is dropped without an end loses nothing but that count. A poll is a call of the task's scope:
 * polls, busy time and the longest poll are the node's own figures (snapshot.c).
 */
#include <rustscope.h>
#include <stdbool.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/context.h"
#include "lib/scope.h"
#include "lib/state.h"

/* Later ticks of another CPU may lie a little before earlier ones of this. */
static uint64_t between(uint64_t from, uint64_t to)
{
    return (int64_t)(to - from) > 0 ? to - from : 0;
}

static __attribute__((noinline, cold)) struct rs_scope_task *first_figures_of(struct rustscope_node *node)
{
    struct rs_context *c = RS_THREAD_.context;
    struct rs_extra *extra = NULL;
    uint32_t before;

    if (c) {
        before = rs_busy_begin();
        extra = rs_context_extra(c, node);
        rs_busy_end(before);
    }
    return extra ? &extra->task : NULL;
}

static inline struct rs_scope_task *figures_of(struct rustscope_node *node)
{
    return RS_LIKELY_(node->extra != NULL) ? &node->extra->task : first_figures_of(node);
}

static void add(uint64_t *to, uint64_t value)
{
    RS_STORE_(*to, *to + value);
}

void rustscope_task_begin(struct rustscope_task *task, struct rustscope_site *site)
{
    struct rustscope_node *node;
    struct rs_scope_task *figures;

    memset(task, 0, sizeof(*task));
    rs_init();
    if (RS_LOAD_(RS_STATE_) & RUSTSCOPE_STATE_OFF)
        return;
    node = rs_top_node(site);
    figures = node ? figures_of(node) : NULL;
    if (!figures)
        return;
    task->site = site;
    task->created_ticks = rs_clock_ticks();
    add(&figures->started, 1);
}

/* Where the time since the last poll went, or since the beginning. */
static void account_wait(struct rustscope_task *task, struct rs_scope_task *figures, uint64_t now)
{
    uint64_t since = task->last_exit_ticks, wake, idle, scheduled;

    if (!task->polls) {
        add(&figures->first_delay_ticks, between(task->created_ticks, now));
        RS_STORE_(task->wake_ticks, 0);
        return;
    }
    idle = between(since, now);
    if (RS_LOAD_(task->wake_ticks)) {
        wake = __atomic_exchange_n(&task->wake_ticks, 0, __ATOMIC_ACQ_REL);
        /* A wake during the last poll: it was ready to go on at once. */
        scheduled = between(wake > since ? wake : since, now);
        scheduled = scheduled < idle ? scheduled : idle;
        idle -= scheduled;
        add(&figures->scheduled_ticks, scheduled);
    }
    add(&figures->idle_ticks, idle);
}

void rustscope_task_poll_enter(struct rustscope_task *task)
{
    struct rs_scope_task *figures;

    task->frame.node = NULL;
    if (!task->site)
        return;
    rustscope_scope_begin_at(&task->frame, task->site, (uintptr_t)__builtin_dwarf_cfa());
    if (!task->frame.node)
        return;
    if (task->frame.how & RUSTSCOPE_HOW_UNTIMED)
        task->frame.start_ticks = 0;
    figures = figures_of(task->frame.node);
    if (figures && task->frame.start_ticks)
        account_wait(task, figures, task->frame.start_ticks);
}

void rustscope_task_poll_exit(struct rustscope_task *task, int ready)
{
    uint64_t start = task->frame.start_ticks;

    (void)ready; /* the end says how it ended; kept in the interface for runtimes that report no end */
    if (!task->frame.node)
        return;
    task->last_exit_ticks = start + rustscope_scope_close(&task->frame);
    task->frame.node = NULL;
    task->polls++;
}

/* It has been ready to go on since the first wake. */
void rustscope_task_wake_at(struct rustscope_task *task, uint64_t ticks)
{
    uint64_t none = 0;

    if (task->site)
        __atomic_compare_exchange_n(&task->wake_ticks, &none, ticks, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

void rustscope_task_wake(struct rustscope_task *task)
{
    if (task->site && !RS_LOAD_(task->wake_ticks))
        rustscope_task_wake_at(task, rs_clock_ticks());
}

uint64_t rustscope_task_clock(void)
{
    uint64_t ticks;

    rs_init(); /* which chooses the clock */
    ticks = rs_clock_ticks();
    return ticks ? ticks : 1;
}

void rustscope_task_end(struct rustscope_task *task, int cancelled)
{
    struct rustscope_node *node = task->site ? rs_top_node(task->site) : NULL;
    struct rs_scope_task *figures = node ? figures_of(node) : NULL;

    if (figures) {
        add(cancelled ? &figures->cancelled : &figures->completed, 1);
        add(&figures->lifetime_ticks, between(task->created_ticks, rs_clock_ticks()));
    }
    task->site = NULL;
}
