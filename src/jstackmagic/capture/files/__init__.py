"""Files that list packages, read as requests: one module a format.

``environment_yml.py`` reads ``environment.yml``; adding a module adds a format and touches no other
file. A format's module has a docstring (its first line says what it reads),
``recognises(path)``, which judges by the name and a cheap look at the content, and ``read(path)``.
No two modules recognise the same file. A module whose name begins with an underscore is shared,
and is not a format.
"""

from __future__ import annotations

import os
import pkgutil
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from ...model.errors import UsageError
from ...model.request import Request
from .. import Found

__all__ = ["Found", "ListFormat", "Reading", "formats", "read", "reader"]


_CONSTRAINTS = re.compile(r"(?:.+[-_.])?constraints?(?:[-_.].+)?\.(?:txt|in|pip)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reading:
    """The requests of one file."""

    path: Path  #: the file, or the folder
    #: in the order to carry them out. ``found.request`` is the request; ``found.target.name`` is
    #: the environment that the file names; ``found.line`` is its line, 0 if unknown. What cannot be
    #: done here is included, with the reason and without a request.
    found: tuple[Found, ...] = ()
    notes: tuple[str, ...] = ()  #: notes for the reader that hold for the whole file

    @property
    def requests(self) -> tuple[Request, ...]:
        """Return the requests."""
        return tuple(found.request for found in self.found if found.request is not None)

    @property
    def problems(self) -> tuple[Found, ...]:
        """Return what cannot be done here, each with the reason."""
        return tuple(found for found in self.found if found.request is None)


class ListFormat(Protocol):
    """A module of this package."""

    __doc__: str | None

    def recognises(self, path: Path) -> bool:
        """Return whether a file or folder is of this format; False for one that cannot be read."""

    def read(self, path: Path) -> Reading:
        """Read it; local paths in the requests are absolute.

        Raises:
            InvalidSpec: It is of this format and broken.
            OSError: It cannot be read.
        """


def formats() -> dict[str, ListFormat]:
    """Return the modules by their names, in alphabetical order."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {
        name: cast("ListFormat", import_module(f".{name}", __name__))
        for name in names
        if not name.startswith("_")
    }


def reader(path: Path) -> ListFormat | None:
    """Return the format of a file or folder; None if no module recognises it."""
    if not os.path.exists(path):  # False, too, for a name that no file can have
        return None
    return next((module for module in formats().values() if module.recognises(path)), None)


def read(path: Path) -> Reading:
    """Read a file or folder of any format.

    Raises:
        UsageError: It has no known format, is broken, or cannot be read.
    """
    module = reader(path)
    if module is None:
        missing = not os.path.exists(path)
        raise UsageError(
            f"There is no file {path}." if missing else f"{path} is not a list of packages.",
            advice=() if missing else ("These are read:", *map(_summary, formats().values())),
        )
    if _CONSTRAINTS.fullmatch(path.name) and module is formats()["requirements"]:
        note = (
            "Its name says that it holds constraints, which bound what a list installs, and install"
            f" nothing: %envinstall -r LIST --constraint {path}"
        )
        return Reading(path, (), (note,))
    try:
        return module.read(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from None


def _summary(module: ListFormat) -> str:
    return (module.__doc__ or "").strip().partition("\n")[0].rstrip(".")
