"""The root file system that this process sees, as data: what an image is compared with."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from ..root import Entry, Root, hashes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..root import Kind


def disk_root(folder: str, *, is_wanted: Callable[[str], bool]) -> Root:
    """Read what lies below a folder and on the same file system: mounts are left out.

    Args:
        folder: Absolute.
        is_wanted: Whether a file's content counts, and not only that it is there.
    """
    root = Root()
    for entry in _walk(folder, os.stat(folder).st_dev):
        try:
            status = entry.stat(follow_symlinks=False)
            root.entries[entry.path] = _entry(entry.path, status, is_wanted)
        except FileNotFoundError:  # noqa: PERF203 - gone since it was listed
            continue
        except OSError as error:
            root.unread.append(f"{entry.path} cannot be read: {error.strerror}.")
    return root


def _walk(folder: str, device: int) -> Iterator[os.DirEntry[str]]:
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    yield entry
                    if entry.is_dir(follow_symlinks=False) and _is_on(entry, device):
                        waiting.append(entry.path)
        except OSError:  # noqa: PERF203 - a folder of root's; its own entry says that it is there
            continue


def _is_on(entry: os.DirEntry[str], device: int) -> bool:
    try:
        return entry.stat(follow_symlinks=False).st_dev == device
    except OSError:
        return False


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
    )
