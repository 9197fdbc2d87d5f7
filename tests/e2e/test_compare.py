"""compare: each exit status, the words, other programs and machines, and sessions of every age."""

import gzip
import json
import os
import pathlib
import re
import subprocess

import jsonschema
import pytest

from conftest import ROOT, load_session

GOLDEN = ROOT / "tests" / "golden"
SHOP = GOLDEN / "session_shop.json.gz"


@pytest.fixture(scope="module")
def compare(build):
    def run(*argv):
        command = [str(build / "bin" / "rustscope"), "compare", *map(str, argv)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, "LC_ALL": "C.UTF-8"})

    return run


@pytest.fixture(scope="module")
def comparison_schema():
    schema = json.loads((ROOT / "docs" / "compare.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture
def compared(compare, comparison_schema):
    """compared(argv...): the answer as data, valid, with its status equal to the exit status."""

    def run(*argv):
        result = compare("--json", *argv)
        assert not result.stderr, result.stderr
        answer = json.loads(result.stdout)
        errors = sorted(comparison_schema.iter_errors(answer), key=str)
        assert not errors, "\n".join(f"{list(e.absolute_path)}: {e.message}" for e in errors[:10])
        assert answer["status"] == result.returncode
        return answer

    return run


def figure(answer, kind, metric, subject=None):
    found = [f for f in answer["figures"] if f["kind"] == kind and f["metric"] == metric and subject in (None, f["subject"])]
    assert len(found) == 1, (kind, metric, subject, [f["subject"] for f in answer["figures"] if f["metric"] == metric])
    return found[0]


@pytest.fixture
def edited(tmp_path):
    """edited(name, change): the shop's session with CHANGE(session) made to it."""

    def make(name, change=lambda session: None, source=SHOP):
        session = load_session(source)
        change(session)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(session))
        return path

    return make


def scaled_runs(edited, arm, factors, spoil=lambda s: None):
    """Sessions that start one second apart, in turns with the other arm's; FACTOR slows each down."""
    paths = []
    for i, factor in enumerate(factors):

        def change(s, factor=factor, i=i):
            at = s["meta"]["clock"]["unix_ms"]
            s["meta"]["clock"]["unix_ms"] = at + 2000 * i + (arm == "new") * 1000
            s["meta"]["duration_sec"] *= factor
            for p in s["processes"]:
                p["cpu_ms"] = p["cpu_ms"] * factor
            spoil(s)

        paths.append(edited(f"{arm}/{i:02}.json", change))
    return paths


NOISE = [1.0, 1.01, 0.99, 1.005, 0.995, 1.015, 0.985, 1.0, 1.008, 0.992]


def test_a_session_against_itself_never_regressed(compared):
    for path in sorted(GOLDEN.glob("session_*.json.gz")):
        answer = compared(path, path)
        assert answer["status"] == 0
        assert not [f for f in answer["figures"] if f["verdict"] in ("regressed", "improved", "new", "gone")]
        assert all(f["ratio"] in (1, None) for f in answer["figures"])


def test_a_copy_under_another_name_is_the_same_program(compared, edited):
    def renamed(s):
        old = s["meta"]["target_binary"]
        s["meta"]["target_binary"] = "/elsewhere/under/another_name"
        s["strings"] = ["/elsewhere/under/another_name" if t == old else "another_name" if t == os.path.basename(old) else t for t in s["strings"]]
        for f in s["functions"]:
            f["module"] = "another_name" if f["module"] == os.path.basename(old) else f["module"]

    answer = compared(SHOP, edited("renamed.json", renamed))
    assert answer["status"] == 0 and answer["unfit"] == []
    assert not [f for f in answer["figures"] if f["verdict"] in ("regressed", "improved", "new", "gone")]


def test_a_planted_slowdown_is_found_in_several_runs(compared, edited, tmp_path):
    scaled_runs(edited, "base", NOISE)
    scaled_runs(edited, "new", [1.12 * f for f in NOISE])
    answer = compared("--base", tmp_path / "base", "--new", tmp_path / "new")
    wall = figure(answer, "total", "wall")
    assert answer["status"] == 1 and answer["paired"]
    assert wall["verdict"] == "regressed" and wall["severity"] == "moderate" and wall["fails"]
    assert 1.05 < wall["low"] <= wall["ratio"] <= wall["high"] and abs(wall["ratio"] - 1.12) < 0.01
    assert len(wall["base_runs"]) == len(wall["new_runs"]) == 10
    assert re.match(r"NEW is 1[12]\.\d % slower \(\d+\.\d to \d+\.\d %\)", answer["sentence"])
    assert compared("--fail-on", "critical", "--base", tmp_path / "base", "--new", tmp_path / "new")["status"] == 0
    assert compared("--fail-on", "none", "--base", tmp_path / "base", "--new", tmp_path / "new")["status"] == 0
    assert compared("--threshold", "15", "--base", tmp_path / "base", "--new", tmp_path / "new")["status"] == 0
    assert compared("--metric", "allocations", "--base", tmp_path / "base", "--new", tmp_path / "new")["status"] == 0
    assert compared("--floor", "10s", "--base", tmp_path / "base", "--new", tmp_path / "new")["status"] == 0
    back = compared("--base", tmp_path / "new", "--new", tmp_path / "base")
    assert back["status"] == 0 and figure(back, "total", "wall")["verdict"] == "improved"


def test_scattered_runs_are_no_verdict(compared, edited, tmp_path):
    """One arm of 71 % scatter: the ratio is +83 % and nobody may call it so."""
    scaled_runs(edited, "base", [1, 1.01, 0.99, 1, 1.02])
    scaled_runs(edited, "new", [0.7, 4.2, 0.9, 0.8, 4.0])
    answer = compared("--base", tmp_path / "base", "--new", tmp_path / "new")
    wall = figure(answer, "total", "wall")
    assert wall["ratio"] > 1.5 and wall["verdict"] == "not comparable" and "scatter" in wall["reason"]
    assert answer["status"] == 3


def test_unsure_says_how_many_runs_settle_it(compared, edited, tmp_path):
    scaled_runs(edited, "base", [1, 1.08, 0.93, 1.05])
    scaled_runs(edited, "new", [1.1, 1.02, 1.16, 1.07])
    answer = compared("--base", tmp_path / "base", "--new", tmp_path / "new")
    wall = figure(answer, "total", "wall")
    assert wall["verdict"] == "unsure" and 4 < wall["runs_needed"] < 1000
    assert answer["status"] == 0
    assert "runs a side would settle it" in wall["reason"]


def test_one_run_a_side_is_no_test(compared, edited):
    slower = edited("slower.json", lambda s: s["meta"].update(duration_sec=s["meta"]["duration_sec"] * 1.2))
    answer = compared(SHOP, slower)
    assert figure(answer, "total", "wall")["verdict"] == "unsure" and answer["status"] == 0
    assert "one run a side is no test" in figure(answer, "total", "wall")["reason"]
    much = edited("much.json", lambda s: s["meta"].update(duration_sec=s["meta"]["duration_sec"] * 1.3))
    assert figure(compared(SHOP, much), "total", "wall")["verdict"] == "regressed"


@pytest.mark.parametrize("change, words", [
    (lambda s: s["meta"].update(cpu_model="Another CPU 3000"), "processors differ"),
    (lambda s: s["meta"].update(cpu_cores=64), "2 and 64 processors"),
    (lambda s: s["meta"].update(fitness={"others_cpu_pct": 40.0, "steal_pct": 25.0}), "Others took 65 % of the machine"),
    (lambda s: s["meta"].update(host_arch="aarch64"), "aarch64"),
    (lambda s: s["meta"].update(stack_rate_hz=97), "same options"),
    (lambda s: s["diagnostics"].update(alloc_backend="none"), "same options"),
])  # fmt: skip
def test_what_is_not_fit_is_said_and_exits_with_3(compare, compared, edited, change, words):
    quiet = edited("quiet.json", lambda s: s["meta"].update(fitness={"others_cpu_pct": 1.5, "steal_pct": 0.0}))
    other = edited("other.json", lambda s: (s["meta"].update(fitness={"others_cpu_pct": 2.0, "steal_pct": 0.0}), change(s)))
    answer = compared(quiet, other)
    assert answer["status"] == 3
    assert words in " ".join(answer["unfit"])
    times = [f for f in answer["figures"] if f["unit"] == "ns"]
    assert times and all(f["verdict"] in ("not comparable", "new", "gone") for f in times)
    assert words in re.sub(r"\s+", " ", compare(quiet, other).stdout)


def test_runs_in_turns_on_a_busy_machine_are_compared(compared, edited, tmp_path):
    """The load hit both alike: it is a note."""
    busy = {"others_cpu_pct": 45.0, "steal_pct": 5.0}
    scaled_runs(edited, "base", NOISE, lambda s: s["meta"].update(fitness=busy))
    scaled_runs(edited, "new", [1.12 * f for f in NOISE], lambda s: s["meta"].update(fitness=busy))
    answer = compared("--base", tmp_path / "base", "--new", tmp_path / "new")
    assert answer["status"] == 1 and answer["unfit"] == []
    assert any("50 % of the machine" in note for note in answer["notes"])


def test_a_recording_tells_what_others_did(record, target):
    """Beside a program that spins on one processor of N: a part of 1/N at the least, unless the machine has many."""
    spinner = subprocess.Popen(["sh", "-c", "while :; do :; done"])
    try:
        session = record(["--no-stacks", "--no-alloc"], ["sleep", "1.5"]).session
    finally:
        spinner.kill()
        spinner.wait()
    assert 100 >= session["meta"]["fitness"]["others_cpu_pct"] >= 0.5 * 100 / session["meta"]["cpu_cores"]
    assert session["meta"]["fitness"]["steal_pct"] >= 0


def test_other_programs_are_not_compared(compared):
    answer = compared(SHOP, GOLDEN / "session_plumbing_1.95.json.gz")
    assert answer["status"] == 3 and "little in common" in answer["sentence"]


def test_compilers_of_two_years_are_compared(compared):
    answer = compared(GOLDEN / "session_plumbing_1.63.json.gz", GOLDEN / "session_plumbing_1.95.json.gz")
    assert answer["status"] == 0 and answer["unfit"] == []
    assert {"kind": "function", "gone": "core::cmp::impls::<impl core::cmp::Ord for u64>::cmp", "new": "<u64 as core::cmp::Ord>::cmp"} in answer["moved"]


@pytest.mark.parametrize("argv, words", [
    ([], "two sessions"),
    (["{shop}"], "two sessions"),
    (["{shop}", "{shop}", "{shop}"], "--base FILE... --new FILE..."),
    (["{shop}", "--new", "{shop}"], "not both"),
    (["--nonsense", "{shop}", "{shop}"], "does not know --nonsense"),
    (["--threshold", "x", "{shop}", "{shop}"], "per cent"),
    (["--threshold", "nan", "{shop}", "{shop}"], "per cent"),
    (["--threshold", "5,", "{shop}", "{shop}"], "per cent"),
    (["--floor", "1 parsec", "{shop}", "{shop}"], "a time, a size or a number"),
    (["--metric", "speed", "{shop}", "{shop}"], 'no metric "speed"'),
    (["--fail-on", "often", "{shop}", "{shop}"], "any, minor, moderate, critical or none"),
    (["--top", "0", "{shop}", "{shop}"], "from 1 to 10000"),
    (["--json", "--markdown", "{shop}", "{shop}"], "choose one"),
    (["--window", "100..200", "{shop}", "{shop}"], "outside"),
    (["--window", "x", "{shop}", "{shop}"], "--window"),
    (["--threshold"], "needs a value"),
])  # fmt: skip
def test_wrong_use_is_one_sentence_and_exits_with_2(compare, argv, words):
    result = compare(*[a.format(shop=SHOP) for a in argv])
    assert result.returncode == 2 and result.stdout == ""
    assert words in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.parametrize("content, words", [
    (None, "cannot read"),
    (b"", "empty"),
    (b"{", "cut off"),
    (b"[1, 2]", "not a RustScope session"),
    (b'{"schema_version": 5, "meta": {}}', "schema version 5"),
    (b'{"schema_version": NaN, "meta": {}}', "not a RustScope session"),
    (b"\x1f\x8b\x08\x00broken", "gzip"),
])  # fmt: skip
def test_a_session_that_cannot_be_read_is_one_sentence_and_exits_with_3(compare, tmp_path, content, words):
    path = tmp_path / "broken.json"
    if content is not None:
        path.write_bytes(content)
    for pair in ((path, SHOP), (SHOP, path)):
        result = compare(*pair)
        assert result.returncode == 3 and result.stdout == ""
        assert words in result.stderr and result.stderr.count("\n") == 1


def test_an_empty_folder_is_said(compare, tmp_path):
    result = compare("--base", tmp_path, "--new", SHOP)
    assert result.returncode == 2 and "there are no sessions" in result.stderr


def test_sessions_with_little_in_them(compared, edited):
    def without_stacks(s):
        for key in ("cpu", "nodes"):
            s[key] = {k: ([] if isinstance(v, list) else v) for k, v in s[key].items()}
        s["cpu"]["start"] = [0]
        for key in ("offcpu", "alloc_buckets"):
            if key in s:
                s[key] = {k: ([] if isinstance(v, list) else v) for k, v in s[key].items()}
                s[key]["start"] = [0]
        s["functions"] = []
        s["leaks"] = []
        s["memory_events"] = []
        s["hotspot_snapshots"] = []
        s["outliers"] = []
        for k, v in s["allocations"].items():
            if isinstance(v, list) and k != "lifetimes":
                s["allocations"][k] = []

    bare = edited("bare.json", without_stacks)
    answer = compared(SHOP, bare)
    assert answer["status"] in (0, 1)  # allocations are the same; functions are on one side only
    assert not [f for f in answer["figures"] if f["kind"] == "function" and f["verdict"] != "not comparable"]
    assert any("Only base has any function" in note for note in answer["notes"])
    assert compared(bare, bare)["status"] == 0


def test_a_giant_name_and_odd_ones(compare, compared, edited):
    odd = "x" * 100000 + "|<b>*`\n\x1b[31m"

    def named(s):
        s["strings"] = [odd if t == "build_index" else t for t in s["strings"]]
        s["functions"][0]["name"] = odd

    path = edited("odd.json", named)
    assert compared(path, path)["status"] == 0
    for form in ([], ["--markdown"], ["--github"]):
        out = compare(*form, "--fail-on", "none", SHOP, path).stdout
        assert out and "\x1b" not in out
        assert form != ["--markdown"] or "<b>" not in out


def test_the_page_says_what_changed_in_its_width(compare, edited, tmp_path):
    scaled_runs(edited, "base", NOISE)
    scaled_runs(edited, "new", [1.12 * f for f in NOISE])
    out = compare("--base", tmp_path / "base", "--new", tmp_path / "new").stdout
    assert out.startswith("NEW is 1")
    assert "\nRegressed" in out and "95 % interval" in out and "\nUnchanged" in out
    assert max(map(len, out.splitlines())) <= 120


def test_markdown_is_a_table_that_names_the_regression(compare, edited, tmp_path):
    scaled_runs(edited, "base", NOISE)
    scaled_runs(edited, "new", [1.12 * f for f in NOISE])
    result = compare("--markdown", "--base", tmp_path / "base", "--new", tmp_path / "new")
    assert result.returncode == 1
    assert result.stdout.startswith("**RustScope**: NEW is 1")
    table = [line for line in result.stdout.splitlines() if line.startswith("| wall time")]
    assert len(table) == 1 and "regressed" in table[0] and table[0].count("|") == 7


def test_github_annotations_are_workflow_commands(compare, edited, tmp_path):
    scaled_runs(edited, "base", NOISE)
    scaled_runs(edited, "new", [1.12 * f for f in NOISE])
    result = compare("--github", "--base", tmp_path / "base", "--new", tmp_path / "new")
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    assert all(re.fullmatch(r"::(error|warning|notice) title=[^:\n]+::[^\n]+", line) for line in lines)
    assert lines[0].startswith("::error title=RustScope::NEW is 1") and "12.0 %25 slower" in lines[0]
    assert any(line.startswith("::error title=wall time::regressed: ") for line in lines)
    calm = compare("--github", SHOP, SHOP)
    assert calm.returncode == 0 and calm.stdout.startswith("::notice title=RustScope::Nothing regressed")


def test_only_and_my_code_and_window(compared, edited):
    answer = compared("--only", "render", SHOP, SHOP)
    assert answer["figures"] and all("render" in f["subject"] for f in answer["figures"])
    everything = {f["subject"] for f in compared("--top", "1000", SHOP, SHOP)["figures"] if f["kind"] == "function"}
    mine = {f["subject"] for f in compared("--only-my-code", SHOP, SHOP)["figures"] if f["kind"] == "function"}
    assert "main" in mine and "find_node" in mine and not [name for name in mine if name.startswith("_IO")]
    assert [name for name in everything if name.startswith("_IO")]
    part = compared("--window", "0.5..1.5", SHOP, SHOP)
    assert figure(part, "total", "cpu")["base"] < figure(compared(SHOP, SHOP), "total", "cpu")["base"]
    assert not [f for f in part["figures"] if f["metric"] in ("wall", "leaked_bytes", "mean")]


def test_gzip_and_plain_are_the_same(compared, tmp_path):
    plain = tmp_path / "plain.json"
    plain.write_bytes(gzip.decompress(SHOP.read_bytes()))
    assert compared(SHOP, plain)["figures"] == compared(SHOP, SHOP)["figures"]


def test_sessions_of_the_library_alone(compared, target, tmp_path):
    """RUSTSCOPE_OUT: scopes, no recorder."""
    paths = []
    for i in range(2):
        path = tmp_path / f"alone{i}.json"
        subprocess.run([target("scopes")], env={**os.environ, "RUSTSCOPE_OUT": str(path)}, capture_output=True, timeout=60, check=False)
        assert path.exists()
        paths.append(path)
    answer = compared(*paths)
    assert answer["status"] in (0, 1) and [f for f in answer["figures"] if f["kind"] == "scope"]
    assert not [f for f in answer["figures"] if f["kind"] == "function"]
    mixed = compared(SHOP, paths[0])
    assert mixed["status"] == 3


def test_real_runs_name_the_function_and_the_path(compared, record, target, tmp_path):
    """tgt_compare: ROUNDS of parse_row and ALLOCATIONS of keep_row, of which new has more."""
    (tmp_path / "base").mkdir()
    (tmp_path / "new").mkdir()
    for i in range(5):
        record([], [target("compare"), "300", "2000"], output=tmp_path / "base" / f"{i}.json")
        record([], [target("compare"), "450", "2100"], output=tmp_path / "new" / f"{i}.json")
    answer = compared("--base", tmp_path / "base", "--new", tmp_path / "new")
    assert answer["status"] == 1 and answer["unfit"] == []
    counted = figure(answer, "total", "allocations")
    assert counted["verdict"] == "regressed" and counted["new"] - counted["base"] == 100
    by = {c["metric"]: c for c in answer["contributors"]}
    assert by["allocations"]["list"][0]["subject"].startswith("keep_row")
    assert by["allocations"]["list"][0]["change"] == 100 and by["allocations"]["explained"] == 100
    cpu = figure(answer, "total", "cpu")
    assert cpu["verdict"] in ("regressed", "unsure", "not comparable")  # another program may run here
    if cpu["verdict"] == "regressed":
        assert by["cpu"]["list"][0]["subject"] == "parse_row" and by["cpu"]["list"][0]["share"] > 0.5


def test_a_full_disk_is_no_success(rustscope):
    if not pathlib.Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    with open("/dev/full", "w") as full:
        result = subprocess.run([rustscope, "compare", str(SHOP), str(SHOP)], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert result.returncode == 3 and "cannot write" in result.stderr
