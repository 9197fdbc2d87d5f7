"""`rustscope bench`: real commands, each refusal, each exit status, and the files that other tools read."""

import csv
import json
import re
import signal
import subprocess
import sys
import time

import pytest

# A program whose time is its first argument, without a shell's or an interpreter's start in it.
SLEEP = "sleep 0.01"


@pytest.fixture
def bench(rustscope, tmp_path):
    def run(*argv, **kwargs):
        return subprocess.run([rustscope, "bench", *map(str, argv)], cwd=tmp_path, capture_output=True, text=True, timeout=60, **kwargs)

    return run


def results(bench, tmp_path, *argv, status=0):
    done = bench("-q", "--export-json", "out.json", *argv)
    assert done.returncode == status, done.stderr
    return json.loads((tmp_path / "out.json").read_text())["results"]


def lines(path):
    return path.read_text().split() if path.exists() else []


def test_a_report_has_the_mean_with_its_interval(bench):
    done = bench("-N", "-r", 12, SLEEP)
    assert (done.returncode, done.stderr) == (0, "")
    assert "mean " in done.stdout and " to " in done.stdout and "12 runs" in done.stdout
    assert "median" in done.stdout and "user" in done.stdout and "faults" in done.stdout


def test_json_has_the_shape_that_scripts_read(bench, tmp_path):
    (result,) = results(bench, tmp_path, "-r", 6, SLEEP)
    assert result["command"] == SLEEP
    assert len(result["times"]) == len(result["exit_codes"]) == len(result["memory_usage_byte"]) == 6
    assert result["min"] == min(result["times"]) and result["max"] == max(result["times"])
    assert result["mean"] == pytest.approx(sum(result["times"]) / 6, abs=1e-8)
    assert result["min"] <= result["median"] <= result["max"]
    assert 0.009 < result["mean"] < 1 and result["exit_codes"] == [0] * 6
    assert result["mean_low"] <= result["mean"] <= result["mean_high"]


def test_one_run_has_no_scatter(bench, tmp_path):
    (result,) = results(bench, tmp_path, "-r", 1, SLEEP)
    assert result["stddev"] is None and "mean_low" not in result


def test_cpu_time_and_memory_are_the_commands(bench, tmp_path):
    busy = f"{sys.executable} -c 'x = bytearray(60_000_000); sum(range(6_000_000))'"
    (result,) = results(bench, tmp_path, "-N", "-r", 2, busy)
    assert result["user"] > 0.02
    assert all(peak > 60_000_000 for peak in result["memory_usage_byte"])
    (idle,) = results(bench, tmp_path, "-N", "-r", 2, "sleep 0.3")
    assert idle["mean"] > 0.3 and idle["user"] + idle["system"] < 0.1


def test_tables(bench, tmp_path):
    names = ["csv", "markdown", "asciidoc", "orgmode"]
    exports = [word for name in names for word in (f"--export-{name}", name)]
    done = bench("-q", "-r", 3, "-N", "-u", "millisecond", "-n", 'a|"b", c', "-n", "plain", *exports, SLEEP, "sleep 0.03")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "csv").open()))
    assert [row["command"] for row in rows] == ['a|"b", c', "plain"]
    assert float(rows[1]["mean"]) > 0.03 and list(rows[0]) == ["command", "mean", "stddev", "median", "user", "system", "min", "max"]
    markdown = (tmp_path / "markdown").read_text().splitlines()
    assert markdown[0] == "| Command | Mean [ms] | Min [ms] | Max [ms] | Relative |"
    assert markdown[1] == "|:---|---:|---:|---:|---:|"
    assert markdown[2].startswith('| `a\\|"b", c` | ') and markdown[2].endswith("| 1.00 |")
    assert markdown[3].startswith("| `plain` | ") and markdown[3].count("±") == 2
    assert (tmp_path / "asciidoc").read_text().startswith('[cols="<,>,>,>,>"]\n|===\n| Command \n| Mean [ms] \n')
    assert (tmp_path / "orgmode").read_text().splitlines()[:2] == [
        "| Command  |  Mean [ms] |  Min [ms] |  Max [ms] |  Relative |", "|--+--+--+--+--|",
    ]  # fmt: skip
    assert "| =plain=  |  3" in (tmp_path / "orgmode").read_text()


def test_an_export_may_go_to_standard_output(bench):
    done = bench("-q", "-r", 2, "-N", "--export-json", "-", SLEEP)
    assert json.loads(done.stdout)["results"][0]["command"] == SLEEP


def test_results_are_sorted_as_asked(bench):
    for sort, first in (("command", "sleep 0.05"), ("mean-time", "sleep 0.001")):
        done = bench("-q", "-r", 2, "-N", "--sort", sort, "--export-csv", "-", "sleep 0.05", "sleep 0.001")
        assert done.stdout.splitlines()[1].startswith(first)


