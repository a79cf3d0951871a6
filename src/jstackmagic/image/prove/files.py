"""The files of an image, read without running anything in it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import posixpath
import re
import shutil
import tarfile
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...model import managers
from ...model.environment import Environment
from ...model.managers import Listed, of_environment, of_system
from ...where.packages import read_packages
from ..engine.client import speaking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...model.packages import PackageSet
    from ..engine.client import Engine

_LIBRARY = r"(?:local/)?lib(?:64)?/(?:python|pypy)[^/]*/(?:site|dist)-packages"
_IS_LIBRARY = re.compile(rf"(?P<prefix>/.*?)/{_LIBRARY}")
_METADATA = re.compile(
    r"(?P<prefix>/.*?)/(?:(?P<marker>conda-meta/[^/]+\.json|pyvenv\.cfg)"
    rf"|{_LIBRARY}/(?:[^/]+\.egg-info(?:/PKG-INFO)?"
    r"|[^/]+\.dist-info/(?:METADATA|RECORD|INSTALLER|REQUESTED|direct_url\.json)))"
)
_DEBIAN = ("/var/lib/dpkg/status", "/var/lib/dpkg/arch", "/var/lib/apt/extended_states")
_LARGEST = 64 * 1024 * 1024  # bytes; metadata that is larger is none
_MOST_LINKS = 8
_BUFFER = 1024 * 1024  # bytes


@dataclass
class Tree:
    """What of an image was read, in a folder that stands for its root.

    Attributes:
        root: That folder.
        prefixes: The environments found, as paths in the image.
        libraries: By prefix, its site-packages folders, as paths in the image.
        hashes: The SHA-256 of each file, where hashes were asked for.
        unread: What could not be read, and why, a sentence each.
    """

    root: Path
    prefixes: set[str] = field(default_factory=set)
    libraries: dict[str, set[str]] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    def path(self, name: str) -> Path:
        """Return where a file of the image lies here."""
        return self.root / name.lstrip("/")

    def packages(self, prefix: str) -> PackageSet:
        """The conda packages and Python distributions of an environment of the image."""
        inside = self.path(prefix)
        libraries = sorted(self.libraries.get(prefix, ()))
        environment = Environment(
            kind="conda-prefix" if (inside / "conda-meta").is_dir() else "venv",
            name=None,
            prefix=str(inside),
            site_packages=tuple(str(self.path(library)) for library in libraries),
        )
        return read_packages(environment, of_environment())

    def debian(self) -> PackageSet:
        """The image's Debian packages."""
        nowhere = Environment(kind="system", name=None, prefix=str(self.root))
        return read_packages(nowhere, of_system(), root=self.root)


