"""What an install, what is there already and an idle cell cost, against another commit.

    python benchmarks/against.py COMMIT [--rounds N]

Both trees are run by turns, each time in a process of its own, so that both see the same machine.
CPU time is measured, of this process and those that it starts; a cell is timed by the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.wheels import build_wheel

ROOT = Path(__file__).parent.parent

CHILD = """
import contextlib, io, json, resource, statistics, sys, time
from jstackmagic.cli import main
from IPython.core.interactiveshell import InteractiveShell

def spent():
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, who))

def line(*words):
    began = spent()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert main(list(words)) in (0, None), words
    return (spent() - began) * 1000

into = ("--prefix", sys.argv[1], "--pip", *sys.argv[2:])
lines = {"install of 10 wheels, ms": ("install", *into), "already there, ms": ("install", *into),
         "remove, ms": ("remove", *into)}
times = {name: [] for name in lines}
for turn in range(4):
    for name, words in lines.items():
        found = line(*words)
        if turn:  # the first one imports
            times[name].append(found)
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "jstackmagic")
time.sleep(5)  # the packages are read in the background
cells = []
for _ in range(2000):
    began = time.perf_counter_ns()
    shell.run_cell("x = 1")
    cells.append((time.perf_counter_ns() - began) / 1000)
times["an idle cell, µs"] = [statistics.median(cells)]
print(json.dumps(times))
"""


def measured(tree: Path, folder: Path, prefix: Path, names: list[str]) -> dict[str, list[float]]:
    """One process's times with the sources of a tree, by what was measured."""
    history = folder / f"{tree.name}.jsonl"
    history.unlink(missing_ok=True)
    environ = os.environ | {
        "PYTHONPATH": str(tree / "src"),
        "IPYTHONDIR": str(folder / "ipython"),
        "JSTACKMAGIC_HISTORY": str(history),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder / "wheels"),
    }
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", CHILD, str(prefix), *names]
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        old = folder / "old"
        old.mkdir()
        archive = ["git", "-C", str(ROOT), "archive", args.commit, "src"]
        packed = subprocess.run(archive, stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(["tar", "-x", "-C", str(old)], input=packed, check=True)
        names = [f"made{number}" for number in range(10)]
        for each in names:
            modules = {f"{each}/{number}.py": "x = 1\n" for number in range(20)}
            build_wheel(folder / "wheels", each, "1.0", modules=modules)
        prefix = folder / "env"
        subprocess.run([sys.executable, "-m", "venv", prefix], check=True)
        for _ in range(args.rounds):
            for which, tree in (("before", old), ("now", ROOT)):
                for what, found in measured(tree, folder, prefix, names).items():
                    times[what, which] += found
    print(f"| what | {args.commit} | now | ratio |\n|---|---|---|---|")
    for what in dict.fromkeys(what for what, _ in times):
        before, now = (statistics.median(times[what, which]) for which in ("before", "now"))
        print(f"| {what} | {before:.1f} | {now:.1f} | {now / before:.2f} |")


if __name__ == "__main__":
    main()
