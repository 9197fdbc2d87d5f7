#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Unwinding beside the peers, in one run: ns per frame, warm, and the ratios that the project promises.

    bench/unwind.py [--pairs N]

Each figure is the median of N interleaved runs (15). libunwind gets a binary of its own: linking it replaces
backtrace(). Methods that the machine lacks are skipped and said.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CORE = [os.path.join(ROOT, "src/core", name + ".c") for name in ("cfi", "cfi_expr", "unwind", "unwind_elf_linux", "unwind_linux")]
# method -> flavour of the binary that has it
METHODS = {"live": "plain", "snapshot": "plain", "cold": "plain", "backtrace": "plain", "libgcc": "plain",
           "libunwind": "libunwind", "libunwind_steps": "libunwind", "libdw": "libdw"}
FLAVOURS = {"plain": [], "libunwind": ["-DWITH_LIBUNWIND", "-lunwind"], "libdw": ["-DWITH_LIBDW", "-ldw"]}


def build(folder, flavour):
    binary = os.path.join(folder, flavour)
    command = ["cc", "-O2", "-g", "-D_GNU_SOURCE", "-fomit-frame-pointer", "-fno-optimize-sibling-calls",
               "-fno-stack-protector", "-I", os.path.join(ROOT, "src"),
               os.path.join(ROOT, "bench/unwind_bench.c")] + CORE + ["-o", binary] + FLAVOURS[flavour]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        print(f"{flavour}: skipped, does not build here: {result.stderr.splitlines()[0] if result.stderr else ''}")
        return None
    return binary


def run(binary, method, depth):
    out = subprocess.run([binary, method, str(depth)], capture_output=True, text=True, check=True, timeout=60).stdout
    ns, frames = out.split()
    return float(ns), int(frames)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=15)
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as folder:
        binaries = {flavour: build(folder, flavour) for flavour in FLAVOURS}
        methods = [m for m in METHODS if binaries[METHODS[m]]]
        failed = False
        for depth in (12, 30):
            ns = {m: [] for m in methods}
            frames = {}
            for _ in range(pairs):
                for method in methods:
                    value, frames[method] = run(binaries[METHODS[method]], method, depth)
                    ns[method].append(value)
            median = {m: statistics.median(v) for m, v in ns.items()}
            print(f"{depth} calls deep")
            for m in methods:
                ratios = sorted(a / b for a, b in zip(ns[m], ns["snapshot"]))
                print(f"  {m:16} {median[m]:8.1f} ns/frame ({min(ns[m]):.1f} - {max(ns[m]):.1f}), {frames[m]} frames, "
                      f"{statistics.median(ratios):6.2f} x our snapshot")
            failed |= report("snapshot, ns a frame", median["snapshot"], 15, below=True)
            if "libdw" in median:
                failed |= report("libdw's CFI / our snapshot", median["libdw"] / median["snapshot"], 4, below=False)
    return 1 if failed else 0


def report(what, value, bound, below):
    good = value <= bound if below else value >= bound
    print(f"  {'ok  ' if good else 'FAIL'} {what}: {value:.1f} (must be {'<=' if below else '>='} {bound})")
    return not good


if __name__ == "__main__":
    sys.exit(main())
