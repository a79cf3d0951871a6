"""Find and read the base image of the layers, a witness of its own packages."""

from __future__ import annotations

import posixpath
import re
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...display.progress import Progress
from ...model.environment import Environment
from ...model.errors import UsageError
from ...model.reference import Reference, parse
from ...where.packages import conda_package, read_packages
from ..engine.labels import BASE, BASE_DIGEST, HISTORY
from ..registry.client import Image, Registry, opened, this_platform
from ..registry.connection import RegistryError
from ..registry.source import RegistrySource
from ..root import LIBRARY, Root, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...display.console import Console
    from ...model.packages import ManagerName, Package

_STATES = ("/var/lib/dpkg/status", "/var/lib/dpkg/arch", "/var/lib/apt/extended_states")


@dataclass(frozen=True)
class Base:
    """A base image.

    Attributes:
        registry: Its repository.
        image: Its description in the registry.
        root: Its files.
    """

    registry: Registry
    image: Image
    root: Root

    @property
    def reference(self) -> str:
        """Return its name with its digest."""
        return f"{self.image.name.name}@{self.image.digest}"


@contextmanager
def base_of(name: str, history: str, console: Console) -> Iterator[Base]:
    """Find and read the base image, and keep its registry open while it is used.

    Args:
        name: The base's name.
        history: The history's id: an image that was made from it has another base.
        console: Shows the progress.

    Raises:
        UsageError: The name is invalid.
        RegistryError: The image cannot be read.
    """
    with ExitStack() as stack:
        with _needed():
            registry = stack.enter_context(opened(parse(name)))
            image = image_of(registry)
        labels = image.labels
        if history and labels.get(HISTORY) == history and labels.get(BASE):
            below = parse(labels[BASE])
            digest = labels.get(BASE_DIGEST, "")
            reference = Reference(below.name, below.tag, digest or below.digest)
            with _needed():
                registry = stack.enter_context(opened(reference))
                image = image_of(registry)
        with _needed():
            root = read_root(registry, image, console)
        yield Base(registry, image, root)


@contextmanager
def _needed() -> Iterator[None]:
    """Add advice to errors if the base image cannot be read."""
    try:
        yield
    except RegistryError as error:
        raise type(error)(
            error.problem,
            kept="Nothing was sent.",
            advice=(
                *error.advice,
                "Another name of the base image: --from IMAGE",
                "Or build it where an engine is: %envexport dockerfile",
            ),
        ) from error


def image_of(registry: Registry) -> Image:
    """Return the image that a reference names, for the platform of this machine."""
    name = registry.name
    return registry.image(name.digest or name.tag or "latest", this_platform())


def read_root(registry: Registry, image: Image, console: Console) -> Root:
    """Read the files of an image in a registry; layers that were read before are not sent again."""
    total, done = sum(layer.size for layer in image.layers), 0

    def told(size: int) -> None:
        nonlocal done
        done += size
        console.progress(Progress("Reading", str(image.name), done, total, "bytes"))

    try:
        return read(RegistrySource(registry, image, told))
    finally:
        console.progress(None)


class Witness:
    """A base image as a witness of the packages that it brought."""

    def __init__(self, base: Base) -> None:
        self._root = base.root
        self.words = f"the image {base.image.name}"

    def of(
        self,
        environment: Environment,
        manager: ManagerName,
        here: Sequence[Package],
    ) -> list[Package] | None:
        """Return one manager's packages; None of an environment that the image does not have."""
        prefix = posixpath.normpath(environment.prefix)
        is_system = environment.kind == "system" or manager == "apt"
        if not is_system and prefix not in self._root.entries:
            return None
        return list(packages_of(self._root, "/" if manager == "apt" else prefix, manager))


def packages_of(root: Root, prefix: str, manager: ManagerName) -> tuple[Package, ...]:
    """Return one manager's packages in a place of an image; of one root each is read once."""
    known = root.__dict__.setdefault("_packages", {})
    if (prefix, manager) not in known:
        known[prefix, manager] = tuple(_read_packages(root, prefix, manager))
    return tuple(known[prefix, manager])


def _read_packages(root: Root, prefix: str, manager: ManagerName) -> Iterator[Package]:
    start = "/var/lib/" if manager == "apt" else prefix.rstrip("/") + "/"
    if manager == "conda":
        for path in root.children(f"{start}conda-meta"):
            stem = posixpath.basename(path).removesuffix(".json")
            if path.endswith(".json") and stem.count("-") > 1 and path in root.contents:
                yield conda_package(root.contents[path], stem)
        return
    library = re.compile(rf"{re.escape(start)}(?:local/)?{LIBRARY}")
    with tempfile.TemporaryDirectory(prefix="jstackmagic-base-") as folder:
        libraries = [path for path in root.below(start) if library.fullmatch(path)]
        wanted = _STATES if manager == "apt" else _told(root, tuple(libraries))
        for path in wanted:
            if path in root.contents:
                target = Path(f"{folder}{path}")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(root.contents[path])
        there = Environment(
            "venv",
            None,
            f"{folder}{prefix}",
            site_packages=tuple(f"{folder}{p}" for p in libraries),
        )
        yield from read_packages(there, (manager,), root=Path(folder)).packages


def _told(root: Root, libraries: tuple[str, ...]) -> Iterator[str]:
    """Yield the metadata of the distributions that conda did not install."""
    for library in libraries:
        for folder in root.children(library):
            if root.contents.get(f"{folder}/INSTALLER", b"").strip() == b"conda":
                continue
            if folder.endswith((".dist-info", ".egg-info")):
                yield from (folder, *root.children(folder))


def said_base(said: str | None, *known: str | None) -> str:
    """Return the first name of a base image.

    Raises:
        UsageError: Nothing names it.
    """
    found = next((name for name in (said, *known) if name), "")
    if not found:
        raise UsageError(
            "Nothing says which image this container was started from.",
            kept="Nothing was sent.",
            advice="Say it: --from IMAGE",
        )
    return found
