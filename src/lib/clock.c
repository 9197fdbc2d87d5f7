/* SPDX-License-Identifier: MIT */
#include "lib/clock.h"

#include <stdatomic.h>
#include <time.h>

#include "core/clock.h"
#include "lib/os.h"

enum {
    CALIBRATION_NS = 2000000,
    RESOLUTION_ROUNDS = 400,
};

static struct {
    uint64_t ticks, mono_ns; /* read together */
    double cpu_ms;
} start;

bool rs_clock_slow;

static atomic_ullong resolution_ticks; /* 0: not measured */

uint64_t RS_ABI_(rustscope_ticks_slow)(void)
{
    return rs_clock_mono_ns();
}

/* Reads both clocks at the same moment: the try with the shortest gap counts. */
static void read_pair(uint64_t *ticks, uint64_t *mono_ns)
{
    uint64_t best = UINT64_MAX;

    for (int i = 0; i < 8; i++) {
        uint64_t before = rs_clock_fenced_begin(), ns = rs_clock_mono_ns(), after = rs_clock_fenced_end();

        if (after - before < best) {
            best = after - before;
            *ticks = before + (after - before) / 2;
            *mono_ns = ns;
        }
    }
}

static double process_cpu_ms(void)
{
    struct timespec used;

    return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) ? 0 : (double)used.tv_sec * 1e3 + (double)used.tv_nsec / 1e6;
}

void rs_clock_init(void)
{
#if defined(__x86_64__) || defined(__aarch64__)
    rs_clock_slow = !rs_os_counter_is_a_clock();
#else
    rs_clock_slow = true;
#endif
    read_pair(&start.ticks, &start.mono_ns);
    start.cpu_ms = process_cpu_ms();
}

void rs_clock_forked(void)
{
    start.cpu_ms = 0;
}

double rs_clock_cpu_ms(void)
{
    return process_cpu_ms() - start.cpu_ms;
}

const char *rs_clock_name(void)
{
    if (rs_clock_slow)
        return "clock_gettime";
#ifdef __aarch64__
    return "cntvct";
#else
    return "tsc";
#endif
}

uint64_t rs_clock_ticks(void)
{
    return rs_clock_slow ? rs_clock_mono_ns() : rustscope_ticks();
}

uint64_t rs_clock_rough_rate(void)
{
#if defined(__aarch64__)
    uint64_t rate;

    __asm__("mrs %0, cntfrq_el0" : "=r"(rate));
    return rs_clock_slow ? 1000000000 : rate;
#else
    return 1000000000; /* 1 to 5 GHz */
#endif
}

double rs_clock_ns_per_tick(void)
{
    uint64_t ticks, mono_ns;

    if (rs_clock_slow)
        return 1;
    do
        read_pair(&ticks, &mono_ns);
    while (mono_ns - start.mono_ns < CALIBRATION_NS);
    return (double)(mono_ns - start.mono_ns) / (double)(ticks - start.ticks);
}

uint64_t rs_clock_mono_ns_of(uint64_t ticks, double ns_per_tick)
{
    return start.mono_ns + (uint64_t)(int64_t)((double)(int64_t)(ticks - start.ticks) * ns_per_tick);
}

uint64_t rs_clock_start_mono_ns(void)
{
    return start.mono_ns;
}

struct rs_scope_clock rs_clock_now(void)
{
    struct rs_scope_clock now = {.ns_per_tick = rs_clock_ns_per_tick()};

    now.ticks = rs_clock_ticks();
    now.unix_ms = (double)rs_os_unix_ns() / 1e6;
    return now;
}

void rs_median_add(struct rs_median *m, uint64_t value)
{
    m->counts[value < 255 ? value : 255]++;
    m->total++;
}

uint64_t rs_median_of(const struct rs_median *m)
{
    uint32_t seen = 0, at = 0;

    while (at < 255 && (seen += m->counts[at]) <= m->total / 2)
        at++;
    return at;
}

static __attribute__((noinline)) uint64_t measure_resolution(void)
{
    uint64_t last = rs_clock_ticks(), step;
    struct rs_median middle = {.total = 0};

    for (int i = 0; i < RESOLUTION_ROUNDS; i++) {
        uint64_t now = rs_clock_ticks();

        if (now != last)
            rs_median_add(&middle, now - last);
        last = now;
    }
    step = middle.total && rs_median_of(&middle) ? rs_median_of(&middle) : 1;
    atomic_store_explicit(&resolution_ticks, step, memory_order_relaxed);
    return step;
}

uint64_t rs_clock_resolution_ticks(void)
{
    uint64_t known = atomic_load_explicit(&resolution_ticks, memory_order_relaxed);

    return known ? known : measure_resolution();
}
