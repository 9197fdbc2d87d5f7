"""Programs and circumstances that are hard on a guest (F20-F49): the program never notices, and what was said stays true."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from allocs import Allocs
from conftest import load_session

PLAIN = ["--no-stacks", "-q"]


@pytest.mark.parametrize(
    "how",
    ["late", "signals", "longjmp", "coroutines", "seccomp", "nofile", "fsize", "as", "memlock", "unset", "deep", "phdr", "cancel"],
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


def test_one_system_call_closes_everything(record, target, tmp_path):
    """close_range() past libc, stdio included; the next files get the numbers 0 to 2 and hold what the program wrote."""
    path = tmp_path / "lines"
    recording = record(PLAIN, [target("alloc_rude"), "close_range", str(path)])
    assert (recording.returncode, path.read_text()) == (0, "line 2\n")
    assert Allocs(recording.session).of("work") == 2000


def test_the_process_ends_while_threads_allocate(record, target):
    recording = record(PLAIN, [target("alloc_rude"), "exit_thread"])
    found = Allocs(recording.session)
    assert recording.returncode == 0
    assert found.of("work") == 2000
    # Of the blocks that are alive just then there is one a thread at most.
    assert found.of("come_and_go") > 3 and found.of("come_and_go", "leaked_count") <= 3


def test_a_double_free_ends_as_without_us(record, target):
    argv = [target("alloc_rude"), "double_free"]
    plain = subprocess.run(argv, capture_output=True, timeout=20)
    recording = record(PLAIN, argv)
    assert plain.returncode == -signal.SIGABRT and recording.returncode == 128 + signal.SIGABRT
    assert recording.stderr == plain.stderr
    assert recording.session["diagnostics"]["unknown_frees"] == 1
    assert min(v for v in recording.session["timeline"]["heap_mb"] if v is not None) >= 0


def test_a_preload_of_the_programs_own(record, target):
    """It sets LD_PRELOAD for its children, which are not ours any more; it goes on as before."""
    recording = record(PLAIN, [target("alloc_rude"), "preload", "/nonexistent.so"])
    assert recording.returncode == 0
    assert Allocs(recording.session).of("work") == 2000
    assert [p["shim"]["status"] for p in recording.session["processes"]].count("loaded") == 1


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@needs_root
@pytest.mark.parametrize("how", ["chroot", "setuid"])
def test_a_program_that_gives_rights_away(record, target, tmp_path, how):
    """No /dev/shm and no /proc any more, or another user's: what is mapped stays mapped."""
    jail = tmp_path / "jail"
    jail.mkdir()
    recording = record(PLAIN, [target("alloc_rude"), how, str(jail)])
    assert (recording.returncode, recording.stderr) == (0, b"")
    found = Allocs(recording.session)
    assert (found.of("work"), found.of("work", "leaked_count")) == (2000, 0)


def test_plugins_that_take_each_others_address(record, target):
    """400 times dlopen and dlclose: a stack belongs to what was mapped when it was taken."""
    recording = record(PLAIN, [target("alloc_plugins"), "storm"])
    assert recording.returncode == 0, "no plugin came to lie where the other had been"
    found = Allocs(recording.session)
    assert (found.of("allocate_in_one"), found.of("allocate_in_two")) == (1000, 1400)
    assert found.of("allocate_in_one", "leaked_count") == found.of("allocate_in_two", "leaked_count") == 0
    one = next(n for n in found.table["node"] if found.function_of(n) == "allocate_in_one")
    assert found.path_of(one)[:4] == ["allocate_in_one", "plugin_allocate", "use", "storm"]


def test_a_library_opened_by_a_relative_path_has_names(record, target, tmp_path):
    """The loader keeps "./x.so"; whoever reads the report is somewhere else."""
    folder, name = os.path.split(target("alloc_plugins"))
    recording = record(PLAIN, [f"./{name}", "storm"], cwd=folder, output=tmp_path / "relative.json")
    assert Allocs(recording.session).of("allocate_in_one") == 1000


@pytest.mark.parametrize("how", ["deepbind", "dlmopen"])
def test_libraries_with_a_scope_of_their_own(record, target, how):
    """Their calls go to libc (or to a libc of their own) past us; ours stay right and the program unharmed."""
    recording = record(PLAIN, [target("alloc_plugins"), how])
    assert (recording.returncode, recording.stderr) == (0, b"")
    found = Allocs(recording.session)
    assert found.of("allocate_here") == 10
    if how == "dlmopen":
        assert found.of("allocate_here", "leaked_count") == 0
    assert min(v for v in recording.session["timeline"]["heap_mb"] if v is not None) >= 0


THROW = r"""
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

struct fails {
    std::string text = std::string(100, 'x');
    explicit fails(int i) { if (i % 2) throw std::runtime_error("a text of more than fifteen characters"); }
};

/* Throws through frames that allocated, out of constructors, out of a failed operator new. */
static __attribute__((noinline)) int throw_often()
{
    int caught = 0;
    for (int i = 0; i < 1000; i++) {
        try {
            std::vector<fails *> all;
            all.push_back(new fails(i));
            delete all[0];
        } catch (const std::exception &) { caught++; }
        try {
            volatile std::size_t huge = ~0ul >> 2;
            char *volatile block = new char[huge];
            delete[] block;
        } catch (const std::bad_alloc &) { caught++; }
    }
    return caught;
}

static __attribute__((noinline)) void *pair()
{
    void *volatile block = std::malloc(40);
    std::free(block);
    return block;
}

int main()
{
    if (throw_often() != 1500)
        return 1;
    for (int i = 0; i < 500; i++)
        pair();
    return 0;
}
"""


