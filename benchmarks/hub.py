"""How long the report takes over many people's histories, and its memory.

    python benchmarks/hub.py [--users 5000] [--records 200]

The homes are made in a temporary folder, with lines as installs write them.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import tempfile
import time
from pathlib import Path

from jstackmagic.history.lines import encode
from jstackmagic.history.who import context
from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.packages import Change, Package
from jstackmagic.model.plan import Outcome
from jstackmagic.model.request import Request
from jstackmagic.report.folders import USUAL, histories, report_on
from jstackmagic.report.person import Filter

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
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        size = fill(Path(folder), args.users, args.records)
        print("| processes | people | records | files | report | more memory of this one |")
        print("|---|---|---|---|---|---|")
        for workers in (1, len(os.sched_getaffinity(0))):
            before = peak()
            started = time.perf_counter()
            tally = report_on(histories([Path(folder)]), Filter(), workers=workers)
            seconds = time.perf_counter() - started
            assert tally.users == args.users, (tally.users, tally.skipped[:3])
            print(
                f"| {workers} | {tally.users:,} | {tally.records:,} | {size / 1e6:,.0f} MB "
                f"| {seconds:.1f} s | {(peak() - before) / 1e6:.0f} MB |",
                flush=True,
            )


def peak() -> int:
    """Return the most memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


WHO = context(notebook="/home/jovyan/work/analysis.ipynb", image="registry.example.com/lab/base:1")

if __name__ == "__main__":
    main()
