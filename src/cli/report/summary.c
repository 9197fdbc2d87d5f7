/* SPDX-License-Identifier: MIT */
#include "report/summary.h"

#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "analyze/node_path.h"
#include "base/alloc.h"
#include "core/path.h"
#include "report/findings.h"
#include "report/page.h"
#include "text/name.h"

enum {
    SPIKES_SHOWN = 8,
    BENCHMARKS_SHOWN = 20,
    FUNCTIONS_SHOWN = 10,
    HOLDERS_SHOWN = 5,
    WORST_SHOWN = 3,
    OUTSIDE_WORTH_BYTES = 1000000, /* a line of its own */
    PATH_FRAMES = 5,
};

/* -- head --------------------------------------------------------------------------------------------------------- */

static void program_text(const struct page *page, char *out, size_t cap)
{
    const struct session_meta *meta = &page->s->meta;
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < meta->argc && used < cap - 1; i++) {
        const char *arg = page_text(page, meta->argv[i]);

        if (i == 0)
            arg = rs_path_base(arg);
        used += (size_t)snprintf(out + used, cap - used, "%s%s", i ? " " : "", *arg ? arg : "''");
    }
    if (!meta->argc) {
        const char *name = page->s->process_count ? page_text(page, page->s->processes[0].name) : "";

        if (meta->pid > 0)
            snprintf(out, cap, *name ? "%s (pid %d)" : "%spid %d", name, meta->pid);
        else
            snprintf(out, cap, "%s", *name ? name : "session");
    }
}

static void ending_text(const struct session_meta *meta, char *out, size_t cap)
{
    if (meta->stop_reason == STOP_DURATION)
        snprintf(out, cap, "end of duration");
    else if (meta->stop_reason == STOP_DETACHED)
        snprintf(out, cap, "detached");
    else if (meta->exit_signal)
        snprintf(out, cap, "%s%s", meta->stop_reason == STOP_INTERRUPT ? "interrupted, " : "killed by SIG",
                 meta->stop_reason == STOP_INTERRUPT ? "" : sigabbrev_np(meta->exit_signal));
    else if (meta->exit_code >= 0)
        snprintf(out, cap, "%sexit %d", meta->stop_reason == STOP_INTERRUPT ? "interrupted, " : "", meta->exit_code);
    else
        snprintf(out, cap, "%s", rs_word(WORDS_STOP_REASON, meta->stop_reason));
    if (meta->exit_signal && meta->stop_reason == STOP_INTERRUPT)
        snprintf(out, cap, "interrupted (SIG%s)", sigabbrev_np(meta->exit_signal));
}

static void draw_head(struct page *page)
{
    const struct session_meta *meta = &page->s->meta;
    const struct summary_options *o = page->options;
    bool bad = meta->exit_signal || meta->exit_code > 0;
    char program[1024], ending[64], times[128], file[512] = "";
    int col, right, needed;

    program_text(page, program, sizeof(program));
    ending_text(meta, ending, sizeof(ending));
    if (o->window)
        snprintf(times, sizeof(times), "%s to %s of %s", fmt_clock((double)page->window.from_ns / 1e9).s,
                 fmt_clock((double)page->window.to_ns / 1e9).s, fmt_span((double)page->s->duration_ns / 1e9).s);
    else
        snprintf(times, sizeof(times), "%s", fmt_span((double)page->s->duration_ns / 1e9).s);
    if (o->path && o->path_bytes)
        snprintf(file, sizeof(file), "%.400s (%s)", o->path, fmt_bytes((double)o->path_bytes).s);
    else if (o->path)
        snprintf(file, sizeof(file), "%.400s", o->path);

    col = canvas_text(page->canvas, page->row, 0, page->cols, "rustscope", STYLE_DIM) + 2;
    right = fmt_cols(times, o->charset) + 3 + fmt_cols(ending, o->charset);
    /* The name is cut before the numbers are; the file moves to a line of its own before the name is cut. */
    needed = fmt_cols(program, o->charset);
    bool file_below = *file && col + needed + 3 + right + 3 + fmt_cols(file, o->charset) > page->cols;
    if (needed > page->cols - col - right - 3)
        needed = page->cols - col - right - 3;
    col += canvas_text(page->canvas, page->row, col, needed, program, STYLE_TITLE) + 3;
    col = page_piece(page, col, STYLE_NORMAL, "%s", times);
    page_piece(page, col, bad ? STYLE_SPIKE : STYLE_NORMAL, "%s", ending);
    if (*file && file_below) {
        page_next_row(page);
        canvas_text(page->canvas, page->row, PAGE_SPARK_COL, page->cols - PAGE_SPARK_COL, file, STYLE_DIM);
    } else if (*file) {
        canvas_text_right(page->canvas, page->row, 0, page->cols, file, STYLE_DIM);
    }
    page_next_row(page);
    page_next_row(page);
}

