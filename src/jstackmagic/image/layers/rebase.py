"""Our layers on another base image: whether that is right, and the two lists to write again.

One image after another is put on it; each base is read once.
"""

from __future__ import annotations

import gzip
import io
import posixpath
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from ...display.console import Console
from ...managers.layered import masked
from ...model.errors import JStackMagicError, Stopped
from ...model.managers import neighbours
from ...model.reference import Reference
from ..engine.labels import BASE, BASE_DIGEST
from ..installed import packages_of
from ..registry.client import Descriptor, Registry, RegistryImage, opened
from ..registry.source import image_of, layers_of, read_root
from ..root import Changes, Kind, Root, changes_of
from . import normal, system
from .assemble import OurLayer, assemble, ours_of
from .base import Base
from .contents import Contents, LayerItem
from .gather import HISTORY
from .making import packing, send_to, sending, too_many
from .pack import Packing
from .send import Made

_OWN_HISTORY = re.compile(r".*/conda-meta/history")


def obstacles(ours: Iterable[OurLayer], old: Base, new: Base) -> Iterator[str]:
    """Yield why our layers cannot be put on another base image, from the manifests."""
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
    managers = neighbours(layer.manager)
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
    """Yield the files of a layer of ours that the other base has in another version."""
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
    unpacked = gzip.decompress(b"".join(registry.blob(described)))
    items: dict[str, LayerItem] = {}
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            kind: Kind = "file" if member.isfile() else "folder" if member.isdir() else "link"
            path = posixpath.normpath(f"/{member.name}")
            content = file.read() if file else b""
            items[path] = LayerItem(
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
        start = masked(was)
        return masked(now) + ours.removeprefix(start) if now else ours
    if not _same(path, old, new):
        faults.append(f"{path} is another in the new base, and has to be made again there.")
    return ours


def _same(path: str, old: Root, new: Root) -> bool:
    one, other = old.entries.get(path), new.entries.get(path)
    return (one.sha256 if one else "") == (other.sha256 if other else "")


def _add_locked(items: dict[str, LayerItem], old: Root, new: Root) -> None:
    for path, shadow, fields in system.ACCOUNTS:
        if path in items and shadow in items and shadow in new.contents:
            names = normal.accounts(old.contents.get(path, b""), items[path].content)[1]
            content = normal.locked(new.contents[shadow], names, fields)
            items[shadow] = replace(items[shadow], content=content, size=len(content))


# One image after another


@dataclass(frozen=True, slots=True)
class RebaseOutcome:
    """The outcome for one image."""

    image: str  #: its name
    state: str  #: ``done``, ``would be``, ``is already`` or ``no``
    reasons: tuple[str, ...] = ()  #: why not, a sentence each
    digest: str = ""  #: its new digest in the registry
    size: int = 0  #: the bytes that were sent


def rebase(
    tags: Sequence[Reference], onto: Reference, console: Console, *, dry_run: bool
) -> Iterator[RebaseOutcome]:
    """Rebase images, one after another; yield the outcome of each.

    Args:
        dry_run: Whether to send nothing, and to read manifests alone.

    Raises:
        RegistryError: The new base cannot be read; of a single image, that it cannot.
    """
    with ExitStack() as stack:
        one = _Rebasing(stack, onto, console, dry_run=dry_run)
        for tag in tags:
            try:
                yield one.rebase(tag)
            except JStackMagicError as error:  # noqa: PERF203 - each image has its own reason
                if len(tags) == 1 and not isinstance(error, Stopped):
                    raise
                yield RebaseOutcome(str(tag), "no", (error.problem,))


class _Rebasing:
    def __init__(
        self, stack: ExitStack, onto: Reference, console: Console, *, dry_run: bool
    ) -> None:
        self._stack, self._console, self._dry_run = stack, console, dry_run
        self._registries: dict[str, Registry] = {}
        self._bases: dict[str, Base] = {}
        self._new = self._base(onto)

    def _opened(self, reference: Reference) -> Registry:
        known = self._registries.get(reference.registry)
        if known is None:
            known = self._stack.enter_context(opened(reference))
            self._registries[reference.registry] = known
        return Registry(reference, known.connection)

    def _base(self, reference: Reference) -> Base:
        if str(reference) not in self._bases:
            registry = self._opened(reference)
            image = image_of(registry)
            root = read_root(registry, image, self._console)
            self._bases[str(reference)] = Base(registry, image, root)
        return self._bases[str(reference)]

    def rebase(self, tag: Reference) -> RebaseOutcome:
        target = self._opened(tag)
        image = image_of(target)
        ours, below = ours_of(image.layers), image.base
        if not ours or not below:
            raise Stopped(f"{tag} was not made by %envimage push.", kept="It is what it was.")
        if below.digest == self._new.image.digest:
            return RebaseOutcome(str(tag), "is already", digest=image.digest)
        old = self._base(below)
        found = (*too_many(self._new.image, len(ours)), *obstacles(ours, old, self._new))
        if found:
            return RebaseOutcome(str(tag), "no", found)
        if self._dry_run:
            return RebaseOutcome(str(tag), "would be")
        with sending(str(tag)):
            store = packing()
            made = self._made(store, target, image, ours, old.root)
        if isinstance(made, tuple):
            return RebaseOutcome(str(tag), "no", made)
        labels = {  # those of the old base were its own
            **dict(image.labels.items() - old.image.labels.items()),
            BASE: str(self._new.image.name).partition("@")[0],
            BASE_DIGEST: self._new.image.digest,
        }
        built = assemble(self._new.image, made, labels, str(image.config.get("created", "")))
        sent = send_to(tag, self._new, Made(built, store, lambda _: None), self._console)
        return RebaseOutcome(str(tag), "done", (), sent.digest, sent.size)

    def _made(
        self,
        store: Packing,
        target: Registry,
        image: RegistryImage,
        ours: list[OurLayer],
        old: Root,
    ) -> list[OurLayer] | tuple[str, ...]:
        """Return the layers for the new base, or why they cannot be."""
        made, new = [], self._new
        layers = layers_of(target, image)
        # what lies below an environment is all that its layers have
        moved = self._moved(old)
        for number, layer in enumerate(ours, len(image.layers) - len(ours)):
            if is_list(layer):
                contents = carried_over(layer, target, image.layers[number], old, new.root)
                made.append(OurLayer.of(contents, store.pack(contents)))
                continue
            if any(path.startswith(f"{layer.prefix}/") for path in moved):
                found = tuple(clashes(changes_of(layers[number]), old, new.root))
                if found:
                    return found
            made.append(layer)
        return made

    def _moved(self, old: Root) -> set[str]:
        """Return the paths of the new base that are otherwise in an older one, or are not there."""
        known: set[str] | None = old.derived.get("moved")
        if known is None:
            known = old.derived["moved"] = {
                path
                for path, now in self._new.root.entries.items()
                if (was := old.entries.get(path)) is None or was.what != now.what
            }
        return known
