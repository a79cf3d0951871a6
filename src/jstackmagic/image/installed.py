"""The environments of a root file system, and the packages that are installed in each."""

from __future__ import annotations

import posixpath
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..model.environment import Environment
from ..model.errors import JStackMagicError
from ..model.managers import is_system, listed, of_environment
from ..model.packages import ManagerName, Package, PackageSet
from ..where.distributions import METADATA
from ..where.metadata import read_packages
from .root import LIBRARY, Root, is_cached

DEBIAN = ("/var/lib/dpkg/status", "/var/lib/dpkg/arch", "/var/lib/apt/extended_states")
"""The files that say which Debian packages are installed."""

_IS_LIBRARY = re.compile(rf"(?P<prefix>(?:/.*?)?)(?:/local)?/{LIBRARY}")
_MARKER = re.compile(r"(?P<prefix>/.*?)/(?:conda-meta/(?:[^/]+\.json|history)|pyvenv\.cfg)")


def survey(root: Root) -> tuple[set[str], dict[str, set[str]]]:
    """Return the environments of a root, by prefix, and the library folders of each prefix."""
    known = root.derived.get("survey")
    if known is None:
        known = root.derived["survey"] = _survey(root)
    prefixes, libraries = known
    return set(prefixes), {prefix: set(paths) for prefix, paths in libraries.items()}


def _survey(root: Root) -> tuple[set[str], dict[str, set[str]]]:
    prefixes: set[str] = set()
    libraries: dict[str, set[str]] = {}
    for path, entry in root.entries.items():
        if path.endswith(("-packages", *METADATA)):
            folder = posixpath.dirname(path) if path.endswith(METADATA) else path
            is_folder = folder != path or entry.kind == "folder"
            library = _IS_LIBRARY.fullmatch(folder) if is_folder else None
            if library and not is_cached(folder):
                libraries.setdefault(library["prefix"] or "/", set()).add(folder)
        elif entry.kind != "folder" and path.endswith((".json", "/history", "/pyvenv.cfg")):
            marked = _MARKER.fullmatch(path)
            if marked and not is_cached(path):
                prefixes.add(marked["prefix"])
    return prefixes, libraries


def packages_of(
    root: Root, prefix: str, managers: Sequence[ManagerName] | None = None
) -> PackageSet:
    """Return the packages in one place of a root; of one root each is read once.

    Args:
        prefix: An environment's prefix; it does not matter for the system's packages.
        managers: The packages' managers; by default those of environments.

    Raises:
        JStackMagicError: The metadata cannot be unpacked here.
    """
    managers = of_environment() if managers is None else managers
    key = ("packages", prefix, tuple(managers))
    if key not in root.derived:
        try:
            root.derived[key] = _read(root, prefix, managers)
        except OSError as error:
            raise JStackMagicError(
                f"The image's metadata cannot be written to {tempfile.gettempdir()}:"
                f" {error.strerror}.",
                kept="Nothing was compared.",
                advice="Name a folder with room for it: %env TMPDIR=FOLDER",
            ) from error
    found: PackageSet = root.derived[key]
    return found


def _read(root: Root, prefix: str, managers: Sequence[ManagerName]) -> PackageSet:
    prefixes, libraries = survey(root)
    system = all(map(is_system, managers))
    with tempfile.TemporaryDirectory(prefix="jstackmagic-image-") as name:
        folder = Path(name).resolve()
        folders = set[Path]()
        for path in DEBIAN if system else _metadata(root, prefix, prefixes, managers):
            if path in root.contents:
                target = Path(f"{folder}{path}")
                if target.parent not in folders:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    folders.add(target.parent)
                target.write_bytes(root.contents[path])
        there = Environment(
            kind="conda-prefix" if Path(f"{folder}{prefix}/conda-meta").exists() else "venv",
            name=None,
            prefix=f"{folder}{prefix}",
            site_packages=tuple(f"{folder}{path}" for path in sorted(libraries.get(prefix, ()))),
        )
        return read_packages(there, managers, root=folder)


def _metadata(
    root: Root, prefix: str, prefixes: set[str], managers: Sequence[ManagerName]
) -> Iterator[str]:
    """Yield the files below a prefix that say what is installed there, and not further inside.

    A folder of another manager's is left out, unless only it tells whose an ``*.egg-info`` is.
    """
    start = prefix.rstrip("/") + "/"
    inside = tuple(f"{other}/" for other in prefixes if other.startswith(start))
    paths = [
        path
        for path in root.contents
        if path.startswith(start) and not path.startswith((*inside, "/var/lib/dpkg/"))
    ]
    eggs = any(".egg-info" in path for path in paths)
    others = (listed(name).metadata for name in of_environment() if name not in managers)
    left = () if eggs else {f"{start}{posixpath.dirname(path)}" for path in others if path}
    for path in paths:
        folder, name = posixpath.split(path)
        if name == "RECORD" or folder in left:
            continue
        if root.contents.get(f"{folder}/INSTALLER", b"").strip() != b"conda":
            yield path


class ImageWitness:
    """The packages that an image brought, for `jstackmagic.where.baseline.of`.

    Args:
        words: How it is known, a phrase.
    """

    def __init__(self, root: Root, words: str) -> None:
        self._root, self.words = root, words

    def of(
        self, environment: Environment, manager: ManagerName, here: Sequence[Package]
    ) -> list[Package] | None:
        """Return one manager's packages; None of an environment that the image does not have."""
        del here
        prefix = posixpath.normpath(environment.prefix)
        outside = environment.kind != "system" and not is_system(manager)
        if outside and prefix not in self._root.entries:
            return None
        return list(packages_of(self._root, prefix, (manager,)).packages)
