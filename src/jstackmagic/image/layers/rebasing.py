"""One image after another put on a newer base; each base is read once."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...model.errors import JStackMagicError, Stopped
from ...model.reference import Reference, parse
from ..engine.labels import BASE, BASE_DIGEST
from ..registry.client import Image, Registry, opened
from ..registry.source import RegistrySource, image_of, read_root
from ..root import archive
from .assemble import OurLayer, assemble, ours_of
from .base import Base
from .making import Made, packing, send_to, sending
from .rebase import carried_over, clashes, is_list, obstacles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...display.console import Console
    from ..root import Root
    from .pack import Packing


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome for one image.

    Attributes:
        image: Its name.
        state: ``done``, ``would be``, ``is already`` or ``no``.
        reasons: Why not, a sentence each.
        digest: Its new digest in the registry.
        size: The bytes that were sent.
    """

    image: str
    state: str
    reasons: tuple[str, ...] = ()
    digest: str = ""
    size: int = 0


def rebase(
    tags: Sequence[Reference], onto: Reference, console: Console, *, dry_run: bool
) -> Iterator[Outcome]:
    """Rebase images, one after another; yield the outcome of each.

    Args:
        tags: The images.
        onto: The new base.
        console: Shows the progress.
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
                yield Outcome(str(tag), "no", (error.problem,))


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

    def rebase(self, tag: Reference) -> Outcome:
        target = self._opened(tag)
        image = image_of(target)
        ours, below = ours_of(image.layers), image.labels.get(BASE, "")
        if not ours or not below:
            raise Stopped(f"{tag} was not made by %envimage push.", kept="It is what it was.")
        digest = image.labels.get(BASE_DIGEST, "")
        if digest == self._new.image.digest:
            return Outcome(str(tag), "is already", digest=image.digest)
        name = parse(below)
        old = self._base(Reference(name.name, name.tag, digest))
        found = tuple(obstacles(ours, old, self._new))
        if found:
            return Outcome(str(tag), "no", found)
        if self._dry_run:
            return Outcome(str(tag), "would be")
        with sending(str(tag)):
            store = packing()
            made = self._made(store, target, image, ours, old.root)
        if isinstance(made, tuple):
            return Outcome(str(tag), "no", made)
        labels = {
            **image.labels,
            BASE: str(self._new.image.name).partition("@")[0],
            BASE_DIGEST: self._new.image.digest,
        }
        built = assemble(self._new.image, made, labels, str(image.config.get("created", "")))
        sent = send_to(tag, self._new, Made(built, store, lambda _: None), self._console)
        return Outcome(str(tag), "done", (), sent.digest, sent.size)

    def _made(
        self, store: Packing, target: Registry, image: Image, ours: list[OurLayer], old: Root
    ) -> list[OurLayer] | tuple[str, ...]:
        """Return the layers for the new base, or why they cannot be."""
        made, new = [], self._new
        source = RegistrySource(target, image)
        # what lies below an environment is all that its layers have
        moved = self._moved(old)
        for number, layer in enumerate(ours, len(image.layers) - len(ours)):
            if is_list(layer):
                contents = carried_over(layer, target, image.layers[number], old, new.root)
                made.append(OurLayer.of(contents, store.pack(contents)))
                continue
            if any(path.startswith(f"{layer.prefix}/") for path in moved):
                with source.layers[number].open() as stream:
                    changes = archive(stream)
                    while stream.read(2**20):
                        pass
                found = tuple(clashes(changes, old, new.root))
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
