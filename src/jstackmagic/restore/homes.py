"""One home, several images: records of another image than the one that runs now."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..history.built import built_image
from ..history.file import History
from ..model.environment import Environment
from ..model.errors import UnknownEnvironment
from ..model.managers import is_system, of_environment, of_system
from ..model.record import Record
from ..model.reference import Reference, written
from ..where.detect import detect
from ..where.host import look
from ..where.metadata import read_packages

_SHOWN = 5
_OWN = "jstackmagic/"
"""The prefix of image names that are built from a history without another name."""


@dataclass(frozen=True)
class Home:
    """The records that count in the image that runs now."""

    records: Sequence[Record]
    notes: tuple[str, ...] = ()  #: a sentence for each other image

    @property
    def ids(self) -> frozenset[str]:
        """Their ids."""
        return frozenset(record.id for record in self.records)


def at_home(history: History, command: str, *, every: bool = False) -> Home:
    """Leave out the installs in another image than the one that runs now, or for another Python.

    An image is another one if its name differs, apart from tag and registry: a newer build of the
    same image needs what its predecessor had. Packages that are here all the same count, and so do
    installs in an image that was built from this history. What ``--user`` put into the home is for
    one minor version of Python.

    Args:
        every: Leave nothing out.
    """
    records = history.records()
    image = look().image or ""
    same = {written(image).last, written(built_image(records, history)).last}
    kept: list[Record] = []
    counted: set[str] = set()
    left: dict[str, dict[tuple[str, str], None]] = {}
    here = _Here()
    for record in records:
        theirs = record.context.image
        specs = record.request.specs
        keys = dict.fromkeys((_place(record), spec.name or spec.text) for spec in specs)
        installs = record.request.action == "install"
        other = "" if every else here.other_python(record)
        mine = every or not (image or other)
        if not mine and record.undoes:  # it counts where what it takes back does
            mine = record.undoes in counted
        elif not (mine or other):
            mine = not theirs or theirs.startswith(_OWN) or written(theirs).last in same
        if not mine and installs and keys:
            mine = here.names(record).issuperset(_names(keys))
        if mine:
            kept.append(record)
            counted |= {record.id, record.transaction}
        elif installs:
            where = other or f"in the image {theirs}, and this is {image}"
            left.setdefault(where, {}).update(keys)
        if mine is installs:  # this image has it as well, or it is gone there
            for packages in left.values():
                for key in keys:
                    packages.pop(key, None)
    notes = [
        f"{_some(names)}: installed {where}: left out."
        f" To include {'it' if len(names) == 1 else 'them'}: {command}"
        for where, packages in left.items()
        if (names := _names(packages))
    ]
    return Home(kept, (*notes, *_unknown(records, image), *of_other_images(kept, image)))


def _place(record: Record) -> str:
    return "" if is_system(record.request.manager) else record.environment.prefix


def _names(keys: Iterable[tuple[str, str]]) -> list[str]:
    return list(dict.fromkeys(name for _, name in keys))


def _unknown(records: Iterable[Record], image: str) -> tuple[str, ...]:
    """Return a sentence if several images have records, and nothing tells which this one is."""
    installs = (each for each in records if each.request.action == "install")
    others = (each.context.image for each in installs)
    named = (other for other in others if other and not other.startswith(_OWN))
    found = {written(other).last: other for other in named}
    if image or len(found) < 2:
        return ()
    return (
        f"The records are of several images, and which this is is not known: what was installed"
        f" in {', '.join(sorted(found.values()))} is all included. To leave the others' out, name"
        " this one: set JUPYTER_IMAGE_SPEC",
    )


class _Here:
    """The Pythons and the names of the installed packages, each place read once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, frozenset[str]]] = {}

    def names(self, record: Record) -> frozenset[str]:
        return self.at(_place(record))[1]

    def other_python(self, record: Record) -> str:
        """Return for which Python ``--user`` installed, where its prefix has another; or empty."""
        if "--user" not in record.request.options:
            return ""
        prefix, then = record.environment.prefix, record.environment.minor
        now = self.at(prefix)[0]
        if not then or not now or then == now:
            return ""
        return f"with --user for Python {then}, and {prefix} has Python {now}"

    def at(self, prefix: str) -> tuple[str, frozenset[str]]:
        if prefix not in self._known:
            self._known[prefix] = _here(prefix) if prefix else ("", _system(detect()))
        return self._known[prefix]


def _system(environment: Environment) -> frozenset[str]:
    return frozenset(package.name for package in read_packages(environment, of_system()).packages)


def of_other_images(records: Iterable[Record], image: str | None = None) -> tuple[str, ...]:
    """Return a sentence for each other image whose recorded packages are missing here.

    A record belongs to another image if both images are known and differ, or if the Python at its
    prefix is another minor version now. What is installed here all the same, such as what a replay
    brought, is this image's as well.

    Args:
        image: This container's image, empty if unknown; None to look it up.
    """
    image = look().image or "" if image is None else image
    found: dict[str, dict[str, None]] = {}
    here = _Here()
    for record in records:
        if record.outcome is None or record.status not in ("ok", "found"):
            continue
        if is_system(record.request.manager):
            continue
        python, names = here.at(record.environment.prefix)
        change = record.outcome.change
        gone = {package.name for package in change.removed}
        for packages in found.values():
            for name in gone:
                packages.pop(name, None)
        other = _other(record, image, python)
        if not other:
            continue
        asked = {spec.name for spec in record.request.specs}
        lacking = (p.name for p in change.came if p.name in asked and p.name not in names)
        found.setdefault(other, {}).update(dict.fromkeys(lacking))
    return tuple(_sentence(other, list(names), image) for other, names in found.items() if names)


def _other(record: Record, image: str, python: str) -> str:
    """Return what distinguishes a record's image from this one, in words; empty if unknown."""
    theirs = record.context.image
    if theirs and image:
        return f"the image {theirs}" if _spelled_out(theirs) != _spelled_out(image) else ""
    then = record.environment.minor
    return f"an image with Python {then}" if then and python and then != python else ""


def _spelled_out(image: str) -> Reference:
    """Return an image's name with its tag, and without the registry that is meant if none is."""
    return written(re.sub(r"^(?:(?:index\.)?docker\.io/)?(?:library/)?", "", image)).with_tag


def _sentence(other: str, names: list[str], image: str) -> str:
    now = f"this is {image}" if image else "this is another"
    they, them = ("it is", "it") if len(names) == 1 else ("they are", "them")
    return (
        f"{_some(names)}: installed in {other}, and {now}, where {they} not. If {they} for that"
        f" image alone, take {them} out here: %envremove, or keep a history for each image"
        " (JSTACKMAGIC_HISTORY)."
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")


def _here(prefix: str) -> tuple[str, frozenset[str]]:
    """Return the minor version of a prefix's Python, and the names of its packages."""
    try:
        environment = detect(prefix)
    except UnknownEnvironment:
        return "", frozenset()
    packages = read_packages(environment, of_environment()).packages
    return environment.ref.minor, frozenset(package.name for package in packages)
