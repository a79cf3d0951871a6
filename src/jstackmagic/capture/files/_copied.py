"""The installs of one stage of a Dockerfile that COPY --from takes into another."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...model.managers import is_system

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .. import Found

_PACKS = re.compile(r"conda[- ]pack\b|venv-pack|virtualenv-clone|\bcp -\w*[rRa]|\btar\b|\bmv\b")
_PACKAGES = re.compile(r"/(?:site|dist)-packages/?$")
_SYSTEM = ("/", "/usr", "/usr/local", "/usr/local/lib")


@dataclass(frozen=True, slots=True)
class Copy:
    """A COPY --from of one path.

    Attributes:
        stage: The stage as it is shown.
        source: The path in that stage.
        target: The path that it gets.
        home: The home in that stage.
        line: The instruction's line.
    """

    stage: str
    source: str
    target: str
    home: str
    line: int

    def __str__(self) -> str:
        """Return it for a message."""
        return f"COPY --from, line {self.line}, takes {self.source} from the stage {self.stage}"


def carried(finds: Iterable[Found], copy: Copy, text: str) -> Iterator[Found]:
    """Yield the finds of a stage that a copy takes along, each where it comes to lie.

    One that may be among what is copied, and may not, is listed with that reason.

    Args:
        finds: The stage's finds.
        copy: The copy.
        text: What the stage runs.
    """
    seen = list(finds)
    moved = [_moved(find, copy) for find in seen]
    yield from (find for find in moved if find is not None)
    if any(moved) or not _PACKS.search(text):
        return
    for find in seen:  # it may have been packed or moved to where it is copied from
        if find.request is None or not is_system(find.request.manager):
            yield _listed(find, copy)


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
        return find if _within(local, source) and local.endswith("/.local") else None
    if prefix:
        if not _within(prefix, source):
            return None
        path = posixpath.normpath(copy.target + prefix[len(source.rstrip("/")) :])
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


def _within(path: str, folder: str) -> bool:
    return folder == "/" or path == folder or path.startswith(f"{folder}/")


def _listed(find: Found, copy: Copy) -> Found:
    reason = f"{find.reason} {copy}, and this may be in it.".strip()
    return replace(find, request=None, reason=reason)
