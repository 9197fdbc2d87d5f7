"""Process trees: the figures of a session are those of the tree itself, counted once."""

import json
import os
import subprocess
import time

import pytest

from conftest import load_session

QUIET = ["--no-tui", "--no-stacks", "--no-alloc"]


def own(session):
    """Processes, not their later images, nor the entry of those that nobody saw."""
    return [p for p in session["processes"] if p["pid"] and p["image"] == 0]


def written(session):
    return sum(value or 0 for value in session["timeline"]["write_bytes"])


def has_perf(session):
    return session["diagnostics"]["stack_backend"] == "perf_event"


# -- a tree that measures itself ---------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--no-alloc"], ["--no-stacks"], ["--no-alloc", "--no-stacks"]],
                         ids=["all", "stacks", "shim", "neither"])  # fmt: skip
@pytest.mark.parametrize("seed", [1, 2, 5, 6, 11, 23])
def test_a_random_tree_is_what_it_says_of_itself(record, target, tmp_path, seed, options):
    """
    Bounds: CPU to 2 % and 5 ms, written bytes to 1 %; with perf_event every process is known; with the shim every
    allocation, and libc's own, some 20 a process. Without perf_event a daemon may come and go unseen between two looks:
    then its CPU and its file are missing, and nothing else.
    """
    sums = tmp_path / "sums"
    sums.write_bytes(bytes(4096))
    run = record(["--no-tui", *options], [target("tree"), str(seed), str(sums)], cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    truth, session = json.loads(run.stdout), run.session
    summary = session["summary"]

    assert summary["cpu_ms"] <= truth["cpu_ms"] * 1.02 + 5
    assert written(session) <= truth["write_bytes"] * 1.01 + 50000
    if has_perf(session):
        assert summary["cpu_ms"] >= truth["cpu_ms"] * 0.98 - 5
        assert written(session) >= truth["write_bytes"] * 0.99
        assert len(own(session)) == truth["processes"]
    else:
        assert summary["cpu_ms"] >= (truth["cpu_ms"] - truth["daemons_ms"]) * 0.98 - 5
        assert len(own(session)) <= truth["processes"]
    if "--no-alloc" not in options:
        made = summary["total_allocations"]
        assert truth["allocations"] <= made <= truth["allocations"] + 20 * truth["processes"]
    assert abs(sum(p["cpu_ms"] for p in session["processes"]) - summary["cpu_ms"]) < 0.1
    assert len({(p["pid"], p["image"]) for p in session["processes"]}) == len(session["processes"])


# -- one figure from one definition ------------------------------------------------------------------------------


@pytest.mark.parametrize("ms", [130, 210, 330])
def test_cpu_is_one_figure_in_summary_and_timeline(record, target, ms):
    session = record(QUIET, [target("spin"), str(ms)]).session
    summary, line = session["summary"], session["timeline"]
    assert abs(summary["cpu_avg_pct"] - summary["cpu_ms"] / session["meta"]["duration_sec"] / 10) < 0.5
    # One thread: no point of the timeline, the short last one neither, says more than its core can give.
    assert max(line["cpu_pct"]) <= 110, line["cpu_pct"]
    # Each point times its length, and the last one is as long as the run goes.
    interval, left, total = line["interval_ms"], session["meta"]["duration_sec"] * 1e3, 0
    for value in line["cpu_pct"]:
        total += (value or 0) / 100 * min(interval, left)
        left -= interval
    assert abs(total - summary["cpu_ms"]) < 0.05 * summary["cpu_ms"] + 3


# -- attaching ---------------------------------------------------------------------------------------------------


def test_what_was_used_before_attaching_is_in_no_counter(rustscope, target, tmp_path):
    """A child, and a child of its, burned CPU and wrote before we attach, and are reaped while we watch."""
    inner = f"{target('spin')} 700; dd if=/dev/zero of=before bs=1M count=40 2>/dev/null; sleep 2.5"
    program = subprocess.Popen(["sh", "-c", f"sh -c '{inner}' & wait; sleep 3"], cwd=tmp_path)
    try:
        time.sleep(2)
        subprocess.run([rustscope, "-q", *QUIET, "-d", "2.5", "-o", "s.json", "--pid", str(program.pid)],
                       cwd=tmp_path, check=True, timeout=30)  # fmt: skip
    finally:
        program.kill()
        program.wait()
    session = load_session(tmp_path / "s.json")
    assert session["summary"]["cpu_ms"] < 100
    assert not [e for e in session["memory_events"] if e["type"] == "cpu_spike"]
    assert written(session) < 5e6
    assert sum(sample["context_switches"] or 0 for sample in session["samples"]) < 200
    assert sum(t["cpu_ms"] for t in session["threads"]) < 100


# -- who is who --------------------------------------------------------------------------------------------------


def test_a_process_that_outlives_its_parent_is_one_entry(record, target):
    for options in ([], ["--no-stacks"]):
        session = record(["--no-tui", *options], [target("children"), "orphan"]).session
        assert len(session["processes"]) == 2
        assert [p["parent"] for p in session["processes"]] == [-1, 0]


CHAINS = {
    "env": ["env"],
    "nice": ["nice"],
    "shell": ["sh", "-c", 'exec "$0" "$@"'],
    "twice": ["env", "nice"],
    "four": ["sh", "-c", 'exec env nice "$0" "$@"'],
}


@pytest.mark.parametrize("options", [[], ["--no-stacks"]], ids=["all", "shim"])
@pytest.mark.parametrize("chain", CHAINS)
def test_a_program_that_others_exec_at_once_has_its_own_figures(record, target, chain, options):
    """Execs within a millisecond: every image says hello, and no look sees but the last."""
    command = [*CHAINS[chain], target("grow"), "malloc"]
    session = record(["--no-tui", *options], command).session
    images = sorted(session["processes"], key=lambda p: p["image"])
    assert [p["image"] for p in images] == list(range(len(images)))
    assert len(images) == 1 + sum(word in ("env", "nice", "sh") for word in " ".join(CHAINS[chain]).split())
    program = images[-1]
    assert program["exe"] == target("grow") and program["argv"] == command[-2:]
    assert program["heap_peak_mb"] >= 10 and program["anon_peak_mb"] >= 10
    for other in images[:-1]:
        assert other["exe"] != program["exe"] and other["heap_peak_mb"] < 1
    assert not [w for w in session["diagnostics"]["warnings"] if "through malloc" in w]


# -- daemons -----------------------------------------------------------------------------------------------------

EYES = {"all": [], "shim": ["--no-stacks"], "stacks": ["--no-alloc"], "neither": ["--no-stacks", "--no-alloc"]}


@pytest.mark.parametrize("eyes", EYES)
def test_a_daemon_that_forked_away_at_once_is_said(record, target, eyes):
    run = record(["--no-tui", *EYES[eyes]], [target("children"), "daemon", "1500"])
    assert run.returncode == 3
    assert run.session["meta"]["duration_sec"] < 1
    said = [w for w in run.session["diagnostics"]["warnings"] if "still ran when it ended" in w]
    assert len(said) == 1 and "--wait-all" in said[0]


@pytest.mark.parametrize("eyes", EYES)
def test_wait_all_records_until_the_last_daemon_has_ended(record, target, eyes):
    run = record(["--no-tui", "--wait-all", *EYES[eyes]], [target("children"), "daemon", "600"])
    session = run.session
    assert run.returncode == 3
    assert session["meta"]["stop_reason"] == "exit" and session["meta"]["exit_code"] == 3
    assert session["meta"]["duration_sec"] >= 0.6
    assert 590 < session["summary"]["cpu_ms"] < 700
    assert not [w for w in session["diagnostics"]["warnings"] if "still ran" in w]
    if "--no-alloc" not in EYES[eyes]:
        assert session["summary"]["total_allocations"] >= 60
    # The program's own end is what it was.
    assert session["processes"][0]["end_ts"] < session["meta"]["end_ts"] - 400


@pytest.mark.parametrize("how", ["signal", "duration"])
def test_the_end_of_a_wait_leaves_the_daemon_running(rustscope, target, tmp_path, how):
    options = ["-d", "0.7"] if how == "duration" else []
    run = subprocess.Popen([rustscope, "-q", *QUIET, "--wait-all", *options, "-o", "s.json", "--",
                            target("children"), "daemon", "1500"], cwd=tmp_path)  # fmt: skip
    if how == "signal":
        time.sleep(0.7)
        run.terminate()
    assert run.wait(timeout=20) == 3
    session = load_session(tmp_path / "s.json")
    assert session["meta"]["duration_sec"] < 1.4
    assert [w for w in session["diagnostics"]["warnings"] if "still ran when the recording ended" in w]


def test_wait_all_ends_with_a_program_that_leaves_nobody(record):
    run = record([*QUIET, "--wait-all"], ["sh", "-c", "true & wait; exit 4"])
    assert run.returncode == 4 and run.session["meta"]["duration_sec"] < 2


@pytest.mark.parametrize("options", [["--pid", "1"], ["--no-follow", "--", "true"]])
def test_wait_all_refuses_what_it_cannot_wait_for(rustscope, tmp_path, options):
    run = subprocess.run([rustscope, "--wait-all", *options], capture_output=True, cwd=tmp_path, timeout=20)
    assert run.returncode == 2
    assert run.stderr.count(b"\n") == 1 and b"--wait-all" in run.stderr


# -- a clock that is not the kernel's -----------------------------------------------------------------------------

SHIFTED = """
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *ts)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, ts);

    ts->tv_sec -= 200000000;
    return rc;
}
"""


def test_a_changed_clock_is_refused_for_us_and_fine_for_the_program(rustscope, target, tmp_path):
    """As faketime does it, by a preloaded library: in front of rustscope, and behind it."""
    (tmp_path / "shifted.c").write_text(SHIFTED)
    library = str(tmp_path / "shifted.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, str(tmp_path / "shifted.c")], check=True)
    argv = [rustscope, "-q", "--no-tui", "-o", "s.json", "--"]
    run = subprocess.run([*argv, target("spin"), "300"], env={**os.environ, "LD_PRELOAD": library},
                         cwd=tmp_path, capture_output=True, timeout=20)  # fmt: skip
    assert run.returncode == 125
    assert run.stderr.count(b"\n") == 1 and b"clock" in run.stderr and b"rustscope -- faketime" in run.stderr
    assert not (tmp_path / "s.json").exists()

    counting = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"
    run = subprocess.run([*argv, "env", f"LD_PRELOAD={library}", "sh", "-c", counting], cwd=tmp_path, timeout=60)
    assert run.returncode == 0
    session = load_session(tmp_path / "s.json")
    assert 20 < session["summary"]["cpu_ms"] <= session["meta"]["duration_sec"] * 1.1e3 + 20
    assert session["meta"]["duration_sec"] < 30
