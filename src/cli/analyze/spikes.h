/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Spikes as episodes, found while the program runs.
 *
 * Memory: anonymous resident memory of one process that grows by more than the threshold inside a sliding second opens
 * an episode. It ends when growth stops for a second, and is worth what was gained from the plateau before it to its
 * top. CPU: more than the threshold over 100 ms opens one, less for 200 ms ends it.
 *
 * Detectors know nothing of sessions or processes: the caller feeds readings with their true times (at_ns, any
 * spacing) and acts on what update returns. A gap in time (suspend, a stopped sampler) is the caller's to announce with
 * the reset functions, so that it never looks like growth.
 */

enum spike_change {
    SPIKE_NONE,
    SPIKE_OPENED,
    SPIKE_GREW, /* an open episode has a new peak */
    SPIKE_ENDED,
};

enum { SPIKE_WINDOW_READINGS = 64 };

struct memory_spike {
    /* the sliding second, thinned to SPIKE_WINDOW_READINGS low points */
    struct {
        uint64_t at_ns;
        uint64_t bytes; /* the lowest reading in this slice of the window */
    } window[SPIKE_WINDOW_READINGS];
    size_t first, count;

    bool open;
    uint64_t start_ns, end_ns; /* of the open or last episode: the low point; the last growth */
    uint64_t base_bytes, peak_bytes;
    uint64_t mark_bytes, mark_ns; /* the level that growth is measured against while open */
};

/*
 * A reading of BYTES at AT_NS. Returns what changed; the episode's fields hold its numbers until the next one opens.
 */
enum spike_change memory_spike_update(struct memory_spike *spike, uint64_t at_ns, uint64_t bytes,
                                      uint64_t threshold_bytes);
/* Forgets the window: the next reading is the new low point. An open episode is ended (true). */
bool memory_spike_reset(struct memory_spike *spike);
/* The gain of the open or last episode. */
uint64_t memory_spike_bytes(const struct memory_spike *spike);

enum { CPU_SPIKE_READINGS = 128 };

struct cpu_spike {
    /* cumulative CPU time at each reading, to measure rates over at least 100 ms */
    struct {
        uint64_t at_ns;
        uint64_t cpu_ns;
    } window[CPU_SPIKE_READINGS];
    size_t first, count;

    bool open;
    uint64_t start_ns, end_ns;
    double peak_pct;
    uint64_t below_since_ns; /* 0: at or above the threshold */
    double window_pct;       /* the rate over the last ≥ 100 ms; NaN until there is one */
};

/* CPU_NS is cumulative and never falls. */
enum spike_change cpu_spike_update(struct cpu_spike *spike, uint64_t at_ns, uint64_t cpu_ns, double threshold_pct);
/*
 * CPU_NS that were used evenly from SINCE_NS to NOW_NS and are known only now: readings in between are raised by their
 * part. The next update's reading has all of it in it.
 */
void cpu_spike_add_past(struct cpu_spike *spike, uint64_t since_ns, uint64_t now_ns, uint64_t cpu_ns);
bool cpu_spike_reset(struct cpu_spike *spike);
