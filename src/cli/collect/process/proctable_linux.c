/* SPDX-License-Identifier: MIT */
#include "collect/process/proctable.h"

#include <errno.h>
#include <libproc2/pids.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "core/clock.h"

enum { MOST_WAITING = 100000 }; /* entries that nobody took */

#ifdef __SANITIZE_ADDRESS__
/* libproc2 never frees what it kept for a thread; there is one such thread. */
const char *__lsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
    return "leak:libproc2\n";
}
#endif

static const uint64_t PERIOD_NS = 1000000000;
enum { COST_FACTOR = 200 }; /* a look may take half a percent of a core */

struct proctable {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool started, stop;
    struct proctable_entry *entries;
    size_t count, cap;
};

static enum pids_item items[] = {PIDS_ID_PID, PIDS_ID_PPID};

static void keep(struct proctable *table, const struct pids_fetch *fetched)
{
    pthread_mutex_lock(&table->lock);
    for (int i = 0; fetched && i < fetched->counts->total && table->count < MOST_WAITING; i++) {
        GROW(table->entries, table->count + 1, table->cap);
        table->entries[table->count++] = (struct proctable_entry){.pid = PIDS_VAL(0, s_int, fetched->stacks[i], info),
                                                                  .ppid = PIDS_VAL(1, s_int, fetched->stacks[i], info)};
    }
    pthread_mutex_unlock(&table->lock);
}

static void *run(void *ctx)
{
    struct proctable *table = ctx;
    struct pids_info *info = NULL;
    uint64_t next_ns = rs_clock_mono_ns() + PERIOD_NS;

    if (procps_pids_new(&info, items, sizeof(items) / sizeof(*items)) < 0)
        return NULL;
    pthread_mutex_lock(&table->lock);
    while (!table->stop) {
        uint64_t now_ns = rs_clock_mono_ns();
        uint64_t cost_ns;

        if (now_ns < next_ns) {
            struct timespec until = {(time_t)(next_ns / 1000000000), (long)(next_ns % 1000000000)};

            pthread_cond_timedwait(&table->wake, &table->lock, &until);
            continue;
        }
        pthread_mutex_unlock(&table->lock);
        keep(table, procps_pids_reap(info, PIDS_FETCH_TASKS_ONLY));
        cost_ns = rs_clock_mono_ns() - now_ns;
        next_ns = now_ns + (cost_ns * COST_FACTOR > PERIOD_NS ? cost_ns * COST_FACTOR : PERIOD_NS);
        pthread_mutex_lock(&table->lock);
    }
    pthread_mutex_unlock(&table->lock);
    procps_pids_unref(&info);
    return NULL;
}

struct proctable *proctable_new(void)
{
    struct proctable *table = xcalloc(1, sizeof(*table));
    pthread_condattr_t attr;
    sigset_t all, old;

    pthread_mutex_init(&table->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&table->wake, &attr);
    pthread_condattr_destroy(&attr);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    table->started = !pthread_create(&table->thread, NULL, run, table);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return table;
}

void proctable_free(struct proctable *table)
{
    if (!table)
        return;
    pthread_mutex_lock(&table->lock);
    table->stop = true;
    pthread_cond_signal(&table->wake);
    pthread_mutex_unlock(&table->lock);
    if (table->started)
        pthread_join(table->thread, NULL);
    free(table->entries);
    pthread_cond_destroy(&table->wake);
    pthread_mutex_destroy(&table->lock);
    free(table);
}

size_t proctable_take(struct proctable *table, struct proctable_entry **entries)
{
    size_t count;

    pthread_mutex_lock(&table->lock);
    *entries = table->entries;
    count = table->count;
    table->entries = NULL;
    table->count = table->cap = 0;
    pthread_mutex_unlock(&table->lock);
    return count;
}
