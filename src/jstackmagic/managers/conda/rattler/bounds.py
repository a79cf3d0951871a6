"""Refuse a package that would write outside its prefix, before it is unpacked or linked.

rattler keeps what it unpacks inside its folder, and panics halfway through a prefix if a
path in the package's own list is absolute.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

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


def check_unpacked(folder: str) -> list[str]:
    """Refuse a package whose own lists name paths outside of the prefix; return the paths.

    Raises:
        CommandFailed: One does; the error names it.
    """
    paths = [str(entry["_path"]) for entry in _json(folder, "paths.json").get("paths", ())]
    old = Path(folder, "info", "files")
    if not paths and old.exists():
        paths = bytes_of(old, limit=_LIST).decode(errors="replace").splitlines()
    for name in paths:
        if leaves(name):
            raise _refused(os.path.basename(folder), f"its list has the path {name!r}")
    for entry in _json(folder, "link.json").get("noarch", {}).get("entry_points", ()):
        command = str(entry).partition("=")[0].strip()
        if not re.fullmatch(r"[\w.+-]+", command) or command in (".", ".."):
            raise _refused(os.path.basename(folder), f"it has an entry point {command!r}")
    return paths


def _json(folder: str, name: str) -> dict[str, Any]:
    """Return a package's own JSON; a list of thousands of files is read three times as fast so."""
    import msgspec

    path = Path(folder, "info", name)
    if not path.exists():
        return {}
    try:
        data = msgspec.json.decode(bytes_of(path, limit=_LIST))
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None
    return data if isinstance(data, dict) else {}


def _refused(what: str, fault: str) -> CommandFailed:
    advice = "Whoever built it should know; another build or channel may do: -c CHANNEL"
    return refused(what, fault, advice=advice)
