"""Programs and circumstances that are hard on a guest (F20-F49): the program never notices, and what was said stays true."""

import os
import shutil
import signal
import subprocess
import time

import pytest

from allocs import Allocs

PLAIN = ["--no-stacks", "-q"]


@pytest.mark.parametrize(
    "how", ["late", "signals", "longjmp", "coroutines", "seccomp", "nofile", "fsize", "as", "unset", "deep"]
)
def test_rude_programs_are_counted_and_unharmed(record, target, how):
    recording = record(PLAIN, [target("alloc_rude"), how])
    found = Allocs(recording.session)
    assert (recording.returncode, recording.stderr) == (0, b"")
    assert found.of("work") == 2000
    assert found.of("work", "leaked_count") == 0


def test_signal_handlers_and_late_destructors_count(record, target):
    found = Allocs(record(PLAIN, [target("alloc_rude"), "signals"]).session)
    assert found.under("on_alarm") >= 50
    found = Allocs(record(PLAIN, [target("alloc_rude"), "late"]).session)
    assert found.under("in_key_destructor") == 5
    for function in ("at_exit", "before_main", "after_main"):
        assert found.under(function) == 1, function


def test_a_pending_dlerror_does_not_bite_the_first_free(record, target):
    recording = record(PLAIN, [target("alloc_dlerror")])
    assert recording.returncode == 0
    assert Allocs(recording.session).of("main") >= 1000


def test_coroutines_have_their_own_stacks(record, target):
    found = Allocs(record(PLAIN, [target("alloc_rude"), "coroutines"]).session)
    assert found.under("in_coroutine") == 500
    assert found.under("coroutines") == 500
    assert not set(found.path_of(found.table["node"][0])) >= {"in_coroutine", "coroutines"}


def test_deep_recursion_is_cut_and_says_so(record, target):
    recording = record(PLAIN, [target("alloc_rude"), "deep"])
    found = Allocs(recording.session)
    assert found.under("[truncated]") == 1
    assert recording.session["diagnostics"]["folded"]["allocation_stacks_truncated"] == 1


def test_a_program_that_closes_everything_keeps_its_files_clean(record, target, tmp_path):
    path = tmp_path / "lines"
    recording = record(PLAIN, [target("alloc_rude"), "close", str(path)])
    assert recording.returncode == 0
    assert sorted(path.read_text().split("\n")[:-1]) == sorted(f"line {i}" for i in range(64))
    assert Allocs(recording.session).of("work") == 2000


def test_a_killed_cli_leaves_the_program_alone(rustscope, target, tmp_path):
    done = tmp_path / "done"
    command = ["/bin/sh", "-c", f'{target("alloc_rude")} sleep 1 && echo $? > {done}']
    process = subprocess.Popen([rustscope, *PLAIN, "-o", str(tmp_path / "s.json"), "--", *command])
    time.sleep(0.4)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for _ in range(100):
        if done.exists() and done.read_text():
            break
        time.sleep(0.1)
    assert done.read_text() == "0\n"


def test_a_stopped_cli_neither_blocks_nor_loses_totals(rustscope, target, tmp_path):
    """SIGSTOP while 64 MiB of events come and go: the program runs on at once, totals are right, leaks are not invented."""
    done, path = tmp_path / "done", tmp_path / "s.json"
    command = ["/bin/sh", "-c", f'sleep 0.3; {target("alloc_threads")} 2 6000000 && echo done > {done}']
    process = subprocess.Popen([rustscope, *PLAIN, "-o", str(path), "--", *command])
    time.sleep(0.2)
    process.send_signal(signal.SIGSTOP)
    for _ in range(400):
        if done.exists():
            break
        time.sleep(0.1)
    stopped_done = done.exists()
    process.send_signal(signal.SIGCONT)
    process.wait(timeout=60)
    assert stopped_done
    import json

    found = Allocs(json.loads(path.read_text()))
    assert found.of("pair") == 12000000
    assert found.of("pair", "leaked_count") == 0