/* -- metrics ------------------------------------------------------------------------------------------------------ */

static int spark_cells(const struct page *page)
{
    return page->cols >= 90 ? 32 : page->cols >= 76 ? 22 : 16;
}

static bool is_flat(const double *values, size_t count)
{
    const double *first = NULL;

    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i]))
            continue;
        if (first && values[i] != *first)
            return false;
        first = first ? first : &values[i];
    }
    return true;
}

/* The metric's sparkline, a plain line where nothing changes, at PAGE_SPARK_COL; returns the column behind it. */
static int draw_spark(struct page *page, const char *label, enum metric metric, enum style style)
{
    const struct series *line = &page->s->timeline;
    size_t from = (size_t)(page->window.from_ns / line->interval_ns), count = 0;
    int cells = spark_cells(page);
    char spark[SUMMARY_MAX_COLS * 3 + 1];
    double values[TIMELINE_POINTS];

    for (size_t i = from; i < line->count && i * line->interval_ns < page->window.to_ns && count < TIMELINE_POINTS; i++)
        values[count++] = series_get(line, metric, i);
    canvas_text(page->canvas, page->row, PAGE_LABEL_COL, PAGE_SPARK_COL - PAGE_LABEL_COL - 1, label, STYLE_NORMAL);
    if (is_flat(values, count)) {
        for (int i = 0; i < cells; i++)
            canvas_put(page->canvas, page->row, PAGE_SPARK_COL + i,
                       canvas_box_glyph(page->options->charset, EDGE_LEFT | EDGE_RIGHT), style);
    } else {
        fmt_sparkline(spark, sizeof(spark), values, count, cells, 0, page->options->charset);
        canvas_text(page->canvas, page->row, PAGE_SPARK_COL, cells, spark, style);
    }
    return PAGE_SPARK_COL + cells + 2;
}

static void draw_metrics(struct page *page)
{
    const struct totals *t = &page->totals;
    bool several = t->processes > 1;
    int col;

    if (isfinite(t->cpu_avg_pct) || t->cpu_ns) {
        col = draw_spark(page, "CPU", METRIC_CPU_PCT, STYLE_FINE);
        col = page_piece(page, col, STYLE_NORMAL, "avg %7s", fmt_pct(t->cpu_avg_pct).s);
        col = page_piece(page, col, STYLE_NORMAL, "peak %7s", fmt_pct(t->cpu_peak_pct).s);
        if (several)
            page_piece(page, col, STYLE_DIM, "%s in %zu processes", fmt_span((double)t->cpu_ns / 1e9).s, t->processes);
        else if (t->threads)
            page_piece(page, col, STYLE_DIM, "%s on %zu thread%s", fmt_span((double)t->cpu_ns / 1e9).s, t->threads,
                       t->threads == 1 ? "" : "s");
        else
            page_piece(page, col, STYLE_DIM, "%s", fmt_span((double)t->cpu_ns / 1e9).s);
        page_next_row(page);
    }
    if (isfinite(t->heap_avg_bytes)) {
        col = draw_spark(page, t->heap_is_live ? "heap" : "memory", totals_heap_metric(page->s), STYLE_FINE);
        col = page_piece(page, col, STYLE_NORMAL, "avg %7s", fmt_bytes(t->heap_avg_bytes).s);
        col = page_piece(page, col, STYLE_NORMAL, "peak %7s", fmt_bytes(t->heap_peak_bytes).s);
        if (isfinite(t->heap_peak_at_ns))
            col = page_piece(page, col, STYLE_DIM, "at %s", fmt_clock(t->heap_peak_at_ns / 1e9).s);
        if (isfinite(t->rss_peak_bytes))
            page_piece(page, col, STYLE_DIM, "RSS peak %s", fmt_bytes(t->rss_peak_bytes).s);
        page_next_row(page);
    }
    if (isfinite(t->thread_avg)) {
        col = draw_spark(page, "threads", METRIC_THREADS, STYLE_DIM);
        col = page_piece(page, col, STYLE_NORMAL, "avg %7s", fmt_si(round(t->thread_avg * 10) / 10, "").s);
        page_piece(page, col, STYLE_NORMAL, "peak %7s", fmt_si(t->thread_peak, "").s);
        page_next_row(page);
    }
    if (isfinite(t->fd_peak)) {
        col = draw_spark(page, "fds", METRIC_OPEN_FDS, STYLE_DIM);
        col = page_piece(page, col, STYLE_NORMAL, "end %7s", fmt_si(t->fd_last, "").s);
        page_piece(page, col, STYLE_NORMAL, "peak %7s", fmt_si(t->fd_peak, "").s);
        page_next_row(page);
    }
    if (t->read_bytes + t->write_bytes > 0) {
        canvas_text(page->canvas, page->row, PAGE_LABEL_COL, PAGE_SPARK_COL, "disk", STYLE_NORMAL);
        col = page_piece(page, PAGE_SPARK_COL, STYLE_NORMAL, "read %s", fmt_bytes(t->read_bytes).s);
        page_piece(page, col, STYLE_NORMAL, "written %s", fmt_bytes(t->write_bytes).s);
        page_next_row(page);
    }
}

