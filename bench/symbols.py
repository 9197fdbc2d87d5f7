#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Names for sampled addresses beside the peers, in one run.

    bench/symbols.py [--pairs N] [--seconds S] [--build build/release]

1. From a program's end to the symbolised JSON, beside `perf script` on a recording of the same program.
2. The same addresses through addr2line, eu-addr2line and llvm-symbolizer.
3. A 150 MB binary: rustc compiles a program, without and with the cache; what rustscope itself holds in memory.

Figures are medians of N interleaved pairs (15); the bounds are the project's promises, held against CPU time, which does
not depend on who else runs (against wall time for perf); wall time is printed beside it. What the machine lacks is
skipped and said.
"""
import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
RUST = """
use std::collections::BTreeMap;
struct Random(u64);
impl Random { fn next(&mut self) -> u64 { let mut x = self.0; x ^= x << 13; x ^= x >> 7; x ^= x << 17; self.0 = x; x } }
#[inline(never)] fn text(r: &mut Random) -> String { (0..10 + r.next() % 40).map(|_| (b'a' + (r.next() % 26) as u8) as char).collect() }
#[inline(never)] fn round(r: &mut Random) -> usize {
    let mut map: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for _ in 0..20000 { let k = text(r); map.entry(k).or_default().push(text(r)); }
    let mut all: Vec<&String> = map.values().flatten().collect();
    all.sort_by(|a, b| b.cmp(a));
    all.iter().map(|s| format!("{}-{}", s.len(), s).len()).sum()
}
fn main() {
    let seconds: f64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let start = std::time::Instant::now();
    let (mut r, mut sum) = (Random(88172645463325252), 0);
    while start.elapsed().as_secs_f64() < seconds { sum += round(&mut r); }
    println!("{sum}");
}
"""


class Failures:
    count = 0

    @classmethod
    def check(cls, what, value, bound, unit):
        good = value <= bound
        cls.count += not good
        print(f"  {'ok  ' if good else 'FAIL'} {what}: {value:.3f} {unit} (must be <= {bound})")


def timed(argv, **kwargs):
    """CPU and wall seconds of a command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([str(a) for a in argv], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kwargs)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.monotonic() - start


class Recorder:
    """Runs rustscope; knows how long it took after the program's end and what it held at most."""

    def __init__(self, build, folder):
        self.binary, self.folder = build / "bin" / "rustscope", folder

    def run(self, command, cache):
        session, end = self.folder / "session.json", self.folder / "end"
        script = 'out=$1; shift; "$@" >/dev/null 2>&1; date +%s.%N > "$out"'
        argv = [self.binary, "--no-tui", "-q", "--no-alloc", "-o", session, "--", "/bin/sh", "-c", script, "sh", end,
                *command]
        process = subprocess.Popen([str(a) for a in argv], stderr=subprocess.DEVNULL,
                                   env={**os.environ, "XDG_CACHE_HOME": str(cache)})
        seen = []
        watcher = threading.Thread(target=self.watch, args=(process.pid, seen))
        watcher.start()
        process.wait()
        ended = time.time()
        watcher.join()
        end = float(end.read_text())
        before = max((cpu for at, cpu, _ in seen if at <= end), default=0)
        return seen[-1][1] - before, ended - end, max(mb for *_, mb in seen), json.loads(session.read_text())

    @staticmethod
    def watch(pid, seen):
        """Appends (unix seconds, CPU seconds of its one busy thread, peak MB) until PID has gone."""
        while True:
            try:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                cpu = int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
            except OSError:
                return
            peak = [line for line in status.splitlines() if line.startswith("VmHWM")]
            if not peak:
                return  # a zombie
            seen.append((time.time(), cpu, int(peak[0].split()[1]) / 1000))
            time.sleep(0.005)


def addresses(session, path):
    """The distinct module-relative addresses of PATH that were sampled."""
    strings, modules, frames = (session[k] for k in ("strings", "modules", "frames"))
    wanted = {i for i, p in enumerate(modules["path"]) if strings[p] == str(path)}
    return sorted({a for a, o in zip(frames["addr"], frames["object"]) if o in wanted})


def samples(session):
    return session["diagnostics"]["stack_samples"]


