"""`rustscope listen`: its options, its signals, and its refusals."""

import json
import os
import signal
import subprocess
import time

import pytest


def started(rustscope, tmp_path, *options, **kwargs):
    process = subprocess.Popen(
        [rustscope, "listen", "-o", str(tmp_path / "s.json"), *options, "fifo"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True, **kwargs,
    )  # fmt: skip
    assert "listening on" in process.stderr.readline()
    return process


def refused(rustscope, tmp_path, *argv):
    run = subprocess.run([rustscope, "listen", *argv], cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert len(run.stderr.strip().splitlines()) == 1, run.stderr
    return run


def run_inside(build, tmp_path, *argv):
    env = {**os.environ, "RUSTSCOPE_ALLOC_PIPE": str(tmp_path / "fifo")}
    env["LD_PRELOAD"] = str(build / "lib" / "librustscope_shim.so")
    return subprocess.run(argv, env=env, timeout=30, cwd=tmp_path, capture_output=True)


def test_name_tags_and_labels_are_in_the_session(rustscope, tmp_path, validator):
    process = started(rustscope, tmp_path, "-d", "0.2", "--tag", "ci", "--tag", "night", "--label", "a=1", "--label", "a=2", "--name", "n")
    assert process.wait(timeout=20) == 0
    session = json.loads((tmp_path / "s.json").read_text())
    assert not list(validator.iter_errors(session))
    meta = session["meta"]
    assert (meta["name"], meta["tags"], meta["labels"]) == ("n", ["ci", "night"], {"a": "2"})
    assert meta["stop_reason"] == "duration"


def test_scopes_come_through_a_fifo(rustscope, build, tmp_path):
    process = started(rustscope, tmp_path)
    run_inside(build, tmp_path, build / "targets" / "tgt_scopes")
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0
    session = json.loads((tmp_path / "s.json").read_text())
    assert session["meta"]["stop_reason"] == "interrupt" and session["scopes"]


def test_the_fifo_may_stand_before_the_options(rustscope, tmp_path):
    run = subprocess.run([rustscope, "listen", "fifo", "-d", "0.1", "-q"], cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert (run.returncode, run.stderr) == (0, "")
    assert (tmp_path / "rustscope-last.json").exists()


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_each_signal_that_ends_leaves_a_session(rustscope, tmp_path, signo):
    process = started(rustscope, tmp_path, preexec_fn=lambda: signal.signal(signo, signal.SIG_DFL))
    process.send_signal(signo)
    assert process.wait(timeout=20) == 0
    assert json.loads((tmp_path / "s.json").read_text())["meta"]["stop_reason"] == "interrupt"


def test_under_nohup_a_hangup_does_not_end_it(rustscope, tmp_path):
    process = started(rustscope, tmp_path, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(
    "option",
    [["--off-cpu"], ["--keep"], ["-F", "99"], ["--stack-rate=99"], ["-r", "10"], ["--delay", "1"], ["--no-stacks"], ["--no-alloc"],
     ["--no-follow"], ["--stack-size", "4096"], ["--stack-event", "cycles"], ["--spike-mem", "1"], ["--spike-cpu", "50"], ["--pid", "1"]],
)  # fmt: skip
def test_an_option_that_cannot_be_honoured_is_refused(rustscope, tmp_path, option):
    run = refused(rustscope, tmp_path, *option, "fifo")
    assert run.returncode == 2 and run.stderr.startswith(f"rustscope: {option[0]} means nothing to rustscope listen")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "argv, says",
    [(["--x"], "--x is not an option"), (["-x"], "-x is not an option"), ([], "needs the path of a FIFO"), (["a", "b"], "one FIFO, not 2"), ([""], "empty"), (["-v", "fifo"], "-v is not an option")],
)  # fmt: skip
def test_what_is_no_fifo_makes_none(rustscope, tmp_path, argv, says):
    run = refused(rustscope, tmp_path, *argv)
    assert run.returncode == 2 and says in run.stderr
    assert not list(tmp_path.iterdir())


def test_behind_two_dashes_any_name_is_a_fifo(rustscope, tmp_path):
    process = subprocess.Popen([rustscope, "listen", "-d", "1", "-q", "--", "--x"], cwd=tmp_path)
    for _ in range(50):
        if (tmp_path / "--x").is_fifo():
            break
        time.sleep(0.05)
    assert (tmp_path / "--x").is_fifo()
    assert process.wait(timeout=20) == 0


@pytest.mark.parametrize("output", ["missing/s.json", "."])
def test_a_session_that_cannot_be_written_is_refused_at_once(rustscope, tmp_path, output):
    run = refused(rustscope, tmp_path, "-o", output, "fifo")
    assert run.returncode == 1 and "cannot write" in run.stderr
    assert not list(tmp_path.iterdir())


def test_a_fifo_in_a_folder_that_is_not_there_is_refused_at_once(rustscope, tmp_path):
    run = refused(rustscope, tmp_path, "missing/fifo")
    assert run.returncode == 1 and "missing/fifo" in run.stderr
