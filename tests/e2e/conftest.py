"""Shared fixtures: the built binaries, and a `record` that validates every session it makes."""

import gzip
import json
import os
import pathlib
import signal
import subprocess

import jsonschema
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Started in a shell's background or by nohup, programs inherit that these are ignored: what is tested is a normal start.
signal.signal(signal.SIGINT, signal.default_int_handler)
for quiet in (signal.SIGHUP, signal.SIGQUIT):
    signal.signal(quiet, signal.SIG_DFL)


def pytest_addoption(parser):
    parser.addoption("--build", default=str(ROOT / "build" / "release"), help="CMake build folder to test")


@pytest.fixture(scope="session")
def build(request):
    return pathlib.Path(request.config.getoption("--build")).resolve()


@pytest.fixture(scope="session")
def rustscope(build):
    return str(build / "bin" / "rustscope")


@pytest.fixture(scope="session")
def target(build):
    """target("spin") is the path of tests/targets/tgt_spin.c's program."""
    return lambda name: str(build / "targets" / f"tgt_{name}")


@pytest.fixture(scope="session")
def validator():
    schema = json.loads((ROOT / "docs" / "session.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def open_to_all(folder):
    """Lets another user write into FOLDER and walk down to it."""
    os.chmod(folder, 0o777)
    for parent in folder.parents:
        if not os.stat(parent).st_mode & 0o001:
            os.chmod(parent, os.stat(parent).st_mode | 0o011)


def load_session(path):
    data = pathlib.Path(path).read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    return json.loads(data)


@pytest.fixture(autouse=True)
def every_session_is_valid(validator, tmp_path):
    """Whatever a test has rustscope write into its folder is validated when the test is over; broken ones begin with `broken`."""
    yield
    for path in tmp_path.rglob("*.json*"):
        if path.is_symlink() or not path.is_file() or path.name.startswith("broken"):
            continue
        head = path.read_bytes()[:64]
        if head[:2] == b"\x1f\x8b" or head.startswith(b'{"schema_version"'):
            errors = sorted(validator.iter_errors(load_session(path)), key=str)
            assert not errors, f"{path}: " + "\n".join(f"{list(e.absolute_path)}: {e.message}" for e in errors[:10])


class Recording:
    """What one run of `rustscope` left behind: the finished process and its session."""

    def __init__(self, process, path, validator):
        self.returncode = process.returncode
        self.stdout = process.stdout
        self.stderr = process.stderr
        self.path = path
        self.session = None
        if path.exists():
            self.session = load_session(path)
            errors = sorted(validator.iter_errors(self.session), key=str)
            assert not errors, "\n".join(f"{list(e.absolute_path)}: {e.message}" for e in errors[:10])


@pytest.fixture
def record(rustscope, validator, tmp_path):
    """record(options, command): runs `rustscope OPTIONS -o FILE -- COMMAND` and validates FILE."""

    def run(options, command, *, output=None, timeout=60, **kwargs):
        path = pathlib.Path(output or tmp_path / "session.json")
        argv = [rustscope, *options, "-o", str(path), "--", *command]
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("env", {**os.environ, "LC_ALL": "C.UTF-8"})
        process = subprocess.run(argv, capture_output=True, timeout=timeout, **kwargs)
        return Recording(process, path, validator)

    return run
