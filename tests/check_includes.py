"""No include climbs: each folder of src/ uses only itself and the folders below it.

ORDER lists the folders from the bottom up. A file may include headers of its own folder and of those that stand before it
in its table. src/lib and src/shim run in other people's programs and use src/core alone. Prints each include that climbs
and each folder that no table names, and exits with 1 when there is one.

    python3 tests/check_includes.py [ROOT]
"""

import pathlib
import re
import sys

CLI_ORDER = [
    "base",
    "session",
    "text",
    "system",
    "symbol",
    "analyze",
    "analyze/gate",
    "file",
    "convert",
    "collect/modules",
    "collect/process",
    "collect/channel",
    "collect/stacks",
    "report",
    "tui",
    "run",
    "command",
    "",  # main.c
]
LIB_ORDER = ["", "bench"]
SHIM_ORDER = ["", "cxx"]
MOST_SOURCES = 20  # a folder; src/core, which three programs compile, stays flat

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


class Tree:
    def __init__(self, root, folder, prefix, order, also):
        """FOLDER's files include one another as PREFIX + path; ALSO: paths of other trees that they may include."""
        self.base = root / "src" / folder
        self.prefix = prefix
        self.order = order
        self.also = also

    def folder_of(self, path):
        return "" if path.parent == pathlib.PurePath(".") else path.parent.as_posix()

    def headers(self):
        return {self.prefix + path.relative_to(self.base).as_posix(): self.folder_of(path.relative_to(self.base))
                for path in self.base.rglob("*.h")}  # fmt: skip

    def complaints(self):
        headers = self.headers()
        sources = {}
        for path in sorted(self.base.rglob("*.[ch]")):
            inside = path.relative_to(self.base)
            folder = self.folder_of(inside)
            if folder not in self.order:
                yield f"{path}: the folder stands in no table of tests/check_includes.py"
                continue
            sources[folder] = sources.get(folder, 0) + (path.suffix == ".c")
            for name in INCLUDE.findall(path.read_text()):
                # Beside itself (`#include "symbol_none.c"`), by its path, or of another tree.
                target = headers.get(name, folder if (path.parent / name).exists() else None)
                if target is None and (self.base.parent / name).exists():
                    target = folder if any(name.startswith(other) for other in self.also) else None
                if target is None and (self.base / name).exists():
                    target = self.folder_of(pathlib.PurePath(name))
                if target is None and not (path.parent.parents[1] / "include" / name).exists() and name != "rustscope.h":
                    yield f"{path}: {name} is of a tree that this one does not use"
                elif target is not None and self.order.index(target) > self.order.index(folder):
                    yield f"{path}: {name} climbs from {folder or 'the top'} to {target or 'the top'}"
        for folder, count in sources.items():
            if count > MOST_SOURCES and folder != "core":
                yield f"{self.base / folder}: {count} sources; more than {MOST_SOURCES} hide what the folder is for"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[1])
    trees = [
        Tree(root, "cli", "", CLI_ORDER, ["core/"]),
        Tree(root, "lib", "lib/", LIB_ORDER, ["core/"]),
        Tree(root, "shim", "shim/", SHIM_ORDER, ["core/"]),
    ]
    complaints = [line for tree in trees for line in tree.complaints()]
    for path in sorted((root / "src" / "core").glob("*.[ch]")):
        for name in INCLUDE.findall(path.read_text()):
            if not (path.parent / name).exists() and not name.startswith("core/"):
                complaints.append(f"{path}: {name} climbs out of src/core")
    for line in complaints:
        print(line)
    print(f"{len(complaints)} includes or folders out of order")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
