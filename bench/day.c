/* SPDX-License-Identifier: MIT */
/*
 * A session of 24 hours in a few seconds: every tick of 8.64 million at 100 Hz goes through the real session model with
 * an accelerated clock (20 processes, 64 threads, a memory and a CPU spike every minute, stacks at 997 Hz from 20,000
 * call paths, with --stacks). Prints the peak memory, the size of the JSON and how long writing took, against what
 * is promised: 64 MB, 20 MB, 0.5 s.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/clock.h"
#include "file/session_file.h"

static const uint64_t MS = 1000000;
enum { PROCESSES = 20, THREADS = 64, PATHS = 20000 };

static uint64_t seed = 88172645463325252ull;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void populate(struct session *s)
{
    uint32_t module = calltree_module(&s->tree, strings_add_str(&s->strings, "/bin/x"), 0, NULL);

    for (int i = 0; i < PROCESSES; i++) {
        session_add_process(s, 1000 + i, i ? 0 : -1, 0);
        s->processes[i].name = strings_addf(&s->strings, "worker-%d", i);
    }
    for (int i = 0; i < THREADS; i++)
        session_thread(s, (uint32_t)(i % PROCESSES), 2000 + i, 0);
    for (uint64_t i = 0; i < PATHS; i++) {
        int32_t node = CALLTREE_NO_NODE;

        for (uint64_t depth = 0; depth < 12; depth++)
            node = calltree_child(&s->tree, node, calltree_frame(&s->tree, module, depth < 8 ? depth : i + depth));
    }
}

static void tick(struct session *s, uint64_t at, bool stacks)
{
    const uint64_t from = (at - 10) * MS, to = at * MS;

    session_put_metric(s, METRIC_CPU_PCT, from, to, (double)(next_random() % 200));
    session_put_metric(s, METRIC_ANON_BYTES, from, to, 1e8 + (double)(next_random() % 1000000));
    session_put_metric(s, METRIC_RSS_BYTES, from, to, 2e8);
    session_put_cpu_peak(s, to, 100);
    for (uint32_t p = 0; p < PROCESSES; p++) {
        const int64_t values[] = {(int64_t)(next_random() % 5000000), 5000000, 0};

        rows_add(&s->process_rows, to, p, 0, values);
    }
    for (int i = 0; stacks && i < 10; i++)
        rows_add(&s->cpu_rows, to, (uint32_t)(next_random() % s->tree.node_count), (uint32_t)(next_random() % THREADS),
                 (const int64_t[]){1003, 1});
    if (at % 100 == 0) {
        session_put_metric(s, METRIC_THREADS, from, to, THREADS);
        session_put_metric(s, METRIC_OPEN_FDS, from, to, 300);
        session_put_metric(s, METRIC_READ_BYTES, from, to, (double)(next_random() % 100000));
        session_put_metric(s, METRIC_WRITE_BYTES, from, to, (double)(next_random() % 100000));
    }
    if (at % 60000 == 0)
        for (enum event_type type = EVENT_MEMORY_SPIKE; type <= EVENT_CPU_SPIKE; type++) {
            uint32_t event = session_add_event(s, type, to, 0);

            s->events[event].open = false;
            s->events[event].location = strings_addf(&s->strings, "Memory spike: +%u.0 MB", (unsigned)(at % 97));
        }
}

int main(int argc, char **argv)
{
    const bool stacks = argc > 1 && !strcmp(argv[1], "--stacks");
    const char *path = "bench-day.json";
    struct session *s = session_new(0, 1700000000000);
    struct rusage usage;
    uint64_t start_ns, bytes = 0;
    struct rs_err err;
    double write_sec, rss_mb;

    populate(s);
    for (uint64_t at = 10; at <= 86400000; at += 10)
        tick(s, at, stacks);
    s->duration_ns = 86400000 * MS;
    start_ns = rs_clock_mono_ns();
    if (session_write_file(s, path, &bytes, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    write_sec = (double)(rs_clock_mono_ns() - start_ns) / 1e9;
    remove(path);
    getrusage(RUSAGE_SELF, &usage);
    rss_mb = (double)usage.ru_maxrss * 1024 / 1e6;
    printf("24 h at 100 Hz%s: peak RSS %.1f MB (<= 64), JSON %.1f MB (<= 20), written in %.2f s (<= 0.5)\n",
           stacks ? " with stacks" : "", rss_mb, (double)bytes / 1e6, write_sec);
    session_free(s);
    return rss_mb > 64 || bytes > 20000000 || write_sec > 0.5;
}
