#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Whether memory stays flat: redis-server under redis-benchmark, recorded for as long as you like.

    bench/soak.py [--build BUILD] [--seconds 600] [--every 10]

Prints a line every EVERY seconds: what the shim holds in redis-server (its mappings are the ones that are wiped on fork,
VmFlags wf), what the CLI holds (anonymous memory), the shared slab's resident pages, and redis's own idea of its heap
beside ours. The first third is warm-up; flat means that the highest reading of the last third is within 5 % or 1 MB of the
highest one of the second third. The CLI keeps the session, which grows by design until its tables are full (rows of
100 ms, at most 1 M): that part is printed as rows, and their 36 bytes each are taken off before the comparison.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOAD = ["set", "get", "incr", "lpush", "lpop", "sadd", "hset", "spop", "zadd", "zpopmin", "lrange_100", "mset"]
ROW_BYTES = 36


def shim_bytes(pid):
    """Resident bytes of the mappings that a fork would wipe."""
    total, resident = 0, 0
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if line.startswith("Rss:"):
            resident = int(line.split()[1]) * 1024
        elif line.startswith("VmFlags:") and " wf" in line:
            total += resident
    return total


def status(pid, field):
    return int(re.search(rf"^{field}:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1]) * 1024


def ask(port, command):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        s.sendall(command.encode() + b"\r\nQUIT\r\n")
        answer = b""
        while data := s.recv(65536):
            answer += data
    return answer.decode(errors="replace")


def server_of(cli):
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            stat = path.read_text()
        except OSError:
            continue
        if int(stat.rsplit(")", 1)[1].split()[1]) == cli and "redis-server" in stat:
            return int(path.parent.name)
    return None


def load(port, stop):
    """Rounds of redis-benchmark; every other one begins with an empty server, so that memory comes and goes."""
    while not stop.is_set():
        subprocess.run(
            ["redis-benchmark", "-p", str(port), "-q", "-n", "40000", "-r", "20000", "-d", "100", "-P", "4", "-t", ",".join(LOAD)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            ask(port, "FLUSHALL")
        except OSError:
            return


def flat(name, readings):
    third = len(readings) // 3
    before, after = max(readings[third : 2 * third]), max(readings[2 * third :])
    good = after <= before * 1.05 or after <= before + 1e6
    print(f"{name:12} {before / 1e6:7.2f} MB in the second third, {after / 1e6:7.2f} MB in the last: {'flat' if good else 'GROWS'}")
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=str(ROOT / "build" / "release"))
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--every", type=float, default=10)
    options = parser.parse_args()
    if not shutil.which("redis-server") or not shutil.which("redis-benchmark"):
        sys.exit("redis-server and redis-benchmark are needed (apt install redis-server redis-tools)")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        session = pathlib.Path(folder) / "s.json"
        cli = subprocess.Popen(
            [str(pathlib.Path(options.build).resolve() / "bin" / "rustscope"), "--no-tui", "-q", "-o", str(session), "--"]
            + ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", folder],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        server = None
        while not server:
            time.sleep(0.1)
            server = server_of(cli.pid)
        time.sleep(0.5)
        stop = threading.Event()
        thread = threading.Thread(target=load, args=(port, stop))
        thread.start()
        begin, shim, own, slab = time.monotonic(), [], [], []
        while time.monotonic() - begin < options.seconds:
            time.sleep(options.every)
            shim.append(shim_bytes(server))
            own.append(status(cli.pid, "RssAnon"))
            slab.append(status(cli.pid, "RssShmem"))
            info = dict(line.split(":", 1) for line in ask(port, "INFO").splitlines() if ":" in line)
            print(
                f"{time.monotonic() - begin:6.0f} s  shim {shim[-1] / 1e6:6.2f} MB  cli {own[-1] / 1e6:6.2f} MB  "
                f"slab {slab[-1] / 1e6:5.2f} MB  redis heap {int(info['used_memory']) / 1e6:6.2f} MB  "
                f"{int(info['total_commands_processed']) / 1e6:7.2f} M commands",
                flush=True,
            )
        stop.set()
        os.kill(server, signal.SIGTERM)
        thread.join()
        cli.wait()
        found = json.loads(session.read_text())
        rows = len(found["alloc_buckets"]["node"]) + len(found["cpu"]["node"])
        summary, diagnostics = found["summary"], found["diagnostics"]
        print(
            f"{summary['total_allocations'] / 1e6:.1f} M allocations, {diagnostics['events_received'] / 1e6:.1f} M events, "
            f"dropped {diagnostics['events_dropped']}, {rows} rows, JSON {session.stat().st_size / 1e6:.1f} MB, "
            f"heap peak {summary['heap_peak_mb']:.1f} MB, leaked {summary['leaked_bytes']} B"
        )
        for warning in diagnostics["warnings"]:
            print("  warning:", warning)
        # Rows come in evenly: each reading gives back its share.
        less = [b - rows * ROW_BYTES * (i + 1) / len(own) for i, b in enumerate(own)]
        good = [flat("shim", shim), flat("cli", own), flat("cli less rows", less), flat("slab", slab)]
        sys.exit(0 if good[0] and good[2] and good[3] else 1)


if __name__ == "__main__":
    main()
