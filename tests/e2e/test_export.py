"""export: each format says what `report` says of the same session, to the readers of that format."""

import collections
import csv
import json
import os
import re
import resource
import shutil
import signal
import subprocess

import pytest

from conftest import ROOT

SHOP = ROOT / "tests" / "golden" / "session_shop.json.gz"
METRICS = ["cpu", "off-cpu", "alloc", "count", "peak", "leaked"]


@pytest.fixture
def export(rustscope):
    def run(*argv, check=True, **kwargs):
        done = subprocess.run([rustscope, "export", *map(str, argv)], capture_output=True, timeout=60, **kwargs)
        assert not check or done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture
def truth(rustscope):
    """truth(options...): (total, {name: (self, total)}) as `report --json` has them.

    Functions of one name in two modules (futex_wait of libc and the kernel) may call each other: their total is None.
    """

    def run(*argv):
        done = subprocess.run([rustscope, "report", SHOP, "--json", "--top", "20000", *argv], capture_output=True, check=True)
        answer = json.loads(done.stdout)
        functions = collections.defaultdict(lambda: [0, 0])
        for row in answer["functions"]:
            known = row["name"] in functions
            functions[row["name"]][0] += row["self"]
            functions[row["name"]][1] = None if known else row["total"]
        return answer["all"], {name: tuple(both) for name, both in functions.items()}

    return run


def sums(stacks):
    """(total, {name: (self, total)}) of [(names from the outermost on, weight)]."""
    functions = collections.defaultdict(lambda: [0, 0])
    for names, weight in stacks:
        functions[names[-1]][0] += weight
        for name in set(names):
            functions[name][1] += weight
    return sum(weight for _, weight in stacks), {name: tuple(both) for name, both in functions.items()}


def folded(text):
    return [(line.rpartition(" ")[0].split(";"), int(line.rpartition(" ")[2])) for line in text.splitlines()]


def speedscope(text):
    profile = json.loads(text)
    names = [frame["name"] for frame in profile["shared"]["frames"]]
    stacks = []
    for one in profile["profiles"]:
        assert one["type"] == "sampled" and one["startValue"] == 0
        assert len(one["samples"]) == len(one["weights"]) and sum(one["weights"]) == one["endValue"]
        stacks += [([names[i] for i in stack], weight) for stack, weight in zip(one["samples"], one["weights"])]
    return stacks




def ndjson(text):
    rows = [json.loads(line) for line in text.splitlines()]
    assert all(row["stack"][-1] == row["function"] for row in rows)
    return [(row["stack"], row["value"]) for row in rows]


@pytest.mark.parametrize("metric", METRICS)
def test_csv_has_the_functions_of_the_report(export, rustscope, metric):
    rows = list(csv.DictReader(export(SHOP, "-f", "csv", "-m", metric).stdout.decode().splitlines()))
    command = [rustscope, "report", SHOP, "--json", "--top", "20000", "--metric", metric]
    answer = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    expected = [(row["self"], row["total"], row["layer"]) for row in answer["functions"]]
    assert [(int(row["self"]), int(row["total"]), row["layer"]) for row in rows] == expected
    assert sum(int(row["self"]) for row in rows) > 0


def test_ndjson_tells_the_time(export):
    rows = [json.loads(line) for line in export(SHOP, "-f", "ndjson").stdout.splitlines()]
    times = {row["at_unix_ms"] for row in rows}
    assert len(times) > 5 and max(times) - min(times) < 3000
    assert {row["pid"] for row in rows} == {28644}
    held = export(SHOP, "-f", "ndjson", "-m", "peak").stdout.splitlines()
    assert held and all(json.loads(row)["at_unix_ms"] is None for row in held)


def pprof(raw):
    """The stacks of `go tool pprof -raw`, by the last value type, and the sums of the others are left to the caller."""
    samples, locations = raw.split("\nLocations\n")[0].split("Samples:\n")[1], raw.split("\nLocations\n")[1].split("\nMappings")[0]
    names = {}
    for line in locations.splitlines():
        number, rest = line.strip().split(": ", 1)
        found = re.match(r"0x0 (?:M=\d+ )?(.*?)(?: \S*:0)? s=0\(\)$", rest)
        names[int(number)] = found[1]
    stacks = []
    for line in samples.splitlines()[1:]:
        if found := re.match(r"\s+([\d ]+): ([\d ]+)$", line):
            stacks.append(([names[int(i)] for i in found[2].split()][::-1], int(found[1].split()[-1])))
    return stacks


PPROF_TYPES = {"cpu": "samples/count cpu/nanoseconds[dflt]", "off-cpu": "waits/count wall/nanoseconds[dflt]",
               "alloc": "alloc_objects/count alloc_space/bytes[dflt]", "count": "alloc_objects/count[dflt]",
               "peak": "inuse_space/bytes[dflt]", "leaked": "inuse_objects/count inuse_space/bytes[dflt]"}  # fmt: skip


