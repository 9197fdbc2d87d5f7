"""Sampled stacks on programs with a known truth, with and without permissions.

Names are looked up with nm here, from module and address, so that these tests speak of the raw frames alone.
"""

import bisect
import collections
import contextlib
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

from conftest import open_to_all

ENV = {**os.environ, "LC_ALL": "C.UTF-8"}


class Symbols:
    """Function names of one ELF file, by address."""

    def __init__(self, path):
        lines = subprocess.run(["nm", "--defined-only", path], capture_output=True, text=True).stdout.splitlines()
        rows = sorted((int(a, 16), name) for a, kind, name in (x.split(" ", 2) for x in lines) if kind in "tTwW")
        self.addrs = [a for a, _ in rows]
        self.names = [n for _, n in rows]

    def name(self, addr):
        i = bisect.bisect_right(self.addrs, addr) - 1
        return self.names[i] if i >= 0 else None


class Stacks:
    """The call tree of a session as stacks of names, outermost first, with their weights in µs."""

    cache = {}

    def __init__(self, session):
        self.session = session
        self.cpu = self.weights(session["cpu"], "weight_us")
        self.total_us = sum(self.cpu.values())

    def frame(self, i):
        frames, modules, strings = (self.session[k] for k in ("frames", "modules", "strings"))
        module = frames["object"][i]
        if module < 0:
            return strings[frames["func"][i]]
        path = strings[modules["path"][module]]
        if path not in self.cache:
            self.cache[path] = Symbols(path) if pathlib.Path(path).is_file() else None
        name = self.cache[path] and self.cache[path].name(frames["addr"][i])
        return name or strings[modules["name"][module]]

    def stack(self, node):
        nodes, names = self.session["nodes"], []
        while node >= 0:
            if not self.session["frames"]["inlined"][nodes["frame"][node]]:
                names.append(self.frame(nodes["frame"][node]))
            node = nodes["parent"][node]
        return tuple(reversed(names))

    def weights(self, rows, column):
        by_node = collections.Counter()
        for node, weight in zip(rows["node"], rows[column]):
            by_node[node] += weight
        stacks = collections.Counter()
        for node, weight in by_node.items():
            stacks[self.stack(node)] += weight
        return stacks

    def us(self, *names):
        """CPU time of stacks that hold all NAMES in this order, outermost first."""

        def holds(stack):
            rest = iter(stack)
            return all(name in rest for name in names)

        return sum(us for stack, us in self.cpu.items() if holds(stack))


def backend(recording):
    return recording.session["diagnostics"]["stack_backend"]


def root_share(recording):
    reasons = recording.session["diagnostics"]["stop_reasons"]
    return reasons.get("root", 0) / max(1, sum(reasons.values()))


@pytest.fixture
def perf_record(record):
    """A recording that must have run with perf_event, else the test is skipped with the reason."""

    def run(options, command, **kwargs):
        recording = record(["--no-tui", "-q", "--no-alloc", *options], command, **kwargs)
        if backend(recording) != "perf_event":
            pytest.skip(f"perf_event: {recording.session['diagnostics']['warnings']}")
        return recording

    return run


def test_shares_of_functions_are_their_shares_of_cpu_time(perf_record, target):
    recording = perf_record([], [target("shares"), "2000"])
    stacks = Stacks(recording.session)
    for name, share in {"half_hot": 0.5, "third": 0.3, "fifth": 0.2}.items():
        measured = stacks.us("main", "round_of_all", name) / stacks.us("round_of_all")
        assert abs(measured - share) < 0.04, (name, measured)
    assert root_share(recording) >= 0.99


