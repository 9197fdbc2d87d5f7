"""The main job: run a program, change nothing for it, measure it, write one JSON."""

import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import time

import pytest

from cgroups import cgroup, freeze
from conftest import ROOT, load_session

QUIET = ["--no-tui", "--no-stacks", "--no-alloc"]


def spikes(session, kind):
    return [e for e in session["memory_events"] if e["type"] == kind]


# -- launch ------------------------------------------------------------------------------------------------------


def inside(lines):
    """What tgt_inside printed, less what differs from run to run."""
    ours = (b"env _=", b"env RUSTSCOPE_ALLOC_PIPE=", b"env LD_PRELOAD=")  # what we must add
    return [line for line in lines.splitlines() if not line.startswith(ours)]


def test_program_cannot_tell_the_difference(rustscope, target, tmp_path):
    env = {"PATH": os.environ["PATH"], "HOME": "/tmp", "LC_ALL": "C", "ODD": "a=b\nc"}
    command = [target("inside"), "one", "", "two words", "caf\udce9"]

    def start():
        os.umask(0o027)
        os.nice(3)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_NOFILE, (777, 4000))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 12345))
        os.dup2(os.open("/dev/null", os.O_RDONLY), 9, inheritable=True)

    options = {"env": env, "cwd": tmp_path, "preexec_fn": start, "close_fds": False, "stdin": subprocess.DEVNULL}
    plain = subprocess.run(command, capture_output=True, timeout=20, **options)
    ours = subprocess.run(
        [rustscope, *QUIET, "-o", str(tmp_path / "s.json"), "--", *command], capture_output=True, timeout=20, **options
    )
    assert plain.returncode == ours.returncode == 0
    assert inside(ours.stdout) == inside(plain.stdout)


def test_closed_standard_descriptors_stay_closed(rustscope, target, tmp_path):
    def start():
        for fd in (0, 2):
            os.close(fd)

    command = [target("inside")]
    out = tmp_path / "out"
    for argv in (command, [rustscope, "-q", *QUIET, "-o", str(tmp_path / "s.json"), "--", *command]):
        with out.open("wb") as file:
            subprocess.run(argv, stdout=file, preexec_fn=start, timeout=20, check=True)
        fds = [line.split()[1] for line in out.read_text(errors="replace").splitlines() if line.startswith("fd ")]
        assert "0" not in fds and "2" not in fds and "1" in fds


def test_streams_are_byte_identical(rustscope, tmp_path):
    script = "head -c 300000 /dev/urandom > rnd; cat rnd; cat rnd >&2; cat"
    env = {**os.environ}
    run = subprocess.run(
        [rustscope, "-q", *QUIET, "-o", "s.json", "--", "sh", "-c", script],
        input=b"in\0put\r\n",
        capture_output=True,
        cwd=tmp_path,
        env=env,
        timeout=30,
    )
    random = (tmp_path / "rnd").read_bytes()
    assert run.stdout == random + b"in\0put\r\n"
    assert run.stderr == random
    assert run.returncode == 0


@pytest.mark.parametrize("script, status", [("exit 0", 0), ("exit 37", 37), ("kill -9 $$", 137), ("kill -SEGV $$", 139)])
def test_exit_status_is_the_programs(record, script, status):
    run = record(QUIET, ["sh", "-c", script])
    assert run.returncode == status
    meta = run.session["meta"]
    assert meta["stop_reason"] == ("signal" if status > 128 else "exit")
    assert meta.get("exit_code", 128 + meta.get("exit_signal", 0)) == status


@pytest.mark.parametrize(
    "make, status, words",
    [
        (lambda d: "no-such-program-anywhere", 127, "not found in PATH"),
        (lambda d: str(d / "missing"), 127, "no such file"),
        (lambda d: str(d), 126, "directory"),
        (lambda d: file(d, "plain", "echo hi\n", 0o644), 126, "not executable"),
        (lambda d: file(d, "bad", "#!/no/such/interpreter\n", 0o755), 127, "interpreter"),
    ],
)
def test_what_cannot_run_is_one_line_and_no_json(record, tmp_path, make, status, words):
    run = record(QUIET, [make(tmp_path)])
    assert run.returncode == status
    assert run.session is None
    assert run.stderr.decode().count("\n") == 1 and words in run.stderr.decode()
    assert not list(tmp_path.glob("session.json*"))


def file(folder, name, text, mode):
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_a_script_without_a_shebang_runs_as_in_a_shell(record, tmp_path):
    run = record(QUIET, [file(tmp_path, "script", "echo $((6*7))\nexit 5\n", 0o755)])
    assert (run.stdout, run.returncode) == (b"42\n", 5)


