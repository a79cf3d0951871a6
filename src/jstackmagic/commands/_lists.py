"""Lists of packages that pip is not to read itself, and dependency groups."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..capture import files
from ..capture.files import pyproject, requirements
from ..io.reading import path_of
from ..managers.steps import Step
from ..model.credentials import mask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..capture.files import Reading
    from ..model.environment import Environment
    from ..model.sources import Sources


def is_pips(path: str) -> bool:
    """Return whether pip reads a list: one of its own, one far away, one that is not there.

    One with a line that pip refuses or reads otherwise than it looks is read here, line by line.
    """
    place = path_of(path)
    module = files.reader(place)
    if module is None:
        return True
    return module is requirements and requirements.is_clean(requirements.read(place))


def read(paths: Sequence[str], groups: Sequence[str]) -> list[Reading]:
    """Read the lists that pip does not, and the groups.

    Raises:
        UsageError: One cannot be read.
    """
    readings = [files.read(path_of(path)) for path in paths if not is_pips(path)]
    return [*readings, *map(pyproject.read_group, groups)]


def notes(reading: Reading) -> Iterator[str]:
    """Yield what of a file is not done, or done otherwise."""
    yield from reading.notes
    for name in dict.fromkeys(found.target.name for found in reading.found if found.target.name):
        yield f"{reading.path} is of an environment {name}; the target stays as it is."
    for found in reading.problems:
        yield f"{reading.path}:{found.line}: {mask(found.command)} is left out. {found.reason}"
    yield from (f"{reading.path}: {found.note}" for found in reading.found if found.note)


def steps_of(
    reading: Reading,
    environment: Environment,
    sources: Callable[[Sources], Sources],
) -> Iterator[Step]:
    """Yield a step for each request of a file.

    Args:
        reading: The file.
        environment: Where.
        sources: Returns the sources that hold, of those that a list says.
    """
    for asked in reading.requests:
        request = replace(asked, sources=sources(asked.sources).of(asked.manager))
        yield Step(request=request, environment=environment)
