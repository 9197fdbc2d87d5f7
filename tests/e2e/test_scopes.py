"""librustscope seen from outside: its header, what it leaves in programs, its reports with and without the command."""

import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import stat
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = f"-I{ROOT / 'include'}"
EXAMPLES = ROOT / "examples"
STRICT = ["-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror", INCLUDE]
C = ["-std=c11", *STRICT]
CXX = ["-std=c++17", *STRICT]


def run(argv, timeout=60, env=None, **kwargs):
    merged = {**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=timeout, env=merged, **kwargs)


def ok(argv, **kwargs):
    process = run(argv, **kwargs)
    assert process.returncode == 0, process.stderr + process.stdout
    return process.stdout


def compilers():
    return [c for c in ("gcc", "clang", "aarch64-linux-gnu-gcc") if shutil.which(c)]


@pytest.fixture(scope="session")
def library(build):
    return build / "lib" / "librustscope.a"


def read(validator, path):
    session = json.loads(pathlib.Path(path).read_text())
    errors = sorted(validator.iter_errors(session), key=str)
    assert not errors, "\n".join(f"{list(e.absolute_path)}: {e.message}" for e in errors[:10])
    return session


def functions(session):
    return {f["name"]: f for f in session["functions"] if f["source"] != "sampled"}


def scope_names(session):
    return [session["strings"][i] for i in session["scopes"]["name"]]


# ---- the header ----


@pytest.mark.parametrize("compiler", compilers())
@pytest.mark.parametrize("define", [[], ["-DRUSTSCOPE_DISABLED"]])
def test_header_is_clean_in_c11_and_cxx17(compiler, define, tmp_path):
    cxx = compiler.replace("gcc", "g++") if "gcc" in compiler else "clang++"
    for source in ("scopes.c", "tasks.c"):
        ok([compiler, *C, *define, "-c", EXAMPLES / source, "-o", tmp_path / "x.o"])
    ok([cxx, *CXX, *define, "-c", EXAMPLES / "scopes.cpp", "-o", tmp_path / "x.o"])


def test_disabled_scopes_leave_nothing_in_the_assembly(tmp_path):
    plain = "int f(int x) { %s return x * 2; }\n"
    macros = (
        'RS_PROFILE("a"); RS_PROFILE_FUNC(); RS_PROFILE_IF(x > 1, "b"); RS_PROFILE_MODE("m", RUSTSCOPE_COUNT); '
        'rustscope_mark("c"); rustscope_counter("d", 1); RS_ASSERT_PERF("a", RUSTSCOPE_CALLS, 1); RS_PROFILE_BLOCK("e") { x++; }'
    )
    out = {}
    for name, body in (("with", macros), ("without", "x++;")):
        source = tmp_path / f"{name}.c"
        source.write_text("#include <rustscope.h>\n" + plain % body)
        text = ok(["gcc", *C, "-DRUSTSCOPE_DISABLED", "-S", "-fno-asynchronous-unwind-tables", source, "-o", "-"])
        out[name] = [line for line in text.splitlines() if not line.lstrip().startswith((".file", ".ident"))]
    assert out["with"] == out["without"]
    enabled = ok(["gcc", *C, "-S", tmp_path / "with.c", "-o", "-"])
    assert "rdtsc" in enabled or "cntvct" in enabled


def test_disabled_programs_need_no_library(tmp_path):
    program = tmp_path / "program"
    ok(["gcc", *C, "-DRUSTSCOPE_DISABLED", EXAMPLES / "scopes.c", "-o", program])
    assert run([program]).returncode == 0


def test_another_abi_number_does_not_link(library, tmp_path):
    header = (ROOT / "include" / "rustscope.h").read_text()
    (tmp_path / "rustscope.h").write_text(header.replace("symbol##_v1", "symbol##_v9"))
    source = tmp_path / "x.c"
    source.write_text('#include "rustscope.h"\nint main(void) { RS_PROFILE("x"); return 0; }\n')
    process = run(["gcc", "-O2", f"-I{tmp_path}", source, library, "-o", tmp_path / "x"])
    assert process.returncode != 0
    assert "rustscope_thread_v9" in process.stderr


