"""How long the history takes: one append, and reading, folding and exporting all of it.

    python benchmarks/history.py [--counts 10 1000 100000]

Every record is two lines, as an install writes them. The file is made in a temporary folder.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from jstackmagic.export import get
from jstackmagic.history.file import History, context
from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.ledger import fold
from jstackmagic.model.packages import Change, ManagerName, Package
from jstackmagic.model.plan import Outcome
from jstackmagic.model.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

APPENDS = 50
NAMES = 2_000
ENVIRONMENTS = (
    EnvironmentRef("conda-base", "base", "/opt/conda", "3.13.1"),
    EnvironmentRef("conda-named", "second", "/opt/conda/envs/second", "3.10.14"),
)


def install(history: History, number: int) -> None:
    """Append one install: a package and a dependency."""
    manager: ManagerName = "pip" if number % 3 else "conda"
    name, version = f"package-{number % NAMES}", f"{number // NAMES + 1}.{number % 7}"
    package = Package(manager, name, version, source="https://pypi.example.com/simple", size=10_000)
    other = Package(manager, f"dependency-{number % NAMES}", version, size=1_000)
    record = history.begin(
        Request("install", manager, (f"{name}>={version}",)),
        ENVIRONMENTS[number % 5 == 0],
        transaction=f"{number:08x}",
        step=1,
        engine=manager,
        commands=(f"python -m {manager} install '{name}>={version}'",),
        context=WHO,
    )
    change = Change(added=(package, other))
    history.end(record, Outcome("ok", 0, 1.5, change=change, resolved=(package,)))


def fill(path: Path, count: int) -> None:
    """Write `count` records as the history itself writes one, without waiting for the disk."""
    template = History(path.with_suffix(".one"))
    lines = []
    for number in range(count):
        if number < NAMES * 7:
            install_one = template.path
            install_one.unlink(missing_ok=True)
            install(template, number)
            lines.append(install_one.read_bytes())
        else:
            old = lines[number - NAMES * 7]
            lines.append(
                old.replace(f"{number - NAMES * 7:08x}".encode(), f"{number:08x}".encode())
            )
    path.write_bytes(b"".join(lines))


def timed(action: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = action()
    return time.perf_counter() - started, result


def row(folder: str, count: int) -> str:
    """Measure a history of `count` records, as a line of the table."""
    history = History(Path(folder) / "history.jsonl")
    fill(history.path, count)
    size = history.path.stat().st_size
    reading, records = timed(history.records)
    folding, recipe = timed(lambda: fold(records))
    exporting, _ = timed(lambda: get("dockerfile").render(recipe, base_image="base:1"))
    # an install appends twice
    appends = [timed(lambda n=n: install(history, count + n))[0] / 2 for n in range(APPENDS)]
    return (
        f"| {count:7,} | {size / 1e6:3.1f} MB | {statistics.median(appends) * 1e3:7.2f} ms "
        f"| {reading:.3f} s | {folding:.3f} s | {exporting:.3f} s "
        f"| {reading + folding + exporting:.3f} s |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[10, 1_000, 100_000])
    print("| records |   file | one append | read | fold | export | read to export |")
    print("|--------:|-------:|-----------:|-----:|-----:|-------:|---------------:|")
    for count in parser.parse_args().counts:
        with tempfile.TemporaryDirectory() as folder:
            print(row(folder, count))


WHO = context(notebook="/home/jovyan/work/analysis.ipynb")

if __name__ == "__main__":
    main()