/* -- spikes ------------------------------------------------------------------------------------------------------- */

static bool in_window(const struct page *page, const struct session_event *event)
{
    return event->start_ns <= page->window.to_ns && event->end_ns >= page->window.from_ns;
}

static bool is_spike(const struct session_event *event)
{
    return event->type == EVENT_MEMORY_SPIKE || event->type == EVENT_CPU_SPIKE;
}

static void spike_text(const struct session_event *event, char *out, size_t cap)
{
    double span = (double)(event->end_ns - event->start_ns) / 1e9;

    if (event->type == EVENT_MEMORY_SPIKE)
        snprintf(out, cap, "%s in %s", fmt_bytes((double)event->size_bytes).s, fmt_span(span).s);
    else
        snprintf(out, cap, "CPU %s for %s", fmt_pct(event->peak).s, fmt_span(span).s);
}

/* The reader's function that cost the most CPU time in EVENT; false when none is known. */
static bool draw_spike_owner(struct page *page, const struct session_event *event, int col)
{
    const struct time_window window = {event->start_ns, event->end_ns};
    struct owner_costs costs;
    bool known;

    owner_costs_compute(page->s, &page->s->cpu_rows, CPU_ROW_WEIGHT_US, &page->owners, &window, &costs);
    known = costs.owner_count > 0;
    if (known) {
        page_code(page, col, page->cols - col - 10, costs.owners[0].frame, costs.owners[0].via, STYLE_NORMAL);
        canvas_text_right(page->canvas, page->row, page->cols - 9, 9,
                          fmt_pct(100.0 * (double)costs.owners[0].all_us / (double)costs.all_us).s, STYLE_NORMAL);
    }
    owner_costs_release(&costs);
    return known;
}

static void draw_spike(struct page *page, const struct session_event *event)
{
    enum { WHAT_COL = 13, WHY_COL = 36 };
    char text[128], why[256] = "";
    size_t used = 0;
    int end = page->cols;
    bool led = false; /* by a line of code */

    spike_text(event, text, sizeof(text));
    canvas_text(page->canvas, page->row, 4, 10, fmt_clock((double)event->start_ns / 1e9).s, STYLE_NORMAL);
    canvas_printf(page->canvas, page->row, WHAT_COL, WHY_COL - WHAT_COL - 1, STYLE_SPIKE, "%s%s",
                  event->type == EVENT_MEMORY_SPIKE ? "+" : "", text);
    if (event->type == EVENT_MEMORY_SPIKE && event->allocation_count) {
        int64_t bytes;
        uint32_t frame, via;

        led = page_spike_owner(page, event, &frame, &via, &bytes);
        if (led)
            page_code(page, WHY_COL, end - WHY_COL - 10, frame, via, STYLE_NORMAL);
        else
            snprintf(why, sizeof(why), "%.250s", page_text(page, event->allocations[0].path));
        canvas_text_right(page->canvas, page->row, page->cols - 9, 9,
                          fmt_bytes((double)(led ? bytes : event->allocations[0].bytes)).s, STYLE_NORMAL);
        end -= 10;
    } else if (draw_spike_owner(page, event, WHY_COL)) {
        led = true;
    } else {
        for (size_t i = 0; i < event->function_count && i < 3 && used < sizeof(why) - 1; i++)
            used += (size_t)snprintf(why + used, sizeof(why) - used, "%s%.70s %s", i ? "   " : "",
                                     page_text(page, event->functions[i].name), fmt_pct(event->functions[i].pct).s);
    }
    if (!led && !*why && event->process > 0 && (size_t)event->process < page->s->process_count)
        snprintf(why, sizeof(why), "%s (pid %d)", page_text(page, page->s->processes[event->process].name),
                 page->s->processes[event->process].pid);
    if (!led)
        canvas_text(page->canvas, page->row, WHY_COL, end - WHY_COL, why, STYLE_NORMAL);
    page_next_row(page);
}