def test_the_library_needs_libc_alone_and_exports_its_own_names(build):
    shared = build / "lib" / "librustscope.so"
    dynamic = ok(["readelf", "-dW", shared])
    assert re.findall(r"NEEDED.*\[(.*)\]", dynamic) in (["libc.so.6"], ["libc.so.6", "ld-linux-x86-64.so.2"])
    assert re.search(r"SONAME.*\[librustscope\.so\.\d+\]", dynamic)
    names = [line.split()[-1] for line in ok(["nm", "-D", "--defined-only", shared]).splitlines()]
    assert names and all(name.startswith("rustscope_") for name in names)
    assert {"rustscope_thread_v1", "rustscope_state_v1", "rustscope_enter", "rustscope_collect"} <= set(names)


# ---- examples, stand-alone ----


@pytest.mark.parametrize("example, compiler", [("scopes.c", "gcc"), ("scopes.cpp", "g++"), ("tasks.c", "gcc")])
def test_examples_run_and_their_reports_validate(example, compiler, library, validator, tmp_path):
    program, out = tmp_path / "program", tmp_path / "out.json"
    flags = C if compiler == "gcc" else CXX
    ok([compiler, *flags, EXAMPLES / example, library, "-pthread", "-o", program])
    ok([program], env={"RUSTSCOPE_OUT": str(out)}, cwd=tmp_path)
    session = read(validator, out)
    calls = {name: f["calls"] for name, f in functions(session).items()}
    if example == "scopes.c":
        assert calls["request"] == 1000 and calls["checksum"] == 2000 and calls["every hundredth"] == 10
        assert calls["fibonacci"] == 177 and functions(session)["fibonacci"]["max_depth"] == 10
        assert session["meta"]["name"] == "scopes example"
        assert session["meta"]["tags"] == ["example"] and session["meta"]["labels"] == {"language": "C"}
        assert [e["location"] for e in session["memory_events"]] == ["requests done"]
        assert "checksum" in session["timeline"]["counters"]
    elif example == "scopes.cpp":
        assert calls["shop::cart::add"] == 2000 and calls["refused"] == 200 and calls["fill"] == 2
    else:
        (task,) = session["async_tasks"]
        assert (task["started"], task["completed"], task["cancelled"], task["polls"]) == (3, 2, 1, 18)
        assert (tmp_path / "tasks.json").exists()


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_every_mode_counts_the_same_calls(compiler, library, validator, tmp_path):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler}")
    program = tmp_path / "program"
    ok([compiler, *C, EXAMPLES / "scopes.c", library, "-o", program])
    for mode in ("default", "precise", "sampled:8", "count", "off"):
        out = tmp_path / f"{mode}.json"
        process = run([program], env={"RUSTSCOPE_OUT": str(out), "RUSTSCOPE_MODE": mode})
        if mode == "off":
            assert not out.exists()
            continue
        assert process.returncode == 0, process.stderr
        session = read(validator, out)
        assert functions(session)["checksum"]["calls"] == 2000
        assert session["scopes"]["clocks"][0]["mode"] == mode.split(":")[0]
        timed = functions(session)["checksum"]["timing"]["timed_calls"]
        assert timed == 2000 if mode in ("default", "precise") else timed == 0 if mode == "count" else 100 < timed < 500


def test_without_anybody_asking_nothing_is_written(library, tmp_path):
    program = tmp_path / "bin" / "program"
    program.parent.mkdir()
    ok(["gcc", *C, EXAMPLES / "scopes.c", library, "-o", program])
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RUSTSCOPE_")}
    empty = tmp_path / "empty"
    empty.mkdir()
    process = subprocess.run([program], capture_output=True, cwd=empty, env=environment, timeout=20)
    assert process.returncode == 0 and not list(empty.iterdir())


