"""What the tests keep between runs: wheels and channels, by a hash of what went in."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_dir
from uv import find_uv_bin

from .locks import held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

VARIABLE = "JSTACKMAGIC_TESTS_CACHE"
"""Has the folder in a program that a test starts, as its home is not the user's."""

ROOT = Path(os.environ.get(VARIABLE) or user_cache_dir("jstackmagic-tests"))
"""The user's own cache folder, looked up before a test hides the user's home."""

ENVIRON: Mapping[str, str] = dict(os.environ)
"""The environment the test run was started with: what is downloaded needs its registry settings."""

_KEPT_DAYS = 3


def kept(kind: str, inputs: Iterable[object], make: Callable[[Path], None]) -> Path:
    """The folder that `make` once filled from `inputs`; it is made now if it is not there.

    Several test runs at once wait for each other. What no run has used for three days is
    removed when something of its kind is made again.
    """
    digest = hashlib.sha256(repr(list(inputs)).encode()).hexdigest()[:16]
    folder = ROOT / kind / digest
    while True:
        with contextlib.suppress(FileNotFoundError):
            os.utime(folder)  # in use from now on: another run that tidies leaves it
            return folder
        with held(ROOT / f"{kind}.lock", seconds=600):
            if not folder.exists():
                _remove_unused(folder.parent)
                _make_whole(folder, make)


def _make_whole(folder: Path, make: Callable[[Path], None]) -> None:
    """Fills `folder` under another name first, so that it exists only when it is complete."""
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    make(unfinished)
    unfinished.rename(folder)


def _remove_unused(folder: Path) -> None:
    oldest = time.time() - _KEPT_DAYS * 24 * 3600
    for entry in folder.glob("*"):
        if entry.stat().st_mtime < oldest:
            shutil.rmtree(entry, ignore_errors=True)


def wheels(*rounds: Sequence[str]) -> list[Path]:
    """Wheels from the package index. Each round is resolved by itself, so that two rounds can ask
    for two versions of one distribution. An argument that begins with a dash is pip's."""

    def download(folder: Path) -> None:
        for arguments in rounds:
            # uv itself downloads no wheels; it has a pip ready where this environment has none.
            command = [find_uv_bin(), "run", "--no-project", "--no-config", "--with", "pip"]
            command += ["--python", sys.executable, "python", "-m", "pip", "download", "--quiet"]
            command += ["--only-binary=:all:", "--dest", str(folder), *arguments]
            subprocess.run(command, check=True, env=ENVIRON, cwd=folder, stdin=subprocess.DEVNULL)

    inputs = (sys.version_info[:2], sysconfig.get_platform(), rounds)
    folder = kept("wheels", inputs, download)
    return sorted(folder.glob("*.whl"))


def output(*command: str) -> str:
    """What a command prints, run with the environment the test run was started with."""
    done = subprocess.run(command, check=True, env=ENVIRON, capture_output=True, text=True)
    return done.stdout.strip()
