/* SPDX-License-Identifier: MIT */
/*
 * How one benchmark is measured.
 *
 * The clock is read fenced around each sample, and what a call of an empty function shows between the two readings is
 * subtracted from each. Samples take milliseconds, so that is a correction in the sixth digit; for batches of one
 * iteration it is the reading.
 *
 * The loop is another matter. A loop around nothing takes a cycle a turn, but next to a body its two instructions hide
 * behind the body's: subtracting the empty loop made a 5 ns body 5 % too fast. So short bodies of RS_BENCH are run four
 * times a turn, and what the loop costs beside this very body is what one turn of one body takes more than a quarter of
 * a turn of four. A third of that difference is subtracted; never more than the empty loop has.
 */
#include <errno.h>
#include <math.h> /* for HUGE_VAL alone */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "lib/allocations.h"
#include "lib/bench/bench.h"
#include "lib/clock.h"
#include "lib/os.h"
#include "lib/snapshot.h"
#include "lib/state.h"

enum {
    TIME_NS = 500000000,
    WARMUP_NS = 100000000,
    WARMUPS_AT_MOST = 5, /* times the warm-up's time, until it is said that times do not settle */
    SAMPLES = 100,
    SAMPLES_LEAST = 10,
    SETTLED_OVER = 5, /* batches, twice in a row */
    SHORT_BODY_NS = 64,
    RESOLUTIONS_A_SAMPLE = 1000,
    OFFSET_ROUNDS = 200,
    THREADS_MAX = 1024,
};

/* Of a body with a setup for each batch, which may take a thousand times as long as what is measured. */
static const double STEP_AT_MOST_NS = 1e9, CALIBRATION_AT_MOST_NS = 2e9, SAMPLING_AT_MOST_NS = 20e9;

static const uint64_t ITERATIONS_MAX = UINT64_C(1) << 60;

struct run;

struct worker {
    struct run *run;
    pthread_t thread;
    uint32_t number;
    uint64_t iterations; /* of the batch to come */
    struct rustscope_bench bench;
    double ticks;   /* of the batch, the offset subtracted */
    bool left_loop; /* RS_BENCH_LOOP was begun and not ended, or more than once */
};

struct run {
    const struct rustscope_bench_config *config;
    rustscope_bench_fn fn;
    void *ctx;
    double ns_per_tick;
    double call_offset, loop_offset; /* ticks between two readings around nothing */
    bool fours;                      /* four bodies a turn */
    struct worker *workers;          /* one a thread; the first is the caller */
    uint32_t threads;
    pthread_barrier_t begin, end;
    atomic_int gate;   /* of new threads, until all are there: 1 go on, -1 end */
    atomic_uint ready; /* workers that came through the barrier: they start together */
    bool stop;
    uint64_t batch; /* most iterations of one call; 0: no limit */
    uint64_t warmup_iterations;
    uint64_t measured_bytes, measured_blocks;
    double spent_ns; /* with setups, and how many iterations in it; 0 without batches */
    double spent_iterations;
};

/* ---- one batch ---- */

uint64_t rustscope_bench_start(struct rustscope_bench *bench)
{
    const struct rustscope_allocations *counted = rs_allocations_of_thread();

    bench->loops++;
    bench->open = 1;
    bench->alloc_bytes = counted->bytes;
    bench->alloc_blocks = counted->blocks;
    bench->start_ticks = rs_clock_fenced_begin();
    return bench->iterations;
}

void rustscope_bench_stop(struct rustscope_bench *bench)
{
    const struct rustscope_allocations *counted;

    bench->stop_ticks = rs_clock_fenced_end();
    counted = rs_allocations_of_thread();
    bench->alloc_bytes = counted->bytes - bench->alloc_bytes;
    bench->alloc_blocks = counted->blocks - bench->alloc_blocks;
    bench->open = 0;
}

