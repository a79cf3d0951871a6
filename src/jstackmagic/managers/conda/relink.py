"""Restore the files of conda's packages that pip replaced by its own.

pip removes what conda installed under a distribution's name and leaves conda's record:
when pip's package is removed again, conda has a record of a package without files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...display.console import Console
from ...io.reading import own_bytes
from ...model.environment import Environment
from ...model.packages import Package, PackageSet, normalise
from ...where.metadata import files_of
from .spec import configuration

if TYPE_CHECKING:
    from rattler import PrefixRecord  # no noun: it is never read back

    from .rattler.loop import Wire

_METADATA = re.compile(r"/([^/]+?)-[^/]*\.(?:dist|egg)-info(?:/|$)")


def owners(
    distributions: Container[str], here: PackageSet, environment: Environment
) -> tuple[Package, ...]:
    """Return the conda packages whose records claim distributions of these names."""
    found = []
    for package in here.packages:
        if package.manager == "conda":
            files = files_of(package, environment)
            owned = (normalise(match[1]) for file in files if (match := _METADATA.search(file)))
            if any(name in distributions for name in owned):
                found.append(package)
    return tuple(found)


def fetch(packages: Iterable[Package], environment: Environment) -> None:
    """Have the packages in the cache, so that linking them cannot fail for want of them.

    Raises:
        CommandFailed: One is not available anywhere.
    """
    from .rattler import loop
    from .rattler.fetch import fetch as fetch_all

    records = [record_of(package, environment) for package in packages]

    async def work(wire: Wire) -> None:
        await fetch_all(records, configuration(environment), wire)

    loop.run(work)


def relink(packages: Sequence[Package], environment: Environment, console: Console) -> None:
    """Link packages again that are there.

    Written down before it begins and finished by a repair, as any change that was cut off.

    Raises:
        CommandFailed: One cannot be linked.
        Interrupted: The user interrupted it.
    """
    from . import rattler
    from .rattler import journal

    prefix = environment.prefix
    stems = tuple(package.stem for package in packages)
    there = (_record(package, environment) for package in packages)
    journal.write(
        prefix,
        journal.Journal(
            argv=("conda", "install", "--force-reinstall", *stems),
            unlink=stems,
            link=tuple(
                journal.Linked(each, "", "", tuple(each.get("requested_specs") or ()))
                for each in there
            ),
            history_size=journal.history_size(prefix),
        ),
    )
    rattler.repair(environment, console)


def record_of(package: Package, environment: Environment) -> PrefixRecord:
    """Return the record of a conda package that is there, as rattler takes it."""
    from .rattler import journal

    return journal.as_record(_record(package, environment))


def _record(package: Package, environment: Environment) -> dict[str, Any]:
    path = Path(environment.prefix, "conda-meta", f"{package.stem}.json")
    return dict(json.loads(own_bytes(path)))
