"""Taking back: from what records saw on disk to what has to be asked to have it as it was.

Nothing here touches the disk; ``reversal.py`` does, with what this module finds out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

from ..model.credentials import MASK
from ..model.packages import Change, ManagerName, Package, PackageSet, same
from ..model.request import Request
from ..model.sources import Sources
from ..model.spec import read_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..model.ledger import Key, Move, Origins


CondaSpelling = Literal["channel", "archive"]
"""How conda is asked for one very package: of its channel's solver, or by its archive's address."""


# What has to be done


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
    asked = [Request("remove", "pip", read_all("pip", goes))] if goes else []
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
        yield Request("install", "conda", read_all("conda", specs))
    elif returns:
        files = [apt_spec(package, origins.request(package)) for package in returns]
        yield Request("install", "apt", read_all("apt", files), options=("--allow-downgrades",))
    if goes:
        yield Request("remove", manager, read_all(manager, goes))


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
            read_all("pip", specs),
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
    for spec in came_by.texts if came_by else ():
        if spec.endswith(".deb") and spec.rpartition("/")[2].startswith(f"{name}_{version}_"):
            return spec
    return f"{package.name}={package.version}"
