#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What recording every allocation costs, beside heaptrack, in one run.

    bench/alloc.py [--build BUILD] [--pairs N] [--only NAME,...] [--workloads FOLDER]

For each workload: native, heaptrack and `rustscope --no-stacks` run in turns; printed are medians of wall time and of
CPU time (program and profiler together) as ratios to native, with the bounds of the project's promise. rustscope's
"program" is from the launch to the program's end, which is what the bounds are about; its "wall" has symbols and the
JSON in it. Each is judged by its interval (judging.py): take 15 pairs for that. Then start-up (python3 -c pass), an idle shim, and what the totals say. Wall figures of a busy machine are
noise below 0.15; the CPU figures are steadier.

--workloads takes storm.c, cppmap.cpp, rusty.rs, js.py and sqlite.sql of that folder instead of our programs, for figures
beside those that others measured with them.
"""

import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

from judging import row

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
# name: (must, goal) of wall time; None: not promised
BOUNDS = {
    "storm1": (2.6, 1.9),
    "storm2": (3.5, 2.8),
    "maps": (1.3, 1.15),
    "trees": (1.5, 1.25),
    "sqlite": (1.3, 1.1),
    "python": (1.6, 1.25),
    "cc1": (1.3, 1.1),
}
ADDED = 1 / 3  # of heaptrack's added CPU


OURS = {"storm": "storm.c", "maps": "maps.cpp", "trees": "trees.rs", "python": "objects.py", "sqlite": "queries.sql"}
OTHERS = {"storm": "storm.c", "maps": "cppmap.cpp", "trees": "rusty.rs", "python": "js.py", "sqlite": "sqlite.sql"}


def build_workloads(work, folder):
    def compile_(*argv):
        subprocess.run(argv, check=True, cwd=work)

    source = {name: str((folder or HERE / "workloads") / file) for name, file in (OTHERS if folder else OURS).items()}
    compile_("gcc", "-O2", "-g", "-pthread", "-o", "storm", source["storm"])
    compile_("g++", "-O2", "-g", "-o", "maps", source["maps"])
    python_env = {"PYTHONMALLOC": "malloc"}
    loads = {
        "storm1": (["./storm", "5000000"], {}),
        "storm2": (["./storm", "5000000", "2"], {}),
        "maps": (["./maps", "4"], {}),
        "python": (["/usr/bin/python3", source["python"], "6"], python_env),
    }
    if shutil.which("rustc"):
        compile_("rustc", "-O", "-g", "-o", "trees", source["trees"])
        loads["trees"] = (["./trees", "4"], {})
    if shutil.which("sqlite3"):
        loads["sqlite"] = (["sqlite3", "-batch", "-init", source["sqlite"], ":memory:", ".exit"], {})
    cc1 = subprocess.run(["gcc", "-print-prog-name=cc1"], capture_output=True, text=True).stdout.strip()
    if os.path.isabs(cc1):
        (work / "big.i").write_text(big_c_file())
        loads["cc1"] = ([cc1, "-quiet", "-O2", "-o", "/dev/null", "big.i"], {})
    return loads


def big_c_file(functions=700):
    """About 40,000 lines of C that gives a compiler something to do."""
    lines = ["extern int printf(const char *, ...);", "struct s { int a[16]; struct s *next; double d; };"]
    for n in range(functions):
        lines += [f"static int f{n}(struct s *p, int x)", "{", "    int sum = 0;"]
        for i in range(24):
            lines += [f"    if (p && (x & {1 << (i % 12)})) {{", f"        sum += p->a[{i % 16}] * {n + i};", "    }"]
        lines += ["    for (; p; p = p->next) {", "        p->d += sum;", f"        sum ^= p->a[x & 15] << {n % 7};", "    }"]
        lines += [f"    return sum + {'f%d(p, x - 1)' % (n - 1) if n else 'x'};", "}"]
    return "\n".join(lines + [f"int entry(struct s *p) {{ return f{functions - 1}(p, 3); }}", ""])


def run(argv, work, env):
    """Wall and CPU seconds of ARGV and all it started. (With a time-out subprocess polls, up to 50 ms late.)"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    subprocess.run(argv, cwd=work, env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def medians(rows, which):
    return statistics.median(row[which] for row in rows)


