#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Does the gate find five per cent and not cry wolf? Real runs, recorded in turns, compared by `rustscope compare`.

    bench/gate.py [--build BUILD] [--comparisons N] [--planted N] [--pairs N] [--only aa,cpu,memory,same,speed]

aa      the same program against itself: programs of 5, 50 and 300 ms that compute, allocate and fork; how many regressed or
        improved, and how many a rule of the mean and one sigma would have called so on the same runs
cpu     5 % more CPU planted in a 50 ms program, 30 pairs, --threshold 1: how often it is found, and the function named
memory  1 % more allocations, and 64 KiB more at the peak: found, and the path named
same    the same binary under another name and folder, and recompiled with other comments
speed   compare's own time and memory: two sessions of about 20 MB, and 2 x 30 small ones

The defaults are for a look; the promise is measured with --comparisons 200 --planted 100.
"""

import argparse
import json
import pathlib
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent


class Bench:
    def __init__(self, build, work):
        self.rustscope = str(build / "bin" / "rustscope")
        self.work = work
        self.program = work / "gate"
        self.count = 0
        self.failed = False
        subprocess.run(["gcc", "-O1", "-g", "-o", self.program, HERE / "workloads" / "gate.c"], check=True)

    def record(self, command, path):
        subprocess.run([self.rustscope, "-q", "--no-tui", "-o", path, "--", *map(str, command)], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip

    def series(self, base, new, pairs):
        """Folders of PAIRS runs of both commands in turns; who goes first is drawn."""
        self.count += 1
        folders = [self.work / f"{self.count}-{arm}" for arm in ("base", "new")]
        for folder in folders:
            folder.mkdir()
        for i in range(pairs):
            order = [(0, base), (1, new)]
            random.shuffle(order)
            for arm, command in order:
                self.record(command, folders[arm] / f"{i:03}.json")
        return folders

    def compare(self, folders, *options):
        argv = [self.rustscope, "compare", "--json", *options, "--base", folders[0], "--new", folders[1]]
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode not in (0, 1, 3):
            sys.exit(done.stderr)
        return json.loads(done.stdout)

    def compared(self, base, new, pairs, *options):
        folders = self.series(base, new, pairs)
        answer = self.compare(folders, *options)
        for folder in folders:
            shutil.rmtree(folder)
        return answer

    def say(self, holds, text):
        self.failed |= not holds
        print(f"  {'holds ' if holds else 'FAILED'} {text}", flush=True)


def total(answer, metric):
    return next((f for f in answer["figures"] if f["kind"] == "total" and f["metric"] == metric), None)


def named(answer, metric, subject):
    for blame in answer["contributors"]:
        if blame["metric"] == metric and blame["list"][0]["subject"].startswith(subject):
            return True
    return False


def sigma_rule(figure):
    """What people do with hyperfine's output: the means differ by more than both sigmas."""
    base, new = ([run for run in figure[arm] if run is not None] for arm in ("base_runs", "new_runs"))
    if min(len(base), len(new)) < 2:
        return False
    return abs(statistics.mean(new) - statistics.mean(base)) > max(statistics.stdev(base), statistics.stdev(new))


