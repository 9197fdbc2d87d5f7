/* SPDX-License-Identifier: MIT */
/* Which benchmarks there are, and what of them the command line wants. */
#include "lib/bench/program.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

static struct rustscope_bench_entry *first_entry, **last_entry = &first_entry;

void rustscope_bench_register(struct rustscope_bench_entry *entry)
{
    entry->next = NULL;
    *last_entry = entry;
    last_entry = &entry->next;
}

void rustscope_bench_declare(struct rustscope_bench_entry *entry, const char *name, ...)
{
    entry->name = name;
}

/* Kept in ascending order: in RS_BENCH's parentheses they are evaluated in whatever order the compiler likes. */
int rustscope_bench_add_n(struct rustscope_bench_entry *entry, int64_t n)
{
    uint32_t at = entry->n_count;

    if (at >= sizeof(entry->n) / sizeof(*entry->n))
        return -ENOSPC;
    for (; at && entry->n[at - 1] > n; at--)
        entry->n[at] = entry->n[at - 1];
    entry->n[at] = n;
    entry->n_count++;
    return 0;
}

int rustscope_bench_add_range(struct rustscope_bench_entry *entry, int64_t low, int64_t high, int64_t factor)
{
    int rc = 0;

    if (low < 1 || high < low || factor < 2)
        return -EINVAL;
    for (int64_t n = low; n < high && !rc; n = n > high / factor ? high : n * factor)
        rc = rustscope_bench_add_n(entry, n);
    return rc ? rc : rustscope_bench_add_n(entry, high);
}

int rustscope_bench_add_threads(struct rustscope_bench_entry *entry, uint32_t threads)
{
    uint32_t at = entry->thread_count;

    if (!threads)
        return -EINVAL;
    if (at >= sizeof(entry->threads) / sizeof(*entry->threads))
        return -ENOSPC;
    for (; at && entry->threads[at - 1] > threads; at--)
        entry->threads[at] = entry->threads[at - 1];
    entry->threads[at] = threads;
    entry->thread_count++;
    return 0;
}

int rustscope_bench_set(struct rustscope_bench_entry *entry, uint64_t time_ms, uint32_t samples, uint64_t batch)
{
    if (time_ms)
        entry->config.time_ns = time_ms * 1000000;
    if (samples)
        entry->config.samples = samples;
    if (batch)
        entry->config.batch = batch;
    return 0;
}

static bool is_wanted(const struct rs_bench_options *o, const char *name)
{
    for (int i = 0; i < o->filter_count; i++) {
        const char *filter = o->filters[i];

        if (strpbrk(filter, "*?[") ? !fnmatch(filter, name, 0) : strstr(name, filter) != NULL)
            return true;
    }
    return !o->filter_count;
}

/* What OPTIONS and the number of processes make of the benchmark's own settings. */
static void set_config(const struct rs_bench_options *o, struct rs_bench_item *item)
{
    struct rustscope_bench_config *c = &item->config;
    double time_ns = c->time_ns ? (double)c->time_ns : 500e6, warmup_ns = c->warmup_ns ? (double)c->warmup_ns : 100e6;
    uint32_t samples = o->samples ? o->samples : c->samples ? c->samples : 100;

    if (o->time_sec)
        time_ns = o->time_sec * 1e9;
    if (o->quick) {
        time_ns /= 5;
        warmup_ns /= 5;
    }
    c->size = sizeof(*c);
    c->time_ns = (uint64_t)(time_ns / o->processes) + 1;
    c->warmup_ns = (uint64_t)(o->processes > 1 ? warmup_ns / 2 : warmup_ns) + 1;
    /* 0 lets long iterations have fewer. */
    if (o->samples || item->entry->config.samples || o->processes > 1) {
        c->samples = samples / o->processes;
        c->samples = c->samples < 10 && o->processes > 1 ? 10 : c->samples;
    }
    c->seed = c->seed ? c->seed : 1;
}

bool rs_bench_has_any(void)
{
    return first_entry != NULL;
}

struct rs_bench_item *rs_bench_plan(const struct rs_bench_options *o, size_t *count)
{
    struct rs_bench_item *items = NULL, *more, one;

    *count = 0;
    for (struct rustscope_bench_entry *e = first_entry; e; e = e->next) {
        if (e->declare && !e->name)
            e->declare(e);
        for (uint32_t n = 0; n < (e->n_count ? e->n_count : 1); n++) {
            for (uint32_t t = 0; t < (e->thread_count ? e->thread_count : 1); t++) {
                int len = snprintf(one.name, sizeof(one.name), "%s", e->name ? e->name : "?");

                one.entry = e;
                one.config = e->config;
                one.has_n = e->n_count > 0;
                if (one.has_n) {
                    one.config.n = e->n[n];
                    if (len < (int)sizeof(one.name))
                        len += snprintf(one.name + len, sizeof(one.name) - (size_t)len, "/%lld", (long long)e->n[n]);
                }
                if (e->thread_count) {
                    one.config.threads = e->threads[t];
                    if (len < (int)sizeof(one.name))
                        snprintf(one.name + len, sizeof(one.name) - (size_t)len, "/threads:%u", e->threads[t]);
                }
                if (!is_wanted(o, one.name))
                    continue;
                set_config(o, &one);
                more = realloc(items, (*count + 1) * sizeof(*items));
                if (!more) {
                    free(items);
                    return NULL;
                }
                items = more;
                items[(*count)++] = one;
            }
        }
    }
    return items ? items : calloc(1, sizeof(*items));
}

bool rs_bench_run_item(const struct rs_bench_item *item, struct rs_bench_result *r)
{
    int rc;

    memset(r, 0, sizeof(*r));
    r->name = strdup(item->name);
    r->family = strdup(item->entry->name ? item->entry->name : "?");
    rc = rs_bench_measure(&item->config, item->entry->run, item->entry->ctx, r);
    if (item->has_n)
        r->counts.flags |= RS_BENCH_HAS_N;
    if (rc)
        r->refusal = strdup(rc == -ENODATA ? rustscope_why() : strerror(-rc));
    if (r->name && r->family && (!rc || r->refusal))
        return true;
    rs_bench_result_release(r);
    return false;
}
