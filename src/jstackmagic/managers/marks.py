"""What a person asked for, as each manager notes it, put back to what it was.

A manager takes everything that it is asked for by name for a person's wish; what an undo or a
replay asks for is often somebody's dependency, and was asked for in other words.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..model.packages import ManagerName
from ..where.packages import read_packages

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..model.environment import Environment
    from ..model.packages import Package

_EMPTY = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0"
"""What RECORD says of an empty file."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Whether a package was asked for.

    Attributes:
        manager: Who installed it.
        name: Its normalised name.
        requested: Whether a person asked for it.
        spec: In which words; where they are not known, its bare name does.
    """

    manager: ManagerName
    name: str
    requested: bool
    spec: str = ""


def restore(wishes: Iterable[Wish], environment: Environment) -> None:
    """Note what was asked for, of the packages that are there.

    Args:
        wishes: What to note.
        environment: Where; apt's marks are the system's.

    Raises:
        OSError: A note cannot be written.
    """
    by_manager: dict[ManagerName, dict[str, Wish]] = {}
    for wish in wishes:
        by_manager.setdefault(wish.manager, {})[wish.name] = wish
    for manager, wanted in by_manager.items():
        there = [p for p in read_packages(environment, (manager,)).packages if p.name in wanted]
        {"conda": _conda, "pip": _pip, "apt": _apt}[manager](there, wanted, environment)


def words(package: Package, environment: Environment) -> str:
    """In which words conda was asked for a package while it was there; empty where it was not.

    Args:
        package: A conda package, which may have gone since.
        environment: Where.
    """
    from .conda.rattler import condahistory

    stem = f"{package.name}-{package.version}-{package.build}"
    known = condahistory.requested(environment.prefix, while_there=stem)
    return known.get(package.name, "")


def _conda(there: Iterable[Package], wanted: Mapping[str, Wish], environment: Environment) -> None:
    """In the records and, where conda itself looks, in the history: an entry without packages."""
    from .conda.rattler import condahistory
    from .conda.rattler.records import note_requested
    from .conda.spec import records

    prefix = environment.prefix
    known = condahistory.requested(prefix)
    asked, unasked = [], []
    for package in there:
        wish = wanted[package.name]
        specs = [wish.spec or package.name] if wish.requested else []
        note_requested(prefix, records(prefix)[package.name], specs)
        if specs and known.get(package.name) != specs[0]:
            asked += specs
        elif not specs and package.name in known:
            unasked.append(package.name)
    if asked or unasked:
        now = condahistory.state(prefix)
        entry = condahistory.entry(
            argv=("jstackmagic",), before=now, after=now, removed=unasked, updated=asked
        )
        condahistory.append(prefix, entry)


def _pip(there: Iterable[Package], wanted: Mapping[str, Wish], environment: Environment) -> None:
    """The file REQUESTED (PEP 376), and its line in RECORD."""
    from ..where.packages import files_of

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
    lines = record.read_bytes().splitlines(keepends=True)
    paths = [line.partition(b",")[0].decode() for line in lines]
    if requested:
        file.touch()
        place = next((i for i, path in enumerate(paths) if path > name), len(lines))  # as pip sorts
        end = b"\r\n" if lines and lines[0].endswith(b"\r\n") else b"\n"
        lines.insert(place, f"{name},{_EMPTY}".encode() + end)
    else:
        file.unlink(missing_ok=True)
        lines = [line for line, path in zip(lines, paths, strict=True) if path != name]
    record.write_bytes(b"".join(lines))


def _apt(
    there: Iterable[Package],
    wanted: Mapping[str, Wish],
    environment: Environment,  # noqa: ARG001
) -> None:
    from ..io import process
    from ..model.plan import Command

    root = () if os.geteuid() == 0 or not shutil.which("sudo") else ("sudo", "-n")
    for verb, requested in (("manual", True), ("auto", False)):
        names = [
            package.name
            for package in there
            if wanted[package.name].requested is requested is not package.requested
        ]
        if names:
            process.capture(Command((*root, "apt-mark", verb, *names)))
