/* SPDX-License-Identifier: MIT */
#include "lib/registry.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "lib/lock.h"

enum {
    SITE_SLOTS = 2 * RS_SITES_MAX, /* of the hash tables: powers of two, at most half full */
    PATH_SLOTS = 2 * RS_PATHS_MAX,
    TEXT_CHUNK = 1 << 16,
};

/* Mapped as one piece on first use; pages that stay unused cost nothing. */
struct tables {
    struct rs_site_entry sites[RS_SITES_MAX];
    struct rs_path_entry paths[RS_PATHS_MAX];
    struct rs_budget budgets[RS_BUDGETS_MAX];
    /* Numbers, 0 is free. Stored after the count: a child forked in between adds a twin and overwrites nothing. */
    atomic_uint site_slots[SITE_SLOTS];
    atomic_uint path_slots[PATH_SLOTS];
};

static struct rs_lock lock;
static _Atomic(struct tables *) tables;
static atomic_uint site_count = 1, path_count = 1; /* written under the lock, read by anyone */
static uint32_t budget_count;
static char *text_at; /* under the lock, as all below */
static size_t text_left;

static struct tables *get_tables(void)
{
    struct tables *t = atomic_load_explicit(&tables, memory_order_acquire);

    if (!t) {
        t = rs_os_map(sizeof(*t), false);
        atomic_store_explicit(&tables, t, memory_order_release);
    }
    return t;
}

static const char *copy(const char *text)
{
    size_t len = text ? strlen(text) + 1 : 0;
    char *at;

    if (!text)
        return NULL;
    if (len > TEXT_CHUNK / 4)
        return "[name too long]";
    if (len > text_left) {
        text_at = rs_os_map(TEXT_CHUNK, false);
        text_left = text_at ? TEXT_CHUNK : 0;
        if (!text_at)
            return NULL;
    }
    at = memcpy(text_at, text, len);
    text_at += len;
    text_left -= len;
    return at;
}

const char *rs_registry_copy(const char *text)
{
    const char *copied;

    rs_lock_take(&lock);
    copied = copy(text);
    rs_lock_drop(&lock);
    return copied;
}