def test_a_forked_child_writes_a_file_of_its_own(target, validator, tmp_path):
    ok([target("scopes")], env={"RUSTSCOPE_OUT": str(tmp_path / "out.json")})
    files = sorted(p.name for p in tmp_path.iterdir())
    assert len(files) == 2 and "out.json" in files
    (other,) = [f for f in files if f != "out.json"]
    assert re.fullmatch(r"out\.\d+\.json", other)
    parent, child = read(validator, tmp_path / "out.json"), read(validator, tmp_path / other)
    assert functions(parent)["request"]["calls"] == 40 and "child's" not in functions(parent)
    assert functions(child)["child's"]["calls"] == 5 and "request" not in functions(child)
    assert child["meta"]["pid"] == int(other.split(".")[1]) != parent["meta"]["pid"]


def test_percent_p_is_the_pid(target, tmp_path):
    ok([target("scopes")], env={"RUSTSCOPE_OUT": str(tmp_path / "a-%p.json")})
    assert len(list(tmp_path.glob("a-*.json"))) == 2


def test_bytes_allocated_in_a_scope_come_from_the_shim(record, library, tmp_path):
    source = tmp_path / "allocates.c"
    source.write_text(
        "#include <rustscope.h>\n#include <stdlib.h>\n"
        "int main(void) { void *volatile p; for (int i = 0; i < 1000; i++) { RS_PROFILE(\"outer\");\n"
        "  p = malloc(100); free(p); RS_PROFILE_BLOCK(\"inner\") { p = malloc(28); free(p); } } return 0; }\n"
    )
    ok(["gcc", "-O2", INCLUDE, source, library, "-pthread", "-o", tmp_path / "allocates"])
    recording = record(["-q"], [tmp_path / "allocates"])
    scopes = recording.session["scopes"]
    found = dict(zip(scope_names(recording.session), scopes["alloc_bytes"]))
    assert found == {"outer": 128000, "inner": 28000}
    assert recording.session["summary"]["total_allocations"] >= 2000


