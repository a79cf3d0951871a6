"""Folders of this machine that pip takes packages from: ``--find-links``, or its configuration's.

An image has no such folder, so what came from one alone comes along as a file, as a local archive
that was requested by its path does.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ...model.packages import Package, normalise
from ...model.recipe import Item, Step
from ...model.spec import Requirement, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ...model.record import Record


def without_local(step: Step, records: Sequence[Record]) -> tuple[Step, tuple[str, ...]]:
    """Replace names by the archives that came from a folder on this machine.

    Args:
        step: A step of pip's.
        records: The history it is of, for the requirements' packages.

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
    path = archives.get((item.name, item.version))
    named = isinstance(item.spec, Requirement) and not item.spec.place and not item.spec.hashes
    if path is None or item.source or not named:
        return item
    extras = f"[{','.join(item.spec.extras)}]" if item.spec.extras else ""
    return replace(item, spec=read("pip", f"{path}{extras}"), upgrade=False)


def _brought(
    step: Step, records: Sequence[Record], archives: Mapping[tuple[str, str], str]
) -> Iterator[Item]:
    """Yield the dependencies that came from a folder, too, and from nowhere else."""
    asked = {item.name for item in step.install}
    came: dict[str, Package] = {}
    for record in records:
        same = step.environment is not None and record.environment.prefix == step.environment.prefix
        if same and record.request.manager == step.manager and record.outcome is not None:
            change = record.outcome.change
            came |= {p.name: p for p in (*change.added, *(new for _, new in change.changed))}
    for name, package in sorted(came.items()):
        path = archives.get((name, package.version))
        if path is not None and name not in asked and not package.source:
            yield Item(read("pip", path), name, package.version)
