"""Environments whose pip is compiled already: without that, its first run takes a second more."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from .environments import create_environment, make_venv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from .tiers import Channel


def warm_venv(factory: pytest.TempPathFactory, folder: Path) -> Path:
    """A virtual environment with pip: a copy of one that is made once a run."""
    return _copy(factory.getbasetemp() / "warm-venv", folder, make_venv)


def warm_conda(
    factory: pytest.TempPathFactory, folder: Path, channel: Channel, *specs: str
) -> Path:
    """A conda environment with `python`, `pip` and `specs`, likewise."""

    def make(prefix: Path) -> Path:
        return create_environment(
            prefix, "python", "pip", *specs, channels=[channel.url], packages=channel.packages
        )

    name = "-".join(("warm-conda", *specs))
    return _copy(factory.getbasetemp() / name, folder, make)


def _copy(template: Path, folder: Path, make: Callable[[Path], Path]) -> Path:
    if not template.exists():
        made = make(template)
        pip = next(made.glob("lib/python3*/site-packages/pip"))
        subprocess.run([made / "bin" / "python", "-m", "compileall", "-q", "-j2", pip], check=True)
    pip = next(template.glob("lib/python3*/site-packages/pip"))
    shutil.copytree(
        template,
        folder,
        symlinks=True,
        ignore=lambda path, _: ["pip"] if path == str(pip.parent) else [],
    )
    (folder / pip.relative_to(template)).symlink_to(pip)  # 800 files that no test changes
    for path in folder.glob("bin/*"):  # scripts name their interpreter
        if path.is_file() and not path.is_symlink():
            text = path.read_bytes()
            path.write_bytes(text.replace(bytes(template), bytes(folder)))
    return folder