def test_cycles_are_sampled_where_the_cpu_counts_them_and_else_it_is_said(perf_record, target):
    recording = perf_record(["--stack-event", "cycles"], [target("shares"), "1000"])
    diagnostics = recording.session["diagnostics"]
    said = [w for w in diagnostics["warnings"] if "cycles" in w]
    # A virtual machine has no counters; the same event of ours decides which of the two must be.
    assert diagnostics["stack_event"] == ("cpu-clock" if said else "cycles")
    assert not said or "perf_event_open" in said[0]
    stacks = Stacks(recording.session)
    for name, share in {"half_hot": 0.5, "third": 0.3, "fifth": 0.2}.items():
        assert stacks.us("round_of_all", name) / stacks.us("round_of_all") == pytest.approx(share, abs=0.06), name
    measured = sum(p["cpu_ms"] for p in recording.session["processes"])
    assert stacks.total_us / 1000 == pytest.approx(measured, rel=0.02, abs=3)


def test_the_root_equals_the_measured_cpu_time(perf_record, target):
    recording = perf_record([], [target("shares"), "600"])
    stacks = Stacks(recording.session)
    measured = sum(p["cpu_ms"] for p in recording.session["processes"])
    assert stacks.total_us / 1000 == pytest.approx(measured, rel=0.02, abs=3)
    assert stacks.us("[unsampled]") < 0.1 * stacks.total_us
    assert recording.session["diagnostics"]["stack_event"] == "cpu-clock"


def test_threads_children_and_execs_are_sampled_from_their_start(perf_record, target):
    recording = perf_record([], [target("stack_threads")])
    stacks = Stacks(recording.session)
    for name, ms in {"thread_work": 400, "child_work": 200, "exec_work": 200}.items():
        assert stacks.us(name) / 1000 == pytest.approx(ms, rel=0.15), name
    # A thread of 5 ms loses less than one period of 1 ms; what is lost is in [unsampled].
    assert 60 <= stacks.us("short_work") / 1000 <= 115
    assert len(recording.session["processes"]) >= 2


def test_no_follow_leaves_children_out(perf_record, target):
    stacks = Stacks(perf_record(["--no-follow"], [target("stack_threads")]).session)
    assert stacks.us("thread_work") > 300000
    assert stacks.us("child_work") == 0


@pytest.mark.parametrize("inner, outer", [("in_drap", "with_drap"), ("in_alloca", "with_alloca"),
                                          ("in_handler", "raise_it")])
def test_hard_frames_are_unwound_to_main(perf_record, target, inner, outer):
    stacks = Stacks(perf_record([], [target("stack_odd")]).session)
    assert stacks.us(inner) > 100000
    assert stacks.us("main", outer, inner) >= 0.99 * stacks.us(inner)


def test_a_handler_on_another_stack_is_stitched_to_what_it_interrupted(perf_record, target):
    # The dump holds the stack that sp is on; what was interrupted lies on another one, and is read while it waits.
    stacks = Stacks(perf_record([], [target("stack_odd")]).session)
    whole = stacks.us("main", "raise_it", "on_alt_signal", "in_alt_handler")
    assert whole >= 0.8 * stacks.us("in_alt_handler") > 100000
    assert whole + stacks.us("[truncated]", "in_alt_handler") == pytest.approx(stacks.us("in_alt_handler"), abs=3000)


def test_a_frame_bigger_than_the_dump_is_stitched(perf_record, target, tmp_path):
    env = {**ENV, "XDG_CACHE_HOME": str(tmp_path)}
    recording = perf_record(["--stack-size", "8192"], [target("stack_odd")], env=env)
    stacks = Stacks(recording.session)
    diagnostics = recording.session["diagnostics"]
    assert diagnostics["stacks_stitched"] > 50
    # What is read later may have changed meanwhile; then the stack must say that it is not whole.
    whole = stacks.us("main", "with_big_frame", "in_big_frame")
    cut = stacks.us("[truncated]", "in_big_frame")
    assert whole + cut == pytest.approx(stacks.us("in_big_frame"), abs=3000)
    assert whole >= 0.8 * stacks.us("in_big_frame")


