"""This repository as a wheel, for environments that have jstackmagic installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from uv import find_uv_bin

from . import cache

REPOSITORY = Path(__file__).resolve().parent.parent.parent
_FILES = ("pyproject.toml", "setup.cfg", "README.md", "LICENSE")
_LEFT_OUT = ("*.egg-info", "__pycache__")


def wheel() -> Path:
    """Return the wheel, which is built from a copy: once, for all who ask, until it changes."""
    sources = sorted(
        path
        for path in (REPOSITORY / "src").rglob("*")
        if path.is_file() and not {"__pycache__", "jstackmagic.egg-info"} & set(path.parts)
    )
    files = [REPOSITORY / name for name in _FILES]
    inputs = [(path.name, path.read_bytes()) for path in (*files, *sources)]
    return next(cache.kept("jstackmagic-wheel", inputs, _build).glob("*.whl"))


def _build(folder: Path) -> None:
    copy = folder / "source"
    copy.mkdir()
    for name in _FILES:
        shutil.copy(REPOSITORY / name, copy)
    ignored = shutil.ignore_patterns(*_LEFT_OUT)
    shutil.copytree(REPOSITORY / "src", copy / "src", ignore=ignored)
    command = [find_uv_bin(), "build", "--quiet", "--wheel", "--out-dir", str(folder), str(copy)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    shutil.rmtree(copy)
