/* SPDX-License-Identifier: MIT */
#include "collect/process/watched.h"

#include <math.h>

static void tell(struct sampler *sampler, int32_t event, bool ended)
{
    if (ended)
        sampler->session->events[event].open = false;
    if (sampler->options.on_event)
        sampler->options.on_event(sampler->options.ctx, (uint32_t)event, ended);
}

static void describe_memory(struct sampler *sampler, struct watched *w)
{
    struct session *s = sampler->session;
    struct session_event *event = &s->events[w->event];

    event->start_ns = session_at(s, w->spike.start_ns);
    event->end_ns = session_at(s, w->spike.end_ns);
    event->size_bytes = (int64_t)memory_spike_bytes(&w->spike);
    event->peak = (double)w->spike.peak_bytes;
    event->location = strings_addf(&s->strings, "Memory spike: +%.1f MB", (double)event->size_bytes / 1e6);
}

void episodes_end_memory(struct sampler *sampler, struct watched *w)
{
    int32_t event = w->event;

    if (event < 0)
        return;
    describe_memory(sampler, w);
    w->event = -1;
    tell(sampler, event, true);
}

static void describe_cpu(struct sampler *sampler)
{
    struct session *s = sampler->session;
    struct session_event *event = &s->events[sampler->cpu_event];
    const struct cpu_spike *spike = &sampler->cpu_spike;

    event->start_ns = session_at(s, spike->start_ns);
    event->end_ns = session_at(s, spike->end_ns);
    event->peak = spike->peak_pct;
    event->location = strings_addf(&s->strings, "CPU spike: %.0f %% for %.1f s", spike->peak_pct,
                                   (double)(event->end_ns - event->start_ns) / 1e9);
}

void episodes_end_cpu(struct sampler *sampler)
{
    int32_t event = sampler->cpu_event;

    if (event < 0)
        return;
    describe_cpu(sampler);
    sampler->cpu_event = -1;
    tell(sampler, event, true);
}

/*
 * statm may lag behind on machines with many CPUs (the kernel batches its counters), so an episode that only just
 * passed the threshold is confirmed once by the exact and slower smaps_rollup.
 */
static bool confirm_memory(struct sampler *sampler, struct watched *w)
{
    const uint64_t threshold = sampler->options.spike_mem_bytes;
    uint64_t anon;

    if (memory_spike_bytes(&w->spike) > threshold + threshold / 4)
        return true;
    if (!os_process_exact_anon(w->os, &anon))
        return true; /* no permission for the exact figure: believe statm */
    return anon > w->spike.base_bytes + threshold;
}

void episodes_update_memory(struct sampler *sampler, struct watched *w, uint64_t now_ns)
{
    struct session *s = sampler->session;

    switch (memory_spike_update(&w->spike, now_ns, w->anon_bytes, sampler->options.spike_mem_bytes)) {
    case SPIKE_NONE:
        return;
    case SPIKE_OPENED:
        if (!confirm_memory(sampler, w)) {
            memory_spike_reset(&w->spike);
            return;
        }
        w->event =
            (int32_t)session_add_event(s, EVENT_MEMORY_SPIKE, session_at(s, w->spike.start_ns), (int32_t)w->index);
        describe_memory(sampler, w);
        tell(sampler, w->event, false);
        return;
    case SPIKE_GREW:
        describe_memory(sampler, w);
        tell(sampler, w->event, false);
        return;
    case SPIKE_ENDED:
        episodes_end_memory(sampler, w);
    }
}

void episodes_update_cpu(struct sampler *sampler, uint64_t now_ns)
{
    struct session *s = sampler->session;
    const enum spike_change change =
        cpu_spike_update(&sampler->cpu_spike, now_ns, sampler->cpu_total_ns, sampler->options.spike_cpu_pct);

    if (!isnan(sampler->cpu_spike.window_pct))
        session_put_cpu_peak(s, session_at(s, now_ns), sampler->cpu_spike.window_pct);
    if (change == SPIKE_OPENED)
        sampler->cpu_event =
            (int32_t)session_add_event(s, EVENT_CPU_SPIKE, session_at(s, sampler->cpu_spike.start_ns), -1);
    if (change == SPIKE_OPENED || change == SPIKE_GREW) {
        describe_cpu(sampler);
        tell(sampler, sampler->cpu_event, false);
    } else if (change == SPIKE_ENDED) {
        episodes_end_cpu(sampler);
    } else if (sampler->cpu_event >= 0) {
        s->events[sampler->cpu_event].end_ns = session_at(s, sampler->cpu_spike.end_ns);
    }
}

void episodes_note_gap(struct sampler *sampler, uint64_t from_ns, uint64_t to_ns, const char *why)
{
    struct session *s = sampler->session;
    uint32_t event = session_add_event(s, EVENT_GAP, session_at(s, from_ns), -1);

    s->events[event].end_ns = session_at(s, to_ns);
    s->events[event].open = false;
    s->events[event].location =
        strings_addf(&s->strings, "No readings for %.1f s: %s", (double)(to_ns - from_ns) / 1e9, why);
    s->diagnostics.gaps++;
    for (size_t i = 0; i < sampler->count; i++) {
        episodes_end_memory(sampler, &sampler->watched[i]);
        memory_spike_reset(&sampler->watched[i].spike);
    }
    episodes_end_cpu(sampler);
    cpu_spike_reset(&sampler->cpu_spike);
}
