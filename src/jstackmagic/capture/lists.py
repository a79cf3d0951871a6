"""conda's lists and ``environment.yml`` files, which a command names and a request spells out."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..parsing import read_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..packages import ManagerName
    from ..request import Request
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
    files = [spec for spec in request.specs if spec.startswith("--file ") and spec not in missing]
    specs = tuple(spec for spec in request.specs if spec not in (*missing, *files))
    if specs:
        yield replace(found, request=replace(request, specs=specs))
    for spec in files:
        yield from _listed(found, request, spec.removeprefix("--file "))
    if missing:
        paths = ", ".join(map(_local_file, missing))
        yield replace(found, request=None, reason=f"There is no {paths} here.")


def _local_file(spec: str) -> str:
    """The local path that a spec needs; empty where it needs none."""
    path = spec.split(" ", 1)[1] if spec.startswith(("-r ", "-c ", "-e ", "--file ")) else spec
    path = path.split("[", 1)[0] if not os.path.exists(path) else path
    return path if os.path.isabs(path) else ""


def _listed(found: Found, request: Request, file: str) -> Iterator[Found]:
    try:
        with open(file, encoding="utf-8") as opened:
            text = opened.read()
        # the lines that begin with @ say how to read a list: @EXPLICIT
        text = "\n".join(line for line in text.splitlines() if not line.startswith("@"))
        asked = read_cell(text, manager="conda", folder=os.path.dirname(file))
        name = _name(text) if found.target.made else ""
    except (OSError, UnicodeDecodeError, UsageError) as error:
        yield replace(found, request=None, reason=f"{file} cannot be read: {error}")
        return
    target = found.target
    if name and not (target.name or target.prefix):
        target = replace(target, name=name)
    managers: tuple[ManagerName, ...] = ("conda", "pip")
    for manager in managers:
        specs = asked.of(manager)
        if specs:
            listed = replace(request, manager=manager, specs=specs)
            if manager == "conda":
                listed = replace(listed, channels=(*request.channels, *asked.channels))
            else:
                listed = replace(
                    listed,
                    channels=(),
                    options=(),
                    index_url=asked.index_url,
                    extra_index_urls=asked.extra_index_urls,
                )
            yield replace(found, request=listed, target=target)
    if not asked.specs:
        yield replace(found, request=None, reason=f"{file} names no package.")


def _name(text: str) -> str:
    """The name that an ``environment.yml`` gives its environment; empty where it gives none."""
    import yaml

    data = yaml.safe_load(text)
    return str(data.get("name") or "") if isinstance(data, dict) else ""
