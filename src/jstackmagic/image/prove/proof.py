"""The proof: the package sets of here and of an image, compared."""

from __future__ import annotations

import os
import posixpath
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

from ...managers import get
from ...model.credentials import mask, without_login
from ...model.environment import EnvironmentRef
from ...model.managers import is_system, listed
from ...model.packages import Package, PackageKey, PackageSet, either
from ...model.record import Record
from ...model.variants import cuda_of, other_variant
from ...where.reader import reader_of
from ..installed import packages_of
from ..root import Entry, Root

HERE = "what is here"

FileState = Literal[
    "changed here",
    "changed in the image",
    "differs",
    "not here",
    "not in the image",
    "other mode",
    "other capabilities",
    "other owner",
    "hides its source",
    "only in the image",
]


@dataclass(frozen=True, slots=True)
class Side:
    """One environment, or the Debian system, here and in the image."""

    environment: EnvironmentRef | None  #: the environment; None for the Debian system
    in_image: str  #: its prefix there
    here: PackageSet
    image: PackageSet | None  #: its packages in the image; None if the image does not have it
    #: jstackmagic and what only it needs, of the packages here, if the image lacks them
    ours: tuple[Package, ...] = ()
    #: by package here, those here that need it
    needed_by: Mapping[PackageKey, Sequence[PackageKey]] = field(default_factory=dict)
    knows_needs: bool = False  #: whether `needed_by` was read
    libraries: tuple[str, ...] = ()  #: its folders of Python distributions here
    #: whether it is a folder of libraries alone: the user's own (~/.local), /usr/local
    is_bare: bool = False
    is_recorded: bool = True  #: whether the history has a record of it

    @property
    def prefix(self) -> str:
        """Return its prefix here; empty for the system."""
        return self.environment.prefix if self.environment else ""

    @property
    def name(self) -> str:
        """Return its usual name."""
        if self.environment is None:
            return "system"
        return self.environment.name or self.environment.prefix


@dataclass(frozen=True, slots=True)
class Difference:
    """One package that is not the same here and in the image."""

    where: str  #: the environment's name or prefix; "system" for a Debian package
    here: Package | None  #: the package here; None if it is not installed here
    image: Package | None  #: the package in the image; None if it is not installed there
    entry: str = ""  #: the id of the history's record of it; empty without one
    fix: str = ""  #: the fix, a sentence

    @property
    def package(self) -> Package:
        """The package, as one of the two sides has it."""
        return either(self.here, self.image)


@dataclass(frozen=True, slots=True)
class ProofFinding:
    """One thing besides the packages that is not the same here and in the image."""

    where: str  #: the environment's name or prefix, "system", or "image" for its configuration
    kind: str  #: its kind: "import path", "settings", "kernel", "start-up", "configuration", "hold"
    name: str  #: the file's path, or the setting
    here: str  #: its state here, in words
    image: str  #: its state in the image
    fix: str


@dataclass(frozen=True, slots=True)
class FileDifference:
    """One file that is not the same here and in the image."""

    where: str  #: the environment's name or prefix, or "system"
    package: str  #: the package that owns it; empty without one
    path: str
    state: FileState  #: the difference
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """The outcome of the comparison."""

    image: str
    image_id: str
    #: the compared places, each with its number of packages here
    compared: tuple[tuple[str, int], ...]
    differences: tuple[Difference, ...] = ()
    absent: tuple[str, ...] = ()  #: environments that only one side has, a sentence each
    #: a sentence for each thing that could not be read: nothing unread is called equal
    unread: tuple[str, ...] = ()
    files: tuple[FileDifference, ...] = ()  #: with ``--deep``: files whose content is not the same
    #: with ``--deep``: modules that can be imported here and not in the image
    imports: tuple[str, ...] = ()
    deep: bool = False  #: whether contents were compared too
    #: the differences besides the packages: import path, settings, kernels, start-up,
    #: configuration, holds
    facts: tuple[ProofFinding, ...] = ()
    #: our own packages that are here and not in the image, a sentence for each environment: they
    #: are not a difference
    beside: tuple[str, ...] = ()
    reference: str = HERE  #: what the image was compared with, a phrase

    @property
    def equal(self) -> bool:
        """Return whether everything was read, and nothing differs."""
        found = (self.differences, self.absent, self.unread, self.files, self.imports, self.facts)
        return bool(self.compared) and not any(found)


