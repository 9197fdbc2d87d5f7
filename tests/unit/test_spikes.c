/* SPDX-License-Identifier: MIT */
#include "analyze/spikes.h"

#include <math.h>

#include "suite.h"

static const uint64_t MS = 1000000;
static const uint64_t MB = 1000000;
static const uint64_t THRESHOLD = 5000000;

/* Feeds a level that LEVEL(t) gives, every STEP_MS; counts what happens. */
struct outcome {
    unsigned opened, ended;
    uint64_t bytes, start_ms, end_ms;
};

static struct outcome feed_from(struct memory_spike *spike, uint64_t from_ms, uint64_t to_ms, uint64_t step_ms,
                                uint64_t (*level)(uint64_t ms))
{
    struct outcome outcome = {0};

    for (uint64_t ms = from_ms; ms <= to_ms; ms += step_ms) {
        enum spike_change change = memory_spike_update(spike, ms * MS, level(ms), THRESHOLD);

        outcome.opened += change == SPIKE_OPENED;
        if (change == SPIKE_ENDED) {
            outcome.ended++;
            outcome.bytes = memory_spike_bytes(spike);
            outcome.start_ms = spike->start_ns / MS;
            outcome.end_ms = spike->end_ns / MS;
        }
    }
    return outcome;
}

static struct outcome feed(uint64_t step_ms, uint64_t (*level)(uint64_t ms))
{
    struct memory_spike spike = {0};

    return feed_from(&spike, 10, 5000, step_ms, level);
}

static uint64_t jump_of_10_mb(uint64_t ms)
{
    return ms < 1500 ? 3 * MB : 13 * MB;
}

static uint64_t ten_steps_in_300_ms(uint64_t ms)
{
    return 3 * MB + (ms < 1500 ? 0 : ms >= 1800 ? 10 : (ms - 1500) / 30) * MB;
}

static uint64_t two_jumps(uint64_t ms)
{
    return 3 * MB + (ms >= 1000 ? 6 * MB : 0) + (ms >= 3000 ? 8 * MB : 0);
}

static uint64_t slow_growth(uint64_t ms)
{
    return ms * 4900; /* 4.9 MB a second */
}

static uint64_t sawtooth(uint64_t ms)
{
    return 20 * MB + ms % 100 * 40000; /* 4 MB up and down */
}

static uint64_t grows_and_falls(uint64_t ms)
{
    return ms < 1000 ? 1 * MB : ms < 1400 ? (ms - 1000) * 50000 + MB : 2 * MB;
}

static uint64_t trickle_after_jump(uint64_t ms)
{
    return (ms < 1000 ? 1 * MB : 11 * MB) + ms * 100; /* 0.1 MB a second ever after */
}

START_TEST(a_jump_of_10_mb_is_one_episode_worth_10_mb)
{
    const uint64_t steps[] = {1, 10, 50, 100, 250};

    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        struct outcome outcome = feed(steps[i], jump_of_10_mb);

        ck_assert_uint_eq(outcome.opened, 1);
        ck_assert_uint_eq(outcome.ended, 1);
        ck_assert_uint_eq(outcome.bytes, 10 * MB);
        ck_assert_uint_ge(outcome.start_ms, 1000);
        ck_assert_uint_le(outcome.start_ms, 1500);
    }
}
END_TEST

START_TEST(many_small_steps_are_one_episode)
{
    struct outcome outcome = feed(10, ten_steps_in_300_ms);

    ck_assert_uint_eq(outcome.opened, 1);
    ck_assert_uint_eq(outcome.bytes, 10 * MB);
    ck_assert_uint_eq(outcome.end_ms, 1800);
}
END_TEST

START_TEST(jumps_two_seconds_apart_are_two_episodes)
{
    struct outcome outcome = feed(10, two_jumps);

    ck_assert_uint_eq(outcome.opened, 2);
    ck_assert_uint_eq(outcome.ended, 2);
    ck_assert_uint_eq(outcome.bytes, 8 * MB);
}
END_TEST

START_TEST(slow_growth_and_a_small_sawtooth_are_none)
{
    ck_assert_uint_eq(feed(10, slow_growth).opened, 0);
    ck_assert_uint_eq(feed(10, sawtooth).opened, 0);
}
END_TEST

START_TEST(what_falls_again_is_worth_its_top)
{
    struct outcome outcome = feed(10, grows_and_falls);

    ck_assert_uint_eq(outcome.opened, 1);
    ck_assert_uint_eq(outcome.ended, 1);
    ck_assert_uint_ge(outcome.bytes, 19 * MB);
    ck_assert_uint_le(outcome.bytes, 20 * MB);
}
END_TEST

START_TEST(a_trickle_after_the_jump_does_not_keep_it_open)
{
    struct outcome outcome = feed(10, trickle_after_jump);

    ck_assert_uint_eq(outcome.opened, 1);
    ck_assert_uint_eq(outcome.ended, 1);
}
END_TEST

