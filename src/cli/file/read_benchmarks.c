/* SPDX-License-Identifier: MIT */
#include "file/reader.h"

/* Femtoseconds from a number of ns. */
static uint64_t fs_from_ns(const cJSON *o, const char *key)
{
    double ns = item_number(o, key, 0);

    return ns > 0 && ns < 1e12 ? (uint64_t)(ns * 1e6 + 0.5) : 0;
}

static void read_pair(const cJSON *o, const char *key, double *low, double *high)
{
    const cJSON *pair = cJSON_GetObjectItemCaseSensitive(o, key), *a = cJSON_GetArrayItem(pair, 0);
    const cJSON *b = cJSON_GetArrayItem(pair, 1);

    *low = cJSON_IsNumber(a) ? a->valuedouble : 0;
    *high = cJSON_IsNumber(b) ? b->valuedouble : 0;
}

static int read_benchmark(struct session_reader *r, const cJSON *o)
{
    const cJSON *samples = cJSON_GetObjectItemCaseSensitive(o, "samples_ns"), *sample;
    const cJSON *outliers = cJSON_GetObjectItemCaseSensitive(o, "outliers");
    struct rs_bench_counts counts = {
        .iterations = item_uint(o, "iterations"),
        .warmup_iterations = item_uint(o, "warmup_iterations"),
        .sample_iterations = item_uint(o, "sample_iterations"),
        .alloc_bytes = item_uint(o, "alloc_bytes"),
        .alloc_blocks = item_uint(o, "alloc_blocks"),
        .bytes = item_uint(o, "bytes"),
        .items = item_uint(o, "items"),
        .loop_fs = fs_from_ns(o, "loop_ns"),
        .resolution_fs = fs_from_ns(o, "resolution_ns"),
        .n = (int64_t)item_number(o, "n", 0),
        .samples = (uint32_t)cJSON_GetArraySize(samples),
        .processes = (uint32_t)item_uint(o, "processes"),
        .threads = (uint32_t)item_uint(o, "threads"),
        .flags = (cJSON_HasObjectItem(o, "alloc_blocks") ? RS_BENCH_ALLOCATIONS_KNOWN : 0) |
                 (cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(o, "settled")) ? RS_BENCH_UNSETTLED : 0) |
                 (cJSON_HasObjectItem(o, "n") ? RS_BENCH_HAS_N : 0),
    };
    struct session_benchmark *b = session_benchmarks_add(&r->s->benchmarks, &counts);

    if (!b)
        return reader_broken(r, "benchmarks");
    b->name = item_text(r, o, "name");
    b->process = UINT32_MAX;
    cJSON_ArrayForEach(sample, samples) b->samples_ns[b->arrived++] = cJSON_IsNumber(sample) ? sample->valuedouble : 0;
    b->summary = (struct rs_bench_summary){
        .mean_ns = item_number(o, "mean_ns", 0),
        .median_ns = item_number(o, "median_ns", 0),
        .min_ns = item_number(o, "min_ns", 0),
        .max_ns = item_number(o, "max_ns", 0),
        .stddev_ns = item_number(o, "stddev_ns", 0),
        .mad_ns = item_number(o, "mad_ns", 0),
        .process_stddev_ns = item_number(o, "process_stddev_ns", 0),
        .low_mild = (uint32_t)item_uint(outliers, "low_mild"),
        .low_severe = (uint32_t)item_uint(outliers, "low_severe"),
        .high_mild = (uint32_t)item_uint(outliers, "high_mild"),
        .high_severe = (uint32_t)item_uint(outliers, "high_severe"),
    };
    read_pair(o, "ci95_ns", &b->summary.mean_low_ns, &b->summary.mean_high_ns);
    read_pair(o, "median_ci95_ns", &b->summary.median_low_ns, &b->summary.median_high_ns);
    return 0;
}

int read_benchmarks(struct session_reader *r)
{
    return reader_objects(r, "benchmarks", read_benchmark);
}