/* How much an event counts when not all can be shown. */
static double weight(const struct session_event *event)
{
    double span = (double)(event->end_ns - event->start_ns) / 1e9;

    /* A megabyte and ten milliseconds of a core weigh about the same to a reader. */
    return event->type == EVENT_MEMORY_SPIKE ? (double)event->size_bytes / 1e6 : span * event->peak;
}

static void draw_spikes(struct page *page)
{
    const struct session *s = page->s;
    size_t shown = 0, total = page->totals.spikes;
    double lightest = 0;

    if (!total)
        return;
    page_next_row(page);
    canvas_printf(page->canvas, page->row, PAGE_LABEL_COL, page->cols, STYLE_TITLE, "Spikes (%zu)", total);
    page_next_row(page);
    /* The heaviest ones, in order of time: the least weight that is shown. */
    if (total > SPIKES_SHOWN) {
        double top[SPIKES_SHOWN] = {0};

        for (size_t i = 0; i < s->event_count; i++) {
            double w = is_spike(&s->events[i]) && in_window(page, &s->events[i]) ? weight(&s->events[i]) : 0;

            for (int k = 0; k < SPIKES_SHOWN; k++)
                if (w > top[k]) {
                    double swap = top[k];

                    top[k] = w;
                    w = swap;
                }
        }
        lightest = top[SPIKES_SHOWN - 1];
    }
    for (size_t i = 0; i < s->event_count && shown < SPIKES_SHOWN; i++) {
        const struct session_event *event = &s->events[i];

        if (!is_spike(event) || !in_window(page, event) || weight(event) < lightest)
            continue;
        draw_spike(page, event);
        shown++;
    }
    if (total > shown) {
        canvas_printf(page->canvas, page->row, 4, page->cols, STYLE_DIM, "and %zu smaller ones", total - shown);
        page_next_row(page);
    }
}

/* -- functions ---------------------------------------------------------------------------------------------------- */

static void place_text(const struct page *page, const struct function *f, char *out, size_t cap)
{
    const char *file = page_text(page, f->file);

    if (*file)
        snprintf(out, cap, "%s:%u", rs_path_base(file), f->line);
    else
        snprintf(out, cap, "%s", page_text(page, f->module));
}

static void draw_functions(struct page *page)
{
    enum { NUMBER_COLS = 9 };
    const struct diagnostics *d = &page->s->diagnostics;
    int bar_cols = page->cols >= 84 ? 12 : 0, place_cols = page->cols >= 72 ? 20 : 0;
    int numbers = page->cols - (bar_cols ? bar_cols + 2 : 0) - 2 * NUMBER_COLS;
    int name_cols = numbers - 4 - (place_cols ? place_cols + 2 : 0);
    size_t shown = 0, left = 0;
    char text[160], name[512];

    if (!page->s->function_count || !d->stack_samples)
        return;
    page_next_row(page);
    canvas_text(page->canvas, page->row, PAGE_LABEL_COL, numbers, "Where the time went", STYLE_TITLE);
    canvas_text_right(page->canvas, page->row, numbers, NUMBER_COLS, "self", STYLE_DIM);
    canvas_text_right(page->canvas, page->row, numbers + NUMBER_COLS, NUMBER_COLS, "total", STYLE_DIM);
    page_next_row(page);
    for (size_t i = 0; i < page->s->function_count; i++) {
        const struct function *f = &page->s->functions[i];

        if (f->layer == LAYER_PROFILER || f->self_pct < 0.05)
            continue;
        if (shown++ >= FUNCTIONS_SHOWN) {
            left++;
            continue;
        }
        name_short(name, sizeof(name), page_text(page, f->name), name_cols, page->options->charset);
        canvas_text(page->canvas, page->row, 4, name_cols, name, f->self_pct >= 20 ? STYLE_HOT : STYLE_NORMAL);
        place_text(page, f, text, sizeof(text));
        canvas_text(page->canvas, page->row, 4 + name_cols + 2, place_cols, text, STYLE_DIM);
        canvas_text_right(page->canvas, page->row, numbers, NUMBER_COLS, fmt_pct1(f->self_pct).s, STYLE_NORMAL);
        canvas_text_right(page->canvas, page->row, numbers + NUMBER_COLS, NUMBER_COLS, fmt_pct1(f->total_pct).s,
                          STYLE_NORMAL);
        fmt_bar(text, sizeof(text), f->self_pct / 100, bar_cols, page->options->charset);
        canvas_text(page->canvas, page->row, page->cols - bar_cols, bar_cols, text,
                    f->self_pct >= 20 ? STYLE_HOT : STYLE_FINE);
        page_next_row(page);
    }
    snprintf(text, sizeof(text), "(%u Hz, %s samples, %s lost)", page->s->meta.stack_rate_hz,
             fmt_si((double)d->stack_samples, "").s, fmt_si((double)d->stack_lost, "").s);
    if (left)
        canvas_printf(page->canvas, page->row, 4, page->cols, STYLE_DIM, "and %zu more", left);
    canvas_text_right(page->canvas, page->row, 0, page->cols, text, STYLE_DIM);
    page_next_row(page);
}

