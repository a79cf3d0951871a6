"""The proof: the package sets of here and of an image, compared. Pure."""

from __future__ import annotations

import os
import posixpath
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

from ...model.credentials import mask
from ...model.environment import EnvironmentRef
from ...model.managers import is_system
from ...model.packages import ManagerName, Package, PackageSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ...model.record import Record

FileState = Literal[
    "changed here", "changed in the image", "differs", "not here", "not in the image"
]


@dataclass(frozen=True, slots=True)
class Side:
    """One environment, or the Debian system, here and in the image.

    Attributes:
        environment: Which; None for the Debian system.
        in_image: Its prefix there.
        here: What it holds here.
        image: What it holds in the image; None where the image does not have it.
        ours: Of what is here, jstackmagic and what only it needs, where the image has none of it.
    """

    environment: EnvironmentRef | None
    in_image: str
    here: PackageSet
    image: PackageSet | None
    ours: tuple[Package, ...] = ()

    @property
    def name(self) -> str:
        """Return what people call it."""
        if self.environment is None:
            return "system"
        return self.environment.name or self.environment.prefix


@dataclass(frozen=True, slots=True)
class Difference:
    """One package that is not the same here and in the image.

    Attributes:
        where: The environment's name or prefix; "system" for a Debian package.
        here: The package here; None where it is not installed here.
        image: The package in the image; None where it is not installed there.
        entry: The id of the history's record that tells of it; empty where none does.
        mend: What would make the two equal, a sentence.
    """

    where: str
    here: Package | None
    image: Package | None
    entry: str = ""
    mend: str = ""

    @property
    def package(self) -> Package:
        """The package, as one of the two sides has it."""
        found = self.here or self.image
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class FileDifference:
    """One file of a package that is the same by its metadata and not by its content."""

    where: str
    package: str
    path: str
    state: FileState


@dataclass(frozen=True, slots=True)
class Proof:
    """The outcome of the comparison.

    Attributes:
        image: The image's reference.
        image_id: Its id.
        compared: What was compared, and how many packages it has here.
        differences: The packages that are not the same.
        absent: Environments that only one side has, a sentence each.
        unread: What could not be read, a sentence each: nothing is called equal unread.
        files: With ``--deep``: files whose content is not the same.
        imports: With ``--deep``: modules that can be imported here and not in the image.
        deep: Whether contents were compared too.
        beside: Our own packages that are here and not in the image, a sentence for each
            environment: they are no difference.
    """

    image: str
    image_id: str
    compared: tuple[tuple[str, int], ...]
    differences: tuple[Difference, ...] = ()
    absent: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    files: tuple[FileDifference, ...] = ()
    imports: tuple[str, ...] = ()
    deep: bool = False
    beside: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Return whether everything was read, and nothing differs."""
        found = (self.differences, self.absent, self.unread, self.files, self.imports)
        return bool(self.compared) and not any(found)


def differences(side: Side, records: Sequence[Record]) -> Iterator[Difference]:
    """Yield what differs between the two sides of an environment, with what would mend it."""
    if side.image is None:
        return
    here, image = side.here.by_key, side.image.by_key
    ours = {package.key for package in side.ours}
    for key in sorted((here.keys() | image.keys()) - ours):
        one, other = here.get(key), image.get(key)
        if one is not None and other is not None and same(one, other):
            continue
        entry = _entry(side, key, records)
        yield Difference(
            where=side.name,
            here=one,
            image=other,
            entry=entry.id if entry else "",
            mend=_mend(side, one, other, entry),
        )


def same(one: Package, other: Package) -> bool:
    """Return whether two packages of one name are the same package.

    conda's by version, build and channel; pip's by version and where they came from; Debian's by
    version and architecture.
    """
    if one.version != other.version or one.editable != other.editable:
        return False
    if one.manager == "pip":
        return _same_origin(one, other)
    return (one.build, _channel(one)) == (other.build, _channel(other))


def _channel(package: Package) -> str:
    return unquote(mask(package.source)).rstrip("/")


def _same_origin(one: Package, other: Package) -> bool:
    """Return whether two distributions came from the same place.

    A local file is copied into the image and lies elsewhere there: its hash counts, and where the
    metadata gives none, its name.
    """
    if one.sha256 and other.sha256:
        return one.sha256 == other.sha256
    return _origin(one) == _origin(other)


def _origin(package: Package) -> str:
    source = unquote(re.sub(r"(?<=://)[^/@]*@", "", package.source)).rstrip("/")
    return posixpath.basename(source) if source.startswith("file:") else source


def unreadable(side: Side) -> Iterator[str]:
    """Yield what of the two sets is known by its file's name only, a sentence each."""
    for place, packages in (("here", side.here), ("in the image", side.image)):
        for package in packages.packages if packages else ():
            if package.manager == "conda" and not package.source:
                yield f"The record of {package.name} in {side.name} {place} cannot be read."


