/* SPDX-License-Identifier: MIT */
#include "analyze/gate/comparison.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/allocs.h"
#include "analyze/gate/blame.h"
#include "analyze/gate/fitness.h"
#include "base/err.h"

static const char *const metrics[] = {
    "wall",        "cpu",         "heap_peak",    "anon_peak", "rss_peak",  "fd_peak", "spikes",
    "allocations", "alloc_bytes", "leaked_bytes", "self_cpu",  "total_cpu", "mean",    "p95",
    "p99",         "calls",       "time",         "busy",      "scheduled", "started", "polls",
};

void comparison_add(struct comparison *c, enum arm arm, struct session *s, const char *path)
{
    size_t run = c->set.runs[arm];

    GROW(c->facts[arm], run + 1, c->fact_cap[arm]);
    c->facts[arm][run] = run_facts_of(s, path, &c->set.text);
    figures_collect(&c->set, arm, s, &c->options.collect);
}

/* ---- bare runs ---- */

static double bare_wall(const struct bench_run *run)
{
    return run->wall_ns;
}

static double bare_cpu(const struct bench_run *run)
{
    return run->user_ns + run->system_ns;
}

static double bare_rss(const struct bench_run *run)
{
    return run->peak_rss_bytes ? (double)run->peak_rss_bytes : NAN;
}

/* Pairs are found by when runs began; bare runs took turns, after the recorded ones. */
static void add_bare_facts(struct comparison *c, enum arm arm, size_t recorded, size_t run)
{
    struct run_facts facts = {.path = "",
                              .program = "",
                              .build_id = "",
                              .arch = "",
                              .os = "",
                              .cpu_model = "",
                              .version = "",
                              .others_pct = NAN,
                              .steal_pct = NAN};

    if (recorded)
        facts = c->facts[arm][0];
    facts.start_unix_ms = INT64_MAX / 2 + (int64_t)run * ARMS + arm;
    GROW(c->facts[arm], run + 1, c->fact_cap[arm]);
    c->facts[arm][run] = facts;
}

void comparison_add_bare(struct comparison *c, enum arm arm, const struct bench_run *runs, size_t count)
{
    static const struct {
        const char *metric;
        enum figure_unit unit;
        double (*value)(const struct bench_run *run);
    } totals[] = {{"wall", UNIT_NS, bare_wall}, {"cpu", UNIT_NS, bare_cpu}, {"rss_peak", UNIT_BYTES, bare_rss}};
    size_t recorded = c->set.runs[arm];

    for (size_t i = 0; i < c->set.count; i++)
        c->set.list[i].arms[arm].of = recorded; /* a bare run measures none of these */
    for (size_t i = 0; i < count; i++)
        add_bare_facts(c, arm, recorded, figures_add_run(&c->set, arm));
    for (size_t t = 0; t < sizeof(totals) / sizeof(*totals); t++) {
        struct figure *figure = figures_get(&c->set, FIGURE_TOTAL, totals[t].metric, "", "");
        bool known = true;

        figure->unit = totals[t].unit;
        figure->headline = true;
        figure->arms[arm].of = count;
        for (size_t run = 0; run < figure->arms[arm].count; run++)
            figure->arms[arm].runs[run] = NAN;
        for (size_t i = 0; i < count; i++)
            known = known && !isnan(totals[t].value(&runs[i]));
        for (size_t i = 0; known && i < count; i++)
            figures_put(&c->set, figure, arm, recorded + i, totals[t].value(&runs[i]));
    }
}

void comparison_release(struct comparison *c)
{
    figures_release(&c->set);
    for (int arm = 0; arm < ARMS; arm++)
        free(c->facts[arm]);
    free(c->unfit);
    free(c->notes);
    free(c->order);
    free(c->blames);
    free(c->moves);
    *c = (struct comparison){0};
}

/* ---- pairs ---- */

struct started {
    int64_t at_ms;
    size_t run;
};

static int by_start(const void *a, const void *b)
{
    const struct started *x = a, *y = b;

    return x->at_ms != y->at_ms ? (x->at_ms < y->at_ms ? -1 : 1) : x->run < y->run ? -1 : x->run > y->run;
}