@pytest.mark.parametrize("what", ["static", "asan", "musl"])
def test_programs_that_cannot_carry_the_shim_run_and_say_why(record, tmp_path, what):
    source = tmp_path / "p.c"
    source.write_text('#include <stdio.h>\n#include <stdlib.h>\nint main(void){free(malloc(9));puts("ran");return 5;}\n')
    compiler = {"static": ["gcc", "-static"], "asan": ["gcc", "-fsanitize=address"], "musl": ["musl-gcc"]}[what]
    if not shutil.which(compiler[0]):
        pytest.skip(f"{compiler[0]} is not installed")
    built = subprocess.run([*compiler, "-o", str(tmp_path / "p"), str(source)], capture_output=True)
    if built.returncode:
        pytest.skip(f"{what} programs cannot be built here")
    recording = record(["--no-stacks"], [str(tmp_path / "p")])
    assert (recording.returncode, recording.stdout) == (5, b"ran\n")
    process = recording.session["processes"][0]
    assert process["shim"]["status"] == "not_loaded"
    assert {"static": "static", "asan": "AddressSanitizer", "musl": "musl"}[what] in process["shim"]["reason"]
    assert any("allocations are not recorded" in w for w in recording.session["diagnostics"]["warnings"])


ALLOCATORS = ["libjemalloc.so.2", "libtcmalloc.so.4", "libtcmalloc_minimal.so.4", "libmimalloc.so.2"]


@pytest.mark.parametrize("library", ALLOCATORS)
def test_other_allocators_preloaded_beside_us(record, target, library):
    found = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
    path = next((line.split()[-1] for line in found.splitlines() if line.strip().startswith(library + " ")), None)
    if not path:
        pytest.skip(f"{library} is not installed")
    recording = record(PLAIN, [target("alloc_ends"), "_exit"], env={**os.environ, "LD_PRELOAD": path})
    assert recording.returncode == 7
    seen = Allocs(recording.session)
    assert (seen.of("hot"), seen.of("hot", "leaked_count"), seen.of("leak", "leaked_bytes")) == (1000, 0, 3072)


def test_nothing_is_left_behind(record, target):
    before = set(os.listdir("/dev/shm"))
    record(PLAIN, [target("alloc_ends")])
    assert not [name for name in set(os.listdir("/dev/shm")) - before if name.startswith("rustscope")]


class Listener:
    """`rustscope listen` on a FIFO in TMP, and programs started against it."""

    def __init__(self, rustscope, build, tmp_path, validator):
        self.fifo, self.path, self.validator = tmp_path / "fifo", tmp_path / "listen.json", validator
        self.env = {
            **os.environ,
            "RUSTSCOPE_ALLOC_PIPE": str(self.fifo),
            "LD_PRELOAD": str(build / "lib" / "librustscope_shim.so"),
        }
        self.process = subprocess.Popen([rustscope, "listen", "-q", "-o", str(self.path), str(self.fifo)])
        for _ in range(100):
            if self.fifo.exists():
                break
            time.sleep(0.05)
        time.sleep(0.1)

    def run(self, *argv, **kwargs):
        return subprocess.run(argv, env=self.env, timeout=30, **kwargs)

    def end(self):
        import json

        time.sleep(0.2)
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(timeout=20) == 0
        session = json.loads(self.path.read_text())
        assert not list(self.validator.iter_errors(session))
        return Allocs(session)


@pytest.fixture
def listener(rustscope, build, tmp_path, validator):
    made = Listener(rustscope, build, tmp_path, validator)
    yield made
    made.process.kill()
    made.process.wait()


def test_listen_collects_from_programs_started_elsewhere(listener, target):
    assert listener.run(target("alloc_ends"), "return").returncode == 7
    assert listener.run(target("alloc_threads"), "20", "2000").returncode == 0
    found = listener.end()
    assert (found.of("hot"), found.of("leak", "leaked_bytes"), found.of("pair")) == (1000, 3072, 40000)
    assert len([p for p in found.session["processes"] if p["shim"]["status"] == "loaded"]) == 2
    assert not listener.fifo.exists()


