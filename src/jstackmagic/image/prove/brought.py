"""Find what a container's image brought, from its files and the changes on top of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ...model.environment import Environment
from ...model.errors import JStackMagicError
from ...model.managers import is_system, listed
from ...model.packages import ManagerName, Package
from ...where.distributions import METADATA
from ...where.host import look
from ...where.metadata import metadata_of
from ..engine.container import Container, this_container
from ..engine.dockersdk import ContainerEngine, connect, speaking
from ..engine.roots import container_of, files_below, is_there
from ..installed import DEBIAN, packages_of
from ..root import Root


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
    """

    engine: ContainerEngine  #: the engine that has both
    container: Container

    @property
    def words(self) -> str:
        """Return the evidence, a phrase."""
        return f"the image {self.container.image}"

    def of(
        self, environment: Environment, manager: ManagerName, here: Sequence[Package]
    ) -> list[Package] | None:
        """Return one manager's packages; None if they are on a volume or newer than the image.

        Raises:
            EngineError: The engine cannot be asked.
        """
        if not is_system(manager) and self.container.is_mounted(environment.prefix):
            return None
        with (
            speaking("The image of this container cannot be read"),
            container_of(self.engine, self.container.image_id) as created,
        ):
            folder = os.path.dirname(listed(manager).metadata.partition("{")[0])
            if not (folder or is_system(manager)):
                return self._distributions(created, environment, manager, here)
            prefix = os.path.realpath(environment.prefix)
            wanted = (f"{prefix}/{folder}",) if folder else DEBIAN
            root = self._files(created, wanted)
            if not root.contents:
                return None
            return list(packages_of(root, prefix, (manager,)).packages)

    def _distributions(
        self,
        created: str,
        environment: Environment,
        manager: ManagerName,
        here: Sequence[Package],
    ) -> list[Package] | None:
        libraries = [os.path.realpath(folder) for folder in environment.site_packages]
        if not any(is_there(self.engine, created, folder) for folder in libraries):
            return None
        kept = [package for package in here if not self._is_new(package, environment)]
        lost = [
            path
            for path, kind in self._changes.items()
            if kind != _ADDED and path.endswith(METADATA) and os.path.dirname(path) in libraries
        ]
        prefix = os.path.realpath(environment.prefix)
        was = packages_of(self._files(created, lost), prefix, (manager,))
        return [*kept, *was.packages]

    def _files(self, created: str, paths: Iterable[str]) -> Root:
        root = Root()
        for found in (files_below(self.engine, created, path) for path in paths):
            if found is not None:
                root.entries |= found.entries
                root.contents |= found.contents
        return root

    def _is_new(self, package: Package, environment: Environment) -> bool:
        """Return whether its metadata came, or changed, after the container was made."""
        paths = metadata_of(package, environment)[:1]
        return any(os.path.realpath(path) in self._changes for path in paths)

    @cached_property
    def _changes(self) -> Mapping[str, int]:
        """By path, what became of it in this container."""
        found = self.engine.client.api.diff(self.container.id) or ()
        return {change["Path"]: change["Kind"] for change in found}


_ADDED = 1
"""Of the engine's kinds of change; 0 is changed and 2 deleted."""
