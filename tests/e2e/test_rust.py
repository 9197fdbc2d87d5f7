"""Rust programs under `rustscope -- cargo …`: the program is profiled, and cargo and rustc are set apart from it."""

import json
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

struct Shelf<T>(Vec<T>);

impl<T: Copy + Into<u64>> Shelf<T> {
    #[profile]
    #[inline(never)]
    fn weigh(&self) -> u64 {
        (0..40_000_000u64).fold(7, |x, _| rustscope::black_box(x.wrapping_mul(self.0[0].into()) ^ 5))
    }
}

trait Sorted {
    fn sorted(&self) -> u64;
}

impl<T: Copy + Into<u64>> Sorted for Shelf<T> {
    #[profile]
    #[inline(never)]
    fn sorted(&self) -> u64 {
        (0..40_000_000u64).fold(9, |x, _| rustscope::black_box(x.wrapping_mul(self.0[0].into()) ^ 3))
    }
}

fn main() {
    rustscope::black_box(Shelf(vec![3u32]).weigh() ^ Shelf(vec![3u8]).sorted());
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


WRITES = r'''
use rustscope::{profile, profile_scope, Snapshot};
use std::time::Duration;

#[profile]
fn recursive(depth: u32) -> u32 {
    profile_scope!("quote \" and \\ and \u{1F980}");
    if depth == 0 { 0 } else { 1 + recursive(depth - 1) }
}

fn main() {
    rustscope::set_session_name("round trip \u{e9}").unwrap();
    rustscope::add_tag("twice").unwrap();
    rustscope::add_tag("twice").unwrap();
    rustscope::set_label("commit", "c0ffee").unwrap();
    rustscope::set_budget("slow", Duration::from_millis(1)).unwrap();
    for _ in 0..5 {
        recursive(3);
    }
    for ms in 1..4 {
        rustscope::profile_block!("slow", std::thread::sleep(Duration::from_millis(ms)));
    }
    for f in Snapshot::take().unwrap().functions() {
        println!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{}",
            f.name, f.calls, f.max_depth, f.total_ns, f.min_ns, f.max_ns, f.budget_violations
        );
    }
    rustscope::write_json(std::env::args().nth(1).unwrap()).unwrap();
}
'''


@pytest.fixture(scope="module")
def crate(tmp_path_factory):
    """A small crate with a program and a benchmark; what it needs is built, the program itself is not."""
    folder = tmp_path_factory.mktemp("spinner")
    (folder / "src").mkdir()
    (folder / "benches").mkdir()
    (folder / "src" / "main.rs").write_text(MAIN)
    (folder / "src" / "bin").mkdir()
    (folder / "src" / "bin" / "writes.rs").write_text(WRITES)
    (folder / "benches" / "all.rs").write_text(BENCH)
    (folder / "Cargo.toml").write_text(
        '[package]\nname = "spinner"\nversion = "0.1.0"\nedition = "2021"\ndefault-run = "spinner"\n[workspace]\n'
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
    # Methods too, of generic types, and of traits: by the names that the compiler gives their symbols.
    for name in ("spinner::Shelf<T>::weigh", "<spinner::Shelf<T> as spinner::Sorted>::sorted"):
        assert (found[name]["calls"], found[name]["source"], found[name]["layer"]) == (1, "both", "user"), name
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


def test_a_snapshot_and_the_json_that_is_written_say_the_same(crate, validator, rustscope, tmp_path):
    out = tmp_path / "out.json"
    command = ["cargo", "run", "--release", "--offline", "--quiet", "--bin", "writes", "--", out]
    ran = subprocess.run(command, cwd=crate, capture_output=True, text=True, env=environment())
    assert ran.returncode == 0, ran.stderr
    session = json.loads(out.read_text())
    validator.validate(session)
    meta = session["meta"]
    assert (meta["name"], meta["tags"], meta["labels"]) == ("round trip \u00e9", ["twice"], {"commit": "c0ffee"})
    # Times differ by what the clock has been calibrated meanwhile.
    scopes = session["scopes"]
    lines = [line.split("\t") for line in ran.stdout.splitlines()]
    assert {line[0] for line in lines} >= {"writes::recursive", 'quote " and \\ and \U0001f980', "slow"}
    for name, calls, depth, total, least, most, over in lines:
        rows = [i for i, n in enumerate(scopes["name"]) if session["strings"][n] == name]
        assert sum(scopes["calls"][i] for i in rows) == int(calls), name
        assert max(scopes["max_depth"][i] for i in rows) == int(depth), name
        assert sum(scopes["budget_violations"][i] for i in rows) == int(over), name
        assert min(scopes["min_ns"][i] for i in rows) == pytest.approx(float(least), rel=1e-4, abs=1.5), name
        assert max(scopes["max_ns"][i] for i in rows) == pytest.approx(float(most), rel=1e-4, abs=1.5), name
        if len(rows) == 1:
            assert scopes["total_ns"][rows[0]] == pytest.approx(float(total), rel=1e-4, abs=1.5), name
    read = subprocess.run([rustscope, "report", out], capture_output=True, text=True, env=environment())
    assert read.returncode == 0, read.stderr
