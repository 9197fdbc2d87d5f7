/* SPDX-License-Identifier: MIT */
#include "report/findings.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "text/name.h"

enum {
    ENOUGH_SAMPLES = 100, /* below that, shares say little */
    NAME_COLS = 60,
    MANY_ALLOCATIONS = 100000,
    MANY_FDS = 100,
};

static void add(struct findings *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct findings *f, const char *format, ...)
{
    va_list args;

    if (f->count >= FINDINGS_MAX)
        return;
    va_start(args, format);
    vsnprintf(f->text[f->count++], sizeof(f->text[0]), format, args);
    va_end(args);
}

/* `svc::price (svc.cpp:41)` */
struct line {
    char s[256];
};

static struct line line_of(const struct page *page, uint32_t frame)
{
    char name[160], place[80];
    struct line line;

    page_frame_name(page, frame, NAME_COLS, name, sizeof(name));
    page_frame_place(page, frame, place, sizeof(place));
    snprintf(line.s, sizeof(line.s), *place ? "%s (%s)" : "%s", name, place);
    return line;
}

static struct line name_of(const struct page *page, uint32_t frame)
{
    struct line line;

    page_frame_name(page, frame, NAME_COLS, line.s, sizeof(line.s));
    return line;
}

static double percent(double part, double all)
{
    return all > 0 ? 100 * part / all : 0;
}

/* An address in a module without symbols: nothing that a reader could look for. */
static bool is_nameless(const struct page *page, uint32_t frame)
{
    const struct frame *f = &page->s->tree.frames[frame];

    return !f->func || (!f->file && strstr(page_text(page, f->func), "+0x"));
}

/* The module of PAGE's program whose code ran without names for a quarter of the time or more; -1: none. */
static int32_t nameless_module(const struct page *page, double *pct)
{
    const struct session *s = page->s;
    uint64_t *us = xcalloc(s->tree.module_count + 1, sizeof(*us));
    int32_t worst = -1;

    for (size_t i = 0; i < page->cpu.leaf_count; i++) {
        const struct owner_leaf *l = &page->cpu.leaves[i];
        const struct frame *f = &s->tree.frames[l->leaf];
        bool lacks = f->object >= 0 && (s->tree.modules[f->object].symbols == MODULE_SYMBOLS_NONE ||
                                        s->tree.modules[f->object].symbols == MODULE_SYMBOLS_DYNSYM);

        if (lacks && !f->file && f->layer != LAYER_KERNEL && (f->layer == LAYER_USER || f->layer == LAYER_DEP))
            us[f->object] += l->us;
    }
    for (size_t m = 0; m < s->tree.module_count; m++)
        if (worst < 0 || us[m] > us[worst])
            worst = (int32_t)m;
    *pct = worst < 0 ? 0 : percent((double)us[worst], (double)page->cpu.all_us);
    free(us);
    return *pct >= 25 ? worst : -1;
}

static void names_are_missing(const struct page *page, struct findings *f)
{
    double pct;
    int32_t module = nameless_module(page, &pct);

    if (module >= 0)
        add(f,
            "%s of the CPU time is in %s, whose names are missing: it is stripped. Build it with -g and without strip "
            "(Rust: [profile.release] debug = 1, strip = false), install its -dbgsym or -debuginfo package, or record "
            "with --debuginfod.",
            fmt_pct(pct).s, page_text(page, page->s->tree.modules[module].name));
}

static void costly_function(const struct page *page, struct findings *f)
{
    const struct owner_costs *c = &page->cpu;
    double all_pct, self_pct;

    if (!c->owner_count || page->s->diagnostics.stack_samples < ENOUGH_SAMPLES || is_nameless(page, c->owners[0].frame))
        return;
    all_pct = percent((double)c->owners[0].all_us, (double)c->all_us);
    self_pct = percent((double)c->owners[0].self_us, (double)c->all_us);
    if (all_pct < 25)
        return;
    if (c->owners[0].via == UINT32_MAX || self_pct * 2 >= all_pct)
        add(f, "%s takes %s of all CPU time, %s of it in its own lines: make it do less, or call it less often.",
            line_of(page, c->owners[0].frame).s, fmt_pct(all_pct).s, fmt_pct(percent(self_pct, all_pct)).s);
    else
        add(f, "%s takes %s of all CPU time, most of it by calling %s: call that less often, or something cheaper.",
            line_of(page, c->owners[0].frame).s, fmt_pct(all_pct).s, name_of(page, c->owners[0].via).s);
}

static void heaviest_spike(const struct page *page, struct findings *f)
{
    const struct session *s = page->s;
    const struct session_event *worst = NULL;
    uint32_t frame, via;
    int64_t bytes;
    bool owned;

    for (size_t i = 0; i < s->event_count; i++) {
        const struct session_event *e = &s->events[i];

        if (e->type == EVENT_MEMORY_SPIKE && e->allocation_count && e->start_ns <= page->window.to_ns &&
            e->end_ns >= page->window.from_ns && (!worst || e->size_bytes > worst->size_bytes))
            worst = e;
    }
    if (!worst)
        return;
    owned = page_spike_owner(page, worst, &frame, &via, &bytes) && !is_nameless(page, frame);
    if (!owned)
        bytes = worst->allocations[0].bytes;
    if (bytes * 2 < worst->size_bytes)
        return;
    if (bytes > worst->size_bytes) /* what was freed meanwhile is not in the growth */
        bytes = worst->size_bytes;
    if (owned)
        add(f, "%s of the %s memory spike at %s is allocated by %s: allocate in parts, or reuse what is there.",
            fmt_pct(percent((double)bytes, (double)worst->size_bytes)).s, fmt_bytes((double)worst->size_bytes).s,
            fmt_clock((double)worst->start_ns / 1e9).s, line_of(page, frame).s);
    else
        add(f, "%s of the %s memory spike at %s is allocated by %.200s.",
            fmt_pct(percent((double)bytes, (double)worst->size_bytes)).s, fmt_bytes((double)worst->size_bytes).s,
            fmt_clock((double)worst->start_ns / 1e9).s, page_text(page, worst->allocations[0].path));
}