def compare(name, argv, env, tools, work, pairs):
    results = {tool: [] for tool in ["native", *tools]}
    program = []
    for _ in range(pairs):
        results["native"].append(run(argv, work, env))
        for tool, prefix in tools.items():
            results[tool].append(run([*prefix, *argv], work, env))
        duration = json.loads((work / "s.json").read_text())["meta"]["duration_sec"]
        program.append(duration / results["native"][-1][0])
    native_wall, native_cpu = medians(results["native"], 0), medians(results["native"], 1)
    cells = [f"{name:8} native {native_wall:6.3f} s"]
    for tool in tools:
        wall = statistics.median(t[0] / n[0] for t, n in zip(results[tool], results["native"]))
        cpu = medians(results[tool], 1) / native_cpu
        cells.append(f"{tool} wall {wall:5.2f} x cpu {cpu:5.2f} x")
    must, goal = BOUNDS[name]
    print("  ".join(cells), flush=True)
    print(f"{'':8} program {row(program, must)} (must {must}, goal {goal})")
    if "heaptrack" in tools:
        added = [[t[1] - n[1] for t, n in zip(results[tool], results["native"])] for tool in ("rustscope", "heaptrack")]
        print(f"{'':8} added CPU over heaptrack's {row([ours / peer for ours, peer in zip(*added)], ADDED)} (must {ADDED:.2f})")


def start_up(rustscope, work, pairs):
    argv = ["/usr/bin/python3", "-c", "pass"]
    without = [*rustscope[:-1], "--no-alloc", "--"]
    program, whole = [], []
    for _ in range(max(pairs, 15)):
        wall = {}
        for name, prefix in (("with", rustscope), ("without", without)):
            seconds = run([*prefix, *argv], work, {})[0]
            wall[name] = (json.loads((work / "s.json").read_text())["meta"]["duration_sec"], seconds)
        program.append(1e3 * (wall["with"][0] - wall["without"][0]))
        whole.append(1e3 * (wall["with"][1] - wall["without"][1]))
    print(f"python3 -c pass: ms more with allocations than without: the program {row(program, 10)} (must 10), with symbols "
          f"and JSON {statistics.median(whole):.1f}")


def idle(shim, work, pairs):
    source = work / "idle.c"
    source.write_text(
        "#include <stdio.h>\n#include <stdlib.h>\n#include <time.h>\n"
        "int main(void) { struct timespec a, b; double best = 1e9;\n"
        "for (int r = 0; r < 40; r++) { clock_gettime(CLOCK_MONOTONIC, &a);\n"
        "for (int i = 0; i < 100000; i++) { void *volatile p = malloc(48); free(p); }\n"
        "clock_gettime(CLOCK_MONOTONIC, &b);\n"
        "double ns = ((b.tv_sec - a.tv_sec) * 1e9 + b.tv_nsec - a.tv_nsec) / 100000; if (ns < best) best = ns; }\n"
        'printf("%f\\n", best); }\n'
    )
    subprocess.run(["gcc", "-O2", "-o", "idle", str(source)], check=True, cwd=work)

    def best(env):
        return float(subprocess.run(["./idle"], cwd=work, env={**os.environ, **env}, capture_output=True).stdout)

    rows = [(best({}), best({"LD_PRELOAD": shim})) for _ in range(max(pairs, 5))]
    without, with_ = min(r[0] for r in rows), min(r[1] for r in rows)
    print(f"idle shim: {without:.2f} -> {with_:.2f} ns a pair, {(with_ - without) / 2:.2f} ns a call (must 0.5)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=str(ROOT / "build" / "release"))
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--workloads", type=lambda folder: pathlib.Path(folder).resolve())
    options = parser.parse_args()
    rustscope = [str(pathlib.Path(options.build).resolve() / "bin" / "rustscope"), "--no-stacks", "-q", "-o", "s.json", "--"]
    shim = str(pathlib.Path(options.build).resolve() / "lib" / "librustscope_shim.so")
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        tools = {"rustscope": rustscope}
        if shutil.which("heaptrack"):
            tools = {"heaptrack": ["heaptrack", "-o", "ht"], **tools}
        else:
            print("heaptrack is not installed: no peer")
        for name, (argv, env) in build_workloads(work, options.workloads).items():
            if options.only and name not in options.only.split(","):
                continue
            # heaptrack's interpreter takes 18 GB on a compiler.
            here = {k: v for k, v in tools.items() if not (k == "heaptrack" and name == "cc1")}
            compare(name, argv, env, here, work, options.pairs)
            session = json.loads((work / "s.json").read_text())
            summary, diagnostics = session["summary"], session["diagnostics"]
            print(f"{'':8} {summary['total_allocations']} allocations, {summary['total_alloc_bytes']} bytes, leaked "
                  f"{summary['leaked_bytes']}, dropped {diagnostics['events_dropped']}")
        if not options.only:
            start_up(rustscope, work, options.pairs)
            idle(shim, work, options.pairs)


if __name__ == "__main__":
    main()
