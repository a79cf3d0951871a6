"""The packages that the user requested, in the records of ``conda-meta`` and conda's history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...model.environment import Environment
from ...model.packages import Package
from ..goal import Wish
from .present import records
from .rattler import condahistory
from .rattler.records import note_requested


def mark(there: Iterable[Package], wanted: Mapping[str, Wish], environment: Environment) -> None:
    """Note it in the records and, where conda itself looks, as an entry without packages."""
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


def words(package: Package, environment: Environment) -> str:
    """Return the user's spec for a package while it was installed, or ""."""
    known = condahistory.requested(environment.prefix, while_there=package.stem)
    return known.get(package.name, "")
