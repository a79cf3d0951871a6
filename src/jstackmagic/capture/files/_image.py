"""The files of an image whose origin its Dockerfile shows."""

from __future__ import annotations

import glob
import json
import os
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...io.reading import text_of
from ...model.errors import InvalidSpec

if TYPE_CHECKING:
    from pathlib import Path

_PROJECT = ("pyproject.toml", "setup.py", "setup.cfg")


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a path in the image: one of the first three, or ``reason`` if it is unknown.

    Attributes:
        place: A path of the build context, on this machine.
        text: The file's text, which the Dockerfile itself holds.
        url: A file's URL, or a repository's as pip takes it (``git+https://…``).
        reason: Why it is not followed.
    """

    place: str = ""
    text: str | None = None
    url: str = ""
    reason: str = ""


class ImageFiles:
    """Paths of the image and their origins; of two for one path, the later counts."""

    def __init__(self, base: ImageFiles | None = None) -> None:
        self._entries: list[tuple[str, Origin | tuple[ImageFiles, str]]] = []
        if base is not None:
            self._entries += base._entries

    def add(self, path: str, origin: Origin) -> None:
        """Note the origin of a file or folder of the image."""
        self._entries.append((posixpath.normpath(path), origin))

    def add_from(self, path: str, stage: ImageFiles, source: str) -> None:
        """Note that a path is copied from another stage."""
        self._entries.append((posixpath.normpath(path), (stage, posixpath.normpath(source))))

    def origin(self, path: str) -> Origin | None:
        """Return a path's origin; None if the Dockerfile does not show it."""
        path = posixpath.normpath(path)
        absent: Origin | None = None
        for target, origin in reversed(self._entries):
            if path != target and not path.startswith(f"{target.rstrip('/')}/"):
                continue
            rest = path[len(target) :].lstrip("/")
            if isinstance(origin, tuple):
                stage, source = origin
                inner = stage.origin(posixpath.join(source, rest))
                if inner is None and rest == posixpath.basename(source):
                    inner = stage.origin(source)
                if inner is not None:
                    return inner
            elif not rest or origin.reason:
                return origin
            elif origin.url.startswith("git+"):
                return Origin(url=f"{origin.url}#subdirectory={rest}")
            elif origin.place:
                place = os.path.join(origin.place, rest)
                if os.path.isfile(origin.place):
                    if rest == os.path.basename(origin.place):
                        return origin  # the target is a folder of the base image
                elif os.path.exists(place):
                    return Origin(place=place)
                else:
                    absent = absent or Origin(place=place)
        return self._project(path) or absent

    def _project(self, folder: str) -> Origin | None:
        """Return the project whose files were copied into a folder one by one."""
        for target, origin in reversed(self._entries):
            if (
                isinstance(origin, Origin)
                and origin.place
                and posixpath.dirname(target) == folder
                and posixpath.basename(target) in _PROJECT
                and os.path.basename(origin.place) == posixpath.basename(target)
            ):
                return Origin(place=os.path.dirname(origin.place))
        return None


def context_of(dockerfile: Path) -> str:
    """Return the folder that COPY takes from: a dev container's is often its parent."""
    folder = dockerfile.absolute().parent
    if folder.name != ".devcontainer":
        return str(folder)
    try:
        text = text_of(folder / "devcontainer.json")
    except (OSError, InvalidSpec):
        return str(folder.parent)
    said = re.search(r'"context"\s*:\s*("(?:[^"\\]|\\.)*")', text)
    return os.path.normpath(folder / (json.loads(said[1]) if said else "."))


def in_context(context: str, source: str) -> list[str]:
    """Return the local paths of a source of COPY; a pattern may match nothing.

    Nothing above the context can be reached: https://docs.docker.com/reference/dockerfile/#copy
    """
    inside = posixpath.normpath("/" + source).lstrip("/")
    if re.search(r"[*?\[]", inside):
        names = sorted(glob.glob(inside, root_dir=context))
        return [os.path.join(context, name) for name in names]
    return [os.path.normpath(os.path.join(context, inside))]