def test_exceptions_pass_through_what_allocates(record, tmp_path):
    if not shutil.which("g++"):
        pytest.skip("g++ is not installed")
    (tmp_path / "throw.cpp").write_text(THROW)
    program = str(tmp_path / "throw")
    subprocess.run(["g++", "-O1", "-g", "-o", program, str(tmp_path / "throw.cpp")], check=True)
    recording = record(PLAIN, [program])
    assert (recording.returncode, recording.stderr) == (0, b"")
    found = Allocs(recording.session)
    assert found.of("pair()") == 500
    # 500 runtime_errors and 1,000 bad_allocs, each a block of the C++ run-time's; nothing of them is left.
    assert found.under("__cxa_allocate_exception") == 1500
    assert found.under("throw_often()", "leaked_count") == 0


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


@pytest.mark.parametrize("what", ["static", "asan", "tsan", "32 bit"])
def test_programs_that_cannot_carry_the_shim_run_and_say_why(record, tmp_path, what):
    source = tmp_path / "p.c"
    source.write_text(
        '#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n'
        'int main(void){free(malloc(9));puts("ran");fflush(stdout);usleep(400000);return 5;}\n'
    )
    flag = {"static": "-static", "asan": "-fsanitize=address", "tsan": "-fsanitize=thread", "32 bit": "-m32"}[what]
    built = subprocess.run(["gcc", flag, "-o", str(tmp_path / "p"), str(source)], capture_output=True)
    if built.returncode:
        pytest.skip(f"{what} programs cannot be built here")
    recording = record(["--no-stacks"], [str(tmp_path / "p")])
    assert (recording.returncode, recording.stdout) == (5, b"ran\n")
    process = recording.session["processes"][0]
    assert process["shim"]["status"] == "not_loaded"
    reason = {"static": "static", "asan": "AddressSanitizer", "tsan": "ThreadSanitizer", "32 bit": "32-bit"}[what]
    assert reason in process["shim"]["reason"]
    assert any("allocations are not recorded" in w for w in recording.session["diagnostics"]["warnings"])
    # As a child of a program that has the shim it is told of in its process; what the loader says of it is its own.
    recording = record(["--no-stacks"], ["/bin/sh", "-c", f"{tmp_path}/p; exit $?"])
    assert (recording.returncode, recording.stdout) == (5, b"ran\n")
    # Between its fork and its exec the child is a shell, which may be seen and is a process of its own.
    shells = [p for p in recording.session["processes"] if p["shim"]["status"] == "loaded"]
    # At its end LeakSanitizer looks at the program from a second process.
    children = [p for p in recording.session["processes"] if p["shim"]["status"] == "not_loaded"]
    assert shells and all(p["name"] == "sh" for p in shells)
    assert 1 <= len(children) <= (2 if what == "asan" else 1)
    assert all(p["name"] == "p" and reason in p["shim"]["reason"] for p in children)


def test_a_child_with_addresssanitizer_still_finds_its_bugs(record, tmp_path):
    """The hooks are in front of its allocator and only pass on; the user's options stay."""
    source = tmp_path / "p.c"
    source.write_text("#include <stdlib.h>\nint main(void){char *volatile p=malloc(9);free(p);return p[3];}\n")
    if subprocess.run(["gcc", "-g", "-fsanitize=address", "-o", str(tmp_path / "p"), str(source)], capture_output=True).returncode:
        pytest.skip("no AddressSanitizer here")
    env = {**os.environ, "ASAN_OPTIONS": "exitcode=42"}
    recording = record(["--no-stacks", "-q"], ["/bin/sh", "-c", f"{tmp_path}/p; exit $?"], env=env)
    assert recording.returncode == 42
    assert b"heap-use-after-free" in recording.stderr


@needs_root
def test_a_setuid_program_runs_and_says_why(rustscope):
    """The loader drops the preload where a file gives rights that the caller lacks: as another user than its owner."""
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        os.chmod(folder, 0o755)
        program, out = folder / "whoami", folder / "out"
        text = '#include <stdio.h>\n#include <unistd.h>\nint main(void){printf("%d\\n",geteuid());}\n'
        (folder / "w.c").write_text(text)
        subprocess.run(["gcc", "-o", str(program), str(folder / "w.c")], check=True)
        os.chmod(program, 0o4755)
        out.mkdir()
        os.chown(out, 65534, 65534)
        env = {"PATH": "/usr/bin:/bin", "HOME": str(out)}
        if subprocess.run(["test", "-x", rustscope], env=env, **nobody).returncode:
            pytest.skip(f"{rustscope} is closed to others")
        argv = [rustscope, "--no-stacks", "-o", str(out / "s.json"), "--", str(program)]
        ended = subprocess.run(argv, capture_output=True, timeout=30, env=env, **nobody)
        assert (ended.returncode, ended.stdout) == (0, b"0\n")
        session = load_session(out / "s.json")
    assert session["processes"][0]["shim"] == {"status": "not_loaded", "reason": "set-user-ID or set-group-ID"}
    assert any("allocations are not recorded" in w for w in session["diagnostics"]["warnings"])


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