@pytest.mark.parametrize(
    "options",
    [
        ["-r", "0"], ["-r", "-1"], ["-r", "1e9"], ["-r", "NaN"], ["-r", "ten"], ["-r", ""], ["-r", "1.5"], ["-d", "-1"], ["-d", "inf"],
        ["-F", "0"], ["-F", "100000"], ["--spike-mem", "0"], ["--spike-cpu=x"], ["--no-such-option"], ["-d"], ["--label", "x"],
        ["--pid", "0"], ["--pid", "-1"], ["--pid", "99999999"], ["--pid", "abc"], ["--keep"], ["--stack-size", "3"], ["--stack-event", "instructions"],
    ],
)  # fmt: skip
def test_bad_options_are_one_line_and_status_2(rustscope, tmp_path, options):
    run = subprocess.run([rustscope, *options, "--", "true"], capture_output=True, cwd=tmp_path, timeout=20)
    assert run.returncode == 2
    assert run.stdout == b"" and run.stderr.count(b"\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("argv", [[], ["--"], ["true"], ["-r", "100"], ["--pid", "1", "--", "true"]])
def test_a_missing_program_is_one_line_and_status_2(rustscope, tmp_path, argv):
    run = subprocess.run([rustscope, *argv], capture_output=True, cwd=tmp_path, timeout=20)
    assert run.returncode == 2 and run.stderr.count(b"\n") == 1


@pytest.mark.parametrize("form", [["--rate", "50"], ["--rate=50"], ["-r", "50"], ["-r50"]])
def test_option_forms(record, form):
    assert record([*QUIET, *form], ["true"]).session["meta"]["rate_hz"] == 50


def test_name_tags_and_labels_are_kept_once(record):
    options = ["--name", "n", "--tag", "a", "--tag", "b", "--tag", "a", "--label", "k=1", "--label", "k=2=3"]
    meta = record([*QUIET, *options], ["true"]).session["meta"]
    assert (meta["name"], meta["tags"], meta["labels"]) == ("n", ["a", "b"], {"k": "2=3"})


# -- signals and ends --------------------------------------------------------------------------------------------


def start(rustscope, target, mode, *options, cwd):
    """tgt_signals MODE under rustscope, once it is ready; in a session of its own."""
    process = subprocess.Popen(
        [rustscope, "-q", *QUIET, *options, "-o", "s.json", "--", target("signals"), mode],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # the tests may run under nohup
    )
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.2)
    return process


@pytest.mark.parametrize("signo, name", [(signal.SIGINT, "int"), (signal.SIGTERM, "term"), (signal.SIGHUP, "hup")])
def test_a_signal_sent_to_us_reaches_the_program_once(rustscope, target, tmp_path, signo, name):
    process = start(rustscope, target, "count", cwd=tmp_path)
    os.kill(process.pid, signo)
    out, _ = process.communicate(timeout=20)
    counts = dict(zip(out.split()[::2], out.split()[1::2]))
    assert counts[name.encode()] == b"1" and sorted(counts.values()) == [b"0", b"0", b"1"]
    assert process.returncode == 7
    assert load_session(tmp_path / "s.json")["meta"]["stop_reason"] == "interrupt"


def test_a_program_that_ignores_everything_is_killed_in_the_end(rustscope, target, tmp_path):
    process = start(rustscope, target, "ignore", cwd=tmp_path)
    began = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 137
    assert 3.5 < time.monotonic() - began < 8
    assert load_session(tmp_path / "s.json")["meta"]["exit_signal"] == 9


def test_a_second_signal_skips_the_waiting(rustscope, target, tmp_path):
    process = start(rustscope, target, "ignore", cwd=tmp_path)
    began = time.monotonic()
    for _ in range(4):
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.2)
    process.communicate(timeout=30)
    assert time.monotonic() - began < 3
    assert (tmp_path / "s.json").exists()


def test_duration_ends_the_program_and_is_no_failure(record, target):
    began = time.monotonic()
    run = record([*QUIET, "-d", "0.5"], [target("signals"), "default"])
    assert run.returncode == 0
    assert run.session["meta"]["stop_reason"] == "duration"
    assert 0.4 < run.session["meta"]["duration_sec"] < 2.4
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("options", [["-d", "0"], ["-d", "0.1", "-d", "0"]])
def test_a_duration_of_zero_is_until_the_program_ends(record, options):
    run = record([*QUIET, *options], ["sh", "-c", "sleep 0.4; echo done"])
    assert (run.stdout, run.returncode, run.session["meta"]["stop_reason"]) == (b"done\n", 0, "exit")


