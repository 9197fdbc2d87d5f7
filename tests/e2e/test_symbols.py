"""Names, inlined functions, files and layers in sessions of programs built in every way that matters."""

import collections
import contextlib
import http.server
import json
import lzma
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tests" / "targets" / "tgt_inlined.c"
FLAGS = ["-O2", "-fno-optimize-sibling-calls", "-D_GNU_SOURCE"]
MS = "400"


class Profile:
    """A session's functions by name, and its weighted stacks of (name, inlined), outermost first."""

    def __init__(self, recording):
        self.session = s = recording.session
        self.functions = {f["name"]: f for f in s["functions"]}
        self.modules = {s["strings"][p]: s["modules"]["symbols"][i] for i, p in enumerate(s["modules"]["path"])}
        weights = collections.Counter()
        for node, us in zip(s["cpu"]["node"], s["cpu"]["weight_us"]):
            weights[node] += us
        self.stacks = collections.Counter()
        for node, us in weights.items():
            self.stacks[self.stack(node)] += us

    def stack(self, node):
        s, frames = self.session, []
        while node >= 0:
            frame = s["nodes"]["frame"][node]
            func = s["frames"]["func"][frame]
            frames.append((s["strings"][func] if func >= 0 else None, bool(s["frames"]["inlined"][frame])))
            node = s["nodes"]["parent"][node]
        return tuple(reversed(frames))

    def us(self, *wanted):
        """CPU time of the stacks that hold WANTED, neighbours, outermost first."""
        return sum(us for stack, us in self.stacks.items()
                   if any(stack[i:i + len(wanted)] == wanted for i in range(len(stack))))

    def layer(self, name):
        return self.functions[name]["layer"]


def run(argv, **kwargs):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, **kwargs)
    assert done.returncode == 0, done.stderr


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip(f"no {tool}")


@pytest.fixture
def profile(record, tmp_path):
    def go(command, options=(), **kwargs):
        env = {**os.environ, "LC_ALL": "C.UTF-8", "XDG_CACHE_HOME": str(tmp_path / "cache"), **kwargs.pop("env", {})}
        recording = record(["--no-tui", "-q", "--no-alloc", *options], [str(c) for c in command], env=env, **kwargs)
        backend = recording.session["diagnostics"]["stack_backend"]
        if backend != "perf_event":
            pytest.skip(f"stack back end: {backend}")
        return Profile(recording)

    return go


# ---- builds of one program: what each must still tell ----

def plain(tmp, *flags, cc="gcc"):
    need(cc)
    program = tmp / "app"
    run([cc, *FLAGS, *flags, SOURCE, "-o", program], cwd=tmp)
    return program


def debuglink(tmp):
    need("objcopy")
    program = plain(tmp, "-g")
    run(["objcopy", "--only-keep-debug", program, tmp / "app.debug"])
    run(["objcopy", "--strip-all", f"--add-gnu-debuglink={tmp / 'app.debug'}", program])
    return program


def debuglink_without_build_id(tmp):
    need("objcopy")
    program = plain(tmp, "-g", "-Wl,--build-id=none")
    run(["objcopy", "--only-keep-debug", program, tmp / "app.debug"])
    run(["objcopy", "--strip-all", f"--add-gnu-debuglink={tmp / 'app.debug'}", program])
    return program


def alternate(tmp):
    """Debug information that two programs share, moved out by dwz."""
    need("dwz")
    program = plain(tmp, "-g", "-gdwarf-4")
    shutil.copy(program, tmp / "twin")
    run(["dwz", "-m", tmp / "common.debug", program, tmp / "twin"], cwd=tmp)
    return program


def zdebug(tmp):
    program = plain(tmp, "-g", "-gdwarf-4")
    run(["objcopy", "--compress-debug-sections=zlib-gnu", program])
    return program


def linked(linker, *flags):
    def build(tmp):
        need(f"ld.{linker}")
        return plain(tmp, "-g", f"-fuse-ld={linker}", *flags)

    return build