@pytest.mark.parametrize("shm", ["missing", "read-only"])
def test_without_shared_memory_the_next_folder_will_do(rustscope, target, tmp_path, shm):
    """XDG_RUNTIME_DIR is not there and TMPDIR too long for a path: what is left is /tmp."""
    hide = "mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3" if shm == "missing" else "mount -t tmpfs -o ro none /dev/shm"
    long = tmp_path / ("x" * 120) / ("y" * 120)
    long.mkdir(parents=True)
    run = subprocess.run(
        ["unshare", "-m", "sh", "-c", f"{hide} || exit 77; exec {rustscope} {' '.join(PLAIN)} -o s.json -- {target('alloc_ends')}"],
        cwd=tmp_path, capture_output=True, timeout=30, env={**os.environ, "XDG_RUNTIME_DIR": "/no/such", "TMPDIR": str(long)},
    )  # fmt: skip
    if run.returncode == 77 or b"unshare failed" in run.stderr:
        pytest.skip("mount namespaces are not permitted here")
    session = load_session(tmp_path / "s.json")
    assert session["summary"]["total_allocations"] == 1003, session["diagnostics"]["warnings"]
    assert session["processes"][0]["shim"]["status"] == "loaded"


def test_a_fifo_that_others_may_write_to_is_refused(rustscope, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    fifo.chmod(0o622)
    run = subprocess.run([rustscope, "listen", str(fifo)], cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert run.returncode in (1, 2) and len(run.stderr.strip().splitlines()) == 1
    assert "others may write to it" in run.stderr
    assert not (tmp_path / "rustscope-last.json").exists()


@needs_root
def test_a_fifo_of_another_user_is_refused(rustscope, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    os.chown(fifo, 65534, 65534)
    run = subprocess.run([rustscope, "listen", str(fifo)], cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert run.returncode in (1, 2) and "belongs to somebody else" in run.stderr


def test_what_a_killed_rustscope_left_is_cleared_away_by_the_next(rustscope, record, target, tmp_path):
    def sessions():
        return {name for name in os.listdir("/dev/shm") if name.startswith("rustscope-")}

    before = sessions()
    process = subprocess.Popen([rustscope, *PLAIN, "-o", "s.json", "--", "sleep", "30"], cwd=tmp_path, stdin=subprocess.DEVNULL)
    for _ in range(100):
        time.sleep(0.1)
        if sessions() - before:
            break
    time.sleep(1)
    process.kill()
    process.wait()
    left = sessions() - before
    if not left:
        pytest.skip("sessions are not in /dev/shm here")
    record(PLAIN, [target("alloc_ends")])
    assert left <= sessions()  # too young: it might be one that just begins
    time.sleep(11)
    record(PLAIN, [target("alloc_ends")])
    assert not left & sessions()


def test_a_folder_that_only_looks_like_a_session_holds_nobody_up(rustscope, tmp_path):
    """A FIFO in the place of a slab would make whoever opens it for reading wait for a writer."""
    trap = pathlib.Path("/dev/shm/rustscope-trap00")
    trap.mkdir()
    try:
        os.mkfifo(trap / "pipe.slab")
        for owner in (0, 65534):
            if os.geteuid() == 0:
                os.chown(trap, owner, owner)
            began = time.monotonic()
            run = subprocess.run([rustscope, *PLAIN, "-o", "s.json", "--", "true"], cwd=tmp_path, capture_output=True, timeout=20)
            assert run.returncode == 0 and time.monotonic() - began < 15
        assert (trap / "pipe.slab").exists()
    finally:
        (trap / "pipe.slab").unlink()
        trap.rmdir()


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


LATE = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    void *shim = dlopen(argv[argc - 1], RTLD_NOW | RTLD_GLOBAL);
    if (!shim)
        puts(dlerror());
    for (int i = 0; i < 1000; i++)
        free(malloc(48));
    return shim == NULL;
}
"""


def test_the_shim_can_be_opened_late(build, tmp_path):
    """A library that is opened at run time shares 64 bytes of static thread-local storage with all others."""
    shim = build / "lib" / "librustscope_shim.so"
    for tool in ["gcc", "readelf"]:
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    (tmp_path / "late.c").write_text(LATE)
    subprocess.run(["gcc", "-O1", "-o", tmp_path / "late", tmp_path / "late.c", "-ldl"], check=True)
    ended = subprocess.run([tmp_path / "late", shim], capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stdout) == (0, "")
    headers = subprocess.run(["readelf", "-lW", shim], capture_output=True, text=True).stdout
    tls = next(line.split() for line in headers.splitlines() if line.split()[:1] == ["TLS"])
    assert 0 < int(tls[5], 16) <= 64