static void run_batch(struct worker *w)
{
    const struct run *run = w->run;
    struct rustscope_bench *b = &w->bench;
    struct rustscope_bench around = {.iterations = w->iterations};
    double offset;

    b->iterations = w->iterations;
    b->fours = run->fours ? w->iterations / 4 : 0;
    b->ones = w->iterations - 4 * b->fours;
    b->loops = b->open = 0;
    if (b->own_loop)
        b->ones = 1; /* the body has a loop of its own */
    if (run->config->setup)
        run->config->setup(b);
    rustscope_bench_start(&around);
    run->fn(b);
    rustscope_bench_stop(&around);
    if (run->config->teardown)
        run->config->teardown(b);
    w->left_loop = b->open || b->loops > 1;
    if (b->loops) {
        around = *b;
        b->own_loop = 1;
    } else {
        b->alloc_bytes = around.alloc_bytes;
        b->alloc_blocks = around.alloc_blocks;
    }
    offset = b->loops ? run->loop_offset : run->call_offset;
    w->ticks = (double)(int64_t)(around.stop_ticks - around.start_ticks) - offset;
    w->ticks = w->ticks > 0 ? w->ticks : 0;
}

/* All threads run ITERATIONS, in batches as the setup wants them. The mean over the threads, in ns; negative: give up.
 */
static double measure(struct run *run, uint64_t iterations)
{
    uint64_t batch = run->batch ? run->batch : iterations, left = iterations;
    uint64_t begin_ns = run->batch ? rs_clock_mono_ns() : 0;
    double ticks = 0;

    while (left) {
        uint64_t now = left < batch ? left : batch;

        for (uint32_t i = 0; i < run->threads; i++)
            run->workers[i].iterations = now;
        if (run->threads > 1) {
            atomic_store_explicit(&run->ready, 0, memory_order_relaxed);
            pthread_barrier_wait(&run->begin);
            atomic_fetch_add_explicit(&run->ready, 1, memory_order_acq_rel);
            while (atomic_load_explicit(&run->ready, memory_order_acquire) < run->threads)
                rs_os_yield();
        }
        run_batch(&run->workers[0]);
        if (run->threads > 1)
            pthread_barrier_wait(&run->end);
        for (uint32_t i = 0; i < run->threads; i++) {
            ticks += run->workers[i].ticks;
            run->measured_bytes += run->workers[i].bench.alloc_bytes;
            run->measured_blocks += run->workers[i].bench.alloc_blocks;
            if (run->workers[i].left_loop)
                return -1;
        }
        left -= now;
    }
    if (begin_ns) {
        run->spent_ns += (double)(rs_clock_mono_ns() - begin_ns);
        run->spent_iterations += (double)iterations;
    }
    if (!run->config->batch)
        run->batch =
            run->workers[0].bench.batch; /* the function knows since its first call, which is of one iteration */
    return ticks / run->threads * run->ns_per_tick;
}

/* As many of ITERATIONS as fit into WITHIN_NS with their setups; at least a batch. */
static uint64_t affordable(const struct run *run, uint64_t iterations, double within_ns)
{
    double most = run->spent_ns > 0 ? within_ns / run->spent_ns * run->spent_iterations : (double)iterations;

    if ((double)iterations <= most)
        return iterations;
    return most > (double)run->batch ? (uint64_t)most : run->batch;
}

/* ---- threads ---- */

static void *work(void *worker)
{
    struct worker *w = worker;
    struct run *run = w->run;

    while (!atomic_load_explicit(&run->gate, memory_order_acquire))
        rs_os_yield();
    while (run->gate > 0) {
        pthread_barrier_wait(&run->begin);
        if (run->stop)
            break;
        atomic_fetch_add_explicit(&run->ready, 1, memory_order_acq_rel);
        while (atomic_load_explicit(&run->ready, memory_order_acquire) < run->threads)
            rs_os_yield();
        run_batch(w);
        pthread_barrier_wait(&run->end);
    }
    return NULL;
}

static int start_threads(struct run *run)
{
    uint32_t started = 1;
    int rc;

    run->workers = calloc(run->threads, sizeof(*run->workers));
    if (!run->workers)
        return -ENOMEM;
    for (uint32_t i = 0; i < run->threads; i++) {
        struct worker *w = &run->workers[i];

        w->run = run;
        w->number = i;
        w->bench.thread = i;
        w->bench.threads = run->threads;
        w->bench.n = run->config->n;
        w->bench.ctx = run->ctx;
        w->bench.bytes = run->config->bytes;
        w->bench.items = run->config->items;
    }
    if (run->threads == 1)
        return 0;
    pthread_barrier_init(&run->begin, NULL, run->threads);
    pthread_barrier_init(&run->end, NULL, run->threads);
    while (started < run->threads && !pthread_create(&run->workers[started].thread, NULL, work, &run->workers[started]))
        started++;
    rc = started == run->threads ? 0 : -EAGAIN;
    atomic_store_explicit(&run->gate, rc ? -1 : 1, memory_order_release);
    for (uint32_t i = 1; rc && i < started; i++)
        pthread_join(run->workers[i].thread, NULL);
    return rc;
}