@dataclass(frozen=True)
class Ways:
    """The lines that make the two sides equal."""

    image: str = ""
    base: Root | None = None  #: the root of the base image; None if unknown
    can_restore: bool = False  #: whether a file here can be restored from the base image

    def read_again(self, path: str, where: str) -> str:
        """Return the line for what cannot be read, "here" or "in the image"."""
        if where == "here" and self.can_restore:
            return f"Put it back here: {self.restore(path)}"
        return f"Build again: {self.build}"

    def restore(self, *paths: str) -> str:
        """Return the line that puts paths back as the base image has them."""
        return f"%envimage restore {shlex.join(paths)}"

    def brought(self, side: Side, package: Package) -> bool:
        """Return whether the base image is known to bring a package."""
        if self.base is None:
            return False
        found = packages_of(self.base, side.in_image, (package.manager,)).by_key.get(package.key)
        return found is not None and found.stem == package.stem

    @property
    def build(self) -> str:
        """The line that builds the image again, of the recipe."""
        return f"%envimage build {shlex.quote(self.image)}".rstrip(" '")

    def of(self, path: str, here: Entry | None, image: Entry | None, *, reinstall: str = "") -> str:
        """Return the line for a file that differs.

        Args:
            reinstall: What puts it back, where the package that owns it is no longer as it was
                installed here.
        """
        was = self.base.entries.get(path) if self.base else None
        group = here != image and alike(here, image)  # it alone differs
        if self.base is not None and self.can_restore and alike(image, was, group=group):
            folders = here is not None and image is not None and here.kind == image.kind == "folder"
            return f"Changed here: {self.restore(*['--alone'] * folders, path)}"
        if reinstall:
            return f"Changed here: {reinstall}"
        changed = self.base is not None and alike(here, was, group=group)
        return f"{'Changed in the image' if changed else 'Build again'}: {self.build}"


def alike(one: Entry | None, other: Entry | None, *, group: bool = False) -> bool:
    """Return True where two entries have the same content, mode, owner and capabilities.

    Args:
        group: Whether their group has to be the same, too.
    """
    if one is None or other is None:
        return one is other
    return (one.what, one.mode, one.uid, one.capability, group and one.gid) == (
        *(other.what, other.mode, other.uid, other.capability, group and other.gid),
    )


def differences(
    side: Side, records: Sequence[Record], ways: Ways | None = None
) -> Iterator[Difference]:
    """Yield what differs between the two sides of an environment, with what fixes it."""
    ways = ways or Ways()
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
            fix=_fix(side, one, other, entry, ways),
        )


def same(one: Package, other: Package) -> bool:
    """Return whether two packages of one name are the same package.

    conda's by version, build and channel; pip's by version and origin; Debian's by
    version and architecture.
    """
    if one.version != other.version or one.editable != other.editable:
        return False
    if listed(one.manager).direct:
        return _same_origin(one, other)
    return (one.build, _channel(one)) == (other.build, _channel(other))


def _channel(package: Package) -> str:
    return unquote(mask(package.source)).rstrip("/")


def _same_origin(one: Package, other: Package) -> bool:
    """Return whether two distributions came from the same place.

    A local file is copied into the image and has another path there: its hash counts, and if the
    metadata gives none, its name.
    """
    if one.sha256 and other.sha256:
        return one.sha256 == other.sha256
    return _origin(one) == _origin(other)


def _origin(package: Package) -> str:
    source = unquote(without_login(package.source)).rstrip("/")
    return posixpath.basename(source) if source.startswith("file:") else source


def unreadable(side: Side, ways: Ways | None = None) -> Iterator[str]:
    """Yield what of the two sets is known by its file's name only, a sentence each."""
    ways = ways or Ways()
    for place, packages in (("here", side.here), ("in the image", side.image)):
        for package in packages.packages if packages else ():
            if not reader_of(package.manager).is_whole(package):
                file = listed(package.manager).metadata.format(name=package.name, stem=package.stem)
                fix = ways.read_again(f"{side.prefix}/{file}", place)
                yield f"The record of {package.name} in {side.name} {place} cannot be read. {fix}"


# The history's record of it, and the fix


def _entry(side: Side, key: PackageKey, records: Sequence[Record]) -> Record | None:
    for record in reversed(records):
        if _is_of(side, record) and key in set(_packages_in(record)):
            return record
    return None


def _is_of(side: Side, record: Record) -> bool:
    if side.environment is None or is_system(record.request.manager):
        return side.environment is None and is_system(record.request.manager)
    mine, theirs = side.environment.prefix, record.environment.prefix
    return os.path.normpath(mine) == os.path.normpath(theirs)


def _packages_in(record: Record) -> Iterator[PackageKey]:
    """Yield the packages in a record, by manager and name."""
    if record.outcome is not None:
        change = record.outcome.change
        moved = (*change.came, *change.removed, *record.outcome.resolved)
        yield from (package.key for package in moved)
    elif record.status == "planned":
        manager = record.request.manager
        yield from ((manager, spec.name) for spec in record.request.specs)


