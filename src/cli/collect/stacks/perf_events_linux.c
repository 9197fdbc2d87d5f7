/* SPDX-License-Identifier: MIT */
#include "collect/stacks/perf_events.h"

#include <asm/perf_regs.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "core/clock.h"

/*
 * Rings: what the kernel must keep between two drains. At 997 Hz and 48 KiB a busy CPU fills 49 MB/s, and we may be
 * kept from running for 160 ms on a busy machine. All rings together stay within 64 MiB; a ring under 64 KiB would hold
 * one dump.
 */
enum { RINGS_BUDGET_BYTES = 64 << 20, RING_MAX_BYTES = 16 << 20, RING_MIN_BYTES = 64 << 10 };
enum { MIN_RATE_HZ = 49 };
enum { CYCLES_LOOK_NS = 10000000 };
/* Descriptors that stay free for the rest of the CLI when a program of thousands of threads is attached to. */
enum { SPARE_FDS = 256 };

long perf_sysctl(const char *name, long fallback)
{
    char path[128], text[32];
    long value = fallback;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
    f = fopen(path, "re");
    if (!f)
        return fallback;
    if (fgets(text, sizeof(text), f))
        value = strtol(text, NULL, 10);
    fclose(f);
    return value;
}

unsigned perf_cpu_count(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    return (unsigned)get_nprocs();
}

struct perf_plan perf_plan_make(unsigned cpu_count, unsigned rate_hz, uint32_t stack_bytes)
{
    struct perf_plan plan = {.rate_hz = rate_hz, .stack_bytes = stack_bytes & ~7u};
    uint64_t most = PERF_MAX_SAMPLES_PER_SEC / (cpu_count ? cpu_count : 1);
    const uint32_t smaller[] = {32768, 16384};

    if (plan.stack_bytes > PERF_STACK_MAX_BYTES)
        plan.stack_bytes = PERF_STACK_MAX_BYTES;
    if (rate_hz > most) {
        plan.rate_hz = most > MIN_RATE_HZ ? (unsigned)most : MIN_RATE_HZ;
        plan.rate_capped = plan.rate_hz < rate_hz;
        if (!plan.rate_capped)
            plan.rate_hz = rate_hz;
    }
    for (size_t i = 0; i < sizeof(smaller) / sizeof(*smaller); i++) {
        if ((uint64_t)cpu_count * plan.rate_hz * plan.stack_bytes <= PERF_MAX_DUMP_BYTES_PER_SEC)
            break;
        if (plan.stack_bytes > smaller[i]) {
            plan.stack_bytes = smaller[i];
            plan.stack_capped = true;
        }
    }
    plan.period_ns = (1000000 + plan.rate_hz / 2) / plan.rate_hz * 1000;
    plan.period = plan.period_ns;
    return plan;
}

void perf_plan_count_cycles(struct perf_plan *plan, uint64_t cycles_hz)
{
    plan->cycles = true;
    plan->period = (uint64_t)((double)cycles_hz * plan->period_ns / 1e9 + 0.5);
    if (!plan->period)
        plan->period = 1;
}

uint64_t perf_events_regs_mask(void)
{
#if defined(__x86_64__)
    /* The segment registers cannot be sampled in 64-bit mode. */
    uint64_t segments = 1ull << PERF_REG_X86_DS | 1ull << PERF_REG_X86_ES | 1ull << PERF_REG_X86_FS |
                        1ull << PERF_REG_X86_GS | 1ull << PERF_REG_X86_SS | 1ull << PERF_REG_X86_CS |
                        1ull << PERF_REG_X86_FLAGS;

    return ((1ull << PERF_REG_X86_64_MAX) - 1) & ~segments;
#else
    return (1ull << PERF_REG_ARM64_MAX) - 1; /* x0-x30, sp, pc */
#endif
}

