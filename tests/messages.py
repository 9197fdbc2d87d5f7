"""Prints every sentence that the command and the library can show to a user, by file and line, for somebody to read.

A sentence is a string literal with two words in it; neighbouring literals are joined. Used before a release and whenever wording changes:

    python3 tests/messages.py [FILE…]
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
# Words with a blank between them, and not a path, a format of numbers or a piece of JSON.
SENTENCE = re.compile(r"[A-Za-z]{2,}[,:;]? [A-Za-z(%\d]")


def literals(text):
    """(line, joined string) of each run of adjacent string literals, outside of comments and includes."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL)
    text = re.sub(r"^\s*#\s*include.*$", "", text, flags=re.MULTILINE)
    run, start, end = [], 0, 0
    for match in STRING.finditer(text):
        between = text[end : match.start()]
        if run and not re.fullmatch(r"(?:\s|PRI[a-zA-Z0-9]+)*", between):
            yield text.count("\n", 0, start) + 1, "".join(run)
            run = []
        if not run:
            start = match.start()
        run.append(match[0][1:-1])
        end = match.end()
    if run:
        yield text.count("\n", 0, start) + 1, "".join(run)


def main():
    paths = [pathlib.Path(name).resolve() for name in sys.argv[1:]] or sorted((ROOT / "src").rglob("*.c"))
    count = 0
    for path in paths:
        for line, text in literals(path.read_text()):
            if SENTENCE.search(text):
                print(f"{path.relative_to(ROOT)}:{line}: {text}")
                count += 1
    print(f"{count} messages")


if __name__ == "__main__":
    main()
