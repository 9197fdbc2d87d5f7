"""docs/ci.md: the gate's script does what it says, and the recipes hold together."""

import os
import re
import subprocess

import pytest

from conftest import ROOT

PAGE = (ROOT / "docs" / "ci.md").read_text()


@pytest.fixture
def gate(tmp_path, build, target):
    """The script of the page, in a folder of its own, with rustscope on the path."""
    script = re.search(r"```sh\n(.*?)```", PAGE, re.S).group(1)
    (tmp_path / "gate.sh").write_text(script)

    def run(new_arguments, **env):
        programs = {}
        for side, arguments in (("OLD", ["50", "2000"]), ("NEW", new_arguments)):
            folder = tmp_path / side.lower()
            folder.mkdir(exist_ok=True)
            (folder / "app").unlink(missing_ok=True)
            (folder / "app").symlink_to(target("compare"))
            wrapper = folder / "run"
            wrapper.write_text(f'#!/bin/sh\nexec {folder}/app {" ".join(arguments)} "$@"\n')
            wrapper.chmod(0o755)
            programs[side] = str(wrapper)
        env = {**os.environ, "LC_ALL": "C.UTF-8", "PATH": f"{build / 'bin'}:{os.environ['PATH']}", "RUNS": "6", "RECORDED": "3", **programs, **env}
        return subprocess.run(["sh", "gate.sh"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)

    return run


def test_the_gate_fails_for_more_allocations_and_says_who(gate, tmp_path):
    result = gate(["50", "2100"])
    assert result.returncode == 1, result.stderr
    assert any(line.startswith("::error title=allocations::regressed") for line in result.stdout.splitlines())
    report = (tmp_path / "gate.md").read_text()
    assert report.startswith("**RustScope**: NEW ") and "keep\\_row" in report
    assert len(list((tmp_path / "gate-old").iterdir())) == len(list((tmp_path / "gate-new").iterdir())) == 3


def test_the_gate_passes_for_the_same_program(gate, tmp_path):
    result = gate(["50", "2000"])
    # 3: another program kept this machine busy, or three runs scattered; never a regression.
    assert result.returncode in (0, 3), result.stdout + result.stderr
    assert "::error title=allocations" not in result.stdout
    assert (tmp_path / "gate.md").exists()


def test_a_program_that_fails_ends_the_gate(gate):
    result = gate(["50", "2000"], NEW="/nowhere/app")
    assert result.returncode in (126, 127) and "::" not in result.stdout


def test_the_recipes_are_yaml_and_run_the_script():
    yaml = pytest.importorskip("yaml")
    recipes = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.S)]
    assert len(recipes) == 2
    github, gitlab = recipes
    steps = [step.get("run", "") for step in github["jobs"]["gate"]["steps"]]
    assert any("sh head/ci/gate.sh" in step for step in steps)
    assert any("gate.sh" in line for line in gitlab["gate"]["script"])
    assert "cache" not in github["jobs"]["gate"] and "cache" not in gitlab["gate"]
    for script in [*steps, *gitlab["gate"]["script"], *gitlab["gate"]["after_script"]]:
        plain = re.sub(r"\$\{\{.*?\}\}", "1", script)
        assert subprocess.run(["sh", "-n"], input=plain, text=True, check=False).returncode == 0, script


@pytest.mark.parametrize("command", ["compare", "bench"])
def test_every_option_of_the_page_exists(rustscope, command):
    known = subprocess.run([rustscope, command, "--help"], capture_output=True, text=True).stdout
    lines = re.findall(rf"rustscope {command} (.*)", PAGE)
    assert lines
    for option in re.findall(r"--[a-z-]+", " ".join(lines)):
        assert option in known, option
