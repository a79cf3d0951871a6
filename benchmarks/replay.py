"""Bringing everything back: `jstackmagic replay` beside the commands that were typed, run again.

    python benchmarks/replay.py [--requests N]

N requests (installs of one package and its dependency, every fourth of them an upgrade) are made in
one virtual environment with pip, from an index on the loopback address. Then the same state is
made three times in new ones: by the commands that the history recorded, one after the other as a
script would run them; by one replay; and by one replay from what `--keep` kept, with the index
stopped. All are whole processes with a warm cache, and end with the same packages, which is
checked.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from jstackmagic.session import Session
from support.environments import make_venv
from support.verbs import packages, verb
from support.wheels import WheelIndex


def make_history(prefix: Path, index: WheelIndex, requests: int) -> None:
    """Installs as a user would over some days."""
    for number in range(requests):
        name, version = f"package{number - number % 4}", "1.0"
        if number % 4 == 3:
            version = "2.0"
        elif number % 4:
            name = f"package{number}"
        verb("install", "--prefix", prefix, f"{name}=={version}", "-i", index.url)


def fill(index: WheelIndex, requests: int) -> None:
    for number in range(requests):
        index.add(f"needed{number}", "1.0")
        for version in ("1.0", "2.0"):
            index.add(f"package{number}", version, requires=[f"needed{number}"])


def rerun(old: Path, new: Path) -> float:
    """Seconds that the recorded commands take in another environment."""
    commands = [command for record in Session().history.records() for command in record.commands]
    start = perf_counter()
    for command in commands:
        words = shlex.split(command.replace(str(old), str(new)))
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - start


def replay(new: Path) -> float:
    """Seconds that a replay takes, the start of its process included."""
    command = [sys.executable, "-m", "jstackmagic", "replay", "--prefix", str(new)]
    start = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, WheelIndex(Path(folder, "wheels")) as index:
        os.environ["JSTACKMAGIC_HISTORY"] = os.path.join(folder, "history.jsonl")
        os.environ["XDG_RUNTIME_DIR"] = os.path.join(folder, "run")
        fill(index, options.requests)
        os.environ["PIP_CONFIG_FILE"] = os.devnull
        first, *others = (make_venv(Path(folder, name)) for name in "abcd")
        for prefix in others:  # pip's own modules compiled, as in an image
            subprocess.run(
                [prefix / "bin" / "python", "-m", "pip", "help"],
                check=True,
                stdout=subprocess.DEVNULL,
            )
        make_history(first, index, options.requests)
        typed, ours = rerun(first, others[0]), replay(others[1])
        verb("replay", "--prefix", first, "--keep")
        index.stop()
        kept = replay(others[2])
        versions = [{(p.name, p.version) for p in packages(prefix)} for prefix in others]
        assert versions[0] == versions[1] == versions[2]
    print(f"{options.requests} commands run again: {typed:.1f} s")
    print(f"one replay:                 {ours:.1f} s, a ratio of {typed / ours:.1f}")
    print(f"one replay, no network:     {kept:.1f} s, a ratio of {typed / kept:.1f}")


if __name__ == "__main__":
    main()
