"""How long the report takes over many people's histories, and what the service takes in meanwhile.

    python benchmarks/hub.py [--users 5000] [--records 200]

The homes are made in a temporary folder, with lines as installs write them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib import request as http

from jstackmagic.history.lines import encode
from jstackmagic.history.who import context
from jstackmagic.hub.store import Database, checked
from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.packages import Change, Package
from jstackmagic.model.plan import Outcome
from jstackmagic.model.request import Request
from jstackmagic.report.folders import USUAL, histories, report_on
from jstackmagic.report.person import Filter
from jstackmagic.sending.reduced import reduced

BASE = EnvironmentRef("conda-base", "base", "/opt/conda", "3.13.1")
NAMES = 3_000  # packages that people choose from, a few of them far more often
DEPENDENCIES = 6  # of a package


def record(number: int, seed: random.Random) -> bytes:
    """Return the two lines of one record, as an install writes them."""
    name = f"package-{min(int(seed.paretovariate(0.6)), NAMES)}"
    manager = "pip" if number % 3 else "conda"
    time_ = f"2026-{number % 11 + 1:02}-{number % 28 + 1:02}T09:14:03.512Z"
    action = "remove" if number % 12 == 11 else "install"
    begun = encode(
        "begin",
        f"{number:08x}.1",
        time_,
        request=Request(action, manager, (f"{name}>=1",)),
        environment=BASE,
        engine=manager,
        commands=(f"python -m {manager} install '{name}>=1'",),
        context=WHO,
    )
    packages = [
        Package(manager, name if i == 0 else f"{name}-needs-{i}", f"1.{number % 7}", size=90_000)
        for i in range(DEPENDENCIES)
    ]
    status = "failed" if number % 10 == 9 else "ok"
    outcome = Outcome(
        status,
        int(status == "failed"),
        1.5,
        Change(added=tuple(packages)) if status == "ok" else Change(),
        (packages[0],) if status == "ok" else (),
        message="ERROR: No matching distribution found" if status == "failed" else "",
        log="Collecting package\n" * 20,
    )
    return begun + encode("end", f"{number:08x}.1", time_, outcome=outcome)


def fill(folder: Path, users: int, records: int) -> int:
    """Write the homes; return the bytes of all histories."""
    seed = random.Random(1)
    pool = [record(number, seed) for number in range(20_000)]
    size = 0
    for user in range(users):
        path = folder / f"user-{user}" / USUAL
        path.parent.mkdir(parents=True)
        start = seed.randrange(len(pool))
        text = b"".join((pool[start:] + pool[:start])[:records])
        path.write_bytes(text)
        size += len(text)
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=5_000)
    parser.add_argument("--records", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20, help="that the service is sent to")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report(Path(folder), args.users, args.records)
    with tempfile.TemporaryDirectory() as folder:
        service(Path(folder), args.users, args.records, args.seconds)


def report(folder: Path, users: int, records: int) -> None:
    size = fill(folder, users, records)
    print("| processes | people | records | files | report | CPU of this one | more memory |")
    print("|---|---|---|---|---|---|---|")
    for workers in (1, len(os.sched_getaffinity(0))):
        before, busy, started = peak(), time.process_time(), time.perf_counter()
        tally = report_on(histories([folder]), Filter(), workers=workers)
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
        assert tally.users == users, (tally.users, tally.skipped[:3])
        print(
            f"| {workers} | {tally.users:,} | {tally.records:,} | {size / 1e6:,.0f} MB "
            f"| {seconds:.1f} s | {busy:.1f} s | {(peak() - before) / 1e6:.0f} MB |",
            flush=True,
        )


class Who(BaseHTTPRequestHandler):
    """The hub's answer to who has a token: here the token is the name."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name = self.headers.get("Authorization", "").partition(" ")[2]
        said: object = []
        if self.path.endswith("/user"):
            said = {"kind": "user", "name": name, "admin": True, "scopes": ["access:services"]}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def stored(folder: Path, users: int, records: int) -> list[dict[str, object]]:
    """Fill the service's database as it does itself; return the lines of 4,000 records."""
    seed = random.Random(2)
    lines = [line for n in range(4_000) for line in record(n, seed).splitlines()]
    sent = [json.loads(json.dumps(reduced(line, "salt"))) for line in lines]
    store, began = Database(f"sqlite:///{folder}/jstackmagic-hub.sqlite"), time.process_time()
    for user in range(users):
        start = seed.randrange(0, len(sent) - 2 * records) // 2 * 2
        chosen = [json.dumps(line).encode() for line in sent[start : start + 2 * records]]
        store.take(f"user-{user}", [checked(line) for line in chosen])
    each = users * records / (time.process_time() - began)
    store.engine.dispose()
    print(f"\n{users * records:,} records were stored, {each:,.0f} a CPU second")
    return sent


