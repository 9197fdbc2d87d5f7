"""The live screen in a real terminal: read back through tmux, keys sent, sizes changed, programs that want it all."""

import os
import pty
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import termios
import time
import fcntl

import pytest

from tmux import Tmux

PYTHON = "/usr/bin/python3"


@pytest.fixture
def tmux(tmp_path):
    with Tmux(cwd=tmp_path) as terminal:
        yield terminal


def run(terminal, rustscope, command, options="-q"):
    terminal.line(f"clear; {shlex.quote(rustscope)} {options} -- {command}; echo done=$?")


def up(screen):
    return "rustscope ─" in screen and "? help" in screen


# -- the screen ----------------------------------------------------------------------------------------------------


def test_the_screen_shows_numbers_and_gives_the_terminal_back(tmux, rustscope, target):
    before = tmux.settings()
    run(tmux, rustscope, f"{target('talk')} lines 30 100", options="--no-alloc")
    screen = tmux.wait_for(lambda s: up(s) and "err 15" in s)
    assert "CPU" in screen and "memory" in screen and "threads 1" in screen and "Events" in screen
    assert "recording" in screen and "┤" in screen
    assert tmux.alternate()
    screen = tmux.wait_for("done=0", history=True)
    assert not tmux.alternate()
    tmux.wait_for(lambda s: tmux.settings() == before)
    assert screen.count("out 29") == 1 and screen.count("err 29") == 1
    assert "rustscope  tgt_talk lines 30 100" in screen, "the summary"
    assert screen.index("out 3\n") < screen.index("out 4\n")


def test_live_bytes_are_the_heap_while_the_program_runs(tmux, rustscope):
    program = "import time; end = time.time() + 3\nwhile time.time() < end: kept = [bytearray(5000) for _ in range(2000)]"
    run(tmux, rustscope, f"{PYTHON} -c {shlex.quote(program)}")
    screen = tmux.wait_for(lambda s: up(s) and re.search(r"heap +1\d\.\d MB", s) and re.search(r"alloc [\d.]+ [MG]B/s", s))
    assert "recording" in screen and "memory" not in screen
    tmux.wait_for("done=0")


def test_a_spike_flashes_and_stays_in_the_list(tmux, rustscope, target):
    run(tmux, rustscope, f"{target('talk')} spike")
    tmux.wait_for("[!] SPIKE")
    screen = tmux.screen(escapes=True)
    assert re.search(r"\x1b\[[0-9;]*7[;m][^\n]*\[!\] SPIKE", screen), "reverse video"
    screen = tmux.wait_for(lambda s: up(s) and "[!] SPIKE" not in s and "EVENTS 1" in s)
    assert re.search(r"00:0[01]\.\d ▲ \+20\.\d MB", screen)


@pytest.mark.parametrize("cols,rows", [(1, 1), (3, 2), (20, 4), (21, 5), (40, 10), (44, 12), (60, 16), (79, 23), (80, 24),
                                       (132, 43), (200, 60), (500, 200)])
def test_every_size(tmux, rustscope, target, cols, rows):
    tmux.resize(cols, rows)
    run(tmux, rustscope, f"{target('talk')} lines 20 100")
    if cols >= 21 and rows >= 5:
        tmux.wait_for("? help")
        lines = tmux.screen().rstrip("\n").split("\n")
        assert lines[0].startswith("┌") and lines[0].endswith("┐") and len(lines[0]) == cols
        assert lines[-1].startswith("└") and lines[-1].endswith("┘") and len(lines) == rows
        for line in lines[1:-1]:
            assert line[0] in "│├" and line[-1] in "│┤", line
    elif cols >= 8:
        tmux.wait_for(lambda s: "CPU" in s and "done=" not in s)
    else:
        time.sleep(1.5)
    tmux.resize(100, 30)
    tmux.wait_for("done=0", history=True)


def test_resizing_all_the_time(tmux, rustscope, target):
    run(tmux, rustscope, f"{target('talk')} lines 40 100")
    tmux.wait_for("? help")
    for cols, rows in [(1, 1), (500, 200), (2, 50), (200, 2), (80, 24), (33, 7), (100, 30)] * 3:
        tmux.resize(cols, rows)
    tmux.wait_for(up)
    tmux.wait_for("done=0", history=True)