def test_the_dump_size_is_remembered_for_the_next_run(perf_record, target, tmp_path):
    env = {**ENV, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    perf_record(["--stack-size", "4096"], [target("stack_odd")], env=env)
    remembered = list((tmp_path / "cache" / "rustscope" / "stack-bytes").iterdir())
    assert len(remembered) == 1
    assert int(remembered[0].read_text()) == 8192


def test_recursion_beyond_every_limit_is_capped_and_marked(perf_record, target):
    recording = perf_record([], [target("stack_deep"), "100000"])
    stacks = Stacks(recording.session)
    assert stacks.us("[truncated]", "descend", "bottom") >= 0.9 * stacks.us("bottom") > 200000
    assert all(len(stack) < 1100 for stack in stacks.cpu)
    assert recording.session["diagnostics"]["stacks_truncated"] > 200


def test_an_address_belongs_to_the_library_that_was_mapped_at_its_time(perf_record, target):
    recording = perf_record([], [target("stack_dlopen")])
    stacks = Stacks(recording.session)
    for name in ("in_plugin_one", "in_plugin_two"):
        assert stacks.us("main", name) / 1000 == pytest.approx(240, rel=0.15), name
    assert stacks.us("[unknown]") == 0


def test_frames_of_a_jit_are_anonymous_and_lead_on(perf_record, target):
    stacks = Stacks(perf_record([], [target("stack_jit")]).session)
    assert stacks.us("main", "[anon]", "callback") >= 0.98 * stacks.us("callback") > 200000


def test_code_in_a_memfd_is_anonymous_and_leads_on(perf_record, tmp_path):
    (tmp_path / "memfd.c").write_text("""
        #define _GNU_SOURCE
        #include <string.h>
        #include <sys/mman.h>
        #include <unistd.h>
        /* count down from rdi, in 64 bit x86: dec rdi; jnz -5; ret */
        static const unsigned char code[] = {0x48, 0xff, 0xcf, 0x75, 0xfb, 0xc3};
        int main(void) {
            int fd = memfd_create("made-code", 0);
            ftruncate(fd, 4096);
            void *w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            memcpy(w, code, sizeof(code));
            void (*run)(long) = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
            close(fd);
            run(2000000000);
            return 0;
        }""")
    if os.uname().machine != "x86_64":
        pytest.skip("machine code of x86-64")
    subprocess.run(["gcc", "-O1", "-g", "-o", "memfd", "memfd.c"], cwd=tmp_path, check=True)
    recording = perf_record([], [str(tmp_path / "memfd")])
    assert recording.returncode == 0
    s = recording.session
    modules = {s["strings"][path]: i for i, path in enumerate(s["modules"]["path"])}
    made = [path for path in modules if path.startswith("[anon")]
    assert len(made) == 1, sorted(modules)
    frames = {i for i, module in enumerate(s["frames"]["object"]) if module == modules[made[0]]}
    in_it = sum(us for node, us in zip(s["cpu"]["node"], s["cpu"]["weight_us"]) if s["nodes"]["frame"][node] in frames)
    assert in_it > 0.8 * sum(s["cpu"]["weight_us"])
    assert root_share(recording) > 0.97


def test_exceptions_and_long_jumps_do_not_disturb_and_are_unwound(record, tmp_path):
    """With stacks and allocations, under a high rate: whatever moment a sample falls into, the program goes its way."""
    (tmp_path / "throws.cpp").write_text("""
        #include <csetjmp>
        #include <cstdio>
        #include <stdexcept>
        #include <string>
        static jmp_buf back;
        __attribute__((noinline)) int thrower(int n) { if (n == 0) throw std::runtime_error("x" + std::string(100, 'y')); return thrower(n - 1) + 1; }
        __attribute__((noinline)) int jumper(int n) { if (n == 0) longjmp(back, 7); return jumper(n - 1) + 1; }
        int main() {
            long caught = 0, jumped = 0;
            for (int i = 0; i < 60000; i++) {
                try { caught += thrower(i % 12); } catch (const std::exception &e) { caught += e.what()[1] == 'y'; }
                if (setjmp(back) == 0) jumper(i % 12); else jumped++;
            }
            std::printf("%ld %ld\\n", caught, jumped);
        }""")
    subprocess.run(["g++", "-O1", "-g", "-o", "throws", "throws.cpp"], cwd=tmp_path, check=True)
    recording = record(["--no-tui", "-q", "-F", "5000"], [str(tmp_path / "throws")])
    assert recording.returncode == 0 and recording.stdout == b"60000 60000\n"
    assert recording.session["summary"]["total_allocations"] >= 120000
    assert recording.session["diagnostics"]["stack_samples"] > 300
    assert root_share(recording) > 0.97
    functions = {function["name"] for function in recording.session["functions"]}
    assert any("thrower" in name for name in functions) and any("Unwind" in name for name in functions)


def test_rust_panics_that_are_caught_are_unwound(record, tmp_path):
    if not shutil.which("rustc"):
        pytest.skip("no rustc")
    (tmp_path / "panics.rs").write_text("""
        #[inline(never)] fn panicker(n: u32) -> u32 { if n == 0 { panic!("n is {n}") } panicker(n - 1) + 1 }
        fn main() {
            std::panic::set_hook(Box::new(|_| {}));
            let caught = (0..60000u32).filter(|i| std::panic::catch_unwind(|| panicker(i % 12)).is_err()).count();
            println!("{caught}");
        }""")
    subprocess.run(["rustc", "-O", "-g", "-o", "panics", "panics.rs"], cwd=tmp_path, check=True)
    recording = record(["--no-tui", "-q", "-F", "5000"], [str(tmp_path / "panics")])
    assert recording.returncode == 0 and recording.stdout == b"60000\n"
    assert recording.session["diagnostics"]["stack_samples"] > 200
    assert root_share(recording) > 0.97
    assert any("panics::panicker" in function["name"] for function in recording.session["functions"])


def test_a_program_with_as_many_mappings_as_are_allowed(perf_record, tmp_path):
    (tmp_path / "maps.c").write_text("""
        #include <stdio.h>
        #include <sys/mman.h>
        #include <time.h>
        int main(void) {
            const size_t pages = 64000;
            char *at = mmap(NULL, pages * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            size_t made = 0;
            for (size_t i = 0; i < pages; i += 2, made += 2)
                if (mprotect(at + i * 4096, 4096, PROT_READ | PROT_WRITE))
                    break;
            for (volatile long i = 0; i < 400000000; i++) ;
            printf("%zu\\n", made);
            return 0;
        }""")
    subprocess.run(["gcc", "-O1", "-g", "-o", "maps", "maps.c"], cwd=tmp_path, check=True)
    recording = perf_record([], [str(tmp_path / "maps")])
    assert recording.returncode == 0 and int(recording.stdout) > 60000
    assert root_share(recording) > 0.97
    assert recording.session["diagnostics"]["ticks"] > 10
    assert len(recording.session["modules"]["path"]) < 20


def test_a_deleted_program_still_has_its_frames(perf_record, target, tmp_path):
    copy = tmp_path / "gone"
    shutil.copy(target("shares"), copy)
    script = f"{copy} 500 & sleep 0.1; rm {copy}; wait"
    recording = perf_record([], ["/bin/sh", "-c", script])
    assert root_share(recording) >= 0.97


def test_attaching_samples_every_thread_and_leaves_no_trace(rustscope, target, tmp_path, validator):
    process = subprocess.Popen([target("shares"), "3000"])
    try:
        time.sleep(0.2)
        out = tmp_path / "attached.json"
        done = subprocess.run([rustscope, "--no-tui", "-q", "-d", "1", "-o", str(out), "--pid", str(process.pid)],
                              capture_output=True, timeout=30)
        assert done.returncode == 0, done.stderr
        session = json.loads(out.read_text())
        if session["diagnostics"]["stack_backend"] != "perf_event":
            pytest.skip("perf_event is not permitted")
        measured = sum(p["cpu_ms"] for p in session["processes"])
        assert Stacks(session).us("main", "round_of_all") / 1000 >= 0.85 * measured > 20
        assert process.poll() is None
        assert "TracerPid:\t0" in pathlib.Path(f"/proc/{process.pid}/status").read_text()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def many_threads(target, *args, **kwargs):
    with subprocess.Popen([target("many_threads"), *args], stdout=subprocess.PIPE, **kwargs) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


def attach(rustscope, process, out, validator, *options, open_files=None, **kwargs):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, open_files or resource.getrlimit(resource.RLIMIT_NOFILE))

    argv = [rustscope, "--no-tui", "-q", "-d", "1.5", *options, "-o", str(out), "--pid", str(process.pid)]
    runner = as_nobody if kwargs.pop("nobody", False) else subprocess.run
    kwargs.setdefault("env", ENV)
    done = runner(argv, preexec_fn=limit, **kwargs)
    assert done.returncode == 0, done.stderr
    session = json.loads(out.read_text())
    validator.validate(session)
    if session["diagnostics"]["stack_backend"] != "perf_event":
        pytest.skip(f"perf_event: {session['diagnostics']['warnings']}")
    return session