def service(folder: Path, users: int, records: int, seconds: float) -> None:
    """Send batches as kernels do to a service that has all records, and look at the report."""
    sent = stored(folder, users, records)
    hub = ThreadingHTTPServer(("127.0.0.1", 0), Who)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {
        "JUPYTERHUB_API_URL": f"http://127.0.0.1:{hub.server_port}/hub/api",
        "JUPYTERHUB_API_TOKEN": "service",
        "JUPYTERHUB_CLIENT_ID": "service-jstackmagic",
        "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}",
        "JUPYTERHUB_SERVICE_PREFIX": "/",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:services"]',
    }
    command = [Path(sys.executable).parent / "jstackmagic-hub", "--lines-a-minute", "10000000"]
    core = min(os.sched_getaffinity(0))
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command, "--pause", "5"],
        env={**os.environ, **environ},
        cwd=folder,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/"
    try:
        while _get(f"{url}health", "") is None:
            time.sleep(0.1)
        while b"People" not in (_get(url, "root") or b""):  # it counts all of it, once
            time.sleep(0.5)
        print(f"after the start it counted them in {processor(process.pid):.0f} CPU seconds")
        seed = random.Random(3)
        began, started = time.perf_counter(), processor(process.pid)
        taken, waits, number = 0, [], 0
        while time.perf_counter() - began < seconds:
            start = seed.randrange(0, len(sent) - 400) // 2 * 2
            batch = [
                {**line, "id": f"{number + at // 2 + 2**30:08x}.1"}
                for at, line in enumerate(sent[start : start + 400])
            ]
            number += 200
            body = json.dumps({"records": batch}).encode()
            answer = _get(f"{url}api/records", f"user-{seed.randrange(users)}", body)
            taken += json.loads(answer or b"{}").get("taken", 0)
            asked = time.perf_counter()
            assert _get(url, "root") is not None
            waits.append(time.perf_counter() - asked)
        took = time.perf_counter() - began
        busy = processor(process.pid) - started
        waits.sort()
        memory = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4_096
        print("\n| records taken | a second | a second of its CPU | report, 95 % within | memory |")
        print("|---|---|---|---|---|")
        print(
            f"| {taken // 2:,} | {taken / 2 / took:,.0f} "
            f"| {taken / 2 / busy:,.0f} "
            f"| {waits[int(len(waits) * 0.95)] * 1000:.0f} ms | {memory / 1e6:,.0f} MB |"
        )
    finally:
        process.terminate()
        process.wait(10)


def processor(pid: int) -> float:
    """Return the processor's seconds of a process so far; its start is not the service's work."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def _get(url: str, token: str, body: bytes | None = None) -> bytes | None:
    asked = http.Request(url, body, {"Authorization": f"token {token}"})
    try:
        with http.urlopen(asked, timeout=60) as answer:
            return bytes(answer.read())
    except OSError:
        return None


def peak() -> int:
    """Return the most memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


WHO = context(notebook="/home/jovyan/work/analysis.ipynb", image="registry.example.com/lab/base:1")

if __name__ == "__main__":
    main()
