"""Rust programs under `rustscope -- cargo …`: the program is profiled, and cargo and rustc are set apart from it."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(not shutil.which("cargo"), reason="cargo is not installed")

MAIN = """
use rustscope::{profile, profile_scope, TrackingAllocator};

#[global_allocator]
static ALLOCATOR: TrackingAllocator = TrackingAllocator::system();

#[profile]
#[inline(never)]
pub fn hot(rounds: u64) -> u64 {
    let mut x = 1u64;
    for _ in 0..rounds {
        x = rustscope::black_box(x.wrapping_mul(31).wrapping_add(7));
    }
    x
}

#[inline(never)]
fn allocate() -> Vec<u8> {
    profile_scope!("allocate");
    Vec::with_capacity(100_000)
}

fn main() {
    for _ in 0..4 {
        hot(40_000_000);
        rustscope::black_box(allocate());
    }
}
"""

BENCH = """
use rustscope::benchmark;

#[benchmark]
fn spin() -> u64 {
    (0..rustscope::black_box(1000u64)).fold(1, |x, n| rustscope::black_box(x ^ n))
}

rustscope::benchmark_main!();
"""


@pytest.fixture(scope="module")
def crate(tmp_path_factory):
    """A small crate with a program and a benchmark; what it needs is built, the program itself is not."""
    folder = tmp_path_factory.mktemp("spinner")
    (folder / "src").mkdir()
    (folder / "benches").mkdir()
    (folder / "src" / "main.rs").write_text(MAIN)
    (folder / "benches" / "all.rs").write_text(BENCH)
    (folder / "Cargo.toml").write_text(
        '[package]\nname = "spinner"\nversion = "0.1.0"\nedition = "2021"\n[workspace]\n'
        f'[dependencies]\nrustscope = {{ path = "{ROOT / "rust" / "rustscope"}" }}\n'
        "[profile.release]\ndebug = true\n[profile.bench]\ndebug = true\n"
        '[[bench]]\nname = "all"\nharness = false\n'
    )
    build = subprocess.run(
        ["cargo", "build", "--offline", "--release", "-p", "rustscope"], cwd=folder, capture_output=True, text=True,
        env=environment(),
    )  # fmt: skip
    assert build.returncode == 0, build.stderr
    return folder


def environment():
    return {**{k: v for k, v in os.environ.items() if not k.startswith("RUSTSCOPE")}, "LC_ALL": "C.UTF-8"}


def processes(session):
    return {pathlib.Path(p["exe"] or "").name for p in session["processes"]}


def user_modules(session):
    return {f["module"] for f in session["functions"] if f["layer"] == "user" and f["source"] != "instrumented"}


# Of the user's code nothing may be cargo's, the compiler's, the linker's or a procedural macro's.
TOOLS = re.compile(r"cargo|rustc|rustup|LLVM|gcc|collect2|^cc1?$|^ld|lld|macros")


def test_cargo_run_profiles_the_program_and_sets_cargo_and_rustc_apart(record, crate):
    got = record(["--no-tui"], ["cargo", "run", "--release", "--offline"], cwd=crate, env=environment(), timeout=300)
    assert got.returncode == 0, got.stderr
    session = got.session
    assert {"rustc", "spinner"} <= processes(session)
    found = {f["name"]: f for f in session["functions"]}
    hot = found["spinner::hot"]
    assert hot["calls"] == 4
    assert hot["layer"] == "user"
    assert hot["source"] == "both"
    assert "spinner" in user_modules(session)
    assert not [m for m in user_modules(session) if TOOLS.search(m)]
    # The shim is there, and the TrackingAllocator: nothing counts twice.
    scopes = session["scopes"]
    allocated = {session["strings"][n]: b for n, b in zip(scopes["name"], scopes["alloc_bytes"])}
    assert found["allocate"]["calls"] == 4
    assert allocated["allocate"] == 400_000


def test_cargo_bench_profiles_the_benchmarks(record, crate):
    command = ["cargo", "bench", "--offline", "--bench", "all", "--", "--quick"]
    got = record(["--no-tui"], command, cwd=crate, env=environment(), timeout=300)
    assert got.returncode == 0, got.stderr
    session = got.session
    assert [b["name"] for b in session["benchmarks"]] == ["spin"]
    assert "all" in user_modules(session)
    assert not [m for m in user_modules(session) if TOOLS.search(m)]
