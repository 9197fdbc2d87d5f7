#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a scope costs, beside the floor of the hardware and the peers, in one run.

    bench/scopes.py [--processes N] [--build build/release] [--tracy SOURCES [--tracy-capture PROGRAM]]
                    [--easy-profiler SOURCES]

The floor is two readings of the CPU's counter around nothing. Each row is the median over N (20) processes, since the
layout of a process moves such figures by some percent; ratios are taken inside each process, where scope and floor
run in turns, and given with a bootstrap 95 % interval. An empty call is part of every figure. Peers run in the same
loop: uftrace and google/benchmark where they are installed; Tracy and easy_profiler, which few distributions have,
where their sources are given. Tracy is built on demand and connected to its tracy-capture; without that program it
buffers, as it does by default. A row fails only when its whole interval is beyond the bound.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

from judging import interval, verdict

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCE = os.path.join(ROOT, "bench/scopes_bench.c")
GOOGLE = """
#include <benchmark/benchmark.h>
#include <cstdio>
#include <ctime>
static double now() { timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e9 + t.tv_nsec; }
static void timed(benchmark::State &state)
{
    double begin = now();
    for (auto _ : state) {
        state.PauseTiming();
        state.ResumeTiming();
    }
    std::fprintf(stderr, "%.3f\\n", (now() - begin) / state.iterations());
}
BENCHMARK(timed)->Iterations(20000);
BENCHMARK_MAIN();
"""
# Batches with pauses, in which an event writer's own thread may empty its queue; the median batch.
PEER = """
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <unistd.h>
#include <vector>
%(include)s
static double now() { timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e9 + t.tv_nsec; }
__attribute__((noinline)) static void scope() { %(scope)s __asm__ volatile("" ::: "memory"); }
int main()
{
    const int count = 20000;
    std::vector<double> batches;
    %(begin)s
    for (int batch = 0; batch < 25; batch++) {
        double begin = now();
        for (int i = 0; i < count; i++)
            scope();
        batches.push_back((now() - begin) / count);
        usleep(20000);
    }
    std::sort(batches.begin(), batches.end());
    std::printf("%%.3f %%d\\n", batches[batches.size() / 2], %(state)s);
    std::fflush(stdout);
    _exit(0);
}
"""
TRACY = {
    "include": "#include <tracy/Tracy.hpp>",
    "scope": 'ZoneScopedN("scope");',
    "begin": "for (int i = 0; i < 500 && !TracyIsConnected && getenv(\"WAIT\"); i++) usleep(10000);",
    "state": "(int)TracyIsConnected",
}
EASY = {
    "include": "#include <easy/profiler.h>",
    "scope": 'EASY_BLOCK("scope");',
    "begin": "EASY_PROFILER_ENABLE;",
    "state": "1",
}
EASY_VERSION = [f"-DEASY_PROFILER_VERSION_{part}={number}" for part, number in (("MAJOR", 2), ("MINOR", 1), ("PATCH", 0))]
# row: what, the program and its argument, environment, of which floor, the bound that must hold and the goal
ROWS = [
    ("scope, inline header", "static", "scope", {}, "ratio", 1.25, 1.08),
    ("scope, nested", "static", "nest", {}, "ratio", 1.25, 1.08),
    ("scope, inline header, shared library", "shared", "scope", {}, "ratio", 1.5, 1.25),
    ("scope, out of line (other languages), shared library", "shared", "enter", {}, "ratio", 1.5, 1.25),
    ("poll of a task", "static", "poll", {}, "ratio", 1.25, None),
    ("two threads, against one", "static", "threads", {}, "ratio", 1.1, 1.0),
    ("SAMPLED", "static", "sampled", {}, "ns", 5.0, 3.0),
    ("COUNT", "static", "count", {}, "ns", None, None),
    ("switched off (RUSTSCOPE_MODE=off)", "static", "scope", {"RUSTSCOPE_MODE": "off"}, "ns", 2.0, 1.0),
    ("PRECISE", "static", "precise", {}, "ratio", None, None),
]


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as f:
        f.write(text)
    return path


def compile_all(folder, options):
    build = options.build
    include = "-I" + os.path.join(ROOT, "include")
    lib = os.path.join(build, "lib")
    commands = {
        "static": ["cc", "-O2", include, SOURCE, os.path.join(lib, "librustscope.a"), "-pthread"],
        "shared": ["cc", "-O2", include, SOURCE, "-L" + lib, "-lrustscope", "-Wl,-rpath," + lib, "-pthread"],
        "traced": ["cc", "-O2", "-pg", "-DTRACED_BODY", include, SOURCE],
    }
    commands["google"] = ["c++", "-O2", write(folder, "google.cpp", GOOGLE), "-lbenchmark", "-pthread"]
    if options.tracy:
        public = os.path.join(options.tracy, "public")
        demand = ["-DTRACY_ON_DEMAND"] if options.tracy_capture else []
        commands["tracy"] = ["c++", "-O2", "-DTRACY_ENABLE", "-DTRACY_ONLY_IPV4", *demand, "-I" + public, write(folder, "tracy.cpp", PEER % TRACY),
                             os.path.join(public, "TracyClient.cpp"), "-pthread", "-ldl"]
    if options.easy_profiler:
        core = os.path.join(options.easy_profiler, "easy_profiler_core")
        sources = [os.path.join(core, name) for name in sorted(os.listdir(core)) if name.endswith(".cpp")]
        commands["easy"] = ["c++", "-O2", "-w", "-DBUILD_WITH_EASY_PROFILER", *EASY_VERSION, "-I" + os.path.join(core, "include"),
                            write(folder, "easy.cpp", PEER % EASY), *sources, "-pthread"]
    programs = {}
    for name, command in commands.items():
        program = os.path.join(folder, name)
        result = subprocess.run(command + ["-o", program], capture_output=True, text=True)
        if not result.returncode:
            programs[name] = program
        elif name in ("static", "shared", "tracy", "easy"):
            sys.exit(f"{name} does not build: {result.stderr}")
    return programs


