/* SPDX-License-Identifier: MIT */
/*
 * What scopes cost and how true they are; bench/scopes.py builds and runs it. Prints ns per call, for CALLS calls of a
 * function that is never inlined and otherwise empty (its own cost is in every figure):
 *
 *     scopes_bench floor|scope|nest|enter|poll|sampled|count|precise|threads   REPEATS medians, interleaved with floor
 *     scopes_bench accuracy                                                    truth and PRECISE's mean, several bodies
 *
 * floor is two readings of the counter and one addition: nothing that times each call is cheaper. GPROF_BODY builds only
 * an empty function in a loop, for tracers that instrument by themselves.
 */
#include <pthread.h>
#include <rustscope.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CALLS = 100000, REPEATS = 9, SHORT_ROUNDS = 100, SHORT_CALLS = 2000 };

/* CPU time of the thread: other programs' share of a busy machine is no cost of ours. */
static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

#define BODY() __asm__ volatile("" ::: "memory")
#define NOINLINE static __attribute__((noinline)) void

#ifdef TRACED_BODY
/* -pg and the like hook it; no scope of ours is in this program. */
__attribute__((noinline)) void traced(void);
__attribute__((noinline)) void traced(void)
{
    BODY();
}

int main(void)
{
    double begin = now_ns();

    for (int i = 0; i < CALLS; i++)
        traced();
    printf("%.3f\n", (now_ns() - begin) / CALLS);
    return 0;
}
#else

static __thread uint64_t total;

NOINLINE empty(void)
{
    BODY();
}

NOINLINE floor_pair(void)
{
    uint64_t begin = rustscope_ticks();

    BODY();
    total += rustscope_ticks() - begin;
}

NOINLINE scope(void)
{
    RS_PROFILE("scope");
    BODY();
}

NOINLINE sampled(void)
{
    RS_PROFILE_MODE("sampled", RUSTSCOPE_SAMPLED);
    BODY();
}

NOINLINE count(void)
{
    RS_PROFILE_MODE("count", RUSTSCOPE_COUNT);
    BODY();
}

NOINLINE precise(void)
{
    RS_PROFILE_MODE("precise", RUSTSCOPE_PRECISE);
    BODY();
}

RS_SITE(enter_site, "enter");

NOINLINE enter(void)
{
    struct rustscope_frame frame;

    rustscope_enter(&frame, &enter_site);
    BODY();
    rustscope_leave(&frame);
}

static struct rustscope_task task;

NOINLINE poll(void)
{
    rustscope_task_poll_enter(&task);
    BODY();
    rustscope_task_poll_exit(&task, 0);
}

NOINLINE nest(void)
{
    RS_PROFILE("nest");
    scope();
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof(*values), by_value);
    return values[n / 2];
}

static double per_call(void (*fn)(void))
{
    double begin = now_ns();

    for (int i = 0; i < CALLS; i++)
        fn();
    return (now_ns() - begin) / CALLS;
}

/* FN and the floor in turns; prints both medians. */
static void measure(void (*fn)(void), int scopes_each)
{
    double fns[REPEATS], floors[REPEATS];

    per_call(fn);
    per_call(floor_pair);
    for (int i = 0; i < REPEATS; i++) {
        fns[i] = per_call(fn) / scopes_each;
        floors[i] = per_call(floor_pair);
    }
    printf("%.3f %.3f\n", median(fns, REPEATS), median(floors, REPEATS));
}

static pthread_barrier_t gate;

static void *one_of_two(void *result)
{
    double ns[REPEATS];

    per_call(scope);
    for (int i = 0; i < REPEATS; i++) {
        pthread_barrier_wait(&gate);
        ns[i] = per_call(scope);
    }
    *(double *)result = median(ns, REPEATS);
    return NULL;
}

/* Two threads at once, the worse of them, beside one thread alone. */
static void measure_threads(void)
{
    double alone[REPEATS], together[2];
    pthread_t other;

    per_call(scope);
    for (int i = 0; i < REPEATS; i++)
        alone[i] = per_call(scope);
    pthread_barrier_init(&gate, NULL, 2);
    pthread_create(&other, NULL, one_of_two, &together[1]);
    one_of_two(&together[0]);
    pthread_join(other, NULL);
    printf("%.3f %.3f\n", together[0] > together[1] ? together[0] : together[1], median(alone, REPEATS));
}

/* ---- accuracy ---- */

static int steps;

/* A chain of dependent multiplications: a body whose length is what its bulk time says. */
static inline __attribute__((always_inline)) void chain(int n)
{
    uint64_t x = 1;

    for (int i = 0; i < n; i++)
        x = x * 3 + (x >> 7);
    __asm__ volatile("" : : "r"(x));
}

NOINLINE bare_body(void)
{
    chain(steps);
}

NOINLINE precise_body(void)
{
    RS_PROFILE_MODE("precise body", RUSTSCOPE_PRECISE);
    chain(steps);
}

NOINLINE default_body(void)
{
    RS_PROFILE("default body");
    chain(steps);
}

/*
 * Scopes measure wall time, and other programs run on this machine: of many short rounds the best one has met no
 * interruption. The same for the bulk timing.
 */
static double best_bulk(void (*fn)(void))
{
    double best = 1e9;

    for (int i = 0; i < SHORT_ROUNDS; i++) {
        double begin = now_ns(), took;

        for (int k = 0; k < SHORT_CALLS; k++)
            fn();
        took = (now_ns() - begin) / SHORT_CALLS;
        best = took < best ? took : best;
    }
    return best;
}

static double best_mean(void (*fn)(void), const char *name)
{
    struct rustscope_function f = {.size = sizeof(f)};
    double best = 1e9;

    for (int i = 0; i < SHORT_ROUNDS; i++) {
        struct rustscope_snapshot *s;

        rustscope_reset();
        for (int k = 0; k < SHORT_CALLS; k++)
            fn();
        s = rustscope_collect();
        rustscope_find_function(s, name, &f);
        rustscope_snapshot_free(s);
        best = f.mean_ns < best ? f.mean_ns : best;
    }
    return best;
}

static void accuracy(void)
{
    static const int lengths[] = {40, 120, 240, 500};
    double nothing = best_bulk(empty);

    for (int l = 0; l < 4; l++) {
        steps = lengths[l];
        printf("%.3f %.3f %.3f\n", best_bulk(bare_body) - nothing, best_mean(precise_body, "precise body"),
               best_mean(default_body, "default body"));
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(void);
        int scopes_each;
    } measures[] = {{"floor", floor_pair, 1}, {"scope", scope, 1},       {"enter", enter, 1}, {"poll", poll, 1},
                    {"sampled", sampled, 1},  {"count", count, 1},       {"nest", nest, 2},   {"precise", precise, 1},
                    {"empty", empty, 1}};

    if (argc != 2)
        return 2;
    RS_TASK_BEGIN(task, "task");
    for (size_t i = 0; i < sizeof(measures) / sizeof(*measures); i++) {
        if (!strcmp(argv[1], measures[i].name)) {
            measure(measures[i].fn, measures[i].scopes_each);
            return 0;
        }
    }
    if (!strcmp(argv[1], "threads"))
        measure_threads();
    else if (!strcmp(argv[1], "accuracy"))
        accuracy();
    else
        return 2;
    return 0;
}
#endif
