/* SPDX-License-Identifier: MIT */
/*
 * The sections of the summary that name code. Each line leads with the reader's own function, which they can change,
 * and says by what it costs; what has no owner stands last.
 */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "report/page.h"
#include "text/name.h"

enum { OWNERS_SHOWN = 8, LEAVES_SHOWN = 6, WAITS_SHOWN = 5, HOLDERS_SHOWN = 5, LEAKS_SHOWN = 5, NUMBER_COLS = 9 };

static double percent(uint64_t part, uint64_t all)
{
    return all ? 100.0 * (double)part / (double)all : 0;
}

static int bar_cols(const struct page *page)
{
    return page->cols >= 84 ? 12 : 0;
}

/* The column where the two columns of numbers begin. */
static int numbers_col(const struct page *page)
{
    return page->cols - (bar_cols(page) ? bar_cols(page) + 2 : 0) - 2 * NUMBER_COLS;
}

static void heading(struct page *page, const char *title, enum style style, const char *first, const char *second)
{
    int at = numbers_col(page);

    canvas_text(page->canvas, page->row, PAGE_LABEL_COL, at, title, style);
    canvas_text_right(page->canvas, page->row, at, NUMBER_COLS, first, STYLE_DIM);
    canvas_text_right(page->canvas, page->row, at + NUMBER_COLS, NUMBER_COLS, second, STYLE_DIM);
    page_next_row(page);
}

/* Two numbers and a bar of SHARE behind a line of code. */
static void numbers(struct page *page, const char *first, const char *second, double share, enum style style)
{
    int at = numbers_col(page), bar = bar_cols(page);
    char text[160];

    canvas_text_right(page->canvas, page->row, at, NUMBER_COLS, first, STYLE_NORMAL);
    canvas_text_right(page->canvas, page->row, at + NUMBER_COLS, NUMBER_COLS, second, STYLE_NORMAL);
    fmt_bar(text, sizeof(text), share / 100, bar, page->options->charset);
    canvas_text(page->canvas, page->row, page->cols - bar, bar, text, style);
    page_next_row(page);
}

static void and_more(struct page *page, size_t left)
{
    if (!left)
        return;
    canvas_printf(page->canvas, page->row, 4, page->cols, STYLE_DIM, "and %zu more", left);
    page_next_row(page);
}

/* ---- CPU time ---- */

static void draw_owners(struct page *page)
{
    const struct owner_costs *c = &page->cpu;
    size_t worth = 0;

    heading(page, "Where the time went", STYLE_TITLE, "self", "in all");
    for (size_t i = 0; i < c->owner_count; i++) {
        const struct owner_cost *o = &c->owners[i];
        double all_pct = percent(o->all_us, c->all_us);
        enum style style = all_pct >= 20 ? STYLE_HOT : STYLE_NORMAL;

        if (all_pct < 0.05 || worth++ >= OWNERS_SHOWN)
            continue;
        page_code(page, 4, numbers_col(page) - 5, o->frame, o->via, style);
        numbers(page, fmt_pct1(percent(o->self_us, c->all_us)).s, fmt_pct1(all_pct).s, all_pct,
                all_pct >= 20 ? STYLE_HOT : STYLE_FINE);
    }
    and_more(page, worth > OWNERS_SHOWN ? worth - OWNERS_SHOWN : 0);
}

/* Where the instructions ran, of whomever, told apart by who of the reader's made it. */
static void draw_leaves(struct page *page)
{
    const struct owner_costs *c = &page->cpu;
    size_t worth = 0;

    heading(page, "By self time", STYLE_DIM, "", "self");
    for (size_t i = 0; i < c->leaf_count; i++) {
        const struct owner_leaf *l = &c->leaves[i];
        double pct = percent(l->us, c->all_us);
        uint32_t frame = l->frame == UINT32_MAX ? l->leaf : l->frame;

        if (pct < 0.05 || worth++ >= LEAVES_SHOWN)
            continue;
        page_code(page, 4, numbers_col(page) - 5, frame, l->leaf == frame ? UINT32_MAX : l->leaf,
                  l->frame == UINT32_MAX ? STYLE_DIM : STYLE_NORMAL);
        numbers(page, "", fmt_pct1(pct).s, pct, STYLE_FINE);
    }
    and_more(page, worth > LEAVES_SHOWN ? worth - LEAVES_SHOWN : 0);
}

bool page_draw_time(struct page *page)
{
    const struct diagnostics *d = &page->s->diagnostics;
    char text[160], overhead[64] = "";

    if (!page->cpu.owner_count)
        return false;
    page_next_row(page);
    draw_owners(page);
    draw_leaves(page);
    if (isfinite(d->overhead_pct) && d->overhead_pct >= 0.5)
        snprintf(overhead, sizeof(overhead), ", recording took %s", fmt_pct1(d->overhead_pct).s);
    snprintf(text, sizeof(text), "(%u Hz, %s samples, %s lost%s)", page->s->meta.stack_rate_hz,
             fmt_si((double)d->stack_samples, "").s, fmt_si((double)d->stack_lost, "").s, overhead);
    canvas_text_right(page->canvas, page->row, 0, page->cols, text, STYLE_DIM);
    page_next_row(page);
    return true;
}

/* ---- time off the CPU ---- */

void page_draw_waits(struct page *page)
{
    const struct owner_costs *c = &page->waits;

    if (!c->owner_count)
        return;
    page_next_row(page);
    heading(page, page->s->offcpu_approx ? "Where it waited (about)" : "Where it waited", STYLE_TITLE, "time", "share");
    for (size_t i = 0; i < c->owner_count && i < WAITS_SHOWN; i++) {
        double pct = percent(c->owners[i].all_us, c->all_us);

        page_code(page, 4, numbers_col(page) - 5, c->owners[i].frame, c->owners[i].via, STYLE_NORMAL);
        numbers(page, fmt_span((double)c->owners[i].all_us / 1e6).s, fmt_pct1(pct).s, pct, STYLE_FINE);
    }
    and_more(page, c->owner_count > WAITS_SHOWN ? c->owner_count - WAITS_SHOWN : 0);
}

