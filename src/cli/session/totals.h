/* SPDX-License-Identifier: MIT */
#pragma once

#include "session/session.h"

/* A session in a few numbers: what the summary shows and the JSON's `summary` holds. NaN where nothing was measured. */
struct totals {
    double cpu_avg_pct, cpu_peak_pct;
    uint64_t cpu_ns;
    bool heap_is_live; /* live heap bytes of the shim; else anonymous memory stands for it */
    double heap_avg_bytes, heap_peak_bytes;
    double anon_peak_bytes, rss_peak_bytes;
    double heap_peak_at_ns; /* NaN unknown */
    double thread_avg, thread_peak;
    double fd_first, fd_peak, fd_last;
    double read_bytes, write_bytes;
    size_t spikes, processes, threads;
};

/* The metric that stands for memory: METRIC_HEAP_BYTES with the shim, else METRIC_ANON_BYTES. */
enum metric totals_heap_metric(const struct session *s);
void totals_compute(const struct session *s, struct totals *totals);
/*
 * The same over FROM_NS..TO_NS only, as far as the timeline knows: CPU time is the average times the span, peaks are
 * the timeline's. processes (a program that execs another stays one) and threads are those that lived then.
 */
void totals_compute_window(const struct session *s, uint64_t from_ns, uint64_t to_ns, struct totals *totals);