/* The owner of the most of what PICK takes from the statistics; UINT32_MAX: none. */
static uint32_t owner_of_most(const struct page *page, uint64_t (*pick)(const struct alloc_stats *), double *pct)
{
    const struct session *s = page->s;
    uint64_t *amounts = xcalloc(s->tree.node_count + 1, sizeof(*amounts));
    struct owner_costs costs;
    uint32_t frame = UINT32_MAX;

    for (size_t i = 0; i < s->allocations.stats_count; i++)
        if (s->allocations.stats[i].node >= 0 && (size_t)s->allocations.stats[i].node < s->tree.node_count)
            amounts[s->allocations.stats[i].node] += pick(&s->allocations.stats[i]);
    owner_costs_of(s, amounts, &page->owners, &costs);
    if (costs.owner_count && !is_nameless(page, costs.owners[0].frame)) {
        frame = costs.owners[0].frame;
        *pct = percent((double)costs.owners[0].all_us, (double)costs.all_us);
    }
    owner_costs_release(&costs);
    free(amounts);
    return frame;
}

static uint64_t leaked_of(const struct alloc_stats *stats)
{
    return stats->leaked_bytes;
}

static uint64_t temporary_of(const struct alloc_stats *stats)
{
    return stats->temporary;
}

static void leaks(const struct page *page, struct findings *f)
{
    const struct allocations *a = &page->s->allocations;
    double pct = 0;
    uint32_t frame;

    if (!a->measured || page->options->window || a->leaked_bytes < 1000000 || a->leaked_bytes * 10 < a->peak_bytes)
        return;
    frame = owner_of_most(page, leaked_of, &pct);
    if (frame == UINT32_MAX)
        add(f, "%s in %s blocks were still allocated at the end.", fmt_bytes((double)a->leaked_bytes).s,
            fmt_si((double)a->leaked_count, "").s);
    else
        add(f, "%s in %s blocks were still allocated at the end, %s of it by %s: free it, or bound what is kept.",
            fmt_bytes((double)a->leaked_bytes).s, fmt_si((double)a->leaked_count, "").s, fmt_pct(pct).s,
            line_of(page, frame).s);
}

static void temporaries(const struct page *page, struct findings *f)
{
    const struct allocations *a = &page->s->allocations;
    double pct = 0, share = percent((double)a->temporary, (double)a->total_allocations);
    uint32_t frame;

    if (!a->measured || page->options->window || a->total_allocations < MANY_ALLOCATIONS || share < 50)
        return;
    frame = owner_of_most(page, temporary_of, &pct);
    if (frame == UINT32_MAX)
        add(f, "%s of %s allocations are freed at once: reuse a buffer.", fmt_pct(share).s,
            fmt_si((double)a->total_allocations, "").s);
    else
        add(f, "%s of %s allocations are freed at once, %s of those in %s: reuse a buffer there.", fmt_pct(share).s,
            fmt_si((double)a->total_allocations, "").s, fmt_pct(pct).s, line_of(page, frame).s);
}

/* Whoever waits there has nothing to do: for children, for work, for a peer that calls. */
static bool is_idle(const char *name)
{
    static const char *const calls[] = {"wait3",       "wait4",     "waitpid",  "waitid",       "epoll_wait",
                                        "epoll_pwait", "poll",      "ppoll",    "select",       "pselect",
                                        "accept",      "accept4",   "sigwait",  "pause",        "__poll",
                                        "__wait4",     "__waitpid", "__select", "sigtimedwait", "sigwaitinfo"};

    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
        if (!strcmp(name, calls[i]))
            return true;
    return false;
}

static void waits(const struct page *page, struct findings *f)
{
    const struct owner_costs *c = &page->waits;
    double cpu_pct = page->totals.cpu_avg_pct;

    if (!c->owner_count || !(cpu_pct < 60) || (double)c->owners[0].all_us * 2 < (double)c->all_us)
        return;
    if (is_nameless(page, c->owners[0].frame) ||
        (c->owners[0].via != UINT32_MAX && is_idle(name_of(page, c->owners[0].via).s)))
        return;
    add(f, "The program used %s of a core: it waited, most of the time (%s over its threads) in %s%s%s.",
        fmt_pct(cpu_pct).s, fmt_span((double)c->owners[0].all_us / 1e6).s, line_of(page, c->owners[0].frame).s,
        c->owners[0].via != UINT32_MAX ? " by calling " : "",
        c->owners[0].via != UINT32_MAX ? name_of(page, c->owners[0].via).s : "");
}

static void descriptors(const struct page *page, struct findings *f)
{
    const struct totals *t = &page->totals;

    if (t->fd_last - t->fd_first >= MANY_FDS && t->fd_last >= 0.9 * t->fd_peak)
        add(f,
            "Open descriptors grew from %.0f to %.0f and did not fall: something opens files or sockets and does not "
            "close them.",
            t->fd_first, t->fd_last);
}

void findings_of(const struct page *page, struct findings *findings)
{
    findings->count = 0;
    names_are_missing(page, findings);
    costly_function(page, findings);
    heaviest_spike(page, findings);
    leaks(page, findings);
    waits(page, findings);
    temporaries(page, findings);
    descriptors(page, findings);
}