WITH_DWARF = {
    "dwarf4": lambda tmp: plain(tmp, "-gdwarf-4"),
    "dwarf5": lambda tmp: plain(tmp, "-gdwarf-5"),
    "zlib": lambda tmp: plain(tmp, "-g", "-gz=zlib"),
    "zdebug": zdebug,
    "split4": lambda tmp: plain(tmp, "-g", "-gdwarf-4", "-gsplit-dwarf"),
    "split5": lambda tmp: plain(tmp, "-g", "-gdwarf-5", "-gsplit-dwarf"),
    "static": lambda tmp: plain(tmp, "-g", "-static"),
    "static_pie": lambda tmp: plain(tmp, "-g", "-static-pie"),
    "no_pie": lambda tmp: plain(tmp, "-g", "-no-pie"),
    "clang": lambda tmp: plain(tmp, "-g", cc="clang"),
    "debuglink": debuglink,
    "debuglink_without_build_id": debuglink_without_build_id,
    "dwz": alternate,
    "relr": lambda tmp: plain(tmp, "-g", "-Wl,-z,pack-relative-relocs"),
    "gold": linked("gold"),
    "lld": linked("lld"),
    "lld_one_segment": linked("lld", "-Wl,--no-rosegment"),
    "mold": linked("mold"),
}


@pytest.mark.parametrize("build_as", WITH_DWARF.values(), ids=WITH_DWARF.keys())
def test_inlined_functions_are_found_in_every_form_of_dwarf(profile, tmp_path, build_as):
    p = profile([build_as(tmp_path), MS])
    total = p.us(("work", False))
    assert p.modules[str(tmp_path / "app")] == "dwarf"
    assert p.us(("work", False), ("step_inlined", True), ("burn_ms", True)) == pytest.approx(total * .5, rel=.15)
    assert p.us(("work", False), ("step_called", False), ("burn_ms", True)) == pytest.approx(total * .3, rel=.15)
    work = p.functions["work"]
    assert work["layer"] == "user" and work["module"] == "app"
    assert work["file"].endswith("tgt_inlined.c") and 20 < work["line"] < 50
    assert p.functions["burn_ms"]["file"].endswith("cpu_time.h")
    reasons = p.session["diagnostics"]["stop_reasons"]
    assert reasons["root"] >= .97 * sum(reasons.values()), reasons


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare")
def test_a_program_in_another_mount_namespace_is_read_there(record, tmp_path):
    """Its path names nothing, or another file, where rustscope looks: /proc/PID/root does."""
    program = plain(tmp_path, "-g")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "app").write_text("not this one")
    script = f"mount -t tmpfs none {tmp_path}/inside && cp {program} {tmp_path}/inside/app && exec {tmp_path}/inside/app {MS}"
    recording = record(["--no-tui", "-q", "--no-alloc"], ["unshare", "-m", "sh", "-c", script])
    if recording.returncode or recording.session["diagnostics"]["stack_backend"] != "perf_event":
        pytest.skip(f"not permitted here: {recording.stderr.decode()}")
    p = Profile(recording)
    assert p.functions["work"]["file"].endswith("tgt_inlined.c")
    assert p.us(("work", False), ("step_called", False), ("burn_ms", True)) > .2 * p.us(("work", False))


def test_shares_and_recursion_are_what_the_program_did(profile, target):
    p = profile([target("inlined"), "2000"])
    known = {"step_inlined": 50, "step_called": 30, "fall": 20}
    scale = p.functions["work"]["total_pct"] / 100
    for name, pct in known.items():
        assert p.functions[name]["total_pct"] / scale == pytest.approx(pct, abs=3), name
    assert p.functions["fall"]["total_pct"] <= 100  # 21 frames of it on the stack, counted once
    assert sum(f["self_pct"] for f in p.session["functions"]) == pytest.approx(100, abs=.1)
    rows_ms = sum(p.session["cpu"]["weight_us"]) / 1000
    assert rows_ms == pytest.approx(sum(process["cpu_ms"] for process in p.session["processes"]), rel=.02, abs=3)


def test_without_dwarf_the_symbol_table_names_functions(profile, tmp_path):
    p = profile([plain(tmp_path, "-g0"), MS])
    assert p.modules[str(tmp_path / "app")] == "symtab"
    assert p.us(("work", False), ("step_called", False)) > 0
    assert not any(inlined for stack in p.stacks for name, inlined in stack if name == "work")


def test_a_stripped_program_has_its_exported_names(profile, tmp_path):
    p = profile([plain(tmp_path, "-g0", "-s", "-rdynamic"), MS])
    assert p.modules[str(tmp_path / "app")] == "dynsym"
    assert p.us(("main", False), ("work", False)) > 0


