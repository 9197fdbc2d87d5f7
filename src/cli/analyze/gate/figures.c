/* SPDX-License-Identifier: MIT */
#include "analyze/gate/figures.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"

void figures_release(struct figures *set)
{
    for (size_t i = 0; i < set->count; i++)
        for (int arm = 0; arm < ARMS; arm++) {
            free(set->list[i].arms[arm].runs);
            free(set->list[i].arms[arm].samples_ns);
        }
    free(set->list);
    free(set->slots);
    arena_release(&set->text);
    for (int arm = 0; arm < ARMS; arm++)
        for (int kind = 0; kind < FIGURE_KINDS; kind++)
            free(set->measured[arm][kind]);
    *set = (struct figures){0};
}

static uint64_t hash_of(enum figure_kind kind, const char *metric, const char *name, const char *module)
{
    uint64_t hash = hash_pair((uint64_t)kind, hash_bytes(metric, strlen(metric)));

    return hash_pair(hash_pair(hash, hash_bytes(name, strlen(name))), hash_bytes(module, strlen(module)));
}

static void grow_slots(struct figures *set)
{
    free(set->slots);
    set->slot_count = set->slot_count ? set->slot_count * 2 : 1024;
    set->slots = xcalloc(set->slot_count, sizeof(*set->slots));
    for (size_t i = 0; i < set->count; i++) {
        const struct figure *f = &set->list[i];
        size_t slot = hash_of(f->kind, f->metric, f->name, f->module) & (set->slot_count - 1);

        while (set->slots[slot])
            slot = (slot + 1) & (set->slot_count - 1);
        set->slots[slot] = (uint32_t)i + 1;
    }
}

/* The slot of that figure, or the empty one where it would go. */
static size_t slot_of(const struct figures *set, enum figure_kind kind, const char *metric, const char *name,
                      const char *module)
{
    size_t slot = hash_of(kind, metric, name, module) & (set->slot_count - 1);

    for (; set->slots[slot]; slot = (slot + 1) & (set->slot_count - 1)) {
        const struct figure *f = &set->list[set->slots[slot] - 1];

        if (f->kind == kind && !strcmp(f->metric, metric) && !strcmp(f->name, name) && !strcmp(f->module, module))
            break;
    }
    return slot;
}

struct figure *figures_find(const struct figures *set, enum figure_kind kind, const char *metric, const char *name,
                            const char *module)
{
    size_t slot = set->slot_count ? slot_of(set, kind, metric, name, module) : 0;

    return set->slot_count && set->slots[slot] ? &set->list[set->slots[slot] - 1] : NULL;
}

struct figure *figures_get(struct figures *set, enum figure_kind kind, const char *metric, const char *name,
                           const char *module)
{
    struct figure *f;
    size_t slot;

    if ((set->count + 1) * 2 > set->slot_count)
        grow_slots(set);
    slot = slot_of(set, kind, metric, name, module);
    if (set->slots[slot])
        return &set->list[set->slots[slot] - 1];
    GROW(set->list, set->count + 1, set->cap);
    f = &set->list[set->count];
    *f = (struct figure){.kind = kind, .metric = metric, .caller = ""};
    f->name = arena_memdup0(&set->text, name, strlen(name));
    f->module = arena_memdup0(&set->text, module, strlen(module));
    set->slots[slot] = (uint32_t)++set->count;
    return f;
}

size_t figures_add_run(struct figures *set, enum arm arm)
{
    size_t run = set->runs[arm]++, cap = set->measured_cap[arm];

    if (run < cap)
        return run;
    set->measured_cap[arm] = grow_capacity(cap, run + 1);
    for (int kind = 0; kind < FIGURE_KINDS; kind++) {
        bool **measured = &set->measured[arm][kind];

        *measured = xreallocarray(*measured, set->measured_cap[arm], sizeof(**measured));
        memset(*measured + cap, 0, (set->measured_cap[arm] - cap) * sizeof(**measured));
    }
    return run;
}

void figures_measured(struct figures *set, enum arm arm, size_t run, enum figure_kind kind)
{
    set->measured[arm][kind][run] = true;
}