def test_a_fifo_descriptor_that_was_closed_is_never_written_to(listener, target, tmp_path):
    path = tmp_path / "lines"
    assert listener.run(target("alloc_rude"), "close", str(path)).returncode == 0
    assert sorted(path.read_text().split("\n")[:-1]) == sorted(f"line {i}" for i in range(64))
    assert listener.end().of("work") == 2000


def test_a_fifo_without_a_reader_stops_nobody(build, target, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    env = {**os.environ, "RUSTSCOPE_ALLOC_PIPE": str(fifo), "LD_PRELOAD": str(build / "lib" / "librustscope_shim.so")}
    ended = subprocess.run([target("alloc_threads"), "4", "100000"], env=env, timeout=30, capture_output=True)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize("kind", ["regular", "symlink", "directory", "missing"])
def test_a_path_that_is_no_fifo_is_left_alone(build, rustscope, target, tmp_path, kind):
    path, other = tmp_path / "pipe", tmp_path / "other"
    other.write_text("precious")
    if kind == "regular":
        path.write_text("precious")
    elif kind == "symlink":
        path.symlink_to(other)
    elif kind == "directory":
        path.mkdir()
    env = {**os.environ, "RUSTSCOPE_ALLOC_PIPE": str(path), "LD_PRELOAD": str(build / "lib" / "librustscope_shim.so")}
    assert subprocess.run([target("alloc_ends")], env=env, timeout=20).returncode == 7
    assert other.read_text() == "precious"
    if kind in ("regular", "symlink", "directory"):
        refused = subprocess.run(
            [rustscope, "listen", "-d", "1", "-o", str(tmp_path / "s.json"), str(path)], capture_output=True, timeout=20
        )
        assert refused.returncode == 1 and refused.stderr.count(b"\n") == 1
        assert other.read_text() == "precious"


def test_garbage_on_the_fifo_is_survived(listener, target):
    with open(listener.fifo, "wb") as fifo:
        fifo.write(os.urandom(20000))
        fifo.write(b"RSF1" * 1000)
    assert listener.run(target("alloc_ends"), "return").returncode == 7
    found = listener.end()
    assert found.of("hot") == 1000
    assert found.session["diagnostics"]["folded"]["channel_garbage"] > 0


COUNTER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static unsigned long calls;
#define NEXT(name) ({ static __typeof__(&name) next; if (!next) next = dlsym(RTLD_NEXT, #name); next; })
void *malloc(size_t n) { __atomic_fetch_add(&calls, 1, 0); return NEXT(malloc)(n); }
void *calloc(size_t n, size_t m) { __atomic_fetch_add(&calls, 1, 0); return NEXT(calloc)(n, m); }
void *realloc(void *p, size_t n) { __atomic_fetch_add(&calls, 1, 0); return NEXT(realloc)(p, n); }
void free(void *p) { __atomic_fetch_add(&calls, 1, 0); NEXT(free)(p); }
__attribute__((destructor)) static void tell(void)
{
    char text[40];
    int n = snprintf(text, sizeof(text), "calls %lu\n", calls);
    (void)!write(2, text, n);
}
"""


@pytest.mark.parametrize("program", [["alloc_rude"], ["alloc_threads", "4", "5000"], ["alloc_family"]])
def test_hooks_allocate_nothing(record, target, tmp_path, program):
    """A counter behind the shim sees exactly the calls that it sees without it."""
    (tmp_path / "counter.c").write_text(COUNTER)
    counter = str(tmp_path / "counter.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", counter, str(tmp_path / "counter.c")], check=True)
    env, argv = {**os.environ, "LD_PRELOAD": counter}, [target(program[0]), *program[1:]]
    plain = subprocess.run(argv, env=env, capture_output=True, timeout=20).stderr
    recording = record(PLAIN, argv, env=env)
    assert recording.session["summary"]["total_allocations"] > 10
    # Threads may reuse each other's thread-local blocks in either run.
    spread = 8 if program[0] == "alloc_threads" else 0
    # The program ends first; rustscope, which carries the counter too, has the last line.
    assert abs(int(plain.split()[1]) - int(recording.stderr.split()[1])) <= spread