def measured_us(session):
    return 1000 * sum(p["cpu_ms"] for p in session["processes"])


def left_out(session):
    return [w for w in session["diagnostics"]["warnings"] if "are not sampled" in w]


def test_attaching_to_thousands_of_threads_raises_the_limit_of_open_files(rustscope, target, tmp_path, validator):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2000 * os.cpu_count():
        pytest.skip(f"the hard limit of open files is {hard}")
    with many_threads(target, "1000") as process:
        session = attach(rustscope, process, tmp_path / "s.json", validator,
                         open_files=(min(soft, 256), hard))
    stacks = Stacks(session)
    assert not left_out(session)
    assert stacks.us("busy_work") > 0.4 * measured_us(session)
    assert stacks.us("late_work") > 50000


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to see the whole system")
def test_beyond_the_descriptor_limit_root_samples_the_system_and_keeps_the_process(rustscope, target, tmp_path, validator):
    with many_threads(target, "3000") as process, many_threads(target, "0"):
        session = attach(rustscope, process, tmp_path / "s.json", validator, open_files=(400, 400))
    stacks = Stacks(session)
    measured = measured_us(session)
    assert not left_out(session)
    assert {p["pid"] for p in session["processes"]} == {process.pid}
    # The other process does the same work: its samples would double these.
    assert 0.85 * measured < stacks.us("busy_work") + stacks.us("late_work") < 1.05 * measured
    assert stacks.us("late_work") > 50000  # threads that were started later
    assert stacks.total_us == pytest.approx(measured, rel=0.05)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_beyond_the_descriptor_limit_a_user_gets_the_busiest_threads_and_the_number_left_out(
        rustscope, target, tmp_path, validator):
    open_to_all(tmp_path)
    if as_nobody([rustscope, "--version"]).returncode != 0:
        pytest.skip("another user cannot run the build")
    if int(pathlib.Path("/proc/sys/kernel/perf_event_paranoid").read_text()) < 1:
        pytest.skip("perf_event_paranoid permits everybody the whole system")
    sleepers, limit = 3000, 400
    with many_threads(target, str(sleepers), user=65534, group=65534, extra_groups=[]) as process:
        time.sleep(0.3)  # so that the busy thread is seen to be busy
        session = attach(rustscope, process, tmp_path / "s.json", validator, open_files=(limit, limit), nobody=True,
                         env={**ENV, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)})
    said = left_out(session)
    assert len(said) == 1 and "ulimit -n" in said[0], session["diagnostics"]["warnings"]
    number, total = (int(word) for word in re.findall(r"\d+", said[0])[:2])
    assert sleepers < total < sleepers + 20
    assert total - limit // os.cpu_count() <= number < total
    assert Stacks(session).us("busy_work") > 0.6 * measured_us(session)


