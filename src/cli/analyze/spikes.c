/* SPDX-License-Identifier: MIT */
#include "analyze/spikes.h"

#include <math.h>

static const uint64_t MS = 1000000;
static const uint64_t WINDOW_NS = 1000000000;

/* Growth slower than this share of the threshold per second is a plateau: an open episode may end on it. */
enum { PLATEAU_SHARE = 20 };

static size_t slot(const struct memory_spike *spike, size_t i)
{
    return (spike->first + i) % SPIKE_WINDOW_READINGS;
}

static void window_put(struct memory_spike *spike, uint64_t at_ns, uint64_t bytes)
{
    /* Readings closer than a slice share a slot, which keeps the lower one: the window holds a second at any rate. */
    const uint64_t slice_ns = WINDOW_NS / (SPIKE_WINDOW_READINGS - 2);

    while (spike->count && at_ns - spike->window[spike->first].at_ns > WINDOW_NS) {
        spike->first = slot(spike, 1);
        spike->count--;
    }
    if (spike->count) {
        size_t last = slot(spike, spike->count - 1);

        if (at_ns - spike->window[last].at_ns < slice_ns) {
            if (bytes <= spike->window[last].bytes)
                spike->window[last].bytes = bytes;
            return;
        }
    }
    spike->window[slot(spike, spike->count)].at_ns = at_ns;
    spike->window[slot(spike, spike->count)].bytes = bytes;
    spike->count++;
}

/*
 * Where growth began: the latest reading that lies no more than a plateau above the lowest one of the window, so that
 * what a program took to start up does not count for what it does next.
 */
static size_t window_base(const struct memory_spike *spike, uint64_t plateau)
{
    uint64_t lowest = UINT64_MAX;
    size_t base = spike->first;

    for (size_t i = 0; i < spike->count; i++)
        if (spike->window[slot(spike, i)].bytes < lowest)
            lowest = spike->window[slot(spike, i)].bytes;
    for (size_t i = 0; i < spike->count; i++)
        if (spike->window[slot(spike, i)].bytes <= lowest + plateau)
            base = slot(spike, i);
    return base;
}

static enum spike_change update_open(struct memory_spike *spike, uint64_t at_ns, uint64_t bytes,
                                     uint64_t threshold_bytes)
{
    uint64_t plateau = threshold_bytes / PLATEAU_SHARE;

    if (bytes > spike->mark_bytes + plateau) {
        spike->mark_bytes = bytes;
        spike->mark_ns = at_ns;
    }
    if (at_ns - spike->mark_ns >= WINDOW_NS) {
        spike->open = false;
        spike->count = 0;
        window_put(spike, at_ns, bytes);
        return SPIKE_ENDED;
    }
    if (bytes <= spike->peak_bytes)
        return SPIKE_NONE;
    spike->peak_bytes = bytes;
    spike->end_ns = at_ns;
    return SPIKE_GREW;
}

enum spike_change memory_spike_update(struct memory_spike *spike, uint64_t at_ns, uint64_t bytes,
                                      uint64_t threshold_bytes)
{
    size_t base;

    if (spike->open)
        return update_open(spike, at_ns, bytes, threshold_bytes);
    window_put(spike, at_ns, bytes);
    base = window_base(spike, threshold_bytes / PLATEAU_SHARE);
    if (bytes <= spike->window[base].bytes + threshold_bytes)
        return SPIKE_NONE;
    spike->open = true;
    spike->start_ns = spike->window[base].at_ns;
    spike->base_bytes = spike->window[base].bytes;
    spike->end_ns = spike->mark_ns = at_ns;
    spike->peak_bytes = spike->mark_bytes = bytes;
    return SPIKE_OPENED;
}

bool memory_spike_reset(struct memory_spike *spike)
{
    bool was_open = spike->open;

    spike->open = false;
    spike->count = 0;
    return was_open;
}

uint64_t memory_spike_bytes(const struct memory_spike *spike)
{
    return spike->peak_bytes - spike->base_bytes;
}

/* Drops readings that are not needed to look back 100 ms, and appends this one. */
static void cpu_window_put(struct cpu_spike *spike, uint64_t at_ns, uint64_t cpu_ns)
{
    while (spike->count >= 2) {
        size_t second = (spike->first + 1) % CPU_SPIKE_READINGS;

        if (at_ns - spike->window[second].at_ns < 100 * MS && spike->count < CPU_SPIKE_READINGS)
            break;
        spike->first = second;
        spike->count--;
    }
    spike->window[(spike->first + spike->count) % CPU_SPIKE_READINGS].at_ns = at_ns;
    spike->window[(spike->first + spike->count) % CPU_SPIKE_READINGS].cpu_ns = cpu_ns;
    spike->count++;
}

enum spike_change cpu_spike_update(struct cpu_spike *spike, uint64_t at_ns, uint64_t cpu_ns, double threshold_pct)
{
    uint64_t first_ns, first_cpu_ns;

    /* A reading every 1 ms would overflow the window: those in between add nothing. */
    if (spike->count) {
        size_t last = (spike->first + spike->count - 1) % CPU_SPIKE_READINGS;

        if (at_ns - spike->window[last].at_ns < MS)
            return SPIKE_NONE;
    } else {
        spike->window_pct = NAN;
    }
    cpu_window_put(spike, at_ns, cpu_ns);
    first_ns = spike->window[spike->first].at_ns;
    first_cpu_ns = spike->window[spike->first].cpu_ns;
    if (at_ns - first_ns < 100 * MS)
        return SPIKE_NONE;
    spike->window_pct = 100.0 * (double)(cpu_ns - first_cpu_ns) / (double)(at_ns - first_ns);

    if (spike->window_pct > threshold_pct) {
        enum spike_change change = spike->open ? SPIKE_NONE : SPIKE_OPENED;

        if (!spike->open) {
            spike->start_ns = first_ns;
            spike->peak_pct = 0;
        }
        spike->open = true;
        spike->below_since_ns = 0;
        spike->end_ns = at_ns;
        if (spike->window_pct > spike->peak_pct) {
            spike->peak_pct = spike->window_pct;
            change = change ? change : SPIKE_GREW;
        }
        return change;
    }
    if (!spike->open)
        return SPIKE_NONE;
    if (!spike->below_since_ns)
        spike->below_since_ns = at_ns;
    if (at_ns - spike->below_since_ns < 200 * MS)
        return SPIKE_NONE;
    spike->open = false;
    return SPIKE_ENDED;
}

void cpu_spike_add_past(struct cpu_spike *spike, uint64_t since_ns, uint64_t now_ns, uint64_t cpu_ns)
{
    for (size_t i = 0; i < spike->count; i++) {
        size_t at = (spike->first + i) % CPU_SPIKE_READINGS;
        uint64_t at_ns = spike->window[at].at_ns;

        if (at_ns >= now_ns)
            spike->window[at].cpu_ns += cpu_ns;
        else if (at_ns > since_ns)
            spike->window[at].cpu_ns +=
                (uint64_t)((double)cpu_ns * (double)(at_ns - since_ns) / (double)(now_ns - since_ns));
    }
}

bool cpu_spike_reset(struct cpu_spike *spike)
{
    bool was_open = spike->open;

    spike->open = false;
    spike->count = 0;
    spike->below_since_ns = 0;
    spike->window_pct = NAN;
    return was_open;
}
