"""export: each format says what `report` says of the same session, to the readers of that format."""

import collections
import json
import os
import resource
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




@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name, read", [("folded", folded), ("speedscope", speedscope)])
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