/* -- scopes and tasks --------------------------------------------------------------------------------------------- */

/* A row of a name and right-aligned numbers; of COUNT columns those that the page has no room for are left out, the
 * last first. */
static void number_row(struct page *page, int name_col, const char *name, enum style name_style, enum style style,
                       const struct fmt *numbers, int count)
{
    enum { NUMBER_COLS = 10, NAME_COLS = 24 };
    int shown = (page->cols - name_col - NAME_COLS) / NUMBER_COLS, first;

    shown = shown < count ? shown : count;
    first = page->cols - shown * NUMBER_COLS;
    canvas_text(page->canvas, page->row, name_col, first - name_col - 1, name, name_style);
    for (int i = 0; i < shown; i++)
        canvas_text_right(page->canvas, page->row, first + i * NUMBER_COLS, NUMBER_COLS, numbers[i].s, style);
    page_next_row(page);
}

static int compare_total(const void *a, const void *b)
{
    const struct function *const *x = a, *const *y = b;

    if ((*x)->figures.total_ns != (*y)->figures.total_ns)
        return (*x)->figures.total_ns > (*y)->figures.total_ns ? -1 : 1;
    return ((*x)->figures.calls < (*y)->figures.calls) - ((*x)->figures.calls > (*y)->figures.calls);
}

/* The session keeps the worst outliers; OUTLIERS is how many there were. */
static void draw_worst_calls(struct page *page, uint64_t outliers)
{
    const struct session_scopes *scopes = &page->s->scopes;
    const struct scope_outlier *worst = NULL;
    char text[256];

    for (size_t i = 0; i < scopes->violation_count && i < WORST_SHOWN; i++) {
        const struct scope_violation *v = &scopes->violations[i];

        snprintf(text, sizeof(text), "%s was over its budget of %s in %s, at worst %s at %s", page_text(page, v->name),
                 fmt_span((double)v->budget_ns / 1e9).s,
                 v->count == 1 ? "one call" : fmt_si((double)v->count, "calls").s,
                 fmt_time_ns((double)v->worst.took_ns).s, fmt_clock((double)v->worst.end_ns / 1e9).s);
        page_paragraph(page, 4, 6, STYLE_HOT, text);
    }
    for (size_t i = 0; i < scopes->outlier_count; i++)
        if (!worst || scopes->outliers[i].call.sigmas > worst->call.sigmas)
            worst = &scopes->outliers[i];
    if (!worst)
        return;
    snprintf(text, sizeof(text), "%s, farthest from the mean a call of %s that took %s at %s (%.0f sigma)",
             outliers == 1 ? "one outlier" : fmt_si((double)outliers, "outliers").s, page_text(page, worst->name),
             fmt_time_ns((double)worst->call.took_ns).s, fmt_clock((double)worst->call.end_ns / 1e9).s,
             worst->call.sigmas);
    page_paragraph(page, 4, 6, STYLE_NORMAL, text);
}

