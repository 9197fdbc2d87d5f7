"""Machines that are short of something: memory, disk, permissions, their own /proc, a steady clock."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

from cgroups import cgroup, limit_memory
from conftest import load_session, open_to_all

QUIET = ["--no-tui", "--no-stacks", "--no-alloc"]
root = pytest.mark.skipif(os.getuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare")


def shared_object(folder, name, text):
    """Builds TEXT into a library to preload into rustscope; its path."""
    (folder / f"{name}.c").write_text(text)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", f"{name}.so", f"{name}.c"], cwd=folder, check=True)
    return str(folder / f"{name}.so")


def unshared(flags, argv, folder):
    """Runs ARGV in namespaces of its own; skips the test where those are not permitted."""
    run = subprocess.run(["unshare", *flags, *argv], cwd=folder, capture_output=True, text=True, timeout=60)
    if "unshare failed" in run.stderr or "mount:" in run.stderr:
        pytest.skip(f"not permitted here: {run.stderr.strip().splitlines()[0]}")
    return run


# -- memory and processes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [QUIET, ["--no-tui"]], ids=["metrics", "everything"])
def test_a_program_that_the_oom_killer_takes(record, tmp_path, options):
    group = cgroup("memory")
    if not group:
        pytest.skip("no cgroup whose memory may be limited")
    program = "kept = []\nwhile True: kept.append(bytearray(1 << 20))"
    try:
        limit_memory(group, 96 << 20)
        run = record(options, ["sh", "-c", f"echo $$ > {group}/cgroup.procs; exec /usr/bin/python3 -c '{program}'"])
    finally:
        time.sleep(0.2)
        group.rmdir()
    assert run.returncode == 128 + signal.SIGKILL
    assert run.session["meta"]["exit_signal"] == signal.SIGKILL and run.session["meta"]["stop_reason"] == "signal"
    assert 40 < run.session["summary"]["anon_peak_mb"] < 110
    if options is not QUIET:
        assert run.session["summary"]["total_allocations"] > 40


def test_thousands_of_forks_a_second(record, target):
    """What each did is in the totals; what is kept does not grow with them beyond the bounds, nothing is lost."""
    began = time.monotonic()
    plain = subprocess.run([target("children"), "6000", "0"], timeout=60)
    alone = time.monotonic() - began
    run = record(["--no-tui"], [target("children"), "6000", "0"], timeout=120)
    assert run.returncode == plain.returncode == 0
    session = run.session
    assert len(session["processes"]) <= 5000 and run.path.stat().st_size < 20e6
    assert session["diagnostics"]["folded"]["processes"] > 0
    assert session["diagnostics"]["events_dropped"] == 0
    print(f"{6000 / alone:.0f} forks a second alone, {6000 / session['meta']['duration_sec']:.0f} under rustscope")


def test_ten_thousand_threads(record, tmp_path):
    (tmp_path / "many.c").write_text("""
        #include <pthread.h>
        #include <stdio.h>
        #include <unistd.h>
        static void *rest(void *arg) { pause(); return arg; }
        int main(void) {
            pthread_attr_t attr; pthread_t thread; int n = 0;
            pthread_attr_init(&attr); pthread_attr_setstacksize(&attr, 32768);
            while (n < 10000 && !pthread_create(&thread, &attr, rest, NULL)) n++;
            sleep(2); printf("%d\\n", n); fflush(stdout); _exit(0);
        }""")
    subprocess.run(["gcc", "-O1", "-pthread", "-o", "many", "many.c"], cwd=tmp_path, check=True)
    made = int(subprocess.run(["./many"], cwd=tmp_path, capture_output=True, timeout=60).stdout)
    if made < 10000:
        pytest.skip(f"only {made} threads are permitted here")
    run = record(["--no-tui"], [str(tmp_path / "many")])
    assert run.returncode == 0 and run.stdout == b"10000\n"
    assert run.session["summary"]["thread_peak"] == 10001
    assert run.path.stat().st_size < 20e6
    assert run.session["diagnostics"]["ticks"] > 20


# -- /proc ---------------------------------------------------------------------------------------------------------


@root
def test_proc_of_another_pid_namespace_is_not_believed(rustscope, tmp_path):
    """There the same numbers are strangers: no metrics and a sentence, stacks and allocations as ever."""
    program = "x = bytearray(30 << 20)\nsum(range(5000000))"
    run = unshared(["-pf"], [rustscope, "--no-tui", "-o", "s.json", "--", "/usr/bin/python3", "-c", program], tmp_path)
    assert run.returncode == 0, run.stderr
    session = load_session(tmp_path / "s.json")
    assert any("another pid namespace" in warning for warning in session["diagnostics"]["warnings"])
    assert session["summary"]["cpu_avg_pct"] is None and session["summary"]["anon_peak_mb"] is None
    assert session["summary"]["heap_peak_mb"] > 31 and session["diagnostics"]["stack_samples"] > 10
    refused = unshared(["-pf"], [rustscope, "-q", *QUIET, "-o", "t.json", "--pid", "1"], tmp_path)
    assert refused.returncode != 0 and refused.stderr.count("\n") == 1 and not (tmp_path / "t.json").exists()
    doctor = unshared(["-pf"], [rustscope, "doctor"], tmp_path)
    assert re.search(r"missing +process metrics +/proc shows another pid namespace", doctor.stdout)


@root
def test_a_program_in_a_pid_namespace_of_its_own_is_watched(rustscope, tmp_path):
    inside = ["-pf", "--mount-proc"]
    unshared(inside, ["true"], tmp_path)
    program = "import time; x = bytearray(30 << 20); time.sleep(0.5)"
    run = subprocess.run([rustscope, "-q", "--no-tui", "-o", "s.json", "--", "unshare", *inside, "/usr/bin/python3", "-c", program],
                         cwd=tmp_path, capture_output=True, text=True, timeout=60)  # fmt: skip
    assert run.returncode == 0, run.stderr
    session = load_session(tmp_path / "s.json")
    inner = [process for process in session["processes"] if process["name"].startswith("python3")]
    assert len(inner) == 1 and inner[0]["pid"] > 1
    assert 31 < session["summary"]["anon_peak_mb"] < 60 and 31 < session["summary"]["heap_peak_mb"] < 60


@root
@pytest.mark.parametrize("level", ["1", "2", "invisible"])
def test_where_proc_is_closed_to_others(rustscope, tmp_path, level):
    """As another user, on a /proc that shows only one's own: the run is whole, and foreign processes are one sentence."""
    open_to_all(tmp_path)
    command = f"{rustscope} -q {' '.join(QUIET)} -o s.json -- sh -c 'sleep 0.3; exit 9'; echo status $?; " \
              f"{rustscope} -q {' '.join(QUIET)} -o t.json --pid 1; echo status $?"
    script = f"mount -t proc -o hidepid={level} proc /proc && exec setpriv --reuid=65534 --regid=65534 --clear-groups sh -c \"$1\""
    run = unshared(["-m"], ["sh", "-c", script, "sh", command], tmp_path)
    if "Permission denied" in run.stderr:
        pytest.skip(f"another user cannot reach the build: {run.stderr.strip().splitlines()[0]}")
    assert run.stdout.split("\n")[0] == "status 9", run.stderr
    session = load_session(tmp_path / "s.json")
    assert session["processes"][0]["name"] == "sh" and session["summary"]["rss_peak_mb"] > 0.5
    assert run.stdout.split("\n")[1] in ("status 1", "status 2") and run.stderr.count("\n") == 1
    assert not (tmp_path / "t.json").exists()


