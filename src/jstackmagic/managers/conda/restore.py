"""The specs by which conda restores a package: a channel's build, or an archive's address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import or_

from ...model.credentials import MASK
from ...model.ledger import Origins
from ...model.packages import Package, PackageSet
from ...model.pins import pinned
from ...model.request import Request
from ...model.sources import Sources
from ...model.spec import read_all
from .. import Spelling
from ..goal import Exactness, Goal, is_at


def bring_back(packages: Sequence[Package], origins: Origins, spelling: Spelling) -> list[Request]:
    """Return the request for exactly these packages."""
    specs = (
        conda_spec(package, "archive" if origins.is_archive(package) else spelling)
        for package in packages
    )
    return [Request("install", "conda", read_all("conda", specs))]


def bring(goal: Goal, here: PackageSet, exactness: Exactness) -> list[Request]:
    """Return one install of the missing packages, with all their channels."""
    specs: list[str] = []
    if exactness == "builds":
        specs += [conda_spec(package, "channel") for package in goal.missing("conda", here)]
    for _, item in goal.items("conda"):
        by_build = exactness == "builds" and ("conda", item.name) in goal.there
        if exactness == "asked" or goal.unseen("conda", item):
            specs.append(item.text)
        elif not by_build and not is_at(item, here.get("conda", item.name)):
            specs.append(pinned(item, "exact"))
    sources = reduce(or_, (step.sources for step in goal.of("conda")), Sources())
    asked = read_all("conda", dict.fromkeys(specs))
    return [Request("install", "conda", asked, sources=sources.unmasked())] if asked else []


def bring_new(requests: Sequence[Request], goal: Goal) -> list[Request]:
    """Return the installs in a new environment: with its Python, and pip for pip's packages."""
    assert goal.ref is not None
    if not goal.ref.kind.startswith("conda"):
        return list(requests)
    specs = [f"python={goal.ref.python}"] if goal.ref.python else []
    if specs and any(step.manager == "pip" for step in goal.steps):
        specs.append("pip")
    there = [request for request in requests if request.action == "install"]
    first = there[0] if there else Request("install", "conda", ())
    named = {spec.name for spec in first.specs}
    specs = [spec for spec in specs if spec.partition("=")[0] not in named]
    if not (specs or first.specs):
        return []
    return [replace(first, specs=(*read_all("conda", specs), *first.specs))]


def alone(removal: Request) -> Request:
    """Return a removal that conda does by its record of the package alone."""
    return replace(removal, options=("--force",))


def conda_spec(package: Package, spelling: Spelling) -> str:
    """Return the match spec, or the archive, of one exact conda package.

    >>> six = Package("conda", "six", "1.17.0", "pyhd_0", "https://conda.example/forge")
    >>> conda_spec(six, "channel")
    'https://conda.example/forge::six=1.17.0=pyhd_0'
    """
    if spelling == "archive" and package.url and MASK not in package.url:
        return package.url
    channel = f"{package.source}::" if package.source and MASK not in package.source else ""
    return f"{channel}{package.name}={package.version}={package.build}"