# ---- what runs, how often, in what order ----


def test_runs_and_warm_ups_are_counted(bench, tmp_path):
    assert bench("-q", "-w", 2, "-r", 3, "echo $HYPERFINE_ITERATION >> log").returncode == 0
    assert lines(tmp_path / "log") == ["warmup-0", "warmup-1", "0", "1", "2"]


def test_the_number_of_runs_follows_the_time(bench, tmp_path):
    (short,) = results(bench, tmp_path, "-N", "--min-benchmarking-time", 0.5, SLEEP)
    (few,) = results(bench, tmp_path, "-N", "--min-benchmarking-time", 0.5, "-M", 4, SLEEP)
    (least,) = results(bench, tmp_path, "-N", "--min-benchmarking-time", 0, "-m", 3, SLEEP)
    assert 10 < len(short["times"]) <= 50 and len(few["times"]) == 4 and len(least["times"]) == 3


def test_until_goes_on_until_the_mean_is_known(bench, tmp_path):
    (result,) = results(bench, tmp_path, "-N", "-M", 60, "--min-benchmarking-time", 0, "--until", 0.01, SLEEP)
    assert len(result["times"]) == 60  # never that sure
    (result,) = results(bench, tmp_path, "-N", "--min-benchmarking-time", 0, "--until", 100, SLEEP)
    assert len(result["times"]) == 10


def test_commands_take_turns(bench, tmp_path):
    assert bench("-q", "-r", 8, "echo a >> log", "echo b >> log").returncode == 0
    order = lines(tmp_path / "log")
    assert all({order[i], order[i + 1]} == {"a", "b"} for i in range(0, 16, 2))
    assert order != ["a", "b"] * 8 and order != ["b", "a"] * 8  # shuffled


def test_commands_follow_one_another_when_asked_or_when_set_up_apart(bench, tmp_path):
    for extra in (["--sequential"], ["--setup", "true"], ["--cleanup", "true"]):
        (tmp_path / "log").unlink(missing_ok=True)
        assert bench("-q", "-r", 3, *extra, "echo a >> log", "echo b >> log").returncode == 0
        assert lines(tmp_path / "log") == ["a"] * 3 + ["b"] * 3


def test_commands_beside_the_runs(bench, tmp_path):
    done = bench("-q", "-r", 2, "-s", "echo setup-{x} >> log", "-p", "echo prepare-{x} >> log", "-C", "echo conclude-{x} >> log",
                 "-c", "echo cleanup-{x} >> log", "-L", "x", "1,2", "echo run-{x} >> log")  # fmt: skip
    assert done.returncode == 0, done.stderr
    once = [word for x in "12" for word in (f"setup-{x}", *([f"prepare-{x}", f"run-{x}", f"conclude-{x}"] * 2), f"cleanup-{x}")]
    assert lines(tmp_path / "log") == once


def test_a_prepare_for_each_command(bench, tmp_path):
    assert bench("-q", "-r", 1, "--sequential", "-p", "echo p1 >> log", "-p", "echo p2 >> log", "echo a >> log", "echo b >> log").returncode == 0
    assert lines(tmp_path / "log") == ["p1", "a", "p2", "b"]


@pytest.mark.parametrize(
    "argv, commands",
    [
        (["-L", "a", "x,y", "-L", "b", "1,2", ": {a}{b}"], [": x1", ": y1", ": x2", ": y2"]),
        (["-L", "a", r"1\,2,3", ": {a}"], [": 1,2", ": 3"]),
        (["-P", "n", "1", "3", ": {n}"], [": 1", ": 2", ": 3"]),
        (["-P", "n", "0.1", "0.5", "-D", "0.2", ": {n}"], [": 0.1", ": 0.3", ": 0.5"]),
        (["-P", "n", "-1", "1", ": {n}"], [": -1", ": 0", ": 1"]),
    ],
)
def test_parameters(bench, tmp_path, argv, commands):
    assert [result["command"] for result in results(bench, tmp_path, "-r", 1, *argv)] == commands
    assert all(result["parameters"] for result in json.loads((tmp_path / "out.json").read_text())["results"])


def test_each_run_has_another_layout_and_nothing_to_read(bench, tmp_path):
    assert bench("-q", "-r", 6, 'echo ${#RUSTSCOPE_LAYOUT} >> log; wc -c >> read').returncode == 0
    assert len(set(lines(tmp_path / "log"))) > 3 and lines(tmp_path / "read") == ["0"] * 6


