/* SPDX-License-Identifier: MIT */
#include "convert/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/*
 * profile.proto, by hand: four kinds of fields are less than a generated reader and writer. Messages go to the sink one
 * by one; file/session_file.h gzips them. A function is one location without an address: readers merge locations by
 * address, and some drop all but one of several lines. Ids count from 1, string 0 is "".
 */
enum {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_MAPPING = 3,
    PROFILE_LOCATION = 4,
    PROFILE_FUNCTION = 5,
    PROFILE_STRING = 6,
    PROFILE_TIME_NANOS = 9,
    PROFILE_DURATION_NANOS = 10,
    PROFILE_PERIOD_TYPE = 11,
    PROFILE_PERIOD = 12,
    PROFILE_DEFAULT_SAMPLE_TYPE = 14,
};

struct value_type {
    const char *type, *unit;
};

/* What fleets call it; with one type, it is that of the amount. The amount's stands last and is the default. */
static const struct {
    struct value_type count, amount;
    uint64_t factor; /* from our unit */
    bool lasts;      /* it adds up over the duration; else it is what was there at one moment */
} types[ANSWER_METRICS] = {
    [ANSWER_CPU] = {{"samples", "count"}, {"cpu", "nanoseconds"}, 1000, true},
    [ANSWER_OFF_CPU] = {{"waits", "count"}, {"wall", "nanoseconds"}, 1000, true},
    [ANSWER_ALLOC] = {{"alloc_objects", "count"}, {"alloc_space", "bytes"}, 1, true},
    [ANSWER_COUNT] = {{NULL, NULL}, {"alloc_objects", "count"}, 1, true},
    [ANSWER_PEAK] = {{NULL, NULL}, {"inuse_space", "bytes"}, 1, false},
    [ANSWER_LEAKED] = {{"inuse_objects", "count"}, {"inuse_space", "bytes"}, 1, false},
};

struct message {
    char *bytes;
    size_t len, cap;
};

struct pprof {
    struct export *x;
    struct export_out out;
    struct strings names;
    struct message message, part;
    uint32_t *location_of; /* by function; 0: on no stack */
    uint64_t *mapping_of;  /* by module; 0: of no function */
};

static void add_varint(struct message *m, uint64_t value)
{
    GROW(m->bytes, m->len + 10, m->cap);
    for (; value > 127; value >>= 7)
        m->bytes[m->len++] = (char)(value | 128);
    m->bytes[m->len++] = (char)value;
}

static void add_uint(struct message *m, unsigned field, uint64_t value)
{
    add_varint(m, field << 3);
    add_varint(m, value);
}

static void add_bytes(struct message *m, unsigned field, const char *bytes, size_t len)
{
    add_varint(m, field << 3 | 2);
    add_varint(m, len);
    GROW(m->bytes, m->len + len, m->cap);
    memcpy(m->bytes + m->len, bytes, len);
    m->len += len;
}

/* The message that was built becomes FIELD of the profile. */
static void put_message(struct pprof *p, unsigned field)
{
    struct message head = {0};

    add_varint(&head, field << 3 | 2);
    add_varint(&head, p->message.len);
    export_put(&p->out, head.bytes, head.len);
    export_put(&p->out, p->message.bytes, p->message.len);
    free(head.bytes);
    p->message.len = 0;
}

static void put_uint(struct pprof *p, unsigned field, uint64_t value)
{
    add_uint(&p->message, field, value);
    export_put(&p->out, p->message.bytes, p->message.len);
    p->message.len = 0;
}

/* The index of a text, which must be UTF-8: other bytes become \xHH. */
static uint64_t name(struct pprof *p, const char *bytes, size_t len)
{
    struct message text = {0};
    uint64_t id;

    for (size_t i = 0; i < len;) {
        unsigned size = rs_utf8_char_len(bytes + i, len - i);

        GROW(text.bytes, text.len + 5, text.cap);
        if (size) {
            memcpy(text.bytes + text.len, bytes + i, size);
            text.len += size;
        } else {
            text.len += (size_t)snprintf(text.bytes + text.len, 5, "\\x%02x", (unsigned char)bytes[i]);
        }
        i += size ? size : 1;
    }
    id = text.len ? strings_add(&p->names, text.bytes, text.len) : 0;
    free(text.bytes);
    return id;
}

static uint64_t name_of(struct pprof *p, const char *text)
{
    return name(p, text, strlen(text));
}

static void put_value_type(struct pprof *p, unsigned field, const struct value_type *type)
{
    add_uint(&p->message, 1, name_of(p, type->type));
    add_uint(&p->message, 2, name_of(p, type->unit));
    put_message(p, field);
}