def test_a_report_to_a_pipe_or_a_device_is_written_there(target, tmp_path):
    """Renaming over it would replace the device: as root, /dev/null for everybody."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = subprocess.Popen(["cat", str(fifo)], stdout=subprocess.PIPE, text=True)
    ok([target("scopes")], env={"RUSTSCOPE_OUT": str(fifo)})
    assert "functions" in json.loads(reader.communicate(timeout=20)[0])
    assert fifo.is_fifo()
    if os.getuid() == 0:
        null = tmp_path / "null"
        os.mknod(null, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        ok([target("scopes")], env={"RUSTSCOPE_OUT": str(null)})
        assert null.is_char_device()


def test_an_unwritable_report_harms_nobody(target):
    assert run([target("scopes")], env={"RUSTSCOPE_OUT": "/nowhere/out.json"}).returncode == 0


# ---- under the command ----


def check_known_truth(session):
    found = functions(session)
    assert found["request"]["calls"] == 40 and found["hot_function"]["calls"] == 40
    assert found["hot_function"]["source"] in ("instrumented", "both")
    assert 440e6 <= found["hot_function"]["timing"]["total_ns"] < 4e9
    assert found["request"]["timing"]["self_ns"] < found["request"]["timing"]["total_ns"]
    assert found["allocate"]["timing"]["alloc_bytes"] in (0, 40 * 100000)
    assert found["child's"]["calls"] == 5
    names, scopes = scope_names(session), session["scopes"]
    row = names.index("hot_function")
    assert names[scopes["parent"][row]] == "request"
    assert scopes["process"][names.index("child's")] != scopes["process"][row]
    (violation,) = session["budget_violations"]
    assert violation["name"] == "request" and violation["count"] >= 1 and violation["worst_ns"] >= 60e6
    assert any(o["name"] == "request" and o["duration_ns"] >= 60e6 for o in session["outliers"])
    start, end = session["meta"]["start_ts"] - 1, session["meta"]["end_ts"] + 1
    assert all(start <= o["ts"] <= end for o in session["outliers"])
    (task,) = session["async_tasks"]
    assert (task["started"], task["completed"], task["cancelled"], task["polls"]) == (2, 1, 1, 3)
    assert task["busy_ns"] >= 6e6 and task["idle_ns"] >= 5.9e6 and task["scheduled_ns"] >= 1.9e6
    assert names[scopes["parent"][names.index("inside the poll")]] == "download"
    marks = [e for e in session["memory_events"] if e["type"] == "mark"]
    assert [m["location"] for m in marks] == ["begin", "requests done"]
    assert marks[1]["ts"] - marks[0]["ts"] >= 440
    assert session["meta"]["name"] == "known truth" and session["meta"]["tags"] == ["test"]
    assert session["meta"]["labels"] == {"kind": "scopes"}
    assert {c["process"] for c in scopes["clocks"]} == set(scopes["process"])


def test_scopes_reach_the_session(record, target):
    recording = record(["--no-tui", "-q"], [target("scopes")])
    assert recording.returncode == 0, recording.stderr
    check_known_truth(recording.session)
    values = [v for v in recording.session["timeline"]["counters"]["requests"]["value"] if v is not None]
    assert values == sorted(values) and 0 < values[0] < values[-1] <= 40


def test_allocations_are_charged_to_scopes_by_the_shim(record, target):
    recording = record(["--no-tui", "-q", "--no-stacks"], [target("scopes")])
    processes = recording.session["processes"]
    if processes[0]["shim"]["status"] != "loaded":
        pytest.skip("no shim: " + processes[0]["shim"]["reason"])
    assert functions(recording.session)["allocate"]["timing"]["alloc_bytes"] == 40 * 100000


def test_a_process_that_never_runs_destructors_misses_its_last_second_at_most(record, target):
    recording = record(["--no-tui", "-q", "--no-stacks"], [target("scopes"), "exit-without-destructors"])
    assert recording.returncode == 7
    check_known_truth(recording.session)
    assert 4 <= functions(recording.session)["before _exit"]["calls"] <= 15


def test_rustscope_out_and_the_command_do_not_disturb_each_other(record, target, validator, tmp_path):
    out = tmp_path / "own.json"
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "RUSTSCOPE_OUT": str(out)}
    recording = record(["--no-tui", "-q", "--no-stacks"], [target("scopes")], env=environment)
    assert functions(recording.session)["request"]["calls"] == 40
    assert functions(read(validator, out))["request"]["calls"] == 40


ENDS = """
#include <pthread.h>
#include <rustscope.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void own(int number) { (void)number, _exit(9); }

static void *waits(void *arg) { (void)arg; for (;;) { RS_PROFILE("in a thread"); } return NULL; }

