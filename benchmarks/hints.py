"""What a hint costs after a failed import, and what Tab costs, beside importing pip.

    python benchmarks/hints.py [--runs N]

Every figure is the median over fresh processes; the ratios are of one run on one machine.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

EXPLAIN = """
from time import perf_counter
try:
    import {module}
except ImportError as caught:
    error = caught
start = perf_counter()
from jstackmagic.hint.missing import explain
hint = explain(error, conda=False)
first = perf_counter() - start
explain(error, conda=False)
print(first, perf_counter() - start - first)
"""
TAB = """
from time import perf_counter
start = perf_counter()
from jstackmagic.commands._complete import complete
assert complete("install", [], "{token}")
first = perf_counter() - start
complete("install", [], "{token}")
print(first, perf_counter() - start - first)
"""
PIP = "from time import perf_counter\nstart = perf_counter()\nimport pip._internal.cli.main\n"


def milliseconds(code: str, runs: int) -> list[float]:
    """The medians of the numbers that a program prints, in milliseconds."""
    seen = []
    for _ in range(runs):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        seen.append([float(word) * 1000 for word in done.stdout.split()])
    return [statistics.median(column) for column in zip(*seen, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    (pip,) = milliseconds(f"{PIP}print(perf_counter() - start)", runs)
    rows = [
        ("hint for a known name", EXPLAIN.format(module="skbio")),
        ("hint for an unknown name", EXPLAIN.format(module="zzqq_nothing_of_the_kind")),
        ("Tab for the name of a package", TAB.format(token="nump")),
        ("Tab for an option", TAB.format(token="--rec")),
    ]
    print(f"{'what':32}{'first ms':>10}{'again ms':>10}{'of pip':>8}")
    for title, code in rows:
        first, again = milliseconds(code, runs)
        print(f"{title:32}{first:10.1f}{again:10.1f}{first / pip:8.2f}")
    print(f"{'import pip':32}{pip:10.1f}")


if __name__ == "__main__":
    main()
