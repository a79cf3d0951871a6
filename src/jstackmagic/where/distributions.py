"""Python distributions on this disk: the one reader of METADATA, RECORD and what is beside them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from ..io.reading import own_bytes, read_once
from ..model.packages import Package, normalise

METADATA = (".dist-info", ".egg-info")
_SIZES = re.compile(r",(\d+)\r?$", re.MULTILINE)  # RECORD's last column; its rows are thousands


class RecordRow(NamedTuple):
    """A row of RECORD (PEP 376, PEP 627), as it is spelled there."""

    path: str  #: absolute, or relative to the folder of the packages
    digest: str = ""  #: ``ALGORITHM=DIGEST``; empty for bytecode and for RECORD itself
    size: str = ""  #: in bytes

    def below(self, folder: str) -> str:
        """Return the file's path; the folder is that of the packages."""
        return os.path.normpath(os.path.join(folder, self.path))


def record_rows(text: str) -> Iterator[RecordRow]:
    """Yield the rows of a RECORD."""
    import csv

    rows = csv.reader(text.replace("\0", "").splitlines())  # no path has one
    return (RecordRow(*row[:3]) for row in rows if row)


def header(metadata: str, field: str) -> str:
    """Return the first value of a field of METADATA or PKG-INFO; empty without one."""
    return next(iter(headers(metadata, field)), "")


def headers(metadata: str, field: str) -> tuple[str, ...]:
    """Return the values of a field of METADATA or PKG-INFO (core metadata)."""
    return tuple(_fields(metadata, field).get(field, ()))


def _fields(metadata: str, *names: str) -> dict[str, list[str]]:
    """Return the values of some fields, by the field."""
    line = rf"^({'|'.join(names)}):[ \t]*(.+(?:\n[ \t].*)*?)[ \t]*$"  # a long one may be folded
    found: dict[str, list[str]] = {}
    for name, value in re.findall(line, metadata.partition("\n\n")[0], re.MULTILINE):
        found.setdefault(name, []).append(" ".join(value.split()))
    return found


@dataclass(frozen=True)
class Distribution:
    """An installed distribution; what is big is read when it is first asked for."""

    path: str  #: its ``dist-info`` or ``egg-info``
    title: str  #: its name, as its author writes it
    version: str
    requires: tuple[str, ...]
    extras: tuple[str, ...]  #: the extras that it offers
    installer: str  #: what installed it, ``pip``; empty if it does not say

    @classmethod
    def read(cls, path: str) -> Distribution | None:
        """Read a ``*.dist-info`` or ``*.egg-info``; None for one that names nothing."""
        metadata = text_in(f"{path}/METADATA") or text_in(f"{path}/PKG-INFO")
        if not metadata and os.path.isfile(path):  # distutils wrote a bare file
            metadata = text_in(path)
        fields = _fields(metadata, "Name", "Version", "Requires-Dist", "Provides-Extra")
        title, version = (fields.get(name, [""])[0] for name in ("Name", "Version"))
        if not title or not version:
            return None
        return cls(
            path,
            title,
            version,
            requires=tuple(fields.get("Requires-Dist") or _requires_of_egg(path)),
            extras=tuple(fields.get("Provides-Extra", ())),
            installer=text_in(f"{path}/INSTALLER").strip(),
        )

    @cached_property
    def name(self) -> str:
        """The normalised name."""
        return normalise(self.title)

    @property
    def folder(self) -> str:
        """The folder of the packages, which files are relative to."""
        return os.path.dirname(self.path)

    @property
    def by_conda(self) -> bool:
        """Return whether conda installed it."""
        return self.installer == "conda"

    @cached_property
    def record(self) -> tuple[RecordRow, ...]:
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
            size=sum(map(int, _SIZES.findall(self.text("RECORD")))) or None,
            requested=os.path.exists(f"{self.path}/REQUESTED"),
            editable=editable,
        )

    def text(self, name: str) -> str:
        """Return the text of a file of its metadata; empty without one."""
        return text_in(f"{self.path}/{name}")


def metadata_in(folder: str, only: str = "") -> list[str]:
    """Return the paths of the distributions' metadata in a folder of packages.

    Args:
        only: The normalised name of the only distribution; all of them if empty.
    """
    try:
        found = [each for listed in read_once([folder], _list) for each in listed]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    return [path for name, path in found if not only or name == only]


def _list(folder: str) -> tuple[tuple[str, str], ...]:
    """Return the names of a folder's distributions, each with the path of its metadata."""
    # a "~name" folder is what pip could not finish removing
    names = (name for name in os.listdir(folder) if not name.startswith("~"))
    return tuple((_name_in(n), os.path.join(folder, n)) for n in names if n.endswith(METADATA))


def _name_in(file: str) -> str:
    """Return the normalised name that begins a metadata folder's name."""
    return normalise(file.partition("-")[0].removesuffix(".dist").removesuffix(".egg"))


def text_in(path: str | Path) -> str:
    """Return the text of a file; empty without one, and for a pipe or a loop in its place."""
    try:
        return own_bytes(path).decode("utf-8", "replace").replace("\r\n", "\n")
    except PermissionError:
        raise
    except OSError:
        return ""


def _requires_of_egg(path: str) -> tuple[str, ...]:
    if not os.path.isfile(f"{path}/requires.txt"):  # setuptools' own form, in an egg-info alone
        return ()
    from importlib.metadata import PathDistribution

    return tuple(PathDistribution(Path(path)).requires or ())


def _direct_url(text: str) -> tuple[str, str, bool]:
    """Return the URL, sha256 and editable flag of PEP 610's ``direct_url.json``."""
    if not text:
        return "", "", False
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