static void stop_threads(struct run *run)
{
    if (run->threads > 1 && run->gate > 0) {
        run->stop = true;
        pthread_barrier_wait(&run->begin);
        for (uint32_t i = 1; i < run->threads; i++)
            pthread_join(run->workers[i].thread, NULL);
        pthread_barrier_destroy(&run->begin);
        pthread_barrier_destroy(&run->end);
    }
    free(run->workers);
}

/* ---- calibration ---- */

static __attribute__((noinline)) void empty_function(struct rustscope_bench *bench)
{
    __asm__ __volatile__("" : : "r"(bench) : "memory");
}

static __attribute__((noinline)) void empty_loop(struct rustscope_bench *bench)
{
    rustscope_bench_start(bench);
    rustscope_bench_stop(bench);
}

static double offset_of(struct run *run, rustscope_bench_fn fn)
{
    struct run empty = {.config = run->config, .fn = fn, .ns_per_tick = 1, .threads = 1};
    struct rustscope_bench_config no_setup = {.size = sizeof(no_setup)};
    struct worker w = {.run = &empty, .iterations = 1};
    struct rs_median middle = {.total = 0};

    empty.config = &no_setup;
    for (int i = 0; i < OFFSET_ROUNDS; i++) {
        run_batch(&w);
        rs_median_add(&middle, (uint64_t)w.ticks);
    }
    return (double)rs_median_of(&middle);
}

/* What RS_BENCH makes of an empty body. */
static __attribute__((noinline)) void empty_turns(uint64_t turns)
{
    for (; turns; turns--)
        rustscope_clobber();
}

/* Of one turn of the loop around nothing, in ns. */
static double empty_turn_ns(const struct run *run)
{
    enum { TURNS = 20000 };
    uint64_t best = UINT64_MAX;

    for (int i = 0; i < 20; i++) {
        uint64_t begin = rs_clock_fenced_begin(), took;

        empty_turns(TURNS);
        took = rs_clock_fenced_end() - begin;
        best = took < best ? took : best;
    }
    return (double)best * run->ns_per_tick / TURNS;
}

static uint64_t iterations_for(double ns, double iteration_ns)
{
    double wanted = iteration_ns > 0 ? ns / iteration_ns : (double)ITERATIONS_MAX;

    return wanted < 1 ? 1 : wanted < (double)ITERATIONS_MAX ? (uint64_t)wanted : ITERATIONS_MAX;
}

static int refuse(const char *sentence)
{
    char *why = rs_sentence_buffer();

    if (why)
        snprintf(why, RS_SENTENCE_BYTES, "%s", sentence);
    return -ENODATA;
}

static const char LEFT_LOOP[] =
    "RS_BENCH_LOOP must run to its end, once in each call: it was left by return, break or goto, or stands there twice";
static const char OPTIMISED_AWAY[] =
    "the body takes no measurable time beside its loop: the compiler has probably removed it; give its result to "
    "rustscope_black_box()";

static const char UNMEASURABLE[] =
    "what is measured is too short beside its setup: twenty seconds of setups would not be enough; give a batch more "
    "iterations (RS_BENCH_BATCH)";

/*
 * Runs ever more iterations until they take UNTIL_NS, or setups have taken what calibration may. The time of one, or a
 * negative number.
 */
static double first_estimate(struct run *run, double until_ns)
{
    uint64_t iterations = 1;

    for (;;) {
        double ns = measure(run, iterations), grow;

        if (ns < 0)
            return -1;
        run->warmup_iterations += iterations * run->threads;
        if (ns >= until_ns || run->spent_ns > CALIBRATION_AT_MOST_NS)
            return ns / (double)iterations;
        if (iterations > ITERATIONS_MAX / 16)
            return 0; /* 2^56 of them in less than a millisecond: there is no body */
        grow = ns > 0 ? 1.4 * until_ns / ns : 16;
        iterations = (uint64_t)((double)iterations * (grow < 2 ? 2 : grow > 16 ? 16 : grow));
        iterations = affordable(run, iterations, STEP_AT_MOST_NS);
    }
}

