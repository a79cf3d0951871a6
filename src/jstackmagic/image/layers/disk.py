"""The files of here, as items for a layer."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache

from ...io.files import sha256_of
from ...model.credentials import secrets_of
from ...where.compiled import is_compiled
from ..root import capability_of, walk
from .contents import LayerItem, Ownership

Fault = Callable[[str], None]
"""Takes a sentence: what cannot be in an image."""

_PRIVATE_KEY = b"PRIVATE KEY-----"
_LARGEST_TEXT = 2**18  # bytes of a file that may be a setting with a secret in it
_LOGINS = frozenset(
    (".condarc", ".netrc", ".npmrc", ".pypirc", ".git-credentials", "auth.json", "pip.conf")
)
"""Files that are there to hold logins."""


@lru_cache(maxsize=20_000)
def _real(folder: str) -> str:
    return os.path.realpath(folder)


def canonical(path: str) -> str:
    """Return a path with its folder's links followed: as an archive has to name it."""
    folder, name = os.path.split(path)
    return f"{_real(folder).rstrip('/')}/{name}"


def forget_links() -> None:
    """Forget where links of folders lead: they may have changed."""
    _real.cache_clear()


def item(
    path: str,
    fault: Fault,
    owner: Ownership | None = None,
    hidden: Callable[[str], bytes | None] = lambda _: None,
) -> LayerItem | None:
    """Return a path as an item; None if it does not exist, or no image can have it.

    Args:
        fault: Called with the reason why no image can have it.
        owner: Its owner in the image; None for its owner here.
        hidden: Returns the content of a file that this user may not read, if it may be in an image.
    """
    path = canonical(path)
    try:
        found = os.lstat(path)
    except OSError as error:
        if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            fault(f"{path} cannot be looked at: {error.strerror}.")
        return None
    made = LayerItem(path, mode=stat.S_IMODE(found.st_mode), uid=found.st_uid, gid=found.st_gid)
    if stat.S_ISDIR(found.st_mode):
        made = replace(made, kind="folder")
    elif stat.S_ISLNK(found.st_mode):
        made = replace(made, kind="link", target=os.readlink(path), mode=0o777)
    elif not stat.S_ISREG(found.st_mode):
        fault(f"{path} is a device, a pipe or a socket.")
        return None
    elif not os.access(path, os.R_OK):
        content = hidden(path)
        if content is None:
            fault(f"{path} cannot be read by this user.")
            return None
        made = replace(made, content=content, size=len(content))
    else:
        times = (found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)
        made = replace(
            made, source=path, size=found.st_size, stamp=times, capability=capability_of(path)
        )
    return owner.of(made) if owner else made


def text(path: str, content: bytes, like: LayerItem | None = None, mode: int = 0o644) -> LayerItem:
    """Return an item with its own content, and the owner of another item."""
    if like is not None:
        return replace(like, source="", content=content, size=len(content), stamp=())
    return LayerItem(path, mode=mode, content=content, size=len(content))


def sha256(one: LayerItem) -> str:
    """Return the hash of an item's content, in hexadecimal."""
    if not one.source:
        return hashlib.sha256(one.content).hexdigest()
    return sha256_of(one.source)


def read(path: str) -> bytes:
    """Return a file's content; nothing if it cannot be read."""
    with suppress(OSError), open(path, "rb") as file:
        return file.read()
    return b""


def holds_secret(one: LayerItem) -> bool:
    """Return whether a file that belongs to no package is one to keep: a login, a key, a token."""
    if os.path.basename(one.path) in _LOGINS:
        return True
    if one.kind != "file" or one.size > _LARGEST_TEXT:
        return False
    content = one.content or read(one.source)
    return _PRIVATE_KEY in content or bool(secrets_of(content.decode("utf-8", "replace")))


def changed(
    folder: str, spans: Sequence[tuple[float, float]], skip: Callable[[str], bool]
) -> Iterator[str]:
    """Yield the paths below a folder that changed in some time spans, on its own file system.

    Args:
        spans: Their starts and ends, in seconds since the epoch.
        skip: Returns whether to leave a path out, with all below it.
    """
    for entry in walk(folder, lambda path: skip(path) or is_compiled(path)) if spans else ():
        with suppress(OSError):  # gone since it was listed
            time = entry.stat(follow_symlinks=False).st_ctime
            if any(begin <= time <= end for begin, end in spans):
                yield entry.path
