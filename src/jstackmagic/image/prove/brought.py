"""What the image of a container brought, from its files and from what changed on top of them."""

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
from .files import Files, files_of, new_tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...model.environment import Environment
    from ...model.packages import ManagerName, Package

_METADATA = (".dist-info", ".egg-info")


def brought_here() -> Brought | None:
    """Return what the image of this container brought; None where no engine here can say."""
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
        engine: Which holds both.
        container: This one.
    """

    engine: Engine
    container: Container

    @property
    def words(self) -> str:
        """Return how it is known, a phrase."""
        return f"the image {self.container.image}"

    def of(
        self, environment: Environment, manager: ManagerName, here: Sequence[Package]
    ) -> list[Package] | None:
        """One manager's packages; None of what the image does not hold, being on a volume or new.

        Args:
            environment: Where; apt's packages are the system's.
            manager: Whose.
            here: That manager's packages as they are now.

        Raises:
            EngineError: The engine cannot be asked.
        """
        if not is_system(manager) and self.container.is_mounted(environment.prefix):
            return None
        with (
            speaking("The image of this container cannot be read"),
            files_of(self.engine, self.container.image_id) as files,
        ):
            if manager == "apt":
                return _debian(files)
            if manager == "conda":
                return _below("conda-meta", files, environment, manager)
            if manager == "pip":
                return self._pip(files, environment, here)
            folder = os.path.dirname(metadata_path(manager).partition("{")[0])
            return _below(folder, files, environment, manager) if folder else None

    def _pip(
        self, files: Files, environment: Environment, here: Sequence[Package]
    ) -> list[Package] | None:
        libraries = [os.path.realpath(folder) for folder in environment.site_packages]
        if not any(files.resolve(folder) for folder in libraries):
            return None
        kept = [package for package in here if not self._is_new(package, environment)]
        lost = [
            path
            for path, kind in self._changes.items()
            if kind != _ADDED and path.endswith(_METADATA) and os.path.dirname(path) in libraries
        ]
        prefix = os.path.realpath(environment.prefix)
        with new_tree() as tree:
            tree.libraries[prefix] = set(libraries)
            for path in lost:
                files.read_environments(tree, path)
            was = [p for p in tree.packages(prefix).packages if p.manager == "pip"]
        return [*kept, *was]

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


def _debian(files: Files) -> list[Package] | None:
    with new_tree() as tree:
        return list(tree.debian().packages) if files.read_debian(tree) else None


def _below(
    name: str, files: Files, environment: Environment, manager: ManagerName
) -> list[Package] | None:
    """Read one manager's packages from its own folder in a prefix; None where there is none."""
    prefix = os.path.realpath(environment.prefix)
    folder = files.resolve(f"{prefix}/{name}")
    if folder is None:
        return None
    with new_tree() as tree:
        files.read_environments(tree, folder)
        return [p for p in tree.packages(prefix).packages if p.manager == manager]