def bench_report(recorder, folder, program, pairs, seconds):
    print(f"1. {seconds} s of a Rust program at 997 Hz, with inlined functions")
    perf = shutil.which("perf")
    ours, warm, theirs, session = [], [], [], None
    data = folder / "perf.data"
    if perf:
        timed([perf, "record", "-F", "997", "--call-graph", "dwarf,32768", "-o", data, "--", program, str(seconds)])
    else:
        print("  perf: skipped, not installed")
    for i in range(pairs):
        cache = folder / f"cache{i}"
        ours.append(recorder.run([program, str(seconds)], cache)[:2])
        *tail, _, session = recorder.run([program, str(seconds)], cache)
        warm.append(tail)
        if perf:
            theirs.append(timed([perf, "script", "-i", data]))
    print(f"  rustscope, from the program's end to its own: {show(ours)}; with the cache {show(warm)}; "
          f"{samples(session)} samples")
    Failures.check("from the program's end to the JSON", median_cpu(ours), 0.5, "s")
    if theirs:
        print(f"  perf script on its own recording: {show(theirs)}")
        # By wall time: perf's addr2line processes are its own children, whose CPU time is nobody's.
        Failures.check("of perf script's time", statistics.median(a[1] / b[1] for a, b in zip(ours, theirs)), 0.2, "x")
    return session


def median_cpu(pairs):
    return statistics.median(cpu for cpu, _ in pairs)


def show(pairs):
    return f"{median_cpu(pairs):.3f} s CPU ({statistics.median(wall for _, wall in pairs):.3f} s wall)"


def bench_addresses(build, program, session, pairs):
    pcs = addresses(session, program)
    text = "".join(f"{pc:#x}\n" for pc in pcs).encode()
    tools = {
        "rustscope": [build / "bench" / "bench_symbols", program],
        "addr2line": ["addr2line", "-afiC", "-e", program],
        "eu-addr2line": ["eu-addr2line", "-afiC", "-e", program],
        "llvm-symbolizer": ["llvm-symbolizer", f"--obj={program}", "--inlines", "--demangle"],
    }
    print(f"2. {len(pcs)} sampled addresses of {program.name}, whole process, no cache")
    for name in list(tools):
        if not shutil.which(str(tools[name][0])):
            print(f"  {name}: skipped, not here" + (" (configure with -DRUSTSCOPE_BENCH=ON)" if name == "rustscope" else ""))
            del tools[name]
    took = {name: [] for name in tools}
    for _ in range(pairs):
        for name, argv in tools.items():
            took[name].append(timed(argv, input=text))
    for name, values in took.items():
        line = f"  {name:16} {show(values)}"
        if "rustscope" in took and name != "rustscope":
            ratio = statistics.median(a[0] / b[0] for a, b in zip(took["rustscope"], values))
            line += f"   rustscope takes {ratio:.2f} x of it"
        print(line)


def bench_big(recorder, folder, source):
    rustc = shutil.which("rustc")
    print("3. rustc compiles a program (librustc_driver and libLLVM: 150 and 200 MB)")
    if not rustc:
        print("  skipped, no rustc")
        return
    real = subprocess.run([rustc, "--print", "sysroot"], capture_output=True, text=True).stdout.strip()
    command = [f"{real}/bin/rustc", "-O", "-g", source, "-o", folder / "out"]
    for what, bound in (("without cache", 3), ("with the cache", 0.5)):
        cpu, wall, peak_mb, session = recorder.run(command, folder / "big-cache")
        print(f"  {what}: {samples(session)} samples, {len(session['functions'])} functions, {wall:.3f} s wall")
        Failures.check(f"from its end to the JSON, {what}", cpu, bound, "s")
        Failures.check("rustscope's own memory", peak_mb, 400, "MB")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    options = parser.parse_args()
    build = options.build.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        recorder = Recorder(build, folder)
        source, program = folder / "work.rs", folder / "work"
        source.write_text(RUST)
        if shutil.which("rustc"):
            subprocess.run(["rustc", "-O", "-g", source, "-o", program], check=True)
            session = bench_report(recorder, folder, program, options.pairs, options.seconds)
            bench_addresses(build, program, session, options.pairs)
        else:
            print("1. and 2. skipped, no rustc")
        bench_big(recorder, folder, source)
    return 1 if Failures.count else 0


if __name__ == "__main__":
    sys.exit(main())
