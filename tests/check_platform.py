"""Files without a system's suffix ask nothing that one system alone has.

NAME_linux.c and NAME_darwin.c may; NAME.c and NAME.h may not, since they are built everywhere. Comments are left out, and
the shim, which only Linux has. Each header that has a NAME_linux.c and is used by portable code must have a NAME_none.c:
the build for no platform links only then, so that is not checked here. Prints what is found and exits with 1.

    python3 tests/check_platform.py [ROOT]
"""

import pathlib
import re
import sys

LINUX_ONLY = re.compile(
    r"\b(?:epoll_\w+|pidfd_\w+|signalfd|timerfd_\w+|eventfd|inotify_\w+|memfd_create|syscall)\s*\(|\b(?:EPOLL|SYS_)\w+|\"/proc\b"
    r"|<sys/(?:epoll|signalfd|timerfd|eventfd|inotify|prctl|syscall)\.h>|<linux/"
)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
SUFFIX = re.compile(r"_(?:linux|darwin)\.[ch]$")


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[1]) / "src"
    found = 0
    for path in sorted(root.rglob("*.[ch]")):
        if SUFFIX.search(path.name) or path.is_relative_to(root / "shim"):
            continue
        text = COMMENT.sub(lambda comment: "\n" * comment.group().count("\n"), path.read_text())
        for number, line in enumerate(text.splitlines(), 1):
            if LINUX_ONLY.search(line):
                print(f"{path.relative_to(root.parent)}:{number}: {line.strip()}")
                found += 1
    print(f"{found} lines of portable files ask what Linux alone has")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
