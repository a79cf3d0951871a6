"""conda's lists and ``environment.yml`` files, which a command names and a request spells out."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..model.errors import UsageError
from ..model.spec import RequirementsFile, Spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model.request import Request
    from . import Found


def expand(found: Found) -> Iterator[Found]:
    """The requests that a find comes to, its ``--file PATH`` specs read; itself without such.

    A local file that is not here is given back not understood: what it would bring cannot be known,
    and nothing could be made of it later.
    """
    request = found.request
    if request is None:
        yield found
        return
    missing = [spec for spec in request.specs if not os.path.exists(_local_file(spec) or "/")]
    files = [
        spec
        for spec in request.specs
        if isinstance(spec, RequirementsFile) and spec not in missing
        # of pip's, those that uv reads and pip does not
        if request.manager == "conda" or spec.text.startswith("--file ")
    ]
    specs = tuple(spec for spec in request.specs if spec not in (*missing, *files))
    if specs:
        yield replace(found, request=replace(request, specs=specs))
    for spec in files:
        yield from _listed(found, request, spec.place)
    if missing:
        paths = ", ".join(map(_local_file, missing))
        yield replace(found, request=None, reason=f"There is no {paths} here.")


def _local_file(spec: Spec) -> str:
    """Return the local path that a spec needs; empty where it needs none."""
    return spec.place if os.path.isabs(spec.place) else ""


def _listed(found: Found, request: Request, file: str) -> Iterator[Found]:
    from .files import conda_list, reader, requirements

    path = Path(file)
    module = reader(path)
    if request.manager == "conda" and module in (None, requirements):
        module = conda_list  # to conda a plain list holds specs of its own
    if module is None:
        yield replace(found, request=None, reason=f"What {file} lists is not read here.")
        return
    try:
        reading = module.read(path)
    except (OSError, UsageError) as error:
        yield replace(found, request=None, reason=f"{file} cannot be read: {error}")
        return
    for each in reading.found:
        target = found.target
        if target.made and each.target.name and not (target.name or target.prefix):
            target = replace(target, name=each.target.name)
        listed = each.request
        if listed is not None and listed.manager == "conda":
            sources = request.sources | listed.sources
            listed = replace(listed, sources=sources, options=request.options)
        elif listed is not None and listed.manager == request.manager:
            sources = request.sources | listed.sources
            listed = replace(listed, sources=sources, upgrade=request.upgrade)
        note = " ".join(filter(None, (found.note, each.note, *reading.notes)))
        yield replace(found, request=listed, target=target, reason=each.reason, note=note)
    if not reading.found:
        yield replace(found, request=None, reason=f"{file} names no package.")
