"""The unwinder runs inside malloc and in signal handlers: what it may call is a short list."""

import pathlib
import shutil
import subprocess

import pytest

PURE = {"memcpy", "memset", "memcmp", "memmove", "strlen", "strnlen"}
# No lock, no malloc behind any of these: the loader's lock-free lookup, the auxiliary vector, the vDSO clock.
SYSTEM = {"_dl_find_object", "getauxval", "clock_gettime", "__libc_stack_end", "_GLOBAL_OFFSET_TABLE_"}
FILES = ["cfi", "cfi_expr", "unwind", "unwind_elf_linux", "unwind_linux"]


def test_the_unwinder_calls_nothing_that_allocates_locks_or_prints(build):
    if not shutil.which("nm"):
        pytest.skip("no nm")
    objects = [build / f"src/core/CMakeFiles/rs_core.dir/{name}.c.o" for name in FILES]
    if not all(o.exists() for o in objects):
        pytest.skip("no object files in this build folder")
    called = set()
    for path in objects:
        out = subprocess.run(["nm", "--undefined-only", path], capture_output=True, text=True, check=True).stdout
        called |= {line.split()[-1].split("@")[0] for line in out.splitlines() if line.strip()}
    foreign = {name for name in called if not name.startswith("rs_")} - PURE - SYSTEM
    assert not foreign
