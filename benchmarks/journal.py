"""What the note of a change that is being made costs (docs/reliability.md).

    python benchmarks/journal.py [--pairs N]

Each line is run with the note and without it by turns, in one process and one environment, so that
both see the same machine. CPU time is measured, of this process and those that it starts: on a
machine with other work, the clock says more of the other work. The ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def without_note() -> Iterator[None]:
    """Neither write a note nor look for one."""
    from jstackmagic.install import unfinished

    write, find = unfinished.write_file, unfinished.find
    unfinished.write_file = lambda path, *_, **__: Path(path).touch()  # type: ignore[assignment]
    unfinished.find = lambda _: []
    try:
        yield
    finally:
        unfinished.write_file, unfinished.find = write, find


def _spent() -> float:
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, who))


def milliseconds(*words: str) -> float:
    """CPU time of a line."""
    from jstackmagic import commands
    from jstackmagic.display.console import quiet
    from jstackmagic.session import Session

    began = _spent()
    commands.execute(words[0], list(words[1:]), Session(shown=quiet()))
    return (_spent() - began) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20)
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {
            "JSTACKMAGIC_HISTORY": str(folder / "history.jsonl"),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(folder / "wheels"),
        }
        for number in range(10):
            modules = {f"made{number}/{each}.py": "x = 1\n" for each in range(20)}
            build_wheel(folder / "wheels", f"made{number}", "1.0", modules=modules)
        prefix = folder / "env"
        subprocess.run([sys.executable, "-m", "venv", prefix], check=True)
        names = [f"made{number}" for number in range(10)]
        into = ("--prefix", str(prefix), "--pip", *names)
        lines = {
            "`%envinstall` of 10 wheels": ("install", *into),
            "the same, already there": ("install", *into),
            "`%envremove` of them": ("remove", *into),
        }
        times: dict[tuple[str, bool], list[float]] = {}
        for pair in range(2 * pairs):
            for line, words in lines.items():
                if pair % 2:
                    times.setdefault((line, True), []).append(milliseconds(*words))
                else:
                    with without_note():
                        times.setdefault((line, False), []).append(milliseconds(*words))
    print("| what | without the note | with it | ratio |\n|---|---|---|---|")
    for line in lines:
        bare, noted = (statistics.median(times[line, each]) for each in (False, True))
        print(f"| {line} | {bare:.1f} ms | {noted:.1f} ms | {noted / bare:.2f} |")


if __name__ == "__main__":
    main()
