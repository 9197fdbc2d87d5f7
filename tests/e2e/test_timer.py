"""Stacks where perf_event_open is refused: the CPU timer inside the program, on programs with a known truth.

Everything runs under a seccomp launcher, so that the tests hold for root, too.
"""

import json
import os
import pathlib
import subprocess

import pytest

ENV = {**os.environ, "LC_ALL": "C.UTF-8"}


class Run:
    def __init__(self, done, path):
        self.returncode, self.stdout, self.stderr = done.returncode, done.stdout, done.stderr
        self.session = json.loads(pathlib.Path(path).read_text())
        self.functions = {f["name"]: f for f in self.session["functions"]}
        self.diagnostics = self.session["diagnostics"]

    def total(self, name):
        return self.functions.get(name, {"total_pct": 0})["total_pct"]

    def cpu_us(self):
        return sum(self.session["cpu"]["weight_us"])


@pytest.fixture
def deny(rustscope, target, tmp_path, validator):
    def run(*command, options=(), check=True):
        out = tmp_path / "timer.json"
        done = subprocess.run([target("deny_perf"), "EACCES", rustscope, "--no-tui", "-o", str(out), *options, "--",
                               *command], capture_output=True, text=True, timeout=60, env=ENV)
        r = Run(done, out)
        validator.validate(r.session)
        if check:
            assert r.returncode == 0, r.stderr
            assert r.diagnostics["stack_backend"] == "timer", r.diagnostics["warnings"]
        return r
    return run


def complete(run):
    reasons = run.diagnostics["stop_reasons"]
    return reasons.get("root", 0) >= 0.99 * sum(reasons.values())


@pytest.mark.parametrize("options", [[], ["--no-alloc"]])
def test_weights_add_up_to_the_cpu_time_and_stacks_reach_the_root(deny, target, options):
    r = deny(target("shares"), "1500", options=options)
    assert complete(r), r.diagnostics["stop_reasons"]
    assert r.cpu_us() == pytest.approx(1000 * r.session["summary"]["cpu_ms"], rel=0.02)
    unsampled = r.functions.get("[unsampled]", {"self_pct": 0})["self_pct"]
    assert unsampled < 10
    assert r.total("main") > 85
    # 1.5 s at a few hundred Hz: the true 50 : 30 : 20 within what so few samples can tell
    assert 35 < r.total("half_hot") < 65
    assert 17 < r.total("third") < 43
    assert 8 < r.total("fifth") < 32


def test_threads_children_and_exec_are_sampled(deny, target):
    r = deny(target("stack_threads"))
    assert complete(r), r.diagnostics["stop_reasons"]
    for name in ("thread_work", "child_work", "exec_work"):
        assert r.total(name) > 5, (name, r.functions.keys())


def test_the_rate_is_said_and_is_the_kernels_tick_at_most(deny, target):
    r = deny(target("shares"), "600", options=["-F", "50"])
    assert r.session["meta"]["stack_rate_hz"] == 50
    assert 15 <= r.diagnostics["stack_samples"] <= 45
    assert any("perf_event" in w for w in r.diagnostics["warnings"])


@pytest.mark.parametrize("mode,function", [("masked", "masked_work"), ("reset", "reset_work"),
                                           ("profiled", "profiled_work"), ("altstack", "altstack_work"),
                                           ("coroutine", "coroutine_work"), ("deep", "deep_work"),
                                           ("sandbox", "sandbox_work")])
def test_odd_programs_run_as_ever_and_are_sampled(deny, target, mode, function):
    alone = subprocess.run([target("timer_odd"), mode], capture_output=True, text=True, timeout=30)
    r = deny(target("timer_odd"), mode)
    assert r.stdout == alone.stdout
    assert r.total(function) > 60, r.functions.keys()
    if mode in ("masked", "reset", "profiled", "altstack", "sandbox"):
        assert complete(r), r.diagnostics["stop_reasons"]
    if mode == "altstack":  # through the signal frame to the other stack
        assert r.total("altstack_interrupted") > 60
    if mode == "deep":
        assert r.diagnostics["stop_reasons"].get("max_frames", 0) > 10
        assert r.diagnostics["stacks_truncated"] > 10


def test_a_program_that_takes_the_signal_gets_it_undisturbed(deny, target):
    r = deny(target("timer_odd"), "handlers", check=False)
    assert r.returncode == 0
    assert r.stdout == "seen 0\n"


def said(run, words):
    return [w for w in run.diagnostics["warnings"] if words in w]


def test_a_program_that_handles_the_signal_is_not_said_to_be_sampled(deny, target):
    """As Go's runtime does: it takes all real-time signals, then works."""
    r = deny(target("timer_odd"), "handlers", check=False)
    assert said(r, "handles all real-time signals") and not said(r, "stacks are sampled by a timer")


def test_a_static_program_is_not_said_to_be_sampled(deny, tmp_path):
    source = tmp_path / "static.c"
    source.write_text("int main(void){ for (volatile long i = 0; i < 400000000; i++); return 0; }")
    subprocess.run(["gcc", "-O1", "-static", "-o", str(tmp_path / "static"), str(source)], check=True)
    for options in ([], ["--no-alloc"]):
        r = deny(str(tmp_path / "static"), options=options, check=False)
        assert r.returncode == 0 and r.diagnostics["stack_backend"] == "none"
        assert said(r, "no call stacks") and not said(r, "stacks are sampled by a timer")
        if not options:
            assert said(r, "cannot be set (statically linked)")


def test_sleeping_calls_are_rarely_interrupted(deny, target):
    r = deny(target("timer_odd"), "eintr")
    assert int(r.stdout.split()[1]) < 50


def test_a_short_program_gives_a_valid_session(deny):
    r = deny("/bin/true", check=False)
    assert r.returncode == 0