def _fix(
    side: Side, here: Package | None, image: Package | None, entry: Record | None, ways: Ways
) -> str:
    package = either(here, image)
    if entry is None:
        return _unrecorded(side, here, image, ways)
    if here is None:
        return _only_there(side, package, entry, ways)
    asked = here.requested or _named(entry, here)
    if image is None and side.knows_needs and not (asked or side.needed_by.get(here.key)):
        return f"Nothing here needs it any more: {_verb(side, 'remove', here, '')}"
    if image is None:
        return f"{entry.id} installed it here; build again: {ways.build}"
    variant = other_variant(here, image)
    if variant:
        cuda = cuda_of(here)
        more = f" with CONDA_OVERRIDE_CUDA={cuda}" if cuda[:1].isdigit() else ""
        more = more if here.manager == "conda" else " with its index"
        return f"{entry.id} has {variant}; build again{more}: {ways.build}"
    held = _named(entry, here) or get(here.manager).constrains
    if held and (_last_seen(entry, here) == here.version or is_system(here.manager)):
        return f"{entry.id} has {here.version}; build again: {ways.build}"
    if not held:
        return f"It came with {entry.id}; hold it as it is here: {_verb(side, 'install', here)}"
    return f"{entry.id} has another version; record this one: {_verb(side, 'install', here)}"


def _named(entry: Record, package: Package) -> bool:
    return any(spec.name == package.name for spec in entry.request.specs)


def _only_there(side: Side, package: Package, entry: Record, ways: Ways) -> str:
    if entry.request.action == "remove" or entry.undoes:
        return f"{entry.id} removed it here; build again: {ways.build}"
    if entry.status == "planned":
        install = f"%envinstall {_target(side)}{package.manager}:{package.name}"
        return f"{entry.id} asks for it, and it is not installed here: {install}"
    remove = _verb(side, "remove", package)
    return f"{entry.id} installed it, and it was removed here since; record that: {remove}"


def _last_seen(entry: Record, package: Package) -> str:
    if entry.outcome is None:
        return ""
    seen = (*entry.outcome.change.came, *entry.outcome.resolved)
    return next((each.version for each in reversed(seen) if each.key == package.key), "")


def _unrecorded(side: Side, here: Package | None, image: Package | None, ways: Ways) -> str:
    package = either(here, image)
    if here is not None and image is not None and ways.brought(side, here):
        return f"Changed in the image; build again: {ways.build}"
    if here is None:
        if ways.base is not None and not ways.brought(side, package):
            return f"No record has it, and it is in the image alone; build again: {ways.build}"
        return f"No record says that it was removed: {_verb(side, 'remove', package)}"
    if side.is_bare:
        return f"No record can hold it there; take it away here: {ways.restore(*side.libraries)}"
    parents = [each for each in side.needed_by.get(here.key, ()) if each not in (side.image or ())]
    held = get(here.manager).constrains and side.environment is not None
    if here.requested or parents or not held:
        chosen = here if here.requested or not parents else side.here.by_key[parents[0]]
        return f"No record has it: {_verb(side, 'install', chosen)}"
    if not side.knows_needs:
        return f"No record has it: {_verb(side, 'install', here)}"
    return f"Nothing here needs it any more: {_verb(side, 'remove', here, '')}"


def _verb(side: Side, action: str, package: Package, option: str = "--record-only ") -> str:
    spec = get(package.manager).pinned(package) if action == "install" else package.name
    return f"%env{action} {option}{_target(side)}{shlex.quote(f'{package.manager}:{spec}')}"


def _target(side: Side) -> str:
    environment = side.environment
    if environment is None:
        return ""
    if environment.name is not None:
        return f"--name {shlex.quote(environment.name)} "
    return f"--prefix {shlex.quote(environment.prefix)} "


def absent(sides: Iterable[Side], ways: Ways | None = None) -> Iterator[str]:
    """Yield the environments that the image does not have, each with what fixes it."""
    ways = ways or Ways()
    for side in sides:
        if side.image is not None or (side.is_bare and not side.here.packages):
            continue
        named = side.in_image if side.name == side.in_image else f"{side.name} ({side.in_image})"
        fix = f"Build again: {ways.build}"
        if side.is_bare and ways.can_restore:
            yield (
                f"The image has no packages in {named}, where these are here, and no record can"
                f" hold them there: {', '.join(each.name for each in side.here.packages)}."
                f" Take them away here: {ways.restore(*side.libraries)}"
            )
        elif side.is_recorded:
            yield f"The image has no environment {named}. {fix}"
        elif ways.can_restore:
            yield (
                f"The image has no environment {named}, and no record has it. Record it:"
                f" %envdiff --adopt {_target(side)}".rstrip()
                + f" Or take it away here: {ways.restore(side.in_image)}"
            )
        else:
            yield f"The image has no environment {named}. {fix}"
