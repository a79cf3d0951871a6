"""Find what a container's image brought, from its files and the changes on top of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ...model.errors import JStackMagicError
from ...model.managers import is_system, metadata_path
from ...where.baseline import metadata_of
from ...where.host import look
from ..engine.client import Engine, connect, speaking
from ..engine.container import Container, this_container
from ..engine.roots import container_of, files_below, is_there
from .files import DEBIAN, tree_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...model.environment import Environment
    from ...model.packages import ManagerName, Package

_METADATA = (".dist-info", ".egg-info")


def brought_here() -> Brought | None:
    """Return the packages of this container's image; None if no engine here has it."""
    host = look()
    if host.runtime is None or host.engine is None:
        return None
    try:
        engine = connect()
        container = this_container(engine, host)
    except JStackMagicError:
        return None
    return Brought(engine, container) if container else None


@dataclass(frozen=True)
class Brought:
    """The packages that the image of a running container came with.

    conda's and Debian's metadata are small and are read out of the image. Python's lie among the
    libraries, which can be gigabytes: of them only what is no longer as it was is read, by the list
    of changes that the engine keeps of every container.

    Attributes:
        engine: The engine that has both.
        container: This container.
    """

    engine: Engine
    container: Container

    @property
    def words(self) -> str:
        """Return the evidence, a phrase."""
        return f"the image {self.container.image}"

    def of(
        self, environment: Environment, manager: ManagerName, here: Sequence[Package]
    ) -> list[Package] | None:
        """Return one manager's packages; None if they are on a volume or newer than the image.

        Args:
            environment: The environment; apt's packages are the system's.
            manager: The manager.
            here: That manager's packages as they are now.

        Raises:
            EngineError: The engine cannot be asked.
        """
        if not is_system(manager) and self.container.is_mounted(environment.prefix):
            return None
        with (
            speaking("The image of this container cannot be read"),
            container_of(self.engine, self.container.image_id) as created,
        ):
            if manager == "apt":
                return self._debian(created)
            if manager == "pip":
                return self._pip(created, environment, here)
            folder = os.path.dirname(metadata_path(manager).partition("{")[0])
            name = "conda-meta" if manager == "conda" else folder
            return self._below(name, created, environment, manager) if name else None

    def _pip(
        self, created: str, environment: Environment, here: Sequence[Package]
    ) -> list[Package] | None:
        libraries = [os.path.realpath(folder) for folder in environment.site_packages]
        if not any(is_there(self.engine, created, folder) for folder in libraries):
            return None
        kept = [package for package in here if not self._is_new(package, environment)]
        lost = [
            path
            for path, kind in self._changes.items()
            if kind != _ADDED and path.endswith(_METADATA) and os.path.dirname(path) in libraries
        ]
        prefix = os.path.realpath(environment.prefix)
        found = (files_below(self.engine, created, path) for path in lost)
        with tree_of(*(root for root in found if root)) as tree:
            tree.libraries[prefix] = set(libraries)
            was = [p for p in tree.packages(prefix).packages if p.manager == "pip"]
        return [*kept, *was]

    def _debian(self, created: str) -> list[Package] | None:
        found = [files_below(self.engine, created, path) for path in DEBIAN]
        if found[0] is None:
            return None
        with tree_of(*(root for root in found if root)) as tree:
            return list(tree.debian().packages)

    def _below(
        self, name: str, created: str, environment: Environment, manager: ManagerName
    ) -> list[Package] | None:
        """Read one manager's packages from its own folder in a prefix; None if it has none."""
        prefix = os.path.realpath(environment.prefix)
        root = files_below(self.engine, created, f"{prefix}/{name}")
        if root is None:
            return None
        with tree_of(root) as tree:
            return [p for p in tree.packages(prefix).packages if p.manager == manager]

    def _is_new(self, package: Package, environment: Environment) -> bool:
        """Return whether its metadata came, or changed, after the container was made."""
        path = metadata_of(package, environment)
        return path is not None and os.path.realpath(path) in self._changes

    @cached_property
    def _changes(self) -> Mapping[str, int]:
        """By path, what became of it in this container."""
        found = self.engine.client.api.diff(self.container.id) or ()
        return {change["Path"]: change["Kind"] for change in found}


_ADDED = 1
"""Of the engine's kinds of change; 0 is changed and 2 deleted."""
