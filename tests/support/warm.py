"""Conda environments with pip, each a copy of one that is made once a run."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from .environments import create_environment

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from .tiers import Channel


def warm_conda(
    factory: pytest.TempPathFactory, folder: Path, channel: Channel, *specs: str
) -> Path:
    """A conda environment with `python`, `pip` and `specs`."""
    template = factory.getbasetemp() / "-".join(("warm-conda", *specs))
    if not template.exists():
        create_environment(
            template, "python", "pip", *specs, channels=[channel.url], packages=channel.packages
        )
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