static void put_header(struct pprof *p)
{
    const struct session *s = p->x->s;
    enum answer_metric metric = p->x->metric;
    uint64_t rate = s->meta.stack_rate_hz;

    if (types[metric].count.type)
        put_value_type(p, PROFILE_SAMPLE_TYPE, &types[metric].count);
    put_value_type(p, PROFILE_SAMPLE_TYPE, &types[metric].amount);
    put_uint(p, PROFILE_TIME_NANOS, (uint64_t)s->start_unix_ms * 1000000);
    if (types[metric].lasts)
        put_uint(p, PROFILE_DURATION_NANOS, p->x->window_ns);
    if (metric == ANSWER_CPU && rate) {
        put_value_type(p, PROFILE_PERIOD_TYPE, &types[metric].amount);
        put_uint(p, PROFILE_PERIOD, 1000000000 / rate);
    }
    put_uint(p, PROFILE_DEFAULT_SAMPLE_TYPE, name_of(p, types[metric].amount.type));
}

/* A mapping says which file, and that nobody need look for names: a session does not keep where it was in memory. */
static uint64_t mapping(struct pprof *p, uint32_t function, uint64_t *mappings)
{
    const struct session *s = p->x->s;
    int32_t object;
    const struct module *module;

    if (function >= p->x->functions.count)
        return 0;
    object = s->tree.frames[p->x->functions.frame[function]].object;
    if (object < 0)
        return 0;
    if (p->mapping_of[object])
        return p->mapping_of[object];
    module = &s->tree.modules[object];
    p->mapping_of[object] = ++*mappings;
    add_uint(&p->message, 1, *mappings);
    add_uint(&p->message, 5, name(p, strings_get(&s->strings, module->path), strings_len(&s->strings, module->path)));
    add_uint(&p->message, 6, name_of(p, strings_get(&s->strings, module->build_id)));
    for (unsigned has = 7; has <= 10; has++)
        add_uint(&p->message, has, 1);
    put_message(p, PROFILE_MAPPING);
    return *mappings;
}

static void put_function(struct pprof *p, uint32_t function, uint64_t id, uint64_t mapping_id)
{
    size_t len;
    const char *text = export_name(p->x, function, &len);

    add_uint(&p->message, 1, id);
    add_uint(&p->message, 2, name(p, text, len));
    add_uint(&p->message, 4, name_of(p, export_file(p->x, function)));
    put_message(p, PROFILE_FUNCTION);

    add_uint(&p->part, 1, id);
    add_uint(&p->message, 1, id);
    if (mapping_id)
        add_uint(&p->message, 2, mapping_id);
    add_bytes(&p->message, 4, p->part.bytes, p->part.len);
    p->part.len = 0;
    put_message(p, PROFILE_LOCATION);
}

static void put_functions(struct pprof *p)
{
    const struct calltree *tree = &p->x->tree;
    uint64_t mappings = 0;
    uint32_t count = 0;

    for (size_t i = 0; i < tree->node_count; i++) {
        uint32_t function = tree->nodes[i].frame;

        if (p->location_of[function])
            continue;
        p->location_of[function] = ++count;
        put_function(p, function, count, mapping(p, function, &mappings));
    }
}

static void put_sample(struct pprof *p, const struct export_sample *sample)
{
    size_t depth = export_stack(p->x, sample->node);
    char thread[300];

    for (size_t i = 0; i < depth; i++)
        add_varint(&p->part, p->location_of[p->x->stack[i]]);
    add_bytes(&p->message, 1, p->part.bytes, p->part.len);
    p->part.len = 0;
    if (types[p->x->metric].count.type)
        add_varint(&p->part, sample->count);
    add_varint(&p->part, sample->amount * types[p->x->metric].factor);
    add_bytes(&p->message, 2, p->part.bytes, p->part.len);
    p->part.len = 0;
    if (sample->thread >= 0) {
        export_thread_name(p->x, sample->thread, thread, sizeof(thread));
        add_uint(&p->part, 1, name_of(p, "thread"));
        add_uint(&p->part, 2, name_of(p, thread));
        add_bytes(&p->message, 3, p->part.bytes, p->part.len);
        p->part.len = 0;
    }
    put_message(p, PROFILE_SAMPLE);
}

int export_pprof(void *export, rs_json_sink sink, void *ctx)
{
    struct export *x = export;
    struct pprof p = {.x = x,
                      .out = {.sink = sink, .ctx = ctx},
                      .location_of = xcalloc(x->functions.count + 2, sizeof(uint32_t)),
                      .mapping_of = xcalloc(x->s->tree.module_count + 1, sizeof(uint64_t))};

    strings_init(&p.names);
    put_header(&p);
    put_functions(&p);
    for (size_t i = 0; i < x->sample_count; i++)
        put_sample(&p, &x->samples[i]);
    for (string_id i = 0; i < p.names.count; i++) {
        add_bytes(&p.message, PROFILE_STRING, strings_get(&p.names, i), strings_len(&p.names, i));
        export_put(&p.out, p.message.bytes, p.message.len);
        p.message.len = 0;
    }
    strings_release(&p.names);
    free(p.message.bytes);
    free(p.part.bytes);
    free(p.location_of);
    free(p.mapping_of);
    return export_end(&p.out);
}
