"""The benchmark runner: a real program of benchmarks, its options, its verdicts, what it prints and what the session gets."""

import json
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "bench.c"


@pytest.fixture
def bench(target, tmp_path):
    """bench(options…): runs tgt_bench with its baselines in tmp_path. steps: how long "chain" is."""

    def run(*options, steps=1000, status=0, **env):
        merged = {**os.environ, "LC_ALL": "C.UTF-8", "PLANTED_STEPS": str(steps), "RUSTSCOPE_BENCH_DIR": str(tmp_path / "kept"), **env}
        process = subprocess.run([target("bench"), *options], capture_output=True, text=True, timeout=120, env=merged, cwd=tmp_path)
        assert process.returncode == status, process.stdout + process.stderr
        return process.stdout if not status else process.stdout + process.stderr

    return run


def results(text):
    return {b["name"]: b for b in json.loads(text)["benchmarks"]}


def test_names_are_listed_and_filtered(bench):
    assert bench("--list").split() == [
        "chain", "gone", "left", "grows/64", "grows/256", "grows/1024", "grows/4096", "threads/threads:1", "threads/threads:2", "setup", "dear", "allocates",
    ]
    assert bench("--list", "gro*6").split() == ["grows/256", "grows/4096"]
    assert bench("--list", "--filter", "chai").split() == ["chain"]


def test_the_table_tells_the_time_its_interval_and_the_throughput(bench):
    text = bench("--quick", "chain")
    head, row = text.splitlines()[:2]
    assert head.split()[:2] == ["benchmark", "mean"] and "95 % interval" in head
    assert row.startswith("chain") and "items/s" in row and ("ns" in row or "µs" in row)


@pytest.mark.parametrize("name, sentence", [("gone", "black_box"), ("left", "RS_BENCH_LOOP")])
def test_what_cannot_be_measured_is_refused_with_a_sentence(bench, name, sentence):
    assert sentence in bench("--quick", name, status=1)


def test_a_refusal_in_several_processes_is_one(bench):
    text = bench("--quick", "--processes", "3", "gone", "chain", status=1)
    assert text.count("black_box") == 1 and "chain" in text
    assert "black_box" in bench("--quick", "--save", "refused", "gone", status=1)


def test_a_setup_that_takes_all_the_time_comes_to_an_end(bench):
    text = bench("--quick", "dear", status=1)  # by one of two sentences: the loop's time may come out as nothing
    assert "RS_BENCH_BATCH" in text or "black_box" in text


@pytest.mark.parametrize(
    "options",
    [["--no-such"], ["--processes", "x"], ["--processes"], ["--format", "yaml"], ["--time", "-1"], ["--baseline", "never-saved"], ["nothing-so-named"]],
)
def test_a_wrong_command_line_ends_with_2_and_one_sentence(bench, options):
    text = bench(*options, status=2)
    assert len(text.strip().splitlines()) == 1 and text.startswith("tgt_bench: "), text


def test_a_baseline_tells_regressions_and_improvements(bench):
    bench("--quick", "chain", "--save", "base")
    slower = bench("--quick", "chain", "--baseline", "base", steps=2000, status=1)
    assert "regressed" in slower and re.search(r"\+\d+\.\d %", slower)
    assert "improved" in bench("--quick", "chain", "--baseline", "base", steps=400)
    same = bench("--quick", "chain", "--baseline", "base", "--noise", "15")
    assert "regressed" not in same and "improved" not in same
    assert "regressed" in bench("--quick", "chain", "--baseline", "base", "--noise", "15", steps=2000, status=1)


def test_a_broken_baseline_is_said(bench, tmp_path):
    bench("--quick", "chain", "--save", "base", "--processes", "1")
    (kept,) = [p for p in (tmp_path / "kept").rglob("*") if p.is_file()]
    kept.write_text(kept.read_text()[:40])
    assert "base" in bench("--quick", "chain", "--baseline", "base", status=2)


def test_growth_is_fitted(bench):
    text = bench("--quick", "grows")
    assert "grows as N:" in text and "x N," in text, text


def test_setup_is_not_timed(bench):
    found = results(bench("--quick", "--json", "chain", "setup"))
    assert found["setup"]["median_ns"] < found["chain"]["median_ns"]  # 100 steps; with its setup they would be 10,000


def test_json_is_a_session(bench, validator):
    session = json.loads(bench("--quick", "--json", "chain", "grows", "threads"))
    assert not list(validator.iter_errors(session))
    found = {b["name"]: b for b in session["benchmarks"]}
    assert [found[f"grows/{n}"]["n"] for n in (64, 256, 1024, 4096)] == [64, 256, 1024, 4096]
    assert found["threads/threads:2"]["threads"] == 2
    chain = found["chain"]
    assert chain["min_ns"] <= chain["median_ns"] <= chain["max_ns"]
    assert chain["ci95_ns"][0] <= chain["mean_ns"] <= chain["ci95_ns"][1]
    assert len(chain["samples_ns"]) * chain["sample_iterations"] == chain["iterations"]
    assert sum(chain["samples_ns"]) / len(chain["samples_ns"]) == pytest.approx(chain["mean_ns"], rel=1e-6)
    assert chain["throughput"]["items_per_sec"] == pytest.approx(10e9 / chain["mean_ns"], rel=1e-3)
    assert chain["loop_ns"] >= 0 and chain["resolution_ns"] > 0


