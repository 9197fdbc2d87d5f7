/* SPDX-License-Identifier: MIT */
#include "analyze/gate/fitness.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double BUSIER_PCT = 20; /* of the machine, by others, on one side more than on the other */

static const char *keep(struct arena *text, const char *s)
{
    return arena_memdup0(text, s, strlen(s));
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

struct run_facts run_facts_of(const struct session *s, const char *path, struct arena *text)
{
    const struct session_meta *m = &s->meta;
    const char *target = strings_get(&s->strings, m->target_binary);
    struct run_facts f = {
        .path = keep(text, path),
        .program = keep(text, base_name(target)),
        .build_id = "",
        .arch = keep(text, strings_get(&s->strings, m->host_arch)),
        .os = keep(text, strings_get(&s->strings, m->host_os)),
        .cpu_model = keep(text, strings_get(&s->strings, m->cpu_model)),
        .version = keep(text, strings_get(&s->strings, m->version)),
        .cores = m->cpu_cores,
        .rate_hz = m->rate_hz,
        .stack_rate_hz = m->stack_rate_hz,
        .allocs = s->diagnostics.alloc_backend,
        .stacks = s->diagnostics.stack_backend,
        .samples = s->diagnostics.stack_samples,
        .start_unix_ms = s->start_unix_ms,
        .others_pct = m->others_cpu_pct,
        .steal_pct = m->steal_pct,
    };

    for (size_t i = 0; i < s->tree.module_count; i++) {
        const struct module *module = &s->tree.modules[i];

        if (strcmp(base_name(strings_get(&s->strings, module->path)), f.program) != 0)
            continue;
        f.build_id = keep(text, strings_get(&s->strings, module->build_id));
        f.symbols = module->symbols == MODULE_SYMBOLS_DWARF || module->symbols == MODULE_SYMBOLS_SYMTAB;
    }
    return f;
}

/* ---- sentences ---- */

static void say(struct comparison *c, const char ***list, size_t *count, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void say(struct comparison *c, const char ***list, size_t *count, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    *list = xreallocarray(*list, *count + 1, sizeof(**list));
    (*list)[(*count)++] = keep(&c->set.text, text);
}

#define UNFIT(c, ...) say(c, &(c)->unfit, &(c)->unfit_count, __VA_ARGS__)
#define NOTE(c, ...)  say(c, &(c)->notes, &(c)->note_count, __VA_ARGS__)

static const char *known(const char *text)
{
    return *text ? text : "unknown";
}

/* ---- pairs of facts ---- */

/* What one run says about FIELD against the first base run's; calls for each run of both arms. */
typedef bool (*facts_differ)(const struct run_facts *first, const struct run_facts *other);

static const struct run_facts *other_kind(const struct comparison *c, facts_differ differ)
{
    const struct run_facts *first = &c->facts[ARM_BASE][0];

    for (int arm = 0; arm < ARMS; arm++)
        for (size_t run = 0; run < c->set.runs[arm]; run++)
            if (differ(first, &c->facts[arm][run]))
                return &c->facts[arm][run];
    return NULL;
}

static bool both_known_and_differ(const char *a, const char *b)
{
    return *a && *b && strcmp(a, b) != 0;
}

static bool other_arch(const struct run_facts *a, const struct run_facts *b)
{
    return both_known_and_differ(a->arch, b->arch) || both_known_and_differ(a->os, b->os);
}

static bool other_cpu(const struct run_facts *a, const struct run_facts *b)
{
    return both_known_and_differ(a->cpu_model, b->cpu_model);
}

static bool other_cores(const struct run_facts *a, const struct run_facts *b)
{
    return a->cores && b->cores && a->cores != b->cores;
}

static bool other_rates(const struct run_facts *a, const struct run_facts *b)
{
    return a->rate_hz != b->rate_hz || a->stack_rate_hz != b->stack_rate_hz;
}

static bool other_backends(const struct run_facts *a, const struct run_facts *b)
{
    return a->allocs != b->allocs || a->stacks != b->stacks;
}

static bool other_symbols(const struct run_facts *a, const struct run_facts *b)
{
    return a->samples && b->samples && a->symbols != b->symbols;
}

static bool other_version(const struct run_facts *a, const struct run_facts *b)
{
    return both_known_and_differ(a->version, b->version);
}

static bool other_program(const struct run_facts *a, const struct run_facts *b)
{
    return strcmp(a->program, b->program) != 0 && !(*a->build_id && !strcmp(a->build_id, b->build_id));
}

/*
 * Programs of different names are the same one when half of what they are made of is: functions of the program itself,
 * scopes and benchmarks, by name.
 */
static bool much_in_common(const struct comparison *c)
{
    size_t of[ARMS] = {0, 0}, both = 0;

    for (size_t i = 0; i < c->set.count; i++) {
        const struct figure *f = &c->set.list[i];
        bool there[ARMS];

        if (!(f->kind == FIGURE_FUNCTION && !strcmp(f->metric, "total_cpu") && f->layer == LAYER_USER) &&
            !(f->kind == FIGURE_SCOPE && !strcmp(f->metric, "calls")) &&
            !(f->kind == FIGURE_BENCHMARK && !strcmp(f->metric, "time")))
            continue;
        for (int arm = 0; arm < ARMS; arm++) {
            there[arm] = false;
            for (size_t run = 0; run < f->arms[arm].count; run++)
                there[arm] = there[arm] || f->arms[arm].runs[run] > 0;
            of[arm] += there[arm];
        }
        both += there[ARM_BASE] && there[ARM_NEXT];
    }
    return both && 2 * both >= (of[ARM_BASE] < of[ARM_NEXT] ? of[ARM_BASE] : of[ARM_NEXT]);
}

/* ---- what a difference spoils ---- */

static void spoil(struct comparison *c, bool exact_too, bool functions_only, const char *reason)
{
    for (size_t i = 0; i < c->set.count; i++) {
        struct figure *f = &c->set.list[i];

        if (f->reason || (f->exact && !exact_too) || (functions_only && f->kind != FIGURE_FUNCTION))
            continue;
        f->verdict = GATE_NOT_COMPARABLE;
        f->reason = reason;
    }
}

/* Kinds that only one arm has at all: nothing of them is new or gone. */
static void spoil_unmeasured(struct comparison *c)
{
    for (int kind = FIGURE_BENCHMARK; kind < FIGURE_KINDS; kind++) {
        bool base = figures_arm_measured(&c->set, ARM_BASE, (enum figure_kind)kind);
        bool next = figures_arm_measured(&c->set, ARM_NEXT, (enum figure_kind)kind);

        for (size_t i = 0; base != next && i < c->set.count; i++) {
            struct figure *f = &c->set.list[i];

            if (f->kind != (enum figure_kind)kind || f->reason)
                continue;
            f->verdict = GATE_NOT_COMPARABLE;
            f->reason = base ? "new did not measure it" : "base did not measure it";
        }
        if (base != next)
            NOTE(c, "Only %s has any %ss: they are not compared.", base ? "base" : "new",
                 figure_kind_name((enum figure_kind)kind));
    }
}

/* The mean of what others took of the machine during an arm's runs; NaN unknown. */
static double busy_pct(const struct comparison *c, enum arm arm)
{
    double sum = 0;

    for (size_t run = 0; run < c->set.runs[arm]; run++)
        sum += c->facts[arm][run].others_pct + (isnan(c->facts[arm][run].steal_pct) ? 0 : c->facts[arm][run].steal_pct);
    return sum / (double)c->set.runs[arm];
}

static void check_load(struct comparison *c)
{
    double base = busy_pct(c, ARM_BASE), next = busy_pct(c, ARM_NEXT);

    if (isnan(base) || isnan(next))
        return;
    if (!c->options.limits.paired && fabs(base - next) >= BUSIER_PCT) {
        UNFIT(c,
              "Others took %.0f %% of the machine during the runs of %s and %.0f %% during those of %s: times do not "
              "compare. "
              "Record both again, in turns.",
              fmax(base, next), base > next ? "base" : "new", fmin(base, next), base > next ? "new" : "base");
        spoil(c, false, false, "others kept the machine busy on one side");
    } else if (fmin(base, next) >= BUSIER_PCT) {
        NOTE(c, "Others took %.0f %% of the machine during the runs: intervals are wide for that reason.",
             (base + next) / 2);
    }
}

static void check_machines(struct comparison *c)
{
    const struct run_facts *first = &c->facts[ARM_BASE][0], *other;

    other = other_kind(c, other_arch);
    if (other) {
        UNFIT(c, "%s is from %s %s and %s from %s %s: nothing of them compares.", first->path, known(first->os),
              known(first->arch), other->path, known(other->os), known(other->arch));
        spoil(c, true, false, "another architecture or system");
        return;
    }
    other = other_kind(c, other_cpu);
    if (other) {
        UNFIT(c, "The processors differ (%s, %s): times do not compare. Record both on one machine.", first->cpu_model,
              other->cpu_model);
        spoil(c, false, false, "another processor");
    }
    other = other_kind(c, other_cores);
    if (other) {
        UNFIT(c, "The machines have %u and %u processors: times do not compare. Record both on one machine.",
              first->cores, other->cores);
        spoil(c, false, false, "another number of processors");
    }
}

static void check_recording(struct comparison *c)
{
    const struct run_facts *first = &c->facts[ARM_BASE][0], *other = other_kind(c, other_rates);

    if (other) {
        UNFIT(c,
              "%s was recorded at %u Hz (stacks %u Hz) and %s at %u Hz (stacks %u Hz): record both with the same "
              "options.",
              first->path, first->rate_hz, first->stack_rate_hz, other->path, other->rate_hz, other->stack_rate_hz);
        spoil(c, false, false, "other rates of recording");
    }
    other = other_kind(c, other_backends);
    if (other) {
        UNFIT(c,
              "%s and %s were recorded in different ways (allocations: %s and %s): record both with the same options.",
              first->path, other->path, first->allocs == ALLOCS_NONE ? "not tracked" : "tracked",
              other->allocs == ALLOCS_NONE ? "not tracked" : "tracked");
        spoil(c, false, false, "recorded in another way");
    }
    other = other_kind(c, other_symbols);
    if (other) {
        NOTE(c, "One side has the program's symbols and the other has not: functions are not compared.");
        spoil(c, true, true, "symbols on one side only");
    }
    other = other_kind(c, other_version);
    if (other)
        NOTE(c, "Recorded by RustScope %s and %s: its own cost is in the times.", first->version, other->version);
}

void fitness_check(struct comparison *c)
{
    const struct run_facts *first = &c->facts[ARM_BASE][0], *other = other_kind(c, other_program);

    if (other && !much_in_common(c)) {
        UNFIT(c, "%s is a session of %s and %s one of %s, and they have little in common: nothing to compare.",
              first->path, known(first->program), other->path, known(other->program));
        spoil(c, true, false, "another program");
        return;
    }
    check_machines(c);
    check_recording(c);
    check_load(c);
    spoil_unmeasured(c);
}
