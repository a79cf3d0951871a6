"""The package metadata of an image, in a folder that stands for its root."""

from __future__ import annotations

import contextlib
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...model.environment import Environment
from ...model.errors import JStackMagicError
from ...model.managers import of_environment, of_system
from ...where.packages import read_packages
from ..root import LIBRARY, Root, is_cached

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.packages import PackageSet

_IS_LIBRARY = re.compile(rf"(?P<prefix>(?:/.*?)?)(?:/local)?/{LIBRARY}")
_MARKER = re.compile(r"(?P<prefix>/.*?)/(?:conda-meta/(?:[^/]+\.json|history)|pyvenv\.cfg)")

DEBIAN = ("/var/lib/dpkg/status", "/var/lib/dpkg/arch", "/var/lib/apt/extended_states")


@dataclass
class Tree:
    """The files that were read from an image, in a folder that stands for its root.

    Attributes:
        folder: That folder.
        root: The image's files.
        prefixes: The environments found, as paths in the image.
        libraries: By prefix, its site-packages folders, as paths in the image.
    """

    folder: Path
    root: Root
    prefixes: set[str] = field(default_factory=set)
    libraries: dict[str, set[str]] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Return the path on this disk of a file of the image."""
        return self.folder / name.lstrip("/")

    def packages(self, prefix: str) -> PackageSet:
        """Return the conda packages and Python distributions of an environment of the image."""
        return read_packages(self.environment(prefix), of_environment())

    def environment(self, prefix: str) -> Environment:
        """Return an environment of the image, as it is in the folder."""
        inside = self.path(prefix)
        libraries = sorted(self.libraries.get(prefix, ()))
        return Environment(
            kind="conda-prefix" if (inside / "conda-meta").is_dir() else "venv",
            name=None,
            prefix=str(inside),
            site_packages=tuple(str(self.path(library)) for library in libraries),
        )

    def debian(self) -> PackageSet:
        """Return the image's Debian packages."""
        nowhere = Environment(kind="system", name=None, prefix=str(self.folder))
        return read_packages(nowhere, of_system(), root=self.folder)


@contextlib.contextmanager
def tree_of(*roots: Root) -> Iterator[Tree]:
    """Write the metadata of some roots to a folder, for as long as it is needed."""
    with contextlib.ExitStack() as stack:
        try:
            made = tempfile.TemporaryDirectory(prefix="jstackmagic-image-")
            tree = Tree(Path(stack.enter_context(made)).resolve(), roots[0] if roots else Root())
            for root in roots:
                _write(tree, root)
        except OSError as error:
            raise JStackMagicError(
                f"The image's metadata cannot be written to {tempfile.gettempdir()}:"
                f" {error.strerror}.",
                kept="Nothing was compared.",
                advice="Name a folder with room for it: %env TMPDIR=FOLDER",
            ) from error
        yield tree


def survey(root: Root) -> tuple[set[str], dict[str, set[str]]]:
    """Return the environments of a root, by prefix, and the library folders of each prefix."""
    prefixes: set[str] = set()
    libraries: dict[str, set[str]] = {}
    for path, entry in root.entries.items():
        if entry.kind == "folder":
            library = _IS_LIBRARY.fullmatch(path) if path.endswith("-packages") else None
            if library and not is_cached(path):
                libraries.setdefault(library["prefix"] or "/", set()).add(path)
        elif path.endswith((".json", "/history", "/pyvenv.cfg")):
            marked = _MARKER.fullmatch(path)
            if marked and not is_cached(path):
                prefixes.add(marked["prefix"])
    return prefixes, libraries


def _write(tree: Tree, root: Root) -> None:
    prefixes, libraries = survey(root)
    tree.prefixes |= prefixes
    tree.libraries |= libraries
    for path, entry in root.entries.items():
        if entry.kind == "folder" and path.endswith((".dist-info", ".egg-info")):
            tree.path(path).mkdir(parents=True, exist_ok=True)
    folders = set[Path]()
    for name, content in root.contents.items():
        if _is_metadata(name):
            target = tree.path(name)
            if target.parent not in folders:
                target.parent.mkdir(parents=True, exist_ok=True)
                folders.add(target.parent)
            target.write_bytes(content)


def _is_metadata(path: str) -> bool:
    """Return whether readers of packages look at a file; dpkg's lists of files are many."""
    return not path.startswith("/var/lib/dpkg/info/")
