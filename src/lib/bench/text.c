/* SPDX-License-Identifier: MIT */
/*
 * Results as text: what the processes of --processes send to the first one, and what a baseline file holds. Whole
 * numbers alone (femtoseconds), so that no locale changes them and everything reads back exactly:
 *
 *     rustscope-bench 1
 *     name sort/1024
 *     family sort
 *     counts 1000000 …              struct rs_bench_counts, member by member
 *     samples_fs 12345678 …
 *     end
 *
 * or `refused SENTENCE` instead of counts and samples.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bench/bench.h"

static const char MAGIC[] = "rustscope-bench 1";

/* A line is a line: control characters of a name become spaces. */
static void put_line(FILE *to, const char *key, const char *text)
{
    fprintf(to, "%s ", key);
    for (; text && *text; text++)
        putc(iscntrl((unsigned char)*text) ? ' ' : *text, to);
    putc('\n', to);
}

void rs_bench_text_write(FILE *to, const struct rs_bench_result *r)
{
    const struct rs_bench_counts *c = &r->counts;

    fprintf(to, "%s\n", MAGIC);
    put_line(to, "name", r->name);
    put_line(to, "family", r->family);
    if (r->refusal) {
        put_line(to, "refused", r->refusal);
    } else {
        fprintf(to, "counts %llu %llu %llu %llu %llu %llu %llu %llu %llu %lld %u %u %u %u\n",
                (unsigned long long)c->iterations, (unsigned long long)c->warmup_iterations,
                (unsigned long long)c->sample_iterations, (unsigned long long)c->alloc_bytes,
                (unsigned long long)c->alloc_blocks, (unsigned long long)c->bytes, (unsigned long long)c->items,
                (unsigned long long)c->loop_fs, (unsigned long long)c->resolution_fs, (long long)c->n, c->samples,
                c->processes, c->threads, c->flags);
        fprintf(to, "samples_fs");
        for (uint32_t i = 0; i < c->samples; i++)
            fprintf(to, " %llu", (unsigned long long)(r->samples_ns[i] * 1e6 + 0.5));
        putc('\n', to);
    }
    fprintf(to, "end\n");
}

/* The rest of LINE behind "KEY ", or NULL. */
static char *value_of(char *line, const char *key)
{
    size_t len = strlen(key);

    return !strncmp(line, key, len) && line[len] == ' ' ? line + len + 1 : NULL;
}

static bool take_number(char **at, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(*at, &end, 10);
    if (end == *at || errno)
        return false;
    *at = end;
    return true;
}

static bool take_counts(char *at, struct rs_bench_counts *c)
{
    uint64_t *const wide[] = {&c->iterations,  &c->warmup_iterations, &c->sample_iterations,
                              &c->alloc_bytes, &c->alloc_blocks,      &c->bytes,
                              &c->items,       &c->loop_fs,           &c->resolution_fs};
    uint32_t *const narrow[] = {&c->samples, &c->processes, &c->threads, &c->flags};
    uint64_t value;

    for (size_t i = 0; i < sizeof(wide) / sizeof(*wide); i++)
        if (!take_number(&at, wide[i]))
            return false;
    if (!take_number(&at, &value))
        return false;
    c->n = (int64_t)value; /* strtoull negates as it should */
    for (size_t i = 0; i < sizeof(narrow) / sizeof(*narrow); i++) {
        if (!take_number(&at, &value) || value > UINT32_MAX)
            return false;
        *narrow[i] = (uint32_t)value;
    }
    return c->samples && c->samples <= RS_BENCH_SAMPLES_MAX * 64u && c->processes && c->threads && c->iterations;
}

static int take_samples(char *at, struct rs_bench_result *r)
{
    uint64_t fs;

    r->samples_ns = malloc(r->counts.samples * sizeof(*r->samples_ns));
    if (!r->samples_ns)
        return -ENOMEM;
    for (uint32_t i = 0; i < r->counts.samples; i++) {
        if (!take_number(&at, &fs))
            return -EINVAL;
        r->samples_ns[i] = (double)fs / 1e6;
    }
    return 0;
}

static int take_text(char **into, const char *text)
{
    free(*into);
    *into = strdup(text);
    return *into ? 0 : -ENOMEM;
}

static int take_line(char *line, struct rs_bench_result *r)
{
    char *value;

    if ((value = value_of(line, "name")))
        return take_text(&r->name, value);
    if ((value = value_of(line, "family")))
        return take_text(&r->family, value);
    if ((value = value_of(line, "refused")))
        return take_text(&r->refusal, value);
    if ((value = value_of(line, "counts")))
        return r->counts.samples || !take_counts(value, &r->counts) ? -EINVAL : 0;
    if ((value = value_of(line, "samples_fs")))
        return r->samples_ns || !r->counts.samples ? -EINVAL : take_samples(value, r);
    return 0; /* of a later version */
}

int rs_bench_text_read(FILE *from, struct rs_bench_list *list)
{
    struct rs_bench_result r = {0};
    char *line = NULL;
    size_t size = 0;
    bool inside = false;
    int rc = 0;

    while (!rc && getline(&line, &size, from) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        if (!inside) {
            inside = true;
            rc = strcmp(line, MAGIC) ? -EINVAL : 0;
        } else if (!strcmp(line, "end")) {
            inside = false;
            if (!r.name || !r.family || (!r.samples_ns && !r.refusal))
                rc = -EINVAL;
            else
                rc = rs_bench_list_add(list, &r) ? 0 : -ENOMEM;
        } else {
            rc = take_line(line, &r);
        }
    }
    free(line);
    rs_bench_result_release(&r);
    return rc ? rc : inside ? -EINVAL : 0;
}
