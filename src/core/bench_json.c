/* SPDX-License-Identifier: MIT */
#include "core/bench.h"

enum { NS_DIGITS = 6 }; /* femtoseconds: means of loops are that fine */

double rs_bench_per_sec(uint64_t per_iteration, const struct rs_bench_counts *c, const struct rs_bench_summary *s)
{
    /* From the mean as it is written, so that a session that was read says the same. */
    double mean_fs = s->mean_ns > 0 && s->mean_ns < 1e12 ? (double)(uint64_t)(s->mean_ns * 1e6 + 0.5) : s->mean_ns * 1e6;

    return mean_fs > 0 ? (double)per_iteration * (c->threads > 1 ? c->threads : 1) / mean_fs * 1e15 : 0;
}

static void interval(struct rs_json *j, const char *key, double low, double high)
{
    rs_json_key(j, key);
    rs_json_array_begin(j);
    rs_json_double(j, low, NS_DIGITS);
    rs_json_double(j, high, NS_DIGITS);
    rs_json_array_end(j);
}

void rs_bench_json(struct rs_json *j, const char *name, const struct rs_bench_counts *c, const struct rs_bench_summary *s,
                   const double *samples_ns, bool profiled)
{
    rs_json_object_begin(j);
    rs_json_kv_str(j, "name", name);
    rs_json_kv_uint(j, "iterations", c->iterations);
    rs_json_kv_uint(j, "warmup_iterations", c->warmup_iterations);
    rs_json_kv_uint(j, "sample_iterations", c->sample_iterations);
    rs_json_kv_str(j, "unit", "ns");
    rs_json_kv_double(j, "mean_ns", s->mean_ns, NS_DIGITS);
    rs_json_kv_double(j, "median_ns", s->median_ns, NS_DIGITS);
    rs_json_kv_double(j, "stddev_ns", s->stddev_ns, NS_DIGITS);
    rs_json_kv_double(j, "mad_ns", s->mad_ns, NS_DIGITS);
    interval(j, "ci95_ns", s->mean_low_ns, s->mean_high_ns);
    interval(j, "median_ci95_ns", s->median_low_ns, s->median_high_ns);
    rs_json_kv_double(j, "min_ns", s->min_ns, NS_DIGITS);
    rs_json_kv_double(j, "max_ns", s->max_ns, NS_DIGITS);
    rs_json_key(j, "outliers");
    rs_json_object_begin(j);
    rs_json_kv_uint(j, "low_mild", s->low_mild);
    rs_json_kv_uint(j, "low_severe", s->low_severe);
    rs_json_kv_uint(j, "high_mild", s->high_mild);
    rs_json_kv_uint(j, "high_severe", s->high_severe);
    rs_json_object_end(j);
    rs_json_key(j, "throughput");
    rs_json_object_begin(j);
    if (c->bytes)
        rs_json_kv_double(j, "bytes_per_sec", rs_bench_per_sec(c->bytes, c, s), 0);
    if (c->items)
        rs_json_kv_double(j, "items_per_sec", rs_bench_per_sec(c->items, c, s), 0);
    rs_json_object_end(j);
    if (c->bytes)
        rs_json_kv_uint(j, "bytes", c->bytes);
    if (c->items)
        rs_json_kv_uint(j, "items", c->items);
    if (c->flags & RS_BENCH_HAS_N)
        rs_json_kv_int(j, "n", c->n);
    rs_json_kv_uint(j, "threads", c->threads);
    rs_json_kv_uint(j, "processes", c->processes);
    if (c->processes > 1)
        rs_json_kv_double(j, "process_stddev_ns", s->process_stddev_ns, NS_DIGITS);
    if (c->flags & RS_BENCH_ALLOCATIONS_KNOWN) {
        rs_json_kv_uint(j, "alloc_bytes", c->alloc_bytes);
        rs_json_kv_uint(j, "alloc_blocks", c->alloc_blocks);
    }
    rs_json_kv_bool(j, "settled", !(c->flags & RS_BENCH_UNSETTLED));
    rs_json_kv_double(j, "loop_ns", (double)c->loop_fs / 1e6, NS_DIGITS);
    rs_json_kv_double(j, "resolution_ns", (double)c->resolution_fs / 1e6, NS_DIGITS);
    rs_json_key(j, "samples_ns");
    rs_json_array_begin(j);
    for (uint32_t i = 0; i < c->samples; i++)
        rs_json_double(j, samples_ns[i], NS_DIGITS);
    rs_json_array_end(j);
    rs_json_kv_bool(j, "profiled", profiled);
    rs_json_object_end(j);
    rs_json_newline(j);
}