static double best_of(struct run *run, uint64_t iterations, bool fours, int rounds)
{
    double best = HUGE_VAL;

    run->fours = fours;
    for (int i = 0; i < rounds; i++) {
        double ns = measure(run, iterations) / (double)iterations;

        run->warmup_iterations += iterations * run->threads;
        best = ns < best ? ns : best;
    }
    return best;
}

/* Chooses between one body a turn and four. What the loop adds to an iteration the way that was chosen, in ns. */
static double choose_turns(struct run *run, double estimate_ns, double empty_ns, double *iteration_ns)
{
    uint64_t iterations = affordable(run, iterations_for(1e6, estimate_ns), STEP_AT_MOST_NS) & ~UINT64_C(3);
    double ones = HUGE_VAL, fours = HUGE_VAL, turn;

    if (!iterations)
        return 0;
    for (int round = 0; round < 4; round++) { /* in turns: noise hits both */
        double one = best_of(run, iterations, false, 2), four = best_of(run, iterations, true, 2);

        ones = one < ones ? one : ones;
        fours = four < fours ? four : fours;
    }
    run->fours = fours <= ones * 1.02;
    *iteration_ns = run->fours ? fours : ones;
    if (!run->fours)
        return 0;
    turn = (ones - fours) * 4 / 3;
    turn = turn < 0 ? 0 : turn > empty_ns ? empty_ns : turn;
    return turn / 4;
}

/* Until the warm-up's time is up and two groups of batches agree within 2 %. False when they do not. */
static bool warm_up(struct run *run, uint64_t warmup_ns, double *iteration_ns)
{
    double groups[2] = {0, 0}, spent = 0;
    double patience_ns = run->spent_ns + CALIBRATION_AT_MOST_NS;
    int in_group = 0;

    while (spent < (double)warmup_ns * WARMUPS_AT_MOST && run->spent_ns < patience_ns) {
        uint64_t wanted = iterations_for((double)warmup_ns / (4 * SETTLED_OVER), *iteration_ns);
        uint64_t iterations = affordable(run, wanted, STEP_AT_MOST_NS / SETTLED_OVER);
        double ns = measure(run, iterations);

        run->warmup_iterations += iterations * run->threads;
        spent += ns + 100; /* what takes no time ends too */
        groups[1] += ns / (double)iterations / SETTLED_OVER;
        if (++in_group < SETTLED_OVER) {
            /* An iteration that is longer than the warm-up itself has no groups to wait for. */
            if (iterations == 1 && spent >= (double)warmup_ns)
                return true;
            continue;
        }
        *iteration_ns = groups[1];
        if (spent >= (double)warmup_ns && groups[0] > 0 && __builtin_fabs(groups[1] - groups[0]) <= 0.02 * groups[0])
            return true;
        groups[0] = groups[1];
        groups[1] = 0;
        in_group = 0;
    }
    return false;
}

/* ---- the whole ---- */

/*
 * Fewer iterations a sample, then fewer samples, until setups leave room for them. False: not even the least of both
 * can be had.
 */
static bool fit_samples(const struct run *run, double iteration_ns, double least_ns, uint64_t *iterations,
                        uint32_t *samples)
{
    uint64_t least = iterations_for(least_ns, iteration_ns);
    uint64_t most = affordable(run, *iterations, SAMPLING_AT_MOST_NS / *samples);

    if (most >= *iterations)
        return true;
    *iterations = most > least ? most : least < *iterations ? least : *iterations;
    while (*samples > SAMPLES_LEAST && affordable(run, *iterations, SAMPLING_AT_MOST_NS / *samples) < *iterations)
        --*samples;
    return affordable(run, *iterations, SAMPLING_AT_MOST_NS / *samples) >= *iterations;
}

