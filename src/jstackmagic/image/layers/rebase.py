"""Our layers on another base image: whether that is right, and the two lists to write again."""

from __future__ import annotations

import io
import posixpath
import re
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

from ...model.errors import Stopped
from ..packages import packages_of
from . import normal, system
from .gather import HISTORY
from .select import Contents, Item

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..registry.client import Descriptor, Registry
    from ..root import Changes, Kind, Root
    from .assemble import OurLayer
    from .base import Base

_OWN_HISTORY = re.compile(r".*/conda-meta/history")


def obstacles(ours: Iterable[OurLayer], old: Base, new: Base) -> Iterator[str]:
    """Yield why our layers cannot be put on another base image, from the manifests.

    Args:
        ours: The layers.
        old: The base that they were made for.
        new: The other base.
    """
    if old.image.platform != new.image.platform:
        yield (
            f"{new.image.name} is for {new.image.platform}, and the image for {old.image.platform}."
        )
        return
    for layer in ours:
        if is_list(layer):
            continue
        if layer.prefix and not _is_there(layer.prefix, new.root):
            if _is_there(layer.prefix, old.root):
                yield f"{new.image.name} has no environment {layer.prefix}."
            continue
        yield from _python(layer, new)
        yield from _packages(layer, old.root, new.root)


def _is_there(prefix: str, root: Root) -> bool:
    return any(
        f"{prefix}/{mark}" in root.entries for mark in ("conda-meta", "pyvenv.cfg", "bin/python")
    )


def _python(layer: OurLayer, new: Base) -> Iterator[str]:
    """Compare the minor version of Python, whose folder has the packages."""
    if not layer.python or any(name == "python" for name, _, _ in layer.packages):
        return
    library = re.compile(rf"{re.escape(layer.prefix)}/lib/python(\d+\.\d+)/(?:site|dist)-packages")
    below = new.root.below(layer.prefix)
    found = {match[1] for path in below if (match := library.fullmatch(path))}
    if found and layer.python not in found:
        yield (
            f"{layer.prefix} has Python {', '.join(sorted(found))} in {new.image.name}, and what"
            f" was installed is for {layer.python}: install it again."
        )


def _packages(layer: OurLayer, old: Root, new: Root) -> Iterator[str]:
    """Compare the base's packages that the layer replaces, removes or would hide."""
    managers = ("apt",) if layer.manager == "apt" else ("conda", "pip")
    bases = [
        {
            (p.manager, p.name): f"{p.version} {p.build}".rstrip()
            for p in packages_of(root, layer.prefix or "/", managers).packages
        }
        for root in (old, new)
    ]
    for name, _, after in layer.packages:
        for manager in managers:
            was, now = (versions.get((manager, name)) for versions in bases)
            if was != now and not (manager == layer.manager and now == after):
                had = f"it was {was}" if was else "it had none"
                has = f"has {manager}:{name} {now}" if now else f"has no {manager}:{name}"
                again = f"install {name} again" if after else f"remove {name} again"
                yield f"The new base {has} ({had}) in {layer.prefix or 'the system'}: {again}."


def clashes(changes: Changes, old: Root, new: Root) -> Iterator[str]:
    """Yield the files of a layer of ours that the other base has in another version.

    Args:
        changes: The layer.
        old: The base that it was made for.
        new: The other base.
    """
    for path, entry in changes.root.entries.items():
        was, now = old.entries.get(path), new.entries.get(path)
        if entry.kind == "folder" or now is None:
            continue
        if now.what not in (was.what if was else None, entry.what):
            yield f"{path} is another file in the new base than ours."
    for path in changes.gone:
        was, now = old.entries.get(path), new.entries.get(path)
        if now is not None and was is not None and was.sha256 != now.sha256:
            yield f"{path} was removed, and the new base has another version of it."


# The layers that are written again


def is_list(layer: OurLayer) -> bool:
    """Return whether a layer holds lists that the base has as well: it is written again."""
    return layer.manager in ("", "dpkg")


def carried_over(
    layer: OurLayer, registry: Registry, described: Descriptor, old: Root, new: Root
) -> Contents:
    """Return a layer of lists for another base: its own lines, and ours.

    Raises:
        RegistryError: The layer cannot be read.
        Stopped: The two have changed the same thing in different ways.
    """
    import zlib

    unpacked = zlib.decompress(b"".join(registry.blob(described)), 31)
    items: dict[str, Item] = {}
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            kind: Kind = "file" if member.isfile() else "folder" if member.isdir() else "link"
            path = posixpath.normpath(f"/{member.name}")
            content = file.read() if file else b""
            items[path] = Item(
                path, kind, member.mode, member.uid, member.gid, member.linkname,
                content=content, size=len(content),
            )  # fmt: skip
    faults: list[str] = []
    for path, item in items.items():
        if item.kind != "file" or path == HISTORY:
            continue
        content = _carried(path, item.content, old, new, faults)
        items[path] = replace(item, content=content, size=len(content))
    _add_locked(items, old, new)
    if faults:
        raise Stopped(
            "\n".join(faults), kept="Nothing was sent.", advice="Build it: %envexport dockerfile"
        )
    return Contents(layer.manager, layer.prefix, tuple(items[p] for p in sorted(items)))


def _carried(path: str, ours: bytes, old: Root, new: Root, faults: list[str]) -> bytes:
    was, now = old.contents.get(path, b""), new.contents.get(path, b"")
    if path in (system.STATUS, system.MARKS):
        content, clash = normal.merged(was, ours, now)
        faults += [
            f"{name} has another status in the new base: install it again." for name in clash
        ]
        return content
    if path in (row[0] for row in system.ACCOUNTS):
        return normal.accounts(now, ours)[0]
    if path in (row[1] for row in system.ACCOUNTS):
        return ours
    if _OWN_HISTORY.fullmatch(path):
        start = normal.conda_history(was)
        return normal.conda_history(now) + ours.removeprefix(start) if now else ours
    if not _same(path, old, new):
        faults.append(f"{path} is another in the new base, and has to be made again there.")
    return ours


def _same(path: str, old: Root, new: Root) -> bool:
    one, other = old.entries.get(path), new.entries.get(path)
    return (one.sha256 if one else "") == (other.sha256 if other else "")


def _add_locked(items: dict[str, Item], old: Root, new: Root) -> None:
    for path, shadow, fields in system.ACCOUNTS:
        if path in items and shadow in items and shadow in new.contents:
            names = normal.accounts(old.contents.get(path, b""), items[path].content)[1]
            content = normal.locked(new.contents[shadow], names, fields)
            items[shadow] = replace(items[shadow], content=content, size=len(content))
