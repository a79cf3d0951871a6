"""The reader of one manager's packages on disk, which `jstackmagic.model.managers` names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, cast

from ..model.environment import Environment
from ..model.managers import listed, named
from ..model.packages import ManagerName, Package


class PackageReader:
    """Reads packages from metadata alone; no process is started."""

    seeds: ClassVar[tuple[str, ...]] = ()
    """The packages that a new virtual environment may have."""

    def packages(self, environment: Environment, root: Path) -> tuple[Package, ...]:
        """Return the packages of an environment, or of the system below a root."""
        return ()

    def metadata(self, package: Package, environment: Environment) -> tuple[str, ...]:
        """Return the metadata paths of a package: its file, or a folder and its content."""
        below = listed(package.manager).metadata.format(name=package.name, stem=package.stem)
        return tuple(filter(os.path.isfile, (os.path.join(environment.prefix, below),)))

    def is_whole(self, package: Package) -> bool:
        """Return whether more of a package could be read than its metadata's name."""
        return True

    def files(self, package: Package, environment: Environment) -> tuple[str, ...]:
        """Return the absolute paths that a package owns; empty without a record."""
        return ()

    def needs(self, environment: Environment) -> Iterable[tuple[str, Iterable[str]]]:
        """Yield the packages, each with those of this manager that it needs."""
        return ()

    def beginning(
        self, environment: Environment, here: Sequence[Package], begun: float | None
    ) -> tuple[list[Package], str] | None:
        """Return the packages that an environment was made with, and the evidence in words.

        Args:
            here: Those that are there now.
            begun: The start of this container, in seconds since the epoch; None outside of one.

        Returns:
            None where nothing but the times of files could say it.
        """
        if not environment.kind.startswith("venv"):
            return None
        return [p for p in here if p.name in self.seeds], "what venv puts into a new environment"


plain = PackageReader()


def reader_of(manager: ManagerName) -> PackageReader:
    """Return what reads a manager's packages."""
    return cast("PackageReader", named(listed(manager).reader))