def test_threads_that_start_while_attaching_are_sampled_once(rustscope, target, tmp_path, validator):
    with many_threads(target, "0", "churn") as process:
        session = attach(rustscope, process, tmp_path / "s.json", validator)
    measured = measured_us(session)
    # A thread of 1 ms loses up to a period of 1 ms; what matters is that none counts twice.
    assert 0.2 * measured < Stacks(session).us("churn_work") < 1.03 * measured
    assert Stacks(session).total_us == pytest.approx(measured, rel=0.05)


def test_waits_are_recorded_where_threads_wait(perf_record, target):
    recording = perf_record(["--off-cpu"], [target("waits")])
    session = recording.session
    if session["offcpu"]["approx"]:
        pytest.skip("stacks at context switches are not permitted")
    stacks = Stacks(session)
    waits = stacks.weights(session["offcpu"], "wait_us")

    def waited_ms(name):
        return sum(us for stack, us in waits.items() if name in stack) / 1000

    assert waited_ms("nap") == pytest.approx(400, rel=0.1)
    assert waited_ms("wait_for_lock") == pytest.approx(300, rel=0.15)
    assert waited_ms("hold") == pytest.approx(350, rel=0.1)


def test_delay_leaves_out_what_came_before(perf_record, target):
    stacks = Stacks(perf_record(["--delay", "0.5"], [target("shares"), "900"]).session)
    assert 10000 < stacks.us("round_of_all") < 890000


