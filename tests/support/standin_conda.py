"""A recording stand-in for conda, mamba or micromamba: it installs nothing.

It is for checking the argv that a program runs, where no real executable can be had: it appends
each call to a file, and answers as it was told to. `StandIn` prepares it; run as a script, this
file is the executable itself (``standin_conda.py STATE_FOLDER ARGUMENT...``) and needs the standard
library only.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

NOTHING_TO_DO = {"message": "All requested packages already installed.", "success": True}
"""What `conda install --json` prints when the environment satisfies every spec."""


@dataclass(frozen=True)
class Call:
    """One run of the stand-in."""

    argv: list[str]
    cwd: str
    environ: dict[str, str]


class StandIn:
    """A stand-in executable `folder/tool`, and what it was called with.

    An answer is given for calls that have all of its words; the last one prepared that fits counts.
    A call that fits none prints nothing and succeeds.
    """

    def __init__(self, folder: Path, tool: str = "conda") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.executable = folder / tool
        self._state = folder / f".{tool}-stand-in"
        self._state.mkdir()
        self._answers: list[dict[str, object]] = []
        command = [sys.executable, "-I", __file__, str(self._state)]
        # Through a shell, and not by this file's own first line: that can hold no space.
        self.executable.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        self.executable.chmod(0o755)
        self._write_answers()

    def answer(
        self,
        *words: str,
        output: str | Mapping[str, object] = "",
        status: int = 0,
        seconds: float = 0,
        ignores_interrupt: bool = False,
    ) -> None:
        """Prepares an answer for calls that have all of `words`.

        A mapping is printed as JSON, a text as it is, in pieces spread over `seconds` (between its
        lines and its carriage returns). Interrupted, the stand-in exits with 130, or goes on to its
        end where it `ignores_interrupt`.
        """
        answer = {
            "words": words,
            "output": output if isinstance(output, str) else json.dumps(output, indent=2) + "\n",
            "status": status,
            "seconds": seconds,
            "ignores_interrupt": ignores_interrupt,
        }
        self._answers.insert(0, answer)
        self._write_answers()

    @property
    def calls(self) -> list[Call]:
        """Every call so far, in order."""
        return [Call(**json.loads(line)) for line in self._lines("calls")]

    @property
    def argvs(self) -> list[list[str]]:
        """The arguments of every call so far, without the program's name."""
        return [call.argv for call in self.calls]

    @property
    def signals(self) -> list[str]:
        """The signals it received while it answered, by name."""
        return self._lines("signals")

    def _lines(self, name: str) -> list[str]:
        file = self._state / name
        return file.read_text().splitlines() if file.exists() else []

    def _write_answers(self) -> None:
        (self._state / "answers.json").write_text(json.dumps(self._answers))


def dry_run_answer(
    prefix: Path,
    *,
    link: Sequence[str] = (),
    unlink: Sequence[str] = (),
    channel: str = "conda-forge",
) -> dict[str, object]:
    """What `conda install --dry-run --json` prints.

    Packages are given as "name-version-build" or, where they are not noarch, as
    "subdir/name-version-build".
    """

    def distribution(text: str) -> dict[str, object]:
        platform, _, dist_name = text.rpartition("/")
        name, version, build = dist_name.rsplit("-", 2)
        return {
            "base_url": f"https://conda.anaconda.org/{channel}",
            "build_number": int(build.rpartition("_")[2]),
            "build_string": build,
            "channel": channel,
            "dist_name": dist_name,
            "name": name,
            "platform": platform or "noarch",
            "version": version,
        }

    actions = {
        "FETCH": [],
        "LINK": [distribution(text) for text in link],
        "PREFIX": str(prefix),
        "UNLINK": [distribution(text) for text in unlink],
    }
    return {"actions": actions, "dry_run": True, "prefix": str(prefix), "success": True}


def failure_answer(name: str, message: str, **details: object) -> dict[str, object]:
    """What conda prints with `--json` when it fails, as in `failure_answer("PackagesNotFoundError",
    "...", packages=["no-such"], channel_urls=[...])`."""
    return {
        "caused_by": "None",
        "error": f"{name}: {message}",
        "exception_name": name,
        "exception_type": f"<class 'conda.exceptions.{name}'>",
        "message": message,
        **details,
    }


def _main(state: Path, argv: list[str]) -> int:
    with (state / "calls").open("a") as calls:
        call = {"argv": argv, "cwd": os.getcwd(), "environ": dict(os.environ)}
        calls.write(json.dumps(call) + "\n")
    answers = json.loads((state / "answers.json").read_text())
    answer = next((each for each in answers if set(each["words"]) <= set(argv)), None)
    if answer is None:
        return 0

    def note(number: int, _frame: FrameType | None) -> None:
        with (state / "signals").open("a") as signals:
            signals.write(signal.Signals(number).name + "\n")
        if not (number == signal.SIGINT and answer["ignores_interrupt"]):
            sys.exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, note)
    _print_slowly(answer["output"], answer["seconds"])
    return int(answer["status"])


def _print_slowly(text: str, seconds: float) -> None:
    pieces = text.replace("\r", "\r\0").replace("\n", "\n\0").split("\0")
    for piece in pieces:
        print(piece, end="", flush=True)
        time.sleep(seconds / len(pieces))


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1]), sys.argv[2:]))
