"""A binder/ folder, or the folder of a repository that has one, as repo2docker reads it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from .. import Found, Target
from . import (
    Reading,
    apt_txt,
    dockerfile,
    environment_yml,
    pipfile,
    requirements,
    runtime_txt,
    shell_script,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FOLDERS = ("binder", ".binder")
_FILES = ("Dockerfile", "environment.yml", "environment.yaml", "requirements.txt", "apt.txt")
_ALL_FILES = (*_FILES, "postBuild", "runtime.txt")
_FOREIGN = {
    "Pipfile.lock": "Its versions are not read; the Pipfile's are.",
    "Project.toml": "Julia's packages cannot be asked for here.",
    "REQUIRE": "Julia's packages cannot be asked for here.",
    "install.R": "What an R script installs is not seen here.",
    "DESCRIPTION": "R's packages cannot be asked for here.",
    "default.nix": "Nix's packages cannot be asked for here.",
    "requirements3.txt": "It is of the server's own environment where the kernel's Python is 2.",
}
_SERVER = re.compile(r"\$\{?(?:NB|KERNEL)_PYTHON_PREFIX\}?/?")
"""repo2docker's names for the environment that it installs into."""


def recognises(path: Path) -> bool:
    """Return whether the folder, or its binder/ or .binder/, has a file that repo2docker reads."""
    folder = _folder(path)
    return folder is not None and any((folder / name).is_file() for name in _ALL_FILES)


def _folder(path: Path) -> Path | None:
    if not path.is_dir():
        return None
    if path.absolute().name in _FOLDERS:
        return path
    found = [path / name for name in _FOLDERS if (path / name).is_dir()]
    return found[0] if len(found) == 1 else None


def read(path: Path) -> Reading:
    """Read its files in repo2docker's order; a Dockerfile replaces all of them.

    Raises:
        InvalidSpec: A file is broken.
        OSError: One cannot be read.
    """
    folder = _folder(path)
    assert folder is not None
    if (folder / "Dockerfile").is_file():
        reading = dockerfile.read(folder / "Dockerfile")
        note = "repo2docker builds its Dockerfile, and reads none of the other files."
        return replace(reading, path=path, notes=(*reading.notes, note))
    readings = list(_readings(folder))
    found = [each for reading in readings for each in reading.found]
    notes = [note for reading in readings for note in reading.notes]
    found += _post_build(folder)
    for name, reason in _FOREIGN.items():
        if (folder / name).is_file():
            found.append(Found(name, reason=reason))
    if (folder / "runtime.txt").is_file():
        notes += runtime_txt.read(folder / "runtime.txt").notes
    if (folder / "start").is_file():
        notes.append("What its start script does whenever a server starts is left out.")
    return Reading(path, tuple(found), tuple(notes))


def _readings(folder: Path) -> Iterator[Reading]:
    if (folder / "apt.txt").is_file():
        yield apt_txt.read(folder / "apt.txt")
    for name in ("environment.yml", "environment.yaml"):
        if (folder / name).is_file():
            # its name means nothing: repo2docker updates its own environment
            reading = environment_yml.read(folder / name)
            own = (replace(f, target=replace(f.target, name="")) for f in reading.found)
            yield replace(reading, found=tuple(own))
            return
    if (folder / "Pipfile").is_file():
        yield pipfile.read(folder / "Pipfile")
    elif (folder / "requirements.txt").is_file():
        # repo2docker runs pip in the repository's folder
        root = str(folder.absolute().parent)
        yield requirements.read(folder / "requirements.txt", folder=root)


def _post_build(folder: Path) -> Iterator[Found]:
    file = folder / "postBuild"
    if not file.is_file():
        return
    # repo2docker runs it in the repository's folder
    for found in shell_script.read(file, folder=str(folder.absolute().parent)).found:
        prefix = found.target.prefix
        target = Target() if _SERVER.fullmatch(prefix) else dockerfile.named(found.target)
        yield replace(found, target=target)
