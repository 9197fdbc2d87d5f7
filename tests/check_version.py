"""The version stands in CMakeLists.txt, and wherever a packager of another kind reads it, it is the same.

    python3 tests/check_version.py [ROOT]
"""

import json
import pathlib
import re
import sys


def first(pattern, path):
    found = re.search(pattern, path.read_text(), re.MULTILINE)
    return found.group(1) if found else None


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[1])
    version = first(r"^project\(rustscope VERSION (\d+\.\d+\.\d+)", root / "CMakeLists.txt")
    header = root / "include" / "rustscope.h"
    lock = json.loads((root / "visualizer" / "package-lock.json").read_text())
    others = {
        "include/rustscope.h": "{}.{}.".format(*(first(rf"VERSION_{part}\s+(\d+)", header) for part in ("MAJOR", "MINOR"))),
        "rust/rustscope/Cargo.toml": first(r'^version = "(.*)"', root / "rust/rustscope/Cargo.toml"),
        "rust/rustscope/Cargo.toml (macros)": first(r'^rustscope-macros = .*version = "(.*?)"', root / "rust/rustscope/Cargo.toml"),
        "rust/rustscope-macros/Cargo.toml": first(r'^version = "(.*)"', root / "rust/rustscope-macros/Cargo.toml"),
        "rust/Cargo.lock": first(r'^name = "rustscope"\nversion = "(.*)"', root / "rust/Cargo.lock"),
        "visualizer/package.json": json.loads((root / "visualizer" / "package.json").read_text())["version"],
        "visualizer/package-lock.json": lock["version"],
        "CHANGELOG.md": first(r"^## (\d+\.\d+\.\d+)", root / "CHANGELOG.md"),
    }
    wrong = {where: found for where, found in others.items() if not version or not found or not f"{version}.".startswith(found)}
    for where, found in wrong.items():
        print(f"{where}: {found}, and CMakeLists.txt has {version}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