int main(int argc, char **argv)
{
    static char small[16384];
    const char *how = argv[1];
    stack_t stack = {.ss_sp = small, .ss_size = sizeof(small)};
    pthread_t thread;

    if (!strcmp(how, "busy"))
        pthread_create(&thread, NULL, waits, NULL), usleep(100000);
    for (int i = 0; i < 5; i++) {
        RS_PROFILE("request");
    }
    if (!strcmp(how, "abort") || !strcmp(how, "busy"))
        abort();
    if (!strcmp(how, "in malloc")) {
        /* glibc finds this and aborts with the heap's lock held */
        void *volatile p = malloc(40);
        free(p);
        free(p);
    }
    if (!strcmp(how, "own handler"))
        signal(SIGTERM, own);
    if (!strcmp(how, "in a child") && fork() == 0) {
        RS_PROFILE_BLOCK("request") { }
        abort();
    }
    if (!strcmp(how, "overflow")) {
        struct sigaction action = {.sa_handler = (void (*)(int))abort, .sa_flags = SA_ONSTACK};
        sigaltstack(&stack, NULL);
        sigaction(SIGSEGV, &action, NULL);
        raise(SIGSEGV);
    }
    if (!strcmp(how, "assert")) {
        RS_ASSERT_PERF("request", RUSTSCOPE_MAX_NS, 0);
    }
    puts("ready");
    fflush(stdout);
    pause();
    (void)argc;
    return 0;
}
"""


@pytest.fixture(scope="module")
def ends(library, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ends")
    (folder / "ends.c").write_text(ENDS)
    ok(["gcc", "-O1", "-w", INCLUDE, folder / "ends.c", library, "-lpthread", "-o", folder / "ends"])
    return folder / "ends"


@pytest.mark.parametrize(
    "how, number", [("abort", 6), ("busy", 6), ("in malloc", 6), ("assert", 6), ("term", 15), ("int", 2), ("hup", 1)]
)
def test_a_program_that_a_signal_ends_leaves_its_report_and_ends_the_same(ends, validator, tmp_path, how, number):
    out = tmp_path / "out.json"
    argv = [ends, how]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "RUSTSCOPE_OUT": str(out)})
    if how in ("term", "int", "hup"):
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
    assert process.wait(timeout=30) == -number
    found = functions(read(validator, out))
    assert found["request"]["calls"] == 5
    assert how != "busy" or found["in a thread"]["calls"] > 0
    assert list(tmp_path.iterdir()) == [out]  # nothing half-written


def test_a_signal_that_the_program_handles_is_its_own(ends, tmp_path):
    env = {**os.environ, "RUSTSCOPE_OUT": str(tmp_path / "out.json")}
    process = subprocess.Popen([ends, "own handler"], stdout=subprocess.PIPE, env=env)
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    assert process.wait(timeout=30) == 9 and not list(tmp_path.iterdir())
    # Ignored it stays ignored, and with no report to write nothing is handled.
    asked = {**env, "RUSTSCOPE_OUT": ""}
    for extra, start, ignored, caught in ((env, lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN), True, False), (asked, None, False, False)):
        process = subprocess.Popen([ends, "wait"], stdout=subprocess.PIPE, env=extra, preexec_fn=start)
        assert process.stdout.readline() == b"ready\n"
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        bits = {line.split(":")[0]: int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigIgn", "SigCgt"))}
        assert bool(bits["SigIgn"] & 1) == ignored and bool(bits["SigCgt"] & 1) == caught
        process.kill()
        process.wait()


def test_a_child_that_aborts_writes_its_own_report(ends, validator, tmp_path):
    process = subprocess.Popen([ends, "in a child"], stdout=subprocess.PIPE, env={**os.environ, "RUSTSCOPE_OUT": str(tmp_path / "out.json")})
    assert process.stdout.readline() == b"ready\n"
    end = time.monotonic() + 20
    while not list(tmp_path.glob("out.*.json")) and time.monotonic() < end:
        time.sleep(0.05)
    process.terminate()
    process.wait()
    (child,) = tmp_path.glob("out.*.json")
    assert functions(read(validator, child))["request"]["calls"] == 1
    assert functions(read(validator, tmp_path / "out.json"))["request"]["calls"] == 5


def test_on_a_small_signal_stack_nothing_is_written(ends, tmp_path):
    ended = subprocess.run([ends, "overflow"], env={**os.environ, "RUSTSCOPE_OUT": str(tmp_path / "out.json")})
    assert ended.returncode == -6 and not list(tmp_path.iterdir())


# ---- modules that come and go, programs of other kinds ----

PLUGIN = """
#include <rustscope.h>
#define S(n) static void s##n(void) { RS_PROFILE("plugin " #n); }
#define T(n) S(n##0) S(n##1) S(n##2) S(n##3) S(n##4) S(n##5) S(n##6) S(n##7) S(n##8) S(n##9)
T(1) T(2) T(3) T(4) T(5) T(6) T(7) T(8) T(9) T(10) T(11) T(12) T(13) T(14) T(15) T(16) T(17) T(18) T(19) T(20)
void work(void);
void work(void) { RS_PROFILE_FUNC(); s10(); s209(); }
"""
HOST = """
#include <dlfcn.h>
#include <rustscope.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    for (int i = 0; i < 200; i++) {
        void *plugin = dlopen(argv[1], RTLD_NOW);
        void (*work)(void);

        if (!plugin) {
            fprintf(stderr, "%s\\n", dlerror());
            return 1;
        }
        work = (void (*)(void))dlsym(plugin, "work");
        work();
        work();
        dlclose(plugin);
    }
    (void)argc;
    return rustscope_write_json(argv[2]);
}
"""


def test_plugins_with_many_sites_may_be_unloaded_and_loaded_again(build, validator, tmp_path):
    (tmp_path / "plugin.c").write_text(PLUGIN)
    (tmp_path / "host.c").write_text(HOST)
    libs = [f"-L{build / 'lib'}", "-lrustscope", f"-Wl,-rpath,{build / 'lib'}"]
    ok(["gcc", "-O2", "-fPIC", "-shared", INCLUDE, tmp_path / "plugin.c", *libs, "-o", tmp_path / "plugin.so"])
    ok(["gcc", "-O2", INCLUDE, tmp_path / "host.c", *libs, "-o", tmp_path / "host"])
    ok([tmp_path / "host", tmp_path / "plugin.so", tmp_path / "out.json"])
    found = functions(read(validator, tmp_path / "out.json"))
    assert found["work"]["calls"] == found["plugin 10"]["calls"] == found["plugin 209"]["calls"] == 400


def test_the_library_itself_may_be_dlopened(build, tmp_path):
    (tmp_path / "plugin.c").write_text(PLUGIN)
    libs = [f"-L{build / 'lib'}", "-lrustscope", f"-Wl,-rpath,{build / 'lib'}"]
    ok(["gcc", "-O2", "-fPIC", "-shared", INCLUDE, tmp_path / "plugin.c", *libs, "-o", tmp_path / "plugin.so"])
    script = "import ctypes, sys, threading\nwork = ctypes.CDLL(sys.argv[1]).work\nfor _ in range(10):\n"
    script += "    t = threading.Thread(target=work)\n    t.start()\n    t.join()\n"
    out = tmp_path / "out.json"
    ok(["/usr/bin/python3", "-c", script, tmp_path / "plugin.so"], env={"RUSTSCOPE_OUT": str(out)})
    assert functions(json.loads(out.read_text()))["work"]["calls"] == 10


def test_a_fully_static_program_works(library, validator, tmp_path):
    ok(["gcc", "-static", *C, EXAMPLES / "scopes.c", library, "-o", tmp_path / "program"])
    ok([tmp_path / "program"], env={"RUSTSCOPE_OUT": str(tmp_path / "out.json")})
    assert functions(read(validator, tmp_path / "out.json"))["request"]["calls"] == 1000


def test_aarch64_programs_count_right(tmp_path):
    gcc, qemu = shutil.which("aarch64-linux-gnu-gcc"), shutil.which("qemu-aarch64")
    if not gcc or not qemu:
        pytest.skip("no aarch64 cross compiler or no qemu-aarch64")
    listed = re.search(r"set\(lib_core (.*?)\)", (ROOT / "src" / "lib" / "CMakeLists.txt").read_text())[1].split()
    core = [ROOT / "src" / "core" / f"{n}.c" for n in (*listed, "channel_linux")]
    lib = [p for p in (ROOT / "src" / "lib").rglob("*.c") if not p.stem.endswith(("darwin", "none"))]
    flags = ["-static", "-O2", "-D_GNU_SOURCE", '-DRUSTSCOPE_VERSION="0.4.0"', f"-I{ROOT / 'src'}", INCLUDE, "-fno-math-errno"]
    ok([gcc, *flags, EXAMPLES / "scopes.c", *core, *lib, "-lm", "-o", tmp_path / "program"], timeout=180)
    out = tmp_path / "out.json"
    ok([qemu, tmp_path / "program"], env={"RUSTSCOPE_OUT": str(out)})
    session = json.loads(out.read_text())
    assert functions(session)["request"]["calls"] == 1000 and functions(session)["fibonacci"]["max_depth"] == 10
    assert session["scopes"]["clocks"][0]["clock"] == "cntvct"


# ---- installed ----


@pytest.fixture(scope="module")
def installed(build, tmp_path_factory):
    prefix = tmp_path_factory.mktemp("prefix")
    ok(["cmake", "--install", build, "--prefix", prefix])
    # What is installed works from where it lies, also when it was moved there afterwards.
    return prefix.rename(prefix.parent / "moved there")


def test_pkg_config_finds_the_installed_library(installed, tmp_path):
    (pc,) = installed.rglob("rustscope.pc")
    environment = {"PKG_CONFIG_PATH": str(pc.parent)}
    flags = shlex.split(ok(["pkg-config", "--cflags", "--libs", "rustscope"], env=environment))
    ok(["gcc", "-std=c11", EXAMPLES / "tasks.c", *flags, "-o", tmp_path / "program"])
    (libdir,) = shlex.split(ok(["pkg-config", "--variable=libdir", "rustscope"], env=environment))
    ok([tmp_path / "program"], env={"LD_LIBRARY_PATH": libdir}, cwd=tmp_path)


def test_the_installed_command_finds_its_shim(installed, target, tmp_path):
    out = tmp_path / "out.json"
    ok([installed / "bin" / "rustscope", "--no-tui", "-q", "--no-stacks", "-o", out, "--", target("alloc_family")])
    assert json.loads(out.read_text())["diagnostics"]["alloc_backend"] == "shim"


def test_find_package_finds_the_installed_library(installed, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.20)\nproject(user C)\nfind_package(rustscope 0.4 REQUIRED)\n"
        f"add_executable(a {EXAMPLES / 'tasks.c'})\ntarget_link_libraries(a PRIVATE rustscope::rustscope)\n"
        f"add_executable(b {EXAMPLES / 'tasks.c'})\ntarget_link_libraries(b PRIVATE rustscope::rustscope_static)\n"
    )
    build = tmp_path / "build"
    ok(["cmake", "-G", "Ninja", "-S", tmp_path, "-B", build, f"-DCMAKE_PREFIX_PATH={installed}"])
    ok(["cmake", "--build", build])
    for program in ("a", "b"):
        ok([build / program], cwd=tmp_path)


def test_the_guides_examples_compile(library, tmp_path):
    guide = (ROOT / "docs" / "library.md").read_text()
    blocks = re.findall(r"```(c|cpp)\n(.*?)```", guide, flags=re.S)
    assert len(blocks) >= 4
    for i, (language, code) in enumerate(blocks):
        source = tmp_path / f"block{i}.{language}"
        source.write_text(code)
        compiler = ["gcc", "-std=c11"] if language == "c" else ["g++", "-std=c++17"]
        program = tmp_path / f"block{i}"
        ok([*compiler, "-Wall", "-Wextra", "-Werror", INCLUDE, source, library, "-pthread", "-o", program])
        ok([program], cwd=tmp_path)


# ---- the library's own time ----


def test_a_statically_linked_library_is_the_profilers_whichever_function_it_is_in(record, library, tmp_path):
    source = tmp_path / "reports.c"
    source.write_text(
        "#include <rustscope.h>\n#include <time.h>\n"
        "__attribute__((noinline)) static void scopes(void) { for (int i = 0; i < 1000; i++) { RS_PROFILE(\"one\"); } }\n"
        "int main(void) { clock_t end = clock() + CLOCKS_PER_SEC / 2;\n"
        "  do { scopes(); rustscope_write_json(\"/dev/null\"); } while (clock() < end); return 0; }\n"
    )
    ok(["gcc", *C, "-g", "-D_GNU_SOURCE", "-Wno-pedantic", source, library, "-pthread", "-o", tmp_path / "reports"])
    recording = record(["--no-tui", "-q", "--no-alloc"], [str(tmp_path / "reports")])
    diagnostics = recording.session["diagnostics"]
    if diagnostics["stack_backend"] != "perf_event":
        pytest.skip(f"perf_event: {diagnostics['warnings']}")
    sampled = [f for f in recording.session["functions"] if f["source"] != "instrumented"]
    # What writing a report takes lies in static functions, too; the program has two of its own.
    users = {f["name"] for f in sampled if f["layer"] == "user" and not f["name"].endswith("@plt")}
    assert users <= {"main", "scopes"}
    assert diagnostics["overhead_pct"] > 50
