/* SPDX-License-Identifier: MIT */

/*
 * bench_verdict [RUNS]: what the statistics of the benchmark runner are worth, by simulation. Samples are drawn from
 * distributions whose mean and median are known; how often does the 95 % interval hold the truth, how often does the verdict
 * see a change where there is none, and how often does it find a planted one?
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/bench_arms.h"
#include "core/bench_math.h"
#include "core/bench_stats.h"

enum { SAMPLES = 100, PROCESSES = 5 };

static uint64_t state = 20261127;
static double scratch[RS_BENCH_SCRATCH(2 * SAMPLES)];
static double arms_scratch[RS_ARMS_SCRATCH(2 * SAMPLES)];

static double uniform(void)
{
    return ((double)(rs_random(&state) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
    return rs_normal_quantile(uniform());
}

/* Times as they come: even; with a tail to the right; with a tenth of samples disturbed; on two levels. Around 100 ns. */
static double even(void) { return 100 + 2 * normal(); }
static double tail(void) { return 98 - 4 * log(uniform()); }
static double disturbed(void) { return 100 + 2 * normal() + (uniform() < 0.1 ? 20 * uniform() : 0); }
static double two_levels(void) { return (uniform() < 0.3 ? 104 : 100) + normal(); }

static const struct {
    const char *name;
    double (*draw)(void);
    double mean, median; /* NAN: by a million draws */
} shapes[] = {
    {"even", even, 100, 100},
    {"tail to the right", tail, 102, 98 + 4 * 0.69314718055994531},
    {"a tenth disturbed", disturbed, 101, NAN},
    {"two levels", two_levels, 101.2, NAN},
};

static double median_of_draws(double (*draw)(void))
{
    enum { DRAWS = 1000000 };
    double *v = malloc(DRAWS * sizeof(*v)), median;

    if (!v)
        exit(1);
    for (int i = 0; i < DRAWS; i++)
        v[i] = draw();
    rs_sort_doubles(v, DRAWS);
    median = (v[DRAWS / 2 - 1] + v[DRAWS / 2]) / 2;
    free(v);
    return median;
}

static void coverage(int runs)
{
    printf("95 %% intervals of one process, %d samples (must hold the truth in 93 to 97 %%)\n", SAMPLES);
    for (size_t shape = 0; shape < sizeof(shapes) / sizeof(*shapes); shape++) {
        double median = isnan(shapes[shape].median) ? median_of_draws(shapes[shape].draw) : shapes[shape].median;
        int of_mean = 0, of_median = 0;

        for (int run = 0; run < runs; run++) {
            double v[SAMPLES];
            struct rs_bench_samples samples = {v, SAMPLES, 1};
            struct rs_bench_summary s;

            for (int i = 0; i < SAMPLES; i++)
                v[i] = shapes[shape].draw();
            rs_bench_summarize(&samples, (uint64_t)run, scratch, &s);
            of_mean += s.mean_low_ns <= shapes[shape].mean && shapes[shape].mean <= s.mean_high_ns;
            of_median += s.median_low_ns <= median && median <= s.median_high_ns;
        }
        printf("  %-20s mean %5.1f %%   median %5.1f %%\n", shapes[shape].name, 100.0 * of_mean / runs, 100.0 * of_median / runs);
    }
}

/* PROCESSES processes whose own speeds lie LAYOUT (relative, one sigma) around FACTOR. */
static void draw_processes(double *v, double (*draw)(void), double layout, double factor)
{
    for (int p = 0; p < PROCESSES; p++) {
        double own = factor * (1 + layout * normal());

        for (int i = 0; i < SAMPLES / PROCESSES; i++)
            *v++ = own * draw();
    }
}

