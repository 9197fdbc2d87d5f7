"""`rustscope view`: loopback only, an unguessable path, nothing else served; and the page it serves is the committed one."""

import base64
import gzip
import http.client
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import urllib.parse

import pytest

from conftest import ROOT

SESSION = gzip.decompress((ROOT / "tests" / "golden" / "session_shop.json.gz").read_bytes())


class View:
    def __init__(self, argv, cwd):
        env = {**os.environ, "PATH": "/nonexistent"}  # no xdg-open: a browser must not start in a test
        self.process = subprocess.Popen(argv, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
        self.url = self.process.stdout.readline().strip()
        parts = urllib.parse.urlsplit(self.url)
        self.port, self.path = parts.port, parts.path

    def get(self, path, method="GET", host=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host or f"127.0.0.1:{self.port}")
        connection.endheaders()
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response, body

    def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.process.wait(10)


@pytest.fixture
def view(rustscope, tmp_path):
    started = []

    def start(*args, name="session.json", data=SESSION):
        (tmp_path / name).write_bytes(data)
        started.append(View([rustscope, "view", *args, name], tmp_path))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.stop()


def test_page_and_session_are_served_under_the_token(view):
    server = view("--no-open")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[0-9a-f]{48}/", server.url)
    response, page = server.get(server.path)
    assert response.status == 200
    block = re.search(rb'<script type="application/json" id="rustscope-session">(.*?)</script>', page)
    assert json.loads(block[1]) == {"urls": [{"name": "session.json", "url": "session/0"}]}
    policy = response.getheader("Content-Security-Policy")
    assert policy.startswith("default-src 'none';") and "frame-ancestors 'none'" in policy and "unsafe-inline" not in policy
    assert response.getheader("X-Content-Type-Options") == "nosniff"
    response, body = server.get(server.path + "session/0")
    assert response.status == 200 and body == SESSION
    assert server.stop() == 0


def test_nothing_without_the_token_or_with_a_foreign_host(view):
    server = view("--no-open")
    wrong = server.path[:-2] + ("0" if server.path[-2] != "0" else "1") + "/"
    for path in ("/", "/session/0", wrong, wrong + "session/0", server.path[:-1], "/" + "0" * 5000):
        assert server.get(path)[0].status == 404, path
    for path in ("../../../../etc/passwd", "session/1", "session/0/", "session/00", "..%2f..%2fetc%2fpasswd", "session/-1"):
        assert server.get(server.path + path)[0].status == 404, path
    for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1", f"127.0.0.1.evil.example:{server.port}"):
        assert server.get(server.path, host=host)[0].status == 403, host
    assert server.get(server.path, host=f"localhost:{server.port}")[0].status == 200
    assert server.get(server.path, method="POST")[0].status == 405
    assert server.get(server.path, method="HEAD")[1] == b""


def test_listens_on_the_loopback_only(view):
    server = view("--no-open")
    own = socket.gethostbyname(socket.gethostname())
    if own.startswith("127."):
        listening = [line.split()[1] for line in open("/proc/net/tcp") if line.split()[3] == "0A"]
        assert f"0100007F:{server.port:04X}" in listening and f"00000000:{server.port:04X}" not in listening
    else:
        with pytest.raises(OSError):
            socket.create_connection((own, server.port), timeout=2)


def test_a_file_name_is_text(view):
    name = "<img onerror=x>\u2028\"'.json"
    server = view("--no-open", name=name)
    block = re.search(rb'id="rustscope-session">(.*?)</script>', server.get(server.path)[1])
    assert b"<img" not in block[1] and json.loads(block[1])["urls"][0]["name"] == name


def test_two_servers_have_different_tokens(view):
    assert view("--no-open").path != view("--no-open").path


def test_a_browser_that_cannot_be_started_is_no_failure(view):
    server = view()
    assert server.get(server.path)[0].status == 200
    assert server.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    "args, sentence",
    [
        (["missing.json"], "cannot read missing.json: No such file or directory"),
        (["."], "cannot read .: it is not a regular file"),
        ([], "there is no rustscope-last.json here"),
        (["empty.json"], "empty.json is empty"),
        (["--port", "99999", "empty.json"], "--port takes a number from 0 to 65535"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(rustscope, tmp_path, args, sentence):
    (tmp_path / "empty.json").write_bytes(b"")
    result = subprocess.run([rustscope, "view", "--no-open", *args], cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert result.returncode in (1, 2) and result.stdout == ""
    assert result.stderr.startswith("rustscope: ") and sentence in result.stderr and result.stderr.count("\n") == 1


def test_a_busy_port_is_one_sentence(rustscope, tmp_path):
    (tmp_path / "session.json").write_bytes(SESSION)
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        result = subprocess.run(
            [rustscope, "view", "--no-open", "--port", str(port), "session.json"], cwd=tmp_path, capture_output=True, text=True, timeout=20
        )
    assert result.returncode == 1
    assert result.stderr == f"rustscope: port {port} is in use: choose another with --port, or leave it out\n"


def test_a_report_into_a_pipe_leaves_the_pipe(rustscope, record, tmp_path):
    session = record(["-q", "--no-alloc"], ["true"]).path
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with open(tmp_path / "read", "wb") as to:
        reader = subprocess.Popen(["cat", str(fifo)], stdout=to)
        subprocess.run([rustscope, "report", "--html", str(fifo), str(session)], check=True, capture_output=True, timeout=20)
        reader.wait(timeout=20)
    assert (tmp_path / "read").read_text().startswith("<!DOCTYPE html>") and fifo.is_fifo()


def summed(column):
    """[+1000,1,4]: differences between neighbours, as the visualizer's JSON reader sums them up."""
    return json.dumps(list(itertools.accumulate(map(int, column[1].split(",")))), separators=(",", ":"))


def test_a_report_is_one_page_with_the_session_inside(rustscope, record, tmp_path):
    session = record(["--no-tui", "-q"], ["true"]).path
    argv = [rustscope, "report", "--html", "report.html", str(session)]
    result = subprocess.run(argv, cwd=tmp_path, check=True, timeout=20, capture_output=True, text=True)
    page = (tmp_path / "report.html").read_text()
    assert result.stdout == "" and result.stderr == f"rustscope: wrote report.html ({len(page.encode())} bytes)\n"
    block = json.loads(re.search(r'id="rustscope-session">(.*?)</script>', page, re.S)[1])
    packed = gzip.decompress(base64.b64decode(block["gzip"])).decode()
    assert len(packed) <= session.stat().st_size
    assert re.sub(r"\[\+([^]]*)\]", summed, packed) == session.read_text()
    assert "http://" not in re.sub(r'"http://www\.w3\.org/[^"]*"', "", page.split("<body")[0])


@pytest.mark.parametrize(
    "args, status, sentence",
    [
        (["--html", "x.html", "broken.json"], 1, "broken.json"),
        (["--html", "/no/such/folder/x.html", "good.json"], 1, "cannot write /no/such/folder/x.html"),
        (["--html", "x.html", "--window", "1..2", "good.json"], 2, "--html takes the session whole"),
        (["--html", "x.html", "-"], 2, "--html reads a session from a file"),
    ],
)
def test_a_report_that_cannot_be_made_is_one_sentence(rustscope, record, tmp_path, args, status, sentence):
    record(["--no-tui", "-q"], ["true"], output=tmp_path / "good.json")
    (tmp_path / "broken.json").write_text("{")
    result = subprocess.run([rustscope, "report", *args], cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert result.returncode == status and sentence in result.stderr and result.stderr.count("\n") == 1
    assert not (tmp_path / "x.html").exists()
