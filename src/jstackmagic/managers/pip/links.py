"""Folders of this machine that pip takes packages from: ``--find-links``, or its configuration's.

An image has no such folder, so what came from one alone comes along as a file, as a local archive
that was requested by its path does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from ...model.packages import Package, normalise
from ...model.recipe import Item, RecipeStep
from ...model.record import Record
from ...model.spec import Requirement, read
from ...where.metadata import allows, requirement


def without_local(
    step: RecipeStep, records: Sequence[Record]
) -> tuple[RecipeStep, tuple[str, ...]]:
    """Replace names by the archives that came from a folder on this machine.

    Returns:
        The step without such folders, and sentences on missing ones.
    """
    folders = [path for place in step.sources.find_links if (path := _local(place))]
    if not folders:
        return step, ()
    notes: list[str] = []
    archives: dict[tuple[str, str], str] = {}
    for folder in folders:
        found = _archives(folder)
        if found is None:
            notes.append(
                f"pip looked in {folder}, which is not here now: what came from there alone is"
                " missing in a build."
            )
        elif unseen := [
            item.spec.name for item in step.install if item.spec.name and not item.version
        ]:
            notes.append(
                f"pip looks in {folder}, and what {', '.join(unseen)} needs from there was never"
                " seen: it may be missing in a build."
            )
        archives = {**(found or {}), **archives}
    install = tuple(_placed(item, archives) for item in step.install)
    brought = _brought(step, records, archives) if install != step.install else ()
    elsewhere = tuple(place for place in step.sources.find_links if not _local(place))
    sources = replace(step.sources, find_links=elsewhere)
    return replace(step, install=(*brought, *install), sources=sources), tuple(notes)


def _local(place: str) -> str:
    if place.startswith("file:"):
        return unquote(urlsplit(place).path)
    return "" if "://" in place else os.path.abspath(os.path.expanduser(place))


def _archives(folder: str) -> Mapping[tuple[str, str], str] | None:
    """Return the archives of a folder by normalised name and version; None for no folder."""
    from packaging.utils import (
        InvalidSdistFilename,
        InvalidWheelFilename,
        parse_sdist_filename,
        parse_wheel_filename,
    )

    try:
        files = sorted(os.listdir(folder))
    except OSError:
        return None
    found = {}
    for file in files:
        parse = parse_wheel_filename if file.endswith(".whl") else parse_sdist_filename
        try:
            name, version, *_ = parse(file)
        except (InvalidSdistFilename, InvalidWheelFilename):
            continue
        # a wheel comes after the source of the same version, and is what pip prefers
        found[normalise(name), str(version)] = os.path.join(folder, file)
    return found


def _placed(item: Item, archives: Mapping[tuple[str, str], str]) -> Item:
    if not isinstance(item.spec, Requirement) or item.spec.place or item.spec.hashes or item.source:
        return item
    path = archives.get((item.name, item.version))
    if not item.version:  # it was never seen installed
        need = requirement(f"{item.spec.name}{item.spec.version}")
        served = [
            path
            for (name, version), path in archives.items()
            if need and name == item.spec.name and allows(need.specifier, version, unclear=False)
        ]
        path = served[0] if len(served) == 1 else None
    if path is None:
        return item
    extras = f"[{','.join(item.spec.extras)}]" if item.spec.extras else ""
    return replace(item, spec=read("pip", f"{path}{extras}"), upgrade=False)


def _brought(
    step: RecipeStep, records: Sequence[Record], archives: Mapping[tuple[str, str], str]
) -> Iterator[Item]:
    """Yield the dependencies that came from a folder, too, and from nowhere else."""
    asked = {item.name for item in step.install}
    came: dict[str, Package] = {}
    for record in records:
        same = step.environment is not None and record.environment.prefix == step.environment.prefix
        if same and record.request.manager == step.manager and record.outcome is not None:
            change = record.outcome.change
            came |= {p.name: p for p in change.came}
            for gone in change.removed:
                came.pop(gone.name, None)
    for name, package in sorted(came.items()):
        path = archives.get((name, package.version))
        if path is not None and name not in asked and not package.source:
            yield Item(read("pip", path), name, package.version)
