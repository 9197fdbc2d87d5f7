"""What the documentation names is there: each path and each link in the project's Markdown files.

A path is a word in backticks with a folder and a known suffix, or any word that begins with one of our top folders. It may
be given from the root, or from one of the folders in PREFIXES; NAME stands for any name, and other projects' folders are
theirs. Prints what is missing and exits with 1.

    python3 tests/check_docs.py [ROOT]
"""

import pathlib
import re
import subprocess
import sys

PREFIXES = ["", "src", "src/cli", "src/lib", "src/shim", "visualizer", "visualizer/lib", "visualizer/components", "tests", "docs",
            "rust", "rust/rustscope", "rust/rustscope/src"]  # fmt: skip
SUFFIXES = r"(?:c|h|cpp|py|mjs|js|ts|tsx|rs|json|md|html|cmake|css|sh|1)(?:\.gz)?"
PATH = re.compile(rf"`([A-Za-z0-9_][A-Za-z0-9_./-]*/[A-Za-z0-9_.-]+\.{SUFFIXES})`")
BARE = re.compile(rf"(?<![\w/.~<-])((?:src|tests|docs|bench|visualizer|rust|examples|include|cmake)/[A-Za-z0-9_./-]+\.{SUFFIXES})\b")
FILE = re.compile(r"`([a-z][a-z0-9_]*\.[ch])`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def tracked(root):
    """What git tracks, or, in a tree without git (a source release), every file."""
    done = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=root, capture_output=True, text=True)
    if done.returncode == 0 and done.stdout:
        return set(done.stdout.split())
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[1])
    files = tracked(root)
    names = {pathlib.PurePath(path).name for path in files}
    folders = {part.as_posix() for path in files for part in pathlib.PurePath(path).parents}
    missing = []
    checked = 0
    for page in sorted(path for path in files if path.endswith(".md") and not path.startswith("tests/")):
        text = (root / page).read_text()
        here = pathlib.PurePath(page).parent
        for name in {*PATH.findall(text), *BARE.findall(text)}:
            top = pathlib.PurePath(name).parts[0]
            if "NAME" in name or not any((pathlib.PurePath(prefix) / top).as_posix() in folders for prefix in PREFIXES):
                continue
            checked += 1
            if not any((pathlib.PurePath(prefix) / name).as_posix() in files for prefix in PREFIXES):
                missing.append(f"{page}: {name} is not there")
        for name in set(FILE.findall(text)):
            checked += 1
            if name not in names:
                missing.append(f"{page}: no file is called {name}")
        for link in set(LINK.findall(text)):
            if re.match(r"[a-z]+:", link):
                continue
            checked += 1
            if not (root / here / link).exists():
                missing.append(f"{page}: the link to {link} leads nowhere")
    for line in missing:
        print(line)
    print(f"{len(missing)} of {checked} names in the documentation are wrong")
    return 1 if missing or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
