#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Sampled stacks beside `perf record --call-graph dwarf,32768`, in one run.

    bench/stacks.py [--build build/release] [--shared ../shared/workloads] [--pairs N] [PART...]

PARTs: slowdown completeness shares report cli (all when none is named). Each figure is the median of interleaved runs;
a ratio has a bootstrap 95 % interval, and fails only when all of it is beyond the bound. Workloads of --shared are
used when they are there. What the machine lacks is skipped and said.
"""
import argparse
import collections
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from alloc import big_c_file
from judging import row, verdict

ROOT = pathlib.Path(__file__).resolve().parents[1]
OWN = ROOT / "bench" / "workloads"
PERF = ["perf", "record", "-q", "-F", "997", "--call-graph", "dwarf,32768"]
failures = []


def judge(what, values, bound):
    if verdict(values, bound) == "FAILED":
        failures.append(what)
    print(f"  {what}: {row(values, bound, 3)} (must be <= {bound})")


class Bench:
    def __init__(self, build, folder, shared):
        self.shared = pathlib.Path(shared)
        self.rustscope = str(build / "bin" / "rustscope")
        self.targets = build / "targets"
        self.folder = pathlib.Path(folder)
        self.session = self.folder / "s.json"
        self.data = self.folder / "perf.data"
        self.env = {**os.environ, "XDG_CACHE_HOME": str(self.folder / "cache")}
        self.work = str(self.folder / "stacks_work")
        subprocess.run(["cc", "-O2", "-g", "-pthread", str(ROOT / "bench/stacks_work.c"), "-o", self.work], check=True)

    def recorder(self, *options):
        return [self.rustscope, "--no-tui", "-q", "--no-alloc", *options, "-o", str(self.session), "--"]

    def peer(self):
        return [*PERF, "-o", str(self.data), "--"]

    def timed(self, prefix, command):
        """CPU seconds of the program, its end, and the end of the whole, on CLOCK_MONOTONIC."""
        reader, writer = os.pipe()
        os.set_inheritable(writer, True)
        script = ["sh", "-c", f"exec 3>&{writer}; exec \"$@\"", "sh"]
        subprocess.run([*script, *prefix, *command], pass_fds=[writer], env=self.env, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=120)
        end = time.monotonic()
        os.close(writer)
        with os.fdopen(reader) as f:
            cpu, ended = f.read().split()
        return float(cpu), float(ended), end

    def record_behind(self, prefix, command):
        subprocess.run([*prefix, *self.recorder(), *command], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return json.loads(self.session.read_text())

    def record(self, command, *options, **kwargs):
        subprocess.run([*self.recorder(*options), *command], env=self.env, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=300, **kwargs)
        self.ended = time.time()
        return json.loads(self.session.read_text())


def slowdown(bench, pairs):
    print(f"slowdown of a CPU-bound program, its own CPU time, {pairs} interleaved runs of each")
    for threads in (1, 2):
        cpu = {"native": [], "rustscope": [], "perf": []}
        for _ in range(pairs):
            for name, prefix in {"native": [], "rustscope": bench.recorder(), "perf": bench.peer()}.items():
                if name == "perf" and not shutil.which("perf"):
                    continue
                cpu[name].append(bench.timed(prefix, [bench.work, "250000", str(threads)])[0])
        native = statistics.median(cpu["native"])
        for name in ("rustscope", "perf"):
            if cpu[name]:
                print(f"  {threads} thread(s), {name}: {100 * (statistics.median(cpu[name]) / native - 1):+.1f} % "
                      f"of {native:.2f} s")
        if cpu["perf"]:
            ratios = [r / p for r, p in zip(cpu["rustscope"], cpu["perf"])]
            judge(f"{threads} thread(s), rustscope / perf record", ratios, 1.0)


def workloads(bench):
    """name -> (command, environment)"""
    found = {}
    if shutil.which("sqlite3") and (bench.shared / "sqlite.sql").exists():
        found["sqlite3"] = (["sqlite3", "-batch", "-init", str(bench.shared / "sqlite.sql"), ":memory:", ".exit"], {})
    compilers = {".cpp": ["g++", "-O2", "-g"], ".rs": ["rustc", "-O", "-g"]}
    for source in (OWN / "maps.cpp", OWN / "trees.rs", bench.shared / "cppmap.cpp", bench.shared / "rusty.rs"):
        compiler, binary = compilers[source.suffix], bench.folder / source.stem
        if source.exists() and shutil.which(compiler[0]):
            subprocess.run([*compiler, str(source), "-o", str(binary)], check=True, capture_output=True)
            found[binary.name] = ([str(binary), "4"], {})
    if shutil.which("rustc"):
        found["rustc"] = (["rustc", "-O", "-g", str(OWN / "trees.rs"), "-o", str(bench.folder / "trees2")], {})
    if shutil.which("redis-server") and shutil.which("redis-benchmark"):
        socket = bench.folder / "redis.sock"
        found["redis-server"] = (["sh", "-c", f"redis-server --port 0 --unixsocket {socket} --save '' & server=$!;"
                                  f"while ! redis-cli -s {socket} ping; do sleep 0.05; done;"
                                  f"redis-benchmark -s {socket} -q -n 200000 -t set,lpush,get; redis-cli -s {socket} shutdown nosave;"
                                  "wait $server"], {})  # fmt: skip
    cc1 = subprocess.run(["gcc", "-print-prog-name=cc1"], capture_output=True, text=True).stdout.strip()
    if os.path.isabs(cc1):
        (bench.folder / "big.i").write_text(big_c_file())
        found["gcc cc1"] = ([cc1, "-quiet", "-O2", "-o", "/dev/null", str(bench.folder / "big.i")], {})
    source = bench.folder / "regex.cpp"
    source.write_text("#include <regex>\n#include <map>\nint main() { std::map<std::string, int> m; std::regex r(\"a+\"); }\n")
    if shutil.which("g++"):
        found["gcc cc1plus"] = (["g++", "-O2", "-c", str(source), "-o", str(bench.folder / "regex.o")], {})
    python = "import json\nd={str(i): list(range(20)) for i in range(20000)}\nfor _ in range(4): json.loads(json.dumps(d))\n"
    found["python3"] = (["/usr/bin/python3", "-c", python], {"PYTHONMALLOC": "malloc"})
    script = ("let o=[];for(let i=0;i<2e5;i++)o.push({a:i,b:'x'+i});"
              "for(let k=0;k<3;k++){const p=JSON.parse(JSON.stringify(o));p.sort((x,y)=>y.a-x.a)}")
    if shutil.which("node"):
        found["node"] = (["node", "-e", script], {})
    return found


def perf_complete(bench, command):
    """The share of perf's stacks that reach the root, by the names of their outermost frames."""
    subprocess.run([*bench.peer(), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
    script = subprocess.run(["perf", "script", "-i", str(bench.data), "-F", "ip,sym", "--no-inline"], capture_output=True,
                            text=True, errors="replace", timeout=300).stdout
    stacks = [s for s in script.strip().split("\n\n") if s]
    roots = ("_start", "__libc_start", "clone", "start_thread", "thread_start")
    return 100 * sum(any(r in line for r in roots for line in s.splitlines()[-3:]) for s in stacks) / max(1, len(stacks))


def completeness(bench, pairs):
    print("stacks that reach the root, % (perf's judged by the names of the outermost frames)")
    deny = str(bench.targets / "tgt_deny_perf")
    for name, (command, extra) in workloads(bench).items():
        bench.env.update(extra)
        rows = []
        for prefix in ([], [deny, "EACCES"]):
            subprocess.run([*prefix, *bench.recorder(), *command], env=bench.env, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=300)
            d = json.loads(bench.session.read_text())["diagnostics"]
            total = max(1, sum(d["stop_reasons"].values()))
            rows.append((100 * d["stop_reasons"].get("root", 0) / total, total, 100 * d["stacks_stitched"] / total,
                         d["stack_backend"]))
        peer = f"{perf_complete(bench, command):6.2f}" if shutil.which("perf") else "     -"
        (share, total, stitched, backend), (timer, timer_total, _, other) = rows
        print(f"  {name:12} {backend} {share:6.2f} of {total} ({stitched:.1f} stitched)   {other} {timer:6.2f} of "
              f"{timer_total}   perf record {peer}")
        if share < 99.5:
            failures.append(f"completeness {name}")
        if timer < 99 and other == "timer":
            failures.append(f"completeness {name}, timer")


def shares(bench, pairs):
    print("shares of functions in tgt_shares over 10 s of CPU (truth 50, 30, 20), points off at most")
    sys.path.insert(0, str(ROOT / "tests" / "e2e"))
    from test_stacks import Stacks

    for name, prefix, bound in (("perf_event", [], 2), ("timer", [str(bench.targets / "tgt_deny_perf"), "EACCES"], 3)):
        subprocess.run([*prefix, *bench.recorder(), str(bench.targets / "tgt_shares"), "10000"], env=bench.env,
                       stderr=subprocess.DEVNULL, timeout=120)
        session = json.loads(bench.session.read_text())
        stacks = Stacks(session)
        whole = stacks.us("round_of_all")
        measured = {f: 100 * stacks.us(f) / whole for f in ("half_hot", "third", "fifth")}
        off = max(abs(measured[f] - t) for f, t in {"half_hot": 50, "third": 30, "fifth": 20}.items())
        print(f"  {session['diagnostics']['stack_backend']}: {off:.2f} (must be <= {bound})")
        if off > bound:
            failures.append(f"shares {name}")
        session = bench.record_behind(prefix, [str(bench.targets / "tgt_inlined"), "10000"])
        pct = {f["name"]: f["total_pct"] for f in session["functions"]}
        off = max(abs(100 * pct[f] / pct["work"] - t) for f, t in {"step_inlined": 50, "step_called": 30, "fall": 20}.items())
        judge_points(f"{session['diagnostics']['stack_backend']}, an inlined, a called and a recursive function", off, bound)
        session = bench.record_behind(prefix, [bench.work, "400000", "4"])
        total = sum(thread["cpu_ms"] for thread in session["threads"])
        sampled = collections.Counter()
        for thread, us in zip(session["cpu"]["thread"], session["cpu"]["weight_us"]):
            sampled[thread] += us / 1000
        off = max(abs(100 * (sampled[i] - thread["cpu_ms"]) / total) for i, thread in enumerate(session["threads"]))
        judge_points(f"{session['diagnostics']['stack_backend']}, each of four threads against its CPU clock", off, bound)
    shim_shares(bench)


def judge_points(what, off, bound):
    print(f"  {what}: {off:.2f} (must be <= {bound})")
    if off > bound:
        failures.append(f"shares, {what}")


def shim_shares(bench):
    """A program that allocates all the time, with the shim and without: the time of the shim itself is nobody's share."""
    command = workloads(bench)["maps"][0]
    tables = []
    for options in (["--no-alloc"], []):
        subprocess.run([bench.rustscope, "--no-tui", "-q", *options, "-o", str(bench.session), "--", command[0], "40"],
                       env=bench.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)  # fmt: skip
        functions = json.loads(bench.session.read_text())["functions"]
        ours = sum(f["self_pct"] for f in functions if f["layer"] == "profiler")
        tables.append({f["name"]: 100 * f["self_pct"] / (100 - ours) for f in functions if f["layer"] != "profiler"})
    without, with_ = tables
    name, off = max(((n, abs(with_.get(n, 0) - without.get(n, 0))) for n in {*without, *with_}), key=lambda row: row[1])
    judge_points(f"with the shim and without, self time of any function ({name[:40]})", off, 3)


def report(bench, pairs):
    found = workloads(bench).get("rusty")
    if not found or not shutil.which("perf"):
        print("report: skipped, needs rustc, perf and ../shared/workloads")
        return
    print("from the program's end to the symbolised JSON, rusty with inline frames, beside perf script, s")
    began = time.monotonic()
    subprocess.run([found[0][0], "20"], stdout=subprocess.DEVNULL, check=True)
    command = [found[0][0], str(round(20 * 10 / (time.monotonic() - began)))]  # 10 s
    ours, theirs = [], []
    for _ in range(max(3, pairs // 5)):
        session = bench.record(command)
        ours.append(bench.ended - session["meta"]["end_ts"] / 1000)
        subprocess.run([*bench.peer(), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
        begin = time.monotonic()
        subprocess.run(["perf", "script", "-i", str(bench.data)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       timeout=300)
        theirs.append(time.monotonic() - begin)
    mine, peer = statistics.median(ours), statistics.median(theirs)
    print(f"  {session['meta']['duration_sec']:.1f} s, {session['diagnostics']['stack_samples']} samples: {mine:.2f} s, "
          f"perf script {peer:.2f} s, ratio {mine / peer:.2f} (must be <= 0.5 s and <= 0.2)")
    if mine > 0.5 or mine > peer / 5:
        failures.append("report")


def cpu_of(pid):
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def cli(bench, pairs):
    print("CPU of the CLI while it samples one busy core, % of a core")
    figures = {}
    for name, options in {"997 Hz": [], "without stacks": ["--no-stacks"]}.items():
        values = []
        for _ in range(max(3, pairs // 5)):
            process = subprocess.Popen([*bench.recorder(*options), str(bench.targets / "tgt_shares"), "3000"],
                                       env=bench.env, stderr=subprocess.DEVNULL)
            time.sleep(0.5)
            before, start = cpu_of(process.pid), time.monotonic()
            time.sleep(1.5)
            values.append(100 * (cpu_of(process.pid) - before) / (time.monotonic() - start))
            process.wait()
        figures[name] = statistics.median(values)
        print(f"  {name}: {figures[name]:.2f} ({min(values):.2f} to {max(values):.2f})")
    stacks = figures["997 Hz"] - figures["without stacks"]
    print(f"  of that stacks: {stacks:.2f} (must be <= 2)")
    if stacks > 2:
        failures.append("cli")


PARTS = {f.__name__: f for f in (slowdown, completeness, shares, report, cli)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=str(ROOT / "build" / "release"))
    parser.add_argument("--shared", default=str(ROOT.parent / "shared" / "workloads"))
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(pathlib.Path(args.build).resolve(), folder, args.shared)
        for name in args.parts or PARTS:
            PARTS[name](bench, args.pairs)
    for failure in failures:
        print(f"FAILS: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
