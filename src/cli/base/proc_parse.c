/* SPDX-License-Identifier: MIT */
#include "base/proc_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Reads an unsigned number at *P, skipping blanks before it; moves *P behind it. */
static bool next_number(const char **p, uint64_t *value)
{
    const char *s = *p;
    uint64_t v = 0;

    while (*s == ' ' || *s == '\t')
        s++;
    if (*s < '0' || *s > '9')
        return false;
    for (; *s >= '0' && *s <= '9'; s++)
        v = v * 10 + (uint64_t)(*s - '0');
    *value = v;
    *p = s;
    return true;
}

/* Skips COUNT fields of any form. */
static bool skip_fields(const char **p, unsigned count)
{
    const char *s = *p;

    while (count--) {
        while (*s == ' ')
            s++;
        if (!*s)
            return false;
        while (*s && *s != ' ')
            s++;
    }
    *p = s;
    return true;
}

int proc_stat_parse(const char *text, size_t len, struct proc_stat *out)
{
    const char *open = memchr(text, '(', len);
    const char *close = memrchr(text, ')', len); /* the LAST one: a comm may hold any number of them */
    const char *p;
    uint64_t number;

    if (!open || !close || close < open || (size_t)(close - text) + 4 > len)
        return -EINVAL;
    *out = (struct proc_stat){.comm = open + 1, .comm_len = (size_t)(close - open - 1)};
    p = close + 1;
    while (*p == ' ')
        p++;
    out->state = *p++;             /* (3) state */
    if (!next_number(&p, &number)) /* (4) ppid */
        return -EINVAL;
    out->ppid = (int)number;
    if (!skip_fields(&p, 9) ||                   /* (5) pgrp … (13) cmajflt */
        !next_number(&p, &out->utime_ticks) ||   /* (14) utime */
        !next_number(&p, &out->stime_ticks) ||   /* (15) stime */
        !next_number(&p, &out->cutime_ticks) ||  /* (16) cutime */
        !next_number(&p, &out->cstime_ticks) ||  /* (17) cstime */
        !skip_fields(&p, 2) ||                   /* (18) priority, (19) nice */
        !next_number(&p, &number) ||             /* (20) num_threads */
        !skip_fields(&p, 1) ||                   /* (21) itrealvalue */
        !next_number(&p, &out->starttime_ticks)) /* (22) starttime */
        return -EINVAL;
    out->num_threads = (uint32_t)number;
    if (skip_fields(&p, 5))                /* (23) vsize … (27) endcode */
        next_number(&p, &out->startstack); /* (28) startstack */
    return 0;
}

int proc_statm_parse(const char *text, size_t len, struct proc_statm *out)
{
    const char *p = text;
    uint64_t size;

    (void)len;
    if (!next_number(&p, &size) || !next_number(&p, &out->resident_pages) || !next_number(&p, &out->shared_pages))
        return -EINVAL;
    return 0;
}

/* What stands behind LABEL at the start of a line; NULL when no line begins so. */
static const char *line_behind(const char *text, size_t len, const char *label)
{
    size_t label_len = strlen(label);
    const char *end = text + len;

    for (const char *line = text; line && line < end;) {
        if ((size_t)(end - line) > label_len && !memcmp(line, label, label_len))
            return line + label_len;
        line = memchr(line, '\n', (size_t)(end - line));
        line = line ? line + 1 : NULL;
    }
    return NULL;
}

static bool labelled_number(const char *text, size_t len, const char *label, uint64_t *value)
{
    const char *p = line_behind(text, len, label);

    return p && next_number(&p, value);
}

int proc_io_parse(const char *text, size_t len, struct proc_io *out)
{
    if (!labelled_number(text, len, "read_bytes:", &out->read_bytes) ||
        !labelled_number(text, len, "write_bytes:", &out->write_bytes))
        return -EINVAL;
    return 0;
}

int proc_schedstat_parse(const char *text, size_t len, struct proc_schedstat *out)
{
    const char *p = text;

    (void)len;
    if (!next_number(&p, &out->run_ns) || !next_number(&p, &out->wait_ns) || !next_number(&p, &out->timeslices))
        return -EINVAL;
    return 0;
}

int proc_smaps_rollup_parse(const char *text, size_t len, uint64_t *anon_bytes)
{
    uint64_t kib;

    if (!labelled_number(text, len, "Anonymous:", &kib))
        return -EINVAL;
    *anon_bytes = kib * 1024;
    return 0;
}

int proc_status_catches(const char *text, size_t len, int signo, bool *catches)
{
    static const char label[] = "\nSigCgt:\t";
    const char *p = memmem(text, len, label, sizeof(label) - 1);
    uint64_t mask = 0;

    if (!p)
        return -EINVAL;
    for (p += sizeof(label) - 1; *p && *p != '\n'; p++) {
        if (*p >= '0' && *p <= '9')
            mask = mask << 4 | (uint64_t)(*p - '0');
        else if (*p >= 'a' && *p <= 'f')
            mask = mask << 4 | (uint64_t)(*p - 'a' + 10);
        else
            return -EINVAL;
    }
    *catches = mask >> (signo - 1) & 1;
    return 0;
}

int proc_status_tgid(const char *text, size_t len, int *pid)
{
    uint64_t number;

    if (!labelled_number(text, len, "Tgid:", &number) || number > INT32_MAX)
        return -EINVAL;
    *pid = (int)number;
    return 0;
}

int proc_status_innermost_pid(const char *text, size_t len, int *pid)
{
    const char *p = line_behind(text, len, "NSpid:");
    uint64_t number = 0;
    bool any = false;

    while (p && next_number(&p, &number))
        any = true;
    if (!any || number > INT32_MAX)
        return -EINVAL;
    *pid = (int)number;
    return 0;
}

int proc_syscall_parse(const char *text, size_t len, uint64_t *sp, uint64_t *pc)
{
    const char *last = memrchr(text, ' ', len); /* "running" has no blank */
    const char *before = last ? memrchr(text, ' ', (size_t)(last - text)) : NULL;

    if (!before)
        return -EINVAL;
    *sp = strtoull(before + 1, NULL, 16);
    *pc = strtoull(last + 1, NULL, 16);
    return 0;
}

int proc_cpuinfo_model(const char *text, size_t len, const char **name, size_t *name_len)
{
    const char *p = line_behind(text, len, "model name");

    if (!p)
        return -EINVAL;
    *name = p + strspn(p, ": \t");
    *name_len = strcspn(*name, "\n");
    return 0;
}

bool proc_children_next(const char **text, int *pid)
{
    uint64_t number;

    if (!next_number(text, &number) || number > INT32_MAX)
        return false;
    *pid = (int)number;
    return true;
}

int proc_machine_parse(const char *text, size_t len, struct proc_machine *out)
{
    enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, FIELDS };
    uint64_t ticks[FIELDS] = {0};
    const char *p = text + 4;

    if (len < 5 || memcmp(text, "cpu ", 4) != 0)
        return -EINVAL;
    for (int i = 0; i < FIELDS; i++)
        if (!next_number(&p, &ticks[i]))
            return -EINVAL;
    *out = (struct proc_machine){
        .busy_ticks = ticks[USER] + ticks[NICE] + ticks[SYSTEM] + ticks[IRQ] + ticks[SOFTIRQ],
        .steal_ticks = ticks[STEAL],
    };
    out->all_ticks = out->busy_ticks + out->steal_ticks + ticks[IDLE] + ticks[IOWAIT];
    return 0;
}