@contextlib.contextmanager
def new_tree() -> Iterator[Tree]:
    """An empty tree, for as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="jstackmagic-image-") as folder:
        yield Tree(Path(folder).resolve())


@contextlib.contextmanager
def files_of(engine: Engine, image: str) -> Iterator[Files]:
    """The files of an image, by way of a container that is made and never started.

    Raises:
        EngineError: There is no such image, or the engine cannot be asked.
    """
    api = engine.client.api
    with speaking(f"The files of {image} cannot be read"):
        # an image may name no command, and a container must; it is not run
        created = api.create_container(image, command=["none"], entrypoint=["none"])["Id"]
        try:
            yield Files(engine, created)
        finally:
            api.remove_container(created, v=True, force=True)


class Files:
    """The files of a container that need not run."""

    def __init__(self, engine: Engine, container: str) -> None:
        self._api = engine.client.api
        self._container = container

    def resolve(self, path: str) -> str | None:
        """The path, or where it leads if it is a link; None where there is nothing."""
        from docker.errors import NotFound

        for _ in range(_MOST_LINKS):
            try:
                chunks, status = self._api.get_archive(self._container, path)
            except NotFound:
                return None
            chunks.close()
            # podman names a target for everything: what is no link leads to itself
            target = posixpath.join(posixpath.dirname(path), status.get("linkTarget") or path)
            if posixpath.normpath(target) == posixpath.normpath(path):
                return path
            path = target
        return None

    def content(self, path: str) -> bytes | None:
        """Return what a file holds; None where there is none."""
        found = self.resolve(path)
        for member, _, archive in self._members(found) if found else ():
            file = archive.extractfile(member)
            return None if file is None else file.read()
        return None

    def read_environments(self, tree: Tree, folder: str, *, hashes: bool = False) -> None:
        """Read the package metadata of every environment below a folder.

        Args:
            tree: Where to.
            folder: Which; no link, see `resolve`.
            hashes: Also read the content of every file, for its hash.
        """
        for member, name, archive in self._members(folder):
            # conda's package cache holds the metadata of what is installed nowhere
            if not posixpath.relpath(name, folder).startswith("pkgs/"):
                _Reader(tree, archive, hashes=hashes).take(member, name)

    def read_debian(self, tree: Tree) -> bool:
        """Read what dpkg and apt know; whether there is any of it."""
        for path in _DEBIAN:
            found = self.resolve(path)
            for member, _, archive in self._members(found) if found else ():
                _Reader(tree, archive).write(member, path)
        return tree.path(_DEBIAN[0]).is_file()

    def _members(self, path: str) -> Iterator[tuple[tarfile.TarInfo, str, tarfile.TarFile]]:
        """Yield what lies at and below a path, with the whole path of each."""
        chunks, _ = self._api.get_archive(self._container, path, chunk_size=_BUFFER)
        above = posixpath.dirname(path.rstrip("/"))
        buffered = io.BufferedReader(_Stream(chunks), buffer_size=_BUFFER)
        with (
            contextlib.closing(chunks),
            tarfile.open(fileobj=buffered, mode="r|", bufsize=_BUFFER) as archive,
        ):
            for member in archive:
                if member.islnk():
                    member.linkname = posixpath.normpath(posixpath.join(above, member.linkname))
                yield member, posixpath.normpath(posixpath.join(above, member.name)), archive


@cache
def _listed(listed: tuple[Listed, ...]) -> tuple[re.Pattern[str], ...]:
    """Return what the metadata looks like that the list of managers names."""
    paths = (each.metadata.split("{name}") for each in listed if each.metadata)
    return tuple(re.compile("/.*?/" + "[^/]+".join(map(re.escape, parts))) for parts in paths)


class _Reader:
    """Takes members of an archive into a tree."""

    def __init__(self, tree: Tree, archive: tarfile.TarFile, *, hashes: bool = False) -> None:
        self._tree = tree
        self._archive = archive
        self._hashes = hashes

    def take(self, member: tarfile.TarInfo, name: str) -> None:
        """Write down what a member is, if it is any metadata; and its hash, if that is wanted."""
        library = _IS_LIBRARY.fullmatch(name)
        if library and (member.isdir() or member.issym()):
            self._tree.libraries.setdefault(library["prefix"], set()).add(name)
        if member.isdir() and name.endswith(".dist-info"):
            self._tree.path(name).mkdir(parents=True, exist_ok=True)
        metadata = _METADATA.fullmatch(name)
        if metadata:
            if metadata["marker"]:
                self._tree.prefixes.add(metadata["prefix"])
            self.write(member, name)
        elif any(pattern.fullmatch(name) for pattern in _listed(managers.MANAGERS)):
            self.write(member, name)
        if self._hashes:
            self._hash(member, name)

    def write(self, member: tarfile.TarInfo, name: str) -> None:
        """Write a file to where it belongs; what is none is left out."""
        tree, target = self._tree, self._tree.path(name)
        if not (member.isfile() or member.islnk()):
            return
        if member.size > _LARGEST:
            tree.unread.append(f"{name} is too large to be metadata.")
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        if not member.islnk():
            target.write_bytes(self._content(member).read())
        elif tree.path(member.linkname).is_file():
            shutil.copyfile(tree.path(member.linkname), target)
        else:
            tree.unread.append(f"{name} is another name of {member.linkname}, which was not read.")

    def _hash(self, member: tarfile.TarInfo, name: str) -> None:
        hashes, written = self._tree.hashes, self._tree.path(name)
        if member.islnk():
            if member.linkname in hashes:
                hashes[name] = hashes[member.linkname]
        elif member.isfile():
            # an archive that is streamed gives each content once
            with written.open("rb") if written.is_file() else self._content(member) as file:
                hashes[name] = sha256(file)

    def _content(self, member: tarfile.TarInfo) -> Any:
        file = self._archive.extractfile(member)
        assert file is not None
        return file


def sha256(file: Any) -> str:
    """The hash of an open file's content, in hexadecimal."""
    digest = hashlib.sha256()
    while block := file.read(_BUFFER):
        digest.update(block)
    return digest.hexdigest()


class _Stream(io.RawIOBase):
    """Chunks of bytes as a file that can be read once."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._chunk:
            self._chunk = memoryview(next(self._chunks, b""))
        size = min(len(buffer), len(self._chunk))
        buffer[:size] = self._chunk[:size]
        self._chunk = self._chunk[size:]
        return size
