"""Undo: from the changes that records saw on disk to the requests that reverse them.

Nothing here touches the disk; ``undo.py`` does, with this module's results.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..managers import Spelling, get
from ..model.inventory import Key
from ..model.ledger import Move, Origins
from ..model.managers import of_environment, of_system
from ..model.packages import Change, ManagerName, Package, PackageKey, PackageSet, same
from ..model.request import Request
from ..model.spec import read_all

# What has to be done


@dataclass(frozen=True)
class Inverse:
    """The changes that return one place to its earlier state."""

    returns: tuple[Package, ...] = ()  #: the earlier packages to install again
    goes: tuple[Package, ...] = ()  #: the packages to remove, which were not there
    #: the packages that changed after the records: as they are, as they were left
    moved_since: tuple[tuple[Package | None, Package | None], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.returns or self.goes)

    def after(self) -> dict[PackageKey, Package | None]:
        """Return every package that is touched, as it will be; None for one that goes."""
        gone: dict[PackageKey, Package | None] = {p.key: None for p in self.goes}
        return gone | {package.key: package for package in self.returns}

    def change(self, here: PackageSet, manager: ManagerName) -> Change:
        """Return the resulting change of one manager's packages."""
        returns = [package for package in self.returns if package.manager == manager]
        return Change(
            added=tuple(new for new in returns if new.key not in here),
            changed=tuple(
                (old, new) for new in returns if (old := here.by_key.get(new.key)) is not None
            ),
            removed=tuple(package for package in self.goes if package.manager == manager),
        )

    def without(self, packages: Iterable[Package]) -> Inverse:
        """Return the same, some packages left as they are."""
        left = {package.key for package in packages}
        return replace(
            self,
            returns=tuple(package for package in self.returns if package.key not in left),
            goes=tuple(package for package in self.goes if package.key not in left),
        )


def inverse(moves: Mapping[Key, Move], here: PackageSet, prefix: str, origins: Origins) -> Inverse:
    """Return the changes needed at one prefix.

    Args:
        prefix: The place's prefix; empty for apt's packages.
    """
    returns, goes, moved = [], [], []
    for (where, manager, name), move in moves.items():
        now = here.get(manager, name)
        left = same(now, move.left) and not same(move.before, move.left)
        if where != prefix or (same(now, move.before) and not left):
            continue
        if not left:
            moved.append((now, move.left))
        if move.before is not None:
            returns.append(origins.describe(move.before))
        elif now is not None:
            goes.append(now)
    return Inverse(tuple(returns), tuple(goes), moved_since=tuple(moved))


# How to ask for it


def requests(inverse: Inverse, origins: Origins, spelling: Spelling) -> list[Request]:
    """Return the requests to the managers, in an order that works.

    conda's installs come before its removals, so that no dependent package is removed
    along; the others' removals come first and their installs last, as they build on conda's.
    """
    first, *above = of_environment()
    asked = [request for manager in reversed(above) for request in _removal(manager, inverse)]
    for manager in (first, *of_system()):
        asked += _back(manager, inverse, origins, spelling)
        asked += _removal(manager, inverse)
    for manager in above:
        asked += _back(manager, inverse, origins, spelling)
    return asked


def _back(
    manager: ManagerName, inverse: Inverse, origins: Origins, spelling: Spelling
) -> list[Request]:
    packages = [package for package in inverse.returns if package.manager == manager]
    return get(manager).bring_back(packages, origins, spelling) if packages else []


def _removal(manager: ManagerName, inverse: Inverse) -> list[Request]:
    names = [package.name for package in inverse.goes if package.manager == manager]
    return [Request("remove", manager, read_all(manager, names))] if names else []
