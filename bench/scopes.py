#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a scope costs, beside the floor of the hardware and the peers, in one run.

    bench/scopes.py [--processes N] [--build build/release]

The floor is two readings of the CPU's counter around nothing. Each row is the median over N (20) processes, since the
layout of a process moves such figures by some percent; ratios are taken inside each process, where scope and floor
run in turns, and given with a bootstrap 95 % interval. An empty call is part of every figure. uftrace and
google/benchmark run in the same loop where they are installed; Tracy and easy_profiler are in no distribution we know
of: PEERS' figures for them are in docs/ARCHITECTURE.md. A row fails only when its whole interval is beyond the bound.
"""
import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile

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


def compile_all(folder, build):
    include = "-I" + os.path.join(ROOT, "include")
    lib = os.path.join(build, "lib")
    commands = {
        "static": ["cc", "-O2", include, SOURCE, os.path.join(lib, "librustscope.a"), "-pthread"],
        "shared": ["cc", "-O2", include, SOURCE, "-L" + lib, "-lrustscope", "-Wl,-rpath," + lib, "-pthread"],
        "traced": ["cc", "-O2", "-pg", "-DTRACED_BODY", include, SOURCE],
    }
    google = os.path.join(folder, "google.cpp")
    with open(google, "w") as f:
        f.write(GOOGLE)
    commands["google"] = ["c++", "-O2", google, "-lbenchmark", "-pthread"]
    programs = {}
    for name, command in commands.items():
        program = os.path.join(folder, name)
        result = subprocess.run(command + ["-o", program], capture_output=True, text=True)
        if not result.returncode:
            programs[name] = program
        elif name in ("static", "shared"):
            sys.exit(f"{name} does not build: {result.stderr}")
    return programs


def run(argv, env=None, **kwargs):
    merged = {k: v for k, v in os.environ.items() if not k.startswith("RUSTSCOPE_")}
    merged.update(env or {})
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, env=merged, check=True, **kwargs)


def interval(values, rounds=2000):
    rng = random.Random(1)
    medians = sorted(statistics.median(rng.choices(values, k=len(values))) for _ in range(rounds))
    return medians[int(rounds * 0.025)], medians[int(rounds * 0.975)]


def peers(programs, folder, processes):
    rows = []
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
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        programs = compile_all(folder, options.build)
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
            verdict = ""
            if bound:
                verdict = "ok" if middle <= bound else "inconclusive" if low <= bound else "FAILED"
                verdict = "goal" if goal and middle <= goal else verdict
                failed |= verdict == "FAILED"
            shown = f"{middle:.3f} x [{low:.3f}, {high:.3f}]" if kind == "ratio" else f"{middle:.2f} ns net [{low:.2f}, {high:.2f}]"
            limits = f"bound {bound}" + (f", goal {goal}" if goal else "") if bound else ""
            print(f"{what:53} {ns:7.2f} ns  floor {floor:6.2f}  {shown:32} {limits:22} {verdict}")
        for what, ns in peers(programs, folder, options.processes):
            print(f"{what:53} {statistics.median(ns):7.2f} ns  [{min(ns):.1f}, {max(ns):.1f}]")
        print("accuracy: bulk-timed truth, PRECISE, default (ns)")
        runs = [[list(map(float, line.split())) for line in run([programs["static"], "accuracy"]).stdout.splitlines()] for _ in range(max(3, options.processes // 4))]
        for body in range(len(runs[0])):
            truth, precise, default = (statistics.median(r[body][i] for r in runs) for i in range(3))
            off = statistics.median(r[body][1] - r[body][0] for r in runs)
            print(f"  {truth:8.2f} {precise:8.2f} {default:8.2f}   PRECISE off by {off:+.2f}  bound 2  {'ok' if abs(off) <= 2 else 'beyond'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