# Which entry of the history tells of it, and what to do


def _entry(side: Side, key: tuple[ManagerName, str], records: Sequence[Record]) -> Record | None:
    for record in reversed(records):
        if _is_of(side, record) and key in set(_told(record)):
            return record
    return None


def _is_of(side: Side, record: Record) -> bool:
    if side.environment is None or is_system(record.request.manager):
        return side.environment is None and is_system(record.request.manager)
    mine, theirs = side.environment.prefix, record.environment.prefix
    return os.path.normpath(mine) == os.path.normpath(theirs)


def _told(record: Record) -> Iterator[tuple[ManagerName, str]]:
    """The packages that a record tells of, by manager and name."""
    if record.outcome is not None:
        change = record.outcome.change
        for package in (*change.added, *change.removed, *record.outcome.resolved):
            yield package.key
        yield from (new.key for _, new in change.changed)
    elif record.status == "planned":
        manager = record.request.manager
        yield from ((manager, spec.name) for spec in record.request.specs)


def _mend(side: Side, here: Package | None, image: Package | None, entry: Record | None) -> str:
    package = here or image
    assert package is not None
    if entry is None:
        return _unrecorded(side, here, package)
    if here is None:
        return _only_there(side, package, entry)
    if image is None:
        return f"{entry.id} installed it here: build again, or put its line back."
    if _last_seen(entry, here) == here.version or entry.request.manager == "apt":
        return f"{entry.id} has {here.version}: build again with --pin exact."
    return f"{entry.id} has another version; record this one: {_verb(side, 'install', here)}"


def _only_there(side: Side, package: Package, entry: Record) -> str:
    if entry.request.action == "remove" or entry.undoes:
        return f"{entry.id} took it out here: build again."
    if entry.status == "planned":
        install = f"%envinstall {_target(side)}{package.manager}:{package.name}"
        return f"{entry.id} asks for it, and it is not installed here: {install}"
    remove = _verb(side, "remove", package)
    return f"{entry.id} put it there, and it was taken out here since: {remove}"


def _last_seen(entry: Record, package: Package) -> str:
    if entry.outcome is None:
        return ""
    change = entry.outcome.change
    seen = (*change.added, *(new for _, new in change.changed), *entry.outcome.resolved)
    return next((each.version for each in reversed(seen) if each.key == package.key), "")


def _unrecorded(side: Side, here: Package | None, package: Package) -> str:
    if here is None:
        return f"No record says that it was removed: {_verb(side, 'remove', package)}"
    if not here.requested and package.manager != "conda":
        return "No record has it; it came with another package."
    return f"No record has it: {_verb(side, 'install', here)}"


def _verb(side: Side, action: str, package: Package) -> str:
    equals = {"conda": "=", "apt": ""}.get(package.manager, "==")
    version = f"{equals}{package.version}" if equals and action == "install" else ""
    spec = f"{package.manager}:{package.name}{version}"
    if package.manager == "pip" and action == "install" and package.source:
        spec = f"pip:{mask(package.source)}"
    return f"%env{action} --record-only {_target(side)}{shlex.quote(spec)}"


def _target(side: Side) -> str:
    environment = side.environment
    if environment is None:
        return ""
    if environment.name is not None:
        return f"--name {shlex.quote(environment.name)} "
    return f"--prefix {shlex.quote(environment.prefix)} "


def absent(sides: Iterable[Side]) -> Iterator[str]:
    """The environments that the image does not have."""
    for side in sides:
        if side.image is None:
            yield f"The image has no environment {side.name} ({side.in_image})."
