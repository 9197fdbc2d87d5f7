"""A real terminal for tests: tmux on a socket of its own, read back as text."""

import os
import secrets
import shlex
import subprocess
import time


class Tmux:
    """One tmux window with a bash in it. Use as a context manager."""

    def __init__(self, cols=100, rows=30, env=None, cwd=None):
        self.socket = f"rs-test-{secrets.token_hex(4)}"
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color", **(env or {})}
        environment.pop("TMUX", None)
        for name, value in list(environment.items()):
            if value is None:
                del environment[name]
        self._run("-f", "/dev/null", "new-session", "-d", "-x", str(cols), "-y", str(rows),
                  f"stty -ixon; exec env TERM={shlex.quote(environment.get('TERM', ''))} bash --norc --noprofile",
                  env=environment, cwd=cwd)
        self._run("set-option", "-g", "history-limit", "20000")
        self.wait_for(lambda screen: screen.strip())  # the prompt

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._run("kill-server", check=False)

    def _run(self, *argv, check=True, **kwargs):
        result = subprocess.run(["tmux", "-L", self.socket, *argv], capture_output=True, text=True, timeout=20, **kwargs)
        assert not check or result.returncode == 0, result.stderr
        return result.stdout

    def screen(self, history=False, escapes=False):
        argv = ["capture-pane", "-p"] + (["-S", "-20000"] if history else []) + (["-e"] if escapes else [])
        return self._run(*argv)

    def keys(self, *keys):
        self._run("send-keys", *keys)

    def text(self, text):
        self._run("send-keys", "-l", text)

    def line(self, text):
        self.text(text)
        self.keys("Enter")

    def resize(self, cols, rows):
        self._run("resize-window", "-x", str(cols), "-y", str(rows))

    def wait_for(self, what, timeout=20, history=False, absent=False):
        """Waits until WHAT (a string, or a function of the screen's text) is there; returns the screen."""
        test = what if callable(what) else lambda screen: what in screen
        end = time.monotonic() + timeout
        while True:
            screen = self.screen(history)
            if bool(test(screen)) != absent:
                return screen
            assert time.monotonic() < end, f"waited {timeout} s for {what!r}; the screen:\n{screen}"
            time.sleep(0.05)

    def shell(self, command, timeout=20):
        """Runs COMMAND in the shell under test and waits for its end; returns its exit status."""
        mark = secrets.token_hex(4)
        self.line(f"{command}; echo end-{mark[:4]}''{mark[4:]}=$?")
        screen = self.wait_for(f"end-{mark}=", timeout, history=True)
        return int(screen.split(f"end-{mark}=")[1].split()[0])

    def settings(self):
        """stty's view of the terminal but for its size, to compare before and after."""
        tty = self._run("display-message", "-p", "#{pane_tty}").strip()
        settings = subprocess.run(["stty", "-a", "-F", tty], capture_output=True, text=True).stdout
        return settings.split("\n", 1)[1]

    def alternate(self):
        return self._run("display-message", "-p", "#{alternate_on}").strip() == "1"