static void fill_attr(struct perf_event_attr *attr, const struct perf_events *events, const struct perf_plan *plan,
                      const struct perf_target *target, bool off_cpu)
{
    memset(attr, 0, sizeof(*attr));
    attr->size = sizeof(*attr);
    attr->type = plan->cycles && !off_cpu ? PERF_TYPE_HARDWARE : PERF_TYPE_SOFTWARE;
    attr->config = off_cpu        ? PERF_COUNT_SW_CONTEXT_SWITCHES
                   : plan->cycles ? PERF_COUNT_HW_CPU_CYCLES
                                  : PERF_COUNT_SW_CPU_CLOCK;
    attr->sample_period = off_cpu ? 1 : plan->period;
    attr->sample_type = events->merge.layout.sample_type;
    attr->sample_regs_user = events->merge.layout.regs_mask;
    attr->sample_stack_user = plan->stack_bytes;
    attr->disabled = target->on_exec;
    attr->enable_on_exec = target->on_exec;
    attr->inherit = target->tids != NULL;
    attr->exclude_kernel = !events->kernel;
    attr->exclude_hv = 1;
    attr->exclude_guest = 1;
    attr->exclude_callchain_user = 1; /* without frame pointers it is garbage */
    attr->sample_id_all = 1;
    attr->use_clockid = 1;
    attr->clockid = CLOCK_MONOTONIC;
    attr->watermark = 1;
    attr->wakeup_watermark = (uint32_t)(events->ring_bytes / 4);
    if (!off_cpu) {
        attr->mmap = attr->mmap2 = 1;
        attr->build_id = events->build_id;
        attr->comm = attr->comm_exec = 1;
        attr->task = 1;
        attr->context_switch = events->off_cpu != PERF_OFF_CPU_NONE;
    }
}

