"""Control groups for tests, of whichever version this machine has."""

import os
import pathlib

FILES = {"freezer": ("freezer.state", "cgroup.freeze"), "memory": ("memory.limit_in_bytes", "memory.max")}


def cgroup(controller):
    """A new group of ours for CONTROLLER (a key of FILES), or None where that is not permitted."""
    mounts = [line.split() for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
    old = [m[1] for m in mounts if m[2] == "cgroup" and controller in m[3].split(",")]
    for where in old + [m[1] for m in mounts if m[2] == "cgroup2"]:
        group = pathlib.Path(where) / f"rustscope-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        if any((group / name).exists() for name in FILES[controller]):
            return group
        group.rmdir()
    return None


def freeze(group, frozen):
    if (group / "freezer.state").exists():
        (group / "freezer.state").write_text("FROZEN" if frozen else "THAWED")
    else:
        (group / "cgroup.freeze").write_text("1" if frozen else "0")


def limit_memory(group, size):
    """At most SIZE bytes, swap included."""
    for name in FILES["memory"]:
        if (group / name).exists():
            (group / name).write_text(str(size))
    for name, value in (("memory.memsw.limit_in_bytes", size), ("memory.swap.max", 0)):
        if (group / name).exists():
            (group / name).write_text(str(value))
