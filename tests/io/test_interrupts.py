"""Wherever an interrupt falls, there is a result or our message, and the record has its end."""

from __future__ import annotations

import asyncio
import signal
import threading
from pathlib import Path

import pytest

from jstackmagic import cli
from jstackmagic.history.file import History
from jstackmagic.io.interrupts import Interrupts
from jstackmagic.io.process import run
from jstackmagic.managers.conda.rattler import loop
from jstackmagic.model import managers
from jstackmagic.model.errors import Interrupted
from jstackmagic.model.plan import Command
from support import toymanager
from support.environments import make_venv
from support.interrupts import interrupted_at, spread


def ended(call: object) -> str:
    """Call it, and say how that ended."""
    try:
        call()  # type: ignore[operator]
    except (Interrupted, KeyboardInterrupt) as error:
        return type(error).__name__
    return "done"


def interrupted() -> None:
    signal.raise_signal(signal.SIGINT)


def test_one_that_was_noted_is_raised_in_the_end_and_one_that_is_heard_at_once() -> None:
    interrupts = Interrupts()

    def noted() -> None:
        with interrupts:
            interrupted()
            came.append("after it")

    def heard() -> None:
        with interrupts.heard():
            interrupted()
            came.append("never")

    came: list[str] = []
    assert ended(noted) == "KeyboardInterrupt"
    assert came == ["after it"]
    with interrupts:
        assert ended(heard) == "KeyboardInterrupt"
        interrupted()  # before the block, which is not begun then
        assert ended(heard) == "KeyboardInterrupt"
        interrupted()
        assert ended(heard) == "KeyboardInterrupt"
    assert came == ["after it"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_on_its_way_is_not_replaced_by_an_interrupt() -> None:
    def fails() -> None:
        with Interrupts():
            interrupted()
            raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        fails()


def test_wherever_it_falls_a_program_is_waited_for() -> None:
    def work() -> None:
        run(Command(("/bin/true",)), lambda _: None)

    def children() -> set[str]:  # zombies as well; see proc_pid_task(5)
        files = Path("/proc/self/task").glob("*/children")
        return {pid for file in files for pid in file.read_text().split()}

    before = children()  # what other tests keep for all of the run
    with interrupted_at(0) as lines:
        work()
    for number in spread(lines.count, 20):
        with interrupted_at(number):
            how = ended(work)
        assert how in ("Interrupted", "KeyboardInterrupt"), f"line {number}: lost"
        assert children() <= before, f"line {number}: it was left alone"


def test_wherever_it_falls_rattlers_thread_is_waited_for() -> None:
    async def work(wire: loop.Wire) -> int:
        wire.commit("it goes on")
        await asyncio.sleep(0)
        wire.say("x")
        return 7

    with interrupted_at(0) as lines:
        assert loop.run(work) == 7
    for number in spread(lines.count, 20):
        with interrupted_at(number):
            ended(lambda: loop.run(work))
        names = [thread.name for thread in threading.enumerate()]
        assert "jstackmagic-rattler" not in names, f"line {number}: {names}"


def test_wherever_it_falls_the_record_has_its_end(
    tmp_path: Path,
    history_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(managers, "MANAGERS", (*managers.MANAGERS, toymanager.LISTED))
    prefix = make_venv(tmp_path / "venv", pip=False)
    robot = prefix / "toys/robot"
    argv = ["install", "--prefix", str(prefix), "toy:robot"]

    def again(number: int) -> tuple[int, int]:
        history_file.unlink(missing_ok=True)
        robot.unlink(missing_ok=True)
        with interrupted_at(number) as lines:
            return cli.main(argv), lines.count

    again(0)  # what is imported then is there later
    _, count = again(0)
    for number in spread(count - 50, 60):  # what a run reads is not the same each time
        status, count = again(number)
        assert count >= number
        said = capsys.readouterr().err
        records = History(history_file).records()
        assert status == 130, f"line {number}: it was lost"
        assert "nterrupted" in said
        assert [r.status for r in records] in (["ok"], ["interrupted"], []), f"line {number}"
        added = [package.name for each in records for package in each.outcome.change.added]
        assert added == ["robot"] * robot.exists(), f"line {number}: {said}"
        assert not [*prefix.glob(".jstackmagic.*")], f"line {number}: {said}"