def test_an_empty_argv0_and_megabytes_of_arguments(rustscope, record, tmp_path):
    limit = os.sysconf("SC_ARG_MAX")
    argv = ["/bin/true", *["x" * 131000] * ((limit - 200000) // 131072)]
    assert len(argv) > 10
    run = record(QUIET, argv)
    assert run.returncode == 0 and run.session["meta"]["argv"] == argv
    idle = subprocess.Popen(["bash", "-c", "exec -a '' sleep 30"])
    try:
        time.sleep(0.3)
        run = subprocess.run([rustscope, *QUIET, "-d", "0.3", "-o", "s.json", "--pid", str(idle.pid)],
                             cwd=tmp_path, capture_output=True, text=True, timeout=20)  # fmt: skip
    finally:
        idle.kill()
        idle.wait()
    assert run.returncode == 0 and "sleep (pid" in run.stderr
    assert load_session(tmp_path / "s.json")["processes"][0]["argv"] == ["", "30"]
    run = subprocess.run([rustscope, *QUIET, "--", ""], cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert run.returncode == 127 and run.stderr.count("\n") == 1


# -- clocks --------------------------------------------------------------------------------------------------------

STEPPING_CLOCK = """
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
/* 0.6 s after the first call the wall clock goes back an hour; the machine was suspended for two when SUSPENDED. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
    static long began;
    struct timespec now;
    long rc = syscall(SYS_clock_gettime, id, ts), ms;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    ms = now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (!began)
        began = ms;
    if (ms - began > 600 && id == CLOCK_REALTIME)
        ts->tv_sec -= 3600;
    if (ms - began > 600 && id == CLOCK_BOOTTIME)
        ts->tv_sec += SUSPENDED;
    return (int)rc;
}
"""


@pytest.mark.parametrize("suspended", [0, 7200])
def test_a_clock_that_steps_and_a_machine_that_slept(rustscope, target, tmp_path, suspended):
    clock = shared_object(tmp_path, "clock", STEPPING_CLOCK.replace("SUSPENDED", str(suspended)))
    run = subprocess.run([rustscope, "-q", *QUIET, "-o", "s.json", "--", "env", "-u", "LD_PRELOAD", target("spin"), "1500", "40"],
                         cwd=tmp_path, env={**os.environ, "LD_PRELOAD": clock}, capture_output=True, text=True, timeout=30)  # fmt: skip
    assert run.returncode == 0, run.stderr
    session = load_session(tmp_path / "s.json")
    assert 1.4 < session["meta"]["duration_sec"] < 4
    assert abs(session["meta"]["start_ts"] - 1000 * time.time()) < 600e3
    stamps = [sample["ts"] for sample in session["samples"]]
    assert stamps == sorted(stamps) and stamps[-1] - stamps[0] < 4000
    cpu = [value for value in session["timeline"]["cpu_pct"] if value is not None]
    assert min(cpu) >= 0 and max(cpu) < 110  # one thread; a clock that jumped would make it thousands
    kinds = {event["type"] for event in session["memory_events"]}
    assert kinds <= {"gap"} and (("gap" in kinds) == bool(suspended))


# -- disks ---------------------------------------------------------------------------------------------------------


@root
def test_a_full_disk_keeps_the_old_report(rustscope, tmp_path):
    script = (
        "mount -t tmpfs -o size=64k none disk && cd disk && echo old > s.json && head -c 61440 /dev/zero > fill; "
        f"{rustscope} -q {' '.join(QUIET)} -o s.json -- /bin/echo hi; echo status $?; cat s.json; ls"
    )
    (tmp_path / "disk").mkdir()
    run = unshared(["-m"], ["sh", "-c", script], tmp_path)
    assert run.stdout == "hi\nstatus 1\nold\nfill\ns.json\n", run.stderr
    assert run.stderr.count("\n") == 1 and "No space left" in run.stderr


def test_a_disk_that_fails_keeps_the_old_report(rustscope, tmp_path):
    failing = shared_object(tmp_path, "failing", """
        #define _GNU_SOURCE
        #include <errno.h>
        #include <sys/stat.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        ssize_t write(int fd, const void *bytes, size_t n)
        {
            struct stat st;
            if (!fstat(fd, &st) && S_ISREG(st.st_mode) && n > 1000) {
                errno = EIO;
                return -1;
            }
            return syscall(SYS_write, fd, bytes, n);
        }""")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "s.json").write_text("the old report")
    run = subprocess.run([rustscope, "-q", *QUIET, "-o", "out/s.json", "--", "env", "-u", "LD_PRELOAD", "echo", "hi"],
                         cwd=tmp_path, env={**os.environ, "LD_PRELOAD": failing}, capture_output=True, text=True, timeout=30)  # fmt: skip
    assert run.returncode == 1 and run.stdout == "hi\n"
    assert run.stderr.count("\n") == 1 and "Input/output error" in run.stderr
    assert (tmp_path / "out" / "s.json").read_text() == "the old report"
    assert os.listdir(tmp_path / "out") == ["s.json"]


@root
def test_a_read_only_folder_is_said_before_the_program_runs(rustscope, tmp_path):
    script = f"mount --bind . . && mount -o remount,ro,bind . && cd \"$PWD\" && {rustscope} {' '.join(QUIET)} -- touch {tmp_path}/ran/x; echo status $?"
    (tmp_path / "ro").mkdir()
    (tmp_path / "ran").mkdir()
    run = unshared(["-m"], ["sh", "-c", script], tmp_path / "ro")
    assert run.stdout == "status 125\n"
    assert run.stderr.count("\n") == 1 and "ead-only" in run.stderr and "-o" in run.stderr
    assert not list((tmp_path / "ran").iterdir())


def test_the_report_may_be_on_another_file_system(rustscope, tmp_path):
    other = pathlib.Path(f"/dev/shm/rustscope-test-{os.getpid()}.json")
    if not os.access("/dev/shm", os.W_OK) or os.stat("/dev/shm").st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("no other file system to write to")
    try:
        other.write_text("{}")
        subprocess.run([rustscope, "-q", *QUIET, "-o", str(other), "--", "true"], cwd=tmp_path, check=True, timeout=20)
        assert json.loads(other.read_text())["schema_version"] == 4
        assert not list(tmp_path.iterdir()) and not list(other.parent.glob(f"{other.name}?*"))
    finally:
        other.unlink()
