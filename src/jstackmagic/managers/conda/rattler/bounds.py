"""Refuse a package that would write outside its prefix, before it is unpacked or linked.

rattler keeps what it unpacks inside its folder, and panics halfway through a prefix if a
path in the package's own list is absolute.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from posixpath import normpath
from typing import TypedDict, TypeVar

from ....io.archives import check_archive, leaves, refused
from ....io.reading import bytes_of
from ....model.errors import CommandFailed

_LIST = 256 * 2**20  # bytes of a list of paths


def check_archive_contents(path: str) -> None:
    """Refuse an archive with members that lead out of it, are not files, or are a bomb.

    Raises:
        CommandFailed: It has one; the error names it.
    """
    check_archive(path, advice=f"Remove it, so that it is fetched again: !rm '{path}'")


class _PathKind(TypedDict, total=False):
    path_type: str


class _PathEntry(_PathKind):
    _path: str


class _Paths(TypedDict, total=False):
    paths: list[_PathEntry]


class _NoArch(TypedDict, total=False):
    entry_points: list[str] | None


class _Link(TypedDict, total=False):
    noarch: _NoArch | None


class _Index(TypedDict, total=False):
    name: str


_T = TypeVar("_T", _Paths, _Link, _Index)
_RECORD = re.compile(r"conda-meta/(?:history|.*\.json)")
_PYTHON = re.compile(r"bin/python[\d.]*")
_BRINGS_PYTHON = re.compile(r"python|pypy[\d.]*|graalpy")


def check_unpacked(folder: str, what: str = "") -> list[str]:
    """Refuse a package whose own lists name what is not its own; return the paths.

    Raises:
        CommandFailed: One names a path outside of the prefix, conda's records or another
            package's Python, or cannot be read; the error names it.
    """
    what = what or os.path.basename(folder)
    listed = _json(folder, "paths.json", what, _Paths).get("paths", ())
    paths = [entry["_path"] for entry in listed]
    links = [entry["_path"] for entry in listed if entry.get("path_type") == "softlink"]
    old = Path(folder, "info", "files")
    if not paths and old.exists():
        paths = bytes_of(old, limit=_LIST).decode(errors="replace").splitlines()
    index = _json(folder, "index.json", what, _Index)
    others = [_RECORD] if _BRINGS_PYTHON.fullmatch(index.get("name", "")) else [_RECORD, _PYTHON]
    for name in paths:
        if leaves(name) or any(other.fullmatch(normpath(name)) for other in others):
            raise _refused(what, f"its list has the path {name!r}")
    for name in links:
        if not os.path.islink(os.path.join(folder, name)):
            raise _refused(what, f"its list has the link {name!r}, which it does not have")
    noarch = _json(folder, "link.json", what, _Link).get("noarch") or {}
    for entry in noarch.get("entry_points") or ():
        command = entry.partition("=")[0].strip()
        if not re.fullmatch(r"[\w.+-]+", command) or command in (".", ".."):
            raise _refused(what, f"it has an entry point {command!r}")
    return paths


def check_all_there(what: str, paths: Iterable[str], here: Iterable[str]) -> None:
    """Refuse a package that lacks what it lists, on which rattler fails halfway through a prefix.

    Raises:
        CommandFailed: It does; the error names the first.
    """
    missing = min({*paths}.difference(here), default="")
    if missing:
        raise _refused(what, f"its list has {missing!r}, which it does not have")


def _json(folder: str, name: str, what: str, kind: type[_T]) -> _T:
    """Return a package's own JSON; a list of thousands of files is read three times as fast so."""
    import msgspec

    path = Path(folder, "info", name)
    if not path.exists():
        return kind()
    try:
        return msgspec.json.decode(bytes_of(path, limit=_LIST), type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise _refused(what, f"its {name} cannot be read: {error}") from None


def _refused(what: str, fault: str) -> CommandFailed:
    advice = "Whoever built it should know; another build or channel may do: -c CHANNEL"
    return refused(what, fault, advice=advice)