def test_a_stripped_programs_functions_are_told_apart_by_where_they_begin(profile, tmp_path):
    program = plain(tmp_path, "-g0")
    symbols = subprocess.run(["nm", program], capture_output=True, text=True).stdout.split("\n")
    begin = {line.split()[2]: int(line.split()[0], 16) for line in symbols if len(line.split()) == 3}
    run(["strip", program])
    p = profile([program, MS])
    for name in ("work", "step_called", "fall"):
        assert p.functions[f"app+{begin[name]:#x}"]["total_pct"] > 10, name
    assert p.session["diagnostics"]["unknown_symbols"] > 0


def split_without_dwo(tmp, *flags):
    program = plain(tmp, "-g", "-gsplit-dwarf", *flags)
    if flags:
        run(["dwp", "-e", program], cwd=tmp)
    for dwo in tmp.glob("*.dwo"):
        dwo.unlink()
    return program


def test_split_dwarf_whose_other_half_is_gone_leaves_names_and_lines_and_is_named(profile, tmp_path):
    p = profile([split_without_dwo(tmp_path), MS])
    assert p.us(("work", False), ("step_called", False)) > 0
    work = p.functions["work"]
    assert work["file"].endswith(("tgt_inlined.c", "cpu_time.h")) and work["line"] > 0
    assert [w for w in p.session["diagnostics"]["warnings"] if ".dwo of " in w and "was not found" in w]


def test_a_lost_half_that_is_found_again_is_read_the_next_time(profile, tmp_path):
    program = plain(tmp_path, "-g", "-gsplit-dwarf")
    halves = {dwo: dwo.read_bytes() for dwo in tmp_path.glob("*.dwo")}
    for dwo in halves:
        dwo.unlink()
    assert not profile([program, MS]).us(("step_called", False), ("burn_ms", True))
    for dwo, contents in halves.items():
        dwo.write_bytes(contents)
    assert profile([program, MS]).us(("step_called", False), ("burn_ms", True)) > 0


def has_inlined_or_says(p, program, word):
    """The library in use reads the whole of PROGRAM's debug information, or a warning has WORD and names stay."""
    warnings = [w for w in p.session["diagnostics"]["warnings"] if word in w and str(program) in w]
    inlined = p.us(("work", False), ("step_inlined", True), ("burn_ms", True))
    assert p.us(("work", False), ("step_called", False)) > 0
    assert bool(inlined) != bool(warnings), p.session["diagnostics"]["warnings"]


def test_a_dwarf_package_is_read_or_named(profile, tmp_path):
    need("dwp")
    program = split_without_dwo(tmp_path, "-gdwarf-4")
    p = profile([program, MS])
    assert p.functions["work"]["line"] > 0
    has_inlined_or_says(p, program, "DWARF package")


def test_sections_compressed_with_zstd_are_read_or_named(profile, tmp_path):
    need("objcopy")
    program = plain(tmp_path, "-g")
    done = subprocess.run(["objcopy", "--compress-debug-sections=zstd", program], capture_output=True, text=True)
    if done.returncode or "zstd" in done.stderr:
        pytest.skip("objcopy does not know zstd")
    has_inlined_or_says(profile([program, MS]), program, "compressed")


def test_a_symbol_table_in_gnu_debugdata_is_read(profile, tmp_path):
    need("objcopy", "strip")
    program = plain(tmp_path, "-g0")
    shutil.copy(program, tmp_path / "mini")
    run(["strip", "--strip-debug", tmp_path / "mini"])
    (tmp_path / "mini.xz").write_bytes(lzma.compress((tmp_path / "mini").read_bytes()))
    run(["strip", program])
    run(["objcopy", f"--add-section=.gnu_debugdata={tmp_path / 'mini.xz'}", program])
    p = profile([program, MS])
    assert p.us(("work", False), ("step_called", False)) > 0


@pytest.mark.parametrize("name", ["with space", "with'quote\"s", "ünï©ode", "new\nline", "{}[]%s<script>", "x" * 255])
def test_any_path_is_read_and_kept(profile, tmp_path, name):
    program = plain(tmp_path, "-g")
    program.rename(tmp_path / name)
    p = profile([tmp_path / name, "200"])
    assert p.us(("work", False), ("step_inlined", True)) > 0
    assert str(tmp_path / name) in p.modules


def test_a_replaced_program_keeps_its_own_names(profile, tmp_path):
    """While the program runs another one takes its path: its names must not be used."""
    program = plain(tmp_path, "-g", "-g0")
    other = tmp_path / "other"
    (tmp_path / "other.c").write_text("void wrong(void){} int main(void){wrong();return 0;}")
    run(["gcc", "-g", tmp_path / "other.c", "-o", other])
    p = profile(["/bin/sh", "-c", f"{program} 500 & sleep 0.15; mv {other} {program}; wait"])
    assert p.us(("work", False), ("step_called", False)) > 0
    assert not {"wrong"} & set(p.functions)


