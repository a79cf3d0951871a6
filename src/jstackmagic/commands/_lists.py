"""Lists of packages that pip is not to read itself, and dependency groups."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..io.reading import path_of
from ..managers.steps import Step
from ..model.credentials import mask
from ._options import option
from ._shared import Groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..capture.files import Reading
    from ..model.environment import Environment
    from ..model.sources import Sources


@dataclass(frozen=True)
class Lists(Groups):
    """The lists of packages, groups and projects that are named."""

    requirement: tuple[str, ...] = option(
        *("-r", "--requirement", "-f", "--file"),
        action="append",
        metavar="FILE",
        help="a list of packages: requirements.txt, environment.yml, a lock file, …",
    )
    constraint: tuple[str, ...] = option(
        "--constraint", action="append", metavar="FILE", help="for pip"
    )
    editable: tuple[str, ...] = option(
        "-e", "--editable", action="append", metavar="PATH", help="for pip"
    )

    def words(self) -> list[str]:
        """Return those that pip itself reads, as specs."""
        return [
            *(f"-r {path}" for path in self.requirement if _is_pips(path)),
            *(f"-c {path}" for path in self.constraint),
            *(f"-e {path}" for path in self.editable),
        ]

    def readings(self) -> list[Reading]:
        """Read the others.

        Raises:
            UsageError: One cannot be read.
        """
        from ..capture import files
        from ..capture.files import pyproject

        lists = (path_of(path) for path in self.requirement if not _is_pips(path))
        return [*map(files.read, lists), *map(pyproject.read_group, self.group)]


def _is_pips(path: str) -> bool:
    """Return whether pip reads a list: one in its format, a remote one, a missing one.

    One with a line that pip refuses or misreads is read here, line by line.
    """
    from ..capture import files
    from ..capture.files import requirements

    place = path_of(path)
    module = files.reader(place)
    if module is None:
        return True
    return module is requirements and requirements.is_clean(requirements.read(place))


def notes_of(reading: Reading) -> Iterator[str]:
    """Yield what of a file is not done, or done otherwise."""
    yield from reading.notes
    for name in dict.fromkeys(found.target.name for found in reading.found if found.target.name):
        yield f"{reading.path} is of an environment {name}; the target stays as it is."
    for found in reading.problems:
        yield f"{reading.path}:{found.line}: {mask(found.command)} is left out. {found.reason}"
    yield from (f"{reading.path}: {found.note}" for found in reading.found if found.note)


def steps_of_list(
    reading: Reading,
    environment: Environment,
    sources: Callable[[Sources], Sources],
) -> Iterator[Step]:
    """Yield a step for each request of a file."""
    from ..capture.own import resolved

    conda = environment.is_conda
    found = (one for each in reading.found for one in resolved(each, conda=conda))
    for asked in (each.request for each in found if each.request is not None):
        request = replace(asked, sources=sources(asked.sources).of(asked.manager))
        yield Step(request=request, environment=environment)
