"""The local files and folders that specs name, and their names next to an artifact."""

from __future__ import annotations

import hashlib
import posixpath
import re

from ..model.recipe import Item, Recipe
from ..model.spec import Listing
from ..model.words import checked
from ._artifact import File

FOLDER = "jstackmagic"
"""The folder beside an artifact for the files that are copied."""

UNSAFE = re.compile(r"[^\w.+!-]", re.ASCII)
"""Characters that become an underscore in a file's name, so that it never needs quoting."""


def generated(name: str, content: str) -> File:
    """Return a file for our own text; the hash in its name keeps two texts apart."""
    digest = hashlib.sha256(content.encode()).hexdigest()[:8]
    return File(f"{FOLDER}/{name}-{digest}.txt", content.encode())


class Beside:
    """The files next to the artifacts of one recipe.

    A file has the same name for every artifact, so that they share the copies.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._names: dict[str, str] = {}
        for step in recipe.steps:
            for item in step.install:
                if item.spec.path:
                    self._name(posixpath.normpath(item.spec.path))

    def _name(self, path: str) -> None:
        base = UNSAFE.sub("_", posixpath.basename(path)) or "folder"
        taken = self._names.values()
        names = (
            f"{FOLDER}/{base}",
            *(f"{FOLDER}/{n}/{base}" for n in range(2, len(taken) + 3)),
        )
        self._names.setdefault(path, next(name for name in names if name not in taken))

    def file(self, item: Item) -> File:
        """Return the file or folder to copy.

        Raises:
            ExportError: Its path cannot be written on one line, or holds a credential.
        """
        source = posixpath.normpath(checked(item.spec.path))
        requirements = isinstance(item.spec, Listing)
        sha256 = "" if requirements else item.sha256
        return File(self._names[source], source, sha256, requirements)

    def archive(self, path: str, sha256: str) -> File:
        """Return a local archive to copy that a package came from, whether or not a spec names it.

        Raises:
            ExportError: Its path cannot be written on one line, or holds a credential.
        """
        source = posixpath.normpath(checked(path))
        self._name(source)
        return File(self._names[source], source, sha256)