def test_processes_share_the_samples(bench):
    chain = results(bench("--quick", "--json", "--processes", "3", "chain"))["chain"]
    assert chain["processes"] == 3 and len(chain["samples_ns"]) % 3 == 0 and "process_stddev_ns" in chain


def test_google_benchmarks_shape(bench):
    """What its tools/compare.py takes: names, run types, times and their unit, repetitions for its U test."""
    made = json.loads(bench("--quick", "--format", "google", "chain"))
    assert {"date", "num_cpus", "executable"} <= made["context"].keys()
    runs = made["benchmarks"]
    assert {r["run_type"] for r in runs} == {"iteration", "aggregate"}
    for run in runs:
        assert run["run_name"] == "chain" and run["time_unit"] in ("ns", "us", "ms", "s")
        assert run["real_time"] > 0 and run["cpu_time"] > 0 and run["repetitions"] == sum(r["run_type"] == "iteration" for r in runs)
    assert {r["aggregate_name"] for r in runs if r["run_type"] == "aggregate"} >= {"mean", "median", "stddev"}


COMPARE = pathlib.Path("/usr/share/benchmark/compare.py")


@pytest.mark.skipif(not COMPARE.exists(), reason="google/benchmark's compare.py is not installed (libbenchmark-tools)")
def test_google_benchmarks_own_tool_compares_two_runs(bench, tmp_path):
    bench("--format", "google", "--samples", "20", "-o", "slow.json", "chain", steps=1200)
    bench("--format", "google", "--samples", "20", "-o", "fast.json", "chain", steps=1000)
    compared = subprocess.run(
        ["/usr/bin/python3", COMPARE, "--no-color", "-d", "compared.json", "benchmarks", tmp_path / "slow.json", tmp_path / "fast.json"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert compared.returncode == 0, compared.stderr
    # Old, new and change of each; then Mann and Whitney's U test over the repetitions.
    assert re.search(r"^chain_median +-0\.", compared.stdout, re.M), compared.stdout
    pvalue = re.search(r"^chain_pvalue +(\S+) +\S+ +U Test, Repetitions: 20 vs 20", compared.stdout, re.M)
    assert pvalue and float(pvalue[1]) < 0.05, compared.stdout
    rows = {row["name"]: row["measurements"] for row in json.loads((tmp_path / "compared.json").read_text())}
    assert rows["chain"], rows


def test_benchers_metric_format(bench):
    made = json.loads(bench("--quick", "--format", "bmf", "chain"))
    latency = made["chain"]["latency"]
    assert latency["lower_value"] <= latency["value"] <= latency["upper_value"]


def test_output_goes_to_a_file(bench, tmp_path):
    assert bench("--quick", "--json", "-o", "out.json", "chain") == ""
    assert "chain" in results((tmp_path / "out.json").read_text())


def test_under_the_command_results_are_in_the_session(record, target):
    recording = record(["-q"], [target("bench"), "--quick", "chain", "grows"])
    assert recording.returncode == 0
    found = {b["name"]: b for b in recording.session["benchmarks"]}
    assert list(found) == ["chain", "grows/64", "grows/256", "grows/1024", "grows/4096"]
    chain = found["chain"]
    assert chain["profiled"] and len(chain["samples_ns"]) * chain["sample_iterations"] == chain["iterations"]


def test_allocations_of_an_iteration_are_known_under_the_shim(record, target, bench):
    made = record(["-q"], [target("bench"), "--quick", "allocates"]).session["benchmarks"][0]
    assert (made["alloc_bytes"] / made["iterations"], made["alloc_blocks"] / made["iterations"]) == (100, 1)
    assert "alloc_blocks" not in results(bench("--quick", "--json", "allocates"))["allocates"]  # alone nobody counts


def test_without_the_command_the_report_has_them(target, tmp_path, validator):
    out = tmp_path / "out.json"
    subprocess.run([target("bench"), "--quick", "chain"], check=True, capture_output=True, env={**os.environ, "RUSTSCOPE_OUT": str(out)})
    session = json.loads(out.read_text())
    assert not list(validator.iter_errors(session))
    assert [b["name"] for b in session["benchmarks"]] == ["chain"]


@pytest.mark.parametrize("compiler, flags", [("gcc", ["-std=c11"]), ("clang", ["-std=c11"]), ("g++", ["-x", "c++", "-std=c++17"])])
def test_the_example_compiles_cleanly_and_runs(build, tmp_path, compiler, flags):
    source = EXAMPLE
    if "c++" in flags:
        source = tmp_path / "bench.cpp"
        source.write_text(EXAMPLE.read_text().replace("int *numbers = malloc(count * sizeof(*numbers))", "int *numbers = static_cast<int *>(malloc(count * sizeof(int)))"))
    strict = ["-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror", f"-I{ROOT / 'include'}"]
    subprocess.run([compiler, *flags, *strict, "-c", str(source), "-o", str(tmp_path / "bench.o")], check=True)
    subprocess.run([compiler, str(tmp_path / "bench.o"), str(build / "lib" / "librustscope.a"), "-lpthread", "-o", str(tmp_path / "bench")], check=True)
    shown = subprocess.run([str(tmp_path / "bench"), "--quick"], check=True, capture_output=True, text=True).stdout
    assert "hash" in shown and "sort/1024" in shown and re.search(r"\d [kMGT]?B/s", shown)


def test_disabled_there_is_nothing_to_run(tmp_path):
    subprocess.run(["gcc", "-O2", "-DRUSTSCOPE_DISABLED", f"-I{ROOT / 'include'}", str(EXAMPLE), "-o", str(tmp_path / "bench")], check=True)
    ended = subprocess.run([str(tmp_path / "bench")], capture_output=True, text=True)
    assert ended.returncode == 2 and "RUSTSCOPE_DISABLED" in ended.stdout


BATCHED = """
#include <rustscope.h>
#include <stdio.h>

static uint64_t most_told, most_asked;

static void work(uint64_t rounds)
{
    for (uint64_t i = 0; i < rounds; i++)
        rustscope_black_box(i);
}

RS_BENCH("told", RS_BENCH_BATCH(50), RS_BENCH_TIME_MS(20), RS_BENCH_SAMPLES(10))
{
    most_told = RS_BENCH_ITERATIONS > most_told ? RS_BENCH_ITERATIONS : most_told;
    RS_BENCH_LOOP {
        work(1000);
    }
}

RS_BENCH("asked", RS_BENCH_TIME_MS(20), RS_BENCH_SAMPLES(10))
{
    rs_bench->batch = 70;
    most_asked = RS_BENCH_ITERATIONS > most_asked ? RS_BENCH_ITERATIONS : most_asked;
    RS_BENCH_LOOP {
        work(1000);
    }
}

int main(int argc, char **argv)
{
    int rc = rustscope_bench_main(argc, argv);

    fprintf(stderr, "%u %u\\n", (unsigned)most_told, (unsigned)most_asked);
    return rc;
}
"""


def test_no_call_is_given_more_iterations_than_its_batch(build, tmp_path):
    source, program = tmp_path / "batched.c", tmp_path / "batched"
    source.write_text(BATCHED)
    library = build / "lib" / "librustscope.a"
    subprocess.run(["gcc", "-O2", f"-I{ROOT / 'include'}", source, library, "-lpthread", "-o", program], check=True)
    ended = subprocess.run([program, "--json"], capture_output=True, text=True, check=True)
    assert ended.stderr.split() == ["50", "70"]
    found = results(ended.stdout)
    # A sample is of several batches all the same.
    assert found["told"]["iterations"] > 10 * 50 and found["asked"]["iterations"] > 10 * 70


TWICE = """
#include <rustscope.h>

RS_BENCH("parse", RS_BENCH_TIME_MS(20), RS_BENCH_SAMPLES(10))
{
    RS_BENCH_LOOP {
        for (int i = 0; i < 100; i++)
            rustscope_black_box(i);
    }
}

RS_BENCH("parse", RS_BENCH_TIME_MS(20), RS_BENCH_SAMPLES(10))
{
    RS_BENCH_LOOP {
        for (int i = 0; i < 100; i++)
            rustscope_black_box(i);
    }
}

RS_BENCH("other", RS_BENCH_TIME_MS(20), RS_BENCH_SAMPLES(10))
{
    RS_BENCH_LOOP {
        for (int i = 0; i < 100; i++)
            rustscope_black_box(i);
    }
}

RS_BENCH_MAIN()
"""


def test_two_benchmarks_of_one_name_are_refused(build, tmp_path):
    source, program = tmp_path / "twice.c", tmp_path / "twice"
    source.write_text(TWICE)
    library = build / "lib" / "librustscope.a"
    subprocess.run(["gcc", "-O2", f"-I{ROOT / 'include'}", source, library, "-lpthread", "-o", program], check=True)
    for options in ([], ["--save", "x"], ["--json"]):
        ended = subprocess.run([program, *options], capture_output=True, text=True, cwd=tmp_path)
        assert ended.returncode == 2 and ended.stdout == "" and ended.stderr.count("\n") == 1
        assert "two benchmarks are called parse" in ended.stderr
    assert subprocess.run([program, "other"], capture_output=True).returncode == 0
