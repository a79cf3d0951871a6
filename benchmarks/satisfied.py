"""Asking for what is already there: `%envinstall` beside IPython's own `%pip install`.

    python benchmarks/satisfied.py [--runs N] [REQUIREMENT ...]

Both run in one IPython, in turn, on the environment of the interpreter that runs this script; the
ratio is the median of the pairs.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import tempfile
from time import perf_counter

from IPython.core.interactiveshell import InteractiveShell


def seconds(shell: InteractiveShell, magic: str, line: str) -> float:
    """How long a line magic takes; what it prints is thrown away."""
    start = perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        shell.run_line_magic(magic, line)
    return perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("requirements", nargs="*", default=["packaging", "ipython"])
    options = parser.parse_args()
    line = " ".join(options.requirements)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["JSTACKMAGIC_HISTORY"] = os.path.join(folder, "history.jsonl")
        shell = InteractiveShell.instance()
        shell.run_line_magic("load_ext", "jstackmagic")
        first = seconds(shell, "envinstall", line)
        pairs = [
            (seconds(shell, "envinstall", line), seconds(shell, "pip", f"install {line}"))
            for _ in range(options.runs)
        ]
    ours, pip = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(theirs / ours for ours, theirs in pairs)
    print(f"%envinstall {line}: {ours * 1000:.1f} ms (the first time {first * 1000:.1f} ms)")
    print(f"%pip install {line}: {pip * 1000:.1f} ms")
    print(f"ratio: {ratio:.1f}")


if __name__ == "__main__":
    main()
