#!/usr/bin/python3
"""What the live screen costs: CPU of rustscope with and without it, and of `top -d 0.1` on the same terminal.

Each run is SECONDS long in a tmux window of 100x30, over a program that prints ten lines a second and keeps one core a
fifth busy. Prints medians of interleaved rounds. The promise: the screen costs less than 1 % of a core at 10 frames a
second.

    bench/tui_cpu.py [--build build/release] [--rounds 15] [--seconds 10]
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from tmux import Tmux  # noqa: E402

PROGRAM = """import time
while True:
    end = time.monotonic() + 0.02
    while time.monotonic() < end: pass
    print('a line of output', flush=True)
    time.sleep(0.08)
"""


def cpu_seconds(pid):
    """CPU of all threads of PID in seconds, from schedstat (ns)."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9


def find(needle, comm):
    for line in subprocess.run(["pgrep", "-f", needle], capture_output=True, text=True).stdout.split():
        if pathlib.Path(f"/proc/{line}/comm").read_text().strip() == comm:
            return int(line)
    raise SystemExit(f"{comm} did not start")


def measure(command, needle, comm, seconds, cwd, quit_key):
    with Tmux(cwd=cwd) as terminal:
        terminal.line(command)
        time.sleep(1.5)
        pid = find(needle, comm)
        before, start = cpu_seconds(pid), time.monotonic()
        time.sleep(seconds)
        used, span = cpu_seconds(pid) - before, time.monotonic() - start
        terminal.keys(quit_key)
        time.sleep(0.5)
    return 100 * used / span


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=str(ROOT / "build" / "release"))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    rustscope = str(pathlib.Path(options.build).resolve() / "bin" / "rustscope")
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "program.py"
        program.write_text(PROGRAM)
        session = f"{folder}/session.json"
        run = f"{rustscope} -q --no-stacks --no-alloc -o {session}"
        contenders = {
            "rustscope, live screen": (f"{run} -- /usr/bin/python3 {program}", session, "rustscope", "q"),
            "rustscope --no-tui": (f"{run} --no-tui -- /usr/bin/python3 {program}", session, "rustscope", "C-c"),
            "top -d 0.1": ("top -d 0.1 -p 1", "top -d 0.1", "top", "q"),
        }
        results = {name: [] for name in contenders}
        for _ in range(options.rounds):
            for name, (command, needle, comm, key) in contenders.items():
                results[name].append(measure(command, needle, comm, options.seconds, folder, key))
    for name, values in results.items():
        print(f"{name:24} {statistics.median(values):5.2f} % of a core   ({min(values):.2f} to {max(values):.2f})")
    pairs = [a - b for a, b in zip(results["rustscope, live screen"], results["rustscope --no-tui"])]
    print(f"{'the live screen costs':24} {statistics.median(pairs):5.2f} % of a core   (bound: 1 %)")


if __name__ == "__main__":
    main()