bool figures_arm_measured(const struct figures *set, enum arm arm, enum figure_kind kind)
{
    for (size_t run = 0; run < set->runs[arm]; run++)
        if (set->measured[arm][kind][run])
            return true;
    return false;
}

static void make_room(struct figure_arm *arm, size_t runs)
{
    GROW(arm->runs, runs, arm->cap);
    while (arm->count < runs)
        arm->runs[arm->count++] = NAN;
}

void figures_put(struct figures *set, struct figure *figure, enum arm arm, size_t run, double value)
{
    struct figure_arm *a = &figure->arms[arm];

    if (!isfinite(value) || run >= set->runs[arm])
        return;
    make_room(a, run + 1);
    a->runs[run] = isnan(a->runs[run]) ? value : a->runs[run] + value;
}

void figures_fill(struct figures *set)
{
    for (size_t i = 0; i < set->count; i++)
        for (int arm = 0; arm < ARMS; arm++) {
            struct figure *f = &set->list[i];
            bool absent_is_zero = f->kind == FIGURE_FUNCTION || f->kind == FIGURE_PATH;

            make_room(&f->arms[arm], set->runs[arm]);
            f->arms[arm].of_samples = set->samples[arm];
            for (size_t run = 0; absent_is_zero && run < set->runs[arm]; run++)
                if (isnan(f->arms[arm].runs[run]) && set->measured[arm][f->kind][run])
                    f->arms[arm].runs[run] = 0;
        }
}

/* ---- names ---- */

static bool all_of(const char *text, size_t len, int (*is)(int))
{
    for (size_t i = 0; i < len; i++)
        if (!is((unsigned char)text[i]))
            return false;
    return len > 0;
}

/* The length of NAME without one thing that was appended to it, or LEN. */
static size_t without_one(const char *name, size_t len)
{
    static const char *const numbered[] = {".llvm.", ".constprop.", ".isra.", ".part.", ".lto_priv.", ".cold."};
    static const char cold[] = ".cold", clone[] = " [clone ";
    size_t digits = len;

    if (len > 19 && !memcmp(name + len - 19, "::h", 3) && all_of(name + len - 16, 16, isxdigit))
        return len - 19;
    if (len > sizeof(cold) - 1 && !memcmp(name + len - (sizeof(cold) - 1), cold, sizeof(cold) - 1))
        return len - (sizeof(cold) - 1);
    if (name[len - 1] == ']')
        for (size_t at = len - 1; at-- > 1;)
            if (!strncmp(name + at, clone, sizeof(clone) - 1))
                return at;
    while (digits && isdigit((unsigned char)name[digits - 1]))
        digits--;
    for (size_t i = 0; digits < len && i < sizeof(numbered) / sizeof(*numbered); i++) {
        size_t tag = strlen(numbered[i]);

        if (digits > tag && !memcmp(name + digits - tag, numbered[i], tag))
            return digits - tag;
    }
    for (size_t at = len; at-- > 1;) {
        unsigned char c = (unsigned char)name[at];

        if (c == '@') {
            /* A symbol's version begins with a capital by custom (GLIBC_2.14); foo@plt is another piece of code. */
            size_t end = name[at - 1] == '@' ? at - 1 : at;

            return end && isupper((unsigned char)name[at + 1]) ? end : len;
        }
        if (!isalnum(c) && c != '_' && c != '.')
            break;
    }
    return len;
}

char *figure_name(const char *name, char *out, size_t cap)
{
    size_t len = strlen(name), shorter;

    if (len >= cap)
        len = cap - 1;
    memcpy(out, name, len);
    out[len] = '\0';
    while (len && (shorter = without_one(out, len)) < len) {
        len = shorter;
        out[len] = '\0';
    }
    return out;
}

const char *figure_kind_name(enum figure_kind kind)
{
    static const char *const names[] = {"total", "benchmark", "scope", "task", "function", "allocation path"};

    return names[kind];
}

const char *gate_verdict_name(enum gate_verdict verdict)
{
    static const char *const names[] = {"regressed", "improved", "unsure",        "unchanged",
                                        "new",       "gone",     "not comparable"};

    return names[verdict];
}

const char *gate_severity_name(enum gate_severity severity)
{
    static const char *const names[] = {"none", "minor", "moderate", "critical"};

    return names[severity];
}