static void draw_scopes(struct page *page)
{
    static const struct fmt heads[] = {{"calls"}, {"total"}, {"p99"}, {"max"}, {"mean"}};
    const struct function **list;
    uint64_t outliers = 0;
    size_t count = 0;

    if (page->options->window)
        return;
    list = xcalloc(page->s->function_count + 1, sizeof(*list));
    for (size_t i = 0; i < page->s->function_count; i++)
        if (page->s->functions[i].figures.calls) {
            list[count++] = &page->s->functions[i];
            outliers += page->s->functions[i].figures.outlier_count;
        }
    qsort(list, count, sizeof(*list), compare_total);
    if (count) {
        page_next_row(page);
        number_row(page, PAGE_LABEL_COL, "Scopes", STYLE_TITLE, STYLE_DIM, heads, 5);
    }
    for (size_t i = 0; i < count && i < FUNCTIONS_SHOWN; i++) {
        const struct function *f = list[i];
        const struct rustscope_function *m = &f->figures;
        bool timed = m->timed_calls > 0;
        struct fmt numbers[] = {fmt_si((double)m->calls, ""), fmt_span(timed ? m->total_ns / 1e9 : NAN),
                                fmt_time_ns(timed ? m->p99_ns : NAN), fmt_time_ns(timed ? m->max_ns : NAN),
                                fmt_time_ns(timed ? m->mean_ns : NAN)};

        number_row(page, 4, page_text(page, f->name), STYLE_NORMAL, STYLE_NORMAL, numbers, 5);
    }
    if (count > FUNCTIONS_SHOWN) {
        canvas_printf(page->canvas, page->row, 4, page->cols, STYLE_DIM, "and %zu more", count - FUNCTIONS_SHOWN);
        page_next_row(page);
    }
    if (count)
        draw_worst_calls(page, outliers);
    free(list);
}

static void draw_tasks(struct page *page)
{
    static const struct fmt heads[] = {{"polls"}, {"busy"}, {"max poll"}, {"idle"}, {"scheduled"}};
    const struct session_scopes *scopes = &page->s->scopes;

    if (!scopes->task_count || page->options->window)
        return;
    page_next_row(page);
    number_row(page, PAGE_LABEL_COL, "Tasks", STYLE_TITLE, STYLE_DIM, heads, 5);
    for (size_t i = 0; i < scopes->task_count && i < FUNCTIONS_SHOWN; i++) {
        const struct scope_task_figures *t = &scopes->tasks[i].figures;
        struct fmt numbers[] = {fmt_si((double)t->polls, ""), fmt_span((double)t->busy_ns / 1e9),
                                fmt_time_ns((double)t->max_poll_ns), fmt_span((double)t->idle_ns / 1e9),
                                fmt_span((double)t->scheduled_ns / 1e9)};

        number_row(page, 4, page_text(page, scopes->tasks[i].name), STYLE_NORMAL, STYLE_NORMAL, numbers, 5);
    }
    if (scopes->task_count > FUNCTIONS_SHOWN) {
        canvas_printf(page->canvas, page->row, 4, page->cols, STYLE_DIM, "and %zu more",
                      scopes->task_count - FUNCTIONS_SHOWN);
        page_next_row(page);
    }
}

/* -- benchmarks --------------------------------------------------------------------------------------------------- */

/* What one iteration handled in a second, and what it allocated. */
static void work_text(const struct session_benchmark *b, char *out, size_t cap)
{
    const struct rs_bench_counts *c = &b->counts;
    double rate = rs_bench_per_sec(c->bytes ? c->bytes : c->items, c, &b->summary);
    struct fmt allocations = {""};
    int len = 0;

    if ((c->flags & RS_BENCH_ALLOCATIONS_KNOWN) && c->alloc_blocks && c->iterations)
        allocations = fmt_si((double)c->alloc_blocks / (double)c->iterations, "");
    out[0] = '\0';
    if (rate > 0)
        len = snprintf(out, cap, c->bytes ? "%s/s" : "%s items/s", fmt_si(rate, c->bytes ? "B" : "").s);
    if (allocations.s[0])
        snprintf(out + len, cap - (size_t)len, "%s%s allocation%s", len ? "   " : "", allocations.s,
                 strcmp(allocations.s, "1") ? "s" : "");
}

