"""Every operation, with a fault at calls that change a file: some in an ordinary run, all of them
with ``--faults=all``. docs/reliability.md says what is promised, and has the last full figures."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from . import harness, tracer
from .harness import Bench, Examination, Point, summary
from .scenes import OPERATIONS, Operation, Scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REASON = tracer.feasible()
pytestmark = [pytest.mark.skipif(bool(_REASON), reason=_REASON), pytest.mark.slow]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_the_same_line_or_a_named_one_makes_it_right(
    operation: Operation, bench: Bench, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if operation.engine == "apt" and (os.geteuid() or shutil.which("apt-get") is None):
        pytest.skip("apt-get needs to be there, and root")
    asked = request.config.getoption("--faults")
    examined = Examination(Scene(tmp_path / "scene"), operation, bench)
    count = 10**6 if asked == "all" else int(asked)
    # each engine meets every fault, at other operations than the other engines
    place = OPERATIONS.index(operation)
    turn = (place + place // len(tracer.FAULTS)) % len(tracer.FAULTS)
    faults = (*tracer.FAULTS[turn:], *tracer.FAULTS[:turn])
    points = [examined.point(*each) for each in examined.sample(count, faults)]
    print(f"{operation.id}: {examined.calls} calls, {summary(points)}")
    assert any(point.failed for point in points)
    wrong = [_described(point) for point in points if point.problems]
    assert not wrong, "\n\n".join(wrong[:3])


def _described(point: Point) -> str:
    said = "\n".join(
        f"$ {line}\n{said}" for line, said in zip(point.lines, point.said[1:], strict=True)
    )
    return f"{point.fault} at {point.at} ({point.failed}): {point.problems}\n{said}"


def test_a_fault_that_is_not_made_right_is_seen(bench: Bench, tmp_path: Path) -> None:
    """A harness that lets everything pass would find nothing."""
    operation = next(each for each in OPERATIONS if each.id == "uv-install")
    examined = Examination(Scene(tmp_path / "scene"), operation, bench)
    site = next(examined.scene.prefix.glob("lib/python*/site-packages"))
    examined.argv = ["install", "--record-only", "--prefix", str(examined.scene.prefix), "x"]
    point = examined.point("", 0)
    assert any("without" in problem for problem in point.problems)
    assert any(problem.startswith("recipe") for problem in point.problems)
    assert site.is_dir()


def test_what_hangs_fails_alone_and_the_next_has_a_new_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "hangs_once.py"
    program.write_text(
        "import os, sys, time\nsys.stdin.readline(); sys.stdin.readline()\n"
        "if not os.path.exists(sys.argv[0] + '.was'):\n"
        "    open(sys.argv[0] + '.was', 'w').close(); time.sleep(600)\n"
        "print('{\"status\": 3}')\n"
    )
    monkeypatch.setattr(tracer, "__file__", str(program))
    scene, bench = Scene(tmp_path / "scene"), Bench()
    (scene.root / "output").write_text("said")
    monkeypatch.setattr(harness, "PATIENCE", 1)
    with pytest.raises(TimeoutError, match="install x"):
        bench.run(scene, ["install", "x"], "kill", 7)
    monkeypatch.undo()
    monkeypatch.setattr(tracer, "__file__", str(program))
    assert bench.run(scene, ["install", "x"])[0].status == 3
    bench.close()