def test_input_is_read_from_its_start_by_each_run(bench, tmp_path):
    (tmp_path / "in").write_text("four")
    assert bench("-q", "-r", 3, "--input", "in", "wc -c >> log").returncode == 0
    assert lines(tmp_path / "log") == ["4"] * 3


@pytest.mark.parametrize("where, kind", [("null", "character special file"), ("pipe", "fifo"), ("file", "regular empty file")])
def test_output_goes_where_it_is_sent(bench, tmp_path, where, kind):
    assert bench("-q", "-r", 2, "--output", where, "stat -L -c %F /dev/fd/3 3>&1 >> log; echo word").returncode == 0
    assert set((tmp_path / "log").read_text().splitlines()) == {kind}
    if where == "file":
        assert (tmp_path / "file").read_text() == "word\n"  # of the last run


def test_much_output_holds_nobody_up(bench, tmp_path):
    (result,) = results(bench, tmp_path, "-N", "-r", 2, "--output", "pipe", "head -c 200000000 /dev/zero")
    assert result["exit_codes"] == [0, 0]


def test_shown_output_is_shown(bench):
    assert bench("-r", 2, "--show-output", "echo seen; echo err >&2").stdout.count("seen\n") == 2


def test_a_shells_start_is_taken_off(bench, tmp_path):
    shell = tmp_path / "slow"
    shell.write_text("#!/bin/sh\nsleep 0.05\nexec sh \"$@\"\n")
    shell.chmod(0o755)
    (result,) = results(bench, tmp_path, "-S", shell, "-r", 3, "sleep 0.02")
    assert result["mean"] < 0.05


def test_behind_two_dashes_no_shell_runs(bench, tmp_path):
    (result,) = results(bench, tmp_path, "-r", 2, "--", sys.executable, "-c", "import sys; sys.exit(len(sys.argv) - 1)")
    assert result["exit_codes"] == [0, 0]


# ---- failures ----


def test_a_command_that_fails_ends_the_series_and_keeps_what_was_measured(bench, tmp_path):
    done = bench("-r", 9, "--export-json", "out.json", "echo x >> log; test $(wc -l < log) -lt 5")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "exited with 1" in done.stderr and "-i" in done.stderr
    assert "4 runs" in done.stdout
    assert len(json.loads((tmp_path / "out.json").read_text())["results"][0]["times"]) == 4


@pytest.mark.parametrize("option, status", [("-i", 0), ("--ignore-failure=all-non-zero", 0), ("--ignore-failure=3,4", 0), ("--ignore-failure=4", 1)])
def test_failures_are_ignored_as_asked(bench, option, status):
    done = bench("-r", 2, option, "exit 3")
    assert done.returncode == status
    assert status or "2 of 2 runs failed (ignored)" in done.stdout


def test_a_signal_is_a_failure_with_its_name(bench, tmp_path):
    done = bench("-r", 2, "kill -SEGV $$")
    assert done.returncode == 1 and "signal 11 (Segmentation fault)" in done.stderr
    (result,) = results(bench, tmp_path, "-r", 2, "-i", "kill -SEGV $$")
    assert result["exit_codes"] == [None, None]


def test_a_command_that_hangs_is_ended(bench):
    began = time.monotonic()
    done = bench("-r", 2, "--timeout", 0.3, "sleep 30; true")
    assert done.returncode == 1 and "did not end within 0.3 s" in done.stderr
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("option, what", [("-s", "setup"), ("-p", "prepare"), ("-C", "conclude"), ("-c", "cleanup")])
def test_a_failure_beside_the_runs_is_told(bench, option, what):
    done = bench("-r", 1, option, "exit 5", "true")
    assert done.returncode == 1 and f"the --{what} command of true exited with 5" in done.stderr


def test_what_cannot_be_run_has_a_shells_status(bench, tmp_path):
    (tmp_path / "text").write_text("")
    missing, text = bench("--", "./missing"), bench("--", "./text")
    assert (missing.returncode, text.returncode) == (127, 126)
    assert "no such file" in missing.stderr and "not executable" in text.stderr


