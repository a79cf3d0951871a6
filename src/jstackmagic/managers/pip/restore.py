"""The specs by which pip restores packages: exact versions, from the index they came from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from ...model.ledger import Origins
from ...model.packages import Package, PackageSet, as_on_disk, same
from ...model.pins import pinned
from ...model.recipe import Item
from ...model.request import Request
from ...model.sources import Sources
from ...model.spec import Constraint, read_all
from .. import Spelling
from ..goal import Exactness, Goal, is_at

_Run = tuple[Sources, tuple[str, ...]]
"""The index, the further indexes and the options that a run of pip is given."""

_DEFAULT: _Run = (Sources(), ())


def bring_back(
    packages: Sequence[Package],
    origins: Origins,
    spelling: Spelling,  # noqa: ARG001
) -> list[Request]:
    """Return one request per index; packages that are not named do not move."""
    groups: dict[Sources, list[str]] = {}
    for package in packages:
        came_by = None if package.source else origins.request(package)
        # what was masked cannot be asked for; pip's own configuration may know it
        sources = came_by.sources.unmasked() if came_by else Sources()
        groups.setdefault(sources, []).append(pip_spec(package))
    return [
        Request(
            "install",
            "pip",
            read_all("pip", specs),
            sources=sources,
            options=("--no-deps", "--force-reinstall"),
        )
        for sources, specs in groups.items()
    ]


def bring(goal: Goal, here: PackageSet, exactness: Exactness) -> list[Request]:
    """Return one run for each set of indexes: two of them in one run could be mistaken."""
    runs: dict[_Run, list[str]] = {}
    asked_for = {item.name for _, item in goal.items("pip") if item.name}
    for step, item in goal.items("pip"):
        specs = list(_pip_specs(goal, item, here, exactness))
        run = (step.sources, step.options)
        if specs:
            constraints = [i.text for i in step.install if isinstance(i.spec, Constraint)]
            runs.setdefault(run, []).extend((*constraints, *specs))
    if exactness == "builds":
        for package in goal.missing("pip", here):
            if package.name not in asked_for:
                came_by = goal.origins.request(package) or Request("install", "pip", ())
                run = (came_by.sources, ())
                runs.setdefault(run, []).append(pip_spec(as_on_disk(package)))
    return [
        Request(
            "install",
            "pip",
            read_all("pip", dict.fromkeys(specs)),
            sources=sources.unmasked(),
            options=options,
        )
        for (sources, options), specs in _merged(runs).items()
    ]


def _pip_specs(goal: Goal, item: Item, here: PackageSet, exactness: Exactness) -> Iterator[str]:
    if exactness == "asked" or goal.unseen("pip", item):
        yield item.text
        return
    if not item.name:
        for brought in item.brought if exactness == "versions" else ():
            if not is_at(brought, here.get("pip", brought.name)):
                yield f"{brought.name}=={brought.version}"
        return
    there = here.get("pip", item.name) or here.get("conda", item.name)
    package = goal.there.get(("pip", item.name))
    if package is None or exactness == "versions":
        done = is_at(item, there)
    else:
        done = same(there, package)
    if not done:
        yield pinned(item, "exact")


def _merged(runs: dict[_Run, list[str]]) -> dict[_Run, list[str]]:
    """Return the runs; files and URLs, which need no index, join the first run with an index.

    Their dependencies are requested by name.
    """
    indexes = [run for run in runs if run[0] and not run[1]]
    alone = runs.get(_DEFAULT, ())
    if not indexes or not alone or not all(_is_place(spec) for spec in alone):
        return runs
    merged = {run: specs for run, specs in runs.items() if run != _DEFAULT}
    merged[indexes[0]] = [*alone, *merged[indexes[0]]]
    return merged


def _is_place(spec: str) -> bool:
    return spec.startswith(("/", "-e ")) or " @ " in spec


def pip_spec(package: Package) -> str:
    """Return the requirement of one exact distribution.

    >>> pip_spec(Package("pip", "six", "1.17.0"))
    'six==1.17.0'
    >>> pip_spec(Package("pip", "six", "1.17.0", source="file:///w/six-1.17.0-py3-none-any.whl"))
    '/w/six-1.17.0-py3-none-any.whl'
    """
    path = _local_path(package.source)
    if package.editable:
        return f"-e {path}"
    if path:
        return path
    if package.source:
        return f"{package.name} @ {package.source}"
    return f"{package.name}{_equals(package.version)}{package.version}"


def _equals(version: str) -> str:
    from packaging.version import InvalidVersion, Version

    try:
        Version(version)
    except InvalidVersion:  # older than PEP 440: compared as text
        return "==="
    return "=="


def _local_path(source: str) -> str:
    return unquote(source.removeprefix("file://")) if re.match(r"file:///[^#]*$", source) else ""