static int take_samples(struct run *run, double iteration_ns, double loop_ns, struct rs_bench_result *out)
{
    const struct rustscope_bench_config *c = run->config;
    double time_ns = (double)(c->time_ns ? c->time_ns : TIME_NS);
    double least_ns = (double)rs_clock_resolution_ticks() * run->ns_per_tick * RESOLUTIONS_A_SAMPLE;
    uint32_t samples = c->samples ? c->samples : SAMPLES;
    uint64_t iterations = c->iterations;

    if (samples > RS_BENCH_SAMPLES_MAX)
        samples = RS_BENCH_SAMPLES_MAX;
    if (!iterations) {
        double sample_ns = time_ns / samples;

        iterations = iterations_for(sample_ns > least_ns ? sample_ns : least_ns, iteration_ns);
        if (!c->samples && iteration_ns * samples > time_ns) {
            samples = (uint32_t)(time_ns / iteration_ns);
            samples = samples < SAMPLES_LEAST ? SAMPLES_LEAST : samples;
        }
        if (run->fours && iterations > 4)
            iterations &= ~UINT64_C(3);
        if (!fit_samples(run, iteration_ns, least_ns, &iterations, &samples))
            return refuse(UNMEASURABLE);
    }
    out->samples_ns = malloc(samples * sizeof(*out->samples_ns));
    if (!out->samples_ns)
        return -ENOMEM;
    run->measured_bytes = run->measured_blocks = 0;
    for (uint32_t i = 0; i < samples; i++) {
        double ns = measure(run, iterations) / (double)iterations - loop_ns;

        out->samples_ns[i] = ns > 0 ? ns : 0;
    }
    out->counts.samples = samples;
    out->counts.sample_iterations = iterations;
    out->counts.iterations = iterations * samples * run->threads;
    return 0;
}

static void count(const struct run *run, double loop_ns, struct rs_bench_result *out)
{
    const struct rustscope_bench *b = &run->workers[0].bench;
    struct rs_bench_counts *c = &out->counts;

    c->warmup_iterations = run->warmup_iterations;
    c->bytes = b->bytes;
    c->items = b->items;
    c->n = run->config->n;
    c->threads = run->threads;
    c->processes = 1;
    c->loop_fs = (uint64_t)(loop_ns * 1e6);
    c->resolution_fs = (uint64_t)((double)rs_clock_resolution_ticks() * run->ns_per_tick * 1e6);
    c->alloc_bytes = run->measured_bytes;
    c->alloc_blocks = run->measured_blocks;
    /* A counter that has seen nothing in the whole life of this program counts nothing. */
    if (rs_allocations_of_thread() != &RS_THREAD_.own_allocated || rustscope_allocated().blocks || c->alloc_blocks)
        c->flags |= RS_BENCH_ALLOCATIONS_KNOWN;
}

/*
 * What an iteration without a body takes, with some room. No body takes less than the loop that runs it, except in
 * somebody else's loop, which may be unrolled.
 */
static double bodiless_ns(const struct run *run, double empty_ns)
{
    const struct rustscope_bench *b = &run->workers[0].bench;

    return run->fours ? 1.15 * empty_ns / 4 : b->repeats == 4 || b->own_loop ? 1.15 * empty_ns : 0.1 * empty_ns;
}

static int measured(struct run *run, struct rs_bench_result *out)
{
    uint64_t warmup_ns = run->config->warmup_ns ? run->config->warmup_ns : WARMUP_NS;
    double empty_ns = empty_turn_ns(run), loop_ns = 0, iteration_ns;
    const struct rustscope_bench *b = &run->workers[0].bench;
    bool repeated;
    int rc;

    iteration_ns = first_estimate(run, 1e5);
    repeated = b->repeats == 4 && !b->own_loop;
    if (iteration_ns < 0)
        return refuse(LEFT_LOOP);
    if (iteration_ns == 0)
        return refuse(OPTIMISED_AWAY);
    if (!warm_up(run, warmup_ns, &iteration_ns))
        out->counts.flags |= RS_BENCH_UNSETTLED;
    if (repeated && iteration_ns < SHORT_BODY_NS)
        loop_ns = choose_turns(run, iteration_ns, empty_ns, &iteration_ns);
    if (iteration_ns <= bodiless_ns(run, empty_ns))
        return refuse(OPTIMISED_AWAY);
    rc = take_samples(run, iteration_ns, loop_ns, out);
    if (rc)
        return rc;
    count(run, loop_ns, out);
    rc = rs_bench_result_summarize(out, run->config->seed);
    /*
     * The processor may have become slower since the empty loop was timed: the same again, at the speed of the samples
     * and with room for their noise. The shortest body there is, one addition, makes it four times as much.
     */
    if (!rc && out->summary.median_ns + loop_ns <= 1.3 * bodiless_ns(run, empty_turn_ns(run)))
        rc = refuse(OPTIMISED_AWAY);
    return rc;
}

int rs_bench_measure(const struct rustscope_bench_config *config, rustscope_bench_fn fn, void *ctx,
                     struct rs_bench_result *out)
{
    struct run run = {.config = config, .fn = fn, .ctx = ctx, .batch = config->batch};
    int rc;

