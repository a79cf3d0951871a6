"""A binder/ folder, or the folder of a repository that has one, as repo2docker reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from .. import Found, Target
from . import (
    Reading,
    apt_txt,
    dockerfile,
    environment_yml,
    other_tools,
    pipfile,
    requirements,
    shell_script,
)

_FOLDERS = ("binder", ".binder")
_FILES = ("Dockerfile", "environment.yml", "environment.yaml", "requirements.txt", "apt.txt")
_ALL_FILES = (*_FILES, "postBuild", "runtime.txt")
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
    """Read its files in repo2docker's order; a Dockerfile replaces all of them."""
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
    found += other_tools.beside(folder)
    if (folder / "requirements3.txt").is_file():
        reason = "It is of the server's own environment where the kernel's Python is 2."
        found.append(Found("requirements3.txt", reason=reason))
    if (folder / "runtime.txt").is_file():
        notes += other_tools.read(folder / "runtime.txt").notes
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
            yield replace(reading, found=tuple(own), notes=(*reading.notes, *_unread(folder, name)))
            return
    if (folder / "Pipfile").is_file():
        reading = pipfile.read(folder / "Pipfile")
        yield replace(reading, notes=(*reading.notes, *_unread(folder, "Pipfile")))
    elif (folder / "requirements.txt").is_file():
        # repo2docker runs pip in the repository's folder
        root = str(folder.absolute().parent)
        yield requirements.read(folder / "requirements.txt", folder=root)


def _unread(folder: Path, name: str) -> Iterator[str]:
    """Yield a note if a list of pip's lies beside one that repo2docker reads in its place."""
    for other in ("Pipfile", "requirements.txt"):
        if other != name and (folder / other).is_file():
            yield f"repo2docker reads {name}, and so not {other}."


def _post_build(folder: Path) -> Iterator[Found]:
    file = folder / "postBuild"
    if not file.is_file():
        return
    # repo2docker runs it in the repository's folder
    for found in shell_script.read(file, folder=str(folder.absolute().parent)).found:
        prefix = found.target.prefix
        target = Target() if _SERVER.fullmatch(prefix) else dockerfile.named(found.target)
        yield replace(found, target=target)
