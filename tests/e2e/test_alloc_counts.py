"""Allocations against programs with a known truth: every count here is exact."""

import ctypes.util
import subprocess

import pytest

from allocs import Allocs

PLAIN = ["--no-stacks", "-q"]


@pytest.fixture
def allocs(record):
    """allocs(argv): the session's allocations and the recording."""

    def run(argv, options=(), **kwargs):
        recording = record([*PLAIN, *options], argv, **kwargs)
        assert recording.session is not None, recording.stderr
        return Allocs(recording.session), recording

    return run


@pytest.mark.parametrize(
    "end, status",
    [("return", 7), ("_exit", 7), ("quick_exit", 7), ("abort", 134), ("sigkill", 137), ("sigsegv", 139)],
)
def test_nothing_is_lost_however_the_program_ends(allocs, target, end, status):
    found, recording = allocs([target("alloc_ends"), end])
    assert recording.returncode == status
    summary = recording.session["summary"]
    assert (found.of("hot"), found.of("hot", "bytes"), found.of("hot", "leaked_count")) == (1000, 100000, 0)
    assert (found.of("leak"), found.of("leak", "leaked_bytes")) == (3, 3072)
    assert summary["total_allocations"] == 1003
    assert summary["total_deallocations"] == 1000
    assert summary["leaked_bytes"] == 3072
    leak = recording.session["leaks"][0]
    assert (leak["bytes"], leak["count"]) == (3072, 3)
    assert found.path_of(leak["node"])[:2] == ["leak", "main"]


def test_each_image_of_an_exec_chain_is_a_process_of_its_own(allocs, target):
    found, recording = allocs([target("alloc_ends"), "exec", "exec", "_exit"])
    assert recording.returncode == 7
    images = [p for p in recording.session["processes"] if p["shim"]["status"] == "loaded"]
    assert [p["image"] for p in images] == [0, 1, 2]
    assert len({p["pid"] for p in images}) == 1
    assert [p["allocations"] for p in images] == [1003] * 3
    assert [p["leaked_bytes"] for p in images] == [3072] * 3
    assert found.of("hot") == 3000


@pytest.mark.parametrize("threads, pairs, at_once", [(200, 10000, 200), (600, 100, 20)])
def test_threads_are_counted_exactly(allocs, target, threads, pairs, at_once):
    found, recording = allocs([target("alloc_threads"), str(threads), str(pairs), str(at_once)])
    assert recording.returncode == 0
    assert found.of("pair") == threads * pairs
    assert found.of("pair", "leaked_count") == 0
    assert recording.session["diagnostics"]["events_dropped"] == 0


@pytest.mark.parametrize("threads, rounds", [(8, 30000), (0, 60000)])
def test_blocks_passed_between_threads_leave_no_false_leak(allocs, target, threads, rounds):
    found, recording = allocs([target("alloc_pass"), str(threads), str(rounds)])
    assert recording.returncode == 0
    assert found.of("make") == max(threads, 1) * rounds
    assert found.of("make", "leaked_count") == 0
    assert recording.session["diagnostics"]["unknown_frees"] == 0
    assert min(v for v in recording.session["timeline"]["heap_mb"] if v is not None) >= 0


def test_every_allocator_function_answers_as_without_us(allocs, target, build):
    plain = subprocess.run([target("alloc_family")], capture_output=True, text=True, timeout=20)
    found, recording = allocs([target("alloc_family")])
    assert recording.stdout.decode() == plain.stdout
    # malloc(0), calloc x 2, realloc x 3, reallocarray, posix_memalign, aligned_alloc, memalign, valloc, pvalloc
    assert found.of("main") == 12
    assert found.of("main", "bytes") == 0 + 15 + 0 + 10 + 100000 + 10 + 100 + 100 + 512 + 300001 + 10 + 10
    assert found.of("main", "leaked_bytes") == 0
    idle = subprocess.run(
        [target("alloc_family")],
        capture_output=True,
        text=True,
        timeout=20,
        env={"LD_PRELOAD": str(build / "lib" / "librustscope_shim.so")},
    )
    assert (idle.stdout, idle.stderr) == (plain.stdout, plain.stderr)


def test_temporary_and_sizes(allocs, target):
    found, recording = allocs([target("alloc_rude")])
    assert found.of("work", "temporary") == 2000
    # before_main() and after_main() have one pair each.
    assert recording.session["summary"]["temporary_allocations"] == 2002
    assert recording.session["allocations"]["by_size"]["0-64B"] == 2002


def test_what_a_program_maps_itself_is_told_apart(allocs, target):
    found, recording = allocs([target("alloc_outside")])
    assert recording.returncode == 0
    mib = 1 << 20
    assert recording.session["allocations"]["outside"] == {"peak_bytes": 17 * mib, "left_bytes": 5 * mib}
    assert recording.session["processes"][0]["outside_peak_mb"] == pytest.approx(17 * mib / 1e6, abs=0.01)
    assert (found.of("take"), found.of("take", "bytes")) == (10000, 40000000)


def test_the_arenas_of_another_allocator_are_not_outside_malloc(allocs, target):
    jemalloc = ctypes.util.find_library("jemalloc")
    if not jemalloc:
        pytest.skip("no libjemalloc")
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "LD_PRELOAD": jemalloc}
    found, recording = allocs([target("alloc_outside")], env=env)
    assert (found.of("take"), found.of("take", "bytes")) == (10000, 40000000)
    # What jemalloc maps before its first malloc has been asked for is not yet known to be its own.
    assert recording.session["allocations"]["outside"]["peak_bytes"] < (17 + 4) << 20


def test_without_allocations_the_shim_stays_away(record, target):
    recording = record(["--no-alloc", "--no-stacks", "-q"], [target("alloc_ends")])
    assert recording.session["summary"]["total_allocations"] == 0
    assert recording.session["diagnostics"]["alloc_backend"] == "none"
    assert recording.session["summary"]["heap_source"] == "anon"


def test_the_users_own_preload_stays_in_order(record, tmp_path):
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "LD_PRELOAD": "/nonexistent/one.so /nonexistent/two.so"}
    recording = record(PLAIN, ["/usr/bin/env"], env=env)
    preload = [line for line in recording.stdout.decode().splitlines() if line.startswith("LD_PRELOAD=")]
    assert len(preload) == 1
    assert preload[0].endswith("librustscope_shim.so:/nonexistent/one.so /nonexistent/two.so")


def test_peak_is_held_by_the_stacks_that_made_it(allocs, target):
    found, recording = allocs([target("alloc_ends")])
    peak = recording.session["allocations"]["peak"]["bytes"]
    # At the end of a 10 ms tick: between what was leaked and all that ever lived at once.
    assert 3072 <= peak <= 103072
    assert sum(recording.session["allocations"]["peak_bytes"]) == peak