RUST = """
#[inline(always)] fn spin(n: u64) -> u64 { let mut x = n; for i in 0..n { x = x.rotate_left(5) ^ i; } x }
#[inline(never)] fn inner(n: u64) -> u64 { spin(std::hint::black_box(n)) }
struct Work(u64);
trait Go { fn go(&self) -> u64; }
impl Go for Work { #[inline(never)] fn go(&self) -> u64 { inner(self.0) ^ 1 } }
fn main() {
    let end = std::time::Instant::now() + std::time::Duration::from_millis(400);
    let mut x = 0;
    while std::time::Instant::now() < end { x ^= std::hint::black_box(&Work(200_000) as &dyn Go).go(); }
    println!("{x}");
}
"""


@pytest.mark.parametrize("mangling", ["legacy", "v0"])
def test_rust_names_are_demangled_and_crates_told(profile, tmp_path, mangling):
    need("rustc")
    (tmp_path / "my-app.rs").write_text(RUST)
    flags = ["-Csymbol-mangling-version=v0"] if mangling == "v0" else []  # legacy is the stable compiler's default
    run(["rustc", "-O", "-g", "--crate-name", "my_app", *flags, "my-app.rs", "-o", "my-app"], cwd=tmp_path)
    p = profile([tmp_path / "my-app"])
    go = "<my_app::Work as my_app::Go>::go"
    assert p.us((go, False), ("my_app::inner", False), ("my_app::spin", True)) > 0
    assert p.functions["my_app::inner"]["module"] == "my_app" and p.layer("my_app::inner") == "user"
    runtime = [f for f in p.session["functions"] if f["layer"] == "runtime" and f["module"] == "std"]
    assert any("rust_begin_short_backtrace" in f["name"] for f in runtime)
    crates = {c["name"]: c for c in p.session["crate_rollups"]}
    assert crates["my_app"]["total_pct"] > 90


def test_jitted_functions_get_the_names_of_their_map(profile, tmp_path):
    need("node")
    script = "function hotSpot(n){let x=0;for(let i=0;i<n;i++)x=(x*31+i)|0;return x}" \
             "const e=Date.now()+700;while(Date.now()<e)hotSpot(100000);require('fs').writeFileSync('pid',''+process.pid)"
    p = profile(["node", "--perf-basic-prof", "--interpreted-frames-native-stack", "-e", script], cwd=tmp_path)
    pathlib.Path(f"/tmp/perf-{(tmp_path / 'pid').read_text()}.map").unlink(missing_ok=True)
    named = [f for f in p.session["functions"] if "hotSpot" in f["name"]]
    assert sum(f["self_pct"] for f in named) > 30
    assert all(f["layer"] == "user" for f in named)


def test_kernel_functions_are_named_where_permitted(profile):
    p = profile(["/bin/sh", "-c", "dd if=/dev/zero of=/dev/null bs=64k count=100000 2>/dev/null"])
    # Numbers of JSON are exact up to 2^53: kernel addresses are kept without their leading ones.
    assert max(p.session["frames"]["addr"]) < 2 ** 53
    kernel = [f for f in p.session["functions"] if f["layer"] == "kernel" and not f["name"].startswith("[")]
    hidden = pathlib.Path("/proc/kallsyms").read_text(errors="replace").startswith("0000000000000000")
    if hidden or not kernel and any(f["name"] == "[kernel: not permitted]" for f in p.session["functions"]):
        pytest.skip("kernel symbols are not permitted here")
    assert any("read" in f["name"] or "zero" in f["name"] or "clear" in f["name"] for f in kernel)


def test_allocator_and_startup_code_have_their_layers(profile, tmp_path):
    source = tmp_path / "m.c"
    source.write_text("#include <stdlib.h>\nint main(void){for(int i=0;i<6000000;i++){void*p=malloc(i%9000);"
                      "__asm__ volatile(\"\"::\"r\"(p));free(p);}return 0;}")
    run(["gcc", "-O1", "-g", source, "-o", tmp_path / "m"])
    p = profile([tmp_path / "m"])
    layers = collections.Counter()
    for f in p.session["functions"]:
        layers[f["layer"]] += f["self_pct"]
    assert layers["alloc"] > 50
    assert p.layer("main") == "user"
    assert p.layer("__libc_start_call_main") == "runtime"
    assert p.functions["main"]["total_pct"] > 90


