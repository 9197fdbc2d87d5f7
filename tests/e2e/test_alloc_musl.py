"""musl programs carry the same shim: what it needs of libc is what both have. Their libc has no unwind information."""

import pathlib
import shutil
import subprocess

import pytest

from allocs import Allocs
from conftest import load_session

TARGETS = pathlib.Path(__file__).resolve().parents[1] / "targets"
PLAIN = ["--no-stacks", "-q"]
# Alpine's gcc has the header of .eh_frame by default; Debian's musl-gcc leaves it out.
FLAGS = ["-O2", "-g", "-fno-optimize-sibling-calls", "-D_GNU_SOURCE", "-Wl,--eh-frame-hdr"]


@pytest.fixture(scope="module")
def musl(tmp_path_factory):
    """musl("ends") is the path of tgt_alloc_ends built with musl-gcc."""
    if not shutil.which("musl-gcc"):
        pytest.skip("musl-gcc is not installed (apt install musl-tools)")
    folder = tmp_path_factory.mktemp("musl")

    def build(name):
        path = folder / name
        if not path.exists():
            source = str(TARGETS / f"tgt_alloc_{name}.c")
            subprocess.run(["musl-gcc", *FLAGS, "-o", str(path), source], check=True)
        return str(path)

    return build


@pytest.mark.parametrize(
    "end, status",
    [("return", 7), ("_exit", 7), ("quick_exit", 7), ("abort", 134), ("sigkill", 137), ("sigsegv", 139)],
)
def test_a_musl_program_is_counted_exactly(record, musl, end, status):
    recording = record(PLAIN, [musl("ends"), end])
    assert recording.returncode == status
    found = Allocs(recording.session)
    assert (found.of("hot"), found.of("hot", "leaked_count"), found.of("leak", "leaked_bytes")) == (1000, 0, 3072)
    (leak,) = recording.session["leaks"]
    assert found.path_of(leak["node"])[:2] == ["leak", "main"]
    # What lies outward is musl's own startup, as a module of its own.
    outward = found.path_of(leak["node"])[2:]
    assert outward[-1] == "[truncated]"
    strings, modules = recording.session["strings"], recording.session["modules"]
    names = {strings[name] for name in modules["path"]}
    assert any("musl" in name or name.endswith("libc.so") for name in names), names


def test_threads_of_a_musl_program(record, musl):
    found = Allocs(record(PLAIN, [musl("threads"), "50", "2000"]).session)
    assert (found.of("pair"), found.of("pair", "leaked_count")) == (100000, 0)
    found = Allocs(record(PLAIN, [musl("pass"), "4", "20000"]).session)
    assert found.session["summary"]["total_allocations"] == 80000
    assert found.session["summary"]["leaked_bytes"] == 0


@pytest.mark.parametrize("how", ["fork", "vfork", "spawn", "system", "nested", "busy"])
def test_children_of_a_musl_program(record, musl, how):
    recording = record(PLAIN, [musl("children"), how])
    assert recording.returncode == 0
    found = Allocs(recording.session)
    forks = {"nested": 2, "busy": 40}.get(how, 1)
    assert (found.under("parent_work"), found.under("child_work")) == (1000, 300 * forks)


def test_a_musl_child_of_another_program_starts(record, musl):
    """A name of glibc's that musl lacks, needed by the shim, would keep musl's loader from starting the child."""
    recording = record(["-q"], ["/bin/sh", "-c", f"{musl('ends')} return; echo $?"])
    assert (recording.returncode, recording.stdout) == (0, b"7\n")
    (child,) = Allocs(recording.session).processes("return")
    assert child["allocations"] == 1003


def test_the_timer_samples_a_musl_program(rustscope, musl, target, tmp_path):
    """Where perf_event_open is refused, the shim's timer takes the stacks: in a musl program as well."""
    path = tmp_path / "timer.json"
    argv = [target("deny_perf"), "EACCES", rustscope, "--no-tui", "-q", "-o", str(path), "--"]
    ended = subprocess.run([*argv, musl("pass"), "2", "2000000"], capture_output=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, b"")
    found = Allocs(load_session(path))
    assert found.session["diagnostics"]["stack_backend"] == "timer"
    assert found.session["diagnostics"]["stack_samples"] > 5
    # A walk that a sample interrupts in the midst of making a node may go without a stack; it counts all the same.
    assert found.session["summary"]["total_allocations"] >= 4000000
    assert found.of("make") > 3990000
