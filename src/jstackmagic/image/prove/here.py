"""The root file system of this process, as data, to compare with an image."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Callable
from dataclasses import replace

from .. import asroot
from ..root import Entry, Kind, Root, capability_of, hashes_of, walk

_MACHINES_OWN = re.compile(
    r"/var/(?:log|cache|backups|lib/apt|lib/dpkg)/.*|/etc/(?:[^/]+-|\.pwd\.lock)"
)
"""Logs, locks and backups, which need not be readable."""


def disk_root(folder: str, *, is_wanted: Callable[[str], bool], like: Root | None = None) -> Root:
    """Read a folder's files on the same file system: mounts are left out.

    Args:
        folder: An absolute path.
        is_wanted: Whether a file's content counts, and not only that it is there.
        like: Another root. A file that neither this user nor sudo may read is taken for that of
            the other where size, owner, mode and time are the same.
    """
    root, hidden = Root(), dict[str, OSError]()
    ours = os.path.join(tempfile.gettempdir(), "jstackmagic-")  # where the other side is unpacked
    for entry in walk(folder, lambda path: path.startswith(ours)):
        try:
            status = entry.stat(follow_symlinks=False)
            root.entries[entry.path] = _entry(entry.path, status, is_wanted)
        except FileNotFoundError:  # noqa: PERF203 - gone since it was listed
            continue
        except OSError as error:
            if not _MACHINES_OWN.fullmatch(entry.path):
                hidden[entry.path] = error
    found = asroot.sha256(list(hidden))
    for path, reason in hidden.items():
        known = like.entries.get(path) if like else None
        if path in found:
            status = os.lstat(path)
            root.entries[path] = replace(_entry(path, status, lambda _: False), sha256=found[path])
        elif known is not None and _looks(path) == (
            *(known.size, known.mode, known.uid, known.gid, known.time),
        ):
            root.entries[path] = known
        else:
            root.unread.append(f"{path} cannot be read: {reason.strerror}.")
    return root


def _looks(path: str) -> tuple[int, ...]:
    try:
        found = os.lstat(path)
    except OSError:
        return ()
    mode = stat.S_IMODE(found.st_mode)
    return (found.st_size, mode, found.st_uid, found.st_gid, int(found.st_mtime))


def _entry(path: str, status: os.stat_result, is_wanted: Callable[[str], bool]) -> Entry:
    kind: Kind = "other"
    for test, name in ((stat.S_ISREG, "file"), (stat.S_ISDIR, "folder"), (stat.S_ISLNK, "link")):
        if test(status.st_mode):
            kind = name  # type: ignore[assignment]
    sha256, body = hashes_of(path) if kind == "file" and is_wanted(path) else ("", None)
    return Entry(
        kind,
        stat.S_IMODE(status.st_mode),
        status.st_uid,
        status.st_gid,
        status.st_size if kind == "file" else 0,
        os.readlink(path) if kind == "link" else "",
        sha256,
        int(status.st_mtime),
        body,
        capability_of(path) if sha256 else b"",
    )
