"""Give everyone who may read an environment the right to read what an install adds to it.

A umask of 027 or 077, rattler's own 0600 records, and hard links into a cache of 0700 would each
leave packages that only the installing user can import, in an environment that all use.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from ..model.environment import Environment
from ..model.managers import is_system
from ..model.packages import Change
from ..model.text import counted
from ..where.metadata import files_of, metadata_of

_SHARED = 0o055  # of group and others: to read, and to pass through
_SHOWN = 3


def share(change: Change, environment: Environment) -> tuple[str, ...]:
    """Give added files the modes of the environment's own folder, and never more.

    Returns:
        A sentence on what others still cannot read; nothing if all is as it should be.
    """
    try:
        wanted = os.stat(environment.prefix).st_mode & _SHARED
    except OSError:
        return ()
    if not wanted:  # no other user may enter it
        return ()
    left = [path for path in _paths(change, environment) if not _open(path, wanted)]
    if not left:
        return ()
    shown = ", ".join(left[:_SHOWN]) + (" …" if len(left) > _SHOWN else "")
    return (
        f"Other users of the environment cannot read {counted(len(left), 'file')} of this: {shown}",
    )


def _open(path: str, wanted: int) -> bool:
    """Add the missing bits to a file or folder; return whether it has them."""
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            return True
        bits = wanted & 0o044
        # to read the folder is to pass through it; a program is one for all who read it
        if stat.S_ISDIR(mode) or mode & 0o100:
            bits = wanted
        if bits & ~mode:
            os.chmod(path, stat.S_IMODE(mode) | bits)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _paths(change: Change, environment: Environment) -> Iterator[str]:
    """Yield the files that came, with the folders above them within the prefix, each once."""
    root = environment.prefix.rstrip("/")
    folders: set[str] = set()
    for package in change.came:
        if is_system(package.manager):
            continue
        paths = (*files_of(package, environment), *metadata_of(package, environment))
        yield from paths
        for folder in {path.rpartition("/")[0] for path in paths}:
            while folder.startswith(f"{root}/") and folder not in folders:
                folders.add(folder)
                folder = os.path.dirname(folder)
    for folder in sorted(folders):
        yield folder
        if folder.endswith("__pycache__"):
            continue
        cache = f"{folder}/__pycache__"
        if os.path.isdir(cache):
            yield cache
            yield from (entry.path for entry in os.scandir(cache))
