"""Taking back: from what records saw on disk to what has to be asked to have it as it was.

Nothing here touches the disk; ``commands/undo.py`` does, with what this module finds out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

from ..model.credentials import MASK, mask
from ..model.managers import place
from ..model.packages import Change, ManagerName, Package, PackageSet
from ..model.recipe import taken_back
from ..model.request import Request
from ..model.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model.record import Record

Key = tuple[str, ManagerName, str]
"""A prefix, empty for apt, a manager and a package's normalised name."""

CondaSpelling = Literal["channel", "archive"]
"""How conda is asked for one very package: of its channel's solver, or by its archive's address."""


# Which records


def latest(history: Sequence[Record]) -> list[Record]:
    """The records of the last transaction that can be taken back.

    One that takes another back is passed over: asked again, one goes further back. So is what
    failed and changed nothing.
    """
    taken = taken_back(history)
    for last in reversed(history):
        if last.undoes or last.id in taken or not _has_effect(last):
            continue
        return [
            record
            for record in history
            if record.transaction == last.transaction and record.id not in taken
        ]
    return []


def after(history: Sequence[Record], transaction: str) -> list[Record]:
    """All records that began after those of a transaction."""
    own = [number for number, record in enumerate(history) if record.transaction == transaction]
    return list(history[own[-1] + 1 :])


def since(history: Sequence[Record], transaction: str) -> list[Record]:
    """The records after a transaction that have to be taken back to return to that point."""
    later = after(history, transaction)
    earlier = {
        name
        for record in history[: len(history) - len(later)]
        for name in (record.id, record.transaction)
    }
    taken = taken_back(history)
    return [
        record
        for record in later
        if record.id not in taken and (not record.undoes or record.undoes in earlier)
    ]


def _has_effect(record: Record) -> bool:
    if record.outcome is not None and record.outcome.change:
        return True
    return record.status in ("ok", "planned", "found")


# What became of the packages


@dataclass(frozen=True, slots=True)
class Move:
    """What became of one package.

    Attributes:
        before: As it was; None where it was not there.
        left: As it was left; None where it went.
    """

    before: Package | None
    left: Package | None


def net(records: Iterable[Record]) -> dict[Key, Move]:
    """What records came to, all together; what is as it was before them is left out."""
    moves: dict[Key, Move] = {}
    for record in records:
        change = record.outcome.change if record.outcome else Change()
        pairs: tuple[tuple[Package | None, Package | None], ...] = (
            *((None, package) for package in change.added),
            *change.changed,
            *((package, None) for package in change.removed),
        )
        for before, left in pairs:
            package = before or left
            assert package is not None
            key = (_prefix(record, package), *package.key)
            moves[key] = Move(moves[key].before if key in moves else before, left)
    return {key: move for key, move in moves.items() if not same(move.before, move.left)}


def _prefix(record: Record, package: Package) -> str:
    return place(package.manager, record.environment.prefix)


def same(one: Package | None, other: Package | None) -> bool:
    """Whether two descriptions are of the same package."""
    if one is None or other is None:
        return one is other
    if one.sha256 and other.sha256 and one.sha256 != other.sha256:
        return False
    return _trace(one) == _trace(other)


def _trace(package: Package) -> tuple[str, ...]:
    """What lies on disk of a package."""
    source = mask(as_on_disk(package).source).rstrip("/")
    return (*package.key, package.version, package.build, source)


def as_on_disk(package: Package) -> Package:
    """A package as its metadata alone tells: they keep a URL or path, but no index.

    >>> index, url = "https://pypi.example/simple", "https://files.example/six-1.17.0.whl"
    >>> as_on_disk(Package("pip", "six", "1.17.0", source=index, url=url)).source
    ''
    """
    if package.manager == "pip" and package.url and package.url not in package.source:
        return replace(package, source="")
    return package


# What has to be done


@dataclass(frozen=True)
class Origins:
    """Where the history says that packages came from.

    Attributes:
        arrivals: How packages arrived, and by which request, by what lies on disk of them.
    """

    arrivals: Mapping[tuple[str, ...], tuple[Package, Request]]

    @classmethod
    def of(cls, history: Iterable[Record]) -> Origins:
        """What a history knows."""
        arrivals = {}
        for record in history:
            change = record.outcome.change if record.outcome else Change()
            for package in (*change.added, *(new for _, new in change.changed)):
                if record.request.action == "install" and not record.undoes:
                    arrivals[_trace(package)] = (package, record.request)
        return cls(arrivals)

    def request(self, package: Package) -> Request | None:
        """The request that brought a package; None where nobody recorded it."""
        found = self.arrivals.get(_trace(package))
        return found[1] if found else None

    def is_archive(self, package: Package) -> bool:
        """Whether a conda package was asked for by its archive, and not of a channel."""
        request = self.request(package)
        file = package.url.rpartition("/")[2]
        specs = request.specs if request and file else ()
        return any(spec.endswith(f"/{file}") for spec in specs)

    def describe(self, package: Package) -> Package:
        """A package with the hash it arrived with, which its metadata may not keep."""
        found = self.arrivals.get(_trace(package))
        return replace(package, sha256=package.sha256 or found[0].sha256) if found else package