static void draw_benchmarks(struct page *page)
{
    enum { NUMBER_COLS = 11 };
    const struct session_benchmarks *all = &page->s->benchmarks;
    int work_cols = page->cols >= 84 ? 30 : 0;
    int numbers = page->cols - work_cols - 3 * NUMBER_COLS;
    char text[96];

    if (!all->count || page->options->window)
        return;
    page_next_row(page);
    canvas_text(page->canvas, page->row, PAGE_LABEL_COL, numbers - PAGE_LABEL_COL, "Benchmarks", STYLE_TITLE);
    canvas_text_right(page->canvas, page->row, numbers, NUMBER_COLS, "mean", STYLE_DIM);
    canvas_text_right(page->canvas, page->row, numbers + NUMBER_COLS, NUMBER_COLS, "95 %", STYLE_DIM);
    canvas_text_right(page->canvas, page->row, numbers + 2 * NUMBER_COLS, NUMBER_COLS, "median", STYLE_DIM);
    page_next_row(page);
    for (size_t i = 0; i < all->count && i < BENCHMARKS_SHOWN; i++) {
        const struct session_benchmark *b = &all->list[i];
        double half = (b->summary.mean_high_ns - b->summary.mean_low_ns) / 2;

        canvas_text(page->canvas, page->row, 4, numbers - 4, page_text(page, b->name), STYLE_NORMAL);
        canvas_text_right(page->canvas, page->row, numbers, NUMBER_COLS, fmt_time_ns(b->summary.mean_ns).s,
                          STYLE_NORMAL);
        snprintf(text, sizeof(text), "±%s", fmt_pct1(b->summary.mean_ns > 0 ? 100 * half / b->summary.mean_ns : NAN).s);
        canvas_text_right(page->canvas, page->row, numbers + NUMBER_COLS, NUMBER_COLS, text, STYLE_DIM);
        canvas_text_right(page->canvas, page->row, numbers + 2 * NUMBER_COLS, NUMBER_COLS,
                          fmt_time_ns(b->summary.median_ns).s, STYLE_NORMAL);
        work_text(b, text, sizeof(text));
        canvas_text_right(page->canvas, page->row, page->cols - work_cols, work_cols, text, STYLE_DIM);
        page_next_row(page);
    }
    if (all->count > BENCHMARKS_SHOWN) {
        canvas_printf(page->canvas, page->row, 4, page->cols, STYLE_DIM, "and %zu more", all->count - BENCHMARKS_SHOWN);
        page_next_row(page);
    }
}

/* -- memory ------------------------------------------------------------------------------------------------------- */

static void draw_memory(struct page *page)
{
    const struct allocations *a = &page->s->allocations;
    const struct alloc_stats *shown[HOLDERS_SHOWN] = {NULL};
    char path[512];
    int col;

    if (!a->measured || !a->total_allocations || page->options->window)
        return;
    for (size_t i = 0; i < a->stats_count; i++) {
        const struct alloc_stats *one = &a->stats[i];

        for (int k = 0; k < HOLDERS_SHOWN && one; k++)
            if (one->peak_bytes && (!shown[k] || one->peak_bytes > shown[k]->peak_bytes)) {
                const struct alloc_stats *swap = shown[k];

                shown[k] = one;
                one = swap;
            }
    }
    page_next_row(page);
    col = canvas_text(page->canvas, page->row, PAGE_LABEL_COL, page->cols, "Memory", STYLE_TITLE) + PAGE_LABEL_COL + 3;
    col = page_piece(page, col, STYLE_NORMAL, "%s allocation%s", fmt_si((double)a->total_allocations, "").s,
                     a->total_allocations == 1 ? "" : "s");
    col = page_piece(page, col, STYLE_NORMAL, "%s", fmt_bytes((double)a->total_bytes).s);
    col = page_piece(page, col, STYLE_NORMAL, "%s temporary",
                     fmt_pct(100.0 * (double)a->temporary / (double)a->total_allocations).s);
    snprintf(path, sizeof(path), "leaked %s", fmt_bytes((double)a->leaked_bytes).s);
    if (col + fmt_cols(path, page->options->charset) > page->cols) {
        page_next_row(page);
        col = PAGE_LABEL_COL + 9;
    }
    col = page_piece(page, col, a->leaked_bytes > 1000000 ? STYLE_HOT : STYLE_NORMAL, "%s", path);
    if (col + 11 > page->cols)
        page_next_row(page);
    if (shown[0])
        canvas_text_right(page->canvas, page->row, page->cols - 12, 12, "at the peak", STYLE_DIM);
    page_next_row(page);
    if (a->outside_peak_bytes >= OUTSIDE_WORTH_BYTES) {
        col = page_piece(page, PAGE_LABEL_COL + 9, STYLE_NORMAL, "outside malloc: up to %s",
                         fmt_bytes((double)a->outside_peak_bytes).s);
        page_piece(page, col, STYLE_NORMAL, "%s left", fmt_bytes((double)a->outside_left_bytes).s);
        page_next_row(page);
    }
    if (page_draw_holders(page))
        return;
    for (int k = 0; k < HOLDERS_SHOWN && shown[k]; k++) {
        double share = page->totals.heap_peak_bytes > 0
                           ? 100.0 * (double)shown[k]->peak_bytes / page->totals.heap_peak_bytes
                           : NAN;

        node_path(page->s, shown[k]->node, PATH_FRAMES, page->options->charset, path, sizeof(path));
        canvas_text(page->canvas, page->row, 4, page->cols - 4 - 20, path, STYLE_NORMAL);
        canvas_text_right(page->canvas, page->row, page->cols - 19, 10, fmt_bytes((double)shown[k]->peak_bytes).s,
                          STYLE_NORMAL);
        canvas_text_right(page->canvas, page->row, page->cols - 8, 8, fmt_pct(share).s, STYLE_NORMAL);
        page_next_row(page);
    }
}

