"""Runs every test of the project and sums them up in one line.

Each stage is a command; stages that cannot run here are skipped with a reason. Called by ./run-tests.
"""

import argparse
import os
import pathlib
import re
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


def run_twice(tally, what, argv, again, results):
    """What fails on a machine that was busy gets a second try (AGAIN), and that is said. RESULTS(name): a JUnit file."""
    tries = []
    for name, more in (("first", []), ("again", again)):
        path = results(name)
        path.unlink(missing_ok=True)
        status = run([*argv(path), *more])
        counted = Tally()
        junit(path, counted, what, status)
        tries.append(counted)
        if not status:
            break
    first, last = tries[0], tries[-1]
    recovered = first.failed - last.failed if len(tries) == 2 and first.failed >= last.failed else 0
    tally.add(first.passed + recovered, first.failed - recovered, first.skipped)
    tally.notes += last.notes
    if recovered:
        tally.notes.append(f"{recovered} of {what} passed only at the second try")


def ctest_twice(build, name, tally):
    ctest = ["ctest", "--test-dir", str(build), "--output-on-failure", "-j2", "-E", "^e2e$"]
    run_twice(tally, f"ctest ({name})", lambda path: [*ctest, "--output-junit", str(path)], ["--rerun-failed"],
              lambda which: build / f"ctest-{which}.xml")  # fmt: skip


def c_tests(preset, tally, unit_only=False):
    build = ROOT / "build" / preset
    if run(["cmake", "--preset", preset, "-Wno-dev", "-DRUSTSCOPE_TESTS=ON"], stdout=subprocess.DEVNULL) or run(
        ["cmake", "--build", "--preset", preset]
    ):
        tally.fail(f"the {preset} build")
        return
    ctest_twice(build, preset, tally)
    if not unit_only:
        e2e_tests(build, tally)


def none_build(tally):
    """What needs no system builds without one: the command links, its portable suites pass, recording is refused."""
    build = ROOT / "build" / "none"
    configure = ["cmake", "-G", "Ninja", "-B", str(build), "-Wno-dev", "-DRUSTSCOPE_PLATFORM=none", "-DRUSTSCOPE_TESTS=ON",
                 "-DRUSTSCOPE_WERROR=ON"]  # fmt: skip
    if run(configure, stdout=subprocess.DEVNULL) or run(["cmake", "--build", str(build)]):
        tally.fail("the build for no platform")
        return
    ctest_twice(build, "none", tally)
    refused = subprocess.run([build / "bin" / "rustscope", "--", "true"], capture_output=True, text=True)
    if (refused.returncode, refused.stderr) != (125, "rustscope: recording is not supported on this system\n"):
        tally.fail(f"rustscope without a platform says {refused.stderr!r} and exits with {refused.returncode}")
    else:
        tally.add(1, 0, 0)


def e2e_tests(build, tally):
    """Real programs in real time."""
    pytest = ["/usr/bin/python3", "-m", "pytest", "-q", "-rs", f"--build={build}", "tests/e2e"]
    run_twice(tally, "the end-to-end tests", lambda path: [*pytest, f"--junitxml={path}"],
              ["--last-failed", "--last-failed-no-failures=none"], lambda name: build / f"e2e-{name}.xml")  # fmt: skip


def node_is_new_enough():
    """Next.js needs Node 20.9; Debian 12 has 18."""
    try:
        text = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    return tuple(int(n) for n in text.strip().lstrip("v").split(".")[:2]) >= (20, 9)


def visualizer_tests(tally):
    folder = ROOT / "visualizer"
    if not shutil.which("npm"):
        tally.skip("the visualizer: npm is not installed (apt-get install npm)")
        return
    if not node_is_new_enough():
        # npm carries Node itself: the package `node` holds the binary for this machine.
        tools = ROOT / "build" / "node"
        if run(["npm", "install", "--silent", "--no-save", "--prefix", str(tools), "node@20"]):
            tally.skip("the visualizer: needs Node 20.9 or newer, and npm could not get it")
            return
        os.environ["PATH"] = f"{tools / 'node_modules' / 'node' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    # Not `npm ci`: it refuses a lock file that leaves out optional packages of other platforms, as registries' mirrors make it.
    if run(["npm", "install", "--silent", "--no-save", "--no-audit", "--no-fund"], cwd=folder):
        tally.fail("npm install in visualizer/")
        return
    results = ROOT / "build" / "visualizer-junit"
    shutil.rmtree(results, ignore_errors=True)
    status = run(["npm", "test", "--silent"], cwd=folder, env={**os.environ, "RUSTSCOPE_JUNIT": str(results)})
    counted = sorted(results.glob("*.xml")) if results.exists() else []
    failed_before = tally.failed
    for path in counted:
        junit(path, tally, path.stem, 0)
    if status and tally.failed == failed_before:
        tally.fail(f"npm test in visualizer/ exited with {status}")


def rust_tests(tally):
    folder = ROOT / "rust"
    if not (folder / "Cargo.toml").exists():
        return
    if not shutil.which("cargo"):
        tally.skip("the Rust crates: cargo is not installed")
        return
    argv = ["cargo", "test", "--workspace", "--offline", "--no-fail-fast"]
    print(f"\n== {' '.join(argv)}", flush=True)
    done = subprocess.run(argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout, flush=True)
    counts = re.findall(r"^test result: \S+ (\d+) passed; (\d+) failed; (\d+) ignored", done.stdout, re.MULTILINE)
    failed = sum(int(count[1]) for count in counts)
    tally.add(sum(int(count[0]) for count in counts), failed, sum(int(count[2]) for count in counts))
    if done.returncode and not failed:
        tally.fail(f"cargo test in rust/ exited with {done.returncode}")
    # Off, everything of the crate is still there.
    if run(["cargo", "test", "--offline", "--quiet", "-p", "rustscope", "--no-default-features"], cwd=folder):
        tally.fail("cargo test --no-default-features in rust/")
    else:
        tally.add(1, 0, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the release build's tests only")
    options = parser.parse_args()
    tally = Tally()

    os.environ.setdefault("LC_ALL", "C.UTF-8")
    if shutil.which("apt-get"):
        if run(["./bootstrap", "--tests"]):
            tally.fail("bootstrap")
    c_tests("release", tally)
    if not options.quick:
        c_tests("dev", tally, unit_only=True)
        none_build(tally)
        rust_tests(tally)
        visualizer_tests(tally)

    print()
    for note in tally.notes:
        print(note)
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