def test_a_signal_to_us_keeps_what_was_measured(rustscope, tmp_path):
    process = subprocess.Popen(
        [rustscope, "bench", "-N", "-r", "100000", "--export-json", "out.json", "sleep 0.02"], cwd=tmp_path, stderr=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM and "mean" in out
    assert len(json.loads((tmp_path / "out.json").read_text())["results"][0]["times"]) > 3


@pytest.mark.parametrize(
    "argv, says",
    [
        ([], "name a command to run"),
        (["-r", "0", "true"], "--runs"),
        (["-r", "1.5", "true"], "whole number"),
        (["-m", "20", "-M", "5", "true"], "more than --max-runs"),
        (["--what", "true"], "--what"),
        (["-r"], "needs a value"),
        (["-P", "n", "3", "1", "true"], "goes up"),
        (["-P", "n", "1"], "two numbers"),
        (["-P", "n", "1", "2", "-D", "0", "true"], "above 0"),
        (["-P", "n", "0", "1", "-D", "0.0001", "true"], "larger step"),
        (["-D", "2", "true"], "belongs to"),
        (["-L", "a", "1", "-L", "a", "2", "true"], "twice"),
        (["-p", "a", "-p", "b", "-p", "c", "true", "false"], "3 times for 2 commands"),
        (["-n", "a", "-n", "b", "true"], "2 names"),
        (["-i0", "true"], "statuses from 1"),
        (["-S", "", "true"], "--shell"),
        (["-N", "'open"], "not closed"),
        (["-N", " "], "empty command"),
        (["--sort", "x", "true"], "--sort is one of"),
        (["-u", "hour", "true"], "--time-unit is one of"),
        (["--timeout", "-1", "true"], "--timeout"),
        (["--confirm", "true"], "--vs"),
        (["--vs", "a", "b", "c"], "one command"),
        (["true", "--", "true"], "not both"),
        (["--vs", "a", "--reference", "b", "c"], "give one"),
    ],
)  # fmt: skip
def test_a_wrong_use_is_one_sentence_and_status_2(bench, tmp_path, argv, says):
    done = bench(*argv)
    assert done.returncode == 2 and done.stdout == ""
    assert says in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_file_that_cannot_be_written_or_read_is_told_before_the_runs(bench, tmp_path):
    for argv in (["--export-json", "no/where"], ["--input", "missing"]):
        done = bench(*argv, "touch ran")
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "ran").exists()


# ---- the gate ----


def test_a_program_that_takes_twice_as_long_regressed(bench):
    done = bench("-r", 15, "--vs", "sleep 0.02", "--", "sleep", "0.06")
    assert done.returncode == 1, done.stdout
    assert re.search(r"^NEW is \d+\.\d % slower", done.stdout, re.M), done.stdout
    assert "The base against itself" in done.stdout


def test_a_faster_one_improved(bench):
    done = bench("-r", 15, "--vs", "sleep 0.06", "--", "sleep", "0.02")
    assert done.returncode == 0 and re.search(r"^NEW is \d+\.\d % faster", done.stdout, re.M), done.stdout


def test_the_same_program_is_no_regression(bench):
    done = bench("-r", 20, "--threshold", 30, "--vs", "sleep 0.02", "--", "sleep", "0.02")
    assert done.returncode in (0, 3) and "\nRegressed" not in done.stdout, done.stdout


def test_a_confirmed_regression_is_one(bench):
    done = bench("-r", 12, "--confirm", "--vs", "sleep 0.02", "--", "sleep", "0.06")
    assert done.returncode == 1


def test_runs_that_scatter_too_much_give_no_verdict(bench, tmp_path):
    wild = tmp_path / "wild"
    wild.write_text("#!/bin/sh\necho >> count\nn=$(wc -l < count)\ntest $((n * 7 % 5)) -lt 2 && sleep 0.3\nexit 0\n")
    wild.chmod(0o755)
    done = bench("-r", 10, "--record", 0, "--vs", "./wild", "--", "./wild")
    assert done.returncode == 3, done.stdout


def test_who_did_it_is_named(bench, target):
    program = target("arms")
    slower = bench("-r", 12, "--vs", f"{program} 0", "--", program, "60000000")
    assert slower.returncode == 1 and re.search(r"NEW (is|takes) .*: more costs", slower.stdout.replace("\n", " ")), slower.stdout
    greedy = bench("-r", 12, "--vs", f"{program} 0 1000", "--", program, "0", "1200")
    assert greedy.returncode == 1 and re.search(r"20\.0 % more allocations: make", greedy.stdout), greedy.stdout


def test_prepare_comes_before_recorded_runs_too_and_nothing_after_the_clean_up(bench, tmp_path):
    gate = ["--vs", "sh -c 'echo run >> log'", "--", "sh", "-c", "echo run >> log"]
    bench("-q", "-r", 2, "--record", 1, "-p", "echo prepare >> log", *gate)
    assert lines(tmp_path / "log") == ["prepare", "run"] * 6
    (tmp_path / "log").unlink()
    bench("-q", "-r", 2, "-c", "echo cleanup >> log", *gate)
    assert lines(tmp_path / "log") == ["run"] * 4 + ["cleanup"] * 2


def test_a_failure_of_either_arm_is_not_a_regression(bench):
    for argv in (["--vs", "false", "--", "true"], ["--vs", "true", "--", "false"]):
        assert bench("-r", 2, *argv).returncode == 3
    assert bench("--vs", "./missing", "--", "true").returncode == 127
