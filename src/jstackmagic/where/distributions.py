"""Python distributions on this disk: the one reader of METADATA, RECORD and what is beside them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..io.reading import own_bytes
from ..model.packages import Package, normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS = (".dist-info", ".egg-info")


class Row(NamedTuple):
    """A row of RECORD (PEP 376, PEP 627), as it is spelled there.

    Attributes:
        path: Absolute, or relative to the folder of the packages.
        digest: ``ALGORITHM=DIGEST``; empty for bytecode and for RECORD itself.
        size: In bytes.
    """

    path: str
    digest: str = ""
    size: str = ""

    def below(self, folder: str) -> str:
        """Return the file's path; the folder is that of the packages."""
        return os.path.normpath(os.path.join(folder, self.path))


def record_rows(text: str) -> Iterator[Row]:
    """Yield the rows of a RECORD."""
    import csv

    return (Row(*row[:3]) for row in csv.reader(text.splitlines()) if row)


def header(metadata: str, field: str) -> str:
    """Return the first value of a field of METADATA or PKG-INFO; empty without one."""
    return next(iter(headers(metadata, field)), "")


def headers(metadata: str, field: str) -> tuple[str, ...]:
    """Return the values of a field of METADATA or PKG-INFO (core metadata)."""
    lines = rf"^{field}:[ \t]*(.+(?:\n[ \t].*)*?)[ \t]*$"  # a long one may be folded
    found = re.findall(lines, metadata.split("\n\n", 1)[0], re.MULTILINE)
    return tuple(" ".join(each.split()) for each in found)


@dataclass(frozen=True)
class Distribution:
    """An installed distribution; what is big is read when it is first asked for.

    Attributes:
        path: Its ``dist-info`` or ``egg-info``.
        title: Its name, as its author writes it.
        version: As its metadata gives it.
        requires: Its own requirements.
        extras: The extras that it offers.
        by_conda: Whether conda installed it.
    """

    path: str
    title: str
    version: str
    requires: tuple[str, ...]
    extras: tuple[str, ...]
    by_conda: bool

    @classmethod
    def read(cls, path: str) -> Distribution | None:
        """Read a ``*.dist-info`` or ``*.egg-info``; None for one that names nothing."""
        folder = Path(path)
        if folder.is_file():  # distutils wrote a bare file
            metadata = text_in(folder)
        else:
            metadata = text_in(folder / "METADATA") or text_in(folder / "PKG-INFO")
        title, version = header(metadata, "Name"), header(metadata, "Version")
        if not title or not version:
            return None
        return cls(
            path,
            title,
            version,
            requires=headers(metadata, "Requires-Dist") or _requires_of_egg(folder),
            extras=headers(metadata, "Provides-Extra"),
            by_conda=text_in(folder / "INSTALLER").strip() == "conda",
        )

    @property
    def name(self) -> str:
        """The normalised name."""
        return normalise(self.title)

    @property
    def folder(self) -> str:
        """The folder of the packages, which files are relative to."""
        return os.path.dirname(self.path)

    @property
    def is_uvs(self) -> bool:
        """Return whether uv installed it."""
        return self.text("INSTALLER").strip() == "uv"

    @cached_property
    def record(self) -> tuple[Row, ...]:
        """The rows of its RECORD; empty without one."""
        return tuple(record_rows(self.text("RECORD")))

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The absolute paths of its files; empty without a RECORD."""
        return tuple(row.below(self.folder) for row in self.record)

    @cached_property
    def package(self) -> Package:
        """The same as pip's package."""
        source, sha256, editable = _direct_url(self.text("direct_url.json"))
        return Package(
            manager="pip",
            name=self.name,
            version=self.version,
            source=source,
            sha256=sha256,
            size=sum(int(row.size) for row in self.record if row.size.isdigit()) or None,
            requested=os.path.exists(os.path.join(self.path, "REQUESTED")),
            editable=editable,
        )

    def text(self, name: str) -> str:
        """Return the text of a file of its metadata; empty without one."""
        return text_in(Path(self.path, name))


def metadata_in(folder: str, only: str = "") -> list[str]:
    """Return the paths of the distributions' metadata in a folder of packages.

    Args:
        folder: The folder.
        only: The normalised name of the only distribution; all of them if empty.
    """
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    # a "~name" folder is what pip could not finish removing
    found = [name for name in names if name.endswith(_KINDS) and not name.startswith("~")]
    if only:
        first = only[0]
        found = [name for name in found if name[0].lower() == first and _name_in(name) == only]
    return [os.path.join(folder, name) for name in found]


def _name_in(file: str) -> str:
    """Return the normalised name that begins a metadata folder's name."""
    return normalise(file.partition("-")[0].removesuffix(".dist").removesuffix(".egg"))


def text_in(path: Path) -> str:
    """Return the text of a file; empty without one, and for a pipe or a loop in its place."""
    try:
        return own_bytes(path).decode("utf-8", "replace").replace("\r\n", "\n")
    except PermissionError:
        raise
    except OSError:
        return ""


def _requires_of_egg(folder: Path) -> tuple[str, ...]:
    if not (folder / "requires.txt").is_file():  # setuptools' own form, in an egg-info alone
        return ()
    from importlib.metadata import PathDistribution

    return tuple(PathDistribution(folder).requires or ())


def _direct_url(text: str) -> tuple[str, str, bool]:
    """Return the URL, sha256 and editable flag of PEP 610's ``direct_url.json``."""
    if not text:
        return "", "", False
    import json

    try:
        data = json.loads(text)
    except ValueError:
        return "", "", False
    url = str(data.get("url", ""))
    vcs = data.get("vcs_info") or {}
    if vcs:
        url = f"{vcs.get('vcs', 'git')}+{url}@{vcs.get('commit_id', '')}"
    if data.get("subdirectory"):
        url += f"#subdirectory={data['subdirectory']}"
    archive = data.get("archive_info") or {}
    sha256 = (archive.get("hashes") or {}).get("sha256", "")
    if not sha256 and str(archive.get("hash", "")).startswith("sha256="):
        sha256 = archive["hash"].removeprefix("sha256=")
    return url, sha256, bool((data.get("dir_info") or {}).get("editable"))
