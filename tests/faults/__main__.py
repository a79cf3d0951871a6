"""Examine operations at every call, or at so many, and print the figures.

python -m faults [--points N] [--faults kill,full] [OPERATION …]     # in the folder tests
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from .harness import Bench, Examination, Point, row, summary
from .scenes import OPERATIONS, Scene
from .tracer import FAULTS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("operations", nargs="*", help=", ".join(each.id for each in OPERATIONS))
    parser.add_argument("--points", type=int, default=10**6, help="at most, an operation")
    parser.add_argument("--faults", default=",".join(FAULTS))
    parser.add_argument("--at", type=int, help="one call alone, and all that was said")
    args = parser.parse_args()
    faults = tuple(args.faults.split(","))
    bench = Bench()
    for operation in OPERATIONS:
        if args.operations and operation.id not in args.operations:
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            found = Examination(Scene(Path(folder, "scene")), operation, bench)
            chosen = found.sample(args.points, faults)
            if args.at:
                chosen = [(fault, args.at) for fault in faults]
            points = []
            for each in chosen:
                points.append(found.point(*each))
                _show(points[-1], whole=bool(args.at))
        seconds = time.monotonic() - began
        print(f"{operation.id}: {found.calls} calls, {summary(points)}; {seconds:.0f} s")
        print(row(operation.id, found.calls, points), flush=True)
    bench.close()


def _show(point: Point, *, whole: bool) -> None:
    if not (point.problems or whole):
        return
    print(f"  {point.fault} at {point.at} ({point.failed}), left it {point.first}")
    print(*(f"    typed: {line}" for line in point.lines), sep="\n")
    print(*(f"    WRONG: {problem[:400]}" for problem in point.problems), sep="\n", flush=True)
    if whole:
        print(*point.said, sep="\n    ----\n")


if __name__ == "__main__":
    main()