static struct started *in_order(const struct comparison *c, enum arm arm)
{
    size_t count = c->set.runs[arm];
    struct started *order = xreallocarray(NULL, count + 1, sizeof(*order));

    for (size_t i = 0; i < count; i++)
        order[i] = (struct started){c->facts[arm][i].start_unix_ms, i};
    qsort(order, count, sizeof(*order), by_start);
    return order;
}

static void reorder(struct comparison *c, enum arm arm, const struct started *order)
{
    size_t count = c->set.runs[arm];
    double *runs = xreallocarray(NULL, count + 1, sizeof(*runs));

    for (size_t i = 0; i < c->set.count; i++) {
        struct figure_arm *a = &c->set.list[i].arms[arm];

        for (size_t run = 0; run < count; run++)
            runs[run] = a->runs[order[run].run];
        memcpy(a->runs, runs, count * sizeof(*runs));
    }
    free(runs);
}

/*
 * Runs that took turns are pairs: what disturbed the machine then disturbed both. The i-th of both arms must have
 * started before the next of either.
 */
static bool take_pairs(struct comparison *c)
{
    size_t count = c->set.runs[ARM_BASE];
    struct started *base, *next;
    bool turns = count > 1 && count == c->set.runs[ARM_NEXT];

    if (!turns)
        return false;
    base = in_order(c, ARM_BASE);
    next = in_order(c, ARM_NEXT);
    for (size_t i = 0; i + 1 < count; i++)
        turns = turns && base[i].at_ms < next[i + 1].at_ms && next[i].at_ms < base[i + 1].at_ms;
    if (turns) {
        reorder(c, ARM_BASE, base);
        reorder(c, ARM_NEXT, next);
    }
    free(base);
    free(next);
    return turns;
}

/* ---- what was asked for ---- */

static bool in_list(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = list; p; p = strchr(p, ',')) {
        p += *p == ',';
        if (!strncmp(p, word, len) && (!p[len] || p[len] == ','))
            return true;
    }
    return false;
}

int comparison_check_metrics(const char *list, struct rs_err *err)
{
    for (const char *p = list; *p;) {
        size_t len = strcspn(p, ","), known = 0;

        for (size_t i = 0; i < sizeof(metrics) / sizeof(*metrics); i++)
            known += strlen(metrics[i]) == len && !strncmp(metrics[i], p, len);
        if (!known)
            return rs_err_set(
                err, -EINVAL,
                "there is no metric \"%.*s\": totals have wall, cpu, heap_peak, anon_peak, rss_peak, fd_peak, spikes, "
                "allocations, alloc_bytes, leaked_bytes; functions self_cpu, total_cpu; scopes mean, p95, p99, calls; "
                "benchmarks time; tasks busy, scheduled, started, polls",
                (int)(len < 40 ? len : 40), p);
        p += len + (p[len] == ',');
    }
    return *list ? 0 : rs_err_set(err, -EINVAL, "--metric takes a list, as in --metric cpu,allocations");
}

static bool is_part(const struct figure *f)
{
    return f->kind == FIGURE_FUNCTION || f->kind == FIGURE_PATH;
}

static void choose(struct comparison *c)
{
    const struct comparison_options *o = &c->options;

    for (size_t i = 0; i < c->set.count; i++) {
        struct figure *f = &c->set.list[i];
        bool chosen = !o->metrics || in_list(o->metrics, f->metric);

        /* Whoever names a metric or a subject wants it judged. */
        if (o->metrics && chosen && (!is_part(f) || f->kind == FIGURE_FUNCTION))
            f->headline = true;
        if (o->only) {
            bool matches =
                f->kind == FIGURE_TOTAL ? false : allocs_pattern_matches(o->only, f->label ? f->label : f->name);

            chosen = chosen && matches;
            f->headline = f->headline || (chosen && strcmp(f->metric, "heap_peak") != 0);
        }
        if (o->only_my_code && is_part(f) && f->layer != LAYER_USER)
            chosen = false;
        f->hidden = !chosen;
        f->headline = f->headline && chosen;
    }
}