    run.threads = config->threads ? config->threads : 1;
    if (!fn || run.threads > THREADS_MAX)
        return -EINVAL;
    rs_init();
    run.ns_per_tick = rs_clock_ns_per_tick();
    run.call_offset = offset_of(&run, empty_function);
    run.loop_offset = offset_of(&run, empty_loop);
    rc = start_threads(&run);
    if (!rc)
        rc = measured(&run, out);
    stop_threads(&run);
    if (rc) {
        free(out->samples_ns);
        out->samples_ns = NULL;
        out->counts.samples = 0;
    }
    return rc;
}

/* ---- results ---- */

int rs_bench_result_summarize(struct rs_bench_result *result, uint64_t seed)
{
    struct rs_bench_samples samples = {result->samples_ns, result->counts.samples, result->counts.processes};
    double *scratch = malloc(RS_BENCH_SCRATCH(samples.count) * sizeof(*scratch));

    if (!scratch)
        return -ENOMEM;
    rs_bench_summarize(&samples, seed, scratch, &result->summary);
    free(scratch);
    return 0;
}

bool rs_bench_results_compare(const struct rs_bench_result *before, const struct rs_bench_result *after, double noise,
                              struct rs_bench_change *out)
{
    struct rs_bench_samples old = {before->samples_ns, before->counts.samples, before->counts.processes};
    struct rs_bench_samples now = {after->samples_ns, after->counts.samples, after->counts.processes};
    double *scratch = malloc(RS_BENCH_SCRATCH(old.count + now.count) * sizeof(*scratch));

    if (!scratch)
        return false;
    rs_bench_compare(&old, &now, noise, 1, scratch, out);
    free(scratch);
    return true;
}

void rs_bench_result_release(struct rs_bench_result *result)
{
    free(result->name);
    free(result->family);
    free(result->refusal);
    free(result->samples_ns);
    memset(result, 0, sizeof(*result));
}

/* ---- the public way ---- */

int rustscope_bench_run(const struct rustscope_bench_config *config, rustscope_bench_fn fn, void *ctx,
                        struct rustscope_bench_result *out)
{
    struct rustscope_bench_config whole = {.size = sizeof(whole)};
    struct rs_bench_result r = {0};
    const struct rs_bench_counts *c = &r.counts;
    const struct rs_bench_summary *s = &r.summary;
    bool known;
    int rc;

    if (!config || !fn || !out || config->size < sizeof(config->size) || config->size > sizeof(whole) ||
        out->size != sizeof(*out))
        return -EINVAL;
    memcpy(&whole, config, config->size); /* an older program's is shorter */
    rc = rs_bench_measure(&whole, fn, ctx, &r);
    if (rc)
        return rc;
    known = c->flags & RS_BENCH_ALLOCATIONS_KNOWN;
    *out = (struct rustscope_bench_result){
        .size = sizeof(*out),
        .iterations = c->iterations,
        .warmup_iterations = c->warmup_iterations,
        .sample_iterations = c->sample_iterations,
        .samples = c->samples,
        .threads = c->threads,
        .processes = c->processes,
        .unsettled = !!(c->flags & RS_BENCH_UNSETTLED),
        .mean_ns = s->mean_ns,
        .median_ns = s->median_ns,
        .min_ns = s->min_ns,
        .max_ns = s->max_ns,
        .stddev_ns = s->stddev_ns,
        .mad_ns = s->mad_ns,
        .mean_low_ns = s->mean_low_ns,
        .mean_high_ns = s->mean_high_ns,
        .median_low_ns = s->median_low_ns,
        .median_high_ns = s->median_high_ns,
        .low_mild = s->low_mild,
        .low_severe = s->low_severe,
        .high_mild = s->high_mild,
        .high_severe = s->high_severe,
        .bytes_per_sec = rs_bench_per_sec(c->bytes, c, s),
        .items_per_sec = rs_bench_per_sec(c->items, c, s),
        .alloc_bytes = known ? (double)c->alloc_bytes / (double)c->iterations : -1,
        .alloc_blocks = known ? (double)c->alloc_blocks / (double)c->iterations : -1,
        .loop_ns = (double)c->loop_fs / 1e6,
        .resolution_ns = (double)c->resolution_fs / 1e6,
        .samples_ns = r.samples_ns,
    };
    return 0;
}

void rustscope_bench_result_release(struct rustscope_bench_result *result)
{
    free(result->samples_ns);
    result->samples_ns = NULL;
}