@dataclass(frozen=True)
class Inverse:
    """What has to be done in one place to have it as it was.

    Attributes:
        returns: Packages as they were, which have to be had again.
        goes: Packages that are there and were not.
        moved_since: What is no longer as the records left it: how it is, how it was left.
    """

    returns: tuple[Package, ...] = ()
    goes: tuple[Package, ...] = ()
    moved_since: tuple[tuple[Package | None, Package | None], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.returns or self.goes)

    def after(self) -> dict[tuple[ManagerName, str], Package | None]:
        """Every package that is touched, as it will be; None for one that goes."""
        gone: dict[tuple[ManagerName, str], Package | None] = {p.key: None for p in self.goes}
        return gone | {package.key: package for package in self.returns}

    def change(self, here: PackageSet, manager: ManagerName) -> Change:
        """What it will come to, of one manager's packages."""
        returns = [package for package in self.returns if package.manager == manager]
        return Change(
            added=tuple(new for new in returns if new.key not in here),
            changed=tuple(
                (old, new) for new in returns if (old := here.by_key.get(new.key)) is not None
            ),
            removed=tuple(package for package in self.goes if package.manager == manager),
        )

    def without(self, packages: Iterable[Package]) -> Inverse:
        """The same, some packages left as they are."""
        left = {package.key for package in packages}
        return replace(
            self,
            returns=tuple(package for package in self.returns if package.key not in left),
            goes=tuple(package for package in self.goes if package.key not in left),
        )


def inverse(moves: Mapping[Key, Move], here: PackageSet, prefix: str, origins: Origins) -> Inverse:
    """What has to be done at one prefix.

    Args:
        moves: What the records came to, everywhere.
        here: What is there now.
        prefix: Which place is meant; empty for what apt installed.
        origins: What the history knows of packages.
    """
    returns, goes, moved = [], [], []
    for (where, manager, name), move in moves.items():
        now = here.get(manager, name)
        if where != prefix or same(now, move.before):
            continue
        if not same(now, move.left):
            moved.append((now, move.left))
        if move.before is not None:
            returns.append(origins.describe(move.before))
        elif now is not None:
            goes.append(now)
    return Inverse(tuple(returns), tuple(goes), moved_since=tuple(moved))


# How to ask for it


def requests(inverse: Inverse, origins: Origins, spelling: CondaSpelling) -> list[Request]:
    """What the managers are asked, in an order that works.

    What conda has to bring back comes before what conda has to take away, so that nothing is taken
    along that needed it; pip's packages go first and come last, since they stand on conda's.
    """
    goes = [package.name for package in inverse.goes if package.manager == "pip"]
    asked = [Request("remove", "pip", tuple(goes))] if goes else []
    for manager in ("conda", "apt"):
        asked += _of_manager(manager, inverse, origins, spelling)
    return asked + _of_pip(inverse, origins)


def _of_manager(
    manager: ManagerName, inverse: Inverse, origins: Origins, spelling: CondaSpelling
) -> Iterator[Request]:
    returns = [package for package in inverse.returns if package.manager == manager]
    goes = [package.name for package in inverse.goes if package.manager == manager]
    if returns and manager == "conda":
        specs = (
            conda_spec(package, "archive" if origins.is_archive(package) else spelling)
            for package in returns
        )
        yield Request("install", "conda", tuple(specs))
    elif returns:
        files = [apt_spec(package, origins.request(package)) for package in returns]
        yield Request("install", "apt", tuple(files), options=("--allow-downgrades",))
    if goes:
        yield Request("remove", manager, tuple(goes))


def _of_pip(inverse: Inverse, origins: Origins) -> list[Request]:
    """One request for each index that is needed; what is not named does not move."""
    groups: dict[Sources, list[str]] = {}
    for package in inverse.returns:
        if package.manager == "pip":
            came_by = None if package.source else origins.request(package)
            # what was masked cannot be asked for; pip's own configuration may know it
            sources = came_by.sources.unmasked() if came_by else Sources()
            groups.setdefault(sources, []).append(pip_spec(package))
    return [
        Request(
            "install",
            "pip",
            tuple(specs),
            sources=sources,
            options=("--no-deps", "--force-reinstall"),
        )
        for sources, specs in groups.items()
    ]


def _unmasked(url: str) -> str:
    return "" if MASK in url else url


def conda_spec(package: Package, spelling: CondaSpelling) -> str:
    """The match spec, or the archive, of one very conda package.

    >>> six = Package("conda", "six", "1.17.0", "pyhd_0", "https://conda.example/forge")
    >>> conda_spec(six, "channel")
    'https://conda.example/forge::six=1.17.0=pyhd_0'
    """
    if spelling == "archive" and package.url and MASK not in package.url:
        return package.url
    channel = f"{package.source}::" if _unmasked(package.source) else ""
    return f"{channel}{package.name}={package.version}={package.build}"


def pip_spec(package: Package) -> str:
    """The requirement of one very distribution.

    >>> pip_spec(Package("pip", "six", "1.17.0"))
    'six==1.17.0'
    >>> pip_spec(Package("pip", "six", "1.17.0", source="file:///w/six-1.17.0-py3-none-any.whl"))
    '/w/six-1.17.0-py3-none-any.whl'
    """
    path = _local_path(package.source)
    if package.editable:
        return f"-e {path}"
    if path:
        return path
    if package.source:
        return f"{package.name} @ {package.source}"
    return f"{package.name}{_equals(package.version)}{package.version}"


def _equals(version: str) -> str:
    from packaging.version import InvalidVersion, Version

    try:
        Version(version)
    except InvalidVersion:  # older than PEP 440: compared as text
        return "==="
    return "=="


def _local_path(source: str) -> str:
    return unquote(source.removeprefix("file://")) if re.match(r"file:///[^#]*$", source) else ""


def apt_spec(package: Package, came_by: Request | None) -> str:
    """The version, or the file it came from, which goes by ``NAME_VERSION_ARCHITECTURE.deb``."""
    name, version = package.name.partition(":")[0], package.version.rpartition(":")[2]
    for spec in came_by.specs if came_by else ():
        if spec.endswith(".deb") and spec.rpartition("/")[2].startswith(f"{name}_{version}_"):
            return spec
    return f"{package.name}={package.version}"
