"""What the Rust crate costs: a scope, a wrapped poll and a counted allocation, beside two readings of the clock.

    bench/rust.py [--processes N]

Each process measures everything; a row is the median over processes with a bootstrap 95 % interval, and fails when the
whole interval is beyond the bound.
"""

import argparse
import json
import pathlib
import subprocess
import sys

from judging import row, verdict

RUST = pathlib.Path(__file__).resolve().parents[1] / "rust"

# name, value of one process, bound (None: told only)
ROWS = [
    ("scope / two clock readings", lambda r: r["scope"] / r["clock"], 1.5),
    ("(wrapped poll - plain poll) / two clock readings", lambda r: (r["poll"] - r["plain_poll"]) / r["clock"], 1.25),
    ("TrackingAllocator, ns a pair", lambda r: r["pair"] - r["plain_pair"], 3.0),
    ("scope while paused, ns", lambda r: r["paused"], 2.0),
    ("two clock readings, ns", lambda r: r["clock"], None),
    ("scope, ns", lambda r: r["scope"], None),
]


def program():
    """The built benchmark's path, as cargo tells it."""
    done = subprocess.run(
        ["cargo", "bench", "--offline", "-p", "rustscope", "--bench", "cost", "--no-run", "--message-format=json"],
        cwd=RUST, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "cost":
            return message["executable"]
    raise SystemExit("cargo built no benchmark `cost`")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=20)
    options = parser.parse_args()
    built = program()
    runs = [json.loads(subprocess.check_output([built])) for _ in range(options.processes)]
    failed = False
    for name, value, bound in ROWS:
        values = [value(run) for run in runs]
        failed |= bound is not None and verdict(values, bound) == "FAILED"
        print(f"{name:52} {row(values, bound)}" + (f" (bound {bound:g})" if bound is not None else ""))
    return failed


if __name__ == "__main__":
    sys.exit(main())
