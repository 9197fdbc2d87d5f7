"""Children of every kind: each is a process of its own with exact counts, and nobody's counts are in another's."""

import pytest

from allocs import Allocs

PLAIN = ["--no-stacks", "-q"]


def run(record, target, how, *options):
    recording = record([*PLAIN, *options], [target("alloc_children"), how])
    assert recording.returncode == 0
    return Allocs(recording.session), recording.session


def check(process, allocations, leaked):
    assert process["shim"] == {"status": "loaded", "reason": ""}
    assert (process["allocations"], process["leaked_allocations"]) == (allocations, leaked)


@pytest.mark.parametrize("how", ["vfork", "spawn", "system", "popen", "clone"])
def test_a_child_of_another_image(record, target, how):
    found, session = run(record, target, how)
    check(session["processes"][0], session["processes"][0]["allocations"], 0) # popen() allocates, too
    (child,) = found.processes("work")
    check(child, 300, 10)
    assert child["pid"] != session["processes"][0]["pid"]
    assert found.of("parent_work") == 1000 and found.of("child_work") == 300


def test_a_forked_child_starts_empty(record, target):
    found, session = run(record, target, "fork")
    parent, child = found.processes("fork")
    check(parent, 1001, 0)
    check(child, 300, 10)
    assert session["diagnostics"]["inherited_frees"] == 1
    assert session["diagnostics"]["unknown_frees"] == 0


def test_forks_of_forks(record, target):
    found, _ = run(record, target, "nested")
    parent, child, grandchild = found.processes("nested")
    check(parent, 1000, 0)
    check(child, 300, 10)
    check(grandchild, 300, 10)
    assert found.of("child_work") == 600


def test_an_exec_from_a_thread_is_the_same_process(record, target):
    """The kernel gives the new image the pid of the leader, whose thread is gone."""
    found, session = run(record, target, "thread_exec")
    before, after = session["processes"]
    assert before["shim"]["status"] == "loaded"
    check(after, 300, 10)
    assert before["pid"] == after["pid"] and (before["image"], after["image"]) == (0, 1)
    assert found.of("parent_work") == 500


def test_forks_from_the_midst_of_other_threads_allocations(record, target):
    """Whatever the other threads held at the fork, the child goes on, and its counts are its own."""
    found, session = run(record, target, "busy")
    children = [p for p in found.processes("busy") if p["pid"] != session["meta"]["pid"]]
    assert [(p["allocations"], p["leaked_allocations"]) for p in children] == [(300, 10)] * 40
    assert found.of("parent_work") == 1000
    assert found.of("allocate_all_the_time", "leaked_count") == 0
    assert session["diagnostics"]["unknown_frees"] == 0


def test_a_daemon_is_seen(record, target):
    found, _ = run(record, target, "daemon")
    assert found.of("child_work") == 300
    assert found.of("parent_work") == 1000


def test_a_child_without_our_environment_runs(record, target):
    found, _ = run(record, target, "clean_env")
    assert found.of("parent_work") == 1000
    assert found.of("child_work") == 0


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_children_can_be_left_out(record, target, how):
    found, session = run(record, target, how, "--no-follow")
    assert found.of("parent_work") == 1000
    assert found.of("child_work") == 0
    assert session["diagnostics"]["events_dropped"] == 0


def test_a_shell_pipeline(record, target):
    work = target("alloc_children")
    recording = record(PLAIN, ["/bin/sh", "-c", f"{work} work | cat; for i in 1 2 3; do {work} work; done"])
    found = Allocs(recording.session)
    assert recording.returncode == 0
    assert [p["allocations"] for p in found.processes("work")] == [300] * 4
    assert found.of("child_work") == 1200


def test_children_with_many_call_paths_are_counted_to_the_last(record, target):
    """Images that ended give their tables back: what they counted stays."""
    children, depth, kept = 60, 12, 3
    session = record([*PLAIN], [target("alloc_paths"), str(children), str(depth), str(kept)]).session
    assert session["summary"]["total_allocations"] == children * (2**depth + kept)
    assert session["summary"]["leaked_bytes"] == children * kept * 1000
    assert session["diagnostics"]["events_dropped"] == 0
    loaded = [p for p in session["processes"] if p["shim"]["status"] == "loaded"]
    assert len(loaded) == children + 1
    # No child is blamed for the shim's own tables.
    assert not [w for w in session["diagnostics"]["warnings"] if "allocator" in w]
    a = session["allocations"]
    keep = max(range(len(a["node"])), key=lambda i: a["leaked_bytes"][i])
    assert a["count"][keep] == a["leaked_count"][keep] == children * kept
    # What the paths held at the peak is the peak, although images that held some of it ended before others began.
    assert sum(a["peak_bytes"]) == a["peak"]["bytes"] >= kept * 1000
