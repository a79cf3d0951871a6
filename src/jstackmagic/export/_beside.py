"""The local files and folders that specs name, and what they are called beside an artifact."""

from __future__ import annotations

import hashlib
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ..model.spec import CONDA_ARCHIVE, split_hashes
from ._artifact import File
from ._words import checked

if TYPE_CHECKING:
    from ..model.packages import ManagerName
    from ..model.recipe import Item, Recipe

FOLDER = "jstackmagic"
"""The folder beside an artifact for the files that are copied."""

UNSAFE = re.compile(r"[^\w.+!-]", re.ASCII)
"""What a file's name beside an artifact has an underscore for: it never needs quoting."""

_LOCAL = re.compile(
    r"(?P<before>[\w.-]+\s*(?:\[[^\]]*\])?\s*@\s*(?=file:))?(?P<url>file:(?://)?)?"
    r"(?P<path>[/.~].*?)(?P<after>(?:\[[\w., -]*\])?(?:\s*;.*)?)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Place:
    """A local file or folder in a spec.

    Attributes:
        path: Where it is on this machine.
        flag: ``-e``, ``-r``, ``-c`` or empty, as the spec has it.
        before: ``NAME @ ``, where the spec has it.
        after: Extras and marker.
    """

    path: str
    flag: str = ""
    before: str = ""
    after: str = ""


def place_in(manager: ManagerName, spec: str) -> Place | None:
    """The local file or folder that a spec names; None where it names none.

    >>> place_in("pip", "-e /home/jovyan/work/mine[test]")
    Place(path='/home/jovyan/work/mine', flag='-e', before='', after='[test]')
    >>> place_in("pip", "u @ file:///w/u%20x.zip").path
    '/w/u x.zip'
    >>> place_in("conda", "/w/six-1-0.conda#sha256:91").path
    '/w/six-1-0.conda'
    >>> place_in("pip", "six"), place_in("conda", "/w/list.txt")
    (None, None)
    """
    flag = spec[:2] if spec[:3] in ("-r ", "-c ", "-e ") else ""
    if manager == "apt":
        return Place(spec) if spec.endswith(".deb") and "/" in spec else None
    if manager == "conda":
        if not is_conda_archive(spec):
            return None
        spec = spec.partition("#")[0]  # a hash is of the file, whatever its name
    text = split_hashes(spec[3:].strip() if flag else spec)[0]
    match = _LOCAL.fullmatch(text)
    if match is None:
        return None
    if flag in ("-r", "-c"):
        return Place(text, flag)
    path = match["path"].rstrip()
    path = unquote(path) if match["url"] else path
    return Place(path, flag, match["before"] or "", match["after"])


def is_conda_archive(spec: str) -> bool:
    """Return whether a spec is a conda package's file or URL, rather than a match spec."""
    return spec.partition("#")[0].endswith(CONDA_ARCHIVE) and "::" not in spec


def generated(name: str, content: str) -> File:
    """A text of our own; its name has its hash, so that two formats never want two under one."""
    digest = hashlib.sha256(content.encode()).hexdigest()[:8]
    return File(f"{FOLDER}/{name}-{digest}.txt", content.encode())


class Beside:
    """What lies beside the artifacts of one recipe.

    A file has the same name beside every artifact, so that several share the copies.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._names: dict[str, str] = {}
        for step in recipe.steps:
            for item in step.install:
                place = place_in(step.manager, item.text)
                if place is not None:
                    self._name(posixpath.normpath(place.path))

    def _name(self, path: str) -> None:
        base = UNSAFE.sub("_", posixpath.basename(path)) or "folder"
        taken = self._names.values()
        names = (
            f"{FOLDER}/{base}",
            *(f"{FOLDER}/{n}/{base}" for n in range(2, len(taken) + 3)),
        )
        self._names.setdefault(path, next(name for name in names if name not in taken))

    def file(self, place: Place, item: Item) -> File:
        """The file or folder to copy.

        Raises:
            ExportError: Its path cannot be written on one line, or holds a credential.
        """
        source = posixpath.normpath(checked(place.path))
        requirements = place.flag in ("-r", "-c")
        sha256 = "" if requirements else item.sha256
        return File(self._names[source], source, sha256, requirements)

    def archive(self, path: str, sha256: str) -> File:
        """A local archive to copy that a package came from, whether or not a spec names it.

        Raises:
            ExportError: Its path cannot be written on one line, or holds a credential.
        """
        source = posixpath.normpath(checked(path))
        self._name(source)
        return File(self._names[source], source, sha256)