/* -- what to do --------------------------------------------------------------------------------------------------- */

static void draw_advice(struct page *page)
{
    const struct diagnostics *d = &page->s->diagnostics;
    struct findings findings;
    char text[700];

    findings_of(page, &findings);
    if (findings.count == 1) {
        snprintf(text, sizeof(text), "Look first: %s", findings.text[0]);
        page_next_row(page);
        page_paragraph(page, PAGE_LABEL_COL, PAGE_LABEL_COL + 12, STYLE_TITLE, text);
    } else if (findings.count) {
        page_next_row(page);
        canvas_text(page->canvas, page->row, PAGE_LABEL_COL, page->cols, "Look first", STYLE_TITLE);
        page_next_row(page);
    }
    for (int i = 0; findings.count > 1 && i < findings.count; i++) {
        snprintf(text, sizeof(text), "%d. %s", i + 1, findings.text[i]);
        page_paragraph(page, 4, 7, STYLE_NORMAL, text);
    }
    if (d->warning_count)
        page_next_row(page);
    for (size_t i = 0; i < d->warning_count && i < 12; i++) {
        snprintf(text, sizeof(text), "! %.590s", page_text(page, d->warnings[i]));
        page_paragraph(page, PAGE_LABEL_COL, PAGE_LABEL_COL + 2, STYLE_HOT, text);
    }
    if (page->options->path && strcmp(page->options->path, "-") != 0) {
        snprintf(text, sizeof(text), "rustscope view %.500s", page->options->path);
        page_next_row(page);
        canvas_text(page->canvas, page->row, PAGE_LABEL_COL, page->cols, text, STYLE_DIM);
        page_next_row(page);
    }
}

void summary_draw(struct canvas *canvas, const struct session *s, const struct summary_options *options)
{
    struct page page = {.canvas = canvas, .s = s, .options = options, .window = {0, s->duration_ns}, .rows = PAGE_ROWS};
    struct time_window whole;

    page.cols = options->cols < SUMMARY_MIN_COLS   ? SUMMARY_MIN_COLS
                : options->cols > SUMMARY_MAX_COLS ? SUMMARY_MAX_COLS
                                                   : options->cols;
    if (options->window) {
        page.window.from_ns = options->from_ns;
        page.window.to_ns = options->to_ns;
        totals_compute_window(s, page.window.from_ns, page.window.to_ns, &page.totals);
    } else {
        totals_compute(s, &page.totals);
    }
    whole.to_ns = options->window ? options->to_ns : UINT64_MAX;
    whole.from_ns = page.window.from_ns;
    owner_map_init(&page.owners, s);
    owner_costs_compute(s, &s->cpu_rows, CPU_ROW_WEIGHT_US, &page.owners, &whole, &page.cpu);
    owner_costs_compute(s, &s->offcpu_rows, OFFCPU_ROW_WAIT_US, &page.owners, &whole, &page.waits);
    canvas->charset = options->charset;
    canvas_resize(canvas, PAGE_ROWS, page.cols);
    draw_head(&page);
    draw_metrics(&page);
    draw_spikes(&page);
    if (!page_draw_time(&page))
        draw_functions(&page);
    page_draw_waits(&page);
    draw_scopes(&page);
    draw_tasks(&page);
    draw_memory(&page);
    page_draw_leaks(&page);
    draw_benchmarks(&page);
    draw_advice(&page);
    canvas->rows = page.row;
    owner_costs_release(&page.cpu);
    owner_costs_release(&page.waits);
    owner_map_release(&page.owners);
}

/* -- printing ----------------------------------------------------------------------------------------------------- */

void summary_options_for(FILE *out, struct summary_options *options)
{
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    struct winsize size;
    bool terminal = isatty(fileno(out));

    options->cols = SUMMARY_PIPE_COLS;
    options->charset = fmt_locale_charset();
    options->colour = terminal && term && *term && strcmp(term, "dumb") != 0 && !(no_colour && *no_colour);
    if (terminal && ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col)
        options->cols = size.ws_col;
}

void summary_print(FILE *out, const struct session *s, const struct summary_options *options)
{
    struct canvas canvas = {0};

    summary_draw(&canvas, s, options);
    canvas_print(out, &canvas, options->colour);
    canvas_release(&canvas);
}