static uint32_t hash_text(uint32_t hash, const char *text)
{
    for (; text && *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash * 31 + 7;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static bool starts(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

/* The character after the bracket that closes the one at P, or the end of the text. */
static const char *after_brackets(const char *p)
{
    int depth = 0;

    for (; *p; p++) {
        depth += *p == '(' || *p == '<' || *p == '[' || *p == '{';
        depth -= *p == ')' || *p == '>' || *p == ']' || *p == '}';
        if (!depth)
            return p + 1;
    }
    return p;
}

/* P is at "operator": the character after its symbols. */
static const char *after_operator(const char *p)
{
    p += strlen("operator");
    if (starts(p, "()"))
        return p + 2;
    return p + strspn(p, "<>=+-*/%^&|~![],");
}

/*
 * The name in a function as C++ compilers spell it: of `void shop::cart::add(const string &) [with T = int]` the part
 * from the last space outside of brackets to the argument list. What follows an argument list by `::` (a lambda, a local
 * class) belongs to the name.
 */
static size_t shorten(const char *pretty, const char **start)
{
    const char *begin = pretty, *p = pretty;
    bool operator_seen = false;

    while (*p) {
        bool word_start = p == pretty || strchr(" :*&", p[-1]);

        if (word_start && starts(p, "operator") && !operator_seen) {
            operator_seen = true;
            p = after_operator(p);
        } else if (*p == '(') {
            const char *after = after_brackets(p);

            if (!starts(after, "::") && !starts(after, " const::"))
                break;
            p = after;
        } else if (*p == '<' || *p == '[' || *p == '{') {
            p = after_brackets(p);
        } else {
            if ((*p == ' ' || *p == '*' || *p == '&') && !operator_seen)
                begin = p + 1;
            p++;
        }
    }
    *start = begin;
    return (size_t)(p - begin);
}

static const char *site_name(const struct rustscope_site *site)
{
    char name[1024];
    const char *start;
    size_t len;

    if (!site->name)
        return "[no name]";
    if (!(site->flags & RUSTSCOPE_SITE_FUNCTION) || !strchr(site->name, '('))
        return copy(site->name);
    len = shorten(site->name, &start);
    if (!len || len >= sizeof(name))
        return copy(site->name);
    memcpy(name, start, len);
    name[len] = '\0';
    return copy(name);
}

static bool same_site(const struct rs_site_entry *e, const struct rustscope_site *site, uint32_t hash)
{
    /* The name of a C++ function is stored short; its full spelling is the function. */
    return e->hash == hash && e->line == site->line && e->mode == site->mode && same_text(e->file, site->file) &&
           same_text(e->function, site->function) &&
           (site->flags & RUSTSCOPE_SITE_FUNCTION || same_text(e->name, site->name));
}

static uint32_t add_site(struct tables *t, const struct rustscope_site *site, uint32_t hash, uint32_t slot)
{
    uint32_t id = atomic_load_explicit(&site_count, memory_order_relaxed);
    struct rs_site_entry *e = &t->sites[id];

    if (id >= RS_SITES_MAX)
        return 0;
    e->name = site_name(site);
    e->function = copy(site->function);
    e->file = copy(site->file);
    if (!e->name)
        return 0;
    e->line = site->line;
    e->flags = site->flags;
    e->mode = site->mode;
    e->hash = hash;
    atomic_store_explicit(&site_count, id + 1, memory_order_release);
    atomic_store_explicit(&t->site_slots[slot], id, memory_order_release);
    return id;
}

uint32_t rs_registry_site(struct rustscope_site *site)
{
    uint32_t hash = hash_text(hash_text(hash_text(2166136261u + site->line, site->name), site->file), site->function);
    uint32_t id = 0, slot;
    struct tables *t;

    rs_lock_take(&lock);
    t = get_tables();
    if (t) {
        for (slot = hash % SITE_SLOTS; t->site_slots[slot]; slot = (slot + 1) % SITE_SLOTS)
            if (same_site(&t->sites[t->site_slots[slot]], site, hash))
                break;
        id = t->site_slots[slot] ? t->site_slots[slot] : add_site(t, site, hash, slot);
    }
    rs_lock_drop(&lock);
    RS_STORE_(site->id, id);
    return id;
}

const struct rs_site_entry *rs_registry_site_entry(uint32_t site)
{
    return &get_tables()->sites[site];
}

uint32_t rs_registry_site_count(void)
{
    return atomic_load_explicit(&site_count, memory_order_acquire);
}

uint32_t rs_registry_path(uint32_t parent, uint32_t site)
{
    uint32_t hash = (parent * 2654435761u ^ site) * 2246822519u, slot = (hash ^ hash >> 15) % PATH_SLOTS, id;
    struct tables *t;

    rs_lock_take(&lock);
    t = get_tables();
    for (; t->path_slots[slot]; slot = (slot + 1) % PATH_SLOTS) {
        id = t->path_slots[slot];
        if (t->paths[id].parent == parent && t->paths[id].site == site)
            goto out;
    }
    id = atomic_load_explicit(&path_count, memory_order_relaxed);
    if (id >= RS_PATHS_MAX) {
        id = 0;
        goto out;
    }
    t->paths[id] = (struct rs_path_entry){parent, site};
    atomic_store_explicit(&path_count, id + 1, memory_order_release);
    atomic_store_explicit(&t->path_slots[slot], id, memory_order_release);
out:
    rs_lock_drop(&lock);
    return id;
}

const struct rs_path_entry *rs_registry_path_entry(uint32_t path)
{
    return &get_tables()->paths[path];
}

uint32_t rs_registry_path_count(void)
{
    return atomic_load_explicit(&path_count, memory_order_acquire);
}

int rs_registry_set_budget(const char *name, uint64_t ns, rustscope_budget_fn callback, void *ctx)
{
    struct rs_budget *b;
    struct tables *t;
    uint32_t i;
    int rc = 0;

    rs_lock_take(&lock);
    t = get_tables();
    if (!t) {
        rc = -ENOMEM;
        goto out;
    }
    for (i = 0; i < budget_count && strcmp(t->budgets[i].name, name); i++)
        ;
    b = &t->budgets[i];
    if (i == RS_BUDGETS_MAX) {
        rc = -ENOSPC;
        goto out;
    }
    if (i == budget_count) {
        b->name = copy(name);
        if (!b->name) {
            rc = -ENOMEM;
            goto out;
        }
        budget_count++;
    }
    b->ns = ns;
    b->callback = callback;
    b->ctx = ctx;
out:
    rs_lock_drop(&lock);
    return rc;
}

bool rs_registry_budget(const char *name, struct rs_budget *out)
{
    struct tables *t;
    bool found = false;

    rs_lock_take(&lock);
    t = get_tables();
    for (uint32_t i = 0; i < budget_count && !found; i++) {
        if (t->budgets[i].ns && !strcmp(t->budgets[i].name, name)) {
            *out = t->budgets[i];
            found = true;
        }
    }
    rs_lock_drop(&lock);
    return found;
}

void rs_registry_forked(void)
{
    rs_lock_reset(&lock);
}