def test_nothing_is_fetched_although_debuginfod_is_configured(profile, tmp_path):
    program = plain(tmp_path, "-g0", "-s")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.01)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        profile([program, "200"], env={"DEBUGINFOD_URLS": url, "DEBUGINFOD_TIMEOUT": "60"}, timeout=30)
        with pytest.raises(TimeoutError):
            server.accept()


@contextlib.contextmanager
def debuginfod_server(tmp_path):
    """A server that has nothing: what it was asked for, and the environment that points at it."""
    if not shutil.which("debuginfod-find") and not list(pathlib.Path("/usr/lib").glob("*/libdebuginfod.so.1")):
        pytest.skip("no libdebuginfod")
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield asked, {"DEBUGINFOD_URLS": f"http://127.0.0.1:{server.server_port}/",
                  "DEBUGINFOD_CACHE_PATH": str(tmp_path / "d")}
    server.shutdown()


def for_debug_files(asked):
    return [path for path in asked if path.startswith("/buildid/") and path.endswith("/debuginfo")]


def test_with_debuginfod_the_servers_are_asked_by_build_id(profile, tmp_path):
    with debuginfod_server(tmp_path) as (asked, env):
        profile([plain(tmp_path, "-g0", "-s"), "200"], ["--debuginfod"], env=env)
        assert for_debug_files(asked)


def test_a_report_asks_the_servers_only_when_told_to(rustscope, profile, tmp_path):
    session = tmp_path / "session.json"
    profile([plain(tmp_path, "-g0", "-s"), "200"])
    with debuginfod_server(tmp_path) as (asked, env):
        env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), **env}
        run([rustscope, "report", "--symbolize", session], env=env)
        assert not asked
        run([rustscope, "report", "--symbolize", "--debuginfod", session], env=env)
        assert for_debug_files(asked)
    refused = subprocess.run([rustscope, "report", "--debuginfod", session], capture_output=True, text=True)
    assert refused.returncode == 2 and "--symbolize" in refused.stderr and refused.stderr.count("\n") == 1


