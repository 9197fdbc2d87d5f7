#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What process metrics cost and how true they are, beside polling with ps-like reads and pidstat, in one run.

    bench/record.py [--seconds 60] [--pairs 15] [--only cost|many|accuracy|startup|day]

cost      CPU of rustscope at 100 and 1000 Hz on one busy process, less an idle timer loop of ours (must: +0.4, +2.0 points)
many      CPU at 100 Hz with 1,000 threads and with 500 processes (must: under 5 %)
accuracy  CPU and memory of programs with a known truth: rustscope, a psrecord-like poller, pidstat 1 (must: CPU within 2
          points over any second; 1,000 short children within 10 % of rusage)
startup   `rustscope -- true` less `true` (must: 30 ms)
day       a simulated day (bench/day.c)
"""
import argparse
import bisect
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from judging import interval, verdict

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "bench"
RUSTSCOPE = BUILD / "bin" / "rustscope"
METRICS_ONLY = ["-q", "--no-tui", "--no-stacks", "--no-alloc"]


def build():
    options = ["-DRUSTSCOPE_BENCH=ON", "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-Wno-dev"]
    subprocess.run(["cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja", *options], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", BUILD], check=True, stdout=subprocess.DEVNULL)


def target(name):
    return str(BUILD / "targets" / f"tgt_{name}")


def judge(values, bound, what, unit=""):
    median, (low, high), state = statistics.median(values), interval(values), verdict(values, bound)
    print(f"  {what:52} {median:8.2f}{unit} [{low:.2f}, {high:.2f}]   bound {bound}{unit}   {state}")
    return state != "FAILED"


def own_cpu(argv):
    """CPU seconds of argv itself, its children left out: from a wait4 that sees both and the child's own account."""
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_utime + usage.ru_stime


def attached_cpu(command, seconds, hz):
    """CPU percentage of `rustscope --pid` on COMMAND: attached, so that its children's CPU is not in the account."""
    program = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    time.sleep(1)
    with tempfile.TemporaryDirectory() as folder:
        cpu = own_cpu([RUSTSCOPE, *METRICS_ONLY, "-r", str(hz), "-d", str(seconds), "-o", f"{folder}/s.json",
                       "--pid", str(program.pid)])  # fmt: skip
    program.kill()
    program.wait()
    return 100 * cpu / seconds


def bench_cost(options):
    print(f"sampler CPU over an idle loop, {options.seconds} s a run, one process at 60 % of a core")
    good = True
    for hz, bound in ((100, 0.4), (1000, 2.0)):
        added = []
        for _ in range(options.pairs):
            idle = 100 * own_cpu([BUILD / "bench" / "bench_idle_loop", str(options.seconds), str(hz)]) / options.seconds
            busy = attached_cpu([target("spin"), str((options.seconds + 5) * 1000), "60"], options.seconds, hz)
            added.append(busy - idle)
        good &= judge(added, bound, f"points of a core at {hz} Hz")
    return good


def bench_many(options):
    print("sampler CPU on large trees at 100 Hz")
    good = True
    for kind, count in (("threads", 1000), ("processes", 500)):
        command = [str(BUILD / "bench" / "bench_many"), kind, str(count), "40"]
        cpu = [attached_cpu(command, 10, 100) for _ in range(3)]
        good &= judge(cpu, 5, f"percent of a core with {count} {kind}", " %")
    return good


class Truth:
    """What tgt_spin says of itself: its CPU clock over time."""

    def __init__(self, path):
        rows = [line.split() for line in pathlib.Path(path).read_text().splitlines()]
        self.at = [int(r[0]) for r in rows]
        self.cpu = [int(r[1]) for r in rows]

    def cpu_at(self, at):
        i = max(1, min(bisect.bisect(self.at, at), len(self.at) - 1))
        share = (at - self.at[i - 1]) / (self.at[i] - self.at[i - 1])
        return self.cpu[i - 1] + share * (self.cpu[i] - self.cpu[i - 1])

    def pct(self, start, end):
        return 100 * (self.cpu_at(end) - self.cpu_at(start)) / (end - start)

    def error(self, windows):
        """The largest error of (start ns, end ns, percent) rows that lie within what is known."""
        known = [w for w in windows if w[0] > self.at[0] and w[1] < self.at[-1]]
        return max(abs(pct - self.pct(start, end)) for start, end, pct in known)


def poll_like_psrecord(pid, seconds):
    """What ps-like tools do: utime + stime in ticks, ten times a second; percent over each second of them."""
    rows, tick = [], os.sysconf("SC_CLK_TCK")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        rows.append((time.monotonic_ns(), (int(stat[11]) + int(stat[12])) * 1e9 / tick))
        time.sleep(0.1)
    return [(a[0], b[0], 100 * (b[1] - a[1]) / (b[0] - a[0])) for a, b in zip(rows, rows[10:])]