@pytest.mark.skipif(not shutil.which("go"), reason="go is not installed: go tool pprof reads nothing here")
@pytest.mark.parametrize("metric", METRICS)
def test_go_tool_pprof_reads_the_same(export, truth, tmp_path, metric):
    out = tmp_path / "shop.pb.gz"
    export(SHOP, "-o", out, "-m", metric)
    env = {**os.environ, "HOME": str(tmp_path)}
    raw = subprocess.run(["go", "tool", "pprof", "-raw", out], capture_output=True, text=True, check=True, env=env).stdout
    factor = 1000 if metric in ("cpu", "off-cpu") else 1
    total, functions = truth("--metric", metric)
    there, rows = sums(pprof(raw))
    assert there == total * factor > 0
    for name, (own, all_of_it) in functions.items():
        assert rows[name][0] == own * factor
        assert all_of_it is None or rows[name][1] == all_of_it * factor
    assert PPROF_TYPES[metric] in raw.splitlines()
    assert ("Duration: " in raw) == (metric not in ("peak", "leaked"))
    assert ("PeriodType: cpu nanoseconds" in raw) == (metric == "cpu")
    top = subprocess.run(["go", "tool", "pprof", "-top", out], capture_output=True, text=True, check=True, env=env).stdout
    assert "File: shop" in top and "Build ID: de2aed2bba023aac217841a1c8b1131ca700315a" in top


@pytest.mark.skipif(not shutil.which("callgrind_annotate"), reason="valgrind is not installed: no callgrind_annotate")
@pytest.mark.parametrize("inclusive", ["yes", "no"])
@pytest.mark.parametrize("metric", METRICS)
def test_callgrind_annotate_reads_the_same(export, truth, tmp_path, metric, inclusive):
    out = tmp_path / "shop.callgrind"
    export(SHOP, "-o", out, "-m", metric)
    command = ["callgrind_annotate", f"--inclusive={inclusive}", "--threshold=100", "--auto=no", out]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not done.stderr
    total, functions = truth("--metric", metric)
    rows = collections.Counter()
    for cost, name in re.findall(r"^ *([\d,]+) \([ \d.]+%\)  (.*)$", done.stdout, re.MULTILINE):
        rows[re.sub(r"^.*?:(?!:)", "", name)] += int(cost.replace(",", ""))
    assert rows["PROGRAM TOTALS"] == total
    if inclusive == "yes":
        assert rows["[all]"] == total
    for name, both in functions.items():
        expected = both[inclusive == "yes"]
        if expected:
            assert rows[name] == expected, name
    assert "calls=0 " not in out.read_text()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name, read", [("folded", folded), ("speedscope", speedscope), ("ndjson", ndjson)])
def test_totals_and_functions_are_those_of_the_report(export, truth, name, read, metric):
    total, functions = truth("--metric", metric)
    there, rows = sums(read(export(SHOP, "-f", name, "-m", metric).stdout.decode()))
    assert there == total > 0
    assert set(functions) <= set(rows)
    assert {key: (rows[key][0], rows[key][1] if both[1] is not None else None) for key, both in functions.items()} == functions


def test_the_format_follows_from_the_name(export, tmp_path):
    out = tmp_path / "shop.speedscope.json"
    export(SHOP, "-o", out)
    assert json.loads(out.read_text())["$schema"].startswith("https://")
    refused = export(SHOP, "-o", tmp_path / "shop.json", check=False)
    assert refused.returncode == 2 and b"give --format, one of folded" in refused.stderr


def test_a_window_and_a_thread_narrow_it(export, truth):
    window = truth("--window", "0.5..1")[0]
    assert sum(w for _, w in folded(export(SHOP, "-f", "folded", "--window", "0.5..1").stdout.decode())) == window
    whole = truth()[0]
    assert 0 < window < whole
    mine = folded(export(SHOP, "-f", "folded", "--only-my-code").stdout.decode())
    assert sum(w for _, w in mine) == whole
    assert not any("start_thread" in names for names, _ in mine)


def test_a_metric_that_is_not_there(export, tmp_path):
    session = tmp_path / "broken-less.json"
    less = json.loads(subprocess.run(["gzip", "-dc", SHOP], capture_output=True, check=True).stdout)
    del less["offcpu"]
    session.write_text(json.dumps(less))
    done = export(session, "-f", "folded", "-m", "off-cpu", check=False)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr == b"rustscope: this session has no off-cpu; it has: cpu, alloc, count, peak, leaked\n"


def test_a_full_disk_leaves_no_half_file(export, tmp_path):
    out = tmp_path / "old.folded"
    out.write_text("old")

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    done = export(SHOP, "-o", out, check=False, preexec_fn=limited)
    assert done.returncode == 1 and b"cannot write" in done.stderr
    assert out.read_text() == "old" and os.listdir(tmp_path) == ["old.folded"]