def test_a_silent_server_does_not_hang_the_report(profile, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        env = {"DEBUGINFOD_URLS": f"http://127.0.0.1:{server.getsockname()[1]}/", "DEBUGINFOD_TIMEOUT": "1",
               "DEBUGINFOD_CACHE_PATH": str(tmp_path / "d")}
        p = profile([plain(tmp_path, "-g0", "-s", "-rdynamic"), "200"], ["--debuginfod"], env=env, timeout=30)
    assert "work" in p.functions


def test_the_second_run_answers_from_the_cache(profile, tmp_path):
    program = plain(tmp_path, "-g")
    first = profile([program, MS])
    files = {f: f.stat().st_size for f in (tmp_path / "cache" / "rustscope" / "symbols").iterdir()}
    assert files and all(f.stat().st_mode & 0o77 == 0 for f in files)
    second = profile([program, MS])
    name = ("work", False), ("step_inlined", True), ("burn_ms", True)
    assert second.us(*name) == pytest.approx(first.us(*name), rel=.2)
    for f in files:  # a damaged cache is as good as none
        f.write_bytes(f.read_bytes()[: f.stat().st_size // 2])
    assert profile([program, MS]).us(*name) == pytest.approx(first.us(*name), rel=.2)


def test_every_spike_names_its_functions(profile, target):
    p = profile([target("inlined"), "800"], ["--spike-cpu", "10"])
    spikes = [e for e in p.session["memory_events"] if e["type"] == "cpu_spike"]
    assert spikes
    assert {"burn_ms"} & {f["name"] for f in spikes[0]["top_functions"]}
    assert p.session["hotspot_snapshots"][0]["top_functions"][0]["name"] == "burn_ms"


def test_samples_and_allocations_of_a_library_meet_in_one_module(record, tmp_path):
    """The loader knows a library by a link's path, the kernel by the file's."""
    (tmp_path / "lib.c").write_text("""
        #include <stdlib.h>
        void *fill(unsigned *sum)
        {
            for (unsigned i = 0; i < 300000000; i++)
                __asm__ volatile("" : "+r"(*sum) : "r"(i));
            return malloc(1000);
        }""")
    (tmp_path / "app.c").write_text("""
        void *fill(unsigned *sum);
        int main(void) { unsigned sum = 0; return fill(&sum) == (void *)0; }""")
    run(["gcc", "-O1", "-shared", "-fPIC", "-Wl,-soname,libfill.so.1", "-o", tmp_path / "libfill.so.1.2", tmp_path / "lib.c"])
    (tmp_path / "libfill.so.1").symlink_to("libfill.so.1.2")
    run(["gcc", "-o", tmp_path / "app", tmp_path / "app.c", tmp_path / "libfill.so.1", f"-Wl,-rpath,{tmp_path}"])
    s = record(["--no-tui", "-q"], [str(tmp_path / "app")]).session
    if s["diagnostics"]["stack_backend"] == "none":
        pytest.skip("no stack back end")
    paths = [s["strings"][path] for path in s["modules"]["path"]]
    assert [path for path in paths if "libfill" in path] == [str(tmp_path / "libfill.so.1.2")]
    assert len({(path, s["modules"]["build_id"][i]) for i, path in enumerate(paths)}) == len(paths)
    build_ids = [s["strings"][b] for b in s["modules"]["build_id"]]
    known = [b for b in build_ids if b]
    assert len(known) == len(set(known)), "one file as two modules"


UNITS, FUNCTIONS = 60, 2700


def build_with_100_mb_of_debug_information(tmp):
    """The same unit many times, its names prefixed: each is entered, so that each must be read."""
    need("gcc", "objcopy", "size")
    unit = ["static int volatile sink;"]
    for i in range(FUNCTIONS):
        fields = " ".join(f"int field_{i}_{k};" for k in range(24))
        unit.append(f"struct s{i} {{ {fields} }};")
        unit.append(f"static inline int inner{i}(struct s{i} *p) {{ int local{i} = p->field_{i}_3; return local{i} + sink; }}")
        unit.append(f"int outer{i}(struct s{i} *p) {{ return inner{i}(p) + inner{i}(p + 1); }}")
    unit.append("void work(void) { for (int i = 0; i < 10000000; i++) sink += i; }")
    (tmp / "unit.c").write_text("\n".join(unit))
    run(["gcc", "-O1", "-g", "-c", "unit.c"], cwd=tmp)
    calls = [f"u{u}_work" for u in range(UNITS)]
    for u in range(UNITS):
        run(["objcopy", f"--prefix-symbols=u{u}_", "unit.o", f"unit{u}.o"], cwd=tmp)
    main = "".join(f"void {c}(void);" for c in calls) + "\n#include <unistd.h>\nint main(void) {"
    main += "".join(f"{c}();" for c in calls) + ' return write(1, "done", 4) != 4; }'
    (tmp / "main.c").write_text(main)
    run(["gcc", "-O1", "-g", "main.c", *(f"unit{u}.o" for u in range(UNITS)), "-o", "big"], cwd=tmp)
    for unit in tmp.glob("unit*.o"):
        unit.unlink()
    sections = subprocess.run(["size", "-A", tmp / "big"], capture_output=True, text=True).stdout
    assert sum(int(line.split()[1]) for line in sections.splitlines() if line.startswith(".debug_")) > 100_000_000
    return tmp / "big"


def test_ctrl_c_ends_the_reading_of_100_mb_of_debug_information_and_keeps_the_names(rustscope, profile, tmp_path):
    big = build_with_100_mb_of_debug_information(tmp_path)
    session = tmp_path / "s.json"
    # Without a cache from a run before; stdin is no terminal.
    env = {**os.environ, "LC_ALL": "C.UTF-8", "XDG_CACHE_HOME": str(tmp_path / "cold")}
    process = subprocess.Popen([rustscope, "--no-tui", "-q", "--no-alloc", "-o", session, "--", big], env=env,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        assert process.stdout.read(4) == b"done"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
    found = json.loads(session.read_text())
    if found["diagnostics"]["stack_backend"] != "perf_event":
        pytest.skip(f"stack back end: {found['diagnostics']['stack_backend']}")
    assert any("Ctrl-C stopped the reading of debug information" in w for w in found["diagnostics"]["warnings"]), found["diagnostics"]["warnings"]
    names = {f["name"] for f in found["functions"]}
    assert sum(f"u{u}_work" in names for u in range(UNITS)) > UNITS / 2, "the symbol table's names are kept"
    printed = subprocess.run([rustscope, "report", "--symbolize", session], env=env, capture_output=True, text=True)
    assert printed.returncode == 0, printed.stderr
    assert re.search(r"u\d+_work.*unit\.c", printed.stdout), printed.stdout
    big.unlink()