START_TEST(a_gap_is_no_growth)
{
    struct memory_spike spike = {0};

    memory_spike_update(&spike, 100 * MS, 1 * MB, THRESHOLD);
    memory_spike_reset(&spike);
    ck_assert_int_eq(memory_spike_update(&spike, 200 * MS, 100 * MB, THRESHOLD), SPIKE_NONE);
    /* A reading after more than a second is not inside a sliding second either. */
    ck_assert_int_eq(memory_spike_update(&spike, 1500 * MS, 200 * MB, THRESHOLD), SPIKE_NONE);
}
END_TEST

/* CPU that is used at PCT(t); returns how many episodes opened. */
static unsigned cpu_episodes(struct cpu_spike *spike, uint64_t step_ms, uint64_t to_ms, double (*pct)(uint64_t ms))
{
    unsigned opened = 0;
    double cpu_ns = 0;

    for (uint64_t ms = step_ms; ms <= to_ms; ms += step_ms) {
        cpu_ns += pct(ms) / 100.0 * (double)(step_ms * MS);
        opened += cpu_spike_update(spike, ms * MS, (uint64_t)cpu_ns, 80) == SPIKE_OPENED;
    }
    return opened;
}

static double full(uint64_t ms)
{
    (void)ms;
    return 100;
}

/* What a lagging CPU clock shows of a spinner: 72-119 % in neighbouring 10 ms readings. */
static double full_seen_late(uint64_t ms)
{
    return ms / 10 % 2 ? 72 : 119;
}

static double half(uint64_t ms)
{
    return ms % 100 < 50 ? 100 : 0;
}

static double two_bursts(uint64_t ms)
{
    return (ms > 1000 && ms <= 1500) || (ms > 3000 && ms <= 3500) ? 200 : 3;
}

static double short_dip(uint64_t ms)
{
    return ms > 1000 && ms <= 1150 ? 10 : 100;
}

START_TEST(a_cpu_bound_program_is_one_episode)
{
    const uint64_t steps[] = {1, 10, 100, 130};

    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        struct cpu_spike spike = {0};

        ck_assert_uint_eq(cpu_episodes(&spike, steps[i], 5000, full), 1);
        ck_assert(spike.open);
        ck_assert_double_eq_tol(spike.peak_pct, 100, 0.5);
    }
    ck_assert_uint_eq(cpu_episodes(&(struct cpu_spike){0}, 10, 5000, full_seen_late), 1);
    ck_assert_uint_eq(cpu_episodes(&(struct cpu_spike){0}, 10, 5000, short_dip), 1);
}
END_TEST

START_TEST(half_a_core_is_no_spike)
{
    ck_assert_uint_eq(cpu_episodes(&(struct cpu_spike){0}, 10, 5000, half), 0);
}
END_TEST

START_TEST(bursts_apart_are_episodes_of_their_own)
{
    struct cpu_spike spike = {0};

    ck_assert_uint_eq(cpu_episodes(&spike, 10, 5000, two_bursts), 2);
    ck_assert(!spike.open);
    ck_assert_uint_ge(spike.start_ns / MS, 2900);
    ck_assert_uint_le(spike.end_ns / MS, 3600);
    ck_assert_double_eq_tol(spike.peak_pct, 200, 1);
}
END_TEST

START_TEST(there_is_no_rate_before_100_ms)
{
    struct cpu_spike spike = {0};

    cpu_spike_update(&spike, 10 * MS, 10 * MS, 80);
    cpu_spike_update(&spike, 90 * MS, 90 * MS, 80);
    ck_assert(isnan(spike.window_pct));
    ck_assert(!spike.open);
}
END_TEST

START_TEST(cpu_that_is_known_late_is_no_peak)
{
    struct cpu_spike spike = {0};
    uint64_t cpu = 0;
    double most = 0;

    /* 150 % of children that show every 100 ms only, when their parent is read. */
    for (uint64_t ms = 10; ms <= 3000; ms += 10) {
        if (ms % 100 == 0) {
            cpu += 150 * MS;
            cpu_spike_add_past(&spike, (ms - 100) * MS, ms * MS, 150 * MS);
        }
        cpu_spike_update(&spike, ms * MS, cpu, 80);
        if (spike.window_pct > most)
            most = spike.window_pct;
    }
    ck_assert_double_gt(most, 140);
    ck_assert_double_le(most, 151);
}
END_TEST

SUITE("spikes", a_jump_of_10_mb_is_one_episode_worth_10_mb, many_small_steps_are_one_episode,
      jumps_two_seconds_apart_are_two_episodes, slow_growth_and_a_small_sawtooth_are_none,
      what_falls_again_is_worth_its_top, a_trickle_after_the_jump_does_not_keep_it_open, a_gap_is_no_growth,
      a_cpu_bound_program_is_one_episode, half_a_core_is_no_spike, bursts_apart_are_episodes_of_their_own,
      there_is_no_rate_before_100_ms, cpu_that_is_known_late_is_no_peak)