/* ---- order ---- */

/* In whole per cent, so that what is as large comes in the order of the metrics: wall before CPU time. */
static double impact(const struct figure *f)
{
    return isnan(f->ratio) ? 1e9 : round(100 * fabs(f->ratio - 1));
}

static int metric_rank(const struct figure *f)
{
    int rank = 0;

    while ((size_t)rank < sizeof(metrics) / sizeof(*metrics) && strcmp(metrics[rank], f->metric) != 0)
        rank++;
    return rank;
}

static int by_impact(const void *a, const void *b)
{
    const struct figure *x = *(struct figure *const *)a, *y = *(struct figure *const *)b;
    double apart = 0;

    if (x->headline != y->headline)
        return x->headline ? -1 : 1;
    if (x->verdict != y->verdict)
        return (int)x->verdict - (int)y->verdict;
    if (x->kind != y->kind)
        return (int)x->kind - (int)y->kind;
    apart =
        is_part(x) && x->unit == y->unit ? fabs(y->next - y->base) - fabs(x->next - x->base) : impact(y) - impact(x);
    if (is_part(x) && isnan(apart))
        apart = 0;
    return apart > 0                                                    ? 1
           : apart < 0                                                  ? -1
           : x->metric != y->metric && metric_rank(x) != metric_rank(y) ? metric_rank(x) - metric_rank(y)
                                                                        : strcmp(x->name, y->name);
}

static void arrange(struct comparison *c)
{
    c->order = xreallocarray(NULL, c->set.count + 1, sizeof(*c->order));
    for (size_t i = 0; i < c->set.count; i++)
        if (!c->set.list[i].hidden)
            c->order[c->order_count++] = &c->set.list[i];
    qsort(c->order, c->order_count, sizeof(*c->order), by_impact);
}

void comparison_conclude(struct comparison *c)
{
    struct gate_limits *limits = &c->options.limits;

    figures_fill(&c->set);
    limits->paired = take_pairs(c);
    limits->one_family = c->options.fail_on == FAIL_ON_ANY;
    choose(c);
    fitness_check(c);
    gate_judge(c->set.list, c->set.count, limits);
    arrange(c);
    find_moves(c);
    blame_changes(c);
}

/* ---- the answer ---- */

bool comparison_fails(const struct comparison *c, const struct figure *f)
{
    static const enum gate_severity least[] = {[FAIL_ON_MINOR] = SEVERITY_MINOR,
                                               [FAIL_ON_MODERATE] = SEVERITY_MODERATE,
                                               [FAIL_ON_CRITICAL] = SEVERITY_CRITICAL,
                                               [FAIL_ON_ANY] = SEVERITY_MINOR};

    if (c->options.fail_on == FAIL_ON_NONE || f->verdict != GATE_REGRESSED || f->hidden)
        return false;
    return (f->headline || c->options.fail_on == FAIL_ON_ANY) && f->severity >= least[c->options.fail_on];
}

int comparison_status(const struct comparison *c)
{
    bool decided = false, scattered = false;

    if (c->unfit_count)
        return 3;
    for (size_t i = 0; i < c->order_count; i++) {
        const struct figure *f = c->order[i];

        if (comparison_fails(c, f))
            return 1;
        if (!f->headline)
            continue;
        decided =
            decided || f->verdict == GATE_REGRESSED || f->verdict == GATE_IMPROVED || f->verdict == GATE_UNCHANGED;
        scattered = scattered || (f->verdict == GATE_NOT_COMPARABLE && f->kind == FIGURE_TOTAL && !isnan(f->low));
    }
    return decided && !scattered ? 0 : 3;
}

const struct figure *comparison_headline(const struct comparison *c)
{
    for (size_t i = 0; i < c->order_count; i++)
        if (c->order[i]->headline)
            return c->order[i]->verdict <= GATE_IMPROVED ? c->order[i] : NULL;
    return NULL;
}
