"""What `%load_ext jstackmagic` costs, beside importing pandas and docker (where installed).

    python benchmarks/load.py [--runs N]

Every figure is the median over fresh processes; the ratios are of one run on one machine.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from importlib.util import find_spec

SHELL = (  # what a terminal's IPython has imported before it has a prompt
    "import IPython.terminal.ipapp\n"
    "from IPython.core.interactiveshell import InteractiveShell\n"
    "shell = InteractiveShell.instance()\n"
)
TIMED = "from time import perf_counter\nstart = perf_counter()\n{}\nprint(perf_counter() - start)\n"
LOAD = "shell.run_line_magic('load_ext', 'jstackmagic')"


def milliseconds(setup: str, code: str, runs: int) -> float:
    """The median time of a statement in a fresh process, in milliseconds."""
    command = [sys.executable, "-c", setup + TIMED.format(code)]
    times = []
    for _ in range(runs):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        times.append(float(done.stdout.split()[-1]) * 1000)
    return statistics.median(times)


def process(runs: int) -> float:
    """The median time of `python -c pass`, in milliseconds."""
    timing = (
        "import subprocess, sys\nfrom time import perf_counter\nstart = perf_counter()\n"
        "subprocess.run([sys.executable, '-c', 'pass'])\nprint(perf_counter() - start)\n"
    )
    times = []
    for _ in range(runs):
        done = subprocess.run(
            [sys.executable, "-c", timing], capture_output=True, text=True, check=True
        )
        times.append(float(done.stdout.split()[-1]) * 1000)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    ours = milliseconds(SHELL, LOAD, runs)
    rows = [("%load_ext jstackmagic", ours), ("python -c pass", process(runs))]
    for name in ("docker", "pandas"):
        if find_spec(name):
            rows.append((f"import {name}", milliseconds(SHELL, f"import {name}", runs)))
        else:
            print(f"{name} is not installed here: its row is left out")
    print(f"{'what':24}{'ms':>8}{'times ours':>12}")
    for name, time in rows:
        print(f"{name:24}{time:8.1f}{time / ours:12.1f}")


if __name__ == "__main__":
    main()