@pytest.mark.parametrize("error", ["EACCES", "ENOSYS", "ENOENT", "EOPNOTSUPP"])
def test_without_perf_a_timer_in_the_program_samples_and_the_remedy_is_named(rustscope, target, tmp_path, error):
    out = tmp_path / "denied.json"
    done = subprocess.run([target("deny_perf"), error, rustscope, "--no-tui", "-o", str(out), "--",
                           target("shares"), "2000"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    session = json.loads(out.read_text())
    diagnostics = session["diagnostics"]
    assert diagnostics["stack_backend"] == "timer"
    assert any("perf_event" in w for w in diagnostics["warnings"]), diagnostics["warnings"]
    assert diagnostics["stop_reasons"].get("root", 0) >= 0.99 * sum(diagnostics["stop_reasons"].values())
    stacks = Stacks(session)
    for name, share in {"half_hot": 0.5, "third": 0.3, "fifth": 0.2}.items():
        measured = stacks.us("main", "round_of_all", name) / stacks.us("round_of_all")
        assert abs(measured - share) < 0.08, (name, measured)
    assert stacks.total_us / 1000 == pytest.approx(sum(p["cpu_ms"] for p in session["processes"]), rel=0.05, abs=5)


def test_without_any_back_end_metrics_are_left_and_it_is_said(rustscope, target, tmp_path):
    process = subprocess.Popen([target("shares"), "3000"])
    try:
        out = tmp_path / "denied.json"
        done = subprocess.run([target("deny_perf"), "EACCES", rustscope, "--no-tui", "-d", "0.5", "-o", str(out), "--pid",
                               str(process.pid)], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        session = json.loads(out.read_text())
        assert session["diagnostics"]["stack_backend"] == "none"
        assert any("no call stacks" in w for w in session["diagnostics"]["warnings"])
        assert session["summary"]["cpu_ms"] > 10
    finally:
        process.kill()
        process.wait()


def as_nobody(command, **kwargs):
    return subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
                           "--bounding-set=-all", *command], capture_output=True, text=True, timeout=60, **kwargs)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
@pytest.mark.parametrize("memlock", [None, 0])
def test_a_user_without_privileges_gets_user_stacks(rustscope, target, tmp_path, memlock):
    open_to_all(tmp_path)

    def limit():
        if memlock is not None:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (memlock, memlock))

    if as_nobody([rustscope, "--version"]).returncode != 0:
        pytest.skip("another user cannot run the build")
    out = tmp_path / "user.json"
    done = as_nobody([rustscope, "--no-tui", "-o", str(out), "--", target("shares"), "500"], preexec_fn=limit,
                     env={**ENV, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    session = json.loads(out.read_text())
    if session["diagnostics"]["stack_backend"] != "perf_event":
        assert any("sysctl" in w for w in session["diagnostics"]["warnings"])
        return
    stacks = Stacks(session)
    assert stacks.us("main", "round_of_all") > 350000
    assert any("kernel.perf_event_paranoid=1" in w for w in session["diagnostics"]["warnings"])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_waits_of_a_user_without_privileges_are_approximate(rustscope, target, tmp_path):
    open_to_all(tmp_path)
    if as_nobody([rustscope, "--version"]).returncode != 0:
        pytest.skip("another user cannot run the build")
    out = tmp_path / "user.json"
    done = as_nobody([rustscope, "--no-tui", "--off-cpu", "-o", str(out), "--", target("waits")],
                     env={**ENV, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    session = json.loads(out.read_text())
    if session["diagnostics"]["stack_backend"] != "perf_event":
        pytest.skip("perf_event is not permitted")
    stacks = Stacks(session)
    waits = stacks.weights(session["offcpu"], "wait_us")
    paranoid = int(pathlib.Path("/proc/sys/kernel/perf_event_paranoid").read_text())
    assert session["offcpu"]["approx"] == (paranoid > 1)
    for name, ms in {"nap": 400, "wait_for_lock": 300}.items():
        waited = sum(us for stack, us in waits.items() if name in stack) / 1000
        assert waited == pytest.approx(ms, rel=0.2), waits


def test_a_rate_beyond_the_kernels_limit_is_refused(rustscope):
    limit = int(pathlib.Path("/proc/sys/kernel/perf_event_max_sample_rate").read_text())
    done = subprocess.run([rustscope, "-F", "20000", "--", "true"], capture_output=True, text=True)
    assert done.returncode == 2
    if limit < 10000:
        done = subprocess.run([rustscope, "-F", "10000", "--", "true"], capture_output=True, text=True)
        assert done.returncode == 2
        assert "kernel.perf_event_max_sample_rate" in done.stderr


def recorded_while(rustscope, target, tmp_path, disturb):
    """The session of 3 s of work; half a second after its start DISTURB is called with rustscope's process."""
    session = tmp_path / "s.json"
    process = subprocess.Popen(
        [rustscope, "--no-tui", "-q", "--no-alloc", "-o", session, "--", target("shares"), "3000"],
        env=ENV, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        time.sleep(0.5)
        disturb(process)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
    found = json.loads(session.read_text())
    if found["diagnostics"]["stack_backend"] != "perf_event":
        pytest.skip(f"stack back end: {found['diagnostics']['stack_backend']}")
    cpu_us = sum(p["cpu_ms"] for p in found["processes"]) * 1000
    assert Stacks(found).total_us == pytest.approx(cpu_us, rel=0.02), "what was not sampled is in [unsampled]"
    return found


def test_samples_that_a_full_ring_lost_are_counted_said_and_covered(rustscope, target, tmp_path):
    """rustscope stands still until its rings are full; the kernel counts what it could not keep."""

    def stand_still(process):
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        process.send_signal(signal.SIGCONT)

    found = recorded_while(rustscope, target, tmp_path, stand_still)
    assert found["diagnostics"]["stack_lost"] > 200
    assert any("stack samples were lost" in w for w in found["diagnostics"]["warnings"])
    assert Stacks(found).us("[unsampled]") > 200 * 1000


def test_throttled_samples_are_counted_and_said(rustscope, target, tmp_path):
    """Somebody lowers the kernel's limit below the rate of a session that runs."""
    limit = pathlib.Path("/proc/sys/kernel/perf_event_max_sample_rate")
    before = limit.read_text()

    def lower_the_limit(_):
        try:
            limit.write_text("100\n")
        except OSError as e:
            pytest.skip(f"{limit}: {e.strerror}")
        time.sleep(1)
        limit.write_text(before)

    try:
        found = recorded_while(rustscope, target, tmp_path, lower_the_limit)
    finally:
        if limit.read_text() != before:
            limit.write_text(before)
    warnings = found["diagnostics"]["warnings"]
    assert any(re.search(r"the kernel throttled sampling [1-9]", w) for w in warnings), warnings
