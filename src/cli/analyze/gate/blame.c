/* SPDX-License-Identifier: MIT */
#include "analyze/gate/blame.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double SAME_SIZE = 0.10, SAME_COUNT = 0.01;
enum {
    MOST_MOVES = 20,
    LEAST_SAMPLES = 10, /* of fewer every size looks like every other */
};

static double value(double runs)
{
    return isnan(runs) ? 0 : runs;
}

static bool same_subject(const struct figure *a, const struct figure *b)
{
    return a->kind == b->kind && !strcmp(a->name, b->name) && !strcmp(a->module, b->module);
}

/* The other half of a move that F is one half of; NULL when F is not half of a move. */
static const struct figure *moved_with(const struct comparison *c, const struct figure *f)
{
    for (size_t i = 0; i < c->move_count; i++) {
        if (same_subject(c->moves[i].come, f))
            return c->moves[i].gone;
        if (same_subject(c->moves[i].gone, f))
            return c->moves[i].come;
    }
    return NULL;
}

/* F's change. Work that moved is counted once, where it is now, less what it was. */
static struct contributor contributor_of(const struct comparison *c, const struct figure *f)
{
    struct contributor one = {.figure = f, .change = value(f->next) - value(f->base)};
    const struct figure *other = f->verdict == GATE_NEW || f->verdict == GATE_GONE ? moved_with(c, f) : NULL;

    if (!other)
        return one;
    one.change = 0;
    if (f->verdict == GATE_GONE)
        return one;
    one.was = figures_find(&c->set, f->kind, f->metric, other->name, other->module);
    one.change = value(f->next) - (one.was ? value(one.was->base) : 0);
    return one;
}

/* What a total is made of: its parts' kind and metric. */
static bool parts_of(const struct figure *total, enum figure_kind *kind, const char **metric)
{
    *kind = FIGURE_PATH;
    *metric = total->metric;
    if (!strcmp(total->metric, "cpu") || !strcmp(total->metric, "wall")) {
        *kind = FIGURE_FUNCTION;
        *metric = "self_cpu";
    }
    return total->kind == FIGURE_TOTAL && strcmp(total->metric, "rss_peak") != 0 &&
           strcmp(total->metric, "anon_peak") != 0 && strcmp(total->metric, "fd_peak") != 0 &&
           strcmp(total->metric, "spikes") != 0;
}

static void add_contributor(struct blame *blame, struct contributor one, double sign)
{
    size_t at = blame->count;

    while (at > 0 && sign * blame->list[at - 1].change < sign * one.change)
        at--;
    if (at >= COMPARISON_TOP)
        return;
    if (blame->count < COMPARISON_TOP)
        blame->count++;
    memmove(&blame->list[at + 1], &blame->list[at], (blame->count - 1 - at) * sizeof(*blame->list));
    blame->list[at] = one;
}

static struct blame blame_total(const struct comparison *c, const struct figure *total)
{
    struct blame blame = {.total = total};
    double whole = value(total->next) - value(total->base), sign = whole < 0 ? -1 : 1;
    enum figure_kind kind;
    const char *metric;

    if (!parts_of(total, &kind, &metric))
        return blame;
    for (size_t i = 0; i < c->set.count; i++) {
        const struct figure *f = &c->set.list[i];
        struct contributor one;

        if (f->kind != kind || strcmp(f->metric, metric) != 0 || f->verdict == GATE_NOT_COMPARABLE ||
            (c->options.only_my_code && f->layer != LAYER_USER))
            continue;
        one = contributor_of(c, f);
        if (sign * one.change > 0)
            add_contributor(&blame, one, sign);
    }
    for (size_t i = 0; i < blame.count; i++) {
        blame.list[i].share = blame.list[i].change / whole;
        blame.explained += blame.list[i].change;
    }
    return blame;
}

void blame_changes(struct comparison *c)
{
    for (size_t i = 0; i < c->order_count; i++) {
        const struct figure *f = c->order[i];
        struct blame blame;

        if (f->kind != FIGURE_TOTAL || f->verdict > GATE_IMPROVED)
            continue;
        blame = blame_total(c, f);
        if (!blame.count)
            continue;
        c->blames = xreallocarray(c->blames, c->blame_count + 1, sizeof(*c->blames));
        c->blames[c->blame_count++] = blame;
    }
}

/* ---- moves ---- */

static bool near(double a, double b, double within)
{
    return fabs(a - b) <= within * fmax(fabs(a), fabs(b));
}

/* The size of the same path by another metric, on the arm where it is. */
static double path_size(const struct comparison *c, const struct figure *path, const char *metric, enum arm arm)
{
    const struct figure *f = figures_find(&c->set, FIGURE_PATH, metric, path->name, path->module);

    return f ? (arm == ARM_BASE ? f->base : f->next) : 0;
}

/* The lines that two paths end in alike: frames from the outermost one on. */
static bool same_root(const char *a, const char *b)
{
    size_t x = strlen(a), y = strlen(b), same = 0;

    while (x && y && a[x - 1] == b[y - 1]) {
        x--;
        y--;
        same += a[x] == '\n';
    }
    return same >= 2;
}

static bool same_work(const struct comparison *c, const struct figure *gone, const struct figure *come)
{
    if (gone->kind != come->kind || strcmp(gone->metric, come->metric) != 0)
        return false;
    if (gone->kind == FIGURE_FUNCTION)
        return near(gone->base, come->next, SAME_SIZE) && *gone->caller && !strcmp(gone->caller, come->caller);
    return near(gone->base, come->next, SAME_COUNT) && same_root(gone->name, come->name) &&
           near(path_size(c, gone, "alloc_bytes", ARM_BASE), path_size(c, come, "alloc_bytes", ARM_NEXT), SAME_COUNT);
}

/* Functions by their time with callees, paths by their counts: one proposal a subject, of what is worth the floor. */
static bool may_move(const struct comparison *c, const struct figure *f)
{
    const struct gate_limits *limits = &c->options.limits;

    if (f->kind == FIGURE_FUNCTION)
        return !strcmp(f->metric, "total_cpu") && fmax(f->base, f->next) >= limits->floor_ns &&
               f->arms[ARM_BASE].samples + f->arms[ARM_NEXT].samples >= LEAST_SAMPLES;
    return f->kind == FIGURE_PATH && !strcmp(f->metric, "allocations") && fmax(f->base, f->next) >= limits->floor_count;
}

void find_moves(struct comparison *c)
{
    bool *taken = xcalloc(c->order_count + 1, sizeof(*taken));

    for (size_t i = 0; i < c->order_count && c->move_count < MOST_MOVES; i++) {
        if (c->order[i]->verdict != GATE_GONE || !may_move(c, c->order[i]))
            continue;
        for (size_t k = 0; k < c->order_count; k++) {
            if (taken[k] || c->order[k]->verdict != GATE_NEW || !may_move(c, c->order[k]) ||
                !same_work(c, c->order[i], c->order[k]))
                continue;
            taken[k] = true;
            c->moves = xreallocarray(c->moves, c->move_count + 1, sizeof(*c->moves));
            c->moves[c->move_count++] = (struct moved){c->order[i], c->order[k]};
            break;
        }
    }
    free(taken);
}