def run(argv, env=None, **kwargs):
    merged = {k: v for k, v in os.environ.items() if not k.startswith("RUSTSCOPE_")}
    merged.update(env or {})
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, env=merged, check=True, **kwargs)


def tracy(program, capture, folder):
    """One process of it: nanoseconds a zone, while tracy-capture takes its events if there is one."""
    env = {"TRACY_ONLY_LOCALHOST": "1", "TRACY_PORT": "18086"}
    if not capture:
        return float(run([program], env).stdout.split()[0])
    taker = subprocess.Popen([capture, "-f", "-a", "127.0.0.1", "-p", "18086", "-o", os.path.join(folder, "out.tracy")],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ns, connected = run([program], {**env, "WAIT": "1"}).stdout.split()
    finally:
        taker.terminate()
        taker.wait()
    if connected != "1":
        sys.exit("Tracy was not connected to its capture program")
    return float(ns)


def peers(programs, folder, options):
    rows, processes = [], options.processes
    if "tracy" in programs:
        state = "on demand, connected" if options.tracy_capture else "buffering"
        rows.append((f"Tracy, {state} (raw events)",
                     [tracy(programs["tracy"], options.tracy_capture, folder) for _ in range(processes)]))
    else:
        print("Tracy: skipped, --tracy names no sources")
    if "easy" in programs:
        rows.append(("easy_profiler (raw events)", [float(run([programs["easy"]]).stdout.split()[0]) for _ in range(processes)]))
    else:
        print("easy_profiler: skipped, --easy-profiler names no sources")
    if "traced" in programs and shutil.which("uftrace"):
        data = os.path.join(folder, "uftrace.data")
        values = []
        for _ in range(max(3, processes // 4)):
            out = run(["uftrace", "record", "--no-libcall", "--no-event", "-d", data, programs["traced"]], cwd=folder).stdout
            values.append(float(out.split()[-1]))
        rows.append(("uftrace record, -pg (raw events)", values))
    else:
        print("uftrace: skipped, not installed")
    if "google" in programs:
        rows.append(("google/benchmark Pause/ResumeTiming", [float(run([programs["google"]]).stderr.split()[-1]) for _ in range(max(3, processes // 4))]))
    else:
        print("google/benchmark: skipped, not installed")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=20)
    parser.add_argument("--build", default=os.path.join(ROOT, "build/release"))
    parser.add_argument("--tracy")
    parser.add_argument("--tracy-capture")
    parser.add_argument("--easy-profiler")
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        programs = compile_all(folder, options)
        values = {row[0]: [] for row in ROWS}
        empties = []
        for _ in range(options.processes):  # row after row, process after process: noise hits all alike
            for what, program, argument, env, *_ in ROWS:
                out = run([programs[program], argument], env).stdout.split()
                values[what].append((float(out[0]), float(out[1])))
            empties.append(float(run([programs["static"], "empty"]).stdout.split()[0]))
        empty = statistics.median(empties)
        print(f"{options.processes} processes a row; an empty call is {empty:.2f} ns, and in every figure but those marked net")
        for what, _, _, _, kind, bound, goal in ROWS:
            pairs = values[what]
            ns = statistics.median(p[0] for p in pairs)
            floor = statistics.median(p[1] for p in pairs)
            judged = [p[0] / p[1] for p in pairs] if kind == "ratio" else [p[0] - empty for p in pairs]
            low, high = interval(judged)
            middle = statistics.median(judged)
            state = ""
            if bound:
                state = "goal" if goal and middle <= goal else verdict(judged, bound)
                failed |= state == "FAILED"
            shown = f"{middle:.3f} x [{low:.3f}, {high:.3f}]" if kind == "ratio" else f"{middle:.2f} ns net [{low:.2f}, {high:.2f}]"
            limits = f"bound {bound}" + (f", goal {goal}" if goal else "") if bound else ""
            print(f"{what:53} {ns:7.2f} ns  floor {floor:6.2f}  {shown:32} {limits:22} {state}")
        ours = statistics.median(p[0] for p in values[ROWS[0][0]])
        for what, ns in peers(programs, folder, options):
            print(f"{what:53} {statistics.median(ns):7.2f} ns  [{min(ns):.1f}, {max(ns):.1f}]   "
                  f"{statistics.median(ns) / ours:.2f} x of our scope")
        print("accuracy: bulk-timed truth, PRECISE, default (ns)")
        runs = [[list(map(float, line.split())) for line in run([programs["static"], "accuracy"]).stdout.splitlines()] for _ in range(max(3, options.processes // 4))]
        for body in range(len(runs[0])):
            truth, precise, default = (statistics.median(r[body][i] for r in runs) for i in range(3))
            off = statistics.median(r[body][1] - r[body][0] for r in runs)
            print(f"  {truth:8.2f} {precise:8.2f} {default:8.2f}   PRECISE off by {off:+.2f}  bound 2  {'ok' if abs(off) <= 2 else 'beyond'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