static void process_coverage(int runs)
{
    printf("95 %% intervals over %d processes whose layouts differ by 2 %%\n", PROCESSES);
    for (size_t shape = 0; shape < sizeof(shapes) / sizeof(*shapes); shape++) {
        int held = 0, taken_together = 0;

        for (int run = 0; run < runs; run++) {
            double v[SAMPLES];
            struct rs_bench_samples apart = {v, SAMPLES, PROCESSES}, together = {v, SAMPLES, 1};
            struct rs_bench_summary s;

            draw_processes(v, shapes[shape].draw, 0.02, 1);
            rs_bench_summarize(&apart, (uint64_t)run, scratch, &s);
            held += s.mean_low_ns <= shapes[shape].mean && shapes[shape].mean <= s.mean_high_ns;
            rs_bench_summarize(&together, (uint64_t)run, scratch, &s);
            taken_together += s.mean_low_ns <= shapes[shape].mean && shapes[shape].mean <= s.mean_high_ns;
        }
        printf("  %-20s mean %5.1f %%   (a bootstrap over all samples: %5.1f %%)\n", shapes[shape].name, 100.0 * held / runs,
               100.0 * taken_together / runs);
    }
}

static void verdicts(int runs, double layout)
{
    printf("verdicts with %d processes on each side, layouts %.1f %%, noise threshold 1 %%\n", PROCESSES, layout * 100);
    for (size_t shape = 0; shape < sizeof(shapes) / sizeof(*shapes); shape++) {
        int alarms = 0, found = 0;

        for (int run = 0; run < runs; run++) {
            double before[SAMPLES], after[SAMPLES], slower[SAMPLES];
            struct rs_bench_samples a = {before, SAMPLES, PROCESSES}, b = {after, SAMPLES, PROCESSES};
            struct rs_bench_samples c = {slower, SAMPLES, PROCESSES};
            struct rs_bench_change change;

            draw_processes(before, shapes[shape].draw, layout, 1);
            draw_processes(after, shapes[shape].draw, layout, 1);
            draw_processes(slower, shapes[shape].draw, layout, 1.05);
            rs_bench_compare(&a, &b, 0.01, (uint64_t)run, scratch, &change);
            alarms += change.verdict == RS_BENCH_REGRESSED || change.verdict == RS_BENCH_IMPROVED;
            rs_bench_compare(&a, &c, 0.01, (uint64_t)run, scratch, &change);
            found += change.verdict == RS_BENCH_REGRESSED;
        }
        printf("  %-20s false alarms %4.1f %% (must 5)   +5 %% found %5.1f %% (must 95)\n", shapes[shape].name, 100.0 * alarms / runs,
               100.0 * found / runs);
    }
}

/* Two arms of COUNT runs, NEXT 10 % slower; paired ones share a drift of 10 %. */
static double arms_cover(double (*one)(void), size_t count, bool paired, int runs)
{
    int held = 0;

    for (int run = 0; run < runs; run++) {
        double base[SAMPLES], next[SAMPLES];
        struct rs_arms arms;

        for (size_t i = 0; i < count; i++) {
            double drift = paired ? exp(0.1 * normal()) : 1;

            base[i] = drift * one();
            next[i] = 1.1 * drift * one();
        }
        rs_arms_compare(base, count, next, count, paired, (uint64_t)run, arms_scratch, &arms);
        held += arms.low <= 1.1 && 1.1 <= arms.high;
    }
    return 100.0 * held / runs;
}

static void arms_coverage(int runs)
{
    static const size_t counts[] = {5, 10, 20, 30, 60};

    printf("95 %% intervals of the ratio of two arms (must hold the truth in 93 to 97 %% from 20 runs on), unpaired / paired\n");
    for (size_t shape = 0; shape < sizeof(shapes) / sizeof(*shapes); shape++) {
        printf("  %-20s", shapes[shape].name);
        for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
            printf("  %zu runs %4.1f / %4.1f", counts[i], arms_cover(shapes[shape].draw, counts[i], false, runs),
                   arms_cover(shapes[shape].draw, counts[i], true, runs));
        putchar('\n');
    }
}

int main(int argc, char **argv)
{
    int runs = argc > 1 ? atoi(argv[1]) : 2000;

    if (runs < 1) {
        fprintf(stderr, "usage: bench_verdict [RUNS]\n");
        return 2;
    }
    coverage(runs);
    process_coverage(runs);
    arms_coverage(runs);
    verdicts(runs, 0.005);
    verdicts(runs, 0.01);
    return 0;
}
