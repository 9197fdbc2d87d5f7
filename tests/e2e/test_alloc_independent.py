"""Totals beside an independent count: valgrind's memcheck, and heaptrack where it is installed, on the same programs.

Where they differ, and why (all of it is asserted):
- Frees, and with them what is in use at exit: valgrind makes libc and libstdc++ give back what they keep for good before
  it counts; we, like the program, do not. Its "in use at exit" is never more than our leaked bytes.
- Bytes per thread: the shim has thread-local variables, so libc's table of such modules is one entry (16 bytes) longer
  in each thread.
- heaptrack brings libstdc++ into a program that has none, and counts its emergency pool: one allocation more than there is.
- python3 copies its environment, which the two tools change in different ways: a handful of allocations in 15,000.
"""

import re
import shutil
import subprocess

import pytest

PLAIN = ["--no-stacks", "-q"]
SQL = "with recursive n(i) as (select 1 union all select i+1 from n where i<20000) select count(*),sum(length(hex(i))) from n"
ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"}

CXX = """
#include <map>
#include <string>
#include <vector>
int main()
{
    std::map<std::string, std::vector<int>> all;
    for (int i = 0; i < 5000; i++)
        all["a key of some length, number " + std::to_string(i % 700)].push_back(i);
    return all.size() != 700;
}
"""


def number(text):
    return int(text.replace(",", ""))


def valgrind(argv, tmp_path):
    """(allocations, frees, bytes, in use at exit)"""
    if not shutil.which("valgrind"):
        pytest.skip("valgrind is not installed")
    log = tmp_path / "valgrind.log"
    subprocess.run(["valgrind", f"--log-file={log}", *argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, env=ENV, timeout=120)
    text = log.read_text()
    usage = re.search(r"total heap usage: ([\d,]+) allocs, ([\d,]+) frees, ([\d,]+) bytes", text)
    left = re.search(r"in use at exit: ([\d,]+) bytes", text)
    assert usage and left, text
    return (*(number(n) for n in usage.groups()), number(left[1]))


def heaptrack(argv, tmp_path):
    """Number of allocations."""
    if not shutil.which("heaptrack") or not shutil.which("heaptrack_print"):
        pytest.skip("heaptrack is not installed")
    subprocess.run(["heaptrack", "-o", tmp_path / "ht", *argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, env=ENV, timeout=120)
    written = next(path for path in tmp_path.iterdir() if path.name.startswith("ht."))
    text = subprocess.run(["heaptrack_print", written], capture_output=True, text=True, timeout=120).stdout
    return int(re.search(r"^calls to allocation functions: (\d+)", text, re.M)[1])


@pytest.fixture(params=["ends", "threads", "sqlite3", "c++"])
def program(request, target, tmp_path):
    """(argv, threads)"""
    if request.param == "ends":
        return [target("alloc_ends"), "return"], 0
    if request.param == "threads":
        return [target("alloc_threads"), "20", "200", "20"], 20
    if request.param == "sqlite3":
        if not shutil.which("sqlite3"):
            pytest.skip("sqlite3 is not installed")
        return ["sqlite3", "-batch", ":memory:", SQL], 0
    if not shutil.which("g++"):
        pytest.skip("g++ is not installed")
    (tmp_path / "program.cpp").write_text(CXX)
    subprocess.run(["g++", "-O1", "-o", tmp_path / "program", tmp_path / "program.cpp"], check=True)
    return [str(tmp_path / "program")], 0


def recorded(record, argv):
    recording = record(PLAIN, argv, env=ENV)
    assert recording.session["diagnostics"]["events_dropped"] == 0
    return recording.session["summary"]


def test_totals_equal_valgrinds(record, program, tmp_path):
    argv, threads = program
    allocations, frees, bytes_, in_use = valgrind(argv, tmp_path)
    ours = recorded(record, argv)
    assert ours["total_allocations"] == allocations
    assert ours["total_alloc_bytes"] == bytes_ + 16 * threads
    # What valgrind had given back at the end is a few blocks of the libraries.
    assert 0 <= frees - ours["total_deallocations"] <= 20
    assert in_use <= ours["leaked_bytes"] <= in_use + 80000


def test_allocations_equal_heaptracks(record, program, tmp_path):
    argv, _ = program
    theirs = heaptrack(argv, tmp_path)
    has_cxx = "libstdc++" in subprocess.run(["ldd", shutil.which(argv[0])], capture_output=True, text=True).stdout
    assert recorded(record, argv)["total_allocations"] == theirs - (0 if has_cxx else 1)


def test_pythons_totals_are_within_a_thousandth_of_valgrinds(record, tmp_path):
    argv = ["/usr/bin/python3", "-S", "-c", "pass"]
    allocations, _, bytes_, _ = valgrind(argv, tmp_path)
    ours = recorded(record, argv)
    assert allocations > 10000
    assert ours["total_allocations"] == pytest.approx(allocations, rel=1e-3)
    assert ours["total_alloc_bytes"] == pytest.approx(bytes_, rel=1e-2)
