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


SIZED = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *volatile kept;

__attribute__((noinline)) static void hot(void (*by_size)(void *, size_t), void (*by_alignment)(void *, size_t, size_t))
{
    for (int i = 0; i < 100; i++) {
        by_size(malloc(100), 100);
        by_size(calloc(10, 10), 100);
        by_size(NULL, 0);
        by_alignment(aligned_alloc(64, 128), 64, 128);
        by_alignment(NULL, 64, 128);
    }
    kept = malloc(7);
}

int main(void)
{
    void (*by_size)(void *, size_t) = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
    void (*by_alignment)(void *, size_t, size_t) = (void (*)(void *, size_t, size_t))dlsym(RTLD_DEFAULT, "free_aligned_sized");

    if (!by_size || !by_alignment)
        return 3;
    hot(by_size, by_alignment);
    return 0;
}
"""


def test_sized_frees_of_c23_free(allocs, tmp_path):
    """Newer than this C library: whoever looks for them finds the shim's, which pass on to free()."""
    (tmp_path / "sized.c").write_text(SIZED)
    subprocess.run(["gcc", "-O1", "-g", "-o", tmp_path / "sized", tmp_path / "sized.c", "-ldl"], check=True)
    found, recording = allocs([str(tmp_path / "sized")])
    assert recording.returncode == 0
    assert (found.of("hot"), found.of("hot", "bytes"), found.of("hot", "leaked_count")) == (301, 32807, 1)
    assert recording.session["diagnostics"]["unknown_frees"] == 0


def test_names_of_many_thousand_characters_are_read_and_cut_nowhere_badly(allocs, tmp_path):
    """Template-heavy C++ makes such symbols; here they come from C, and from C++ mangled."""
    long_c = "long_" + "x" * 9000
    source = (
        "#include <cstdlib>\n#include <utility>\nstatic void *volatile kept;\n"
        "template <int... N> struct Pack {};\n"
        "template <class T> __attribute__((noinline)) void made() { kept = malloc(10); asm volatile(\"\"); }\n"
        "template <int... N> __attribute__((noinline)) void many(std::integer_sequence<int, N...>) { made<Pack<N...>>(); asm volatile(\"\"); }\n"
        f'extern "C" __attribute__((noinline)) void {long_c}() {{ kept = malloc(20); many(std::make_integer_sequence<int, 900>()); asm volatile(""); }}\n'
        f"int main() {{ {long_c}(); return 0; }}\n"
    )
    (tmp_path / "long.cpp").write_text(source)
    subprocess.run(["g++", "-O1", "-g", "-o", tmp_path / "long", tmp_path / "long.cpp"], check=True)
    found, recording = allocs([str(tmp_path / "long")])
    assert recording.returncode == 0
    names = {name for name in recording.session["strings"] if len(name) > 300}
    assert any(name.startswith("long_xxx") for name in names), [n[:40] for n in names]
    assert any(name.startswith("void made<Pack<0, 1, 2") or name.startswith("made<Pack<0, 1, 2") for name in names), [n[:40] for n in names]
    (leaf,) = [n for n in recording.session["leaks"] if n["bytes"] == 10]
    path = found.path_of(leaf["node"])
    assert path[0].lstrip("void ").startswith("made<Pack<") and path[2].startswith("long_xxx") and path[3] == "main"


def test_what_is_held_for_longer_than_a_tick_is_the_peak(record, target):
    """A tick is 10 ms; one that rustscope got no processor in is longer, so the middle of five counts."""
    peaks = []
    for _ in range(5):
        session = record(["--no-tui", "-q", "--no-stacks"], [target("alloc_peak"), "12"]).session
        peaks.append(session["allocations"]["peak"]["bytes"])
        assert sum(session["allocations"]["peak_bytes"]) == peaks[-1]
    assert sorted(peaks)[2] == 300010000, peaks
