"""Runs every test of the project and sums them up in one line.

Each stage is a command; stages that cannot run here are skipped with a reason. Called by ./run-tests.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[1]


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.notes = []

    def add(self, passed, failed, skipped):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped

    def fail(self, note):
        self.failed += 1
        self.notes.append(f"failed: {note}")

    def skip(self, note):
        self.skipped += 1
        self.notes.append(f"skipped: {note}")


def run(argv, cwd=ROOT, **kwargs):
    print(f"\n== {' '.join(map(str, argv))}", flush=True)
    return subprocess.run(argv, cwd=cwd, **kwargs).returncode


def junit(path, tally, what, status):
    """Adds what a JUnit file counted; a runner that died without one is a failure."""
    if not path.exists():
        tally.fail(f"{what} wrote no result (exit {status})")
        return
    failed_before = tally.failed
    for suite in ElementTree.parse(path).getroot().iter("testsuite"):
        total, failed = int(suite.get("tests", 0)), int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped = int(suite.get("skipped", 0)) + int(suite.get("disabled", 0))
        tally.add(total - failed - skipped, failed, skipped)
    if status and tally.failed == failed_before:
        tally.fail(f"{what} exited with {status}")


def c_tests(preset, tally, unit_only=False):
    build = ROOT / "build" / preset
    if run(["cmake", "--preset", preset, "-Wno-dev"], stdout=subprocess.DEVNULL) or run(
        ["cmake", "--build", "--preset", preset]
    ):
        tally.fail(f"the {preset} build")
        return
    results = build / "ctest.xml"
    results.unlink(missing_ok=True)
    status = run(
        ["ctest", "--test-dir", str(build), "--output-on-failure", "-j2", "-E", "^e2e$", "--output-junit", str(results)]
    )
    junit(results, tally, f"ctest ({preset})", status)
    if unit_only:
        return
    results = build / "e2e.xml"
    results.unlink(missing_ok=True)
    status = run(
        ["/usr/bin/python3", "-m", "pytest", "-q", "-rs", "--build", str(build), f"--junitxml={results}", "tests/e2e"]
    )
    junit(results, tally, "the end-to-end tests", status)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the release build's tests only")
    options = parser.parse_args()
    tally = Tally()

    os.environ.setdefault("LC_ALL", "C.UTF-8")
    if shutil.which("apt-get"):
        if run(["./bootstrap", "--tests", "--no-demo"]):
            tally.fail("bootstrap")
    c_tests("release", tally)
    if not options.quick:
        c_tests("dev", tally, unit_only=True)

    print()
    for note in tally.notes:
        print(note)
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
