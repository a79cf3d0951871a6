"""The installs of one stage of a Dockerfile that COPY --from takes into another."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ...model.managers import is_system
from .. import Found
from ._image import below

_PACKS = re.compile(r"conda[- ]pack\b|venv-pack|virtualenv-clone|\bcp -\w*[rRa]|\btar\b|\bmv\b")
_PACKAGES = re.compile(r"/(?:site|dist)-packages/?$")
_MAY_BE = ", and this may be in it."
_SYSTEM = ("/", "/usr", "/usr/local", "/usr/local/lib")


@dataclass(frozen=True, slots=True)
class Copy:
    """A COPY --from of one path."""

    stage: str
    source: str  #: the path in that stage
    target: str  #: the path that it gets
    home: str  #: the home in that stage
    line: int  #: the instruction's line

    def __str__(self) -> str:
        return f"COPY --from, line {self.line}, takes {self.source} from the stage {self.stage}"


@dataclass(frozen=True, slots=True)
class StageFind:
    """An install that a stage has."""

    found: Found  #: as it is in this stage
    origin: Found  #: as its own stage has it

    @property
    def key(self) -> tuple[object, ...]:
        """Return the same for an install that several copies bring."""
        return id(self.origin), self.found.target, self.found.request is None, self.found.reason


def carried(holds: Iterable[StageFind], copy: Copy, text: str) -> Iterator[StageFind]:
    """Yield what a copy takes along of another stage, each where it comes to lie.

    One that may be among what is copied, and may not, is listed with that reason.

    Args:
        text: The instructions of that stage.
    """
    seen = list(holds)
    moved = [replace(held, found=found) for held in seen if (found := _moved(held.found, copy))]
    yield from moved
    if moved or not _PACKS.search(text):
        return
    for held in seen:  # it may have been packed or moved to where it is copied from
        if held.found.request is None or not is_system(held.found.request.manager):
            yield replace(held, found=_listed(held.found, copy))


def _moved(find: Found, copy: Copy) -> Found | None:
    """Return the find as it is in the other stage; None if it is not copied."""
    prefix, source = find.target.prefix, copy.source.rstrip("/") or "/"
    request = find.request
    if request is None:
        return _listed(find, copy) if source != "/" and source in find.reason else None
    if is_system(request.manager):
        return _listed(find, copy) if source in _SYSTEM[:2] else None
    if "--user" in request.options:
        local = posixpath.join(copy.home, ".local")
        taken = below(local, source) is not None and local.endswith("/.local")
        return find if taken else None
    if prefix:
        rest = below(prefix, source)
        if rest is None:
            return None
        path = posixpath.normpath(posixpath.join(copy.target, rest))
        return replace(find, target=replace(find.target, prefix=path, made=True))
    if find.target.name:
        name = f"/envs/{find.target.name}"
        if source.endswith(name) and not copy.target.rstrip("/").endswith(name):
            return replace(find, target=replace(find.target, name="", prefix=copy.target))
        return find if source.endswith((name, "/envs", "conda", "miniforge3")) else None
    if source in _SYSTEM or _PACKAGES.search(source):
        same = copy.target.rstrip("/") == source or _PACKAGES.search(copy.target)
        return find if same or source == "/" else _listed(find, copy)
    return None


def _listed(find: Found, copy: Copy) -> Found:
    if find.request is None and find.reason.endswith(_MAY_BE):  # the first copy of several says it
        return find
    reason = f"{find.reason} {copy}{_MAY_BE}".strip()
    return replace(find, request=None, reason=reason)
