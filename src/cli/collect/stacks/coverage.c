/* SPDX-License-Identifier: MIT */
#include "collect/stacks/coverage.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void coverage_release(struct coverage *coverage)
{
    free(coverage->sampled_us);
    *coverage = (struct coverage){0};
}

void coverage_add(struct coverage *coverage, uint32_t process, uint64_t us)
{
    if (process >= coverage->count) {
        size_t old = coverage->count;

        GROW(coverage->sampled_us, process + 1, coverage->count);
        memset(coverage->sampled_us + old, 0, (coverage->count - old) * sizeof(*coverage->sampled_us));
    }
    coverage->sampled_us[process] += us;
    coverage->samples++;
}

static uint64_t sampled_us(const struct coverage *coverage, size_t process)
{
    return process < coverage->count ? coverage->sampled_us[process] : 0;
}

static uint64_t lacking_us(const struct coverage *coverage, const struct session *session, size_t process)
{
    uint64_t measured = session->processes[process].cpu_ns / 1000, sampled = sampled_us(coverage, process);

    return measured > sampled ? measured - sampled : 0;
}

void coverage_rescale(struct coverage *coverage, struct session *s, bool up)
{
    uint64_t measured = 0, sampled = 0;
    double factor;

    for (size_t i = 0; i < s->process_count; i++) {
        measured += s->processes[i].cpu_ns / 1000;
        sampled += sampled_us(coverage, i);
    }
    if (!measured || !sampled || (measured > sampled && !up))
        return;
    factor = (double)measured / (double)sampled;
    rows_scale(&s->cpu_rows, CPU_ROW_WEIGHT_US, factor);
    for (size_t i = 0; i < coverage->count; i++)
        coverage->sampled_us[i] = (uint64_t)((double)coverage->sampled_us[i] * factor + 0.5);
}

static void add_row(struct session *s, uint64_t at_ns, uint32_t node, uint32_t thread, uint64_t us)
{
    int64_t values[] = {[CPU_ROW_WEIGHT_US] = (int64_t)us, [CPU_ROW_SAMPLES] = 0};

    if (us)
        rows_add(&s->cpu_rows, at_ns, node, thread, values);
}

/* Gives US of a process to the root node NAME, spread over time as its measured CPU time was. */
static void add_uncovered(struct session *s, uint32_t index, const char *name, enum layer layer, uint64_t us)
{
    const struct rows *measured = &s->process_rows;
    const struct process *process = &s->processes[index];
    uint32_t node = (uint32_t)session_named_child(s, CALLTREE_NO_NODE, name, layer);
    uint32_t thread = session_thread(s, index, process->pid, process->start_ns);
    uint64_t total = 0, seen = 0, given = 0;

    for (size_t i = 0; i < measured->count; i++)
        if (measured->key[i] == index)
            total += (uint64_t)measured->value[PROCESS_ROW_CPU_NS][i];
    for (size_t i = 0; i < measured->count && total; i++) {
        uint64_t so_far;

        if (measured->key[i] != index)
            continue;
        seen += (uint64_t)measured->value[PROCESS_ROW_CPU_NS][i];
        so_far = (uint64_t)((double)us * ((double)seen / (double)total));
        add_row(s, measured->bucket[i] * measured->interval_ns, node, thread, so_far - given);
        given = so_far;
    }
    add_row(s, process->start_ns, node, thread, us - given);
}

/*
 * Sums are compared over the whole tree: the time of a child that came and went between two readings is measured with
 * its parent, while its samples are its own. The processes that lack time get the difference, each its share.
 */
double coverage_finish(const struct coverage *coverage, struct session *s, uint64_t kernel_us)
{
    uint64_t measured = 0, sampled = 0, lacking = 0, rest;

    for (size_t i = 0; i < s->process_count; i++) {
        measured += s->processes[i].cpu_ns / 1000;
        sampled += sampled_us(coverage, i);
        lacking += lacking_us(coverage, s, i);
    }
    if (!measured)
        return 1;
    s->diagnostics.stack_rate_achieved_hz = (double)coverage->samples / ((double)measured / 1e6);
    rest = measured > sampled ? measured - sampled : 0;
    if (kernel_us > rest)
        kernel_us = rest;
    for (size_t i = 0; i < s->process_count && rest; i++) {
        double share = (double)lacking_us(coverage, s, i) / (double)lacking;
        uint64_t own = (uint64_t)(share * (double)rest), kernel = (uint64_t)(share * (double)kernel_us);

        if (kernel)
            add_uncovered(s, (uint32_t)i, "[kernel: not permitted]", LAYER_KERNEL, kernel);
        if (own > kernel)
            add_uncovered(s, (uint32_t)i, "[unsampled]", LAYER_UNKNOWN, own - kernel);
    }
    return (double)sampled / (double)measured;
}
