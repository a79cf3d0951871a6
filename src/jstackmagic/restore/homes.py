"""One home, several images: what the history has of another image than the one that runs now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.errors import UnknownEnvironment
from ..model.managers import is_system
from ..where.environment import detect
from ..where.host import look
from ..where.packages import read_packages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..model.record import Record

_SHOWN = 5


def of_other_images(records: Iterable[Record], image: str | None = None) -> tuple[str, ...]:
    """Return a sentence for each other image whose packages the history has and that lack here.

    A record is another image's where both images are known and differ, or where the Python at its
    prefix is another minor version now. What lies here all the same, such as what a replay
    brought, is this image's as well.

    Args:
        records: The history.
        image: What this container was made from, empty where nothing tells; None to look.
    """
    image = look().image or "" if image is None else image
    found: dict[str, dict[str, None]] = {}
    here: dict[str, tuple[str, frozenset[str]]] = {}
    for record in records:
        if record.outcome is None or record.status not in ("ok", "found"):
            continue
        if is_system(record.request.manager):
            continue
        prefix = record.environment.prefix
        if prefix not in here:
            here[prefix] = _here(prefix)
        python, names = here[prefix]
        change = record.outcome.change
        gone = {package.name for package in change.removed}
        for packages in found.values():
            for name in gone:
                packages.pop(name, None)
        other = _other(record, image, python)
        if not other:
            continue
        asked = {spec.name for spec in record.request.specs}
        came = (*change.added, *(new for _, new in change.changed))
        lacking = (p.name for p in came if p.name in asked and p.name not in names)
        found.setdefault(other, {}).update(dict.fromkeys(lacking))
    return tuple(_sentence(other, list(names), image) for other, names in found.items() if names)


def _other(record: Record, image: str, python: str) -> str:
    """Return what tells a record's image from this one, for people; empty where nothing does."""
    theirs = record.context.image
    if theirs and image:
        return f"the image {theirs}" if theirs != image else ""
    then = _minor(record.environment.python)
    return f"an image with Python {then}" if then and python and then != python else ""


def _sentence(other: str, names: list[str], image: str) -> str:
    shown = ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
    now = f"this is {image}" if image else "this is another"
    they = "it is" if len(names) == 1 else "they are"
    return (
        f"{shown}: installed in {other}, and {now}, where {they} not. If it is for that image"
        " alone, take it out here: %envremove, or keep a history for each image"
        " (JSTACKMAGIC_HISTORY)."
    )


def _here(prefix: str) -> tuple[str, frozenset[str]]:
    """Return the Python at a prefix, its minor version, and the names of what is installed."""
    try:
        environment = detect(prefix)
    except UnknownEnvironment:
        return "", frozenset()
    packages = read_packages(environment, ("conda", "pip")).packages
    return _minor(environment.python), frozenset(package.name for package in packages)


def _minor(version: str | None) -> str:
    return ".".join((version or "").split(".")[:2])
