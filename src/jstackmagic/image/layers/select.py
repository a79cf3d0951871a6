"""The contents of a layer: which files, folders and whiteouts a base image lacks. Pure."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..root import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from ..root import Root

WHITEOUT = ".wh."
"""OCI's prefix of the name of a file that a layer removes."""


@dataclass(frozen=True, slots=True)
class Item:
    """One file, folder or link for a layer.

    Attributes:
        path: Its path in the image: absolute, with its folder's links followed.
        kind: What it is.
        mode: Permission bits.
        uid: Its owner's number.
        gid: Its group's number.
        target: The target of a link.
        source: The file here that has the content; empty where `content` is it.
        content: The content, if it differs from the file's.
        size: The content's size in bytes.
        stamp: A value that changes when the file's content may have changed.
        capability: The value of its attribute ``security.capability``.
    """

    path: str
    kind: Kind = "file"
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    target: str = ""
    source: str = ""
    content: bytes = b""
    size: int = 0
    stamp: tuple[int, ...] = ()
    capability: bytes = b""


@dataclass(frozen=True, slots=True)
class Contents:
    """One layer, before it is packed.

    Attributes:
        manager: The packages' manager; empty for the histories.
        prefix: The environment's prefix; empty for the system.
        items: Its files by path, in order.
        gone: The paths that it removes, in order.
        packages: Name, version in the base and version here of each package; a version is empty
            where there is none.
        python: The minor version that the packages were installed for.
    """

    manager: str
    prefix: str
    items: tuple[Item, ...] = ()
    gone: tuple[str, ...] = ()
    packages: tuple[tuple[str, str, str], ...] = ()
    python: str = ""

    @property
    def size(self) -> int:
        """Return the bytes of its files."""
        return sum(item.size for item in self.items)

    @property
    def title(self) -> str:
        """Its title, in words."""
        return title_of(self.manager, self.prefix)


def title_of(manager: str, prefix: str) -> str:
    """Return the title of a layer: its manager and its environment."""
    return f"{manager or 'history'} {prefix}".rstrip()


@dataclass(frozen=True, slots=True)
class Ownership:
    """The owner of an environment's files in the image, and the right to write to them.

    Attributes:
        uid: The owner's number.
        gid: The group's number.
        shared: Whether the group may write, as the Docker Stacks' ``fix-permissions`` arranges.
        set_group: Whether new files in a folder get its group.
    """

    uid: int = 0
    gid: int = 0
    shared: bool = False
    set_group: bool = False

    def of(self, item: Item) -> Item:
        """Return an item as this owner's: the umask of whoever installed it does not count."""
        group = 0o020 if self.shared else 0
        if item.kind == "folder":
            mode = 0o755 | group | (0o2000 if self.set_group else 0)
        elif item.kind == "link":
            mode = 0o777
        else:
            mode = (0o755 if item.mode & 0o111 else 0o644) | group | item.mode & 0o6000
        return replace(item, uid=self.uid, gid=self.gid, mode=mode)


def ownership(prefix: str, base: Root, user: tuple[int, int]) -> Ownership:
    """Return the ownership of an environment's files: that of its prefix in the base image.

    A new environment belongs to the owner of its folder ``envs``, or else to the image's user.

    Args:
        prefix: The environment's.
        base: The base image.
        user: The numbers of the image's user and group.
    """
    for folder in (prefix, posixpath.dirname(prefix), posixpath.dirname(posixpath.dirname(prefix))):
        entry = base.entries.get(folder)
        is_conda = folder == prefix or f"{folder}/conda-meta/history" in base.entries
        if entry is not None and (is_conda or posixpath.basename(folder) == "envs"):
            mode = entry.mode
            return Ownership(entry.uid, entry.gid, bool(mode & 0o020), bool(mode & 0o2000))
    return Ownership(*user)


def contents(
    shell: Contents,
    wanted: Iterable[Item],
    had: Iterable[str],
    base: Root,
    *,
    folder: Callable[[str], Item],
    is_here: Callable[[str], bool],
    sha256: Callable[[Item], str],
) -> Contents:
    """Fill a layer with the files that the base image lacks, and remove those that are gone.

    Args:
        shell: The layer, empty.
        wanted: The files of its packages here.
        had: The files in the base image of packages that it replaces or removes.
        base: The base image.
        folder: Returns a folder of here as an item.
        is_here: Returns whether a path exists here.
        sha256: Returns the hash of an item's content, in hexadecimal.
    """
    by_path = {item.path: item for item in wanted}
    for path in tuple(by_path):
        for above in _parents(path):
            if above in by_path:
                continue
            known = base.entries.get(above)
            # a folder that is there stays whose it is
            if known is None or known.kind != "folder":
                by_path[above] = folder(above)
    lacking = (item for item in by_path.values() if not _is_there(item, base, sha256))
    gone = _gone(had, by_path, base, is_here)
    return replace(
        shell, items=tuple(sorted(lacking, key=lambda item: item.path)), gone=tuple(sorted(gone))
    )


def _parents(path: str) -> Iterator[str]:
    while (path := posixpath.dirname(path)) != "/":
        yield path


def _is_there(item: Item, base: Root, sha256: Callable[[Item], str]) -> bool:
    """Return whether the base image has an item as it is."""
    known = base.entries.get(item.path)
    if known is None or known.kind != item.kind:
        return False
    if item.kind == "link":
        return known.target == item.target
    if (known.mode, known.uid, known.gid) != (item.mode, item.uid, item.gid):
        return item.kind == "folder" and (known.uid, known.gid) == (item.uid, item.gid)
    if item.kind == "folder":
        return True
    return not item.capability and known.size == item.size and known.sha256 == sha256(item)


def _gone(
    had: Iterable[str], kept: Collection[str], base: Root, is_here: Callable[[str], bool]
) -> set[str]:
    """Return the paths to remove: a whole folder, if nothing of it is left."""
    found = set()
    for path in had:
        if path not in base.entries or path in kept or is_here(path):
            continue
        top = path
        for above in _parents(path):
            if is_here(above) or above not in base.entries:
                break
            top = above
        found.add(top)
    return {path for path in found if not any(above in found for above in _parents(path))}


def account(user: str, files: Mapping[str, bytes]) -> tuple[int, int]:
    """Return the numbers of a user and group, as an image's configuration names them.

    Args:
        user: Such as ``1000``, ``jovyan`` or ``jovyan:users``; empty for root.
        files: ``/etc/passwd`` and ``/etc/group``, by path.
    """
    name, _, group = (user or "0").partition(":")
    users = _table(files.get("/etc/passwd", b""))
    row = next((row for row in users if name in (row[0], row[2]) and len(row) > 3), None)
    uid = int(name) if name.isdigit() else int(row[2]) if row else 0
    gid = int(row[3]) if row and row[3].isdigit() else 0
    if group.isdigit():
        return uid, int(group)
    groups = (row for row in _table(files.get("/etc/group", b"")) if row[0] == group)
    found = next(groups, None)
    return uid, int(found[2]) if found else gid


def _table(content: bytes) -> list[list[str]]:
    lines = content.decode(errors="replace").splitlines()
    return [row for line in lines if len(row := line.split(":")) > 2]