/* ---- memory ---- */

bool page_draw_holders(struct page *page)
{
    const struct allocations *a = &page->s->allocations;
    uint64_t *bytes = xcalloc(page->s->tree.node_count + 1, sizeof(*bytes));
    struct owner_costs held;
    bool any;

    for (size_t i = 0; i < a->stats_count; i++)
        if (a->stats[i].node >= 0 && (size_t)a->stats[i].node < page->s->tree.node_count)
            bytes[a->stats[i].node] += a->stats[i].peak_bytes;
    owner_costs_of(page->s, bytes, &page->owners, &held);
    any = held.owner_count > 0;
    for (size_t i = 0; i < held.owner_count && i < HOLDERS_SHOWN; i++) {
        const struct owner_cost *o = &held.owners[i];
        double share =
            page->totals.heap_peak_bytes > 0 ? 100.0 * (double)o->all_us / page->totals.heap_peak_bytes : NAN;

        page_code(page, 4, page->cols - 25, o->frame, o->via, STYLE_NORMAL);
        canvas_text_right(page->canvas, page->row, page->cols - 19, 10, fmt_bytes((double)o->all_us).s, STYLE_NORMAL);
        canvas_text_right(page->canvas, page->row, page->cols - 8, 8, fmt_pct(share).s, STYLE_NORMAL);
        page_next_row(page);
    }
    owner_costs_release(&held);
    free(bytes);
    return any;
}

/* What is still held, by the call that made it. */
struct leak_site {
    uint32_t frame, via;
    uint64_t bytes, count, first_ns, last_ns;
};

static int compare_sites(const void *a, const void *b)
{
    const struct leak_site *x = a, *y = b;

    return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

static bool same_function(const struct session *s, uint32_t a, uint32_t b)
{
    const struct frame *frames = s->tree.frames;

    if (a == b || a == UINT32_MAX || b == UINT32_MAX)
        return a == b;
    return frames[a].func && frames[a].func == frames[b].func && frames[a].crate == frames[b].crate;
}

static size_t leak_sites(const struct page *page, struct leak_site *sites)
{
    const struct allocations *a = &page->s->allocations;
    size_t count = 0;

    for (size_t i = 0; i < a->leak_count; i++) {
        const struct leak *leak = &a->leaks[i];
        int32_t owner = page->owners.owner[leak->node], via = page->owners.via[leak->node];
        uint32_t frame = page->s->tree.nodes[owner >= 0 ? owner : leak->node].frame;
        uint32_t by = via >= 0 ? page->s->tree.nodes[via].frame : UINT32_MAX;
        size_t k = 0;

        if (leak->suppressed || !leak->bytes)
            continue;
        while (k < count &&
               !(same_function(page->s, sites[k].frame, frame) && same_function(page->s, sites[k].via, by)))
            k++;
        if (k == count)
            sites[count++] = (struct leak_site){.frame = frame, .via = by, .first_ns = leak->first_ns};
        sites[k].bytes += leak->bytes;
        sites[k].count += leak->count;
        if (leak->first_ns < sites[k].first_ns)
            sites[k].first_ns = leak->first_ns;
        if (leak->last_ns > sites[k].last_ns)
            sites[k].last_ns = leak->last_ns;
    }
    qsort(sites, count, sizeof(*sites), compare_sites);
    return count;
}

/* Allocated in one go at the beginning, or ever again. */
static const char *when_text(const struct page *page, const struct leak_site *site)
{
    uint64_t run = page->s->duration_ns;

    if (site->count > 2 && site->last_ns - site->first_ns > run / 2)
        return "growing";
    return site->last_ns < run / 10 ? "since the start" : "";
}

void page_draw_leaks(struct page *page)
{
    enum { WHEN_COLS = 16, TAIL_COLS = 42 };
    const struct allocations *a = &page->s->allocations;
    struct leak_site *sites = xcalloc(a->leak_count + 1, sizeof(*sites));
    size_t count = page->options->window ? 0 : leak_sites(page, sites);

    if (count) {
        page_next_row(page);
        canvas_text(page->canvas, page->row, PAGE_LABEL_COL, page->cols, "Still allocated at the end", STYLE_TITLE);
        page_next_row(page);
    }
    for (size_t i = 0; i < count && i < LEAKS_SHOWN; i++) {
        const struct leak_site *site = &sites[i];
        char blocks[64];
        int tail = page->cols >= 100 ? TAIL_COLS : TAIL_COLS - WHEN_COLS;

        page_code(page, 4, page->cols - tail - 5, site->frame, site->via, STYLE_NORMAL);
        canvas_text_right(page->canvas, page->row, page->cols - tail, 10, fmt_bytes((double)site->bytes).s,
                          STYLE_NORMAL);
        snprintf(blocks, sizeof(blocks), "%s block%s", fmt_si((double)site->count, "").s, site->count == 1 ? "" : "s");
        canvas_text_right(page->canvas, page->row, page->cols - tail + 10, 14, blocks, STYLE_DIM);
        if (tail == TAIL_COLS)
            canvas_text_right(page->canvas, page->row, page->cols - WHEN_COLS, WHEN_COLS, when_text(page, site),
                              STYLE_DIM);
        page_next_row(page);
    }
    and_more(page, count > LEAKS_SHOWN ? count - LEAKS_SHOWN : 0);
    free(sites);
}