def test_keep_leaves_the_program_running(rustscope, target, tmp_path):
    pid_file = tmp_path / "pid"
    run = subprocess.run(
        [rustscope, "-q", *QUIET, "-d", "0.5", "--keep", "-o", "s.json", "--", "sh", "-c",
         f"echo $$ > {pid_file}; exec sleep 30"],
        cwd=tmp_path, timeout=20, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    pid = int(pid_file.read_text())
    try:
        assert run.returncode == 0
        assert pathlib.Path(f"/proc/{pid}/comm").read_text() == "sleep\n"
    finally:
        os.kill(pid, signal.SIGKILL)


def test_delay_leaves_out_the_start(record, target):
    run = record([*QUIET, "--delay", "0.6"], ["sh", "-c", f"{target('spin')} 400; sleep 0.6"])
    assert run.session["summary"]["cpu_ms"] < 100
    assert run.session["meta"]["duration_sec"] < 0.8


def test_a_delay_longer_than_the_program_is_said(record):
    run = record([*QUIET, "--delay", "5"], ["true"])
    assert any("--delay" in w for w in run.session["diagnostics"]["warnings"])


def test_a_grandchild_left_behind_does_not_hold_us_up(record, target):
    began = time.monotonic()
    run = record(QUIET, [target("children"), "left", "8"])
    assert time.monotonic() - began < 4
    assert run.returncode == 0


def test_a_child_that_keeps_the_output_open_is_not_waited_for_and_said(rustscope, tmp_path):
    with open(tmp_path / "out", "wb") as out:
        began = time.monotonic()
        run = subprocess.run([rustscope, *QUIET, "-q", "-o", "s.json", "--", "sh", "-c", "sleep 8 & sleep 0.6; echo done"],
                             cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=30)  # fmt: skip
    assert run.returncode == 0 and time.monotonic() - began < 6
    assert (tmp_path / "out").read_text() == "done\n"
    warnings = load_session(tmp_path / "s.json")["diagnostics"]["warnings"]
    assert any("1 process that the program started still ran" in warning for warning in warnings)


def test_killed_by_sigkill_the_program_lives_on(rustscope, target, tmp_path):
    pid_file = tmp_path / "pid"
    process = subprocess.Popen(
        [rustscope, "-q", *QUIET, "-o", "s.json", "--", "sh", "-c", f"echo $$ > {pid_file}; sleep 1; echo alive > {tmp_path}/alive"],
        cwd=tmp_path, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    while not (pid_file.exists() and pid_file.read_text()):
        time.sleep(0.02)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while not (tmp_path / "alive").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (tmp_path / "alive").exists()


def test_a_checkpoint_survives_sigkill(rustscope, validator, tmp_path):
    process = subprocess.Popen(
        [rustscope, "-q", *QUIET, "-o", "s.json", "--", "sleep", "14"], cwd=tmp_path, stdin=subprocess.DEVNULL
    )
    partial = tmp_path / "s.json.partial"
    deadline = time.monotonic() + 20
    while not partial.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.kill()
    process.wait()
    session = load_session(partial)
    assert not list(validator.iter_errors(session))
    assert 9 < session["meta"]["duration_sec"] < 13
    assert any("checkpoint" in w for w in session["diagnostics"]["warnings"])
    assert [p.name for p in tmp_path.iterdir()] == ["s.json.partial"]
    told = subprocess.run([rustscope, "report", partial], capture_output=True, text=True, timeout=20)
    assert told.returncode == 0 and "sleep 14" in told.stdout and "checkpoint" in told.stdout
    page = subprocess.run([rustscope, "report", "--html", tmp_path / "page.html", partial], capture_output=True, text=True, timeout=20)
    assert page.returncode == 0 and page.stdout == "" and (tmp_path / "page.html").stat().st_size > 100000


def test_nothing_is_left_behind(record, tmp_path):
    record(QUIET, ["sh", "-c", "true & true; wait"])
    assert [p.name for p in tmp_path.iterdir()] == ["session.json"]
    assert not list(pathlib.Path("/tmp").glob(f"rustscope-{os.getuid()}-*"))


# -- attach ------------------------------------------------------------------------------------------------------


def test_attach_watches_and_never_kills(rustscope, target, validator, tmp_path):
    program = subprocess.Popen([target("spin"), "4000", "60"])
    try:
        run = subprocess.run(
            [rustscope, "-q", *QUIET, "-d", "1.5", "-o", "s.json", "--pid", str(program.pid)], cwd=tmp_path, timeout=20
        )
        assert run.returncode == 0
        assert program.poll() is None
    finally:
        program.kill()
        program.wait()
    session = load_session(tmp_path / "s.json")
    assert not list(validator.iter_errors(session))
    assert session["meta"]["stop_reason"] == "duration"
    assert 45 < session["summary"]["cpu_avg_pct"] < 75


def test_attach_ends_when_the_program_does(rustscope, tmp_path):
    program = subprocess.Popen(["sleep", "0.7"])
    run = subprocess.run([rustscope, "-q", *QUIET, "-o", "s.json", "--pid", str(program.pid)], cwd=tmp_path, timeout=20)
    program.wait()
    assert run.returncode == 0
    assert load_session(tmp_path / "s.json")["meta"]["stop_reason"] == "exit"


def test_attach_refuses_what_it_cannot_watch(rustscope, tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    for argv in ([str(gone.pid)], ["4194303"]):
        run = subprocess.run([rustscope, *QUIET, "--pid", *argv], capture_output=True, cwd=tmp_path, timeout=20)
        assert run.returncode == 1 and run.stderr.count(b"\n") == 1 and b"no process" in run.stderr
    run = subprocess.run(
        ["sh", "-c", f"exec {rustscope} --no-tui --pid $$"], capture_output=True, cwd=tmp_path, timeout=20
    )
    assert run.returncode == 1 and b"rustscope itself" in run.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="needs root to become another user")
def test_attach_to_another_users_process_is_one_sentence(rustscope, tmp_path):
    tmp_path.chmod(0o777)
    run = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", rustscope, *QUIET, "-o", "/tmp/never.json", "--pid", str(os.getpid())],
        capture_output=True, timeout=20,
    )  # fmt: skip
    if b"Permission denied" in run.stderr and b"setpriv" in run.stderr:
        pytest.skip("another user cannot reach the build folder")
    assert run.returncode == 1 and run.stderr.count(b"\n") == 1 and b"another user" in run.stderr


# -- metrics and spikes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["malloc", "mmap", "steps", "stacks"])
def test_memory_that_jumps_10_mb_is_one_spike(record, target, mode):
    session = record(QUIET, [target("grow"), mode]).session
    events = spikes(session, "spike")
    grown = "10.1" if mode == "stacks" else "10.0"  # a thread takes some pages besides its stack
    assert [e["location"] for e in events] == [f"Memory spike: +{grown} MB"]
    assert 200 <= events[0]["ts"] - session["meta"]["start_ts"] <= 800


@pytest.mark.parametrize("mode", ["untouched", "cache", "below", "shared"])
def test_what_is_no_growth_is_no_spike(record, target, mode):
    assert spikes(record(QUIET, [target("grow"), mode]).session, "spike") == []


def test_just_over_the_threshold_counts(record, target):
    assert len(spikes(record(QUIET, [target("grow"), "near"]).session, "spike")) == 1
    assert spikes(record([*QUIET, "--spike-mem", "6"], [target("grow"), "near"]).session, "spike") == []


def test_growth_near_the_threshold_is_confirmed_by_the_exact_figure(rustscope, target, tmp_path):
    """statm may lag on many cores; smaps_rollup is slow and is asked once an episode."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    for mode, most in (("near", 1), ("untouched", 0)):
        subprocess.run(["strace", "-o", "calls", "-e", "trace=openat", rustscope, "-q", *QUIET, "-o", "s.json", "--", target("grow"), mode],
                       cwd=tmp_path, check=True, timeout=60)  # fmt: skip
        assert (tmp_path / "calls").read_text().count('"smaps_rollup"') == most
        assert len(spikes(load_session(tmp_path / "s.json"), "spike")) == most


def test_copy_on_write_is_not_counted_twice(record, target):
    session = record(QUIET, [target("grow"), "cow"]).session
    events = spikes(session, "spike")
    assert len(events) == 1 and events[0]["process"] == 0 and 19e6 < events[0]["size_bytes"] < 21e6


def test_a_cpu_bound_program_is_one_spike(record, target):
    session = record(QUIET, [target("spin"), "2500"]).session
    # On a busy machine the program did not get its processor all the time: each such pause may end an episode.
    pauses = sum(value is not None and value < 80 for value in session["timeline"]["cpu_pct"][1:-1])
    assert 1 <= len(spikes(session, "cpu_spike")) <= 1 + pauses
    assert spikes(record(QUIET, [target("spin"), "1500", "50"]).session, "cpu_spike") == []


def test_cpu_is_the_sum_of_all_threads(record, target):
    """Four threads at 30 % are 120 % of a core: a spike; the threshold is of one core, not of the machine."""
    session = record(QUIET, [target("spin"), "1500", "30", "4"]).session
    assert len(spikes(session, "cpu_spike")) >= 1
    assert spikes(record([*QUIET, "--spike-cpu", "190"], [target("spin"), "1500", "30", "4"]).session, "cpu_spike") == []


def test_cpu_of_short_children_is_counted(record, target):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    session = record(QUIET, [target("children"), "300", "2"]).session
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used_ms = 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert 600 <= session["summary"]["cpu_ms"] <= used_ms
    assert session["summary"]["cpu_ms"] > 0.75 * used_ms  # rustscope's own CPU is in used_ms


def test_processes_and_threads_are_kept_apart(record, target):
    session = record(QUIET, ["sh", "-c", f"{target('spin')} 700 100 2 & {target('spin')} 700 20; wait; exit 3"]).session
    by_name = {}
    for process in session["processes"]:
        by_name.setdefault(process["name"], []).append(process)
    assert by_name["sh"][0]["parent"] == -1 and by_name["sh"][0]["exit"] == 3 << 8
    spins = sorted(by_name["tgt_spin"], key=lambda p: p["cpu_ms"])
    assert len(spins) == 2 and all(p["parent"] == 0 for p in spins)
    assert 90 < spins[0]["cpu_ms"] < 250
    assert spins[1]["cpu_ms"] > 2 * spins[0]["cpu_ms"]
    assert spins[0]["argv"][1:] == ["700", "20"]
    assert len([t for t in session["threads"] if t["process"] == spins[1]["id"]]) == 2


def test_an_exec_starts_a_new_image(record, target):
    session = record(QUIET, ["sh", "-c", f"sleep 0.3; exec {target('spin')} 400"]).session
    images = [p for p in session["processes"] if p["pid"] == session["meta"]["pid"]]
    assert [p["image"] for p in images] == [0, 1]
    assert images[1]["name"] == "tgt_spin" and images[1]["cpu_ms"] > 200


REUSE = """
import os, sys, time
def live():
    end = time.monotonic() + 2.5
    while time.process_time() < 0.3:
        pass
    time.sleep(max(0, end - time.monotonic()))
    os._exit(0)
def child():
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return pid
    live()
first, second = child(), None
for _ in range(50):
    try:
        with open("/proc/sys/kernel/ns_last_pid", "w") as last:
            last.write(str(first - 1))
    except OSError:
        sys.exit(3)
    pid = os.fork()
    if pid == 0:
        if os.getpid() != first:
            os._exit(1)
        live()
    if os.waitpid(pid, 0)[1] == 0:
        print(first)
        sys.exit(0)
sys.exit(3)
"""


def test_a_pid_that_is_used_again_is_another_process(record):
    recording = record(QUIET, ["/usr/bin/python3", "-c", REUSE])
    if recording.returncode == 3:
        pytest.skip("pids cannot be chosen here, or others were faster")
    session, pid = recording.session, int(recording.stdout)
    lives = [p for p in session["processes"] if p["pid"] == pid]
    assert len(lives) == 2
    assert lives[0]["start_ns"] + 2e9 < lives[1]["start_ns"]
    for life in lives:
        assert 250 < life["cpu_ms"] < 450
    assert min(v for v in session["timeline"]["cpu_pct"] if v is not None) >= 0


HUGE = """
import mmap, time
size = 64 << 20
block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
block.madvise(mmap.MADV_HUGEPAGE)
for at in range(0, size, 4096):
    block[at] = 1
time.sleep(0.4)
"""

SHARED = """
import mmap, tempfile, time
size = 64 << 20
with tempfile.TemporaryFile(dir="/dev/shm") as file:
    file.truncate(size)
    block = mmap.mmap(file.fileno(), size)
    for at in range(0, size, 4096):
        block[at] = 1
    time.sleep(0.4)
"""


@pytest.mark.parametrize("program, anonymous", [(HUGE, True), (SHARED, False)], ids=["huge pages", "shared memory"])
def test_huge_and_shared_pages_are_counted_in_bytes(record, program, anonymous):
    summary = record(QUIET, ["/usr/bin/python3", "-c", program]).session["summary"]
    assert 67 < summary["rss_peak_mb"] < 100
    assert (67 if anonymous else 0) < summary["anon_peak_mb"] < (100 if anonymous else 30)


def test_odd_names_survive(record, tmp_path, target):
    name = os.fsencode(str(tmp_path)) + b"/a ) b\n(\xff"
    shutil.copy(target("spin"), name)
    session = record(QUIET, [os.fsdecode(name), "300", "100", "1", os.fsdecode(b"\xfe\xff arg\n")],
                     cwd=tmp_path).session
    decode = lambda s: b"".join(
        bytes([ord(c) - 0x10F800]) if 0x10F880 <= ord(c) <= 0x10F8FF else c.encode() for c in s
    )  # noqa: E731
    assert decode(session["meta"]["argv"][4]) == b"\xfe\xff arg\n"
    assert decode(session["processes"][0]["argv"][0]) == name
    assert decode(session["processes"][0]["name"]) == b"a ) b\n(\xff"


def test_redact_leaves_out_arguments_and_home(record, tmp_path):
    env = {**os.environ, "HOME": str(tmp_path)}
    run = record([*QUIET, "--redact"], ["sh", "-c", "sleep 0.3 # secret"], env=env, cwd=tmp_path)
    text = run.path.read_text()
    assert "secret" not in text and str(tmp_path) not in text
    assert run.session["meta"]["argv"] == ["sh"] and run.session["meta"]["cwd"] == "~"


def test_a_program_of_no_time_gives_a_valid_session(record):
    run = record(QUIET, ["true"])
    assert run.returncode == 0 and run.session["meta"]["duration_sec"] < 1


def test_a_program_shorter_than_a_reading_is_said_to_be(record, tmp_path):
    """Its CPU time is known, but no share of a core and no memory: those are null, not zero or a thousand percent."""
    (tmp_path / "short.c").write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-static", "-o", "short", "short.c"], cwd=tmp_path, check=True)
    run = record([*QUIET, "-r", "10"], [str(tmp_path / "short")])
    summary = run.session["summary"]
    assert summary["cpu_ms"] > 0 and summary["cpu_avg_pct"] is None and summary["anon_peak_mb"] is None
    assert run.session["timeline"]["cpu_pct"] in ([], [None])
    assert b"0 threads" not in run.stderr
    assert b"ended before the first reading was due (after 100.0 ms)" in run.stderr
    five_ms = record(QUIET, [str(tmp_path / "short")])
    assert five_ms.returncode == 0 and sum(value is not None for value in five_ms.session["timeline"]["anon_mb"]) <= 1


def test_a_program_that_has_ended_has_no_readings_of_zero(record):
    """A zombie has closed its descriptors; at whatever moment of a pass it ends, the last figure is a living one's."""
    for ms in range(200, 320, 10):
        session = record(QUIET, ["sleep", str(ms / 1000)]).session
        for lane in ("open_fds", "threads", "anon_mb"):
            assert 0 not in session["timeline"][lane], (ms, lane, session["timeline"][lane])


def test_an_idle_programs_memory_is_read_at_once(rustscope, target, tmp_path):
    idle = subprocess.Popen(["/usr/bin/python3", "-c", "import time; time.sleep(30)"])
    try:
        time.sleep(0.5)
        subprocess.run([rustscope, "-q", *QUIET, "-d", "0.5", "-o", "s.json", "--pid", str(idle.pid)],
                       cwd=tmp_path, check=True, timeout=20)  # fmt: skip
    finally:
        idle.kill()
        idle.wait()
    anon = load_session(tmp_path / "s.json")["timeline"]["anon_mb"]
    assert min(anon) > 0.9 * max(anon) > 1


# -- output ------------------------------------------------------------------------------------------------------


def test_gzip_by_name_and_two_readers(record, rustscope, tmp_path):
    run = record(QUIET, ["sleep", "0.2"], output=tmp_path / "s.json.gz")
    assert run.path.read_bytes()[:2] == b"\x1f\x8b" and run.session
    plain = record(QUIET, ["sleep", "0.2"])
    version = subprocess.run(["jq", ".schema_version", plain.path], capture_output=True, timeout=20)
    assert version.stdout.strip() == b"4"


def test_output_to_stdout_and_null(rustscope, tmp_path):
    run = subprocess.run([rustscope, "-q", *QUIET, "-o", "-", "--", "true"], capture_output=True, cwd=tmp_path, timeout=20)
    assert json.loads(run.stdout)["schema_version"] == 4
    run = subprocess.run([rustscope, "-q", *QUIET, "-o", "/dev/null", "--", "true"], cwd=tmp_path, timeout=20)
    assert run.returncode == 0 and not list(tmp_path.iterdir())


def test_a_full_device_is_said_and_fails(rustscope, tmp_path):
    run = subprocess.run(
        [rustscope, *QUIET, "-o", "/dev/full", "--", "echo", "hi"], capture_output=True, cwd=tmp_path, timeout=20
    )
    assert run.returncode == 1 and run.stdout == b"hi\n" and b"No space left" in run.stderr


def test_a_directory_or_missing_folder_is_said_before_the_program_runs(rustscope, tmp_path):
    for output in (str(tmp_path), str(tmp_path / "no" / "s.json")):
        run = subprocess.run(
            [rustscope, *QUIET, "-o", output, "--", "touch", str(tmp_path / "ran")], capture_output=True, timeout=20
        )
        assert run.returncode == 125 and run.stderr.count(b"\n") == 1
    assert not (tmp_path / "ran").exists()


def test_a_file_size_limit_keeps_the_old_report(rustscope, tmp_path):
    old = tmp_path / "s.json"
    old.write_text("the old report")
    run = subprocess.run(
        [rustscope, "-q", *QUIET, "-o", str(old), "--", "true"],
        capture_output=True, timeout=20, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)),
    )  # fmt: skip
    assert run.returncode == 1 and b"ulimit -f" in run.stderr
    assert old.read_text() == "the old report"
    assert [p.name for p in tmp_path.iterdir()] == ["s.json"]