/* Returns the descriptor or a negative errno. */
static int open_event(struct perf_event_attr *attr, pid_t tid, int cpu)
{
    int fd = (int)syscall(SYS_perf_event_open, attr, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

int perf_cycles_hz(uint64_t *cycles_hz, struct rs_err *err)
{
    struct perf_event_attr attr = {
        .size = sizeof(attr),
        .type = PERF_TYPE_HARDWARE,
        .config = PERF_COUNT_HW_CPU_CYCLES,
        .read_format = PERF_FORMAT_TOTAL_TIME_RUNNING,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };
    struct {
        uint64_t cycles, running_ns;
    } counted = {0};
    uint64_t until = rs_clock_mono_ns() + CYCLES_LOOK_NS;
    int fd = open_event(&attr, 0, -1);
    ssize_t got;

    if (fd < 0)
        return rs_err_set(err, fd,
                          "this machine does not count CPU cycles; most virtual machines do not (perf_event_open: %s)",
                          strerror(-fd));
    while (rs_clock_mono_ns() < until)
        ;
    got = read(fd, &counted, sizeof(counted));
    close(fd);
    if (got != (ssize_t)sizeof(counted) || !counted.cycles || !counted.running_ns)
        return rs_err_set(err, -ENODATA, "the CPU's cycle counters are all in use");
    *cycles_hz = (uint64_t)((double)counted.cycles * 1e9 / (double)counted.running_ns);
    return 0;
}

/*
 * Finds out what this kernel and these permissions allow, once, on the first task: kernel frames and off-CPU stacks
 * need perf_event_paranoid < 2 or CAP_PERFMON, build-ids Linux 5.12. Returns 0 or the errno of the plainest event.
 */
static int probe(struct perf_events *events, const struct perf_plan *plan, const struct perf_target *target)
{
    pid_t tid = target->tids ? target->tids[0] : -1;
    int cpu = target->tids ? -1 : 0;
    struct perf_event_attr attr;
    int fd = -EINVAL;

    events->kernel = true;
    events->build_id = true;
    for (;;) {
        fill_attr(&attr, events, plan, target, false);
        fd = open_event(&attr, tid, cpu);
        if ((fd == -EACCES || fd == -EPERM) && events->kernel)
            events->kernel = false;
        else if ((fd == -EINVAL || fd == -E2BIG) && events->build_id)
            events->build_id = false;
        else
            break;
    }
    if (fd < 0)
        return fd;
    close(fd);
    if (events->kernel) /* only then has a sample a kernel part */
        events->merge.layout.sample_type |= PERF_SAMPLE_CALLCHAIN;
    if (target->off_cpu)
        events->off_cpu = events->kernel ? PERF_OFF_CPU_STACKS : PERF_OFF_CPU_SWITCHES;
    return 0;
}

static struct perf_ring *ring_of(struct perf_events *events, uint32_t cpu)
{
    return cpu < events->merge.ring_count ? &events->merge.rings[cpu] : NULL;
}

/* The first descriptor of CPU, which owns the ring that all others of this CPU write to. */
static int ring_owner(const struct perf_events *events, uint32_t cpu)
{
    for (size_t i = 0; i < events->fd_count; i++)
        if (events->fds[i].cpu == cpu)
            return events->fds[i].fd;
    return -1;
}

static int add_event(struct perf_events *events, const struct perf_plan *plan, const struct perf_target *target,
                     pid_t tid, uint32_t cpu, bool off_cpu)
{
    int owner = ring_of(events, cpu)->map ? ring_owner(events, cpu) : -1;
    struct perf_event_fd event = {.cpu = cpu, .tid = tid, .off_cpu = off_cpu};
    struct perf_event_attr attr;

    fill_attr(&attr, events, plan, target, off_cpu);
    event.fd = open_event(&attr, tid, (int)cpu);
    if (event.fd < 0)
        return event.fd;
    if (ioctl(event.fd, PERF_EVENT_IOC_ID, &event.id) != 0 ||
        (owner >= 0 && ioctl(event.fd, PERF_EVENT_IOC_SET_OUTPUT, owner) != 0)) {
        int rc = -errno;

        close(event.fd);
        return rc;
    }
    GROW(events->fds, events->fd_count + 1, events->fd_cap);
    events->fds[events->fd_count++] = event;
    return 0;
}

/*
 * Opens TID on all CPUs, or on none when descriptors run out in between. CPUs that are offline are skipped. The rings
 * of the first task are mapped by the caller.
 */
static int add_task(struct perf_events *events, const struct perf_plan *plan, const struct perf_target *target,
                    pid_t tid)
{
    size_t before = events->fd_count;
    int rc = 0;

    for (uint32_t cpu = 0; cpu < events->merge.ring_count && rc == 0; cpu++) {
        rc = add_event(events, plan, target, tid, cpu, false);
        if (rc == 0 && events->off_cpu == PERF_OFF_CPU_STACKS && ring_of(events, cpu)->map)
            rc = add_event(events, plan, target, tid, cpu, true);
        if (rc == -ENODEV)
            rc = 0;
    }
    while (rc && events->fd_count > before)
        close(events->fds[--events->fd_count].fd);
    return rc;
}

static void unmap_rings(struct perf_events *events)
{
    for (size_t i = 0; i < events->merge.ring_count; i++)
        perf_ring_release(&events->merge.rings[i]);
}

/* Maps a ring for each CPU, all of one size, halved until the mlock quota is content. */
static int map_rings(struct perf_events *events)
{
    for (;; events->ring_bytes /= 2) {
        int rc = 0;

        for (size_t i = 0; i < events->fd_count && rc == 0; i++)
            rc = perf_ring_map(ring_of(events, events->fds[i].cpu), events->fds[i].fd, events->ring_bytes);
        if (rc == 0)
            return 0;
        unmap_rings(events);
        if (rc != -EPERM && rc != -ENOMEM)
            return rc;
        if (events->ring_bytes / 2 < RING_MIN_BYTES)
            return -ENOMEM;
    }
}

/* Off-CPU events of the first task come after its rings, which they write to. */
static int add_off_cpu_events(struct perf_events *events, const struct perf_plan *plan,
                              const struct perf_target *target)
{
    size_t count = events->fd_count;
    int rc = 0;

    for (size_t i = 0; i < count && rc == 0; i++)
        rc = add_event(events, plan, target, events->fds[i].tid, events->fds[i].cpu, true);
    return rc;
}

static int watch_rings(struct perf_events *events)
{
    events->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (events->poll_fd < 0)
        return -errno;
    for (uint32_t cpu = 0; cpu < events->merge.ring_count; cpu++) {
        /* Edge-triggered: a ring whose first task has ended reports a hang-up for ever. */
        struct epoll_event interest = {.events = EPOLLIN | EPOLLET, .data.u32 = cpu};

        if (events->merge.rings[cpu].map &&
            epoll_ctl(events->poll_fd, EPOLL_CTL_ADD, ring_owner(events, cpu), &interest) != 0)
            return -errno;
    }
    return 0;
}

static size_t ring_bytes_for(unsigned cpus)
{
    size_t bytes = RING_MAX_BYTES;

    while (bytes > RING_MIN_BYTES && bytes * cpus > RINGS_BUDGET_BYTES)
        bytes /= 2;
    return bytes;
}

static int explain(struct rs_err *err, int rc)
{
    long paranoid = perf_sysctl("perf_event_paranoid", -2);

    switch (rc) {
    case -EACCES:
    case -EPERM:
        if (geteuid() != 0 && paranoid > 2)
            return rs_err_set(err, rc,
                              "perf_event_paranoid is %ld, which forbids perf_event_open: "
                              "sudo sysctl kernel.perf_event_paranoid=1",
                              paranoid);
        return rs_err_set(err, rc,
                          "perf_event_open is refused here, as container sandboxes do: start the container with "
                          "--cap-add=PERFMON --security-opt seccomp=unconfined");
    case -ENOSYS:
        return rs_err_set(err, rc, "this kernel or sandbox has no perf_event_open: run on the host itself");
    case -ENOENT:
    case -EOPNOTSUPP:
        return rs_err_set(err, rc, "this kernel has no cpu-clock event (perf_event_open: %s)", strerror(-rc));
    case -EMFILE:
    case -ENFILE:
        return rs_err_set(err, rc, "too few file descriptors for perf events: ulimit -n 65536");
    case -ENOMEM:
        return rs_err_set(err, rc,
                          "the locked memory for perf rings is used up: sudo sysctl kernel.perf_event_mlock_kb=%ld",
                          2 * perf_sysctl("perf_event_mlock_kb", 516));
    case -ESRCH:
        return rs_err_set(err, rc, "the program has gone");
    default:
        return rs_err_set(err, rc, "perf_event_open: %s", strerror(-rc));
    }
}

static void layout_init(struct perf_events *events)
{
    events->merge.layout = (struct perf_layout){
        .sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU |
                       PERF_SAMPLE_PERIOD | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
        .regs_mask = perf_events_regs_mask(),
    };
}

/* The first task that still lives, with its rings. Sets *USED to the tasks that were tried. */
static int open_first(struct perf_events *events, const struct perf_plan *plan, const struct perf_target *target,
                      size_t *used)
{
    struct perf_target one = *target;
    int rc = -ESRCH;

    *used = 0;
    if (!target->tids) {
        rc = probe(events, plan, target);
        return rc ? rc : add_task(events, plan, target, -1);
    }
    while (rc == -ESRCH && *used < target->tid_count) {
        one.tids = &target->tids[(*used)++];
        rc = probe(events, plan, &one);
        if (rc == 0)
            rc = add_task(events, plan, &one, one.tids[0]);
    }
    return rc;
}

int perf_events_open(struct perf_events *events, const struct perf_plan *plan, const struct perf_target *target,
                     struct rs_err *err)
{
    unsigned cpus = (unsigned)get_nprocs_conf();
    size_t used;
    int rc;

    *events = PERF_EVENTS_NONE;
    layout_init(events);
    events->ring_bytes = target->small ? RING_MIN_BYTES : ring_bytes_for((unsigned)get_nprocs());
    events->merge.rings = xcalloc(cpus, sizeof(*events->merge.rings));
    events->merge.ring_count = cpus;

    rc = open_first(events, plan, target, &used);
    if (rc)
        goto fail;
    rc = map_rings(events);
    if (rc)
        goto fail;
    if (events->off_cpu == PERF_OFF_CPU_STACKS) {
        rc = add_off_cpu_events(events, plan, target);
        if (rc)
            goto fail;
    }
    rc = watch_rings(events);
    if (rc)
        goto fail;
    if (target->tids)
        perf_events_add(events, plan, target->tids + used, target->tid_count - used);
    return 0;

fail:
    perf_events_release(events);
    return explain(err, rc);
}

/* How many more tasks fit into the descriptor limit. */
static size_t room_for_tasks(const struct perf_events *events)
{
    size_t per_task = events->merge.ring_count * (events->off_cpu == PERF_OFF_CPU_STACKS ? 2 : 1);
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return SIZE_MAX;
    if (limit.rlim_cur <= events->fd_count + SPARE_FDS)
        return 0;
    return (limit.rlim_cur - events->fd_count - SPARE_FDS) / per_task;
}

size_t perf_events_add(struct perf_events *events, const struct perf_plan *plan, const pid_t *tids, size_t count)
{
    struct perf_target target = {.tids = tids, .tid_count = count};
    size_t room = room_for_tasks(events), added = 0;

    for (size_t i = 0; i < count; i++) {
        int rc = added < room ? add_task(events, plan, &target, tids[i]) : -EMFILE;

        if (rc == 0)
            added++;
        else if (rc != -ESRCH)
            events->tids_left_out++;
    }
    return added;
}

void perf_events_stop(struct perf_events *events)
{
    for (size_t i = 0; i < events->fd_count; i++)
        ioctl(events->fds[i].fd, PERF_EVENT_IOC_DISABLE, 0);
}

void perf_events_release(struct perf_events *events)
{
    if (events->poll_fd >= 0)
        close(events->poll_fd);
    unmap_rings(events);
    free(events->merge.rings);
    for (size_t i = 0; i < events->fd_count; i++)
        close(events->fds[i].fd);
    free(events->fds);
    *events = PERF_EVENTS_NONE;
}

void perf_events_acknowledge(struct perf_events *events)
{
    struct epoll_event ready[64];

    while (epoll_wait(events->poll_fd, ready, 64, 0) == 64)
        ;
}
