/* SPDX-License-Identifier: MIT */
/*
 * The JSON of others. google/benchmark's: its console tool's --benchmark_format=json, one entry of run_type "iteration"
 * for each sample, as its repetitions are, and aggregates behind them; tools/compare.py tests the repetitions.
 * Bencher's metric format: benchmark, measure, value with its interval.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/bench/bench.h"

static int to_stream(void *ctx, const char *bytes, size_t len)
{
    return fwrite(bytes, 1, len, ctx) == len ? 0 : -EIO;
}

static int finish(struct rs_json *j, FILE *to)
{
    int rc = rs_json_finish(j);

    return rc ? rc : putc('\n', to) == EOF ? -EIO : 0;
}

static void google_head(struct rs_json *j, const struct rs_bench_result *r, const char *suffix, const char *run_type)
{
    char name[512];

    rs_json_object_begin(j);
    snprintf(name, sizeof(name), "%s%s", r->name, suffix);
    rs_json_kv_str(j, "name", name);
    rs_json_kv_str(j, "run_name", r->name);
    rs_json_kv_str(j, "run_type", run_type);
    rs_json_kv_uint(j, "repetitions", r->counts.samples);
    rs_json_kv_uint(j, "threads", r->counts.threads);
}

/* Wall time in both: what takes turns with others on the CPU is rare in a benchmark, and we time the clock that users
 * wait by. */
static void google_times(struct rs_json *j, const struct rs_bench_result *r, uint64_t iterations, double ns)
{
    const struct rs_bench_counts *c = &r->counts;
    double per_sec = ns > 0 ? 1e9 / ns * c->threads : 0;

    rs_json_kv_uint(j, "iterations", iterations);
    rs_json_kv_double(j, "real_time", ns, 6);
    rs_json_kv_double(j, "cpu_time", ns, 6);
    rs_json_kv_str(j, "time_unit", "ns");
    if (c->bytes)
        rs_json_kv_double(j, "bytes_per_second", (double)c->bytes * per_sec, 0);
    if (c->items)
        rs_json_kv_double(j, "items_per_second", (double)c->items * per_sec, 0);
    if (c->flags & RS_BENCH_ALLOCATIONS_KNOWN)
        rs_json_kv_double(j, "allocs_per_iter", (double)c->alloc_blocks / (double)c->iterations, 6);
    rs_json_object_end(j);
    rs_json_newline(j);
}

static void google_result(struct rs_json *j, const struct rs_bench_result *r)
{
    const struct {
        const char *name;
        double ns;
    } aggregates[] = {{"mean", r->summary.mean_ns}, {"median", r->summary.median_ns}, {"stddev", r->summary.stddev_ns}};

    if (r->refusal) {
        google_head(j, r, "", "iteration");
        rs_json_kv_bool(j, "error_occurred", true);
        rs_json_kv_str(j, "error_message", r->refusal);
        google_times(j, r, 0, 0);
        return;
    }
    for (uint32_t i = 0; i < r->counts.samples; i++) {
        google_head(j, r, "", "iteration");
        rs_json_kv_uint(j, "repetition_index", i);
        google_times(j, r, r->counts.sample_iterations, r->samples_ns[i]);
    }
    for (size_t i = 0; i < sizeof(aggregates) / sizeof(*aggregates); i++) {
        char suffix[16];

        snprintf(suffix, sizeof(suffix), "_%s", aggregates[i].name);
        google_head(j, r, suffix, "aggregate");
        rs_json_kv_str(j, "aggregate_name", aggregates[i].name);
        rs_json_kv_str(j, "aggregate_unit", "time");
        google_times(j, r, r->counts.samples, aggregates[i].ns);
    }
}

int rs_bench_write_google(FILE *to, const struct rs_bench_list *list, const char *program)
{
    char buf[4096], date[64] = "", host[256] = "";
    time_t now = time(NULL);
    struct tm local;
    struct rs_json j;

    if (localtime_r(&now, &local))
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S%z", &local);
    if (gethostname(host, sizeof(host) - 1))
        host[0] = '\0';
    rs_json_init(&j, buf, sizeof(buf), to_stream, to);
    rs_json_object_begin(&j);
    rs_json_key(&j, "context");
    rs_json_object_begin(&j);
    rs_json_kv_str(&j, "date", date);
    rs_json_kv_str(&j, "host_name", host);
    rs_json_kv_str(&j, "executable", program);
    rs_json_kv_int(&j, "num_cpus", sysconf(_SC_NPROCESSORS_ONLN));
    rs_json_kv_str(&j, "library_version", "rustscope " RUSTSCOPE_VERSION);
    rs_json_kv_str(&j, "library_build_type", "release");
    rs_json_key(&j, "caches");
    rs_json_array_begin(&j);
    rs_json_array_end(&j);
    rs_json_object_end(&j);
    rs_json_newline(&j);
    rs_json_key(&j, "benchmarks");
    rs_json_array_begin(&j);
    for (size_t i = 0; i < list->count; i++)
        google_result(&j, &list->results[i]);
    rs_json_array_end(&j);
    rs_json_object_end(&j);
    return finish(&j, to);
}

static void bmf_measure(struct rs_json *j, const char *measure, double value, double low, double high)
{
    rs_json_key(j, measure);
    rs_json_object_begin(j);
    rs_json_kv_double(j, "value", value, 6);
    if (low < high) {
        rs_json_kv_double(j, "lower_value", low, 6);
        rs_json_kv_double(j, "upper_value", high, 6);
    }
    rs_json_object_end(j);
}

int rs_bench_write_bmf(FILE *to, const struct rs_bench_list *list)
{
    char buf[4096];
    struct rs_json j;

    rs_json_init(&j, buf, sizeof(buf), to_stream, to);
    rs_json_object_begin(&j);
    for (size_t i = 0; i < list->count; i++) {
        const struct rs_bench_result *r = &list->results[i];
        const struct rs_bench_counts *c = &r->counts;

        if (r->refusal)
            continue;
        rs_json_key(&j, r->name);
        rs_json_object_begin(&j);
        bmf_measure(&j, "latency", r->summary.mean_ns, r->summary.mean_low_ns, r->summary.mean_high_ns);
        if (c->items || c->bytes)
            bmf_measure(&j, "throughput", rs_bench_per_sec(c->items ? c->items : c->bytes, c, &r->summary), 0, 0);
        if (c->flags & RS_BENCH_ALLOCATIONS_KNOWN)
            bmf_measure(&j, "allocations", (double)c->alloc_blocks / (double)c->iterations, 0, 0);
        rs_json_object_end(&j);
        rs_json_newline(&j);
    }
    rs_json_object_end(&j);
    return finish(&j, to);
}