def test_a_fifo_is_written_straight(rustscope, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = subprocess.Popen(["cat", str(fifo)], stdout=subprocess.PIPE)
    time.sleep(0.2)
    run = subprocess.run([rustscope, "-q", *QUIET, "-o", str(fifo), "--", "true"], timeout=20)
    assert run.returncode == 0
    assert json.loads(reader.communicate(timeout=20)[0])["schema_version"] == 4
    run = subprocess.run([rustscope, "-q", *QUIET, "-o", str(fifo), "--", "true"], capture_output=True, timeout=20)
    assert run.returncode == 1 and run.stderr  # nobody reads: said, and no hang


def test_a_link_stays_a_link(rustscope, tmp_path):
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("{}")
    link.symlink_to(real)
    subprocess.run([rustscope, "-q", *QUIET, "-o", str(link), "--", "true"], timeout=20, check=True)
    assert link.is_symlink() and load_session(real)["schema_version"] == 4


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, as sudo is")
def test_under_sudo_the_report_belongs_to_the_caller(rustscope, tmp_path):
    env = {**os.environ, "SUDO_UID": "1234", "SUDO_GID": "2345"}
    subprocess.run([rustscope, "-q", *QUIET, "-o", "s.json", "--", "true"], cwd=tmp_path, env=env, timeout=20, check=True)
    st = (tmp_path / "s.json").stat()
    assert (st.st_uid, st.st_gid) == (1234, 2345)
    subprocess.run([rustscope, "-q", *QUIET, "-o", "s.json", "--", "true"], cwd=tmp_path, timeout=20, check=True)
    assert (tmp_path / "s.json").stat().st_uid == 1234  # a file keeps its owner


# -- odd machines ------------------------------------------------------------------------------------------------


def test_a_pause_of_ours_is_a_gap_and_no_spike(rustscope, target, validator, tmp_path):
    process = subprocess.Popen(
        [rustscope, "-q", *QUIET, "-o", "s.json", "--", target("grow"), "malloc"], cwd=tmp_path, stdin=subprocess.DEVNULL
    )
    time.sleep(0.25)
    process.send_signal(signal.SIGSTOP)
    time.sleep(1.4)  # the program grows by 10 MB meanwhile
    process.send_signal(signal.SIGCONT)
    process.wait(timeout=20)
    session = load_session(tmp_path / "s.json")
    assert not list(validator.iter_errors(session))
    assert session["diagnostics"]["gaps"] == 1 and session["diagnostics"]["ticks_missed"] > 50
    assert any("readings of CPU and memory were missed" in warning for warning in session["diagnostics"]["warnings"])
    gap = [e for e in session["memory_events"] if e["type"] == "gap"]
    assert len(gap) == 1 and 1000 < gap[0]["end_ts"] - gap[0]["ts"] < 2500
    assert spikes(session, "spike") == []
    assert all(v is None or v >= 0 for v in session["timeline"]["cpu_pct"])


def test_a_stopped_program_is_quiet(rustscope, target, tmp_path):
    pid_file = tmp_path / "pid"
    process = subprocess.Popen(
        [rustscope, "-q", *QUIET, "-o", "s.json", "--", "sh", "-c", f"echo $$ > {pid_file}; exec {target('spin')} 1500"],
        cwd=tmp_path, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    time.sleep(0.5)
    pid = int(pid_file.read_text())
    os.kill(pid, signal.SIGSTOP)
    time.sleep(0.7)
    os.kill(pid, signal.SIGCONT)
    process.wait(timeout=20)
    cpu = load_session(tmp_path / "s.json")["timeline"]["cpu_pct"]
    assert max(cpu[7:11]) < 15 and max(cpu[:4]) > 40


@pytest.mark.parametrize("how", ["traced", "frozen", "uninterruptible"])
def test_a_program_that_is_held_is_quiet(rustscope, validator, target, tmp_path, how):
    """In a debugger, in a frozen cgroup, waiting for its vfork child: no CPU, no spike from the pause, no waiting for it."""
    group = cgroup("freezer")
    program = [target("spin"), "60000"]
    if how == "uninterruptible":
        (tmp_path / "d.c").write_text("#include <unistd.h>\nint main(void) { if (!vfork()) { sleep(60); _exit(0); } return 0; }\n")
        subprocess.run(["gcc", "-w", "-o", "d", "d.c"], cwd=tmp_path, check=True)
        program = ["./d"]
    process = subprocess.Popen(program, cwd=tmp_path, start_new_session=True)
    helper = None
    try:
        time.sleep(0.3)
        if how == "frozen":
            if not group:
                pytest.skip("no cgroup that may be frozen")
            (group / "cgroup.procs").write_text(str(process.pid))
            freeze(group, True)
        elif how == "traced":
            helper = subprocess.Popen(["gdb", "-q", "-batch", "-p", str(process.pid), "-ex", "shell sleep 6"], cwd=tmp_path,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            time.sleep(0.1)
            state = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            if state == {"traced": "t", "uninterruptible": "D"}.get(how, state):
                break
        else:
            pytest.skip(f"the program came to no such state, but to {state}")
        run = subprocess.run([rustscope, "-q", *QUIET, "-d", "1.5", "-o", "s.json", "--pid", str(process.pid)],
                             cwd=tmp_path, capture_output=True, text=True, timeout=30)  # fmt: skip
    finally:
        if how == "frozen" and group:
            freeze(group, False)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if helper:
            helper.kill()
            helper.wait()
        if group:
            group.rmdir()
    assert run.returncode == 0, run.stderr
    session = load_session(tmp_path / "s.json")
    assert not list(validator.iter_errors(session))
    assert max(value for value in session["timeline"]["cpu_pct"] if value is not None) < 10
    assert spikes(session, "cpu_spike") == []


def test_long_and_empty_arguments_are_kept(record):
    argv = ["/bin/true", "", "x" * 100000, "\u00e4\u20ac", "last"]
    session = record(QUIET, argv).session
    assert session["meta"]["argv"] == argv
    assert session["processes"][0]["argv"] == argv or session["meta"]["duration_sec"] < 0.02


def test_many_descriptors_cost_little(record):
    script = "import os,time,resource;h=resource.getrlimit(7)[1];resource.setrlimit(7,(h,h));n=min(h,20000)-50;[os.dup(0) for _ in range(n)];time.sleep(0.5);print(n)"
    run = record(QUIET, ["/usr/bin/python3", "-c", script])
    assert run.session["summary"]["fd_peak"] > int(run.stdout)


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("unshare"), reason="needs root to hide /proc")
def test_a_hidden_proc_costs_metrics_and_not_the_run(rustscope, validator, tmp_path):
    run = subprocess.run(
        ["unshare", "-m", "sh", "-c", f"mount -t tmpfs none /proc; exec {rustscope} -q {' '.join(QUIET)} -o s.json -- sh -c 'exit 9'"],
        cwd=tmp_path, capture_output=True, timeout=30,
    )  # fmt: skip
    if b"unshare failed" in run.stderr:
        pytest.skip("mount namespaces are not permitted here")
    assert run.returncode == 9
    session = load_session(tmp_path / "s.json")
    assert not list(validator.iter_errors(session))
    assert any("/proc is not mounted" in w for w in session["diagnostics"]["warnings"])


def test_a_zombie_is_no_trouble(record):
    program = "import os, time\nif os.fork() == 0: os._exit(0)\ntime.sleep(0.8)"
    session = record(QUIET, ["/usr/bin/python3", "-c", program]).session
    assert not [warning for warning in session["diagnostics"]["warnings"] if "still ran" in warning]
    assert all(value >= 0 for value in session["timeline"]["rss_mb"] if value is not None)


def test_a_stack_overflow_is_reported_and_leaves_its_core(rustscope, validator, tmp_path):
    """With shim and stacks: neither may turn a crash into something else."""
    (tmp_path / "deep.c").write_text(
        "#include <stdlib.h>\n"
        "int fall(int n) { volatile char frame[4096]; frame[n % 4096] = 1; free(malloc(n + 1)); return fall(n + 1) + frame[n % 4096]; }\n"
        "int main(void) { return fall(0); }\n"
    )
    subprocess.run(["gcc", "-O0", "-g", "-o", "deep", "deep.c"], cwd=tmp_path, check=True)
    run = subprocess.run(["sh", "-c", f"ulimit -c unlimited; exec {rustscope} -q --no-tui -o s.json -- ./deep"],
                         cwd=tmp_path, capture_output=True, text=True, timeout=60)  # fmt: skip
    assert run.returncode == 139
    session = load_session(tmp_path / "s.json")
    assert not list(validator.iter_errors(session))
    assert session["summary"]["total_allocations"] > 500
    if not pathlib.Path("/proc/sys/kernel/core_pattern").read_text().startswith(("|", "/")):
        assert list(tmp_path.glob("core*"))


def test_a_thread_storm_is_bounded(record):
    script = "import threading,time;e=threading.Event();[threading.Thread(target=e.wait).start() for _ in range(600)];time.sleep(.6);e.set()"
    session = record(QUIET, ["/usr/bin/python3", "-c", script]).session
    assert session["summary"]["thread_peak"] == 601


def test_locale_and_home_do_not_matter(rustscope, tmp_path):
    for env in ({"LC_ALL": "C"}, {"LC_ALL": "tr_TR.UTF-8"}, {"LC_NUMERIC": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"}, {}):
        run = subprocess.run(
            [rustscope, *QUIET[1:], "--no-tui", "-o", "s.json", "--spike-mem", "5.5", "--", "/bin/true"],
            env=env, cwd=tmp_path, capture_output=True, timeout=20,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        assert load_session(tmp_path / "s.json")["schema_version"] == 4


def test_a_comma_for_a_decimal_point_is_nowhere_in_the_session(rustscope, tmp_path):
    """The locale is a real one, made for this test."""
    made = [
        subprocess.run(["localedef", "-i", name, "-f", "UTF-8", str(tmp_path / f"{name}.UTF-8")], capture_output=True)
        for name in ("de_DE", "tr_TR") if shutil.which("localedef")
    ]  # fmt: skip
    if not made or any(done.returncode for done in made):
        pytest.skip("localedef has no sources of locales here")
    for name in ("de_DE.UTF-8", "tr_TR.UTF-8"):
        env = {**os.environ, "LOCPATH": str(tmp_path), "LC_ALL": name}
        assert subprocess.run(["/usr/bin/printf", "%.1f", "1,5"], env=env, capture_output=True).stdout == b"1,5"
        run = subprocess.run([rustscope, "--no-tui", "--spike-mem", "5.5", "-o", "s.json", "--", "sleep", "0.3"],
                             env=env, cwd=tmp_path, capture_output=True, text=True, timeout=20)  # fmt: skip
        assert run.returncode == 0, run.stderr
        session = load_session(tmp_path / "s.json")
        assert 0.3 <= session["meta"]["duration_sec"] < 10
        again = subprocess.run([rustscope, "report", "s.json"], env=env, cwd=tmp_path, capture_output=True, text=True)
        assert again.returncode == 0 and not re.search(r"\d,\d", run.stderr + again.stdout)


# -- real programs -----------------------------------------------------------------------------------------------


def test_a_shell_pipeline(record):
    run = record(QUIET, ["sh", "-c", "seq 3000000 | sort -rn | head -3"])
    assert run.stdout == b"3000000\n2999999\n2999998\n"
    assert {"sh", "sort"} <= {p["name"] for p in run.session["processes"]}


@pytest.mark.parametrize(
    "command, output",
    [
        (["sqlite3", ":memory:", "select 6*7"], b"42\n"),
        (["/usr/bin/python3", "-c", "print(6*7)"], b"42\n"),
        (["gcc", "--version"], None),
        (["gcc", "-O2", "-x", "c", "-S", "-o", "-", str(ROOT / "tests" / "targets" / "tgt_grow.c")], None),
        (["redis-server", "--version"], None),
    ],
)
def test_real_programs_run_as_they_do(record, command, output):
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    plain = subprocess.run(command, capture_output=True, timeout=30)
    run = record([], command)
    assert run.returncode == plain.returncode and run.stdout == plain.stdout
    assert output is None or run.stdout == output


def test_redis_under_load(record, tmp_path):
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    socket = tmp_path / "redis.sock"
    script = (
        f"redis-server --port 0 --unixsocket {socket} --save '' >/dev/null & server=$!;"
        f"while ! redis-cli -s {socket} ping >/dev/null 2>&1; do sleep 0.05; done;"
        f"redis-benchmark -s {socket} -q -n 20000 -t set,lpush >/dev/null; redis-cli -s {socket} shutdown nosave; wait $server"
    )
    run = record(["--no-tui"], ["sh", "-c", script], timeout=90)
    assert run.returncode == 0
    assert {"redis-server", "redis-benchmark"} <= {re.sub(r":.*", "", p["name"]) for p in run.session["processes"]}
    assert run.session["summary"]["cpu_ms"] > 50
