/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "collect/stacks/perf_ring.h"

/*
 * The kernel's side of sampling: which events are opened on which tasks and CPUs, and the rings they write to.
 *
 * One sampling event a task and CPU (an inherited event can be mapped only per CPU), all of a CPU's events writing to
 * one ring. The sampling event also reports mappings, names, forks and exits, so one descriptor does. cpu-clock with a
 * fixed period: a virtual machine without hardware counters has it, and frequency mode would ramp the period, so that
 * short threads lost a third of their samples.
 */

/* What sampling may cost, all CPUs together: the caps of a session. */
enum { PERF_MAX_SAMPLES_PER_SEC = 8000, PERF_MAX_DUMP_BYTES_PER_SEC = 256000000 };
/*
 * Only what there is of a stack is copied: a shallower one pays for a larger dump with room in the ring alone. gcc's
 * cc1 reaches the root in 99.3 % of stacks with 32 KiB, 99.8 with 40 and 99.97 with 48.
 */
enum { PERF_STACK_DEFAULT_BYTES = 49152, PERF_STACK_MAX_BYTES = 65528 };

/* What will be asked of the kernel, after the caps. */
struct perf_plan {
    unsigned rate_hz;
    uint32_t period_ns; /* a multiple of 1000, so that a sample's weight is whole µs */
    uint64_t period;    /* the same in what the event counts: ns, or cycles */
    bool cycles;
    uint32_t stack_bytes; /* a multiple of 8; 0: no dump */
    bool stack_capped, rate_capped;
};

/*
 * Fits RATE_HZ and STACK_BYTES into the caps for CPU_COUNT CPUs: first a dump of 32 or 16 KiB, then a lower rate (at
 * least 49 Hz: a machine of 200 CPUs is rarely all ours). Pure.
 */
struct perf_plan perf_plan_make(unsigned cpu_count, unsigned rate_hz, uint32_t stack_bytes);

/*
 * Makes PLAN count cycles of a CPU that runs CYCLES_HZ of them a second: a fixed number, as frequency mode would ramp
 * it. The weight of a sample stays period_ns, which is true as long as the CPU keeps its frequency. Pure.
 */
void perf_plan_count_cycles(struct perf_plan *plan, uint64_t cycles_hz);

/*
 * How many cycles a second this CPU runs in user mode, measured on ourselves for some 10 ms. Returns 0, or a negative
 * errno with a sentence in ERR where cycles cannot be counted (virtual machines mostly).
 */
int perf_cycles_hz(uint64_t *cycles_hz, struct rs_err *err);

struct perf_target {
    const pid_t *tids; /* NULL: the whole system */
    size_t tid_count;
    bool on_exec; /* start when the (one) task execs; else at once */
    bool off_cpu; /* also a stack at every context switch, or at least the switches */
    bool small;   /* the smallest rings, only to see whether it works */
};

/* How waiting can be watched with these permissions. */
enum perf_off_cpu { PERF_OFF_CPU_NONE, PERF_OFF_CPU_STACKS, PERF_OFF_CPU_SWITCHES };

struct perf_event_fd {
    int fd;
    uint32_t cpu;
    pid_t tid; /* -1: the whole system */
    uint64_t id;
    bool off_cpu;
};

struct perf_events {
    struct perf_event_fd *fds;
    size_t fd_count, fd_cap;
    struct perf_merge merge; /* owns the rings */
    int poll_fd;             /* readable when a ring is a quarter full; -1 */
    size_t ring_bytes;
    bool kernel;   /* kernel frames are permitted */
    bool build_id; /* MMAP records carry build-ids */
    enum perf_off_cpu off_cpu;
    size_t tids_left_out;
};

/* A zeroed perf_events with poll_fd -1 may be released. */
#define PERF_EVENTS_NONE ((struct perf_events){.poll_fd = -1})

/*
 * Opens PLAN on TARGET on every CPU that is online, with rings as big as the mlock quota allows. Tasks that have gone
 * are skipped; when descriptors run out the rest is counted in tids_left_out. Returns 0, or a negative errno with a
 * sentence that names the remedy in ERR: -EACCES and -EPERM (not permitted), -ENOSYS, -ENOENT (no such event), -EMFILE,
 * -ENOMEM (the mlock quota), -ESRCH (no task is left).
 */
int perf_events_open(struct perf_events *events, const struct perf_plan *plan, const struct perf_target *target,
                     struct rs_err *err);

/* Adds tasks to what is open, on the same rings. Returns how many were added. */
size_t perf_events_add(struct perf_events *events, const struct perf_plan *plan, const pid_t *tids, size_t count);

/* Stops sampling; what is in the rings stays there to be read. */
void perf_events_stop(struct perf_events *events);
void perf_events_release(struct perf_events *events);

/* Acknowledges poll_fd, so that it becomes readable again only for new data. */
void perf_events_acknowledge(struct perf_events *events);

/* The registers that each sample carries (sample_regs_user of this architecture). */
uint64_t perf_events_regs_mask(void);

/* /proc/sys/kernel/NAME as a number, or FALLBACK. */
long perf_sysctl(const char *name, long fallback);

/* CPUs that this process, and so what it starts, may run on. */
unsigned perf_cpu_count(void);