def a_a(bench, comparisons, pairs):
    programs = [(mode, ms) for mode in ("cpu", "alloc", "fork") for ms in (5, 50, 300)]
    alarms, sigma, unfit, decided = [], 0, 0, 0
    for i in range(comparisons):
        mode, ms = programs[i % len(programs)]
        command = [bench.program, mode, ms]
        answer = bench.compared(command, command, pairs)
        called = [f for f in answer["figures"] if f["headline"] and f["verdict"] in ("regressed", "improved")]
        alarms += [f"{mode} {ms} ms: {f['metric']} {f['verdict']} {f['ratio']}" for f in called]
        unfit += answer["status"] == 3
        decided += sum(f["verdict"] == "unchanged" for f in answer["figures"] if f["headline"])
        sigma += any(sigma_rule(total(answer, metric)) for metric in ("wall", "cpu", "rss_peak") if total(answer, metric))
    bench.say(len(alarms) <= max(1, comparisons // 200),
              f"A/A: {len(alarms)} of {comparisons} comparisons cried wolf (must: 1 of 200); {decided} figures unchanged, {unfit} "
              f"comparisons undecided; the mean-and-sigma rule: {sigma}")  # fmt: skip
    for alarm in alarms:
        print(f"         {alarm}")


def planted_cpu(bench, times):
    found = name = 0
    for _ in range(times):
        answer = bench.compared([bench.program, "cpu", 50], [bench.program, "cpu", 50, 5], 30, "--threshold", "1")
        hit = (total(answer, "cpu") or {}).get("verdict") == "regressed" or total(answer, "wall")["verdict"] == "regressed"
        found += hit
        name += hit and (named(answer, "cpu", "parse_row") or named(answer, "wall", "parse_row"))
    bench.say(found >= 0.95 * times and name >= 0.95 * times, f"+5 % CPU in 50 ms, 30 pairs: found {found} of {times}, parse_row named {name}")


def planted_memory(bench, times):
    for what, amount, metric in (("alloc", 1, "allocations"), ("peak", 65536, "heap_peak")):
        found = name = 0
        for _ in range(times):
            answer = bench.compared([bench.program, "alloc", 300], [bench.program, "alloc", 300, what, amount], 2)
            found += total(answer, metric)["verdict"] == "regressed"
            name += named(answer, metric, "keep_row")
        bench.say(found == name == times, f"+{amount} {'% allocations' if what == 'alloc' else 'bytes at the peak'}: found {found} of {times}, keep_row named {name}")


def same_binary(bench, pairs):
    elsewhere = bench.work / "else" / "where"
    elsewhere.mkdir(parents=True)
    copy = elsewhere / "another_name_that_is_longer"
    shutil.copy(bench.program, copy)
    source = bench.work / "commented.c"
    source.write_text("/* another comment */\n" + (HERE / "workloads" / "gate.c").read_text())
    again = bench.work / "again"
    again.mkdir()
    subprocess.run(["gcc", "-O1", "-g", "-o", again / "gate", source], check=True)
    for name, program in (("copied", copy), ("recompiled", again / "gate")):
        for mode in ("cpu", "alloc"):
            answer = bench.compared([bench.program, mode, 20], [program, mode, 20], pairs)
            wrong = [f["metric"] for f in answer["figures"] if f["headline"] and f["verdict"] == "regressed"]
            bench.say(not wrong and not answer["unfit"], f"{name}, {mode}: {answer['sentence']}")


def large_session(path, megabytes):
    """A session of our own, its stacks made many: about MEGABYTES of rows."""
    session = json.loads(path.read_text())
    cpu = session["cpu"]
    rows = len(cpu["node"])
    times = max(1, int(megabytes * 1e6 / (rows * 12 + 1)))
    start = cpu["start"]
    for key in ("node", "thread", "weight_us", "samples"):
        cpu[key] = cpu[key] * times
    cpu["start"] = [s + rows * t for t in range(times) for s in start[:-1]] + [rows * times]
    path.write_text(json.dumps(session, separators=(",", ":")))
    return path.stat().st_size


def timed(argv):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    subprocess.run(argv, stdout=subprocess.DEVNULL)
    took = time.monotonic() - begin
    return took, max(before.ru_maxrss, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) * 1024


def speed(bench):
    folders = bench.series([bench.program, "cpu", 20], [bench.program, "cpu", 20], 30)
    argv = [bench.rustscope, "compare", "--base", folders[0], "--new", folders[1]]
    took = min(timed(argv)[0] for _ in range(3))
    bench.say(took <= 0.5, f"2 x 30 small sessions: {took:.2f} s (must 0.5)")
    large = [bench.work / f"large{i}.json" for i in range(2)]
    for path in large:
        bench.record([bench.program, "cpu", 300], path)
        size = large_session(path, 20)
    took, rss = min(timed([bench.rustscope, "compare", *large]) for _ in range(3))
    bench.say(took <= 0.5, f"two sessions of {size / 1e6:.0f} MB: {took:.2f} s (must 0.5)")
    bench.say(rss <= 3 * size, f"and at most {rss / 1e6:.0f} MB of memory ({rss / size:.1f} of the file; must 3)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--comparisons", type=int, default=9)
    parser.add_argument("--planted", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--only", default="aa,cpu,memory,same,speed")
    args = parser.parse_args()
    only = args.only.split(",")
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(args.build.resolve(), pathlib.Path(work))
        if "aa" in only:
            a_a(bench, args.comparisons, args.pairs)
        if "cpu" in only:
            planted_cpu(bench, args.planted)
        if "memory" in only:
            planted_memory(bench, args.planted)
        if "same" in only:
            same_binary(bench, args.pairs)
        if "speed" in only:
            speed(bench)
    return bench.failed


if __name__ == "__main__":
    sys.exit(main())
