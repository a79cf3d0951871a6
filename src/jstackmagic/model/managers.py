"""The one list of the package managers, with what a record needs to know of each.

A manager's own knowledge is in its folder, which `jstackmagic.managers.get` loads. What stands
here is what the record, its folds and their readers need before any folder is loaded.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .packages import ManagerName  # noqa: TC004  # a text: loading stays light


@dataclass(frozen=True, slots=True)
class Listed:
    """A package manager, as the list has it."""

    name: ManagerName  #: its name for users, records and recipes
    folder: str  #: the import path of its folder
    #: the `jstackmagic.where.reader.PackageReader` of its packages, as ``module:name``
    reader: str
    #: the file that came with a package, below an environment's prefix, with ``{name}`` or
    #: ``{stem}``; empty if its reader knows better
    metadata: str = ""
    #: the reader of one of its specs, as ``module:function``, from a text to a
    #: `jstackmagic.model.spec.Spec`; empty where ``NAME==VERSION`` is all that there is
    spec: str = ""
    #: whether its packages belong to the whole system rather than to one environment
    system: bool = False
    #: whether a package may come from a place of its own (PEP 610), which asks for it
    direct: bool = False
    #: the managers whose package of the same name it takes for its own
    content_with: tuple[ManagerName, ...] = ()


_PLAIN = "jstackmagic.where.reader:plain"


def _ours(name: str, metadata: str = "", **said: Any) -> Listed:
    reader, spec = f"jstackmagic.where.metadata:{name}", f"jstackmagic.model.spec:of_{name}"
    return Listed(name, f"jstackmagic.managers.{name}", reader, metadata, spec, **said)


MANAGERS: tuple[Listed, ...] = (
    _ours("apt", system=True),
    _ours("conda", "conda-meta/{stem}.json"),
    _ours("pip", direct=True, content_with=("conda",)),
)
"""In the order in which they work: the system's libraries first, and pip last, which must see what
conda brought."""


FALLBACK: ManagerName = "pip"
"""The manager that is asked for what a user gave to none, and no other has."""


def names() -> tuple[ManagerName, ...]:
    """Return the names of all managers, in the order in which they work."""
    return tuple(each.name for each in MANAGERS)


def of_system() -> tuple[ManagerName, ...]:
    """Return the managers whose packages belong to the whole system."""
    return tuple(each.name for each in MANAGERS if each.system)


def of_environment() -> tuple[ManagerName, ...]:
    """Return the managers whose packages belong to one environment."""
    return tuple(each.name for each in MANAGERS if not each.system)


def is_system(manager: ManagerName) -> bool:
    """Return whether a manager's packages belong to the whole system.

    >>> is_system("apt"), is_system("pip")
    (True, False)
    """
    return listed(manager).system


def neighbours(manager: ManagerName) -> tuple[ManagerName, ...]:
    """Return the managers, this one included, whose packages are in the same place.

    >>> neighbours("pip")
    ('conda', 'pip')
    """
    return of_system() if is_system(manager) else of_environment()


def place(manager: ManagerName, prefix: str) -> str:
    """Return the prefix that a manager's packages belong to; empty for the system.

    >>> place("conda", "/opt/conda/"), place("apt", "/opt/conda")
    ('/opt/conda', '')
    """
    return "" if is_system(manager) else os.path.normpath(prefix)


def listed(manager: ManagerName) -> Listed:
    """Return a manager as the list has it; a plain one where only a history knows it."""
    found = next((each for each in MANAGERS if each.name == manager), None)
    return found or Listed(manager, "", _PLAIN)


def named(path: str) -> Any:
    """Return what ``module:name`` names; the module is imported now."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def position(manager: ManagerName) -> int:
    """Return a manager's place in the order of work; an unlisted one comes last."""
    listed = names()
    return listed.index(manager) if manager in listed else len(listed)