def in_a_terminal_of(size, argv, cwd, resizes=()):
    """Runs ARGV in a terminal of SIZE (rows, columns), of RESIZES later; its exit status and what it wrote."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        os.execv(argv[0], argv)
    written, began, resizes = b"", time.monotonic(), list(resizes)
    while time.monotonic() - began < 60:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                data = os.read(terminal, 1 << 16)
            except OSError:
                break
            if not data:
                break
            written += data
        if resizes and time.monotonic() - began > 1.5:
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *resizes.pop(0), 0, 0))
    status = os.waitpid(pid, 0)[1]
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), written


@pytest.mark.parametrize(
    "size, resizes", [((0, 0), ()), ((1000, 1000), ()), ((30, 100), ((0, 0), (1000, 1000), (1, 1000), (1000, 1), (30, 100)))]
)
def test_absurd_sizes_are_survived(rustscope, target, tmp_path, size, resizes):
    argv = [rustscope, "-q", "--no-alloc", "--no-stacks", "--", target("talk"), "lines", "30", "100"]
    status, written = in_a_terminal_of(size, argv, tmp_path, resizes)
    assert status == 0
    assert b"out 29" in written  # what the program said is there in the end
    if size != (0, 0):
        assert b"\x1b[?1049h" in written and written.rindex(b"\x1b[?1049l") > written.rindex(b"\x1b[?1049h")
    assert (tmp_path / "rustscope-last.json").exists()


def test_keys(tmux, rustscope, target):
    run(tmux, rustscope, f"{target('talk')} lines 2000 100")
    tmux.wait_for("out 3")
    tmux.keys("?")
    tmux.wait_for("┌ Keys")
    tmux.keys("?")
    tmux.wait_for("┌ Keys", absent=True)
    tmux.keys("p")
    paused = tmux.wait_for("display paused")
    time.sleep(0.5)
    assert tmux.screen() == paused
    tmux.keys("p")
    tmux.wait_for("recording")
    tmux.keys("c")
    tmux.wait_for("┤ ", absent=True)
    tmux.keys("c")
    for _ in range(3):
        if "Threads" in tmux.screen():
            break
        tmux.keys("t")
        time.sleep(0.3)
    tmux.wait_for("Threads")
    tmux.keys("z")
    tmux.wait_for("Output", absent=True)
    tmux.keys("z")
    tmux.keys("Tab")  # events → output
    tmux.wait_for("keys go to the program")
    tmux.keys("PPage")
    tmux.wait_for("lines below")
    tmux.keys("Tab")
    tmux.wait_for("q stop")
    tmux.keys("q")
    tmux.wait_for("done=130", history=True)  # SIGINT, as from Ctrl-C


def test_the_refresh_gets_slower_and_faster_again(tmux, rustscope, target):
    run(tmux, rustscope, f"{target('talk')} lines 4000 50")

    def pictures():
        seen = set()
        end = time.monotonic() + 2
        while time.monotonic() < end:
            seen.add(tmux.screen())
            time.sleep(0.04)
        return len(seen)

    tmux.wait_for("out 3")
    usual = pictures()
    for _ in range(10):
        tmux.keys("s")
    time.sleep(0.5)
    slow = pictures()
    for _ in range(10):
        tmux.keys("f")
    time.sleep(0.5)
    fast = pictures()
    assert slow < usual / 2 and slow < fast / 2
    tmux.keys("q")
    tmux.wait_for("done=130", history=True)


def test_the_event_list_scrolls(tmux, rustscope):
    """More spikes than the list has rows: the arrow goes back one by one, Home to the first, End to the newest."""
    tmux.resize(100, 18)
    program = "import time\nkept = []\nfor i in range(9): kept.append(bytearray(20 << 20)); time.sleep(1.2)\ntime.sleep(60)"
    run(tmux, rustscope, f"{PYTHON} -c {shlex.quote(program)}", options="-q --no-stacks --no-alloc")
    tmux.wait_for("EVENTS 9", timeout=40)

    def rows(screen):
        return re.findall(r"(00:\d\d\.\d) ▲", screen)

    time.sleep(1.5)  # the last one may be counted before it is drawn
    newest = rows(tmux.screen())
    assert 0 < len(newest) < 9
    tmux.keys("Up")
    tmux.wait_for(lambda screen: rows(screen) and rows(screen) != newest)
    tmux.keys("Home")
    assert min(newest) > "00:01.0"
    tmux.wait_for(lambda screen: rows(screen) and min(rows(screen)) < "00:01.0")
    tmux.keys("End")
    tmux.wait_for(lambda screen: rows(screen) == newest)
    tmux.keys("q")
    tmux.wait_for("done=130", history=True)


def test_ctrl_c_interrupts_the_program(tmux, rustscope):
    run(tmux, rustscope, "sh -c 'trap \"echo bye; exit 5\" INT; while :; do sleep 0.1; done'")
    tmux.wait_for("? help")
    tmux.keys("C-c")
    screen = tmux.wait_for("done=5", history=True)
    assert "bye" in screen


def test_a_program_that_ignores_ctrl_c_is_ended(tmux, rustscope):
    run(tmux, rustscope, "sh -c 'trap \"\" INT; while :; do sleep 0.1; done'")
    tmux.wait_for("? help")
    tmux.keys("C-c")
    tmux.wait_for("done=143", timeout=10, history=True)


def test_typing_into_the_output_pane(tmux, rustscope):
    run(tmux, rustscope, "cat")
    tmux.wait_for("? help")
    tmux.keys("Tab")
    tmux.wait_for("keys go to the program")
    tmux.line("quit q p t")
    tmux.wait_for(lambda s: s.count("quit q p t") == 2)  # the echo and cat's answer
    tmux.keys("C-d")
    tmux.wait_for("done=0", history=True)


def test_window_size_reaches_the_program(tmux, rustscope, target):
    run(tmux, rustscope, f"{target('talk')} size")
    tmux.wait_for("size 30x100 30x100 30x100")
    tmux.resize(90, 28)
    tmux.wait_for("size 28x90 28x90 28x90")
    tmux.keys("C-c")
    tmux.wait_for("done=130", history=True)


# -- terminals of all kinds ------------------------------------------------------------------------------------------


def test_c_locale_is_plain_ascii(tmp_path, rustscope, target):
    with Tmux(env={"LC_ALL": "C"}, cwd=tmp_path) as terminal:
        terminal.line("export LC_ALL=C")
        run(terminal, rustscope, f"{target('talk')} lines 20 100")
        screen = terminal.wait_for(lambda s: "? help" in s and "err 5" in s)
        assert screen.isascii() and "+ rustscope -" in screen
        terminal.wait_for("done=0", history=True)


@pytest.mark.parametrize("term,colour", [("xterm-256color", True), ("xterm", True), ("vt100", False), ("xterm-mono", False)])
def test_colours_follow_the_terminal(tmux, rustscope, target, term, colour):
    tmux.line(f"export TERM={term}")
    run(tmux, rustscope, f"{target('talk')} lines 20 100")
    tmux.wait_for(lambda s: "? help" in s and "err 5" in s)
    screen = tmux.screen(escapes=True)
    assert bool(re.search(r"\x1b\[[0-9;]*(3[1-7]|38;5)", screen)) == colour
    assert tmux.wait_for("done=0", history=True)


def test_no_color(tmux, rustscope, target):
    tmux.line("export NO_COLOR=1")
    run(tmux, rustscope, f"{target('talk')} lines 20 100", options="")
    tmux.wait_for(lambda s: "? help" in s and "err 5" in s)
    assert not re.search(r"\x1b\[[0-9;]*(3[1-7]|38;5)", tmux.screen(escapes=True))
    tmux.wait_for("done=0", history=True)
    assert not re.search(r"\x1b\[[0-9;]*(3[1-7]|38;5)", tmux.screen(escapes=True))


@pytest.mark.parametrize("term", ["dumb", "", "no-such-terminal"])
def test_terminals_without_a_screen_get_plain_lines(tmux, rustscope, target, term):
    tmux.line(f"export TERM={term}")
    run(tmux, rustscope, f"{target('talk')} lines 10 50", options="")
    screen = tmux.wait_for("done=0", history=True)
    assert "? help" not in screen and screen.count("out 9") == 1
    assert "rustscope  tgt_talk" in screen


def test_short_programs_never_open_the_screen(tmux, rustscope):
    run(tmux, rustscope, "echo hello", options="")
    screen = tmux.wait_for("done=0", history=True)
    assert re.search(r"^hello\n\nrustscope  echo hello ", screen, re.M)


# -- programs that want the terminal -----------------------------------------------------------------------------------


def test_vim(tmux, rustscope, tmp_path):
    before = tmux.settings()
    vim = shutil.which("vim") or shutil.which("vim.tiny")
    if not vim:
        pytest.skip("vim is not installed")
    run(tmux, rustscope, f"{vim} --clean {tmp_path}/file.txt")
    tmux.wait_for("file.txt\" [New]")
    tmux.text("isome text")
    tmux.wait_for("some text")
    tmux.keys("Escape")
    tmux.wait_for("-- INSERT --", absent=True)
    tmux.keys("C-z")
    tmux.wait_for("Stopped")
    tmux.wait_for(lambda s: tmux.settings() == before)
    tmux.line("fg")
    tmux.wait_for(lambda s: "some text" in s and "Stopped" not in s)
    tmux.resize(80, 24)
    tmux.wait_for(lambda s: s.count("~") >= 20)
    tmux.line(":wq")
    tmux.wait_for("uses the terminal")
    assert (tmp_path / "file.txt").read_text() == "some text\n"
    tmux.wait_for(lambda s: tmux.settings() == before)


@pytest.mark.parametrize("options", ["-q", "-q --no-tui"])
def test_less(tmux, rustscope, tmp_path, options):
    (tmp_path / "lines.txt").write_text("".join(f"line {i}\n" for i in range(500)))
    run(tmux, rustscope, f"less {tmp_path}/lines.txt", options)
    tmux.wait_for(lambda s: s.startswith("line 0\n"))
    tmux.keys("C-c")  # less stays
    tmux.keys("G")
    tmux.wait_for("line 499")
    tmux.keys("q")
    tmux.wait_for("done=0")


@pytest.mark.parametrize("options", ["-q", "-q --no-tui"])
def test_python_repl(tmux, rustscope, options):
    run(tmux, rustscope, f"{PYTHON} -q", options)
    tmux.wait_for(">>>")
    tmux.line("6*7")
    tmux.wait_for("\n42\n")
    tmux.line("import time; print('sl'+'eeping'); time.sleep(60)")
    tmux.wait_for("sleeping")
    tmux.keys("C-c")
    tmux.wait_for("KeyboardInterrupt")
    tmux.line("'still ' + 'here'")
    tmux.wait_for("'still here'")
    tmux.keys("C-d")
    tmux.wait_for("done=0")


@pytest.mark.parametrize("options", ["-q", "-q --no-tui"])
def test_bash_has_job_control(tmux, rustscope, options):
    run(tmux, rustscope, "env PS1='in> ' bash --norc --noprofile", options)
    tmux.wait_for("in>")
    tmux.line("sleep 1000")
    time.sleep(0.5)
    tmux.keys("C-z")
    tmux.wait_for("Stopped")
    tmux.line("fg")
    tmux.wait_for(lambda s: s.count("sleep 1000") >= 3)
    tmux.keys("C-c")
    tmux.wait_for("^C")
    tmux.line("tty; kill %1; echo alive-$((1+1))")
    screen = tmux.wait_for("alive-2")
    assert "no job control" not in screen
    tmux.line("exit 7")
    tmux.wait_for("done=7")


def test_gdb(tmux, rustscope, target):
    run(tmux, rustscope, f"gdb -q -nx -iex 'set debuginfod enabled off' --args {target('talk')} lines 3")
    tmux.wait_for("(gdb)")
    tmux.line("p 6*7")
    tmux.wait_for("$1 = 42")
    tmux.line("run")
    tmux.wait_for("exited normally", timeout=40)
    tmux.line("quit")
    tmux.wait_for("done=0")


def test_a_password_prompt_brings_the_screen_back_afterwards(tmux, rustscope):
    run(tmux, rustscope, f"{PYTHON} -c 'import getpass,time; p=getpass.getpass(); print(\"len\", len(p)); time.sleep(2)'")
    tmux.wait_for(lambda s: "asks for something" in s and "Password:" in s)
    tmux.line("secret")
    screen = tmux.wait_for(lambda s: up(s) and "len 6" in s)
    assert "secret" not in screen
    tmux.wait_for("done=0", history=True)


def test_curses_through_stdout(tmux, rustscope):
    """ncurses changes the terminal through descriptor 1, which is a pty of its own."""
    run(tmux, rustscope, f"{PYTHON} -c 'import curses; print(curses.wrapper(lambda s: (s.addstr(0, 0, \"press\"), s.getch())[1]))'")
    tmux.wait_for(lambda s: s.startswith("press"))
    tmux.keys("x")
    tmux.wait_for("done=0")
    assert "\n120\n" in tmux.screen()


# -- ways out ------------------------------------------------------------------------------------------------------


def pids(pattern):
    result = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True)
    return [int(pid) for pid in result.stdout.split()]


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_the_terminal_is_restored_however_we_end(tmux, rustscope, tmp_path, signo):
    before = tmux.settings()
    unique = tmp_path / "unique-session.json"
    run(tmux, rustscope, "sleep 4", options=f"-q -o {unique}")
    tmux.wait_for("? help")
    (pid,) = [p for p in pids(str(unique)) if open(f"/proc/{p}/comm").read() == "rustscope\n"]
    os.kill(pid, signo)
    if signo != signal.SIGKILL:  # then the shell may speak before the keeper has left the full screen
        tmux.wait_for("done=", history=True)
    tmux.wait_for(lambda s: not tmux.alternate() and "? help" not in s)
    tmux.wait_for(lambda s: tmux.settings() == before)
    assert tmux.shell("echo ok") == 0


def test_the_program_lives_on_when_we_are_killed(tmux, rustscope, target, tmp_path):
    unique = tmp_path / "unique-session.json"
    run(tmux, rustscope, f"{target('talk')} lines 40 100", options=f"-q -o {unique}")
    tmux.wait_for("err 5")
    (pid,) = [p for p in pids(str(unique)) if open(f"/proc/{p}/comm").read() == "rustscope\n"]
    os.kill(pid, signal.SIGKILL)
    tmux.wait_for(lambda s: "out 39" in s and "err 39" in s, history=True)
    tmux.wait_for(lambda s: not pids(f"{target('talk')} lines 40"))


def test_suspended_and_continued(tmux, rustscope, target):
    before = tmux.settings()
    run(tmux, rustscope, f"{target('talk')} lines 60 100")
    tmux.wait_for("err 5")
    tmux.keys("C-z")
    tmux.wait_for("Stopped")
    tmux.wait_for(lambda s: tmux.settings() == before and not tmux.alternate())
    tmux.line("clear; fg")  # else the next "Stopped" would be the one that stands there
    tmux.wait_for(lambda s: up(s) and "recording" in s)
    tmux.keys("C-z")
    tmux.wait_for("Stopped")
    tmux.line("bg; clear")
    time.sleep(0.5)
    tmux.wait_for(lambda s: tmux.settings() == before and not tmux.alternate())
    tmux.line("fg")
    tmux.wait_for(up)
    tmux.wait_for("err 59", history=True)
    tmux.wait_for(lambda s: not tmux.alternate())
    tmux.wait_for(lambda s: tmux.settings() == before)


# -- streams -------------------------------------------------------------------------------------------------------


class Terminals:
    """Two ptys of our own as stdout and stderr (and stdin) of a run, so that both can be read apart."""

    def __init__(self, argv, cwd):
        self.out, out_slave = pty.openpty()
        self.err, err_slave = pty.openpty()
        for fd in (out_slave, err_slave):
            settings = termios.tcgetattr(fd)
            settings[1] &= ~termios.OPOST
            termios.tcsetattr(fd, termios.TCSANOW, settings)
            fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

        def child():
            os.setsid()
            fcntl.ioctl(err_slave, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(argv, stdin=err_slave, stdout=out_slave, stderr=err_slave, cwd=cwd,
                                        preexec_fn=child, env={**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"})
        os.close(out_slave)
        os.close(err_slave)

    def read(self, timeout=30):
        got = {self.out: b"", self.err: b""}
        left, end = set(got), time.monotonic() + timeout
        while left and time.monotonic() < end:
            for fd in select.select(list(left), [], [], 0.2)[0]:
                try:
                    data = os.read(fd, 65536)
                except OSError:
                    data = b""
                if data:
                    got[fd] += data
                else:
                    left.discard(fd)
        self.process.wait(timeout=10)
        return got[self.out], got[self.err]


def without_screen(err):
    """What stderr got behind the live screen: after the full screen was left for the last time."""
    return re.split(rb"\x1b\[\?1049l(?:\x1b\[23;0;0t)?(?:\r\x1b\[\?1l\x1b>)?", err)[-1]


@pytest.mark.parametrize("mode,seconds", [("bytes", 0), ("count 20000", 0), ("lines 50", 1)])
def test_streams_come_back_apart_and_byte_exact(rustscope, target, tmp_path, mode, seconds):
    command = f"{target('talk')} {mode}; exec sleep {seconds}"
    expected = subprocess.run(["sh", "-c", command], capture_output=True)
    terminals = Terminals([rustscope, "-q", "--", "sh", "-c", command], tmp_path)
    out, err = terminals.read()
    assert terminals.process.returncode == 0
    assert out == expected.stdout
    # A last line without an end gets one before the prompt comes back, on the terminal that stderr is.
    err = without_screen(err) if seconds else err
    assert err.removesuffix(b"\n") == expected.stderr.removesuffix(b"\n")


def test_redirected_output_is_untouched(rustscope, target, tmp_path):
    for option in ("--no-tui", "-q"):
        with open(tmp_path / "out", "wb") as out:
            subprocess.run([rustscope, option, "--", target("talk"), "bytes"], stdout=out, stderr=subprocess.DEVNULL,
                           cwd=tmp_path, check=True)
        assert (tmp_path / "out").read_bytes() == bytes(range(256)) + b"\r\n\n\r"


def test_stdout_may_be_a_file_under_the_screen(tmux, rustscope, target, tmp_path):
    run(tmux, rustscope, f"{target('talk')} lines 20 100 > {tmp_path}/out")
    screen = tmux.wait_for("err 9")
    assert "out 9" not in screen
    tmux.wait_for("done=0", history=True)
    assert (tmp_path / "out").read_text() == "".join(f"out {i}\n" for i in range(20))


def test_more_output_than_is_kept_is_said(tmux, rustscope):
    run(tmux, rustscope, "sh -c 'yes 0123456789abcdef | head -c 20000000; echo; echo last'")
    screen = tmux.wait_for("done=0", timeout=60, history=True)
    assert "last" in screen
    assert re.search(r"the first [0-9.]+ .?B of the program's output are not shown", screen)


# -- without a terminal ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("env", [{}, {"TERM": "dumb"}, {"NO_COLOR": "1"}, {"CI": "1"}, {"LC_ALL": "C"}])
def test_no_escapes_without_a_terminal(rustscope, target, tmp_path, env):
    result = subprocess.run([rustscope, "--", target("talk"), "lines", "3"], capture_output=True, cwd=tmp_path,
                            stdin=subprocess.DEVNULL, env={**os.environ, "TERM": "xterm-256color", **env})
    assert b"\x1b" not in result.stderr + result.stdout
    assert b"rustscope  tgt_talk" in result.stderr


def test_spikes_are_plain_lines_without_a_terminal(rustscope, target, tmp_path):
    result = subprocess.run([rustscope, "--", target("talk"), "spike"], capture_output=True, text=True, cwd=tmp_path,
                            stdin=subprocess.DEVNULL)
    lines = [line for line in result.stderr.splitlines() if line.startswith("rustscope: ")]
    assert len(lines) == 1 and re.match(r"rustscope: 00:0[01]\.\d Memory spike: \+20\.\d MB", lines[0])


def test_quiet_says_nothing(rustscope, target, tmp_path):
    result = subprocess.run([rustscope, "-q", "--", target("talk"), "spike"], capture_output=True, cwd=tmp_path,
                            stdin=subprocess.DEVNULL)
    assert result.stderr == b"" and (tmp_path / "rustscope-last.json").exists()


def test_a_closed_pipe_is_no_noise(rustscope, tmp_path):
    result = subprocess.run(f"{shlex.quote(rustscope)} -- sh -c 'sleep 0.3; echo x' 2>&1 | true; "
                            f"{shlex.quote(rustscope)} --help | true", shell=True, capture_output=True, cwd=tmp_path)
    assert result.stderr == b"" and result.stdout == b""


@pytest.mark.parametrize("env", [{}, {"LC_ALL": "tr_TR.UTF-8"}, {"LC_ALL": "C"}, {"PATH": "/usr/bin:/bin", "HOME": "/dev/null"},
                                 {"LD_LIBRARY_PATH": "/nonexistent::"}])
def test_odd_environments_change_nothing(rustscope, target, tmp_path, env):
    result = subprocess.run([rustscope, "--", target("talk"), "lines", "3"], capture_output=True, cwd=tmp_path,
                            stdin=subprocess.DEVNULL, env=env, umask=0o077)
    assert result.returncode == 0 and result.stdout == b"out 0\nout 1\nout 2\n"
    assert b"rustscope  tgt_talk lines 3" in result.stderr and b"avg" in result.stderr