def pidstat_windows(pid, seconds):
    start = time.monotonic_ns()
    text = subprocess.run(["pidstat", "-p", str(pid), "1", str(seconds)], capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C"}).stdout  # fmt: skip
    rows = [line.split() for line in text.splitlines() if "tgt_spin" in line and "Average" not in line]
    return [(start + i * 10**9, start + (i + 1) * 10**9, float(r[-3])) for i, r in enumerate(rows)]


def bench_accuracy(options):
    print("CPU over any second of a program that aims at 60 % of a core: largest error against its own clock, points")
    good = True
    with tempfile.TemporaryDirectory() as folder:
        path, truth = f"{folder}/s.json", f"{folder}/truth"
        subprocess.run([RUSTSCOPE, *METRICS_ONLY, "-o", path, "--", target("spin"), "12000", "60", "1", truth], check=True)
        session = json.loads(pathlib.Path(path).read_text())
        start, cpu = session["meta"]["clock"]["mono_ns"], session["timeline"]["cpu_pct"]
        windows = [(start + i * 10**8, start + (i + 10) * 10**8, sum(cpu[i : i + 10]) / 10) for i in range(len(cpu) - 11)]
        ours = Truth(truth).error(windows)
        program = subprocess.Popen([target("spin"), "12000", "60", "1", truth])
        time.sleep(0.5)
        polled = poll_like_psrecord(program.pid, 10)
        program.wait()
        print(f"  rustscope {ours:.2f}   ps-like polling {Truth(truth).error(polled):.2f}   bound 2   "
              f"{'ok' if ours <= 2 else 'FAILED'}")  # fmt: skip
        good &= ours <= 2
        if shutil.which("pidstat"):
            program = subprocess.Popen([target("spin"), "8000", "60", "1", truth])
            time.sleep(0.5)
            polled = pidstat_windows(program.pid, 6)
            program.wait()
            print(f"  pidstat 1: {Truth(truth).error(polled):.2f}")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([target("children"), "1000", "1"], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        truth = 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        subprocess.run([RUSTSCOPE, *METRICS_ONLY, "-o", path, "--", "sh", "-c", "for i in $(seq 1000); do /bin/true; done"], check=True)
        # the truth of that very run: the shell's own account of its children
        script = "for i in $(seq 1000); do /bin/true; done; times"
        out = subprocess.run([RUSTSCOPE, *METRICS_ONLY, "-o", path, "--", "bash", "-c", script], capture_output=True, text=True)
        total = sum(int(m) * 60 + float(s[:-1]) for m, s in (w.split("m") for w in out.stdout.split()))
        ours = json.loads(pathlib.Path(path).read_text())["summary"]["cpu_ms"] / 1000
        print(f"  1,000 × true from a shell: rustscope {ours:.3f} s, rusage {total:.3f} s, off by {100 * abs(ours / total - 1):.1f} %"
              f"   bound 10 %   {'ok' if abs(ours / total - 1) <= 0.1 else 'FAILED'}")  # fmt: skip
        good &= abs(ours / total - 1) <= 0.1
        subprocess.run([RUSTSCOPE, *METRICS_ONLY, "-o", path, "--", target("children"), "1000", "1"], check=True)
        ours = json.loads(pathlib.Path(path).read_text())["summary"]["cpu_ms"]
        print(f"  1,000 children of 1 ms: rustscope {ours:.0f} ms, the same program without it {truth:.0f} ms")
        subprocess.run([RUSTSCOPE, *METRICS_ONLY, "-o", path, "--", target("grow"), "sawtooth"], check=True)
        session = json.loads(pathlib.Path(path).read_text())
    anon = [v for v in session["timeline"]["anon_mb"] if v is not None]
    grown = session["summary"]["anon_peak_mb"] - min(anon[:4])
    teeth = sum(value > 30 and last <= 30 for last, value in zip(anon, anon[1:]))
    right = abs(grown - 40 * 1.048576) <= 1.1 and teeth == 4  # steps of 1.05 MB
    print(f"  sawtooth of 41.9 MB, four teeth: {grown:.1f} MB and {teeth} seen   {'ok' if right else 'NOT MET'}")
    good &= right
    return good


def bench_startup(options):
    print("start to end of a program that does nothing")
    added = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(max(15, options.pairs)):
            began = time.monotonic()
            subprocess.run(["true"], check=True)
            middle = time.monotonic()
            subprocess.run([RUSTSCOPE, "-q", "--no-tui", "-o", f"{folder}/s.json", "--", "true"], check=True)
            added.append(1000 * (time.monotonic() - middle - (middle - began)))
    return judge(added, 30, "rustscope -- true over true", " ms")


def bench_day(options):
    print("a simulated day")
    with tempfile.TemporaryDirectory() as folder:
        runs = [subprocess.run([BUILD / "bench" / "bench_day", *more], cwd=folder) for more in ([], ["--stacks"])]
    return all(run.returncode == 0 for run in runs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--only", choices=["cost", "many", "accuracy", "startup", "day"])
    options = parser.parse_args()
    build()
    parts = {"startup": bench_startup, "accuracy": bench_accuracy, "many": bench_many, "cost": bench_cost, "day": bench_day}
    good = all([run(options) for name, run in parts.items() if options.only in (None, name)])
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
