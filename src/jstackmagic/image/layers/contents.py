"""The contents of a layer: which files, folders and whiteouts a base image lacks. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ..root import Kind, Root

WHITEOUT = ".wh."
"""OCI's prefix of the name of a file that a layer removes."""


@dataclass(frozen=True, slots=True)
class LayerItem:
    """One file, folder or link for a layer."""

    path: str  #: its path in the image: absolute, with its folder's links followed
    kind: Kind = "file"
    mode: int = 0o644  #: permission bits
    uid: int = 0
    gid: int = 0  #: its group's number
    target: str = ""  #: the target of a link
    source: str = ""  #: the file here that has the content; empty where `content` is it
    content: bytes = b""  #: the content, if it differs from the file's
    size: int = 0  #: the content's size in bytes
    stamp: tuple[int, ...] = ()  #: a value that changes when the file's content may have changed
    capability: bytes = b""  #: the value of its attribute ``security.capability``


@dataclass(frozen=True, slots=True)
class Contents:
    """One layer, before it is packed."""

    manager: str  #: the packages' manager; empty for the histories
    prefix: str  #: the environment's prefix; empty for the system
    items: tuple[LayerItem, ...] = ()  #: its files by path, in order
    gone: tuple[str, ...] = ()  #: the paths that it removes, in order
    #: name, version in the base and version here of each package; a version is empty where there is
    #: none
    packages: tuple[tuple[str, str, str], ...] = ()
    python: str = ""  #: the minor version that the packages were installed for

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
    """The owner of an environment's files in the image, and the right to write to them."""

    uid: int = 0
    gid: int = 0  #: the group's number
    #: whether the group may write, as the Docker Stacks' ``fix-permissions`` arranges
    shared: bool = False
    set_group: bool = False  #: whether new files in a folder get its group

    def of(self, item: LayerItem) -> LayerItem:
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
    wanted: Iterable[LayerItem],
    had: Iterable[str],
    base: Root,
    *,
    folder: Callable[[str], LayerItem],
    is_here: Callable[[str], bool],
    sha256: Callable[[LayerItem], str],
) -> Contents:
    """Fill a layer with the files that the base image lacks, and remove those that are gone.

    Args:
        had: The files in the base image of packages that it replaces or removes.
        folder: Returns a folder of here as an item.
        is_here: Returns whether a path exists here.
        sha256: Returns the hash of an item's content, in hexadecimal.
    """
    by_path = {item.path: item for item in wanted}
    for inner in {posixpath.dirname(path) for path in by_path}:
        for above in (inner, *_parents(inner)):
            if above in by_path or above == "/":
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


def _is_there(item: LayerItem, base: Root, sha256: Callable[[LayerItem], str]) -> bool:
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
    same = known.capability == item.capability and known.size == item.size
    return same and known.sha256 == sha256(item)


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
