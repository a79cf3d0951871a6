"""The marks of requested packages: the file REQUESTED (PEP 376), and its line in RECORD."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from ...io.files import write_file
from ...io.reading import own_bytes
from ...model.environment import Environment
from ...model.packages import Package
from ...where.metadata import files_of
from .. import mark as mark_all
from ..goal import Wish

_EMPTY = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0"
"""The hash and size in RECORD of an empty file."""


def unmark(names: Iterable[str], environment: Environment) -> None:
    """Take the mark from what was only needed: uv gives it to everything that it installs."""
    from ..goal import Wish

    mark_all([Wish("pip", name, requested=False) for name in names], environment)


def mark(there: Iterable[Package], wanted: Mapping[str, Wish], environment: Environment) -> None:
    """Write or remove the mark of each distribution that does not have the right one."""
    for package in there:
        if package.requested == wanted[package.name].requested:
            continue
        record = next((f for f in files_of(package, environment) if f.endswith("/RECORD")), None)
        if record is None:  # an egg-info, which has no such mark
            continue
        folder = os.path.dirname(record)
        _set_requested(Path(folder), f"{os.path.basename(folder)}/REQUESTED", not package.requested)


def _set_requested(folder: Path, name: str, requested: bool) -> None:
    file, record = folder / "REQUESTED", folder / "RECORD"
    lines = own_bytes(record).splitlines(keepends=True)
    paths = [line.partition(b",")[0].decode() for line in lines]
    if requested:
        file.touch()
        place = next((i for i, path in enumerate(paths) if path > name), len(lines))  # as pip sorts
        end = b"\r\n" if lines and lines[0].endswith(b"\r\n") else b"\n"
        lines.insert(place, f"{name},{_EMPTY}".encode() + end)
    else:
        file.unlink(missing_ok=True)
        lines = [line for line, path in zip(lines, paths, strict=True) if path != name]
    write_file(record, b"".join(lines))
